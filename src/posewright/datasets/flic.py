"""FLIC, Frames Labeled In Cinema (Sapp and Taskar, CVPR 2013): upper bodies of one person a frame, 11 keypoints.

Its full form has everybody's labels, good and bad; FLIC-plus (Tompson et al. 2014, arXiv:1406.2984) are those of the
full form that show none of the test set's scenes. Left and right are the person's; of people seen from behind some
labels have them the wrong way round, and they are kept. Nobody told hidden from seen, so all labelled are *seen*.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.arrays import array_of
from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, SEEN, Person, Scene
from posewright.skeleton import FLIC

COLUMNS = (0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16)
"""Where our keypoints stand among the file's 29 columns, whose others are not labelled."""
SPLITS = {"train": "istrain", "test": "istest"}


def read(root: Path, split: str) -> list[Scene]:
    """Read FLIC or FLIC-full, one scene an example, without decoding any picture.

    `examples.mat` beside `images/`. Split: train, test; full: all; plus: the rows of `tr_plus_indices.mat`, counted
    from 1. An example that is marked bad or unchecked is left out of train. Coordinates count from 1 and lose 1; NaN is
    absent. box: the torso's, all that is labelled; the person's is unknown. A scene's id is its number in the file,
    from 1, for the same frame may stand there several times; its group is the film. Raises DataError.
    """
    path = Path(root) / "examples.mat"
    file = read_matlab(path, squeeze_me=True, struct_as_record=False)
    if "examples" not in file:
        raise DataError(f"{path}: examples: missing; the file holds {', '.join(file) or 'nothing'}")
    rows = np.atleast_1d(file["examples"])
    chosen = _chosen(Path(root), path, rows, split)
    return [_scene(Path(root) / "images", rows[i], i + 1, path) for i in chosen]


def _chosen(root: Path, path: Path, rows: Any, split: str) -> list[int]:
    if split == "full":
        return list(range(len(rows)))
    if split == "plus":
        where = root / "tr_plus_indices.mat"
        numbers = array_of(read_matlab(where, squeeze_me=True), "tr_plus_indices", str(where), (None,)).astype(int)
        if ((numbers < 1) | (numbers > len(rows))).any():
            raise DataError(f"{where}: tr_plus_indices: must count from 1 to {len(rows)}, the examples of {path.name}")
        return (numbers - 1).tolist()
    if split not in SPLITS:
        raise DataError(f"{path}: no split {split!r}; there is train, test, full and plus")
    kept = []
    for i, row in enumerate(rows):
        bad = any(bool(getattr(row, name, False)) for name in ("isbad", "isunchecked"))
        if bool(_field(row, SPLITS[split], f"{path}: example {i + 1}")) and not (split == "train" and bad):
            kept.append(i)
    return kept


def _field(row: Any, name: str, where: str) -> Any:
    if not hasattr(row, name):
        raise DataError(f"{where}: {name}: missing")
    return getattr(row, name)


def _scene(images: Path, row: Any, number: int, path: Path) -> Scene:
    where = f"{path}: example {number}"
    coords = np.asarray(_field(row, "coords", where))
    if coords.dtype.kind not in "iuf" or coords.ndim != 2 or coords.shape[0] != 2 or coords.shape[1] <= COLUMNS[-1]:
        raise DataError(f"{where}: coords: must be numbers of the shape (2, 29), not {coords.dtype} {coords.shape}")
    xy = coords.T[list(COLUMNS)].astype(np.float64) - 1
    labelled = np.isfinite(xy).all(1)
    xy[~labelled] = np.nan
    torso = np.asarray(_field(row, "torsobox", where))
    if torso.dtype.kind not in "iuf" or torso.shape != (4,) or not np.isfinite(torso).all():
        raise DataError(f"{where}: torsobox: must be four numbers, x0, y0, x1, y1")
    name = _field(row, "filepath", where)
    if not isinstance(name, str) or not name:
        raise DataError(f"{where}: filepath: must be a text")
    visible = np.where(labelled, SEEN, ABSENT).astype(np.uint8)
    person = Person(xy, visible, box=torso.astype(np.float64) - 1, id=number)
    film = getattr(row, "moviename", None)
    group = film if isinstance(film, str) and film else None
    return Scene(images / name, FLIC, (person,), _size(row), id=number, group=group)


def _size(row: Any) -> tuple[int, int] | None:
    dimensions = np.ravel(getattr(row, "imgdims", ()))
    if dimensions.dtype.kind not in "iuf" or len(dimensions) < 2 or not (dimensions[:2] >= 1).all():
        return None
    return int(dimensions[1]), int(dimensions[0])
