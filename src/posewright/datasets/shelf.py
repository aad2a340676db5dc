"""Shelf and Campus (Belagiannis et al., CVPR 2014): up to four people before five cameras, three before three.

Read as they are published: `actorsGT.mat`, whose `actor3D` has a cell for each actor and frame, in m, and pictures in
Camera0, Camera1, ... The cameras are `calibration_shelf.json` or `calibration_campus.json` of VoxelPose, where T is a
camera's centre in mm, or else P0.txt, P1.txt, ... (or Calibration/P0.txt), 3 x 4 matrices in m. All keypoints of an
actor are SEEN where they fall into a picture: nobody says which are hidden.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posewright.datasets.documents import read_bytes, read_json
from posewright.datasets.layout import find_file
from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError, Floats, Record, record_of
from posewright.datasets.views import turn
from posewright.geometry import Camera
from posewright.scene import ABSENT, SEEN, Person, Scene, box_around
from posewright.skeleton import SHELF

FRAMES = {"shelf": range(300, 601), "campus": [*range(350, 471), *range(650, 751)]}
"""The frames on which both are judged, counted from 0 as their pictures are."""
SIZES = {"shelf": (1032, 776), "campus": (360, 288)}
PICTURES = {"shelf": "Camera{camera}/img_{frame:06d}.png", "campus": "Camera{camera}/campus4-c{camera}-{frame:05d}.png"}
METRES = 1000.0
TERMS = "Shelf and Campus, campar.in.tum.de/Chair/MultiHumanPose; no licence stated"


def read(root: Path, split: str) -> list[Scene]:
    """Read one scene a camera and frame, `points3d` in mm of the world, without decoding any picture.

    split: test, the frames that both are judged on, or all. Campus is told by its three cameras. A scene's group is the
    instant, all cameras together; all are frames of one video. Raises DataError.
    """
    root = Path(root)
    if split not in ("test", "all"):
        raise DataError(f"{root}: no split {split!r}; there is test and all")
    file = find_file(root, ["actorsGT.mat"], "Shelf's or Campus' actors")
    actors = _actors(file)
    cameras = read_cameras(root)
    name = "campus" if len(cameras) == 3 else "shelf"
    count = max(map(len, actors))
    scenes = []
    for frame in range(count) if split == "all" else [f for f in FRAMES[name] if f < count]:
        told = [(n, actor[frame]) for n, actor in enumerate(actors) if frame < len(actor)]
        there = [(n, points) for n, points in told if points is not None]
        for number, camera in cameras.items():
            image = root / PICTURES[name].format(camera=number, frame=frame)
            people = tuple(_person(points, n, camera, SIZES[name]) for n, points in there)
            label, instant = (f"{name}/{part}{frame:06d}" for part in (f"{number}/", ""))
            scenes.append(Scene(image, SHELF, people, SIZES[name], camera, label, group=instant))
    return scenes


def read_cameras(root: Path) -> dict[str, Camera]:
    """Read the cameras by their numbers, in mm; raises DataError where neither form is there."""
    for path in (root / f"calibration_{name}.json" for name in FRAMES):
        if path.is_file():
            told = record_of(read_json(path), str(path))
            return {number: _camera(record_of(told.get(number), f"{path}: camera {number}")) for number in told.fields}
    for folder in (root / "Calibration", root):
        files = sorted(p for p in folder.glob("P*.txt") if re.fullmatch(r"P\d+", p.stem))
        if files:
            return {file.stem[1:]: _decomposed(file) for file in files}
    raise DataError(f"{root}: holds no calibration_shelf.json, calibration_campus.json or P0.txt, P1.txt, ...")


def _camera(record: Record) -> Camera:
    R = turn(record, "R")
    T, k, p = (_column(record, key, count) for key, count in (("T", 3), ("k", 3), ("p", 2)))
    fx, fy, cx, cy = (record.number(key) for key in ("fx", "fy", "cx", "cy"))
    return Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), R, -R @ T, np.array([k[0], k[1], *p, k[2]]))


def _column(record: Record, key: str, count: int) -> Floats:
    """Return numbers that stand in one list, or each in a list of its own."""
    try:
        values = np.array(record.items(key), np.float64).ravel()
    except (TypeError, ValueError):
        values = np.empty(0)
    if len(values) != count or not np.isfinite(values).all():
        raise record.wrong(key, f"must be {count} numbers")
    return values


def _decomposed(file: Path) -> Camera:
    """Return the camera of a projection matrix, in m there."""
    try:
        rows = re.split(r"[\n;]", bytes(read_bytes(file)).decode(errors="replace"))
        P = np.array([[float(v) for v in re.split(r"[,\s]+", row.strip())] for row in rows if row.strip()])
        if P.shape != (3, 4) or not np.isfinite(P).all() or abs(np.linalg.det(P[:, :3])) < 1e-12:
            raise ValueError(f"3 rows of 4 numbers are wanted, not {P.shape}")
    except ValueError as error:
        raise DataError(f"{file}: no projection matrix: {' '.join(str(error).split())}") from None
    K, R, centre = (np.asarray(part, np.float64) for part in cv2.decomposeProjectionMatrix(P)[:3])
    at = (centre[:3] / centre[3]).ravel() * METRES
    return Camera(K / K[2, 2], R, -R @ at)


def _actors(file: Path) -> list[list[Floats | None]]:
    """Return for each actor and frame the keypoints (14, 3) mm, None where there are none."""
    content = read_matlab(file)
    if "actor3D" not in content:
        raise DataError(f"{file}: holds no actor3D")
    actors: Any = content["actor3D"]
    if not _holds_cells(actors) or not actors.size:
        raise DataError(f"{file}: actor3D must be a cell for each actor")
    return [
        [_points(cell, f"{file}: actor {n}, frame {f}") for f, cell in enumerate(np.ravel(actor))]
        for n, actor in enumerate(np.ravel(actors))
    ]


def _holds_cells(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def _points(cell: Any, where: str) -> Floats | None:
    while _holds_cells(cell) and cell.size == 1:
        cell = cell.item()
    values = np.asarray(cell)
    if values.dtype.kind not in "fiu":
        raise DataError(f"{where}: must hold numbers")
    if values.size <= 1:
        return None
    if values.shape != (len(SHELF), 3):
        raise DataError(f"{where}: must be {len(SHELF)} x 3, not {values.shape}")
    return values.astype(np.float64) * METRES


def _person(points: Floats, number: int, camera: Camera, size: Sequence[int]) -> Person:
    px = camera.project(points)
    inside = np.logical_and(px > -0.5, px < np.array(size) - 0.5).all(-1) & (camera.view(points)[:, 2] > 0)
    px = np.where(inside[:, None], px, np.nan)
    box = box_around(px) if inside.any() else None
    return Person(px, np.where(inside, SEEN, ABSENT).astype(np.uint8), box=box, points3d=points, id=number)
