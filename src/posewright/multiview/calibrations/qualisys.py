"""Qualisys' .qca.txt: XML with millimetres, an intrinsic part in fractions of a pixel, and its own way of turning."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.geometry import Camera
from posewright.multiview.rig import Rig, Unit, rotation
from posewright.warp import Size

FLIP = np.diag([1.0, -1.0, -1.0])
VIDEO = ("none", "video", "miqus video", "oqus video")
"""Models of cameras that film; others track markers and are left out."""


def read(path: Path, unit: Unit | None = None) -> Rig:
    """Read what QTM exports.

    With M the file's r11 to r33 and C its x, y, z: R = diag(1, -1, -1) M, t = -R C. Focal lengths and the principal
    point are in fractions of a pixel, how many follows from sensorMaxU against the field of view (64 in every file
    seen); the field's corner is subtracted. The distortion is dimensionless and is taken as it stands: Pose2Sim divides
    it by 64 as well, and chessboard pictures of the same cameras contradict that. Raises DataError.
    """
    if unit not in (None, "mm"):
        raise ValueError(f"{path}: Qualisys' lengths are in mm, not {unit}")
    cameras: dict[str, Camera] = {}
    sizes: dict[str, Size] = {}
    factors, left = set(), []
    for element in root_of(path).iter("camera"):
        name = element.get("serial") or f"cam_{len(cameras)}"
        if not (element.get("model") or "none").lower().startswith(VIDEO) or element.get("active") == "0":
            left.append(name)
            continue
        if element.get("viewrotation", "0") not in ("0", ""):
            raise DataError(
                f"{path}: camera {name}: viewrotation {element.get('viewrotation')} is not supported; only 0"
            )
        cameras[name], sizes[name], factor = _camera(element, f"{path}: camera {name}")
        factors.add(factor)
    if not cameras:
        raise DataError(f"{path}: holds no camera that films; only {', '.join(left) or 'nothing'}")
    notes = [f"Qualisys' calibration in mm; focal length and centre divided by {', '.join(f'{f:g}' for f in factors)}"]
    notes += ["distortion as it stands (Pose2Sim's conversion divides it by 64)"]
    notes += [f"left out, not filming: {', '.join(left)}"] if left else []
    return Rig(cameras, sizes, "z", tuple(notes))


def root_of(path: Path) -> ElementTree.Element:
    """Return the root of an XML file that declares no entities; raises DataError."""
    data = bytes(read_bytes(path))
    if re.search(rb"<!(DOCTYPE|ENTITY)", data):
        raise DataError(f"{path}: declares entities, which no calibration needs; refused")
    try:
        return ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise DataError(f"{path}: not XML: {error}") from None


def _camera(element: ElementTree.Element, where: str) -> tuple[Camera, Size, float]:
    def numbers(tag: str, *names: str) -> list[float]:
        child = element.find(tag)
        if child is None:
            raise DataError(f"{where}: holds no <{tag}>")
        try:
            return [float(child.get(name, "")) for name in names]
        except ValueError:
            raise DataError(f"{where}: <{tag}> must hold numbers {', '.join(names)}") from None

    M = np.array(numbers("transform", *(f"r{i}{j}" for i in "123" for j in "123"))).reshape(3, 3)
    C = np.array(numbers("transform", "x", "y", "z"))
    R = FLIP @ rotation(M, where)
    left, top, right, bottom = numbers("fov_video", "left", "top", "right", "bottom")
    fu, fv, cu, cv, widest, skew = numbers(
        "intrinsic", "focalLengthU", "focalLengthV", "centerPointU", "centerPointV", "sensorMaxU", "skew"
    )
    k = numbers("intrinsic", *(f"radialDistortion{n}" for n in "123"))
    p = numbers("intrinsic", "tangentalDistortion1", "tangentalDistortion2")
    full = numbers("fov_video_max", "right")[0] if element.find("fov_video_max") is not None else right
    factor = round(widest / full, 3) if widest > 0 and full > 0 else 64.0
    K = np.array([[fu / factor, skew, cu / factor - left], [0, fv / factor, cv / factor - top], [0, 0, 1]])
    size = (round(right - left + 1), round(bottom - top + 1))
    return Camera(K, R, -R @ C, np.array([k[0], k[1], *p, k[2]])), size, factor
