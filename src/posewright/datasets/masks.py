"""Segmentation masks in COCO's three forms: polygons, run lengths, and run lengths packed into text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.records import DataError, Record, record_of, shown

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST_MASK = 2**28
"""Pixels of the largest mask that is decoded."""


def encode(mask: Mask) -> dict[str, Any]:
    """Return a mask (H, W) as uncompressed run lengths, column by column, the first run outside.

    >>> encode(np.array([[False, True], [False, True]]))
    {'size': [2, 2], 'counts': [2, 2]}
    """
    column = mask.T.ravel()
    edges = np.flatnonzero(column[1:] != column[:-1]) + 1
    runs = np.diff([0, *edges, mask.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *runs] if column[:1].any() else runs}


@dataclass(frozen=True, eq=False)
class Coded:
    """A mask (H, W) that is decoded each time it is asked for, so that those of a whole data set fit into memory.

    `astype` and numpy's own conversion decode it; both raise DataError for damage, as `decode` does.
    """

    record: Record
    field: str
    size: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.size[1], self.size[0]

    def astype(self, kind: Any) -> NDArray[Any]:
        """Return the mask as an array of some kind."""
        return decode(self.record, self.field, self.size).astype(kind)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.astype(dtype or bool)


def coded(record: Record, field: str, size: tuple[int, int] | None) -> Any:
    """Return a segmentation as a mask that is decoded when asked for; at once where the picture's size is not known."""
    if size is None:
        return decode(record, field, size)
    return Coded(Record(record.where, {field: record.get(field)}), field, size)


def decode(record: Record, field: str, size: tuple[int, int] | None) -> Mask:
    """Return the mask (H, W) of a segmentation; raises DataError.

    A pixel is inside a polygon where its centre is. Departure: pycocotools traces the outline on a grid five
    times finer, so that pixels on an edge may differ.
    """
    value = record.get(field)
    if isinstance(value, list):
        return _polygons(record, field, value, size)
    runs = record_of(value, f"{record.where}: {field}")
    if size is None:
        height, width = (int(side) for side in runs.numbers("size", 2))
    else:
        width, height = size
        if runs.items("size") != [height, width]:
            raise runs.wrong("size", f"must be the picture's height and width {[height, width]}")
    if not (height > 0 and width > 0 and height * width <= LARGEST_MASK):
        raise runs.wrong("size", "must be a height and a width")
    text = runs.get("counts")
    counts = _unpack(runs, text) if isinstance(text, str) else runs.items("counts")
    if not all(type(run) is int and 0 <= run <= height * width for run in counts) or sum(counts) != height * width:
        raise runs.wrong("counts", f"the runs must be lengths that sum to {height * width}")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T.copy()


def _polygons(record: Record, field: str, polygons: list[Any], size: tuple[int, int] | None) -> Mask:
    if size is None or size[0] * size[1] > LARGEST_MASK:
        raise record.wrong(field, "polygons need the picture's width and height, and the image has none that fit")
    inside = np.zeros((size[1], size[0]), np.bool_)
    for place, polygon in enumerate(polygons):
        corners = Record(record.where, {field: polygon})
        count = len(corners.items(field))
        if count < 6 or count % 2:
            raise record.wrong(field, f"polygon {place} must be at least three x, y pairs, not {shown(polygon)}")
        inside |= _fill(corners.numbers(field, count).reshape(-1, 2) - 0.5, size)
    return inside


def _fill(corners: Floats, size: tuple[int, int]) -> Mask:
    """Return where a row crosses an odd number of edges (N, 2) before it comes to a pixel's centre."""
    width, height = size
    crossings = np.zeros((height, width + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        top, bottom = np.clip(np.ceil(np.sort([y0, y1])), 0, height).astype(int)
        if top < bottom:
            rows = np.arange(top, bottom)
            x = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
            crossings[rows, np.clip(np.ceil(x), 0, width).astype(int)] ^= 1
    return np.logical_xor.accumulate(crossings[:, :-1].astype(bool), axis=1)


def _unpack(record: Record, text: str) -> list[int]:
    """Return the run lengths that COCO packs into text.

    A letter holds five bits, counted from "0"; its sixth bit says that more follow, the last one's fifth bit
    is the sign. From the fourth run on, what is packed is the difference from the run two before.
    """
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise record.wrong("counts", f"{letter!r} does not belong into packed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise DataError(f"{record.where}: counts: the packed run lengths end too early")
    return runs
