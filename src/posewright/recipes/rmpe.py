"""RMPE (Fang et al. 2017, arXiv:1612.00137): find the person in the box, then the pose, then put it back.

Four stacked hourglasses in a symmetric spatial transformer, crops of 320x256 that are 30 % larger than the box (here
25 %, as everywhere), boxes drawn as a detector's lie. Neither the paper's schedule nor the offsets of its detector
could be read: the boxes are AlphaPose's (`proposals.fitted` learns those of any detector), and schedule, jitter and
codec are the hourglass's, on whose weights the paper begins; `--start` takes them. The locator learns at a hundredth
of the rate, since a little of it moves everything: our choice as well, which no option of `train` changes. People who
are found twice are merged by `metrics.pose_nms`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posewright.augment.proposals import ALPHAPOSE
from posewright.codecs.centred import Centred
from posewright.recipes.data import on_mpii
from posewright.recipes.hourglass import JITTER, PHASES
from posewright.recipes.losses import centred_and_back
from posewright.recipes.recipe import Optimiser
from posewright.skeleton import MPII


def network() -> Any:
    """Build the network for MPII's keypoints."""
    from posewright.models import sstn

    return sstn.sstn_hourglass_4(len(MPII))


rmpe_mpii = on_mpii(
    "rmpe",
    "RMPE: 4 stacked hourglasses in a symmetric spatial transformer",
    Centred(MPII, (256, 320)),
    paper="https://arxiv.org/abs/1612.00137",
    network=network,
    loss=centred_and_back,
    phases=PHASES,
    jitter=replace(JITTER, proposal=ALPHAPOSE),
    aim=Centred.around,
    batch=16,
    optimiser=Optimiser("adam", rates=((r"locator\.", 0.01),)),
    parameters=24_037_894,
    reported={"mAP (MPII multi-person test, SSD's boxes, pose NMS)": 0.767},
)
