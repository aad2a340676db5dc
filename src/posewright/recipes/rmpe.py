"""RMPE (Fang et al. 2017, arXiv:1612.00137): find the person in the box, then the pose, then put it back.

Eight stacked hourglasses in a symmetric spatial transformer, crops of 256x256 that are 30 % larger than the box, boxes
drawn as a detector's lie (section 4.2, and the authors' training code, multi-human-pose, commit 094e29b). Its RMSProp
takes 5 crops a step, 8,000 steps an epoch, which is 1.8 passes over MPII's 22,246 people: 20 and 10 such epochs of the
hourglasses alone at 2.5e-4 and 5e-5, `rmpe_proposals_mpii`, then 20 and 10 with the transformer at 5e-5 and 1e-5,
`rmpe_mpii`, which takes the first training's weights by `--start`. Views are mirrored and recoloured only, each channel
times .6 to 1.4; the boxes do the rest: a true box is made 1.3 times as large and its sides moved, or, of .3 of the
people, .7 to 1 times the true box is cut out and not made larger.

Departures. The offsets of the authors' detector, a mean and a deviation for each person (file annot.h5), could not be
read, so the sides move as AlphaPose's (`proposals.fitted` learns how those of any detector do). Boxes do not end where
the picture does: what lies beyond is black here as there, but theirs shows people at the rim larger. The locator
learns at a hundredth of the rate, where theirs has the same rate for all: at the whole of it, on one picture, 80 steps
of RMSProp at 5e-5 drove it away for good (loss .0017 to .028). The branch beside is the network itself; with one that
is trained and frozen, as theirs:

    replace(rmpe_mpii, network=lambda: sstn_hourglass_8(16, frozen(branch)), loss=partial(centred_and_back, beside=4))

People who are found twice are merged by `metrics.pose_nms`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.augment.proposals import ALPHAPOSE
from posewright.codecs.centred import GROWN, Centred
from posewright.codecs.hourglass import Hourglass
from posewright.recipes.data import on_mpii
from posewright.recipes.hourglass import hourglass_8_mpii
from posewright.recipes.losses import centred_and_back
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import MPII

CUT = replace(ALPHAPOSE, cut=0.3, grown=GROWN)
JITTER = Jitter(scale=0.0, turn=0.0, half_body=0.0, tint=0.4, proposal=CUT, padding=1.0)
PASSES = 8_000 * 5 / 22_246
"""Over MPII's people in one of the authors' epochs."""


def phase(epochs: int, rate: float) -> Phase:
    """Return so many of the authors' epochs as passes over the data."""
    return Phase(round(PASSES * epochs), rate)


def network() -> Any:
    """Build the network for MPII's keypoints."""
    from posewright.models import sstn

    return sstn.sstn_hourglass_8(len(MPII))


rmpe_proposals_mpii = replace(
    hourglass_8_mpii,
    name="rmpe_proposals_mpii",
    summary="RMPE's first half: 8 stacked hourglasses from boxes as a detector's, MPII, 256x256",
    paper="https://arxiv.org/abs/1612.00137",
    phases=(phase(20, 2.5e-4), phase(10, 5e-5)),
    jitter=JITTER,
    aim=Hourglass.around,
    padding=GROWN,
    batch=5,
    optimiser=Optimiser("rmsprop"),
    reported={},
)
rmpe_mpii = on_mpii(
    "rmpe",
    "RMPE: 8 stacked hourglasses in a symmetric spatial transformer",
    Centred(MPII, (256, 256)),
    paper="https://arxiv.org/abs/1612.00137",
    network=network,
    loss=centred_and_back,
    phases=(phase(20, 5e-5), phase(10, 1e-5)),
    jitter=JITTER,
    aim=Centred.around,
    padding=GROWN,
    batch=5,
    optimiser=Optimiser("rmsprop", rates=((r"locator\.", 0.01),)),
    parameters=36_613_702,
    reported={"mAP (MPII multi-person test, SSD's boxes, pose NMS)": 0.767},
)
