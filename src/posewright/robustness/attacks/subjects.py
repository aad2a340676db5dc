"""Subjects: people cut out once, so that an attack costs one edit of a crop and one look of the estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posewright.estimators.estimator import View
from posewright.geometry.boxes import overlap
from posewright.picture import Pixels
from posewright.robustness.attacks.aside import Array, Put, aside, let_go, person_aside
from posewright.scene import ABSENT, PADDING, SEEN, Crop, Floats, Padding, Person, Scene, region
from posewright.warp import Size, Warp, around

SIZE: Size = (288, 384)
"""px of a crop for an estimator that does not say what it looks at; a person is large enough in it for any."""
FINEST = 2.0**-20
"""px to which the box is rounded, so that it is the same box again after a file has kept it as x, y, width, height."""
LEAST_OVERLAP = 0.1
"""Of a person's box with a detected one (intersection over union), to be attacked at that one."""

Aim = Callable[..., Warp]


@dataclass(frozen=True, eq=False)
class Subject:
    """Hold one person in a crop of their own; the crop's other people follow behind.

    In the crop every labelled keypoint counts as seen, so that an occluder tells of hidden ones as well whether it
    lies on them; truth is the person in crop px as annotated. box (4,) xyxy px of the crop, where the estimator
    is told to look; scene, person: places in the data. picture: the whole one, where the estimator is shown that; the
    crop is then a window of its pixels, and boxes, px of the picture, are those that it is asked about, the person's
    first.
    """

    crop: Crop
    truth: Person
    box: Floats
    scene: int
    person: int
    picture: Pixels | None = None
    boxes: tuple[Floats, ...] = ()

    def shown(self, crop: Crop) -> tuple[Pixels, Sequence[Floats]]:
        """Return what the estimator is shown where the person looks like `crop`, and the boxes that it is asked about.

        Of a whole picture every pixel outside of the crop stays as it is.
        """
        if self.picture is None:
            return crop.pixels, [self.box]
        if crop is self.crop:
            return self.picture, self.boxes
        found, (x, y) = self.picture.copy(), -np.rint(self.crop.warp.matrix[:2, 2]).astype(int)
        (width, height), limit = self.crop.warp.size, self.picture.shape[:2]
        rows, columns = slice(max(y, 0), min(y + height, limit[0])), slice(max(x, 0), min(x + width, limit[1]))
        found[rows, columns] = crop.pixels[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
        return found, self.boxes


def subjects(
    scenes: Sequence[Scene],
    size: Size = SIZE,
    padding: Padding = PADDING,
    aim: Aim = around,
    boxes: Sequence[Sequence[Floats]] | None = None,
    most: int | None = None,
    whole: bool = False,
    others: bool = False,
) -> list[Subject]:
    """Cut out everybody who is labelled, is no crowd and has a box, in the data's order, at most `most` of them.

    boxes: those that a detector found in each scene; a person is cut out at the one that overlaps their own
    most, and left out where none does. Without boxes the annotated ones count. whole: keep the whole picture, of
    which the crop is then a window of the size's shape, unresampled; others: ask about all annotated boxes of it.
    """
    found: list[Subject] = []
    put = aside()
    for place, scene in enumerate(scenes):
        people = [(n, p, _box(p, None if boxes is None else boxes[place])) for n, p in enumerate(scene.people)]
        wanted = [(n, box) for n, p, box in people if box is not None and not p.crowd and p.labelled.any()]
        if not wanted:
            continue
        pixels = scene.pixels()
        for n, box in wanted:
            if most is not None and len(found) == most:
                return found
            warp = window(box, padding, size) if whole else aim(*region(box, padding), size)
            seen = Crop(warp.image(pixels), (), warp, scene.skeleton, (pixels.shape[1], pixels.shape[0]))
            one = subject(scene, place, n, seen, np.round(warp.box(box) / FINEST) * FINEST)
            if whole:
                beside = [p.box for k, p in enumerate(scene.people) if others and k != n and _asked_beside(p)]
                one = replace(one, picture=pixels, boxes=(box, *(other for other in beside if other is not None)))
            found.append(_aside(one, put))
        let_go([pixels])
    return found


def arrays_of(one: Subject) -> list[Array | None]:
    """Return what is large of a subject, for `let_go`."""
    return [one.crop.pixels, one.picture, one.truth.mask, *(person.mask for person in one.crop.people)]


def _aside(one: Subject, put: Put) -> Subject:
    """Put a subject's pixels and masks aside."""
    truth = person_aside(one.truth, put)
    people = (replace(one.crop.people[0], mask=truth.mask), *(person_aside(p, put) for p in one.crop.people[1:]))
    picture = None if one.picture is None else put(one.picture)
    return replace(
        one, crop=replace(one.crop, pixels=put(one.crop.pixels), people=people), truth=truth, picture=picture
    )


def window(box: Floats, padding: Padding, size: Size) -> Warp:
    """Return the move to a window of whole pixels around a box, padding times as large, in the shape of a size."""
    centre, extent = region(box, padding)
    scale = float(max(np.asarray(extent) / size))
    width, height = (max(1, round(scale * side)) for side in size)
    x, y = (int(np.floor(c - side / 2 + 1)) for c, side in zip(centre, (width, height), strict=True))
    return Warp(np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]]), (width, height))


def _asked_beside(person: Person) -> bool:
    return person.box is not None and not person.crowd and bool((person.box[2:] > person.box[:2]).all())


def subject(scene: Scene, place: int, n: int, seen: Crop, box: Floats) -> Subject:
    """Return person n of a scene as a subject; seen: their crop without anybody in it yet."""
    first = (scene.people[n], *scene.people[:n], *scene.people[n + 1 :])
    people = tuple(person.moved(seen.warp, scene.skeleton) for person in first)
    crop = replace(seen, people=tuple(_exposed(person) for person in people))
    return Subject(crop, people[0], box, place, n)


def cut_for(estimator: Any, whole: bool = False) -> dict[str, Any]:
    """Say how to cut for an estimator: as its view says, else SIZE at 1.25 times the box; whole: from whole pictures.

    One that looks at whole pictures is shown these in any case; unless it cuts boxes out by itself, or a crop, it is
    asked about the boxes of all people, so that nobody gets a neighbour's answer.
    """
    view: View | None = getattr(estimator, "view", None)
    if whole or (view is not None and view.size is None):
        return {"whole": True, "others": view is None or (view.size is None and not view.boxed)}
    return {} if view is None else {"size": view.size, "padding": view.padding, "aim": view.aim}


def _exposed(person: Person) -> Person:
    return replace(person, visible=np.where(person.labelled, SEEN, ABSENT).astype(np.uint8))


def _box(person: Person, detected: Sequence[Floats] | None) -> Floats | None:
    if detected is None or person.box is None:
        return person.box
    shares = overlap(person.box, detected)[0]
    best = int(np.argmax(shares)) if len(shares) else -1
    return detected[best] if len(shares) and shares[best] >= LEAST_OVERLAP else None
