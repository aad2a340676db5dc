"""Pictures: read, write, and refuse what is no whole picture with one clear line."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.files import opened, write_whole
from posewright.picture.header import orientation_in, size_in

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
HEIC = frozenset({".heic", ".heif", ".hif"})
"""Endings of pictures that are read where pillow-heif is installed."""
MOST_PIXELS = 200_000_000
"""A picture of more is refused before it is decoded: no camera has more, and a file of 2 kB may promise thousands."""
MOST_BYTES = 1 << 30
"""A file of more is refused: MOST_PIXELS of 16 bits without compression are about as many."""

_DAMAGE = re.compile(
    r"Corrupt JPEG data: (?!\d+ extraneous bytes)|Premature end of JPEG|bad Huffman|Not enough data|premature EOF", re.I
)
"""What decoders say of a picture of which they deliver some and make up the rest."""
_DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners write into 16."""


class PictureError(ValueError):
    """A file that should be a picture and is none; the message names the file and the reason."""


def read(source: str | Path | Pixels) -> Pixels:
    """Return a picture as (H, W, 3) uint8 RGB, upright as its EXIF tag says.

    source: a path, a path into a zip archive (`train.zip/im1.jpg`), a place in an array file of pictures
    (`crops.npy/12`), or pixels, which come back as they are (grey ones with three equal channels). Of 16 bits the
    upper 8 of those that the picture uses count: 10, 12, 14 or all. Raises PictureError for anything that is no
    whole picture, also a JPEG of which a part is missing, a file that is no regular one, and more than MOST_PIXELS.
    """
    if isinstance(source, np.ndarray):
        return _checked(source)
    stack, _, place = str(source).rpartition(os.sep)
    if stack.endswith(".npy") and place.isdecimal() and isinstance(source, Path):
        return _from_stack(stack, int(place))
    return decoded(_bytes(Path(source)), str(source))


def decoded(data: bytes, name: str) -> Pixels:
    """Return the picture that the bytes of a file hold, as `read` does; name is for the error."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return _heic(data, name)
    found = _decoded(data, name, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    return np.asarray(cv2.cvtColor(_in_bytes(found, name), cv2.COLOR_BGR2RGB), np.uint8)


def size_of(source: str | Path | Pixels) -> tuple[int, int]:
    """Return the (width, height) px that `read` would give, from the header where that tells; raises PictureError."""
    if isinstance(source, np.ndarray) or Path(source).parent.suffix == ".npy":
        height, width = read(source).shape[:2]
        return width, height
    data = _bytes(Path(source))
    size = None if data[4:8] == b"ftyp" else size_in(data)
    if size is None:
        height, width = decoded(data, str(source)).shape[:2]
        return width, height
    return size if orientation_in(data) < 5 else size[::-1]


def orientation_of(source: str | Path | Pixels) -> int:
    """Return how EXIF says that a picture is turned, 1 to 8, 1 for upright; raises PictureError."""
    return 1 if isinstance(source, np.ndarray) else orientation_in(_bytes(Path(source)))


def read_with_alpha(path: Path) -> NDArray[np.uint8]:
    """Return a picture with an alpha channel as (H, W, 4) uint8, RGB and alpha; raises PictureError for any other."""
    found = _decoded(_bytes(path), str(path), cv2.IMREAD_UNCHANGED)
    if found.ndim != 3 or found.shape[2] != 4 or found.dtype != np.uint8:
        raise PictureError(f"{path}: is no picture of 8 bits with an alpha channel, which an object needs")
    return np.ascontiguousarray(found[..., [2, 1, 0, 3]], np.uint8)


def _decoded(data: bytes, name: str, how: int) -> NDArray[np.generic]:
    """Return what OpenCV decodes, blue first; raises PictureError where that is nothing, too much or half."""
    if not data:
        raise PictureError(f"{name}: the file is empty")
    width, height = size_in(data) or (0, 0)
    if width * height > MOST_PIXELS:
        most = MOST_PIXELS // 10**6
        raise PictureError(f"{name}: too large to decode: {width}x{height} px, at most {most} megapixels are read")
    said: list[str] = []
    try:
        with decoders_quiet(said):
            found = cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except (cv2.error, MemoryError) as error:
        reason = getattr(error, "err", "") or "no memory"
        raise PictureError(f"{name}: too large to decode, or damaged ({reason})") from None
    if found is None:
        cut = data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-4096:]
        reason = "the JPEG ends too early, it has no end marker" if cut else "not a picture that can be decoded"
        raise PictureError(f"{name}: {reason}")
    if damage := next((line for line in said if _DAMAGE.search(line)), ""):
        raise PictureError(f"{name}: damaged, a part of the picture is missing ({damage.strip()})")
    return np.asarray(found)


def _in_bytes(pixels: NDArray[np.generic], name: str) -> Pixels:
    """Return pixels of any depth as 8 bits: the upper ones of those that are used."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    if pixels.dtype.kind == "f":
        whole = np.nan_to_num(np.asarray(pixels, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        return np.asarray(np.clip(whole * (255.0 if whole.max(initial=0.0) <= 1 else 1.0), 0, 255).round(), np.uint8)
    if pixels.dtype not in (np.uint16, np.int16):
        raise PictureError(f"{name}: its pixels are {pixels.dtype}; 8 and 16 bits and floats are read")
    positive = np.maximum(pixels, 0).astype(np.uint16)
    used = next(bits for bits in _DEPTHS if int(positive.max()) < 1 << bits)
    return np.asarray(positive >> (used - 8), np.uint8)


_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx")


def _heic(data: bytes, name: str) -> Pixels:
    """Decode a phone's HEIC, which OpenCV does not."""
    if importlib.util.find_spec("pillow_heif") is None:
        raise PictureError(f"{name}: a HEIC picture; pip install pillow-heif, which reads it, or make it a JPEG")
    import pillow_heif
    from PIL import Image, ImageOps

    try:
        pillow_heif.register_heif_opener()
        with Image.open(io.BytesIO(data)) as opened_picture:
            if opened_picture.width * opened_picture.height > MOST_PIXELS:
                raise ValueError("too large")
            return np.asarray(ImageOps.exif_transpose(opened_picture).convert("RGB"), np.uint8)
    except Exception as error:  # whatever a damaged file makes the library stumble over
        raise PictureError(f"{name}: not a picture that can be decoded ({error})") from None


def at_most(pixels: Pixels, longest: int) -> Pixels:
    """Return a picture whose longer side is at most `longest` px: itself, or a smaller copy."""
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


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


def _from_stack(stack: str, place: int) -> Pixels:
    try:
        pixels = _stack(stack)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "not an array file of pictures"
        raise PictureError(f"{stack}: {reason}") from None
    if pixels.ndim != 4 or not place < len(pixels):
        raise PictureError(f"{stack}: holds {len(pixels) if pixels.ndim == 4 else 0} pictures, so none at {place}")
    return _checked(pixels[place])


def _bytes(path: Path) -> bytes:
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES:
                raise PictureError(f"{path}: too large for a picture: {size:,} bytes, at most {MOST_BYTES:,} are read")
            return file.read(MOST_BYTES + 1)
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
        file = _archive(archive, os.getpid())
        size = file.getinfo(name).file_size
        if size > MOST_BYTES:
            raise PictureError(f"{archive}: {name}: too large for a picture: {size:,} bytes")
        return file.read(name)
    except PictureError:
        raise
    except Exception as error:  # zipfile, zlib, bz2 and lzma answer damage with a dozen kinds of error
        if isinstance(error, OSError) and error.strerror:
            raise PictureError(f"{archive}: {error.strerror}") from None
        raise PictureError(f"{archive}: holds no readable {name}") from None


@lru_cache(maxsize=8)
def _archive(path: Path, _process: int) -> zipfile.ZipFile:
    """Open an archive once a process: a file position shared by forked loaders would mix their reads."""
    return zipfile.ZipFile(path)


@lru_cache(maxsize=8)
def _stack(path: str) -> NDArray[np.uint8]:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


_REDIRECTED = Lock()
if hasattr(os, "register_at_fork"):  # a process forked while another thread decodes is not to wait for it
    os.register_at_fork(
        before=_REDIRECTED.acquire, after_in_parent=_REDIRECTED.release, after_in_child=_REDIRECTED.release
    )
_OF_DECODERS = re.compile(
    r"Corrupt JPEG|Premature end of JPEG|JPEG|libpng|TIFF|^\[ *(WARN|ERROR|INFO):|^\[\w+ @ 0x|overread|"
    r"Unsupported|Warning|imdecode|OpenCV|^\s*Last message repeated", re.I
)  # fmt: skip


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no other thread keep standard error to itself meanwhile, so that what is written there is seen."""
    with _REDIRECTED:
        yield


@contextmanager
def decoders_quiet(said: list[str] | None = None) -> Iterator[None]:
    """Keep what the C decoders print about a damaged file off standard error, and give it to `said`, line by line.

    libjpeg, libpng and FFmpeg write to the file descriptor itself, which nothing in Python can stop. What others
    wrote meanwhile is written again behind it.
    """
    with _REDIRECTED:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        with tempfile.TemporaryFile() if said is not None else open(os.devnull, "w+b") as away:
            os.dup2(away.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
                if said is not None:
                    away.seek(0)
                    lines = away.read().decode(errors="replace").splitlines(keepends=True)
                    said += [line for line in lines if _OF_DECODERS.search(line)]
                    others = "".join(line for line in lines if not _OF_DECODERS.search(line))
                    os.write(2, others.encode()) if others else None
