"""Whole pictures to batches, for codecs that find everybody at once: one warp a picture moves all its people.

As with crops, a batch is a function of (seed, epoch, number) alone, and occlusion draws from a stream of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posewright.augment.picture_jitter import PictureJitter
from posewright.occlusion import Augmentation
from posewright.picture import Pixels
from posewright.scene import Crop, Person, Scene
from posewright.train.loader import HIDDEN, Batches, shuffled


@dataclass(frozen=True, eq=False)
class PictureBatches(Batches):
    """Draw batches of whole pictures: `batch(epoch, number)` returns pixels (B, H, W, 3) uint8 and the codec's fields.

    scenes hold everybody of a picture; crowds, and people without a keypoint, are handed to the codec as well, which
    leaves them out of what is learnt. People of whom nothing is in the view are left out. occlusion gives every person
    a chance of their own; what is put anywhere in a picture, whoever is there, has one a picture. Raises ValueError for
    an occlusion that weighs covered keypoints: what is drawn of everybody in one map has no weight of its own.
    """

    def __post_init__(self) -> None:
        if self.occlusion is not None and self.occlusion.target not in (None, 1.0):
            raise ValueError(
                f"in whole pictures a covered keypoint's target is kept (1) or removed (None), not weighed by "
                f"{self.occlusion.target}"
            )

    def batch(self, epoch: int, number: int) -> tuple[Any, Any]:
        """Return batch `number` of an epoch."""
        pixels, crops = self._views(epoch, number)
        if self.occlusion is not None and (self.occluded is None or epoch in self.occluded):
            rng = self._rng(epoch, number, HIDDEN)
            crops = [hidden_people(crop, self.occlusion, rng) for crop in crops]
            pixels = np.stack([crop.pixels for crop in crops])
        return pixels, self._codec(epoch).encode([crop.people for crop in crops])

    def _views(self, epoch: int, number: int) -> tuple[Pixels, list[Crop]]:
        """Show a batch's pictures, each with the people that its view holds."""
        chosen = np.take(shuffled(self, epoch), range(number * self.size, (number + 1) * self.size), mode="wrap")
        rng = self._rng(epoch, number)
        jitter = self.jitters[epoch] if self.jitters else self.jitter
        assert isinstance(jitter, PictureJitter)
        crops = [self._view(self.scenes[index], jitter, epoch, rng) for index in chosen.tolist()]
        return np.stack([crop.pixels for crop in crops]), crops

    def _view(self, scene: Scene, jitter: PictureJitter, epoch: int, rng: np.random.Generator) -> Crop:
        picture = scene.pixels()
        source = (picture.shape[1], picture.shape[0])
        warp = jitter(scene.people, source, self._codec(epoch).size, rng)
        shown = tuple(
            person.moved(warp, scene.skeleton)
            for person in scene.people
            if is_in(replace(person, mask=None).moved(warp, scene.skeleton), warp.size)
        )
        return Crop(jitter.paint(warp.image(picture), rng), shown, warp, scene.skeleton, source)


def learnable(scenes: Sequence[Scene]) -> list[Scene]:
    """Return the pictures with somebody to learn from: of whom a keypoint is labelled, or at least a box."""
    return [scene for scene in scenes if any(not p.crowd and _is_there(p) for p in scene.people)]


def hidden_people(crop: Crop, occlusion: Augmentation, rng: np.random.Generator) -> Crop:
    """Hide something of each person of a picture by chance; what is aimed at nobody is put on the picture once."""
    if not crop.people:
        return crop
    for choice in occlusion.choices:
        each = getattr(choice, "aimed", True)
        crop = replace(occlusion, choices=(choice,), everyone=each)(crop, rng)
    return crop


def is_in(person: Person, size: tuple[int, int]) -> bool:
    """Tell whether a view of `size` holds a labelled keypoint of a person, or some of their box."""
    there = person.keypoints[person.labelled]
    if len(there) and ((there > -0.5) & (there < np.array(size) - 0.5)).all(-1).any():
        return True
    box = person.box
    return box is not None and bool((np.minimum(box[2:], size) > np.maximum(box[:2], 0)).all())


def _is_there(person: Person) -> bool:
    return bool(person.labelled.any()) or (person.box is not None and bool((person.box[2:] > person.box[:2]).all()))
