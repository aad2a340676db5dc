"""What a file holds, told by its first and last bytes, so that gigabytes of nonsense are refused at once."""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from posewright import files
from posewright.datasets.records import DataError, Record, record_of

LOOKED = 1 << 20
"""Bytes of a file's beginning that must hold its first record, or the first line of a table."""
Kind = Literal["list", "annotations", "openpose", "table", "arrays"]

_GZIP, _ZIP, _MATLAB, _HDF = b"\x1f\x8b", b"PK\x03\x04", b"MATLAB", b"\x89HDF"
_BEHIND = re.compile(rb"\}\s*\{")
"""What stands between two objects where no list holds them."""
_FIRST_KEY = re.compile(rb'\{\s*("(?:[^"\\\x00-\x1f]|\\.)*"\s*:|\})')


@dataclass(frozen=True)
class Content:
    """Say what kind of file it is, and of a list its first record (None: the list is empty).

    list: a JSON list of objects, or objects one behind the other (JSON Lines). annotations: a JSON object, in COCO's
    format as far as can be told. openpose: one with people. table: text in columns. arrays: npz, h5 or MATLAB's.
    """

    kind: Kind
    first: Record | None = None


def content_of(path: Path) -> Content:
    """Look at the beginning and the end of a file, gzipped or not, without reading what lies between.

    Raises DataError for what is not there, empty, a folder, cut off or of no kind.
    """
    with opened(path) as file:
        start = file.read(LOOKED).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise DataError(f"{path}: the file is empty")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path}: text in UTF-16; save it in UTF-8")
    if start.startswith((_ZIP, _MATLAB, _HDF)):
        return Content("arrays")
    if start[:1] == b"[":
        first = _first_record(path, start)
        _check_end(path, b"]")
        return Content("list", first)
    if start[:1] == b"{":
        if not _FIRST_KEY.match(start):
            raise DataError(f"{path}: not JSON: after the first {{ must come a name in quotes and a colon")
        _check_end(path, b"}")
        if (first := _first_line(path, start)) is not None:
            return Content("list", first)
        people = re.search(rb'"people"\s*:\s*\[', start) and not re.search(rb'"(images|annotations)"\s*:\s*\[', start)
        return Content("openpose" if people else "annotations")
    line = start[: start.find(b"\n")] if b"\n" in start else start
    if re.search(rb"[,;\t]", line) and line.isascii() and not re.search(rb"[\x00-\x08\x0e-\x1f]", line):
        return Content("table")
    raise DataError(f"{path}: neither JSON, which begins with [ or {{, nor a table, whose first line names its columns")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading, decompressed where it is gzipped; whatever goes wrong meanwhile is a DataError."""
    try:
        with files.opened(path) as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw) as file:
                    yield file  # type: ignore[misc]
            else:
                yield raw
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"{path}: a folder, not a file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the gzip file is cut off or damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _first_line(path: Path, start: bytes) -> Record | None:
    """Return the first of several objects that stand one behind the other, as in JSON Lines; None for one alone."""
    if not _BEHIND.search(start):
        return None
    text = start.decode("utf-8", "replace")
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return record_of(value, f"{path}: record at place 0") if text[end:].lstrip().startswith("{") else None


def _first_record(path: Path, start: bytes) -> Record | None:
    """Return the first record of a list that begins with these bytes; None where the list is empty."""
    text = start.decode("utf-8", "replace")
    place = len(text) - len(text[1:].lstrip())
    if text[place : place + 1] == "]":
        return None
    where = f"{path}: record at place 0"
    if text[place : place + 1] == "[":
        return Record(where, {})
    if text[place : place + 1] not in ("{", ""):
        shown = text[place : place + 20].split("\n")[0]
        raise DataError(f"{where}: must be an object {{...}}, but begins with {shown!a}")
    try:
        value: Any = json.JSONDecoder().raw_decode(text, place)[0]
    except json.JSONDecodeError as error:
        cut = len(start) >= LOOKED - 4 and error.pos > len(text) - 100
        reason = f"does not end within {LOOKED} bytes" if cut else f"{error.msg} at character {error.pos}"
        raise DataError(f"{where}: not JSON: {reason}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {type(error).__name__}") from None
    return record_of(value, where)


def _check_end(path: Path, bracket: bytes) -> None:
    """Refuse a plain file whose last byte does not close what its first one opens."""
    with path.open("rb") as file:
        if file.read(2) == _GZIP:
            return
        file.seek(-min(4096, file.seek(0, os.SEEK_END)), os.SEEK_END)
        if not file.read().rstrip().endswith(bracket):
            raise DataError(f"{path}: not JSON: the file is cut off, it does not end with {bracket.decode()}")
