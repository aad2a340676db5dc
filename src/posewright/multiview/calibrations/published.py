"""Calibrations that data sets come with: CMU Panoptic's JSON and Human3.6M's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, record_of, records_in
from posewright.geometry import Camera
from posewright.multiview.rig import Rig, Unit, in_mm, rotation, scale_of


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
