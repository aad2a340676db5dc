"""Files in COCO's format by the fast way: decoded into typed records, checked as a whole, kept in columns.

Only what is in order comes through here. Whatever is not raises one of UNUSUAL, and the reader starts again
record by record, which takes ten times as long and can say what is wrong where, or that nothing is.
"""

from __future__ import annotations

import mmap
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


UNUSUAL = (UnusualError, msgspec.DecodeError, struct.error, RecursionError)
"""What ends the fast way."""


class Result(msgspec.Struct, gc=False):
    """One predicted person."""

    image_id: Any
    keypoints: msgspec.Raw
    score: float
    bbox: Box | None = None
    category_id: Any = None


class Annotation(msgspec.Struct, gc=False):
    """One true person; `posewright` is there to be noticed, not to be read."""

    image_id: Any
    category_id: Any
    keypoints: msgspec.Raw = msgspec.Raw()
    bbox: Box | None = None
    area: float | None = None
    iscrowd: int = 0
    id: Any = None
    posewright: Any = None


class Image(msgspec.Struct):
    """One picture."""

    id: Any
    file_name: str
    width: int | None = None
    height: int | None = None
    is_labeled: Any = None
    posewright: Any = None

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

    categories: Any
    images: list[Image]
    annotations: list[Annotation]


Listed = TypeVar("Listed", Result, Annotation)


def read_results(data: Bytes, pictures: Sequence[Scene], places: Mapping[Identity, int]) -> Columns:
    """Return the results of a file as the people of pictures, whose places are given by id."""
    records, numbers, scene = by_scene(msgspec.json.decode(data, type=list[Result]), places)
    keypoints = {len(picture.skeleton) for picture in pictures}
    check(len(keypoints) == 1 and len({r.category_id for r in records if type(r.category_id) in (int, str)}) < 2)
    triples = triples_of(records, keypoints.pop())
    score = np.array([r.score for r in records], np.float64)
    check(within(triples) and within(triples[..., 2], 0) and within(score, 0))
    box = boxes([r.bbox for r in records])
    width, height = np.where(np.isnan(box[:, 0]), extent(triples[..., :2]), box[:, 2:].T - box[:, :2].T)
    xy = np.ascontiguousarray(triples[..., :2])
    xy[(triples[..., 0] == 0) & (triples[..., 1] == 0) & (triples[..., 2] == 0)] = np.nan
    crowd, scores = np.zeros(len(records), bool), np.ascontiguousarray(triples[..., 2])
    return Columns(pictures, People(scene, xy, box, width * height, score, crowd, None, scores, numbers))


def read_people(
    annotations: Sequence[Annotation],
    places: Mapping[Identity, int],
    keypoints: int,
    meaning: Mapping[int, int],
    shift: float,
) -> People:
    """Return annotated people, whose scenes' places are given by the image's id, as `Record` reads them."""
    records, _, scene = by_scene(annotations, places)
    check(
        all(
            r.posewright is None and (r.id is None or type(r.id) in (int, str)) and r.id != "" and r.iscrowd in (0, 1)
            for r in records
        )
    )
    triples = triples_of(records, keypoints)
    area = np.array([np.nan if r.area is None else r.area for r in records], np.float64)
    check(within(triples) and within(area[~np.isnan(area)], 0))
    visible = np.full(triples.shape[:2], 255, np.uint8)
    for said, meant in meaning.items():
        visible[triples[..., 2] == said] = meant
    check(visible.max(initial=0) < 255)
    xy = triples[..., :2] + shift
    xy[visible == ABSENT] = np.nan
    crowd, score = np.array([r.iscrowd == 1 for r in records], bool), np.full(len(records), np.nan)
    box = boxes([r.bbox for r in records]) + shift
    return People(scene, xy, box, area, score, crowd, visible, None, [r.id for r in records])


def by_scene(
    records: Sequence[Listed], places: Mapping[Identity, int]
) -> tuple[Sequence[Listed], Sequence[int], NDArray[np.intp]]:
    """Return records scene by scene, the number of each in the file from 1, and its scene's place."""
    check(all(type(r.image_id) in (int, str) for r in records))
    found = [places.get(r.image_id, -1) for r in records]
    scene = np.array(found, np.intp)
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
    for place, row in enumerate(rows):
        pack(inside, 8 * width * place, *row)
    return room.view(np.float64).reshape(count, width)


def boxes(given: Sequence[Box | None]) -> Floats:
    """Return boxes (N, 4) xyxy from x, y, width, height, NaN where there is none."""
    corners = filled((_NOWHERE if box is None else box for box in given), len(given), 4)
    known = corners[~np.isnan(corners[:, 0])]
    check(within(known) and within(known[:, 2:], 0))
    corners[:, 2:] += corners[:, :2]
    return corners


_NOWHERE = (np.nan,) * 4


def within(values: Floats, low: float = -LARGEST) -> bool:
    """Tell whether all numbers are finite and from `low` to LARGEST."""
    return bool(values.min(initial=0) >= low and values.max(initial=0) <= LARGEST)


def check(in_order: bool) -> None:
    """End the fast way unless all is in order."""
    if not in_order:
        raise UnusualError


def refuse_huge(path: Path, data: Bytes, error: BaseException) -> None:
    """Raise DataError for a huge file that does not decode: to read it record by record would fill the memory."""
    if isinstance(data, mmap.mmap) and isinstance(error, msgspec.DecodeError):
        raise DataError(f"{path}: {error}") from None
