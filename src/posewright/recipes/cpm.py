"""Convolutional pose machines (Wei et al. 2016, arXiv:1602.00134): six stages that each read the last one's beliefs.

Schedule of the authors' genProto: momentum 0.9 at 8e-5, 5 times that in stage 1 and twice in biases, times 0.333
every 136,106 of 600,000 steps of 16 crops, which is 98 of 432 epochs of MPII's 22,246 people. Views scaled by 0.7
to 1.3 and turned within 40 degrees, evenly. Departures: biases shrink as weights do; crops show 1.25 of a
person's height, not 41/35; without the authors' search over scales and their peaks of other people in stage 1.

Which weights learn how many times faster is said by their names, and no option of `train` changes it: that takes a
recipe of one's own, `replace(cpm_mpii, rates=...)`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.cpm import Beliefs
from posewright.datasets import lsp, mpii
from posewright.recipes.data import on_lsp, on_mpii
from posewright.recipes.losses import summed_squared_error
from posewright.recipes.recipe import Optimiser, Phase
from posewright.scene import Scene
from posewright.skeleton import LSP, MPII, Skeleton

PAPER = "https://arxiv.org/abs/1602.00134"
PHASES = (*(Phase(98, 8e-5 * 0.333**drop) for drop in range(4)), Phase(40, 8e-5 * 0.333**4))
STAGE_1 = r"(own_features|first_look|heads\.0)\."
RATES = ((STAGE_1 + r".*bias", 10.0), (STAGE_1, 5.0), (r".*bias", 2.0))
JITTER = Jitter(scale=0.3, turn=40.0, turn_chance=1.0, half_body=0.0, uniform=True)


def ordered(skeleton: Skeleton, neck: str) -> Skeleton:
    """Return the authors' 14 parts in their order, in which their networks answer."""
    arms = [f"{side}_{joint}" for side in ("right", "left") for joint in ("shoulder", "elbow", "wrist")]
    legs = [f"{side}_{joint}" for side in ("right", "left") for joint in ("hip", "knee", "ankle")]
    names = ("head_top", neck, *arms, *legs)
    kept = skeleton.only(names)
    sigmas = None if kept.sigmas is None else tuple(kept.sigmas[kept.index(name)] for name in names)
    return replace(kept, name=f"{skeleton.name}_cpm", keypoints=names, sigmas=sigmas)


MPII_PARTS, LSP_PARTS = ordered(MPII, "upper_neck"), ordered(LSP, "neck")


def read(reader: Any, skeleton: Skeleton, folder: Path, split: str) -> list[Scene]:
    """Read scenes and put their people's keypoints into the authors' order."""
    return [
        replace(scene, skeleton=skeleton, people=tuple(p.to(scene.skeleton, skeleton) for p in scene.people))
        for scene in reader(folder, split)
    ]


def network(keypoints: int) -> Any:
    """Build the network of six stages."""
    from posewright.models import cpm

    return cpm.cpm(keypoints)


cpm_mpii = replace(
    on_mpii(
        "cpm",
        "convolutional pose machine of 6 stages",
        Beliefs(MPII_PARTS),
        paper=PAPER,
        network=partial(network, len(MPII_PARTS)),
        loss=summed_squared_error,
        phases=PHASES,
        jitter=JITTER,
        batch=16,
        optimiser=Optimiser("momentum", 5e-4, RATES),
        parameters=31_219_866,
        reported={"PCKh@0.5 (MPII test, search over scales)": 0.885},
    ),
    read=partial(read, mpii.read, MPII_PARTS),
)

cpm_lsp = replace(
    on_lsp(cpm_mpii, Beliefs(LSP_PARTS)),
    summary="convolutional pose machine of 6 stages, LSP-extended, 368x368",
    read=partial(read, lsp.read, LSP_PARTS),
    reported={"PCK@0.2 (LSP person-centric, trained with MPII as well, search over scales)": 0.905},
)
