"""Estimating: a picture in, people out, in the picture's own pixels.

With boxes, each box is one crop and one answer. Without boxes the estimator aims by itself, at one person:

1. it looks at a window; the box around the keypoints of score CONFIDENT and above, ROOM wider on each side,
   is its next window, until they overlap by SETTLED (intersection over union), ROUNDS times at most;
2. its first window is the whole picture; where the settled answer's score is below SURE, it also looks at
   nine windows of half the picture's size, settles the TRIED most promising ones as well, and the best score
   of all counts;
3. `box` is the box around the settled answer; one with fewer than LEAST confident keypoints is nobody.

The settled answer counts, not the best round on the way: measured on LSP-extended that is better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from posewright import picture
from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec
from posewright.estimators.runtimes.network import Network
from posewright.picture import Pixels
from posewright.scene import Crop, Floats, Person, Scene, box_around, region, take, whole
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

Image = str | Path | Pixels | Scene
Boxes = Sequence[ArrayLike | None]

CONFIDENT, LEAST = 0.2, 3
ROOM, SETTLED, ROUNDS = 0.05, 0.9, 6
SURE, TRIED = 0.5, 4


class Estimator(Protocol):
    """Whatever finds people in pictures and says how: `TopDown`, an adapter, or a class of anybody's.

    skeleton: the keypoints of its people; protocol: what stands beside every number it takes part in.
    """

    @property
    def skeleton(self) -> Skeleton: ...

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]: ...

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]: ...

    def protocol(self) -> dict[str, Any]: ...


class _View(NamedTuple):
    """A crop and the box that it was aimed at."""

    crop: Crop
    box: ArrayLike | None


@dataclass(frozen=True, eq=False)
class TopDown:
    """Estimate people one crop each: `estimator("photo.jpg")` returns list[Person].

    network answers crops and codec reads the answers; flip: also ask for the mirrored crop, and take the
    mean of both fields; padding: how much larger than the box a crop is, and aim how it is cut, by default as
    the network says; batch: crops a call.
    """

    network: Network
    codec: Codec
    flip: bool = False
    padding: float | None = None
    batch: int = 8
    aim: Aim | None = None

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of its people."""
        return self.codec.skeleton

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture: a path, pixels (H, W, 3) uint8 RGB, or a scene.

        boxes: xyxy px, one a person, answered in their order; without them it aims at one person by itself.
        Raises picture.PictureError where the picture cannot be read, ValueError for a box without area.
        """
        return next(self.many([image], None if boxes is None else [boxes]))

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture; a picture is decoded once, and a batch takes people of several."""
        if boxes is None:
            for image in images:
                yield self._search(pixels_of(image))
            return
        views: list[list[_View]] = []
        for image, places in zip(images, boxes, strict=True):
            views.append(self._views(pixels_of(image), places))
            if sum(map(len, views)) >= self.batch:
                yield from self._answers(views)
                views = []
        yield from self._answers(views)

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates, for the protocol that stands beside every number."""
        padding = self.network.padding if self.padding is None else self.padding
        aim = self.aim or self.network.aim
        return {
            **self.network.protocol,
            "codec": repr(self.codec),
            "flip": self.flip,
            "padding": padding,
            "aim": f"{aim.__module__}:{aim.__qualname__}",
        }

    def _views(self, pixels: Pixels, boxes: Boxes) -> list[_View]:
        scene = Scene(pixels, self.codec.skeleton)
        return [_View(take(scene, self._warp(box), pixels), box) for box in boxes]

    def _warp(self, box: ArrayLike | None) -> Warp:
        corners = box_in(box)
        padding = self.network.padding if self.padding is None else self.padding
        return (self.aim or self.network.aim)(*region(corners, padding), self.codec.size)

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

    def _search(self, pixels: Pixels) -> list[Person]:
        """Aim at one person, as the head of this file says."""
        size = (pixels.shape[1], pixels.shape[0])
        found = self._settled(pixels, self._look(pixels, [whole(size)]))
        if _score(found[0]) < SURE:
            promising = sorted(self._look(pixels, halves(size)), key=_score, reverse=True)[:TRIED]
            found += self._settled(pixels, promising)
        best = max(found, key=_score)
        box = box_of(best)
        return [] if box is None else [replace(best, box=box)]

    def _settled(self, pixels: Pixels, people: list[Person]) -> list[Person]:
        """Look again at the box around each person until it stays; `Person.box` is where each was looked for."""
        people = list(people)
        moving = list(range(len(people)))
        for _ in range(ROUNDS):
            boxes = {i: box_of(people[i]) for i in moving}
            next_boxes = {i: box for i, box in boxes.items() if box is not None and not _same(box, people[i].box)}
            moving = list(next_boxes)
            for i, person in zip(moving, self._look(pixels, list(next_boxes.values())), strict=True):
                people[i] = person
        return people


def halves(size: Size) -> list[Floats]:
    """Return nine windows (4,) xyxy px of half a picture's size, in three rows of three that overlap by half."""
    x0, y0, x1, y1 = whole(size)
    w, h = size[0] / 2, size[1] / 2
    corners = [(x, y) for y in np.linspace(y0, y1 - h, 3) for x in np.linspace(x0, x1 - w, 3)]
    return [np.array([x, y, x + w, y + h]) for x, y in corners]


def box_of(person: Person) -> Floats | None:
    """Return the box (4,) around a person's confident keypoints, ROOM wider on each side; None below LEAST of them."""
    scores = np.zeros(len(person)) if person.scores is None else person.scores
    sure = person.labelled & (scores >= CONFIDENT)
    if sure.sum() < LEAST:
        return None
    box = box_around(person.keypoints[sure])
    side = max(box[2] - box[0], box[3] - box[1])
    room = max(ROOM * side, 0.5)
    return np.asarray(box + room * np.array([-1, -1, 1, 1]))


def overlap(box: Floats, other: Floats) -> float:
    """Return the intersection over the union of two boxes xyxy."""
    inner = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    shared = float(np.prod(np.maximum(inner, 0)))
    return shared / float(np.prod(box[2:] - box[:2]) + np.prod(other[2:] - other[:2]) - shared)


def _same(box: Floats, other: Floats | None) -> bool:
    return other is not None and overlap(box, other) >= SETTLED


def _mean(fields: Any, others: Any) -> Any:
    """The mean of two fields, array by array."""
    return type(fields)(*(None if a is None else (a + b) / 2 for a, b in zip(fields, others, strict=True)))


def _score(person: Person) -> float:
    return 0.0 if person.score is None else person.score


def box_in(box: ArrayLike | None) -> Floats:
    """Return a box (4,) xyxy px as it was given; raises ValueError for one that is none, or has no area."""
    corners = np.asarray(box, np.float64)
    if corners.shape != (4,) or not (corners[2:] > corners[:2]).all():
        raise ValueError(f"box must be x0, y0, x1, y1 with x1 > x0 and y1 > y0, not {box!r}")
    return corners


def pixels_of(image: Image) -> Pixels:
    """Return a picture's pixels (H, W, 3) uint8 RGB; raises picture.PictureError where it cannot be read."""
    return image.pixels() if isinstance(image, Scene) else picture.read(image)


def load(name: str | Path = "default", *, flip: bool = False, batch: int = 8, **runtime: Any) -> TopDown:
    """Load an estimator: "default" is the network that comes with posewright, anything else an exported file.

    runtime: as `posewright.estimators.runtimes.load` (backend, precision, threads, build). Raises FileNotFoundError
    where there is no such file, ModelFileError where it is no network of posewright's.

    >>> people = load()("photo.jpg")  # doctest: +SKIP
    """
    from posewright.estimators import runtimes

    path = default_file() if name == "default" else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; name an exported network (.onnx), or "default"')
    network = runtimes.load(path, **runtime)
    return TopDown(network, network.codec, flip=flip, batch=batch)


def default_file() -> Path:
    """Return where the embedded network lies in the installed package."""
    return Path(str(files("posewright"))) / "embedded" / "default.onnx"
