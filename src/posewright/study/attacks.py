"""Attacks: which occluders a study sets, after Pytel et al. 2020 (arXiv:2010.10451, section III)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posewright.occlusion import Augmentation
from posewright.occlusion.presets import ATTACKS, RADII, RADIUS, OneKeypoint, keypoint_attack, part_attack
from posewright.scene import Crop
from posewright.skeleton import Skeleton

Kind = Literal["keypoints", "parts", "radii"]
KINDS: tuple[Kind, ...] = ("keypoints", "parts", "radii")


@dataclass(frozen=True)
class Attack:
    """Name one occluder of a study: what it is aimed at (a keypoint, a part, or any keypoint) and what it shows.

    radius: px of a disc on a crop 192 wide; None for a rectangle. hide(crop, rng) puts it on the crop's first
    person; the same rng draws the same keypoint whatever the radius and the fill.
    """

    kind: Kind
    target: str
    fill: str
    radius: float | None
    hide: Callable[[Crop, np.random.Generator], Crop]

    @property
    def name(self) -> str:
        """What its files and rows are called, as in keypoints-left_knee-blur-6."""
        words = [self.kind, self.target, self.fill] + ([] if self.radius is None else [f"{self.radius:g}"])
        return "-".join(words)


def attacks(
    skeleton: Skeleton,
    kinds: Iterable[Kind] = KINDS,
    fills: Sequence[str] = tuple(ATTACKS),
    radii: Sequence[float] = RADII,
) -> list[Attack]:
    """List the attacks on a skeleton: each keypoint, each part, and any keypoint at each radius, with each fill."""
    found = []
    for kind in kinds:
        for fill in fills:
            if kind == "keypoints":
                found += [Attack(kind, k, fill, RADIUS, keypoint_attack(k, fill, RADIUS)) for k in skeleton.keypoints]
            elif kind == "parts":
                found += [Attack(kind, part, fill, None, part_attack(part, fill)) for part in skeleton.parts]
            else:
                found += [Attack(kind, "any", fill, r, Augmentation((OneKeypoint(ATTACKS[fill], r),))) for r in radii]
    return found
