"""Files in COCO's format by the fast way: decoded into typed records, checked as a whole, kept in columns.

Only what is in order comes through here. Whatever is not raises one of UNUSUAL, and the reader starts again
record by record, which takes ten times as long and can say what is wrong where, or that nothing is.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import repeat
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from posewright.columns import Columns, People
from posewright.datasets.parts import Bytes, UnusualError, check, once, parts_of, quotes
from posewright.datasets.records import LARGEST, DataError
from posewright.scene import ABSENT, Floats, Scene

Identity = int | str
Box = tuple[float, float, float, float]
Places = NDArray[np.intp]
Poses = tuple[Floats, Floats, Floats]
Told = tuple[bool, set[Identity | None]]
UNUSUAL = (UnusualError, msgspec.DecodeError, UnicodeDecodeError, struct.error, RecursionError)
"""What ends the fast way."""


class Result(msgspec.Struct, gc=False):
    """One predicted person; `_result` makes the same with keypoints of so many numbers."""

    image_id: Identity
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


def read_results(file: BinaryIO, pictures: Sequence[Scene], places: Mapping[Identity, int]) -> Columns:
    """Return the results of a file as the people of pictures, whose places are given by id."""
    counts = {len(picture.skeleton) for picture in pictures}
    check(len(counts) == 1 and 0 not in counts)
    keypoints, size = counts.pop(), file.seek(0, os.SEEK_END)
    file.seek(0)
    told: list[Told] = []
    whole: list[NDArray[Any]] = []
    count = read = 0
    for text, results in parts_of(file, _result(keypoints)):
        part, said = _columns(text, results, keypoints, places)
        told.append(said)
        read += len(text)
        whole = extended(whole, part, count, size / read)
        count += len(results)
    categories = {category for said in told for category in said[1]} - {None}
    check(len(categories) < 2)
    order = np.argsort(whole[0][:count], kind="stable")
    scene, score, box, box_area, xy, scores, around = (taken(column[:count], order) for column in whole)
    unrated = np.isnan(score)
    score[unrated] = [
        row[there].mean() if there.any() else 0.0
        for row, there in zip(scores[unrated], ~np.isnan(xy[unrated, :, 0]), strict=True)
    ]
    check(within(score))
    area = np.where(np.isnan(box_area), around, box_area) if told[0][0] else around
    crowd, numbers, where = np.zeros(count, bool), (order + 1).tolist(), scene.astype(np.intp)
    return Columns(pictures, People(where, xy, box, area, score, crowd, None, scores, numbers, None, box_area))


def _columns(
    text: bytes, results: Sequence[Any], keypoints: int, places: Mapping[Identity, int]
) -> tuple[list[NDArray[Any]], Told]:
    """Return what a part of a file says: scene, score, box, its area, keypoints, their scores and the area of these.

    And whether its first result has a box, and its categories.
    """
    names = Result.__struct_fields__
    images, told_scores, told_boxes, categories = fields = [list(map(attrgetter(name), results)) for name in names]
    keys = len(results) * (len(names) + 1) - sum(values.count(None) for values in fields)
    check(quotes(text) == 2 * keys or once(text, dict.fromkeys(("keypoints", *names), len(results))))
    few = np.int16 if len(places) < 1 << 15 else np.intp  # numbers of 16 bits are sorted without comparing
    scene = np.fromiter(map(places.get, images, repeat(-1)), few, len(images))
    check(scene.min(initial=0) >= 0)
    poses = poses_of([result.keypoints for result in results], keypoints)
    boxed = bool(told_boxes) and told_boxes[0] is not None
    return [scene, np.array(told_scores, np.float64), *boxes(told_boxes), *poses], (boxed, set(categories))


def extended(whole: list[NDArray[Any]], part: Sequence[NDArray[Any]], count: int, times: float) -> list[NDArray[Any]]:
    """Return arrays with a part behind their first `count` rows: where they are full, others with room for `times`."""
    end = count + len(part[0])
    if not whole or end > len(whole[0]):
        larger = [np.empty((int(1.05 * times * end) + 1, *rows.shape[1:]), rows.dtype) for rows in part]
        for column, rows in zip(larger, whole, strict=False):
            column[:count] = rows[:count]
        whole = larger
    for column, rows in zip(whole, part, strict=True):
        column[count:end] = rows
    return whole


def taken(column: NDArray[Any], order: Places) -> NDArray[Any]:
    """Return the rows of a column in an order; the column itself where it is in that order."""
    return column if (order[1:] > order[:-1]).all() else column.take(order, axis=0)


@cache
def _result(keypoints: int) -> type[Any]:
    """Return the record of one predicted person with so many keypoints."""
    numbers: Any = tuple.__class_getitem__((float,) * (3 * keypoints))
    return msgspec.defstruct("Posed", [("keypoints", numbers)], bases=(Result,), gc=False, kw_only=True)


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
    records = [annotations[i] for i in order.tolist()]
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


def by_scene(images: Sequence[Identity], places: Mapping[Identity, int]) -> tuple[Places, Places]:
    """Return the places (N,) of records of these images scene by scene, as they stand within one, and their scenes'."""
    scene = np.fromiter(map(places.get, images, repeat(-1)), np.intp, len(images))
    check(scene.min(initial=0) >= 0)
    small = scene.astype(np.uint16) if len(places) < 1 << 16 else scene  # 16 bits are sorted without comparing
    order = np.argsort(small, kind="stable")
    return order, scene[order]


def poses_of(rows: Sequence[Sequence[float]], keypoints: int) -> Poses:
    """Return keypoints (N, K, 2), NaN where x, y and score are 0, scores (N, K) and the areas (N,) of boxes around all.

    Zeros belong to these boxes.
    """
    triples = filled(rows, 3 * keypoints).reshape(-1, keypoints, 3)
    columns = np.ascontiguousarray(np.moveaxis(triples, 0, 2))
    low, high = columns.min(0, initial=LARGEST), columns.max(0, initial=-LARGEST)
    check(within(low) and within(high))
    xy, zero = triples[..., :2].copy(), columns == 0
    absent = zero[:, 0] & zero[:, 1] & zero[:, 2]
    if absent.any():
        xy[absent.T] = np.nan
    return xy, triples[..., 2].copy(), (high[0] - low[0]) * (high[1] - low[1])


def triples_of(given: Sequence[msgspec.Raw], keypoints: int) -> Floats:
    """Return the keypoints (N, K, 3); their texts are decoded one by one, so that numbers stay in the cache."""
    return filled(map(_row(3 * keypoints), given), 3 * keypoints).reshape(len(given), keypoints, 3)


@cache
def _row(numbers: int) -> Callable[[msgspec.Raw], tuple[float, ...]]:
    """Return the function that decodes a list of so many numbers."""
    return msgspec.json.Decoder(tuple[(float,) * numbers]).decode  # type: ignore[misc]


def filled(rows: Iterable[Sequence[float]], width: int) -> Floats:
    """Return (N, width) numbers from rows; `struct` writes them several times as fast as numpy reads lists."""
    pack = struct.Struct(f"{width}d").pack
    return np.frombuffer(bytearray().join([pack(*row) for row in rows]), np.float64).reshape(-1, width)


def optional(given: Sequence[float | None], most: float = LARGEST) -> Floats:
    """Return numbers (N,) from 0 to `most`, NaN where there is none."""
    values = np.array([np.nan if value is None else value for value in given], np.float64)
    check(within(values[~np.isnan(values)], 0, most))
    return values


def boxes(given: Sequence[Box | None]) -> tuple[Floats, Floats]:
    """Return boxes (N, 4) xyxy from x, y, width, height, and width times height (N,); NaN where there is none."""
    if not any(given):
        return np.full((len(given), 4), np.nan), np.full(len(given), np.nan)
    corners = filled([_NOWHERE if box is None else box for box in given], 4)
    known = corners[~np.isnan(corners[:, 0])]
    check(within(known) and within(known[:, 2:], 0))
    area = corners[:, 2] * corners[:, 3]
    corners[:, 2:] += corners[:, :2]
    return corners, area


_NOWHERE = (np.nan,) * 4


def within(values: Floats, low: float = -LARGEST, high: float = LARGEST) -> bool:
    """Tell whether all numbers are finite and from `low` to `high`."""
    return bool(values.min(initial=0) >= low and values.max(initial=0) <= high)


def refuse_huge(path: Path, data: Bytes, error: BaseException) -> None:
    """Raise DataError for a huge file that does not decode: to read it record by record would fill the memory."""
    if isinstance(data, mmap.mmap) and isinstance(error, msgspec.DecodeError):
        raise DataError(f"{path}: {error}") from None
