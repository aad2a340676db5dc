"""Keypoints in HDF5: DeepLabCut's and Lightning Pose's tables, and SLEAP's analysis files; by h5py, where installed."""

from __future__ import annotations

import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.records import DataError
from posewright.multiview.detections.tables import named, wide
from posewright.multiview.views import View
from posewright.skeleton import Skeleton


def read(path: Path, skeleton: Skeleton | None = None) -> View:
    """Read one camera's .h5, told by its content; raises DataError, or ImportError where h5py is not installed.

    SLEAP's `tracks` (tracks, 2, nodes, frames) has a place for each person; a table of pandas' has x, y and likelihood
    of each keypoint, and of each individual where there are several.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError(f"{path}: .h5 needs the package h5py: pip install h5py") from None
    try:
        with h5py.File(path, "r") as file:
            if "tracks" in file and "node_names" in file:
                return _sleap(path, file, skeleton)
            tables = [group for group in file.values() if isinstance(group, h5py.Group) and "table" in group]
            if not tables:
                raise DataError(f"{path}: holds neither SLEAP's tracks nor a table of DeepLabCut's")
            return _deeplabcut(path, tables[0]["table"], skeleton)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file makes h5py stumble over
        raise DataError(f"{path}: not an HDF5 file of keypoints: {' '.join(str(error).split())[:120]}") from None


def _sleap(path: Path, file: Any, skeleton: Skeleton | None) -> View:
    tracks = np.asarray(file["tracks"], np.float64)
    names = [one.decode() if isinstance(one, bytes) else str(one) for one in file["node_names"][:]]
    if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
        raise DataError(f"{path}: tracks must be (tracks, 2, {len(names)} nodes, frames), not {tracks.shape}")
    own = skeleton or named(names)
    if len(own) != len(names):
        raise DataError(f"{path}: {len(names)} keypoints; {own.name} has {len(own)}")
    xy = tracks.transpose(3, 0, 2, 1)
    scores = np.full(xy.shape[:-1], np.nan)
    if "point_scores" in file and file["point_scores"].shape == (len(tracks), len(names), xy.shape[0]):
        told = np.asarray(file["point_scores"], np.float64).transpose(2, 0, 1)
        scores = np.where(np.isfinite(xy[..., 0]), np.clip(told, 0, 1), np.nan)
    return View(path.name.removesuffix(".h5").removesuffix(".analysis"), np.arange(len(xy)), xy, scores, own)


def _deeplabcut(path: Path, table: Any, skeleton: Skeleton | None) -> View:
    told = table.attrs["values_block_0_kind"]
    columns = _names(path, told.encode() if isinstance(told, str) else bytes(told))
    values = np.asarray(table["values_block_0"], np.float64)
    if (
        values.shape[1] != len(columns)
        or len({len(column) for column in columns}) != 1
        or len(columns[0]) not in (3, 4)
    ):
        raise DataError(
            f"{path}: its columns must be named scorer, individuals where there are some, bodyparts, coords"
        )
    parts, coords = ([column[place] for column in columns] for place in (-2, -1))
    people = [column[1] if len(column) == 4 else "one" for column in columns]
    numbers = np.column_stack([np.asarray(table["index"], np.float64), values])
    return wide(path, path.name.removesuffix(".h5"), parts, people, coords, numbers, skeleton)


def _names(path: Path, data: bytes) -> list[tuple[str, ...]]:
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
