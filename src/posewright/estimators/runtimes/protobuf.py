"""Protobuf messages, walked without what describes them: where each field's bytes lie, and no more is read.

The wire format is that of protobuf.dev, "Encoding": fields of a number and a kind, one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

Span = tuple[int, int]
"""Where a field's bytes begin and end in the file."""


def spans(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk a message between two places: yields a field's number and where its bytes lie; numbers are passed over.

    Raises EOFError where it is none, or ends too early.
    """
    while start < end:
        file.seek(start)
        key = varint(file)
        number, kind = key >> 3, key & 7
        if kind == 0:
            varint(file)
            start = file.tell()
            continue
        length = {1: 8, 5: 4}.get(kind, -1) if kind != 2 else varint(file)
        first = file.tell()
        start = first + length
        if length < 0 or start > end or number == 0:
            raise EOFError
        if kind == 2:
            yield number, first, start


def numbers(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Walk a message between two places: yields number and value of the fields that are whole numbers."""
    while start < end:
        file.seek(start)
        key = varint(file)
        if key & 7 == 0:
            yield key >> 3, varint(file)
            start = file.tell()
        else:
            length = {1: 8, 5: 4}.get(key & 7, -1) if key & 7 != 2 else varint(file)
            start = file.tell() + length
            if length < 0:
                raise EOFError


def texts(file: BinaryIO, start: int, end: int) -> dict[int, str]:
    """Return the texts of a message's fields by their numbers; raises UnicodeDecodeError where one is none."""
    found = {}
    for number, first, last in list(spans(file, start, end)):
        file.seek(first)
        found[number] = file.read(last - first).decode()
    return found


def varint(file: BinaryIO) -> int:
    """Read a whole number, seven bits a byte, the lowest first."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise EOFError
