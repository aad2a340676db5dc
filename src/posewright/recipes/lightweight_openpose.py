"""Lightweight OpenPose (Osokin 2018, arXiv:1811.12004): OpenPose over MobileNet, with one stage of refinement.

By the author's code (train.py, a70ef04): shown, jittered and learnt as OpenPose, but by Adam at 4e-5, a third of it
after 100, 200 and 260 of 280 epochs, 80 people a step; biases learn twice as fast, and the refinement's convolutions
four times. It starts from ImageNet's MobileNet, which `--start` takes; the author goes on from there twice more, the
last time with three stages of refinement. Departure: all weights are decayed, the author's biases and depthwise
convolutions are not.
"""

from __future__ import annotations

from typing import Any

from posewright.codecs.bottom_up.openpose import LightweightOpenPose
from posewright.recipes.data import on_coco
from posewright.recipes.losses import fields_and_heatmaps
from posewright.recipes.openpose import JITTER, each_main_person
from posewright.recipes.recipe import Apart, Optimiser, Phase
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1811.12004"
NORMS = r"stages\.1\.trunk\.\d\.trunk\.\d\.1\."
RATES = (
    (rf"({NORMS}|backbone\.).*weight", 1.0),
    (rf"({NORMS}|backbone\.|narrow\.|stages\.0\.).*bias", 2.0),
    (r"stages\.1\..*weight", 4.0),
    (r"stages\.1\..*bias", 8.0),
)


def network(keypoints: int = 18, limbs: int = 19) -> Any:
    """Build the released network."""
    from posewright.models import lightweight_openpose as models

    return models.lightweight_openpose(keypoints, limbs)


lightweight_openpose_coco = on_coco(
    "lightweight_openpose",
    "Lightweight OpenPose",
    LightweightOpenPose(COCO, (368, 368)),
    paper=PAPER,
    network=network,
    loss=fields_and_heatmaps,
    phases=tuple(Phase(epochs, 4e-5 * 0.333**n) for n, epochs in enumerate((100, 100, 60, 20))),
    jitter=JITTER,
    batch=80,
    optimiser=Optimiser("adam", weight_decay=5e-4, rates=RATES),
    apart=Apart(each=each_main_person),
    parameters=4_091_698,
    reported={"AP (val2017, one scale, no flip)": 0.40, "AP (val2017, after the first of three rounds)": 0.38},
)
