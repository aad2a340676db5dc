"""Augmentation: occluders that are drawn anew for every crop, and what becomes of the targets that they hide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from posewright.occlusion.occluder import Alpha, Occluder, beneath
from posewright.scene import ABSENT, Crop, Floats, Person, Scene

FEW = 3
"""Pictures that are described one by one."""
Choose = Callable[[Crop, int, np.random.Generator], Iterable[Occluder]]
"""(crop, the person's place, rng) -> what is put on it, one after the other."""


@dataclass(frozen=True)
class Augmentation:
    """Hide something by chance: `augmentation(crop, rng)`; each of `choices` draws what, with a chance of its own.

    target: the weight that the target of a covered keypoint keeps: 1 keeps it, less weighs it down, 0
    ignores it; None removes the keypoint: it becomes absent, as if nobody had labelled it. A keypoint that
    something hid already counts as covered where it lies beneath the occluder. everyone: every
    person of the crop has a chance of its own, as bottom-up training asks; otherwise the first one alone.
    """

    choices: tuple[Choose, ...]
    chance: float = 1.0
    target: float | None = 1.0
    everyone: bool = False

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Return the crop with what was drawn in front of it; raises ValueError where nobody is in it."""
        return self.weighed(crop, rng)[0]

    def weighed(self, crop: Crop, rng: np.random.Generator) -> tuple[Crop, Floats]:
        """Return the same crop, and the factors (P, K) of its targets' weights: `target` where covered, else 1."""
        covered, shade = self._drawn(crop, rng)
        beneath_it = np.stack([beneath(person, shade) for person in crop.people])
        if self.target is None and beneath_it.any():
            people = map(_without, covered.people, beneath_it)
            covered = replace(covered, people=tuple(people))
        return covered, np.where(beneath_it, self.target or 0.0, 1.0)

    def _drawn(self, crop: Crop, rng: np.random.Generator) -> tuple[Crop, Alpha]:
        """Put what is drawn on a crop, and return the most that each of its pixels (H, W) was covered."""
        if not crop.people:
            raise ValueError("nobody is in the crop, so there is nobody to hide")
        covered, shade = crop, np.zeros(crop.pixels.shape[:2], np.float32)
        for person in range(len(crop.people) if self.everyone else 1):
            for choose in self.choices:
                if rng.random() < self.chance:
                    for occluder in choose(covered, person, rng):
                        alpha = occluder.region(covered, rng)
                        covered = occluder.over(covered, alpha, rng)
                        shade = np.maximum(shade, alpha)
        return covered, shade


def described(part: Any) -> str:
    """Say what an occluder or an augmentation is, number by number: what differs in effect differs in words.

    Pixels are told by their hash, more than FEW pictures by one of them all, scenes by their count.

    >>> described(Augmentation((), chance=0.5, target=None))
    'Augmentation(choices=(), chance=0.5, target=None, everyone=False)'
    """
    if isinstance(part, np.ndarray):
        return f"{'x'.join(map(str, part.shape))} {sha256(np.ascontiguousarray(part).tobytes()).hexdigest()[:12]}"
    if is_dataclass(part):
        values = (f"{field.name}={described(getattr(part, field.name))}" for field in fields(part))
        return f"{type(part).__name__}({', '.join(values)})"
    if isinstance(part, Sequence) and not isinstance(part, str):
        if part and isinstance(part[0], Scene):
            return f"{len(part)} scenes"
        if len(part) > FEW and isinstance(part[0], np.ndarray):
            digest = sha256("".join(map(described, part)).encode()).hexdigest()
            return f"{len(part)} pictures {digest[:12]}"
        return f"({', '.join(map(described, part))})"
    return str(getattr(part, "__name__", part))


def _without(person: Person, gone: np.ndarray) -> Person:
    """Return a person without some keypoints (K,)."""
    visible = None if person.visible is None else np.where(gone, ABSENT, person.visible).astype(np.uint8)
    return replace(person, keypoints=np.where(gone[:, None], np.nan, person.keypoints), visible=visible)
