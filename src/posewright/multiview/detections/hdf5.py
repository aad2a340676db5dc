"""One camera's keypoints in HDF5, as `datasets.hdf5` reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.datasets.hdf5 import Table, Tracks, read_content
from posewright.datasets.records import DataError
from posewright.multiview.detections.tables import named, wide
from posewright.multiview.views import View
from posewright.skeleton import Skeleton


def read(path: Path, skeleton: Skeleton | None = None) -> View:
    """Read one camera's .h5, told by its content; raises DataError, or ImportError where h5py is not installed.

    SLEAP's tracks have a place for each person; a table of pandas' has x, y and likelihood of each keypoint, and of
    each individual where there are several.
    """
    content = read_content(path)
    return _tracked(path, content, skeleton) if isinstance(content, Tracks) else _table(path, content, skeleton)


def _tracked(path: Path, tracks: Tracks, skeleton: Skeleton | None) -> View:
    own = skeleton or named(tracks.names)
    if len(own) != len(tracks.names):
        raise DataError(f"{path}: {len(tracks.names)} keypoints; {own.name} has {len(own)}")
    name = path.name.removesuffix(".h5").removesuffix(".analysis")
    return View(name, np.arange(len(tracks.xy)), tracks.xy, tracks.scores, own)


def _table(path: Path, table: Table, skeleton: Skeleton | None) -> View:
    parts, coords = ([column[place] for column in table.columns] for place in (-2, -1))
    people = [column[1] if len(column) == 4 else "one" for column in table.columns]
    frames = [cells[-1] for cells in table.rows]
    if not all(frame.isascii() and frame.isdecimal() and len(frame) < 10 for frame in frames):
        raise DataError(f"{path}: its rows must be numbered by frames, as those of a video's predictions are")
    numbers = np.column_stack([np.array(frames, np.float64), table.values])
    return wide(path, path.name.removesuffix(".h5"), parts, people, coords, numbers, skeleton)
