"""Predictions as a table: values separated by commas, semicolons or tabs, one person a row, columns by name.

    image,person,score,nose_x,nose_y,nose_score,left_eye_x,left_eye_y,...
    im1.jpg,1,0.9,101.5,42,0.8,,,...

`image` is the picture's id, path or file name. `person`, `score`, `box_x0`, `box_y0`, `box_x1`, `box_y1` and the
keypoints' scores may be left out. An empty cell or NaN is an absent keypoint; where no comma separates, it may be the
decimal point. Keypoints may be spelt in any usual style, parts of a column be joined by `_`, `.` or a space (SLEAP's
`nose.x`), and columns of nothing known are left out, which is said. DeepLabCut's tables are known by `scorer` in their
first cell, see `deeplabcut`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from posewright.datasets import deeplabcut
from posewright.datasets.content import LOOKED, opened
from posewright.datasets.names import Found, Name, placed
from posewright.datasets.records import LARGEST, DataError, limits, say, shown
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton
from posewright.skeleton.spelling import spelt

PICTURES = ("image", "image_id", "image_name", "file_name", "filename", "file", "path", "frame_idx", "frame")
"""Columns that may name the picture, best first."""
_KEYPOINT = re.compile(r"(?P<name>.+?)[ _.-]?(?<![a-z])(?P<what>x|y|score|likelihood|confidence|conf)$", re.IGNORECASE)
_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_THIRD = {"x": "x", "y": "y"}
BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
Row = Mapping[str, str]


def read_table(path: Path, truth: Sequence[Scene], skeleton: Skeleton) -> list[Scene]:
    """Read a table, placed beside the true scenes by the pictures' names.

    skeleton: which keypoints columns may name; the scenes have those of them that the table has, in its order.
    A person without a score gets the mean of the keypoints', or 1. Raises DataError.
    """
    with opened(path) as file:
        rows = _rows(file, path)
        header = [cell.strip() for cell in next(rows)[1]]
        if header[0] == "scorer":
            own, found = deeplabcut.read(header, rows, skeleton, str(path))
        else:
            columns = _columns(header, path, skeleton)
            own = skeleton.only(k for k in skeleton.keypoints if f"{k}_x" in columns)
            found = _found(rows, columns, own)
        return placed(found, truth, own)


def _rows(file: IO[bytes], path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of a file with where each one ends."""
    lines = _lines(file, path)
    head = next(lines, "")
    mark = max(",;\t", key=head.count)
    reader = csv.reader(chain([head], lines), strict=True, delimiter=mark)
    try:
        for cells in reader:
            yield f"{path}: line {reader.line_num}", cells if mark == "," else [_point(cell) for cell in cells]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: not comma-separated: {error}") from None


def _point(cell: str) -> str:
    """Return a number's cell with a decimal point, where commas part no cells."""
    return cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell


def _lines(file: IO[bytes], path: Path) -> Iterator[str]:
    """Yield the lines of a file as text; one that has no end is refused before it fills the memory."""
    number = 0
    while line := file.readline(LOOKED):
        number += 1
        if len(line) == LOOKED:
            raise DataError(f"{path}: line {number}: longer than {LOOKED} bytes; a row is one person")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}: line {number}: not text in UTF-8") from None


def _columns(header: list[str], path: Path, skeleton: Skeleton) -> list[str]:
    """Return the columns by the names that they have here, those of nothing known in brackets; says which these are."""
    columns = _known(header, skeleton)
    where = f"{path}: line 1"
    if len(set(columns)) != len(columns):
        raise DataError(f"{where}: column {shown(next(c for c in columns if columns.count(c) > 1))} stands twice")
    if not any(name.endswith("_x") for name in columns):
        raise DataError(
            f"{where}: no keypoint's columns, such as {skeleton.keypoints[0]}_x; it has {', '.join(header[:6])}"
        )
    if "image" not in columns:
        raise DataError(f"{where}: no column image, which says whose picture it is")
    for keypoint in skeleton.keypoints:
        inside = [f"{keypoint}_{c}" for c in ("x", "y", "score") if f"{keypoint}_{c}" in columns]
        if inside and inside[:2] != [f"{keypoint}_x", f"{keypoint}_y"]:
            raise DataError(f"{where}: {keypoint} needs both {keypoint}_x and {keypoint}_y")
    strange = [name[1:-1] for name in columns if name.startswith("[")]
    if strange:
        say(f"{where}: columns of no keypoint of {skeleton.name} left out: {', '.join(strange)}")
    return columns


def _known(header: Sequence[str], skeleton: Skeleton) -> list[str]:
    """Give columns the names that they have here; the first that may name the picture does."""
    parts = [_KEYPOINT.match(name) for name in header]
    keypoints = dict(zip(skeleton.spelt, skeleton.keypoints, strict=True))
    spelling = iter(spelt([part["name"] for part in parts if part]))
    own = [keypoints.get(next(spelling)) if part else None for part in parts]
    picture = next((name for name in PICTURES if name in map(str.lower, header)), None)
    known = {"person": "person", "track": "person", "score": "score", "instance.score": "score"}
    known |= {name: name for name in BOX} | ({picture: "image"} if picture else {})
    return [
        f"{name}_{_THIRD.get(part['what'].lower(), 'score')}"
        if part and name
        else known.get(column.lower(), f"[{column}]")
        for column, part, name in zip(header, parts, own, strict=True)
    ]


def _found(rows: Iterator[tuple[str, list[str]]], columns: list[str], skeleton: Skeleton) -> Found:
    for where, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise DataError(f"{where}: {len(cells)} cells for {len(columns)} columns")
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        yield f"{where}: image", _names(row, where), _person(row, where, skeleton)


def _names(row: Row, where: str) -> Sequence[Name]:
    """Return what a picture may be called: a number may be an id, or the text of one."""
    text = row["image"]
    if not text:
        raise DataError(f"{where}: image: empty; it must name the picture")
    return [int(text), text] if text.isascii() and text.isdecimal() and len(text) < 19 else [text]


def _person(row: Row, where: str, skeleton: Skeleton) -> Person:
    keypoints = np.array([[_number(row, f"{k}_{c}", where) for c in "xy"] for k in skeleton.keypoints])
    absent = np.isnan(keypoints)
    if (absent[:, 0] != absent[:, 1]).any():
        name = skeleton.keypoints[int(np.argmax(absent[:, 0] != absent[:, 1]))]
        raise DataError(f"{where}: {name}: one of x and y is empty; both are, where it is absent")
    scores = _scores(row, where, skeleton, ~absent[:, 0])
    score = _number(row, "score", where)
    if np.isnan(score):
        score = 1.0 if scores is None else float(scores[~absent[:, 0]].mean()) if not absent.all() else 0.0
    corners = np.array([_number(row, name, where) for name in BOX])
    if not np.isnan(corners).all() and not (corners[2:] >= corners[:2]).all():
        raise DataError(f"{where}: box_x0, box_y0, box_x1, box_y1 must be four numbers with x1 >= x0 and y1 >= y0")
    box = None if np.isnan(corners).all() else corners
    area = None if box is None else float(np.prod(box[2:] - box[:2]))
    return Person(keypoints, scores=scores, score=score, box=box, area=area, id=row.get("person") or None)


def _scores(row: Row, where: str, skeleton: Skeleton, found: np.ndarray) -> Floats | None:
    """Return the keypoints' scores: 0 where absent, 1 where there is none, None where no column tells."""
    if not any(f"{k}_score" in row for k in skeleton.keypoints):
        return None
    told = np.array([_number(row, f"{k}_score", where) for k in skeleton.keypoints])
    return np.asarray(np.where(found, np.where(np.isnan(told), 1.0, told), 0.0))


def _number(row: Row, column: str, where: str) -> float:
    """Return a cell's number; NaN where it is empty or there is no such column."""
    text = row.get(column, "")
    if text.lower() in ("", "nan", "none", "null"):
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= LARGEST:
        raise DataError(f"{where}: {column}: must be {limits(-LARGEST, LARGEST, value)}, not {shown(text)}")
    return value
