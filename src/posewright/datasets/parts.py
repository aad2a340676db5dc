"""The text of a JSON file by parts that stay in the processor's cache: lists of records, and how often keys stand."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Bytes = bytes | mmap.mmap
PART, MOST_PART = 1 << 17, 1 << 18
"""Bytes of a list that are decoded together, few enough for the cache, and at most."""
SPACES, SPACED = b" \t\r\n", 256
"""What may stand between records, and how much of it."""
BLOCK = 1 << 18
"""Bytes that are looked through together."""
QUOTE = ord('"')


class UnusualError(ValueError):
    """What the file holds may be in order, but not for the fast way."""


def check(in_order: bool) -> None:
    """End the fast way unless all is in order."""
    if not in_order:
        raise UnusualError


def parts_of(file: BinaryIO, record: type[T]) -> Iterator[tuple[bytes, list[T]]]:
    """Read and decode a list of records some at a time, so that text and numbers stay in the cache; with their text.

    The text is cut before an object that follows another one. A cut inside of a record leaves a part that does not
    decode. Raises UnusualError, msgspec.DecodeError.
    """
    kind: Any = list[record]  # type: ignore[valid-type]
    decode, before, rest = msgspec.json.Decoder(kind).decode, 0, b""
    while fresh := file.read(PART):
        text = rest + fresh
        place = _last_record(text)
        check(place > 0 or len(text) < MOST_PART)
        if place:
            part = text[:place].rstrip(SPACES)[:-1] + b"]"
            found = _decoded(decode, part, before)
            yield part, found
            before, rest = before + len(found), b"[" + text[place:]
        else:
            rest = text
    yield rest, _decoded(decode, rest, before)


def _last_record(text: bytes) -> int:
    """Return where the last object begins before which another one ends, 0 where there is none."""
    place = len(text)
    while (place := text.rfind(b"{", 0, place)) > 0:
        between = text[max(0, place - SPACED) : place].rstrip(SPACES)
        if between.endswith(b",") and between[:-1].rstrip(SPACES).endswith(b"}"):
            return place
    return 0


def _decoded(decode: Callable[[bytes], list[T]], part: bytes, before: int) -> list[T]:
    """Decode a part of a list; an error tells the place in the whole of what is wrong."""
    try:
        return decode(part)
    except msgspec.DecodeError as error:
        said = re.sub(r"\$\[(\d+)", lambda place: f"$[{before + int(place[1])}", str(error))
        raise msgspec.DecodeError(said) from None


def once(data: Bytes, most: Mapping[str, int]) -> bool:
    """Tell whether no key stands more often in a file than objects may have it; twice in one means two things."""
    letters = np.frombuffer(data, np.uint8)
    places = np.concatenate([start + np.flatnonzero(block == QUOTE) for start, block in _blocks(letters)])
    longs = np.diff(places) - 1
    for name, count in most.items():
        found = places[:-1][longs == len(name)]
        for place, letter in enumerate(name.encode(), 1):
            found = found[letters[found + place] == letter]
        if len(found) > count:
            return False
    return True


def quotes(data: Bytes) -> int:
    """Count the quotation marks of a file."""
    return int(sum(np.count_nonzero(block == QUOTE) for _, block in _blocks(np.frombuffer(data, np.uint8))))


def _blocks(letters: NDArray[np.uint8]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Give the letters of a file by blocks that stay in the cache, each with where it begins."""
    for start in range(0, max(1, len(letters)), BLOCK):
        yield start, letters[start : start + BLOCK]
