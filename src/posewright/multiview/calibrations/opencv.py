"""What cv2.FileStorage writes: one camera a file as everybody does, and EasyMocap's pair of files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from posewright.datasets.records import DataError
from posewright.geometry import Camera
from posewright.multiview.rig import Rig, Unit, in_mm, rotation, scale_of
from posewright.warp import Size

Floats = NDArray[np.float64]

K_NAMES = ("camera_matrix", "cameraMatrix", "K", "intrinsic_matrix", "M1")
D_NAMES = ("distortion_coefficients", "dist_coeffs", "distCoeffs", "distortion", "D", "dist")
R_NAMES = ("rvec", "R", "rotation", "rotation_matrix", "Rot")
T_NAMES = ("tvec", "T", "t", "translation")
"""Names that people give to the four; there is no standard."""


def read_files(paths: Sequence[Path], unit: Unit | None = None) -> Rig:
    """Read one .yml, .xml or .json of OpenCV's a camera, named by its file; raises DataError.

    The four matrices may have any of the names in this module. No file of this kind says its unit of length.
    """
    cameras, sizes = {}, {}
    for path in paths:
        get = _storage(path)
        matrix, dist, R, t = (_first(get, names, path) for names in (K_NAMES, D_NAMES, R_NAMES, T_NAMES))
        cameras[path.stem] = _camera(matrix, dist, R, t, str(path))
        size = [get(name) for name in ("image_width", "image_height")]
        if size[0] is not None and size[1] is not None:
            sizes[path.stem] = (int(size[0].item()), int(size[1].item()))
    scale = scale_of(unit, cameras, str(paths[0]))
    return Rig(in_mm(cameras, scale), sizes, None, (f"OpenCV's calibration; lengths in {unit}",))


def read_easymocap(folder: Path, unit: Unit | None = None) -> Rig:
    """Read EasyMocap's intri.yml and extri.yml of a folder: K_, dist_, Rot_ or R_, T_ of each name, in metres."""
    inner_file, outer_file = (_named(folder, part) for part in ("intri", "extri"))
    inner, outer = _storage(inner_file), _storage(outer_file)
    cameras = {}
    for name in _names(inner_file):
        K, dist, T = inner(f"K_{name}"), inner(f"dist_{name}"), outer(f"T_{name}")
        R = outer(f"Rot_{name}") if outer(f"Rot_{name}") is not None else outer(f"R_{name}")
        if K is None or T is None or R is None:
            raise DataError(f"{folder}: camera {name}: K_, T_ or one of Rot_ and R_ is missing")
        cameras[name] = _camera(K, np.zeros(5) if dist is None else dist, R, T, f"{folder}: camera {name}")
    said: Unit = unit or "m"
    return Rig(in_mm(cameras, scale_of(said, cameras, str(folder))), {}, None, (
        f"EasyMocap's calibration; lengths in {said}", "the files hold no size of the pictures"))  # fmt: skip


def write(camera: Camera, size: Size | None) -> bytes:
    """Return one camera as OpenCV's YAML, in mm, by its samples' names; raises ValueError for another lens."""
    storage = cv2.FileStorage(".yml", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY)
    for name, value in zip(("image_width", "image_height"), size or (), strict=False):
        storage.write(name, value)
    if camera.lens != "opencv":
        raise ValueError(f"OpenCV's file has no place for the lens {camera.lens}")
    storage.write("camera_matrix", camera.K)
    storage.write("distortion_coefficients", camera.distortion[None])
    storage.write("rvec", Rotation.from_matrix(camera.R).as_rotvec()[:, None])
    storage.write("tvec", camera.t[:, None])
    return str(storage.releaseAndGetString()).encode()


def write_easymocap(rig: Rig) -> dict[str, bytes]:
    """Return EasyMocap's two files, in metres, by their names; raises ValueError for another lens than OpenCV's."""
    files = {
        name: cv2.FileStorage(".yml", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY) for name in ("intri", "extri")
    }
    for storage in files.values():
        storage.startWriteStruct("names", cv2.FileNode_SEQ)
        for name in rig.cameras:
            storage.write("", name)
        storage.endWriteStruct()
    for name, camera in rig.cameras.items():
        if camera.lens != "opencv" or len(camera.distortion) > 5:
            raise ValueError(f"camera {name}: EasyMocap's files have five numbers of OpenCV's lens alone")
        five = np.concatenate([camera.distortion, np.zeros(5 - len(camera.distortion))])
        files["intri"].write(f"K_{name}", camera.K)
        files["intri"].write(f"dist_{name}", five[None])
        files["extri"].write(f"R_{name}", Rotation.from_matrix(camera.R).as_rotvec()[:, None])
        files["extri"].write(f"Rot_{name}", camera.R)
        files["extri"].write(f"T_{name}", camera.t[:, None] / 1000)
    return {f"{name}.yml": str(storage.releaseAndGetString()).encode() for name, storage in files.items()}


def _storage(path: Path) -> Callable[[str], Floats | None]:
    """Open a file of OpenCV's; returns what finds an array, or a number, by its name."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
        opened = storage.isOpened()
    except cv2.error as error:
        raise DataError(f"{path}: not a file of OpenCV's: {error.err}") from None
    if not opened:
        raise DataError(f"{path}: not a file of OpenCV's")

    def get(name: str) -> Floats | None:
        node = storage.getNode(name)
        if node.empty():
            return None
        value = node.mat() if node.isMap() else np.array([node.real()])
        return None if value is None else np.asarray(value, np.float64)

    return get


def _names(path: Path) -> list[str]:
    return re.findall(r"^K_(\S+?):", path.read_text(errors="replace"), re.MULTILINE)


def _named(folder: Path, part: str) -> Path:
    found = sorted(f for f in folder.glob(f"*{part}.y*ml") if f.is_file())
    if not found:
        raise DataError(f"{folder}: holds no {part}.yml of EasyMocap's")
    return found[0]


def _first(get: Callable[[str], Floats | None], names: Sequence[str], path: Path) -> Floats:
    for name in names:
        value = get(name)
        if value is not None:
            return value
    raise DataError(f"{path}: holds none of {', '.join(names)}")


def _camera(K: Floats, dist: Floats, R: Floats, t: Floats, where: str) -> Camera:
    try:
        return Camera(K, rotation(R, where), t.ravel(), dist.ravel())
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
