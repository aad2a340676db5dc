"""Aside: large arrays in files that vanish with them, so that memory holds only those that are being looked at."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.scene import Person, Scene

Array = NDArray[Any]
Put = Callable[[Array], Array]
"""Takes an array and returns one that is equal to it."""
IN_MEMORY = 1 << 27
"""Bytes that stay in memory before others are put aside: a study of a few hundred people needs no file."""
BLOCK = 1 << 26
"""Bytes of a file."""


def aside(in_memory: int = IN_MEMORY) -> Put:
    """Return what puts arrays aside, beyond so many bytes; where no file has room, they stay in memory.

    A file has no name, and its room is given back with the last array in it.
    """
    left, used = in_memory, 0
    block: mmap.mmap | None = None

    def put(array: Array) -> Array:
        nonlocal left, used, block
        if array.nbytes <= left or _block_of(array) is not None:
            left -= 0 if _block_of(array) is not None else array.nbytes
            return array
        if block is None or used + array.nbytes > len(block):
            if block is not None:
                _forget(block)
            try:
                block, used = _opened(max(BLOCK, array.nbytes)), 0
            except OSError:
                return array
        kept = np.frombuffer(block, array.dtype, array.size, used).reshape(array.shape)
        kept[...] = array
        used += -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        return kept

    return put


def _opened(size: int) -> mmap.mmap:
    """Map a new file without a name; raises OSError where there is no room for all of it."""
    with TemporaryFile() as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process when the array is written
            os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)


def _block_of(array: Array) -> mmap.mmap | None:
    """Return the mapped file that an array lies in."""
    base: Any = array
    while isinstance(base, np.ndarray | memoryview):
        base = base.obj if isinstance(base, memoryview) else base.base
    return base if isinstance(base, mmap.mmap) else None


def _forget(block: mmap.mmap) -> None:
    if hasattr(mmap, "MADV_DONTNEED"):
        block.madvise(mmap.MADV_DONTNEED)  # of a shared map the file keeps what was written


def let_go(arrays: Iterable[Array | None]) -> None:
    """Let memory forget arrays that were put aside; the next look reads them again."""
    blocks = (_block_of(array) for array in arrays if array is not None)
    for block in {id(block): block for block in blocks if block is not None}.values():
        _forget(block)


def scene_aside(scene: Scene, put: Put) -> Scene:
    """Put a scene's picture, where it is in memory, and people's masks aside."""
    people = tuple(person_aside(person, put) for person in scene.people)
    return replace(scene, image=put(scene.image) if isinstance(scene.image, np.ndarray) else scene.image, people=people)


def person_aside(person: Person, put: Put) -> Person:
    """Put a person's mask aside."""
    return person if person.mask is None else replace(person, mask=put(person.mask))
