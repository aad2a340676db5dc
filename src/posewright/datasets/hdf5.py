"""Keypoints in HDF5: DeepLabCut's and Lightning Pose's tables, SLEAP's analysis files; by h5py, where installed.

pandas writes a table in two ways. `format="table"` (DeepLabCut's predictions) heads its columns by a pickle, of which
nothing but lists, tuples and text is understood; `format="fixed"` (its labels) by arrays.
"""

from __future__ import annotations

import json
import pickletools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posewright.datasets import deeplabcut
from posewright.datasets.names import Found, placed
from posewright.datasets.records import DataError
from posewright.files import opened
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

SUFFIXES = (".h5", ".hdf5")
MOST_BYTES = 1 << 30
"""Bytes of an array; a damaged header can promise any count."""


class Table(NamedTuple):
    """Hold a table of pandas': columns of (scorer, individuals where there are some, bodyparts, coords).

    rows: what names each row, in one text or several, or a frame's number. values: (rows, columns).
    """

    columns: list[tuple[str, ...]]
    rows: list[tuple[str, ...]]
    values: Floats


class Tracks(NamedTuple):
    """Hold SLEAP's tracks: K keypoints' names, xy (F, P, K, 2) px, NaN where absent; scores (F, P, K), perhaps NaN."""

    names: list[str]
    xy: Floats
    scores: Floats


def read(path: Path, truth: Sequence[Scene], skeleton: Skeleton) -> list[Scene]:
    """Read predictions, placed beside the true scenes by the pictures' names or the frames' numbers.

    skeleton: which keypoints a table may name. Raises DataError, or ImportError where h5py is not installed.
    """
    content = read_content(path)
    if isinstance(content, Tracks):
        own = Skeleton("the file's", tuple(content.names), ())
        return placed(_tracked(content, path), truth, own)
    labels = ("scorer", "individuals", "bodyparts", "coords")
    heads = labels if len(content.columns[0]) == 4 else (labels[0], *labels[2:])
    width = len(content.rows[0]) if content.rows else 1
    first, *others = [
        [head] + [""] * (width - 1) + list(cells)
        for head, cells in zip(heads, zip(*content.columns, strict=True), strict=True)
    ]
    numbers = (
        (f"{path}: row {place}", [*names, *map(str, values)])
        for place, (names, values) in enumerate(zip(content.rows, content.values.tolist(), strict=True))
    )
    rows = chain([(str(path), one) for one in others], numbers)
    own, found = deeplabcut.read(first, rows, skeleton, str(path))
    return placed(found, truth, own)


def read_content(path: Path) -> Table | Tracks:
    """Read a table of pandas' or SLEAP's tracks, told by what is inside; raises as `read` does."""
    with opened_hdf5(path) as file:
        if "tracks" in file and "node_names" in file:
            return _tracks(path, file)
        for group in file.values():
            if "table" in group:
                return _checked(path, _appended(path, group["table"]))
            if "block0_values" in group:
                return _checked(path, _fixed(path, group))
        raise DataError(f"{path}: holds neither SLEAP's tracks nor a table of DeepLabCut's")


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """Open a file by h5py; whatever a damaged one makes it stumble over is a DataError."""
    try:
        import h5py
    except ImportError:
        raise ImportError(f"{path}: .h5 needs the package h5py: pip install h5py") from None
    with opened(path):
        pass
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes h5py stumble over
        raise DataError(f"{path}: not an HDF5 file of keypoints: {' '.join(str(error).split())[:120]}") from None


def _tracks(path: Path, file: Any) -> Tracks:
    """Read `tracks`, which has a place for each person: (tracks, 2, nodes, frames), unless its own `dims` say else."""
    names = _texts(path, file["node_names"])
    xy = _ordered(path, file["tracks"], ("track", "xy", "node", "frame"), ("frame", "track", "node", "xy"))
    if xy.shape[2:] != (len(names), 2):
        raise DataError(f"{path}: tracks must be (tracks, 2, {len(names)} nodes, frames), not {file['tracks'].shape}")
    scores = np.full(xy.shape[:-1], np.nan)
    if "point_scores" in file:
        told = _ordered(path, file["point_scores"], ("track", "node", "frame"), ("frame", "track", "node"))
        if told.shape == scores.shape:
            scores = np.where(np.isfinite(xy[..., 0]), np.clip(told, 0, 1), np.nan)
    return Tracks(names, xy, scores)


def _ordered(path: Path, data: Any, usual: Sequence[str], wanted: Sequence[str]) -> Floats:
    """Return an array with its axes in the wanted order; they are called by its `dims`, else as usual."""
    told = data.attrs.get("dims")
    dims = json.loads(told) if isinstance(told, str | bytes) else list(usual)
    if len(data.shape) != len(usual) or not isinstance(dims, list) or sorted(map(str, dims)) != sorted(wanted):
        raise DataError(f"{path}: {data.name[1:]} must be ({', '.join(usual)}), not {data.shape}")
    return _numbers(path, data).transpose([dims.index(axis) for axis in wanted])


def _tracked(tracks: Tracks, path: Path) -> Found:
    """Yield who is in each frame, a track after the other; a point without a score has 1."""
    for frame, (people, rated) in enumerate(zip(tracks.xy, tracks.scores, strict=True)):
        for xy, told in zip(people, rated, strict=True):
            there = np.isfinite(xy).all(1)
            if there.any():
                scores = np.where(there, np.nan_to_num(told, nan=1.0), 0.0)
                body = Person(np.where(there[:, None], xy, np.nan), scores=scores, score=float(scores[there].mean()))
                yield f"{path}: frame {frame}", [frame], body


def _appended(path: Path, table: Any) -> Table:
    """Read what pandas writes as `format="table"`: records of an index and a row of numbers."""
    told = table.attrs["values_block_0_kind"]
    columns = _pickled(path, told.encode() if isinstance(told, str) else bytes(told))
    values = _numbers(path, table, "values_block_0")
    index = table["index"] if "index" in (table.dtype.names or ()) else np.arange(len(table))
    return Table(columns, [(_text(one),) for one in index], values)


def _fixed(path: Path, group: Any) -> Table:
    """Read what pandas writes as `format="fixed"`: levels and places in them, for columns as for rows."""
    return Table(
        _axis(path, group, "block0_items"), _axis(path, group, "axis1"), _numbers(path, group["block0_values"])
    )


def _axis(path: Path, group: Any, name: str) -> list[tuple[str, ...]]:
    if name in group:
        return [(one,) for one in _texts(path, group[name])]
    levels: list[list[str]] = []
    while f"{name}_level{len(levels)}" in group:
        at = f"{name}_level{len(levels)}"
        known = _texts(path, group[at])
        places = _numbers(path, group[at.replace("_level", "_label")]).astype(int).tolist()
        if not all(0 <= place < len(known) for place in places):
            raise DataError(f"{path}: {at}: its places must be from 0 to {len(known) - 1}")
        levels.append([known[place] for place in places])
    return list(zip(*levels, strict=True))


def _text(one: Any) -> str:
    return one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)


def _numbers(path: Path, data: Any, field: str | None = None) -> Floats:
    bounded(path, data)
    return np.asarray(data[field] if field else data[:], np.float64)


def _texts(path: Path, data: Any) -> list[str]:
    bounded(path, data)
    return [_text(one) for one in data[:]]


def bounded(path: Path, data: Any) -> None:
    """Refuse an array before it is read that would take more memory than anybody's keypoints."""
    if int(np.prod([int(n) for n in data.shape], dtype=object)) * data.dtype.itemsize > MOST_BYTES:
        raise DataError(f"{path}: {data.name[1:]} promises more than {MOST_BYTES:,} bytes")


def _checked(path: Path, table: Table) -> Table:
    widths = {len(column) for column in table.columns}
    if table.values.shape != (len(table.rows), len(table.columns)) or len(widths) != 1 or not widths <= {3, 4}:
        raise DataError(
            f"{path}: its columns must be named scorer, individuals where there are some, bodyparts, coords"
        )
    return table


def _pickled(path: Path, data: bytes) -> list[tuple[str, ...]]:
    """Return the columns' names, which pandas writes as a pickle; nothing but lists, tuples and text is understood."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    marks: list[int] = []
    for code, value, _ in pickletools.genops(data):
        name = code.name
        if name == "MARK":
            marks.append(len(stack))
        elif name.endswith("UNICODE"):
            stack.append(str(value))
        elif name in ("LIST", "TUPLE"):
            start = marks.pop()
            stack[start:] = [tuple(stack[start:]) if name == "TUPLE" else list(stack[start:])]
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            stack[-int(name[-1]) :] = [tuple(stack[-int(name[-1]) :])]
        elif name in ("APPEND", "APPENDS"):
            start = marks.pop() if name == "APPENDS" else len(stack) - 1
            stack[start - 1].extend(stack[start:])
            del stack[start:]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if value is None else int(value)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(value or 0)])
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise DataError(f"{path}: its columns' names are a pickle that holds more than names; refused")
    return [tuple(map(str, column)) for column in stack[0]]
