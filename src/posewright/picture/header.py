"""Headers of pictures: how large a file says that its picture is, told before anything is decoded.

The formats that OpenCV decodes: JPEG (ITU-T T.81, B.2.2), PNG (ISO 15948), BMP, GIF, WebP (RFC 9649), TIFF 6.0, Netpbm,
JPEG 2000 (ITU-T T.800, I.5.3.1) and AVIF (ISO 23008-12, `ispe`).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

Size = tuple[int, int]
"""(width, height) px, before it is turned as EXIF says."""

_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,12})(?:\s|#[^\n]*\n)+(\d{1,12})")
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
"""Markers between those that begin a frame of a JPEG: tables of Huffman's and arithmetic codes, and one kept free."""


def size_in(data: bytes) -> Size | None:
    """Return the largest size that a picture's header tells; None where it tells none, or the format is another.

    >>> size_in(b"P6 640 480 255 ")
    (640, 480)
    """
    sizes = [(width, height) for width, height in _sizes(data) if width > 0 and height > 0]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def orientation_in(data: bytes) -> int:
    """Return how EXIF says that a JPEG, PNG or WebP is turned, 1 to 8; 1, upright, where it does not tell."""
    try:
        found = next((value for value in map(_orientation, _exif(data)) if value is not None), 1)
    except struct.error:  # it ends within its header
        return 1
    return found if 1 <= found <= 8 else 1


def _exif(data: bytes) -> Iterator[bytes]:
    """Find the TIFF structure that holds EXIF's tags."""
    if data[:2] == b"\xff\xd8":
        for marker, place in _segments(data):
            if marker == 0xE1 and data[place + 4 : place + 10] == b"Exif\0\0":
                yield data[place + 10 : place + 2 + struct.unpack_from(">H", data, place + 2)[0]]
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        place = 8
        while place + 8 <= len(data):
            length, kind = struct.unpack_from(">I4s", data, place)
            if kind == b"eXIf":
                yield data[place + 8 : place + 8 + length]
            place += 12 + length
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        place = 12
        while place + 8 <= len(data):
            kind, length = struct.unpack_from("<4sI", data, place)
            if kind == b"EXIF":
                yield data[place + 8 : place + 8 + length].removeprefix(b"Exif\0\0")
            place += 8 + length + length % 2


def _orientation(exif: bytes) -> int | None:
    """Read tag 274 of the first directory."""
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        return None
    return _tags(exif, (274,)).get(274)


def _sizes(data: bytes) -> Iterator[Size]:
    try:
        if data[:2] == b"\xff\xd8":
            yield from _jpeg(data)
        elif data[:8] == b"\x89PNG\r\n\x1a\n":
            yield struct.unpack_from(">II", data, 16)
        elif data[:2] == b"BM":
            yield _bmp(data)
        elif data[:3] == b"GIF":
            yield struct.unpack_from("<HH", data, 6)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            yield from _webp(data)
        elif data[:4] in (b"II*\0", b"MM\0*"):
            yield from _tiff(data)
        elif match := _NETPBM.match(data[:4096]):
            yield int(match[1]), int(match[2])
        else:
            yield from _boxes(data[: 1 << 16])
    except struct.error:  # it ends within its header
        return


def _jpeg(data: bytes) -> Iterator[Size]:
    for marker, place in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            yield width, height


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Walk a JPEG's segments up to the first scan: the marker and the place where it stands."""
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place += 1
            continue
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            place += 2
        elif marker in (0xD9, 0xDA):
            return
        else:
            yield marker, place
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _bmp(data: bytes) -> Size:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)


def _webp(data: bytes) -> Iterator[Size]:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        yield width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        low, high, over = struct.unpack_from("<IHB", data, 23)
        yield 1 + (low >> 8), 1 + (high | over << 16)


def _tiff(data: bytes) -> Iterator[Size]:
    """Read width (tag 256) and height (tag 257) of the first directory."""
    found = _tags(data, (256, 257))
    if len(found) == 2:
        yield found[256], found[257]


def _tags(data: bytes, wanted: tuple[int, ...]) -> dict[int, int]:
    """Return whole numbers of the first directory of a TIFF structure, by their tags."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    found = {}
    for entry in range(struct.unpack_from(f"{order}H", data, start)[0]):
        place = start + 2 + 12 * entry
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in wanted:
            found[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, place + 8)[0]
    return found


def _boxes(start: bytes) -> Iterator[Size]:
    """Find the boxes of JPEG 2000 and AVIF that tell a size, wherever they are nested."""
    for match in re.finditer(b"ihdr", start):
        height, width = struct.unpack_from(">II", start, match.end())
        yield width, height
    for match in re.finditer(b"ispe", start):
        yield struct.unpack_from(">II", start, match.end() + 4)
