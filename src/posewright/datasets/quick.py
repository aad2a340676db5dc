"""Files in COCO's format by the fast way: decoded into typed records, checked as a whole, kept in columns.

Only what is in order comes through here. Whatever is not raises one of UNUSUAL, and the reader starts again
record by record, which takes ten times as long and can say what is wrong where, or that nothing is.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

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
    posewright: Any = msgspec.UNSET

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


Listed = TypeVar("Listed", Result, Annotation)


def read_results(data: Bytes, pictures: Sequence[Scene], places: Mapping[Identity, int]) -> Columns:
    """Return the results of a file as the people of pictures, whose places are given by id."""
    told = msgspec.json.decode(data, type=list[Result])
    check(once(data, {name: len(told) for name in Result.__struct_fields__}))
    records, numbers, scene = by_scene(told, places)
    keypoints = {len(picture.skeleton) for picture in pictures}
    check(len(keypoints) == 1 and 0 not in keypoints and len({record.category_id for record in records} - {None}) < 2)
    triples = triples_of(records, keypoints.pop())
    xy, scores = triples[..., :2], triples[..., 2]
    absent = (xy[..., 0] == 0) & (xy[..., 1] == 0) & (scores == 0)
    score = np.array([np.nan if record.score is None else record.score for record in records], np.float64)
    unrated = np.isnan(score)
    score[unrated] = [
        row[there].mean() if there.any() else 0.0 for row, there in zip(scores[unrated], ~absent[unrated], strict=True)
    ]
    check(within(triples) and within(score))
    box, box_area = boxes([record.bbox for record in records])
    around = extent(xy)
    boxed = bool(records) and records[numbers.index(1)].bbox is not None
    area = np.where(np.isnan(box_area), around[0] * around[1], box_area) if boxed else around[0] * around[1]
    xy[absent] = np.nan
    crowd = np.zeros(len(records), bool)
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
    records, _, scene = by_scene(annotations, places)
    check(all(r.posewright is msgspec.UNSET and r.iscrowd in (0, 1) and r.id != "" for r in records))
    triples = triples_of(records, keypoints)
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


def by_scene(
    records: Sequence[Listed], places: Mapping[Identity, int]
) -> tuple[Sequence[Listed], Sequence[int], NDArray[np.intp]]:
    """Return records scene by scene, the number of each in the file from 1, and its scene's place."""
    scene = np.array([places.get(record.image_id, -1) for record in records], np.intp)
    check(scene.min(initial=0) >= 0)
    order = np.argsort(scene, kind="stable")
    return [records[i] for i in order.tolist()], (order + 1).tolist(), scene[order]


def triples_of(records: Sequence[Listed], keypoints: int) -> Floats:
    """Return the keypoints (N, K, 3); their texts are decoded one by one, so that lists stay in the cache."""
    decode = msgspec.json.Decoder(list[float]).decode
    rows = filled((decode(record.keypoints) for record in records), len(records), 3 * keypoints)
    return rows.reshape(len(records), keypoints, 3)


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
    keys = {f'"{name}"'.encode(): count for name, count in most.items()}
    if isinstance(data, bytes):
        return all(data.count(key) <= count for key, count in keys.items())
    return all(sum(1 for _ in re.finditer(key, data)) <= count for key, count in keys.items())


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
