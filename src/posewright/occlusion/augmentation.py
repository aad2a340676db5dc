"""Augmentation: occluders that are drawn anew for every crop, and what becomes of the targets that they hide."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from posewright.occlusion.occluder import Occluder
from posewright.scene import ABSENT, Crop, Floats, Person

Choose = Callable[[Crop, int, np.random.Generator], Iterable[Occluder]]
"""(crop, the person's place, rng) -> what is put on it, one after the other."""


@dataclass(frozen=True)
class Augmentation:
    """Hide something by chance: `augmentation(crop, rng)`; each of `choices` draws what, with a chance of its own.

    target: the weight that the target of a keypoint keeps once it is hidden: 1 keeps it, less weighs it down, 0
    ignores it; None removes the keypoint: it becomes absent, as if nobody had labelled it. everyone: every
    person of the crop has a chance of its own, as bottom-up training asks; otherwise the first one alone.
    """

    choices: tuple[Choose, ...]
    chance: float = 1.0
    target: float | None = 1.0
    everyone: bool = False

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:
        """Return the crop with what was drawn in front of it; raises ValueError where nobody is in it."""
        if not crop.people:
            raise ValueError("nobody is in the crop, so there is nobody to hide")
        covered = crop
        for person in range(len(crop.people) if self.everyone else 1):
            for choose in self.choices:
                if rng.random() < self.chance:
                    for occluder in choose(covered, person, rng):
                        covered = occluder(covered, rng)
        if self.target is not None or covered is crop:
            return covered
        people = [removed(after, before) for after, before in zip(covered.people, crop.people, strict=True)]
        return replace(covered, people=tuple(people))

    def weights(self, after: Person, before: Person) -> Floats:
        """Return how much the target of each keypoint (K,) counts: `target` where it was hidden, else 1."""
        weight = 0.0 if self.target is None else self.target
        return np.where(newly_hidden(after, before), weight, 1.0)


def newly_hidden(after: Person, before: Person) -> np.ndarray:
    """(K,) where a keypoint was seen before and is not any more."""
    if after.visible is None or before.visible is None:
        return np.zeros(len(before), bool)
    return np.asarray(after.visible < before.visible)


def removed(after: Person, before: Person) -> Person:
    """Return a person without the keypoints that were seen before and are hidden now."""
    gone = newly_hidden(after, before)
    if after.visible is None or not gone.any():
        return after
    return replace(
        after,
        keypoints=np.where(gone[:, None], np.nan, after.keypoints),
        visible=np.where(gone, ABSENT, after.visible).astype(np.uint8),
    )
