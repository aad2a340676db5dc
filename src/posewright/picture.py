"""Pictures: read, write, and refuse what is no picture with one clear line."""

from __future__ import annotations

import io
import os
import zipfile
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.files import write_whole

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".jpe", ".heic", ".heif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}
)


HEIF = frozenset(b"ftyp" + brand for brand in (b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1", b"heim", b"heis"))
"""How HEIC pictures begin, from the fifth byte."""


class PictureError(ValueError):
    """A file that should be a picture and is none; the message names the file and the reason."""


def read(source: str | Path | Pixels) -> Pixels:
    """Return a picture as (H, W, 3) uint8 RGB, upright as its EXIF tag says; 16 bits become 8.

    source: a path, a path into a zip archive (`train.zip/im1.jpg`), a place in an array file of pictures
    (`crops.npy/12`), or pixels, which come back as they are (grey ones with three equal channels). Raises
    PictureError for anything that is no whole picture.
    """
    if isinstance(source, np.ndarray):
        return _checked(source)
    stack, _, place = str(source).rpartition(os.sep)
    if stack.endswith(".npy") and place.isdecimal() and isinstance(source, Path):
        return _checked(_stack(stack)[int(place)])
    data = _bytes(Path(source))
    if not data:
        raise PictureError(f"{source}: the file is empty")
    if data[4:12] in HEIF:
        return _from_heif(source, data)
    if data[:2] == b"\xff\xd8" and data.find(b"\xff\xd9", _scan(data)) < 0:
        raise PictureError(f"{source}: the JPEG ends too early, it has no end marker")
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise PictureError(f"{source}: too large to decode, or damaged ({error.err})") from None
    if decoded is None:
        raise PictureError(f"{source}: not a picture that can be decoded")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _scan(data: bytes) -> int:
    """Return where a JPEG's first scan begins: what lies before, such as a small picture, has end marks of its own.

    Behind the last scan anything may follow: a telephone's moving picture holds a video there.
    """
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        if data[place + 1] == 0xFF:  # filling
            place += 1
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def _from_heif(source: object, data: bytes) -> Pixels:
    """Decode HEIC by pillow-heif, where it is installed."""
    try:
        import pillow_heif
    except ImportError:
        raise PictureError(f"{source}: HEIC, which pillow-heif reads: pip install pillow-heif") from None
    try:
        found = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        return _checked(np.asarray(found.to_pillow().convert("RGB")))
    except Exception as error:  # whatever a damaged file makes libheif say
        raise PictureError(f"{source}: not a HEIC picture that can be decoded ({error})") from None


def write(path: Path, pixels: Pixels) -> None:
    """Write a picture by its suffix, under another name first, so that no half picture is ever seen."""
    try:
        write_whole(path, encoded(pixels, path.suffix))
    except PictureError:
        raise PictureError(f"{path}: cannot be encoded as {path.suffix}") from None


def encoded(pixels: Pixels, suffix: str) -> bytes:
    """Return a picture as the bytes of a file, by its suffix; raises PictureError where that cannot be."""
    ok, data = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not ok:
        raise PictureError(f"cannot be encoded as {suffix}")
    return data.tobytes()


def _checked(pixels: NDArray[np.generic]) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.size == 0:
        raise PictureError(f"pixels must be (H, W, 3) uint8 RGB, not {pixels.shape} {pixels.dtype}")
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.asarray(pixels, np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] != 1:
        raise PictureError(f"pixels must have 3 channels, RGB, not {pixels.shape[2]}")
    return np.repeat(pixels, 3, axis=2).astype(np.uint8, copy=False)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise PictureError(f"{path}: a folder, not a picture") from None
    except (FileNotFoundError, NotADirectoryError):
        inside = next((p for p in path.parents if p.suffix == ".zip" and p.is_file()), None)
        if inside is None:
            raise PictureError(f"{path}: no such file") from None
        return _from_zip(inside, path.relative_to(inside).as_posix())
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror}") from None


def _from_zip(archive: Path, name: str) -> bytes:
    try:
        return _archive(archive, os.getpid()).read(name)
    except (KeyError, zipfile.BadZipFile):
        raise PictureError(f"{archive}: holds no readable {name}") from None


@lru_cache(maxsize=8)
def _archive(path: Path, _process: int) -> zipfile.ZipFile:
    """Open an archive once a process: a file position shared by forked loaders would mix their reads."""
    return zipfile.ZipFile(path)


@lru_cache(maxsize=8)
def _stack(path: str) -> NDArray[np.uint8]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
