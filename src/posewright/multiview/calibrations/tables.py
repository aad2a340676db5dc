"""Calibrations as .toml: Pose2Sim's, aniposelib's and Caliscope's of all its ages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from scipy.spatial.transform import Rotation

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import Record, record_of
from posewright.geometry import Camera
from posewright.multiview.rig import MILLIMETRES, UPS, Rig, Unit, in_mm, rotation, scale_of

POSE2SIM, ANIPOSE, CALISCOPE = "pose2sim", "anipose", "caliscope"


def read(path: Path, unit: Unit | None = None) -> Rig:
    """Read a .toml with one table a camera; raises DataError or ValueError in one line.

    Pose2Sim's tables are named as their cameras are, and are in metres; Caliscope's stand under `cameras`, or are
    `cam_N` with a `port`, and are in metres; aniposelib's are `cam_N` with a `name`, in the unit of somebody's
    calibration board, which the file does not say. A `unit` under `metadata` is believed, as we write one. rotation is
    a Rodrigues vector or a matrix. Cameras that are to be ignored, or have no place yet, are left out and noted.
    """
    try:
        content = msgspec.toml.decode(bytes(read_bytes(path)))
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: not TOML: {error}") from None
    tables = record_of(content, str(path))
    metadata = record_of(content.get("metadata", {}), f"{path}: metadata")
    nested = tables.has("cameras")
    cameras = {str(k): v for k, v in (tables.get("cameras") if nested else content).items() if isinstance(v, dict)}
    records = [(name, record_of(v, f"{path}: camera {name}")) for name, v in cameras.items() if "matrix" in v]
    if not records:
        raise ValueError(f"{path}: holds no table with a camera's `matrix`")
    kind = _kind(records, nested)
    posed = [(n, r) for n, r in records if r.has("rotation") and r.has("translation") and not r.fields.get("ignore")]
    if not posed:
        raise ValueError(f"{path}: no camera has a rotation and a translation yet; calibrate them first")
    found = {_name(name, record): _camera(record) for name, record in posed}
    named = metadata.fields.get("unit")
    said: Unit | None = named if named in MILLIMETRES else "m" if kind != ANIPOSE else None
    if unit is not None and metadata.has("unit") and unit != said:
        raise ValueError(f"{path}: says its unit is {said}, not {unit}")
    scale = scale_of(unit or said, found, str(path))
    left = sorted({n for n, _ in records} - {n for n, _ in posed})
    notes = [f"{kind}'s calibration; lengths in {unit or said}"]
    notes += [f"left out, without a place or to be ignored: {', '.join(left)}"] if left else []
    sizes = {_name(n, r): (int(r.numbers("size", 2)[0]), int(r.numbers("size", 2)[1])) for n, r in posed}
    up = next((axis for axis in UPS if axis == metadata.fields.get("up", "z" if kind == POSE2SIM else "")), None)
    return Rig(in_mm(found, scale), sizes, up, tuple(notes))


def write(rig: Rig, kind: str) -> bytes:
    """Return a .toml of a kind; Pose2Sim's and Caliscope's are in metres, anipose's in mm. Raises ValueError."""
    unit: Unit = "mm" if kind == ANIPOSE else "m"
    parts = [_table(n, name, camera, rig, kind) for n, (name, camera) in enumerate(rig.cameras.items())]
    up = f'up = "{rig.up}"\n' if rig.up else ""
    return ("\n".join(parts) + f'\n[metadata]\nadjusted = false\nerror = 0.0\nunit = "{unit}"\n{up}').encode()


def _kind(records: list[tuple[str, Record]], nested: bool) -> str:
    if nested or any(record.has("port") for _, record in records):
        return CALISCOPE
    own = all(record.fields.get("name") in (name, None) for name, record in records)
    return POSE2SIM if own and any(record.has("fisheye") for _, record in records) else ANIPOSE


def _name(table: str, record: Record) -> str:
    value = record.fields.get("name", record.fields.get("port", record.fields.get("cam_id", table)))
    return f"cam_{value}" if isinstance(value, int) else str(value)


def _camera(record: Record) -> Camera:
    numbers = [v for row in record.items("matrix") for v in (row if isinstance(row, list) else [row])]
    K = Record(record.where, {"matrix": numbers}).numbers("matrix", 9).reshape(3, 3)
    distortion = np.array(record.items("distortions"), np.float64).ravel()
    R = rotation(record.items("rotation"), record.where)
    t = np.array(record.items("translation"), np.float64).ravel()
    try:
        return Camera(K, R, t, distortion, "fisheye" if record.fields.get("fisheye") else "opencv")
    except ValueError as error:
        raise record.wrong("camera", str(error)) from None


def _table(place: int, name: str, camera: Camera, rig: Rig, kind: str) -> str:
    if camera.lens == "h36m":
        raise ValueError(f"camera {name}: Human3.6M's lens has no place in a .toml; convert to h36m")
    t = camera.t / MILLIMETRES["mm" if kind == ANIPOSE else "m"]
    heading = {POSE2SIM: f"[{_key(name)}]", ANIPOSE: f"[cam_{place}]", CALISCOPE: f"[cameras.{place}]"}[kind]
    rows: dict[str, Any] = {"cam_id": place, "rotation_count": 0} if kind == CALISCOPE else {}
    rows |= {
        "name": name,
        "size": list(rig.sizes.get(name) or assumed_size(camera)),
        "matrix": camera.K.tolist(),
        "distortions": camera.distortion.tolist(),
        "rotation": Rotation.from_matrix(camera.R).as_rotvec().tolist(),
        "translation": t.tolist(),
    }
    rows |= {"fisheye": camera.lens == "fisheye"}
    return heading + "\n" + "".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in rows.items())


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isalnum() and plain.isascii() else msgspec.json.encode(name).decode()


def assumed_size(camera: Camera) -> tuple[int, int]:
    """Return the size of a picture whose middle is the principal point, for files that must have one."""
    return round(2 * camera.K[0, 2]), round(2 * camera.K[1, 2])
