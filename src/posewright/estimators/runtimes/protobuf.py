"""Protobuf messages, walked without what describes them: where each field's bytes lie, and no more is read.

The wire format is that of protobuf.dev, "Encoding": fields of a number and a kind, one behind the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

Span = tuple[int, int]
"""Where a field's bytes begin and end in the file."""


HEAD = 20
"""Bytes that a field's key and its length or number take at most, ten each."""


class Field(NamedTuple):
    """Hold a field's number, its kind on the wire, where its bytes lie, and its value where that is a whole number."""

    number: int
    kind: int
    first: int
    last: int
    value: int


def walked(file: BinaryIO, start: int, end: int) -> Iterator[Field]:
    """Walk a message between two places in the file; raises EOFError where it is none, or ends too early."""
    while start < end:
        file.seek(start)
        head = file.read(HEAD)
        key, used = varint(head, 0)
        number, kind = key >> 3, key & 7
        value, used = varint(head, used) if kind in (0, 2) else (0, used)
        length = {0: 0, 1: 8, 2: value, 5: 4}.get(kind, -1)
        first, start = start + used, start + used + length
        if length < 0 or start > end or number == 0:
            raise EOFError
        yield Field(number, kind, first, start, value)


def spans(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk a message between two places: yields number and place of the fields that have a length of their own."""
    return ((field.number, field.first, field.last) for field in walked(file, start, end) if field.kind == 2)


def numbers(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Walk a message between two places: yields number and value of the fields that are whole numbers."""
    return ((field.number, field.value) for field in walked(file, start, end) if field.kind == 0)


def texts(file: BinaryIO, start: int, end: int) -> dict[int, str]:
    """Return the texts of a message's fields by their numbers; raises UnicodeDecodeError where one is none."""
    found = {}
    for number, first, last in list(spans(file, start, end)):
        file.seek(first)
        found[number] = file.read(last - first).decode()
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a whole number, seven bits a byte, the lowest first; returns it, and where it ends.

    >>> varint(b"\\x96\\x01", 0)
    (150, 2)
    """
    value = 0
    for place, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise EOFError
