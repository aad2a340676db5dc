"""Files: written whole or not at all, read only where they are files, and kept in a cache."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

LONGEST_SUFFIX = 16
"""Letters of an ending that a temporary name keeps, for what writes by the ending; a longer one is none."""
PIECE = 1 << 20
"""Bytes read at a time."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name first and rename it, so that no half of it is ever seen."""
    with whole(path) as partial, open(partial, "wb") as file:
        file.write(data)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a name to write to beside a file, which takes its place at the end, or goes where something failed.

    The name is new, short, nobody else's and of the same ending, whatever lies in the folder and whoever else writes
    there; where it is deleted, `path` stays as it is. An OSError names `path`, which that of a full disk does not.
    """
    suffix = path.suffix if len(path.suffix) <= LONGEST_SUFFIX else ""
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".partial{suffix}")
        os.close(number)
    except OSError as error:
        raise _at(path, error) from None
    partial = Path(name)
    try:
        os.chmod(partial, 0o666 & ~_umask())
        yield partial
        if partial.exists():
            os.replace(partial, path)
    except OSError as error:
        if error.filename in (None, str(partial), partial, partial.name):
            raise _at(path, error) from None
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read; raises OSError also for what would fill the memory or never end, such as a pipe."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a file", str(path))
        with open(number, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(number)


def _at(path: Path, error: OSError) -> OSError:
    return type(error)(error.errno, error.strerror or str(error), str(path))


@lru_cache(maxsize=1)
def _umask() -> int:
    """The process's mask of new files' rights, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def cache_folder(cache: str | Path | None = None) -> Path:
    """Return the folder of what is fetched or compiled: by default POSEWRIGHT_CACHE, or ~/.cache/posewright."""
    return Path(cache or os.environ.get("POSEWRIGHT_CACHE") or Path.home() / ".cache" / "posewright")
