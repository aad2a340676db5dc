"""Adapted: anybody's function that looks at a picture, as an estimator that says how it estimates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from posewright.estimators.adapters.answer import nobody, one_a_box
from posewright.estimators.estimator import WHOLE_PICTURE, Boxes, Image, View, box_in, pixels_of
from posewright.picture import Pixels
from posewright.scene import PADDING, Crop, Floats, Padding, Person, region, whole
from posewright.skeleton import COCO, Skeleton

Find = Callable[[Pixels], list[Person]]
"""Find the people of a picture (H, W, 3) uint8 RGB, in its pixels."""
Look = Callable[[Pixels, list[Floats] | None], list[Person]]
"""The same, with boxes xyxy px one person a box in their order; without boxes whoever there is."""


@dataclass(frozen=True, eq=False, repr=False)
class Adapted:
    """Estimate people with somebody else's network: `estimator("photo.jpg")` returns list[Person].

    look finds people with the keypoints of `own`; they are returned with those of `skeleton`, mapped by name, and
    those that `own` lacks are absent. about: what the protocol says of it. view: how it is shown a person, as whole
    pictures where nothing else is said; a study asks by it.
    """

    look: Look
    own: Skeleton = COCO
    skeleton: Skeleton = COCO
    about: dict[str, Any] = field(default_factory=dict)
    view: View = WHOLE_PICTURE

    def __repr__(self) -> str:
        name = self.about.get("package", getattr(self.look, "__name__", "a function"))
        return f"Adapted({name}, {len(self.skeleton)} keypoints of {self.skeleton.name})"

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture: a path, pixels (H, W, 3) uint8 RGB, or a scene.

        boxes: xyxy px, one a person, answered in their order. Raises picture.PictureError where the picture cannot
        be read, ValueError for a box without area, or where `look` does not keep its word.
        """
        asked = None if boxes is None else [box_in(box) for box in boxes]
        if asked == []:
            return []
        people = self.look(pixels_of(image), asked)
        if asked is not None and len(people) != len(asked):
            raise ValueError(f"{self._name}: answered {len(people)} people for {len(asked)} boxes; one a box is right")
        if any(len(person) != len(self.own) for person in people):
            counts = sorted({len(person) for person in people})
            raise ValueError(f"{self._name}: answered {counts} keypoints, {self.own.name} has {len(self.own)}")
        if self.own is not self.skeleton:
            people = [person.to(self.own, self.skeleton) for person in people]
        if asked is None:
            return people
        return [replace(person, box=box) for person, box in zip(people, asked, strict=True)]

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture."""
        if boxes is None:
            yield from map(self, images)
        else:
            for image, places in zip(images, boxes, strict=True):
                yield self(image, places)

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates, for the protocol that stands beside every number."""
        return {**self.about, "own keypoints": self.own.name, "keypoints": self.skeleton.name}

    @property
    def _name(self) -> str:
        return str(self.about.get("package", "the estimator"))


def whole_picture(find: Find, own: Skeleton = COCO) -> Look:
    """Return a look that finds everybody at once and gives each box its person, by overlap, no person twice.

    The pairs are those with the largest sum of overlaps (intersection over union); a box that nobody overlaps is
    answered with nobody.
    """

    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        people = find(pixels)
        return people if boxes is None else one_a_box(people, boxes, own)

    return look


def each_box(find: Find, own: Skeleton = COCO, padding: float = PADDING) -> Look:
    """Return a look that cuts each box out, padding times as large, without resampling, and finds its person there."""
    inside = whole_picture(find, own)

    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        return find(pixels) if boxes is None else [at(pixels, box) for box in boxes]

    def at(pixels: Pixels, box: Floats) -> Person:
        centre, extent = region(box, padding)
        limit = (pixels.shape[1], pixels.shape[0])
        x0, y0 = corner = np.clip(np.floor(centre - extent / 2 + 0.5), 0, limit).astype(int)
        x1, y1 = np.clip(np.ceil(centre + extent / 2 + 0.5), 0, limit).astype(int)
        if x1 <= x0 or y1 <= y0:
            return nobody(own)
        move = np.tile(corner, 2)
        (person,) = inside(np.ascontiguousarray(pixels[y0:y1, x0:x1]), [box - move])
        return replace(person, keypoints=person.keypoints + corner)

    return look


def each_crop(find: Find, view: View, own: Skeleton = COCO) -> Look:
    """Return a look that shows find each box as a crop of the view's size, and brings the people found there back.

    The crop is cut as the view says: padding times as large as the box, the longer side fitting, black outside the
    picture; a square one where its size is. Without boxes the whole picture is cut as one box without padding. Of
    several people found in a crop the first is meant. Raises ValueError for a view of whole pictures.

    >>> from posewright.estimators.adapters import found
    >>> from posewright.estimators.estimator import View
    >>> view = View(size=(64, 64), padding=1.25)
    >>> middle = Adapted(each_crop(lambda crop: [found(np.full((17, 2), 31.5))], view), view=view)
    >>> middle(np.zeros((90, 90, 3), np.uint8), [[20, 30, 40, 70]])[0].keypoints[0]
    array([30., 50.])
    """
    if view.size is None:
        raise ValueError("each_crop: the view must say the size of its crops, as View((192, 256)) does")

    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        picture = (pixels.shape[1], pixels.shape[0])
        asked: list[tuple[Floats, Padding]]
        asked = [(whole(picture), 1.0)] if boxes is None else [(box, view.padding) for box in boxes]
        return [at(pixels, *place) for place in asked]

    def at(pixels: Pixels, box: Floats, padding: Padding) -> Person:
        assert view.size is not None
        warp = view.aim(*region(box, padding), view.size)
        crop = Crop(warp.image(pixels), (), warp, own, (pixels.shape[1], pixels.shape[0]))
        people = crop.back(find(crop.pixels)[:1])
        return people[0] if people else nobody(own)

    return look
