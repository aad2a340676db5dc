"""MATLAB's files of version 5 to 7.2: every element is checked before scipy reads any of them.

scipy's reader takes types and sizes as they stand, and a damaged one ends the process by a signal. The format is
MathWorks' "MAT-File Format", chapter 1; what is checked here is its level 5. A file of version 4 has no elements.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from posewright.datasets.documents import MOST_UNPACKED
from posewright.datasets.records import DataError
from posewright.files import opened

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
"""Bytes of a number by its type: miINT8 to miUINT64."""
_LETTERS = {**_WIDTHS, 16: 1, 17: 1, 18: 1}
"""Those that letters may have: also UTF-8, 16 and 32, told in bytes."""
_MATRIX, _PACKED = 14, 15
_CELL, _STRUCT, _OBJECT, _CHAR = 1, 2, 3, 4
_NUMBERS = frozenset(range(6, 16))
_COMPLEX = 0x0800
_DEEPEST, _MOST_AXES = 32, 32


class _DamagedError(ValueError):
    """What is wrong with an element."""


class _Element(NamedTuple):
    """Say of an element its type, where its bytes begin and end, and where the next one begins."""

    kind: int
    start: int
    end: int
    next: int


def read_matlab(path: Path, **how: Any) -> dict[str, Any]:
    """Return the variables of a MATLAB file by name, as `scipy.io.loadmat` does; DataError where it is none."""
    from scipy.io import loadmat

    try:
        with opened(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_UNPACKED:
                raise DataError(f"{path}: too large: at most {MOST_UNPACKED:,} bytes are read")
            data = file.read()
        check(data)
        return dict(loadmat(io.BytesIO(data), **how))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _DamagedError as error:
        raise DataError(f"{path}: not a MATLAB file of version 4 to 7.2: {error}") from None
    except Exception as error:  # scipy answers damage with a dozen kinds of error
        raise DataError(f"{path}: not a MATLAB file of version 4 to 7.2: {type(error).__name__}") from error


def check(data: bytes) -> None:
    """Raise ValueError unless every element of a file is whole and of a type and size that it may have."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        _check_old(data)
        return
    place, left = 128, MOST_UNPACKED
    while place < len(data):
        element = _element(data, place, len(data), order)
        content = data
        if element.kind == _PACKED:
            content = _unpacked(data[element.start : element.end], left)
            left -= len(content)
            inner = _element(content, 0, len(content), order)
        else:
            inner = element
        if inner.kind != _MATRIX:
            raise _DamagedError(f"its variable at byte {place} is of type {inner.kind}, not an array")
        _Walk(content, order).matrix(inner.start, inner.end, 0)
        place = element.next


def _check_old(data: bytes) -> None:
    """Check the headers of a file of version 4, five numbers and a name before each array."""
    if len(data) < 20 or 0 not in data[:4]:
        raise _DamagedError("its beginning names no version")
    order = "<" if struct.unpack_from("<I", data)[0] < 5000 else ">"
    place = 0
    while place < len(data):
        if place + 20 > len(data):
            raise _DamagedError("it ends within a header")
        kind, rows, columns, imaginary, named = struct.unpack_from(f"{order}5i", data, place)
        width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}.get(kind // 10 % 10, 0)
        if not 0 <= kind < 5000 or width == 0 or min(rows, columns) < 0 or imaginary not in (0, 1) or named < 1:
            raise _DamagedError(f"its array at byte {place} has a header of no kind")
        place += 20 + named + width * rows * columns * (1 + imaginary)
    if place != len(data):
        raise _DamagedError("it ends too early")


def _unpacked(data: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(data, most)
    except zlib.error as error:
        raise _DamagedError(f"a variable cannot be unpacked: {error}") from None
    if unpacker.unconsumed_tail:
        raise _DamagedError(f"it unpacks to more than {MOST_UNPACKED:,} bytes")
    if not unpacker.eof:
        raise _DamagedError("a variable is cut off")
    return content


def _element(data: bytes, place: int, end: int, order: str) -> _Element:
    """Read an element's tag: type and size, or both in half the room with the bytes behind them."""
    if place + 8 > end:
        raise _DamagedError(f"it ends within the tag at byte {place}")
    kind, size = struct.unpack_from(f"{order}II", data, place)
    small = kind >> 16
    if small:
        if small > 4:
            raise _DamagedError(f"a small element at byte {place} has {small} bytes")
        return _Element(kind & 0xFFFF, place + 4, place + 4 + small, place + 8)
    last = place + 8 + size
    if last > end:
        raise _DamagedError(f"an element at byte {place} has {size} bytes, {end - place - 8} are there")
    padding = 0 if kind == _PACKED else -size % 8
    return _Element(kind, place + 8, last, min(last + padding, end))


class _Walk:
    """Walk the elements of an array, and of the arrays in it."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data, self.order = data, order
        self.words = struct.Struct(f"{order}10I")

    def matrix(self, place: int, end: int, depth: int) -> None:
        """Check an array whose bytes stand between two places."""
        if place == end:  # an empty one, which MATLAB writes without a word
            return
        if depth > _DEEPEST:
            raise _DamagedError(f"arrays are nested more than {_DEEPEST} deep")
        kind, flags, count, place = self._head(place, end)
        if kind in _NUMBERS:
            for _ in range(2 if flags & _COMPLEX else 1):
                place = self._numbers(place, end, count)
        elif kind == _CHAR:
            self._letters(place, end, count)
        elif kind == _CELL:
            self._arrays(place, end, count, depth)
        elif kind in (_STRUCT, _OBJECT):
            place = self._bytes(place, end, 1, "class") if kind == _OBJECT else place
            place, fields = self._fields(place, end)
            self._arrays(place, end, count * fields, depth)
        else:
            raise _DamagedError(f"an array is of class {kind}; numbers, letters, cells and structures are read")

    def _head(self, place: int, end: int) -> tuple[int, int, int, int]:
        """Return an array's class, flags and count of elements, and where its content begins."""
        if place + 40 <= end:  # the commonest: two axes, and no name or a short one
            first, eight, flags, _, dims, size, rows, columns, name, named = self.words.unpack_from(self.data, place)
            if (first, eight, dims, size) == (6, 8, 5, 8) and rows < 1 << 31 and columns < 1 << 31:
                if name == 1 and named == 0:
                    return flags & 0xFF, flags, rows * columns, place + 40
                if name & 0xFFFF == 1 and 1 <= name >> 16 <= 4:
                    return flags & 0xFF, flags, rows * columns, place + 40
        element = _element(self.data, place, end, self.order)
        if element.kind != 6 or element.end - element.start != 8:
            raise _DamagedError(f"the flags of an array at byte {place} are of type {element.kind}")
        flags = struct.unpack_from(f"{self.order}I", self.data, element.start)[0]
        axes = _element(self.data, element.next, end, self.order)
        number = (axes.end - axes.start) // 4
        if axes.kind != 5 or (axes.end - axes.start) % 4 or not 2 <= number <= _MOST_AXES:
            raise _DamagedError(f"the shape of an array at byte {place} is of type {axes.kind}")
        shape = struct.unpack_from(f"{self.order}{number}i", self.data, axes.start)
        if min(shape) < 0:
            raise _DamagedError(f"an array at byte {place} has a negative length")
        return flags & 0xFF, flags, prod(shape), self._bytes(axes.next, end, 1, "name")

    def _numbers(self, place: int, end: int, count: int) -> int:
        element = _element(self.data, place, end, self.order)
        width = _WIDTHS.get(element.kind, 0)
        if width == 0 or element.end - element.start != width * count:
            size = element.end - element.start
            raise _DamagedError(f"an array of {count} numbers has {size} bytes of type {element.kind}")
        return element.next

    def _letters(self, place: int, end: int, count: int) -> None:
        element = _element(self.data, place, end, self.order)
        width = _LETTERS.get(element.kind, 0)
        if width == 0 or (element.end - element.start) % width or element.end - element.start > 4 * max(count, 1):
            raise _DamagedError(f"a text of {count} letters is of type {element.kind}")

    def _bytes(self, place: int, end: int, kind: int, what: str) -> int:
        element = _element(self.data, place, end, self.order)
        if element.kind != kind:
            raise _DamagedError(f"the {what} of an array is of type {element.kind}")
        return element.next

    def _fields(self, place: int, end: int) -> tuple[int, int]:
        """Return where the arrays of a structure begin, and how many fields it has."""
        length = _element(self.data, place, end, self.order)
        if length.kind != 5 or length.end - length.start != 4:
            raise _DamagedError("the length of the names in a structure is no number")
        letters = struct.unpack_from(f"{self.order}i", self.data, length.start)[0]
        names = _element(self.data, length.next, end, self.order)
        size = names.end - names.start
        if names.kind != 1 or letters < 1 or size % letters:
            raise _DamagedError("the names of a structure do not fit their length")
        return names.next, size // letters

    def _arrays(self, place: int, end: int, count: int, depth: int) -> None:
        if count > (end - place) // 8:
            raise _DamagedError(f"{count} arrays do not fit into {end - place} bytes")
        for _ in range(count):
            element = _element(self.data, place, end, self.order)
            if element.kind != _MATRIX:
                raise _DamagedError(f"an array at byte {place} is of type {element.kind}")
            self.matrix(element.start, element.end, depth + 1)
            place = element.next
