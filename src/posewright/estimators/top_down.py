"""Top-down: a crop a person in, people out, in the picture's own pixels.

Without boxes a detector finds everybody, or where there is none one person is searched for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec
from posewright.estimators.detector import Detector
from posewright.estimators.estimator import Boxes, Image, View, box_in, pixels_of
from posewright.estimators.one_person import one_person
from posewright.estimators.runtimes.network import Network
from posewright.picture import Pixels
from posewright.scene import Crop, Padding, Person, Scene, padding_told, region, take
from posewright.skeleton import Skeleton
from posewright.warp import Warp


class _View(NamedTuple):
    """A crop and the box that it was aimed at."""

    crop: Crop
    box: ArrayLike | None


@dataclass(frozen=True, eq=False, repr=False)
class TopDown:
    """Estimate people one crop each: `estimator("photo.jpg")` returns list[Person].

    network answers crops and codec reads the answers; flip: also ask for the mirrored crop, and take the mean of both
    fields; padding: how much larger than the box a crop is, both ways or across and down, and aim how it is cut, by
    default as the network says; batch: crops a call. detector: what finds people where no boxes are given, by default
    nothing: one person is then searched for.

    >>> from posewright.verbs.load import load
    >>> load("default", flip=True)
    TopDown(default, 14 keypoints of lsp, crops of 128x128, flip test)
    """

    network: Network
    codec: Codec
    flip: bool = False
    padding: Padding | None = None
    batch: int = 8
    aim: Aim | None = None
    detector: Detector | None = None

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of its people."""
        return self.codec.skeleton

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture: a path, pixels (H, W, 3) uint8 RGB, or a scene.

        boxes: xyxy px, one a person, answered in their order. Without them everybody whom the detector finds is
        answered, best first: their score is the box's times the mean of the keypoints' scores above 0.2, and of two
        answers that are alike (OKS above 0.9) the better one stays. Without a detector it aims at one person by itself.
        Raises picture.PictureError where the picture cannot be read, ValueError for a box without area.
        """
        return next(self.many([image], None if boxes is None else [boxes]))

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture; a picture is decoded once, and a batch takes people of several."""
        if boxes is None and self.detector is not None:
            yield from self._everybody(iter(images), self.detector)
            return
        if boxes is None:
            for image in images:
                pixels = pixels_of(image)
                yield one_person(partial(self._look, pixels), (pixels.shape[1], pixels.shape[0]))
            return
        views: list[list[_View]] = []
        for image, places in zip(images, boxes, strict=True):
            views.append(self._views(pixels_of(image), places))
            if sum(map(len, views)) >= self.batch:
                yield from self._answers(views)
                views = []
        yield from self._answers(views)

    def _everybody(self, images: Iterator[Image], detector: Detector) -> Iterator[list[Person]]:
        """Estimate everybody whom the detector finds, `detector.batch` pictures at a time."""
        from posewright.datasets.detections import ranked

        while pictures := [pixels_of(image) for image in islice(images, detector.batch)]:
            detected = list(detector.many(pictures))
            boxes = ([one.box for one in found] for found in detected)
            views = [self._views(*each) for each in zip(pictures, boxes, strict=True)]
            for people, found in zip(self._answers(views), detected, strict=True):
                yield ranked(people, found, self.skeleton)

    @property
    def view(self) -> View:
        """The crop that it looks at."""
        padding = self.network.padding if self.padding is None else self.padding
        return View(self.codec.size, padding, self.aim or self.network.aim)

    def __repr__(self) -> str:
        name = self.network.card.get("recipe") or type(self.codec).__name__
        skeleton, (width, height) = self.skeleton, self.codec.size
        tested = ", flip test" if self.flip else ""
        return f"TopDown({name}, {len(skeleton)} keypoints of {skeleton.name}, crops of {width}x{height}{tested})"

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates, for the protocol that stands beside every number."""
        padding, aim = self.view.padding, self.view.aim
        return {
            **self.network.protocol,
            "codec": repr(self.codec),
            "flip": self.flip,
            "padding": padding_told(padding),
            "aim": f"{aim.__module__}:{aim.__qualname__}",
            "without boxes": self.detector.protocol() if self.detector else "one person is searched for",
        }

    def _views(self, pixels: Pixels, boxes: Boxes) -> list[_View]:
        scene, warps = Scene(pixels, self.codec.skeleton), [self._warp(box) for box in boxes]
        if self.network.cut is None or not warps:
            crops = [take(scene, warp, pixels) for warp in warps]
        else:
            size, cut = (pixels.shape[1], pixels.shape[0]), self.network.cut(pixels, warps)
            crops = [Crop(shown, (), warp, scene.skeleton, size) for shown, warp in zip(cut, warps, strict=True)]
        return [_View(crop, box) for crop, box in zip(crops, boxes, strict=True)]

    def _warp(self, box: ArrayLike | None) -> Warp:
        corners = box_in(box)
        padding, aim = self.view.padding, self.view.aim
        return aim(*region(corners, padding), self.codec.size)

    def _answers(self, views: list[list[_View]]) -> Iterator[list[Person]]:
        """Answer the views of each picture, in even batches across all of them."""
        row = [view for group in views for view in group]
        batches = np.array_split(np.arange(len(row)), max(1, -(-len(row) // self.batch)))
        people = iter([person for batch in batches if len(batch) for person in self._found([row[i] for i in batch])])
        for group in views:
            yield [next(people) for _ in group]

    def _found(self, views: list[_View]) -> list[Person]:
        """Ask the network once for all views, and return its answers to their pictures."""
        pixels = np.stack([view.crop.pixels for view in views])
        fields = self.network(pixels)[-1]
        if self.flip:
            mirrored = self.network(np.ascontiguousarray(pixels[:, :, ::-1]))[-1]
            fields = _mean(fields, self.codec.mirror(mirrored))
        people = self.codec.decode(fields)
        return [
            replace(view.crop.back([person])[0], box=np.asarray(view.box, np.float64))
            for view, person in zip(views, people, strict=True)
        ]

    def _look(self, pixels: Pixels, boxes: Boxes) -> list[Person]:
        return next(self._answers([self._views(pixels, boxes)]))


def _mean(fields: Any, others: Any) -> Any:
    """The mean of two fields, array by array."""
    return type(fields)(*(None if a is None else (a + b) / 2 for a, b in zip(fields, others, strict=True)))
