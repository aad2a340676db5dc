"""Estimating: a picture in, people out, in the picture's own pixels.

With boxes, each box is one crop and one answer. Without boxes the estimator aims by itself, at one person:

1. it looks at the whole picture; where that answer's score is below WEAK, also at the centre square and at
   the four halves, and the best answer counts;
2. the box around the keypoints of score CONFIDENT and above, widened by ROOM on each side, is where it looks next;
3. that is repeated until the box settles (intersection over union with the one before at least SETTLED),
   ROUNDS times at most; the answer with the best score is kept, and `box` is the box around it;
4. an answer with fewer than LEAST confident keypoints is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from posewright import picture
from posewright.augment import Aim
from posewright.picture import Pixels
from posewright.recipe import Codec
from posewright.runtimes.network import Network
from posewright.scene import Crop, Floats, Person, Scene, box_around, take, whole
from posewright.warp import Size, Warp

Image = str | Path | Pixels | Scene
Boxes = Sequence[ArrayLike]

CONFIDENT, LEAST = 0.2, 3
WEAK = 0.5
ROOM = 0.0
SETTLED = 0.9
ROUNDS = 6


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
                yield self._search(_pixels(image))
            return
        cut: list[list[Crop]] = []
        for image, places in zip(images, boxes, strict=True):
            cut.append(self._crops(_pixels(image), places))
            if sum(map(len, cut)) >= self.batch:
                yield from self._answers(cut)
                cut = []
        yield from self._answers(cut)

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

    def _crops(self, pixels: Pixels, boxes: Boxes) -> list[Crop]:
        scene = Scene(pixels, self.codec.skeleton)
        return [take(scene, self._view(box), pixels) for box in boxes]

    def _view(self, box: ArrayLike) -> Warp:
        x0, y0, x1, y1 = np.asarray(box, np.float64)
        if not (x1 > x0 and y1 > y0):
            raise ValueError(f"box must be x0, y0, x1, y1 with x1 > x0 and y1 > y0, not {[x0, y0, x1, y1]}")
        padding = self.network.padding if self.padding is None else self.padding
        extent = (padding * (x1 - x0), padding * (y1 - y0))
        return (self.aim or self.network.aim)(((x0 + x1) / 2, (y0 + y1) / 2), extent, self.codec.size)

    def _answers(self, cut: list[list[Crop]]) -> Iterator[list[Person]]:
        """Answer the crops of each picture, in even batches across all of them."""
        crops = [crop for group in cut for crop in group]
        parts = np.array_split(np.arange(len(crops)), max(1, -(-len(crops) // self.batch)))
        people = iter([person for part in parts if len(part) for person in self._found([crops[i] for i in part])])
        for group in cut:
            yield [next(people) for _ in group]

    def _found(self, crops: list[Crop]) -> list[Person]:
        """Ask the network once for all crops, and return its answers to their pictures."""
        pixels = np.stack([crop.pixels for crop in crops])
        fields = self.network(pixels)[-1]
        if self.flip:
            mirrored = self.network(np.ascontiguousarray(pixels[:, :, ::-1]))[-1]
            fields = _mean(fields, self.codec.mirror(mirrored))
        return [crop.back([person])[0] for crop, person in zip(crops, self.codec.decode(fields), strict=True)]

    def _look(self, pixels: Pixels, boxes: Boxes) -> list[Person]:
        return next(self._answers([self._crops(pixels, boxes)]))

    def _search(self, pixels: Pixels) -> list[Person]:
        """Aim at one person, as the head of this file says."""
        size = (pixels.shape[1], pixels.shape[0])
        window = whole(size)
        best = self._look(pixels, [window])[0]
        if _score(best) < WEAK:
            starts = [window, *parts(size)]
            answers = [best, *self._look(pixels, starts[1:])]
            first = int(np.argmax([_score(person) for person in answers]))
            window, best = starts[first], answers[first]
        last = best
        for _ in range(ROUNDS):
            box = box_of(last)
            if box is None or overlap(box, window) >= SETTLED:
                break
            window, last = box, self._look(pixels, [box])[0]
            best = max(best, last, key=_score)
        box = box_of(best)
        return [] if box is None else [replace(best, box=box)]


def parts(size: Size) -> list[Floats]:
    """Return where else to look in a picture: its centre square and its four halves, boxes xyxy px."""
    x0, y0, x1, y1 = whole(size)
    x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, min(size) / 2
    boxes = [
        (x - half, y - half, x + half, y + half),
        (x0, y0, x, y1),
        (x, y0, x1, y1),
        (x0, y0, x1, y),
        (x0, y, x1, y1),
    ]
    return [np.array(box) for box in boxes]


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


def _mean(fields: Any, others: Any) -> Any:
    """The mean of two fields, array by array."""
    return type(fields)(*(None if a is None else (a + b) / 2 for a, b in zip(fields, others, strict=True)))


def _score(person: Person) -> float:
    return 0.0 if person.score is None else person.score


def _pixels(image: Image) -> Pixels:
    return image.pixels() if isinstance(image, Scene) else picture.read(image)


def load(name: str | Path = "default", *, flip: bool = False, batch: int = 8, **runtime: Any) -> TopDown:
    """Load an estimator: "default" is the network that comes with posewright, anything else an exported file.

    runtime: as `posewright.runtimes.load` (backend, precision, threads, build). Raises FileNotFoundError
    where there is no such file, ModelFileError where it is no network of posewright's.

    >>> people = load()("photo.jpg")  # doctest: +SKIP
    """
    from posewright import runtimes

    path = default_file() if name == "default" else Path(name)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such file; name an exported network (.onnx), or "default"')
    network = runtimes.load(path, **runtime)
    return TopDown(network, network.codec, flip=flip, batch=batch)


def default_file() -> Path:
    """Return where the embedded network lies in the installed package."""
    return Path(str(files("posewright"))) / "weights" / "default.onnx"
