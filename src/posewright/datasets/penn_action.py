"""Penn Action (Zhang, Zhu and Derpanis, ICCV 2013): actions in short videos, one person a frame, 13 keypoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import array_of
from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, HIDDEN, SEEN, Floats, Person, Scene
from posewright.skeleton import PENN_ACTION

SPLITS = {"train": 1, "test": -1}
"""What `train` says of a video."""


def read(root: Path, split: str) -> list[Scene]:
    """Read Penn Action, one scene a frame, without decoding any.

    `labels/0001.mat` beside `frames/0001/000001.jpg`. Coordinates and boxes count from 1 and lose 1. visibility 1 is
    seen, 0 hidden; a hidden keypoint at (1, 1), where the annotators left those that they could not place, is absent.
    Some videos have fewer boxes than frames: the others have none. A scene's id is "0001/000001", its group the video.
    Raises DataError.
    """
    root = Path(root)
    if split not in SPLITS:
        raise DataError(f"{root}: no split {split!r}; there is {' and '.join(SPLITS)}")
    files = sorted((root / "labels").glob("*.mat"))
    if not files:
        raise DataError(f"{root / 'labels'}: holds no labels of videos, such as 0001.mat")
    return [scene for path in files for scene in _video(root, path, split)]


def _video(root: Path, path: Path, split: str) -> list[Scene]:
    file, where = read_matlab(path), str(path)
    told = array_of(file, "train", where, (1, 1))[0, 0]
    if told not in SPLITS.values():
        raise DataError(f"{path}: train: must be 1 or -1, not {told}")
    if told != SPLITS[split]:
        return []
    count = len(PENN_ACTION)
    x = array_of(file, "x", where, (None, count)).astype(np.float64)
    y, seen = (array_of(file, name, where, x.shape) for name in ("y", "visibility"))
    if not np.isin(seen, (0, 1)).all():
        raise DataError(f"{path}: visibility: must be 0 or 1")
    boxes = array_of(file, "bbox", where, (None, 4)).astype(np.float64) - 1
    height, width = array_of(file, "dimensions", where, (1, 3))[0, :2].astype(int).tolist()
    xy = np.stack([x, y.astype(np.float64)], -1)
    frames = root / "frames" / path.stem
    return [
        Scene(
            frames / f"{number:06d}.jpg",
            PENN_ACTION,
            (_person(one, shown > 0, boxes[number - 1] if number <= len(boxes) else None),),
            (width, height),
            id=f"{path.stem}/{number:06d}",
            group=path.stem,
        )
        for number, (one, shown) in enumerate(zip(xy, seen, strict=True), 1)
    ]


def _person(xy: Floats, seen: NDArray[np.bool_], box: Floats | None) -> Person:
    absent = ~seen & (xy == 1).all(1)
    visible = np.where(absent, ABSENT, np.where(seen, SEEN, HIDDEN)).astype(np.uint8)
    return Person(np.where(absent[:, None], np.nan, xy - 1), visible, box=box, id=0)
