"""COLMAP's cameras and pictures (Schoenberger and Frahm, CVPR 2016), as text or binary."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.geometry import Camera
from posewright.multiview.rig import Rig, Unit, in_mm, scale_of

MODELS = {
    "SIMPLE_PINHOLE": "f cx cy", "PINHOLE": "fx fy cx cy", "SIMPLE_RADIAL": "f cx cy k1", "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2", "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
}  # fmt: skip
"""COLMAP's cameras and their parameters (its page "Camera models"); others are refused."""
NUMBERED = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "OPENCV_FISHEYE", "FULL_OPENCV")
"""The models in the order of their numbers in a binary file, from 0."""
PARTS = ("cameras", "images")


class _Lens(NamedTuple):
    model: str
    size: tuple[int, int]
    numbers: list[float]


class _Picture(NamedTuple):
    """Where a picture was taken: quaternion w x y z and t, world to camera; its camera's number and its own name."""

    place: list[float]
    camera: int
    name: str


def read(folder: Path, unit: Unit | None = None) -> Rig:
    """Read cameras and images, .bin where they are, else .txt: one camera a picture, named by it without its suffix.

    Quaternions have their scalar first and take the world to the camera; the centre of the first pixel is (.5, .5)
    there and (0, 0) here. COLMAP's scale is arbitrary, so the unit must be said. Raises DataError.
    """
    binary = all((folder / f"{part}.bin").is_file() for part in PARTS)
    lenses, pictures = (_binary if binary else _text)(folder)
    if not pictures:
        raise DataError(f"{folder / ('images.bin' if binary else 'images.txt')}: names no picture")
    cameras, sizes = {}, {}
    for picture in pictures:
        name, where = Path(picture.name).stem, f"{folder}: picture {picture.name}"
        if picture.camera not in lenses:
            raise DataError(f"{where}: there is no camera {picture.camera}")
        if name in cameras:
            raise DataError(f"{where}: another picture has the name {name} as well")
        w, x, y, z, *t = picture.place
        if not np.isfinite(picture.place).all() or not any((w, x, y, z)):
            raise DataError(f"{where}: its place must be a quaternion and three numbers, not {picture.place}")
        R = Rotation.from_quat([x, y, z, w]).as_matrix()
        lens = lenses[picture.camera]
        cameras[name], sizes[name] = _camera(lens.model, lens.numbers, R, np.array(t), where), lens.size
    scale = scale_of(unit, cameras, str(folder))
    form = "binary files" if binary else "text"
    return Rig(in_mm(cameras, scale), sizes, None, (f"COLMAP's cameras, {form}; lengths taken for {unit}",))


def _text(folder: Path) -> tuple[dict[int, _Lens], list[_Picture]]:
    try:
        lenses = {int(i): _Lens(model, (int(wide), int(high)), [float(v) for v in numbers])
                  for i, model, wide, high, *numbers in _rows(folder / "cameras.txt", 5)}  # fmt: skip
        rows = [row for row in _rows(folder / "images.txt", 10) if row[-1].lower().endswith((".png", ".jpg", ".jpeg"))]
        return lenses, [_Picture([float(v) for v in row[1:8]], int(row[8]), row[9]) for row in rows]
    except ValueError as error:
        raise DataError(f"{folder}: cameras.txt and images.txt: {error}") from None


def _binary(folder: Path) -> tuple[dict[int, _Lens], list[_Picture]]:
    """Read both files: little-endian, a count first; what stands behind a picture's name are its points, left out."""
    try:
        return _binary_lenses(_Bytes(folder / "cameras.bin")), _binary_pictures(_Bytes(folder / "images.bin"))
    except (struct.error, ValueError) as error:
        raise DataError(f"{folder}: cameras.bin and images.bin: cut off or damaged: {error}") from None


def _binary_lenses(data: _Bytes) -> dict[int, _Lens]:
    lenses = {}
    for _ in range(*data.take("Q")):
        number, model, wide, high = data.take("iiQQ")
        if not 0 <= model < len(NUMBERED):
            raise DataError(f"{data.path}: camera model number {model}; there are 0 to {len(NUMBERED) - 1}")
        numbers = data.take("d" * len(MODELS[NUMBERED[model]].split()))
        lenses[number] = _Lens(NUMBERED[model], (wide, high), list(numbers))
    return lenses


def _binary_pictures(data: _Bytes) -> list[_Picture]:
    pictures = []
    for _ in range(*data.take("Q")):
        _, *place, camera = data.take("i7di")
        name = data.text()
        data.skip(24 * data.take("Q")[0])
        pictures.append(_Picture(place, camera, name))
    return pictures


class _Bytes:
    """Read a binary file from its start on; struct.error where it ends too soon."""

    def __init__(self, path: Path) -> None:
        self.path, self.data, self.place = path, bytes(read_bytes(path)), 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self.data, self.place)
        self.place += struct.calcsize(f"<{form}")
        return values

    def skip(self, count: int) -> None:
        if count > len(self.data) - self.place:
            raise struct.error(f"{count} more bytes are promised than there are")
        self.place += count

    def text(self) -> str:
        end = self.data.index(b"\0", self.place)
        start, self.place = self.place, end + 1
        return self.data[start:end].decode(errors="replace")


def write(rig: Rig) -> dict[str, bytes]:
    """Return COLMAP's two text files by their names, in mm; raises ValueError for Human3.6M's lens."""
    lenses, images = [], []
    for n, (name, camera) in enumerate(rig.cameras.items(), 1):
        if camera.lens == "h36m":
            raise ValueError(f"camera {name}: COLMAP has no lens like Human3.6M's")
        K, k = camera.K, camera.distortion
        model = "OPENCV_FISHEYE" if camera.lens == "fisheye" else "FULL_OPENCV" if k[4:].any() else "OPENCV"
        whole = np.concatenate([k, np.zeros(8)])[: len(MODELS[model].split()) - 4]
        size = rig.sizes.get(name, (round(2 * K[0, 2]), round(2 * K[1, 2])))
        numbers = [K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, *whole]
        lenses.append(f"{n} {model} {size[0]} {size[1]} " + " ".join(repr(float(v)) for v in numbers))
        x, y, z, w = Rotation.from_matrix(camera.R).as_quat()
        images.append(f"{n} " + " ".join(repr(float(v)) for v in (w, x, y, z, *camera.t)) + f" {n} {name}.png\n")
    return {"cameras.txt": ("\n".join(lenses) + "\n").encode(), "images.txt": ("\n".join(images) + "\n").encode()}


def _rows(path: Path, fewest: int) -> list[list[str]]:
    text = bytes(read_bytes(path)).decode(errors="replace")
    return [row.split() for row in text.splitlines() if not row.startswith("#") and len(row.split()) >= fewest]


def _camera(model: str, numbers: list[float], R: np.ndarray, t: np.ndarray, where: str) -> Camera:
    if model not in MODELS or len(numbers) != len(MODELS[model].split()):
        raise DataError(f"{where}: camera model {model} with {len(numbers)} numbers; there are {', '.join(MODELS)}")
    named = dict(zip(MODELS[model].split(), numbers, strict=True))
    fx, fy = named.get("fx", named.get("f")), named.get("fy", named.get("f"))
    K = np.array([[fx, 0, named["cx"] - 0.5], [0, fy, named["cy"] - 0.5], [0, 0, 1]])
    if model == "OPENCV_FISHEYE":
        return Camera(K, R, t, np.array([named[f"k{n}"] for n in range(1, 5)]), "fisheye")
    order = "k1 k2 p1 p2 k3 k4 k5 k6".split()
    k = np.array([named.get(name, 0.0) for name in order])
    return Camera(K, R, t, k if "k4" in named else k[:5])
