"""FastPose (AlphaPose; Fang et al. 2022, arXiv:2211.03375): a squeezed ResNet whose channels become pixels.

Schedule of the authors' released code (256x192_res50_lr1e-3_1x.yaml): Adam at 1e-3, divided by 10 at 90 and 120 of
200 epochs; after 141 of them boxes are drawn as a detector's lie (`proposals.ALPHAPOSE`), and the rate is 1e-3 again.
It is then to fall at 160 and 190, but the code counts these from the change on, so that it never does; so here.
It starts from ImageNet weights, which `--start` takes. The paper itself was not at hand.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.augment.proposals import ALPHAPOSE
from posewright.codecs.gaussian import Gaussian
from posewright.recipes.data import on_coco
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import COCO

JITTER = Jitter(scale=0.3, turn=40.0, half_body=0.0)
PHASES = (
    Phase(90, 1e-3), Phase(30, 1e-4), Phase(21, 1e-5), Phase(59, 1e-3, jitter=replace(JITTER, proposal=ALPHAPOSE))
)  # fmt: skip


def network(depth: int, keypoints: int) -> Any:
    """Build the network over a ResNet of 50, 101 or 152 layers."""
    from posewright.models import fastpose

    sizes = {50: fastpose.fastpose_r50, 101: fastpose.fastpose_r101, 152: fastpose.fastpose_r152}
    return sizes[depth](keypoints)


fastpose_r50_coco = on_coco(
    "fastpose_r50",
    "FastPose over ResNet-50",
    Gaussian(COCO),
    paper="https://arxiv.org/abs/2211.03375",
    network=partial(network, 50, len(COCO)),
    loss=mean_squared_error,
    phases=PHASES,
    jitter=JITTER,
    aim=Gaussian.around,
    batch=32,
    optimiser=Optimiser("adam"),
    parameters=40_577_745,
    reported={"AP (val2017, YOLOv3's boxes, flip, the authors' model zoo)": 0.720},
)
