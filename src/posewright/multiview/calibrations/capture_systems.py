"""Calibrations of motion capture systems: Vicon's .xcp, and the text files of the bioCV data set."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.geometry import Camera
from posewright.geometry.lens import distort
from posewright.multiview.calibrations.qualisys import root_of
from posewright.multiview.rig import Rig, Unit, in_mm, rotation, scale_of
from posewright.warp import Size

Floats = NDArray[np.float64]


def read_vicon(path: Path, unit: Unit | None = None) -> Rig:
    """Read Nexus' .xcp: the video cameras in it, in mm, z up.

    With Q of ORIENTATION (x, y, z, w) and C of POSITION, R = Q' and t = -R C, as Pose2Sim reads it. Vicon's radial
    polynomial leads from the picture to the straight ray, in px from the centre; OpenCV's leads back, so that k1, k2
    and k3 are fitted to it over the picture, and how well is noted. No recording was at hand to check it by. Raises
    DataError.
    """
    if unit not in (None, "mm"):
        raise ValueError(f"{path}: Vicon's lengths are in mm, not {unit}")
    cameras: dict[str, Camera] = {}
    sizes: dict[str, Size] = {}
    left, apart = [], 0.0
    for element in root_of(path).iter("Camera"):
        name = element.get("NAME") or element.get("USERID") or element.get("DEVICEID") or f"cam_{len(cameras)}"
        kinds = f"{element.get('TYPE', '')} {element.get('DISPLAY_TYPE', '')}".lower()
        if "video" not in kinds and element.get("ISDV", "0") != "1":
            left.append(name)
            continue
        cameras[name], sizes[name], miss = _vicon_camera(element, f"{path}: camera {name}")
        apart = max(apart, miss)
    if not cameras:
        raise DataError(f"{path}: holds no video camera; only {', '.join(left) or 'nothing'}")
    notes = ["Vicon's calibration in mm; check it by `multiview check`, since no recording was at hand to do so"]
    notes += [f"Vicon's radial polynomial turned into OpenCV's k1, k2, k3, which differ by up to {apart:.2g} px"]
    notes += [f"left out, not filming: {', '.join(left)}"] if left else []
    return Rig(cameras, sizes, "z", tuple(notes))


def _vicon_camera(element: ElementTree.Element, where: str) -> tuple[Camera, Size, float]:
    frame = next(element.iter("KeyFrame"), None)
    if frame is None:
        raise DataError(f"{where}: is not calibrated: it holds no <KeyFrame>")

    def numbers(owner: ElementTree.Element, key: str, count: int) -> Floats:
        try:
            values = np.array([float(v) for v in owner.get(key, "").split()])
        except ValueError:
            values = np.zeros(0)
        if values.shape != (count,) or not np.isfinite(values).all():
            raise DataError(f"{where}: {key} must be {count} numbers, not {owner.get(key)!r}")
        return values

    focal, centre = numbers(frame, "FOCAL_LENGTH", 1)[0], numbers(frame, "PRINCIPAL_POINT", 2)
    aspect = numbers(element, "PIXEL_ASPECT_RATIO", 1)[0] if element.get("PIXEL_ASPECT_RATIO") else 1.0
    turn = numbers(frame, "ORIENTATION", 4)
    if focal <= 0 or aspect <= 0 or not np.linalg.norm(turn) > 0:
        raise DataError(f"{where}: FOCAL_LENGTH, PIXEL_ASPECT_RATIO and ORIENTATION must not be 0 or less")
    R = Rotation.from_quat(turn).as_matrix().T
    wide, high = numbers(element, "SENSOR_SIZE", 2)
    K = np.array([[focal, 0, centre[0]], [0, focal / aspect, centre[1]], [0, 0, 1]])
    radial = _radial(frame, where)
    k, miss = _fitted(radial, K, (int(wide), int(high)))
    return Camera(K, R, -R @ numbers(frame, "POSITION", 3), k), (int(wide), int(high)), miss


def _radial(frame: ElementTree.Element, where: str) -> tuple[float, float]:
    """Return k1 (1 / px^2) and k2 (1 / px^4) of VICON_RADIAL2 or VICON_RADIAL, 0 where there are none."""
    for key, first in (("VICON_RADIAL2", 3), ("VICON_RADIAL", 0)):
        words = [word for word in frame.get(key, "").split() if not word.startswith("Vicon")]
        if len(words) >= first + 2:
            try:
                return float(words[first]), float(words[first + 1])
            except ValueError:
                raise DataError(f"{where}: {key} must hold numbers, not {frame.get(key)!r}") from None
    return 0.0, 0.0


def _fitted(radial: tuple[float, float], K: Floats, size: Size) -> tuple[Floats, float]:
    """Return k1 k2 p1 p2 k3 of OpenCV's for Vicon's polynomial, and by how many px they differ at most."""
    if radial == (0.0, 0.0):
        return np.zeros(5), 0.0
    focal = K[0, 0]
    reach = np.linalg.norm(np.maximum(K[:2, 2], np.array(size) - K[:2, 2])) / focal
    image = np.linspace(0, reach, 200)[1:]
    ray = image * (1 + radial[0] * (image * focal) ** 2 + radial[1] * (image * focal) ** 4)
    powers = np.stack([ray**3, ray**5, ray**7], -1)
    k = np.linalg.lstsq(powers, image - ray, rcond=None)[0]
    numbers = np.array([k[0], k[1], 0, 0, k[2]])
    back = distort(np.stack([ray, 0 * ray], -1), numbers)[:, 0]
    return numbers, float(np.abs(back - image).max() * focal)


def read_biocv(path: Path, unit: Unit | None = None) -> Rig:
    """Read bioCV's .calib files, one a camera: width and height, K (3, 3), [R t] (3 or 4 rows of 4) in mm, distortion.

    Raises DataError.
    """
    files = sorted(path.glob("*.calib")) if path.is_dir() else [path]
    cameras, sizes = {}, {}
    for file in files:
        rows = [row.split() for row in bytes(read_bytes(file)).decode(errors="replace").splitlines() if row.strip()]
        try:
            numbers = [[float(v) for v in row] for row in rows]
        except ValueError as error:
            raise DataError(f"{file}: {error}") from None
        flat = [v for row in numbers if len(row) < 3 for v in row]
        K, places = ([row for row in numbers[:-1] if len(row) == count] for count in (3, 4))
        if len(flat) != 2 or len(K) != 3 or len(places) not in (3, 4) or len(numbers[-1]) not in (4, 5, 8):
            raise DataError(f"{file}: must hold width, height, 3 rows of K, 3 or 4 of [R t], and the distortion")
        RT = np.array(places)
        cameras[file.stem] = Camera(np.array(K), rotation(RT[:3, :3], str(file)), RT[:3, 3], np.array(numbers[-1]))
        sizes[file.stem] = (int(flat[0]), int(flat[1]))
    said: Unit = unit or "mm"
    return Rig(in_mm(cameras, scale_of(said, cameras, str(path))), sizes, None, (f"bioCV's; lengths in {said}",))
