"""JSON files, packed or not: read whole or refused in one line, and written whole."""

from __future__ import annotations

import gzip
import json
import mmap
import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from posewright.datasets.records import DataError, shown
from posewright.files import opened, write_whole

HUGE = 1 << 29
"""Files of more bytes than this are decoded from where they lie, so that a huge one of nonsense ends at once."""

MOST_UNPACKED = 1 << 32
"""Bytes that a packed file may unpack to; a few kB can promise terabytes."""
BOMB, RATIO = 1 << 28, 100
"""A packed file may unpack to so many bytes, and beyond them to so many times its size; JSON packs to a tenth."""
PACKED = (".gz", ".bz2", ".xz", ".zip", ".zst")
"""Suffixes of compressed files; only gzip is unpacked."""
GZIP = b"\x1f\x8b"
_SOLID = re.compile(r"\S")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, also a gzipped one (.json.gz); raises DataError for anything else."""
    return parsed(path, read_bytes(path))


def read_bytes(path: Path) -> bytes | mmap.mmap:
    """Return a file's bytes, unpacked where it is gzipped, mapped where it is above HUGE; raises DataError."""
    with _plainly(path) as (file, packed):
        size = os.fstat(file.fileno()).st_size
        if size > HUGE and not packed:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _unpacked(path, file, size) if packed else file.read()


@contextmanager
def streamed(path: Path) -> Iterator[BinaryIO]:
    """Open a file to be read a part at a time, whole only where it is to be unpacked; raises DataError."""
    with _plainly(path) as (file, packed):
        yield BytesIO(_unpacked(path, file, os.fstat(file.fileno()).st_size)) if packed else file


@contextmanager
def _plainly(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """Open a file, and tell whether it is gzipped; whatever goes wrong meanwhile is a DataError."""
    try:
        with opened(path) as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            yield file, packed
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is cut off or damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _unpacked(path: Path, file: BinaryIO, size: int) -> bytes:
    """Unpack a gzipped file; raises DataError where it promises more than anybody's data."""
    most = max(BOMB, min(MOST_UNPACKED, RATIO * size))
    with gzip.open(file) as content:
        data = content.read(most + 1)
    if len(data) > most:
        raise DataError(f"{path}: unpacks to more than {most:,} bytes, which is no data of {size:,} bytes")
    return data


def parsed(path: Path, data: bytes | mmap.mmap) -> Any:
    """Return what the bytes of a JSON file say; raises DataError that names the file where they are not JSON."""
    try:
        if not isinstance(data, bytes):
            return msgspec.json.decode(data)
        return _values(data.decode("utf-8-sig"), partial(_once, path))
    except DataError:
        raise
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except msgspec.DecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {type(error).__name__}") from None


def _values(text: str, hook: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    """Return what a text in JSON says: of several objects one behind the other, as in JSON Lines, their list."""
    decoder = json.JSONDecoder(object_pairs_hook=hook)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data" or text[error.pos] != "{" or not text.lstrip().startswith("{"):
            raise
    found, place = [], len(text) - len(text.lstrip())
    while place < len(text):
        value, end = decoder.raw_decode(text, place)
        found.append(value)
        rest = _SOLID.search(text, end)
        place = rest.start() if rest else len(text)
    return found


def _once(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of a JSON file; raises DataError where a key stands twice, for it means two things then."""
    found = dict(pairs)
    if len(found) != len(pairs):
        key = next(key for place, (key, _) in enumerate(pairs) if key in [other for other, _ in pairs[:place]])
        which = next((f"{name} {shown(found[name])}: " for name in ("id", "image_id") if name in found), "")
        raise DataError(f"{path}: {which}{key!a} stands twice in one record; which of the two is meant nobody knows")
    return found


def write_json(path: Path, value: object) -> None:
    """Write JSON, gzipped where the name ends in .gz, under another name first; NaN raises ValueError."""
    data = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
