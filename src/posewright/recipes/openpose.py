"""OpenPose (Cao et al. 2017, arXiv:1611.08050, and 2019, arXiv:1812.08008): limbs are fields that point along them.

By the authors' training code (its COCO solver and transformer): each person of a picture is shown in turn, 0.6 of the
view high, 0.5 to 1.1 times that, turned by +-40 degrees and moved by +-40 px of 368; momentum at 4e-5, a third of it
every 136,106 steps of 10, up to 600,000; the stem starts from ImageNet's VGG-19, which `--start` takes. An epoch is
taken to be 121,000 people, so a phase is 11 of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from posewright.augment.picture_jitter import FirstPerson, PictureJitter
from posewright.codecs.bottom_up.openpose import OpenPose
from posewright.recipes.data import on_coco
from posewright.recipes.losses import fields_and_heatmaps
from posewright.recipes.recipe import Apart, Optimiser, Phase
from posewright.scene import Person, Scene, boxed, region
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1812.08008"
FEWEST, SMALLEST, NEAR = 5, 32 * 32, 0.3
"""Keypoints and px^2 of a person who is shown, and of an earlier one's longer side how far their middles are apart."""
JITTER = PictureJitter(FirstPerson(0.6), scale=(1.0, 1.0), zoom=(0.5, 1.1), turn=40.0, shift=40 / 368)


def network(keypoints: int = 18, limbs: int = 19) -> Any:
    """Build six stages over VGG-19."""
    from posewright.models import openpose

    return openpose.openpose_coco(keypoints, limbs)


def each_main_person(scenes: Sequence[Scene]) -> list[Scene]:
    """Make one scene of each person who is shown in turn, that person first and all others behind.

    Those with few keypoints, small ones and those in the midst of one before are shown with others alone, as the
    authors' preparation of COCO has it.
    """
    return [
        replace(scene, people=(person, *(other for other in scene.people if other is not person)))
        for scene in scenes
        for person in _main(scene.people)
    ]


def _main(people: Sequence[Person]) -> Iterator[Person]:
    before: list[tuple[Any, float]] = []
    for person in people:
        if person.crowd or person.labelled.sum() < FEWEST:
            continue
        middle, extent = region(boxed(person), 1.0)
        area = person.area if person.area is not None else float(np.prod(extent))
        if area >= SMALLEST and all(np.hypot(*(middle - other)) >= NEAR * side for other, side in before):
            before.append((middle, float(extent.max())))
            yield person


openpose_coco = on_coco(
    "openpose",
    "OpenPose, 6 stages",
    OpenPose(COCO),
    paper=PAPER,
    network=network,
    loss=fields_and_heatmaps,
    phases=(*(Phase(11, 4e-5 * 0.333**third) for third in range(4)), Phase(5, 4e-5 * 0.333**4)),
    jitter=JITTER,
    batch=10,
    optimiser=Optimiser("momentum", weight_decay=5e-4),
    apart=Apart(each=each_main_person),
    parameters=52_311_446,
    reported={
        "AP (test-dev2017, scales, each person refined)": 0.618,
        "AP (val2017, one scale, not refined)": 0.584,
    },
)
