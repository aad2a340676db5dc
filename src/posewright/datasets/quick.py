"""Files in COCO's format by the fast way: decoded into typed records, checked as a whole, kept in columns.

Only what is in order comes through here. Whatever is not raises one of UNUSUAL, and the reader starts again
record by record, which takes ten times as long and can say what is wrong where, or that nothing is.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from posewright.columns import Columns, People, extent
from posewright.datasets.records import LARGEST, DataError
from posewright.scene import ABSENT, Floats, Scene

Bytes = bytes | mmap.mmap
Identity = int | str
Box = tuple[float, float, float, float]


class UnusualError(ValueError):
    """What the file holds may be in order, but not for the fast way."""


UNUSUAL = (UnusualError, msgspec.DecodeError, UnicodeDecodeError, struct.error, RecursionError)
"""What ends the fast way."""
AT_ONCE = 1 << 9
"""How many people are decoded, checked and measured together: few enough for the cache."""


class Result(msgspec.Struct, gc=False):
    """One predicted person."""

    image_id: Identity
    keypoints: msgspec.Raw
    score: float | None = None
    bbox: Box | None = None
    category_id: Identity | None = None


class Annotation(msgspec.Struct, gc=False):
    """One true person; `posewright` is there to be noticed, not to be read."""

    image_id: Identity
    category_id: Identity
    keypoints: msgspec.Raw = msgspec.Raw()
    bbox: Box | None = None
    area: float | None = None
    score: float | None = None
    iscrowd: int = 0
    num_keypoints: int | float | None = None
    id: Identity | None = None
    posewright: Any = msgspec.UNSET


class Image(msgspec.Struct):
    """One picture."""

    id: Identity
    file_name: str
    width: int | None = None
    height: int | None = None
    is_labeled: Any = None
    video_id: Identity | None = None
    vid_id: Identity | None = None
    posewright: Any = msgspec.UNSET

    @property
    def group(self) -> Identity | None:
        """The video that the picture is a frame of, where the file tells."""
        return self.vid_id if self.video_id is None else self.video_id

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, where the file tells."""
        if self.width is None or self.height is None:
            check(self.width is self.height)
            return None
        check(1 <= self.width <= LARGEST and 1 <= self.height <= LARGEST)
        return self.width, self.height


class File(msgspec.Struct):
    """A file of annotations."""

    categories: list[Any]
    images: list[Image]
    annotations: list[Annotation]
    licenses: list[Any] = []


def read_results(data: Bytes, pictures: Sequence[Scene], places: Mapping[Identity, int]) -> Columns:
    """Return the results of a file as the people of pictures, whose places are given by id."""
    told = msgspec.json.decode(data, type=list[Result])
    told_scores, told_boxes, told_categories, images = (
        list(map(attrgetter(name), told)) for name in ("score", "bbox", "category_id", "image_id")
    )
    without = sum(values.count(None) for values in (told_scores, told_boxes, told_categories))
    keys = len(told) * len(Result.__struct_fields__) - without
    check(times(data, b'"') == 2 * keys or once(data, dict.fromkeys(Result.__struct_fields__, len(told))))
    keypoints = {len(picture.skeleton) for picture in pictures}
    check(len(keypoints) == 1 and 0 not in keypoints and len(set(told_categories) - {None}) < 2)
    order, scene = by_scene(images, places)
    xy, scores, around = poses_of([result.keypoints for result in told], keypoints.pop(), order)
    score = np.array(told_scores, np.float64)[order]
    unrated = np.isnan(score)
    score[unrated] = [
        row[there].mean() if there.any() else 0.0
        for row, there in zip(scores[unrated], ~np.isnan(xy[unrated, :, 0]), strict=True)
    ]
    check(within(score))
    box, box_area = boxes([told_boxes[i] for i in order])
    boxed = bool(told_boxes) and told_boxes[0] is not None
    area = np.where(np.isnan(box_area), around, box_area) if boxed else around
    crowd, numbers = np.zeros(len(told), bool), [i + 1 for i in order]
    return Columns(pictures, People(scene, xy, box, area, score, crowd, None, scores, numbers, None, box_area))


def read_annotations(data: Bytes) -> File:
    """Return what a file of annotations says, its images in order and all of them labelled."""
    file = msgspec.json.decode(data, type=File)
    images, people = file.images, len(file.annotations)
    both = people + len(images)
    check(once(data, {"image_id": people, "category_id": people, "bbox": people, "area": people, "score": people,
                      "iscrowd": people, "keypoints": people + len(file.categories), "file_name": len(images),
                      "width": len(images), "height": len(images),
                      "id": both + len(file.categories) + len(file.licenses)}))  # fmt: skip
    check(len({image.id for image in images}) == len(images))
    check(all(image.posewright is msgspec.UNSET and image.is_labeled is not False for image in images))
    check(all(image.id != "" and image.file_name and "\0" not in image.file_name for image in images))
    return file


def people_of(
    annotations: Sequence[Annotation],
    places: Mapping[Identity, int],
    keypoints: int,
    meaning: Mapping[int, int],
    shift: float,
) -> People:
    """Return annotated people, whose scenes' places are given by the image's id, as `Record` reads them."""
    order, scene = by_scene([annotation.image_id for annotation in annotations], places)
    records = [annotations[i] for i in order]
    check(all(r.posewright is msgspec.UNSET and r.iscrowd in (0, 1) and r.id != "" for r in records))
    triples = triples_of([r.keypoints for r in records], keypoints)
    area, score = optional([r.area for r in records], LARGEST**2), optional([r.score for r in records])
    numbers = optional([r.num_keypoints for r in records])
    check(within(triples))
    visible = np.full(triples.shape[:2], 255, np.uint8)
    for said, meant in meaning.items():
        visible[triples[..., 2] == said] = meant
    check(visible.max(initial=0) < 255)
    xy = triples[..., :2] + shift
    xy[visible == ABSENT] = np.nan
    crowd = np.array([r.iscrowd == 1 for r in records], bool)
    box, box_area = boxes([r.bbox for r in records])
    contradicted = ~np.isnan(numbers) & ((numbers > 0) != (visible > ABSENT).any(1))
    counted = np.where(contradicted, numbers > 0, -1).astype(np.int8)
    identities = [r.id for r in records]
    return People(scene, xy, box + shift, area, score, crowd, visible, None, identities, counted, box_area)


def by_scene(images: Sequence[Identity], places: Mapping[Identity, int]) -> tuple[list[int], NDArray[np.intp]]:
    """Return the places (N,) of records of these images scene by scene, as they stand within one, and their scenes'."""
    scene = np.fromiter(map(places.get, images, repeat(-1)), np.intp, len(images))
    check(scene.min(initial=0) >= 0)
    order = np.argsort(scene, kind="stable")
    return order.tolist(), scene[order]


def poses_of(given: Sequence[msgspec.Raw], keypoints: int, order: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Return keypoints (N, K, 2), NaN where x, y and score are 0, scores (N, K) and the areas (N,) of boxes around all.

    Zeros belong to these boxes. order: which of the given texts stands where; they are decoded as they lie in memory.
    """
    xy, scores = np.empty((len(given), keypoints, 2)), np.empty((len(given), keypoints))
    area, place = np.empty(len(given)), np.empty(len(given), np.intp)
    place[order] = np.arange(len(given))
    for start in range(0, len(given), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        triples = triples_of(given[some], keypoints)
        check(within(triples))
        area[place[some]] = np.prod(extent(triples[..., :2]), axis=0)
        scores[place[some]] = triples[..., 2]
        triples[(triples[..., 0] == 0) & (triples[..., 1] == 0) & (triples[..., 2] == 0)] = np.nan
        xy[place[some]] = triples[..., :2]
    return xy, scores, area


def triples_of(given: Sequence[msgspec.Raw], keypoints: int) -> Floats:
    """Return the keypoints (N, K, 3); their texts are decoded one by one, so that numbers stay in the cache."""
    rows = filled(map(_row(3 * keypoints), given), len(given), 3 * keypoints)
    return rows.reshape(len(given), keypoints, 3)


@cache
def _row(numbers: int) -> Callable[[msgspec.Raw], tuple[float, ...]]:
    """Return the function that decodes a list of so many numbers."""
    return msgspec.json.Decoder(tuple[(float,) * numbers]).decode  # type: ignore[misc]


def filled(rows: Iterable[Sequence[float]], count: int, width: int) -> Floats:
    """Return (count, width) numbers from rows; `struct` writes them several times as fast as numpy reads lists."""
    room = np.empty(8 * count * width, np.uint8)
    pack, inside = struct.Struct(f"{width}d").pack_into, room.data
    for start, row in zip(range(0, len(room), 8 * width), rows, strict=True):
        pack(inside, start, *row)
    return room.view(np.float64).reshape(count, width)


def optional(given: Sequence[float | None], most: float = LARGEST) -> Floats:
    """Return numbers (N,) from 0 to `most`, NaN where there is none."""
    values = np.array([np.nan if value is None else value for value in given], np.float64)
    check(within(values[~np.isnan(values)], 0, most))
    return values


def boxes(given: Sequence[Box | None]) -> tuple[Floats, Floats]:
    """Return boxes (N, 4) xyxy from x, y, width, height, and width times height (N,); NaN where there is none."""
    if not any(given):
        return np.full((len(given), 4), np.nan), np.full(len(given), np.nan)
    corners = filled((_NOWHERE if box is None else box for box in given), len(given), 4)
    known = corners[~np.isnan(corners[:, 0])]
    check(within(known) and within(known[:, 2:], 0))
    area = corners[:, 2] * corners[:, 3]
    corners[:, 2:] += corners[:, :2]
    return corners, area


_NOWHERE = (np.nan,) * 4


def once(data: Bytes, most: Mapping[str, int]) -> bool:
    """Tell whether no key stands more often in a file than objects may have it; twice in one means two things."""
    return all(times(data, f'"{name}"'.encode()) <= count for name, count in most.items())


def times(data: Bytes, token: bytes) -> int:
    """Count how often a token stands in a file."""
    return data.count(token) if isinstance(data, bytes) else sum(1 for _ in re.finditer(token, data))


def within(values: Floats, low: float = -LARGEST, high: float = LARGEST) -> bool:
    """Tell whether all numbers are finite and from `low` to `high`."""
    return bool(values.min(initial=0) >= low and values.max(initial=0) <= high)


def check(in_order: bool) -> None:
    """End the fast way unless all is in order."""
    if not in_order:
        raise UnusualError


def refuse_huge(path: Path, data: Bytes, error: BaseException) -> None:
    """Raise DataError for a huge file that does not decode: to read it record by record would fill the memory."""
    if isinstance(data, mmap.mmap) and isinstance(error, msgspec.DecodeError):
        raise DataError(f"{path}: {error}") from None
