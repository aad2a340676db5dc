"""Keypoints in tables: DeepLabCut's wide .csv, the long ones of Caliscope and FreeMoCap, and our .npz."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.arrays import read_arrays
from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.multiview.views import View, Views
from posewright.skeleton import Skeleton


def read(path: Path, skeleton: Skeleton | None = None) -> list[View]:
    """Read a .csv, also gzipped: a wide table is one camera, a long one holds all; raises DataError."""
    rows = list(csv.reader(io.StringIO(bytes(read_bytes(path)).decode("utf-8-sig", errors="replace"))))
    if len(rows) < 2:
        raise DataError(f"{path}: an empty table")
    if rows[0][0] == "scorer":
        return [_wide(path, rows, skeleton)]
    if "sync_index" in rows[0]:
        return _long(path, rows, skeleton)
    raise DataError(f"{path}: neither DeepLabCut's table (scorer, bodyparts, coords) nor one with a column sync_index")


def read_npz(path: Path, skeleton: Skeleton | None, fps: float | None) -> Views:
    """Read arrays xy (V, F, K, 2) or (V, F, P, K, 2) and scores, with cameras, keypoints and fps where they are."""
    arrays = read_arrays(path)
    if "xy" not in arrays:
        raise DataError(f"{path}: holds no array xy, only {', '.join(arrays)}")
    xy = arrays["xy"].astype(np.float64)
    xy = xy[:, :, None] if xy.ndim == 4 else xy
    if xy.ndim != 5 or xy.shape[-1] != 2:
        raise DataError(f"{path}: xy must be (views, frames, people, keypoints, 2), not {arrays['xy'].shape}")
    scores = (
        arrays["scores"].astype(np.float64).reshape(xy.shape[:-1])
        if "scores" in arrays
        else np.full(xy.shape[:-1], np.nan)
    )
    names = tuple(map(str, arrays["cameras"])) if "cameras" in arrays else tuple(f"cam_{n}" for n in range(len(xy)))
    own = skeleton or named(list(map(str, arrays.get("keypoints", []))) or [f"point_{k}" for k in range(xy.shape[3])])
    if len(own) != xy.shape[3]:
        raise DataError(f"{path}: {xy.shape[3]} keypoints; {own.name} has {len(own)}")
    rate = fps if fps is not None or "fps" not in arrays else float(arrays["fps"])
    return Views(names, own, xy, scores, int(arrays.get("start", 0)), rate)


def write_npz(path: Path, views: Views) -> None:
    """Write views in the form of `read_npz`."""
    from posewright.files import write_whole

    buffer = io.BytesIO()
    rate: dict[str, Any] = {} if views.fps is None else {"fps": np.array(views.fps)}
    np.savez_compressed(buffer, xy=views.xy, scores=views.scores, cameras=np.array(views.cameras),
                        keypoints=np.array(views.skeleton.keypoints), start=np.array(views.start), **rate)  # fmt: skip
    write_whole(path, buffer.getvalue())


def _wide(path: Path, rows: list[list[str]], skeleton: Skeleton | None) -> View:
    """Read DeepLabCut's table: three rows of headings, or four with individuals; a number, then x, y, likelihood."""
    heads = {row[0]: row[1:] for row in rows[:4] if row and row[0] in ("scorer", "individuals", "bodyparts", "coords")}
    if not {"bodyparts", "coords"} <= heads.keys():
        raise DataError(f"{path}: must have rows scorer, bodyparts and coords above its numbers")
    parts, people = heads["bodyparts"], heads.get("individuals", ["one"] * len(heads["bodyparts"]))
    values = _numbers(path, rows[len(heads) :], 1 + len(parts))
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    return wide(path, name, parts, people, heads["coords"], values, skeleton)


def wide(
    path: Path, name: str, parts: list[str], people: list[str], coords: list[str], values: np.ndarray,
    skeleton: Skeleton | None,
) -> View:  # fmt: skip
    """Return the view of a table whose rows are a frame's number and then numbers, each of which is headed thrice."""
    names, persons = list(dict.fromkeys(parts)), list(dict.fromkeys(people))
    own = skeleton or named(names)
    if len(own) != len(names):
        raise DataError(f"{path}: {len(names)} keypoints; {own.name} has {len(own)}")
    found = np.full((len(values), len(persons), len(names), 3), np.nan)
    for column, (part, person, coordinate) in enumerate(zip(parts, people, coords, strict=True)):
        if coordinate in ("x", "y", "likelihood"):
            place = ("x", "y", "likelihood").index(coordinate)
            found[:, persons.index(person), names.index(part), place] = values[:, 1 + column]
    scores = np.where(np.isfinite(found[..., 0]), found[..., 2], np.nan)
    return View(name, values[:, 0].astype(int), found[..., :2], scores, own)


def _long(path: Path, rows: list[list[str]], skeleton: Skeleton | None) -> list[View]:
    """Read a table of sync_index, cam_id or port, keypoint_id or point_id, img_loc_x, img_loc_y; no score there."""
    heads = rows[0]
    camera = next((h for h in ("cam_id", "port") if h in heads), None)
    point = next((h for h in ("keypoint_id", "point_id") if h in heads), None)
    if camera is None or point is None or not {"img_loc_x", "img_loc_y"} <= set(heads):
        raise DataError(f"{path}: must have columns cam_id or port, keypoint_id or point_id, img_loc_x, img_loc_y")
    wanted = [heads.index(h) for h in ("sync_index", camera, point, "img_loc_x", "img_loc_y")]
    values = _numbers(path, [[row[c] if c < len(row) else "" for c in wanted] for row in rows[1:]], 5)
    ids = np.unique(values[:, 2].astype(int))
    own = skeleton or named([f"point_{n}" for n in ids])
    if len(own) != len(ids):
        raise DataError(f"{path}: {len(ids)} keypoints; {own.name} has {len(own)}")
    views = []
    for name in np.unique(values[:, 1].astype(int)):
        part = values[values[:, 1] == name]
        frames, row = np.unique(part[:, 0].astype(int), return_inverse=True)
        xy = np.full((len(frames), 1, len(ids), 2), np.nan)
        xy[row, 0, np.searchsorted(ids, part[:, 2].astype(int))] = part[:, 3:]
        views.append(View(f"cam_{name}", frames, xy, np.full(xy.shape[:-1], np.nan), own))
    return views


def _numbers(path: Path, rows: list[list[str]], width: int) -> np.ndarray:
    kept = [row for row in rows if row]
    if any(len(row) != width for row in kept):
        raise DataError(f"{path}: rows must all have {width} fields")
    try:
        return np.array([[float(v) if v else np.nan for v in row] for row in kept], np.float64).reshape(-1, width)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None


def named(names: list[str]) -> Skeleton:
    """Return a skeleton of keypoints that a file names."""
    return Skeleton("named in the file", tuple(names), ())
