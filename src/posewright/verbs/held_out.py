"""Held out: people by whom a network's ranges are set, and others, of other pictures, on whom its loss is measured."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec, is_whole
from posewright.estimators.bottom_up import fitted
from posewright.occlusion.augmentation import Augmentation
from posewright.occlusion.choices import OneKeypoint, OnePart
from posewright.occlusion.presets import ATTACKS, RADII
from posewright.scene import Crop, Floats, Padding, Scene, boxed, each_person, region, take

FEWEST = 30
"""People below which a third of them sets no ranges and the rest is no judgement."""
FILLS = tuple(ATTACKS.values())
OCCLUDED = f"a disc of {RADII[-1]:g} px of 192 on a keypoint and the rectangle of a part, filled {', '.join(ATTACKS)}"


class Look(NamedTuple):
    """Hold what a network is shown, one person's crop or a whole picture; scene: the place of its picture.

    box (4,) px of the picture, that the crop was aimed at.
    """

    scene: int
    crop: Crop
    box: Floats | None


def parted(scenes: Sequence[Scene], calibrating: int, judging: int, seed: int) -> tuple[list[Scene], list[Scene]]:
    """Draw pictures of at least so many people, a third of all at most, and other pictures of at least so many others.

    What is of one group (`Scene.group`) stays together. Raises ValueError where there are too few people.
    """
    units: dict[Hashable, list[int]] = {}
    counts = [len(each_person([scene])) for scene in scenes]
    for place, scene in enumerate(scenes):
        if counts[place]:
            units.setdefault((place,) if scene.group is None else scene.group, []).append(place)
    if sum(counts) < FEWEST or len(units) < 2:
        raise ValueError(
            f"{sum(counts)} people are labelled, in {len(units)} pictures or groups of them: int8 needs {FEWEST} "
            "people, in two at least, some to set its ranges by and others to be judged on"
        )
    order = iter(np.random.default_rng(seed).permutation(len(units)).tolist())
    drawn, listed = [], list(units.values())
    for wanted in (min(calibrating, sum(counts) // 3), judging):
        places: list[int] = []
        while sum(counts[place] for place in places) < wanted and (unit := next(order, None)) is not None:
            places += listed[unit]
        drawn.append([scenes[place] for place in sorted(places)])
    if not drawn[1]:
        raise ValueError("the people are in so few groups of pictures that nobody is left to judge by")
    return drawn[0], drawn[1]


def looks(scenes: Iterable[Scene], codec: Codec, aim: Aim, padding: Padding) -> Iterator[Look]:
    """Yield everybody's crop, or the pictures whole; raises ValueError where a person's keypoints are one place."""
    for place, scene in enumerate(scenes):
        if is_whole(codec):
            yield Look(place, fitted(scene, codec.size), None)
            continue
        pixels = scene.pixels()
        for single in each_person([scene]):
            try:
                box = boxed(single.people[0])
            except ValueError as error:
                raise ValueError(f"scene {single.id}: {error}, so there is nowhere to look") from None
            yield Look(place, take(single, aim(*region(box, padding), codec.size), pixels), box)


def occluded(crop: Crop, rng: np.random.Generator) -> Crop:
    """Cover a keypoint and a part of everybody in a crop, as OCCLUDED says, by one fill of ATTACKS that is drawn."""
    if not crop.people:
        return crop
    fill = FILLS[rng.integers(len(FILLS))]
    part = (OnePart(fill),) if crop.skeleton.small_parts else ()
    return Augmentation((OneKeypoint(fill, RADII[-1]), *part), everyone=True)(crop, rng)
