"""SimplePose (Li et al. 2020, arXiv:1911.10529): limbs are bands, people are grown limb by limb.

By the authors' code (Improved-Body-Parts, 015a435): each person of a picture is shown in turn, as OpenPose does but 0.5
to 1.5 times the size, turned by +-50 degrees, moved by +-50 px and one time in five without colour; momentum at 2.5e-5
a device of 8 pictures, a fifth of it every 10 epochs, at 384x384; then at 512x512 from the full rate again, a fifth of
it every 5 epochs. That the second round begins at epoch 78, where the rate does, is inferred; of four devices.
"""

from __future__ import annotations

from typing import Any

from posewright.augment.picture_jitter import FirstPerson, Grey, PictureJitter
from posewright.codecs.bottom_up.simplepose import SimplePose
from posewright.recipes.data import on_coco
from posewright.recipes.losses import focal_squares
from posewright.recipes.openpose import each_main_person
from posewright.recipes.recipe import Apart, Optimiser, Phase
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1911.10529"
RATE = 4 * 2.5e-5
SMALL = (384, 384)


def network(keypoints: int = 18, limbs: int = 30) -> Any:
    """Build four identity mapping hourglasses of five scales."""
    from posewright.models import simplepose as models

    return models.simplepose(keypoints, limbs)


simplepose_coco = on_coco(
    "simplepose",
    "SimplePose, 4 hourglasses",
    SimplePose(COCO),
    paper=PAPER,
    network=network,
    loss=focal_squares,
    phases=(
        *(Phase(10, RATE * 0.2**n, size=SMALL) for n in range(7)),
        Phase(8, RATE * 0.2**7, size=SMALL),
        *(Phase(5, RATE * 0.2**n) for n in range(5)),
    ),
    jitter=PictureJitter(
        FirstPerson(0.6), scale=(1.0, 1.0), zoom=(0.5, 1.5), turn=50.0, shift=50 / 384, colours=Grey()
    ),
    batch=32,
    optimiser=Optimiser("momentum", weight_decay=5e-4),
    apart=Apart(each=each_main_person),
    parameters=128_998_760,
    reported={"AP (test-dev2017, flip)": 0.685},
)
