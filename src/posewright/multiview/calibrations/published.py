"""Calibrations that data sets come with: CMU Panoptic's JSON and Human3.6M's, and COLMAP's text files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from posewright.datasets.documents import read_bytes, read_json
from posewright.datasets.records import DataError, record_of, records_in
from posewright.geometry import Camera
from posewright.multiview.rig import Rig, Unit, in_mm, rotation, scale_of

COLMAP_MODELS = {
    "SIMPLE_PINHOLE": "f cx cy", "PINHOLE": "fx fy cx cy", "SIMPLE_RADIAL": "f cx cy k1", "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2", "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
}  # fmt: skip
"""COLMAP's cameras and their parameters (doc/cameras); others are refused."""


def read_panoptic(path: Path, unit: Unit | None = None) -> Rig:
    """Read CMU Panoptic's calibration: K, distCoef, R, t in cm, y downwards. HD cameras alone where there are any."""
    content = read_json(path)
    values = content.get("cameras") if isinstance(content, dict) else content
    if not isinstance(values, list) or not values:
        raise DataError(f"{path}: holds no list of cameras")
    records = records_in(values, str(path), "camera")
    kinds = [record.fields.get("type", "hd") for record in records]
    chosen = [r for r, kind in zip(records, kinds, strict=True) if kind == "hd"] or records
    cameras, sizes = {}, {}
    for record in chosen:
        name = str(record.identity("name"))
        K, R, t = (np.array(record.items(key), np.float64) for key in ("K", "R", "t"))
        cameras[name] = Camera(K, rotation(R, record.where), t.ravel(), record.numbers("distCoef", 5))
        width, height = record.numbers("resolution", 2)
        sizes[name] = (int(width), int(height))
    said: Unit = unit or "cm"
    left = len(records) - len(chosen)
    notes = [
        f"Panoptic's calibration; lengths in {said}",
        *([f"{left} cameras that are not HD left out"] if left else []),
    ]
    return Rig(in_mm(cameras, scale_of(said, cameras, str(path))), sizes, "-y", tuple(notes))


def write_panoptic(rig: Rig) -> bytes:
    """Return Panoptic's JSON, in cm; raises ValueError for another lens than OpenCV's five numbers."""
    rows = []
    for n, (name, camera) in enumerate(rig.cameras.items()):
        if camera.lens != "opencv" or len(camera.distortion) > 5:
            raise ValueError(f"camera {name}: Panoptic's file has five numbers of OpenCV's lens alone")
        five = np.concatenate([camera.distortion, np.zeros(5 - len(camera.distortion))])
        size = rig.sizes.get(name, (round(2 * camera.K[0, 2]), round(2 * camera.K[1, 2])))
        numbers = {"K": camera.K, "distCoef": five, "R": camera.R, "t": camera.t[:, None] / 10}
        about = {"name": name, "type": "hd", "resolution": list(size), "panel": 0, "node": n}
        rows.append({**about, **{key: value.tolist() for key, value in numbers.items()}})
    return json.dumps({"cameras": rows}, indent=1).encode()


def read_h36m(path: Path, unit: Unit | None = None, subject: str | None = None) -> Rig:
    """Read Human3.6M's cameras of a subject from JSON (intrinsics, extrinsics by subject), in mm, z up, its own lens.

    subject: such as S1; needed where the file holds several. Raises DataError.
    """
    content = record_of(read_json(path), str(path))
    outer = record_of(content.get("extrinsics"), f"{path}: extrinsics")
    name = subject or (next(iter(outer.fields)) if len(outer.fields) == 1 else None)
    if name is None or name not in outer.fields:
        raise DataError(f"{path}: say whose cameras, as in h36m/S1:FILE; there are {', '.join(outer.fields)}")
    inner = record_of(content.get("intrinsics"), f"{path}: intrinsics")
    cameras = {}
    for key, value in record_of(outer.get(name), f"{path}: {name}").fields.items():
        where = f"{path}: {name}: camera {key}"
        place, lens = record_of(value, where), record_of(inner.get(key), where)
        K = np.array(lens.items("calibration_matrix"), np.float64)
        t = np.array(place.items("t"), np.float64).ravel()
        R = rotation(np.array(place.items("R"), np.float64), where)
        cameras[key] = Camera(K, R, t, lens.numbers("distortion", 5), "h36m")
    note = f"Human3.6M's cameras of {name}, with its own tangential distortion; lengths in {unit or 'mm'}"
    return Rig(in_mm(cameras, scale_of(unit or "mm", cameras, str(path))), {}, "z", (note,))


def write_h36m(rig: Rig) -> bytes:
    """Return the cameras in the form of `read_h36m`, as those of subject S1; raises ValueError for another lens."""
    wrong = [name for name, camera in rig.cameras.items() if camera.lens != "h36m"]
    if wrong:
        raise ValueError(f"camera {wrong[0]}: its lens is {rig.cameras[wrong[0]].lens}, not Human3.6M's")
    inner = {
        n: {"calibration_matrix": c.K.tolist(), "distortion": c.distortion.tolist()} for n, c in rig.cameras.items()
    }
    outer = {n: {"R": c.R.tolist(), "t": c.t[:, None].tolist()} for n, c in rig.cameras.items()}
    return json.dumps({"intrinsics": inner, "extrinsics": {"S1": outer}}, indent=1).encode()


def read_colmap(folder: Path, unit: Unit | None = None) -> Rig:
    """Read COLMAP's cameras.txt and images.txt: one camera a picture, named by it without its suffix.

    Quaternions have their scalar first and take the world to the camera; the centre of the first pixel is (.5, .5)
    there and (0, 0) here. COLMAP's scale is arbitrary, so the unit must be said. Raises DataError.
    """
    lenses = {row[0]: row[1:] for row in _rows(folder / "cameras.txt", 5)}
    images = [row for row in _rows(folder / "images.txt", 10) if row[-1].lower().endswith((".png", ".jpg", ".jpeg"))]
    if not images:
        raise DataError(f"{folder / 'images.txt'}: names no picture")
    cameras, sizes = {}, {}
    for row in images:
        name, where = Path(row[9]).stem, f"{folder}: picture {row[9]}"
        if row[8] not in lenses:
            raise DataError(f"{where}: cameras.txt has no camera {row[8]}")
        model, width, height, *numbers = lenses[row[8]]
        w, x, y, z, *t = (float(v) for v in row[1:8])
        R = Rotation.from_quat([x, y, z, w]).as_matrix()
        cameras[name] = _colmap_camera(model, [float(v) for v in numbers], R, np.array(t), where)
        sizes[name] = (int(width), int(height))
    scale = scale_of(unit, cameras, str(folder))
    return Rig(in_mm(cameras, scale), sizes, None, (f"COLMAP's cameras; lengths taken for {unit}",))


def write_colmap(rig: Rig) -> dict[str, bytes]:
    """Return COLMAP's two text files by their names, in mm; raises ValueError for Human3.6M's lens."""
    lenses, images = [], []
    for n, (name, camera) in enumerate(rig.cameras.items(), 1):
        if camera.lens == "h36m":
            raise ValueError(f"camera {name}: COLMAP has no lens like Human3.6M's")
        K, k = camera.K, camera.distortion
        model = "OPENCV_FISHEYE" if camera.lens == "fisheye" else "FULL_OPENCV" if k[4:].any() else "OPENCV"
        whole = np.concatenate([k, np.zeros(8)])[: len(COLMAP_MODELS[model].split()) - 4]
        size = rig.sizes.get(name, (round(2 * K[0, 2]), round(2 * K[1, 2])))
        numbers = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *whole]
        lenses.append(f"{n} {model} {size[0]} {size[1]} " + " ".join(repr(float(v)) for v in numbers))
        x, y, z, w = Rotation.from_matrix(camera.R).as_quat()
        images.append(f"{n} " + " ".join(repr(float(v)) for v in (w, x, y, z, *camera.t)) + f" {n} {name}.png\n")
    return {"cameras.txt": ("\n".join(lenses) + "\n").encode(), "images.txt": ("\n".join(images) + "\n").encode()}


def _rows(path: Path, fewest: int) -> list[list[str]]:
    text = bytes(read_bytes(path)).decode(errors="replace")
    return [row.split() for row in text.splitlines() if not row.startswith("#") and len(row.split()) >= fewest]


def _colmap_camera(model: str, numbers: list[float], R: np.ndarray, t: np.ndarray, where: str) -> Camera:
    if model not in COLMAP_MODELS or len(numbers) != len(COLMAP_MODELS[model].split()):
        raise DataError(
            f"{where}: camera model {model} with {len(numbers)} numbers; there are {', '.join(COLMAP_MODELS)}"
        )
    named = dict(zip(COLMAP_MODELS[model].split(), numbers, strict=True))
    fx, fy = named.get("fx", named.get("f")), named.get("fy", named.get("f"))
    K = np.array([[fx, 0, named["cx"] - 0.5], [0, fy, named["cy"] - 0.5], [0, 0, 1]])
    if model == "OPENCV_FISHEYE":
        return Camera(K, R, t, np.array([named[f"k{n}"] for n in range(1, 5)]), "fisheye")
    order = "k1 k2 p1 p2 k3 k4 k5 k6".split()
    k = np.array([named.get(name, 0.0) for name in order])
    return Camera(K, R, t, k if "k4" in named else k[:5])
