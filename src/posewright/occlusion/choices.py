"""Choices: what an augmentation may put on a person, drawn anew each time.

A choice is called with (crop, the person's place, rng) and yields occluders, none where there is nobody, or
nothing, to aim at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import sqrt
from typing import ClassVar, Literal

import numpy as np

from posewright.occlusion import fills, regions
from posewright.occlusion.objects import Object, part_of, paste, resized
from posewright.occlusion.occluder import Fill, Occluder, Region
from posewright.picture import Pixels
from posewright.scene import Crop, Person, Scene, aim, box_around, boxed, take

WIDTH = 192.0
"""px of the width of the crops on which Pytel et al. attack (256x192); on others, lengths scale with the width."""
RADIUS = 6.0
"""px of a disc on a keypoint of such a crop (section III)."""
TRIES = 20
"""How many other scenes are looked at for a part before there is none."""


@dataclass(frozen=True)
class OneKeypoint:
    """Draw one of the person's keypoints and put a disc on it; radius in px of a crop WIDTH wide."""

    fill: Fill
    radius: float = RADIUS

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        if names:
            name = names[rng.integers(len(names))]
            yield Occluder(regions.KeypointDisc(name, self.radius, WIDTH, person=person), self.fill)


@dataclass(frozen=True)
class OnePart:
    """Draw one of the small body parts, or of those that `parts` names, and put its rectangle over it."""

    fill: Fill
    parts: tuple[str, ...] = ()

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        parts = _drawn_from(crop, self.parts)
        yield Occluder(regions.PartRectangle(parts[rng.integers(len(parts))], person), self.fill)


@dataclass(frozen=True)
class SomeKeypoints:
    """Give up to `most` different keypoints a chance each of a disc, with a fill drawn for each."""

    fills: tuple[Fill, ...]
    most: int = 5
    chance: float = 0.2

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = list(_labelled(crop, person))
        for _ in range(min(self.most, len(names))):
            if rng.random() < self.chance:
                name = names.pop(rng.integers(len(names)))
                fill = self.fills[rng.integers(len(self.fills))]
                yield Occluder(regions.KeypointDisc(name, RADIUS, WIDTH, person=person), fill)


@dataclass(frozen=True, eq=False)
class OtherPart:
    """Draw a part that is wholly labelled, and show in its rectangle another part of a person of another scene.

    Both are small parts, or of those that `parts` names.
    """

    others: Sequence[Scene]
    parts: tuple[str, ...] = ()

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        known, parts = set(_labelled(crop, person)), crop.skeleton.parts
        whole = [part for part in _drawn_from(crop, self.parts) if known.issuperset(parts[part])]
        if whole:
            part = whole[rng.integers(len(whole))]
            piece = self._piece(part, rng)
            if piece is not None:
                yield Occluder(regions.PartRectangle(part, person), fills.Piece(piece))

    def _piece(self, part: str, rng: np.random.Generator) -> Pixels | None:
        """Return the rectangle of a part other than `part` of a random scene; None where none is found."""
        for _ in range(TRIES if self.others else 0):
            scene = self.others[int(rng.integers(len(self.others)))]
            names = [name for name in _drawn_from(scene, self.parts) if name != part]
            name = names[rng.integers(len(names))]
            places = [scene.skeleton.index(k) for k in scene.skeleton.parts[name]]
            people = [p for p in scene.people if p.labelled[places].all()]
            if people:
                box = box_around(people[rng.integers(len(people))].keypoints[places])
                x0, y0, x1, y1 = np.maximum(np.rint(box), 0).astype(int)
                piece = scene.pixels()[y0 : y1 + 1, x0 : x1 + 1]
                if piece.size:
                    return piece
        return None


@dataclass(frozen=True, eq=False)
class OthersPart:
    """Paste a body part of a person of another scene, cut out by their mask where they have one, over a keypoint.

    The other person is shown at the size of this crop before the part is cut out.
    """

    others: Sequence[Scene]

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        thing = self._part(crop, rng) if names else None
        if thing is not None:
            x, y = crop.people[person].keypoints[crop.skeleton.index(names[rng.integers(len(names))])]
            yield paste(thing, (float(x), float(y)))

    def _part(self, crop: Crop, rng: np.random.Generator) -> Object | None:
        """Cut out a random part of a random person; None where none is found."""
        size = (crop.pixels.shape[1], crop.pixels.shape[0])
        for _ in range(TRIES if self.others else 0):
            scene = self.others[int(rng.integers(len(self.others)))]
            part = scene.skeleton.small_parts[rng.integers(len(scene.skeleton.small_parts))]
            other = scene.people[rng.integers(len(scene.people))] if scene.people else None
            if other is not None and other.box is not None and not other.crowd:
                thing = part_of(take(replace(scene, people=(other,)), aim(other.box, size)), part)
                if thing is not None:
                    return thing
        return None


@dataclass(frozen=True)
class AwareDisc:
    """Put a disc of a radius drawn from shares of the crop's width on a keypoint, or, by chance, near it."""

    share: tuple[float, float] = (0.1, 0.2)
    shifted: float = 0.5

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        if names:
            name = names[rng.integers(len(names))]
            radius = rng.uniform(*self.share) * crop.pixels.shape[1]
            shift = 1.0 if rng.random() < self.shifted else 0.0
            yield Occluder(regions.KeypointDisc(name, radius, shift=shift, person=person), fills.black)


@dataclass(frozen=True, eq=False)
class Objects:
    """Paste some objects, each drawn, scaled and placed anew, anywhere in the crop."""

    things: Sequence[Object]
    count: tuple[int, int] = (1, 7)
    scale: tuple[float, float] = (0.2, 1.0)
    aimed: ClassVar[bool] = False
    """Whoever stands there: with several people in the picture, it is put there once."""

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:  # noqa: ARG002
        height, width = crop.pixels.shape[:2]
        for _ in range(rng.integers(self.count[0], self.count[1] + 1)):
            thing = self.things[int(rng.integers(len(self.things)))]
            factor = rng.uniform(*self.scale) * min(width, height) / 256
            yield paste(resized(thing, factor), (rng.uniform(0, width), rng.uniform(0, height)))


@dataclass(frozen=True, eq=False, repr=False)
class OneObject:
    """Draw one of the person's keypoints and an object, and lay a point of its silhouette on the keypoint.

    size: the root of the silhouette's area, as a share of the crop's width or of the person's height, which is their
    box's longer side: an object covers as many px as a square of that side, whatever its shape.
    """

    things: Sequence[Object]
    size: float
    by: Literal["width", "height"] = "width"

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        if names:
            x, y = crop.people[person].keypoints[crop.skeleton.index(names[rng.integers(len(names))])]
            thing = self.things[int(rng.integers(len(self.things)))]
            length = crop.pixels.shape[1] if self.by == "width" else _height(crop.people[person])
            thing = resized(thing, self.size * length / max(sqrt((thing[..., 3] / 255).sum()), 1.0))
            rows, columns = np.nonzero(thing[..., 3] >= min(128, int(thing[..., 3].max())))
            at = int(rng.random() * len(rows))
            height, width = thing.shape[:2]
            yield paste(thing, (round(x) - columns[at] + width // 2, round(y) - rows[at] + height // 2))

    def __repr__(self) -> str:
        shape = [np.ascontiguousarray(thing) for thing in self.things]
        digest = sha256(b"".join(str(thing.shape).encode() + thing.tobytes() for thing in shape)).hexdigest()[:12]
        return f"OneObject(things={len(shape)} of {digest}, size={self.size:g}, by={self.by!r})"


def _height(person: Person) -> float:
    box = boxed(person)
    return float((box[2:] - box[:2]).max())


@dataclass(frozen=True)
class Anywhere:
    """Put the same occluder on every crop; its region draws where."""

    region: Region
    fill: Fill
    aimed: ClassVar[bool] = False

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:  # noqa: ARG002
        yield Occluder(self.region, self.fill)


def _drawn_from(shown: Crop | Scene, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the small parts that a skeleton has of `parts`, or all of them where none is named."""
    return tuple(part for part in shown.skeleton.small_parts if not parts or part in parts)


def _labelled(crop: Crop, person: int) -> tuple[str, ...]:
    if person >= len(crop.people):
        return ()
    inside = crop.people[person].labelled
    return tuple(name for name, known in zip(crop.skeleton.keypoints, inside, strict=True) if known)
