"""Theia3D's calibration, .txt: XML much like Qualisys', but in pixels and with the turn and shift as they are."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from posewright.datasets.records import DataError
from posewright.geometry import Camera
from posewright.multiview.calibrations.qualisys import root_of
from posewright.multiview.rig import Rig, Unit, rotation
from posewright.warp import Size

CENTRE = ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV", "skew")
SENSOR = ("sensorMinU", "sensorMaxU", "sensorMinV", "sensorMaxV")


def read(path: Path, unit: Unit | None = None) -> Rig:
    """Read the cameras that are active, in mm, named by their serials.

    As Theia's page "Calibration Files" has it, p_camera = R p_world + t, and the intrinsics are px; the lens is taken
    for OpenCV's, and z up. No recording was at hand to check it by. Raises DataError.
    """
    if unit not in (None, "mm"):
        raise ValueError(f"{path}: Theia's lengths are in mm, not {unit}")
    cameras: dict[str, Camera] = {}
    sizes: dict[str, Size] = {}
    left = []
    for element in root_of(path).iter("camera"):
        name = element.get("serial") or f"cam_{len(cameras)}"
        if element.get("active") == "0":
            left.append(name)
            continue
        if name in cameras:
            raise DataError(f"{path}: two cameras have the serial {name}")
        cameras[name], sizes[name] = _camera(element, f"{path}: camera {name}")
    if not cameras:
        raise DataError(f"{path}: holds no active camera; only {', '.join(left) or 'nothing'}")
    notes = ["Theia's calibration in mm; check it by `multiview check`, since no recording was at hand to do so"]
    notes += [f"left out, not active: {', '.join(left)}"] if left else []
    return Rig(cameras, sizes, "z", tuple(notes))


def is_theia(path: Path) -> bool:
    """Tell whether a .txt is Theia's: XML of cameras with <intrinsic>, which Qualisys' have beside <fov_video>."""
    root = root_of(path)
    inside = [camera for camera in root.iter("camera") if camera.find("intrinsic") is not None]
    return bool(inside) and all(camera.find("fov_video") is None for camera in inside)


def _camera(element: ElementTree.Element, where: str) -> tuple[Camera, Size]:
    def numbers(tag: str, *names: str) -> np.ndarray:
        child = element.find(tag)
        if child is None:
            raise DataError(f"{where}: holds no <{tag}>")
        told = [child.get(name, child.get(name.replace("tangental", "tangential"), "")) for name in names]
        try:
            values = np.array(told, np.float64)
        except ValueError:
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            raise DataError(f"{where}: <{tag}> must hold numbers {', '.join(names)}")
        return values

    M = numbers("transform", *(f"r{i}{j}" for i in "123" for j in "123")).reshape(3, 3)
    t = numbers("transform", "x", "y", "z")
    fu, fv, cu, cv, skew = numbers("intrinsic", *CENTRE)
    if not (fu > 0 and fv > 0):
        raise DataError(f"{where}: its focal lengths must be more than 0, not {fu:g} and {fv:g}")
    k = numbers("intrinsic", *(f"radialDistortion{n}" for n in "123"))
    p = numbers("intrinsic", "tangentalDistortion1", "tangentalDistortion2")
    low_u, high_u, low_v, high_v = numbers("intrinsic", *SENSOR)
    K = np.array([[fu, skew, cu], [0, fv, cv], [0, 0, 1]])
    size = (round(high_u - low_u), round(high_v - low_v))
    return Camera(K, rotation(M, where), t, np.array([k[0], k[1], *p, k[2]])), size
