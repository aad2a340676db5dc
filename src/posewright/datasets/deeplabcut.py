"""DeepLabCut's tables (Mathis et al., Nature Neuroscience 2018): three or four rows of headings, then a frame a row.

`scorer`, `individuals` where there are several animals, `bodyparts` and `coords` (x, y and, in predictions,
likelihood) head the columns. The first columns name the picture, in one cell or its folders and file in three; a
number alone is a video's frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from posewright.datasets.names import Found, Name
from posewright.datasets.records import LARGEST, DataError, say, shown
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.skeleton.spelling import spelt

Rows = Iterator[tuple[str, list[str]]]
HEADINGS = ("individuals", "bodyparts", "coords")


class Column(NamedTuple):
    """Say what a column holds: whose, the place of the keypoint, and of x, y and likelihood which."""

    animal: str
    keypoint: int
    what: int


def read(first: Sequence[str], rows: Rows, skeleton: Skeleton, where: str) -> tuple[Skeleton, Found]:
    """Return the skeleton of a table whose first row was read, with those of its keypoints, and the animals found.

    Raises DataError for headings that are none.
    """
    headings: dict[str, list[str]] = {}
    while "coords" not in headings:
        place, cells = next(rows, (where, [""]))
        name = cells[0].strip()
        if name not in HEADINGS or len(cells) != len(first):
            raise DataError(
                f"{place}: after scorer, DeepLabCut's rows are individuals, bodyparts, coords, not {name!r}"
            )
        headings[name] = [cell.strip() for cell in cells]
    if "bodyparts" not in headings:
        raise DataError(f"{where}: no row bodyparts between scorer and coords")
    columns, own = _columns(headings, skeleton, where)
    return own, _found(rows, columns, own)


def _columns(headings: dict[str, list[str]], skeleton: Skeleton, where: str) -> tuple[dict[int, Column], Skeleton]:
    parts, coords = headings["bodyparts"], headings["coords"]
    animals = headings.get("individuals", [""] * len(parts))
    kinds = {"x": 0, "y": 1, "likelihood": 2}
    places = [place for place, what in enumerate(coords) if place and what in kinds]
    spelling = dict(zip(places, spelt([parts[place] for place in places]), strict=True))
    known = dict(zip(skeleton.spelt, skeleton.keypoints, strict=True))
    own = skeleton.only(known[name] for name in spelling.values() if name in known)
    strange = dict.fromkeys(parts[place] for place in places if spelling[place] not in known)
    if not len(own):
        raise DataError(f"{where}: bodyparts {', '.join(strange)} are no keypoints of {skeleton.name}")
    if strange:
        say(f"{where}: bodyparts that are no keypoints of {skeleton.name} left out: {', '.join(strange)}")
    found = {
        place: Column(animals[place], own.index(spelling[place]), kinds[coords[place]])
        for place in places
        if spelling[place] in known
    }
    return found, own


def _found(rows: Rows, columns: dict[int, Column], own: Skeleton) -> Iterator[tuple[str, Sequence[Name], Person]]:
    first = min(columns)
    animals = list(dict.fromkeys(column.animal for column in columns.values()))
    for where, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) <= max(columns):
            raise DataError(f"{where}: {len(cells)} cells, fewer than there are columns")
        triples = np.full((len(animals), len(own), 3), np.nan)
        triples[..., 2] = 1.0
        for place, (animal, keypoint, what) in columns.items():
            triples[animals.index(animal), keypoint, what] = _number(cells[place], where)
        for body in triples:
            there = np.isfinite(body[:, :2]).all(1)
            if there.any():
                scores = np.where(there, np.nan_to_num(body[:, 2], nan=1.0), 0.0)
                xy = np.where(there[:, None], body[:, :2], np.nan)
                yield f"{where}: image", _names(cells[:first]), Person(xy, scores=scores, score=scores[there].mean())


def _names(cells: Sequence[str]) -> Sequence[Name]:
    """Return what a picture may be called by the cells before the coordinates."""
    parts = [cell.strip() for cell in cells if cell.strip()]
    text = "/".join(parts)
    return [text, int(text)] if text.isascii() and text.isdecimal() and len(text) < 19 else [text]


def _number(cell: str, where: str) -> float:
    text = cell.strip()
    try:
        value = float(text or "nan")
    except ValueError:
        raise DataError(f"{where}: must be a number, not {shown(text)}") from None
    if abs(value) > LARGEST:
        raise DataError(f"{where}: must be a number up to {LARGEST:g}, not {shown(text)}")
    return value
