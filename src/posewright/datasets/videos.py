"""Videos: their frames as they can be decoded, each by its own number, and which of them are lost.

A decoder passes over what is damaged without a word, so that frames behind a hole would take the numbers of those
that are missing. What the container says of its packets, before any is decoded, tells which frame is which.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, inf
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from posewright.files import opened
from posewright.picture import MOST_PIXELS, Pixels, decoders_quiet

SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp", ".3g2", ".wmv", ".flv",
                      ".ts", ".mts", ".m2ts", ".ogv"})  # fmt: skip
COUNTED = frozenset({".mp4", ".m4v", ".mov", ".avi", ".3gp", ".3g2"})
"""Containers that count their frames; others tell only how long they last."""
_INDEX_ENTRY = 16
_SILENT = {"OPENCV_FFMPEG_LOGLEVEL": "-8"}
"""Keeps FFmpeg's threads, which decode ahead, from printing what is wrong with a frame long after it was asked for."""
_MOST_PACKETS = 10_000_000


class VideoError(ValueError):
    """A file that should be a video and is none, or of which frames are lost; the message does not name the file."""


RATE = 25.0
"""Frames a second of a video that does not say."""


class Clip(NamedTuple):
    """Say which frames of a video are looked at: from `start` to before `end`, seconds, every `stride`-th."""

    start: float = 0.0
    end: float | None = None
    stride: int = 1


ALL = Clip()


class Frames(NamedTuple):
    """Say what a container tells of its frames: when each is shown (ms), its number, and how many there should be.

    numbers is empty where nothing is known, and frames then count as they come.
    """

    numbers: dict[float, int]
    promised: int


def frames(path: Path) -> Iterator[tuple[int, Pixels]]:
    """Yield number and pixels of every frame that can be decoded; then raise VideoError where some are lost."""
    with opened(path):
        pass
    for name, value in _SILENT.items():
        os.environ.setdefault(name, value)
    known = _told(path)
    seen: list[int] = []
    with _video(path) as video:
        if video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) > MOST_PIXELS:
            raise VideoError(f"its frames are too large, at most {MOST_PIXELS // 10**6} megapixels are decoded")
        failed = 0
        while True:
            with decoders_quiet():
                ok, frame = video.read()
                time = round(video.get(cv2.CAP_PROP_POS_MSEC), 3)
            if not ok:
                failed += 1
                if len(seen) + failed >= len(known.numbers):  # behind a frame that is damaged there may be others
                    break
                continue
            number = known.numbers.get(time, -1)
            seen.append(number if number > (seen[-1] if seen else -1) else (seen[-1] + 1 if seen else 0))
            yield seen[-1], np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
    if not seen:
        raise VideoError("not a video that can be decoded")
    if lost := _lost(seen, known.promised):
        raise VideoError(lost)


def rate(path: Path | str) -> float:
    """Return the frames a second that a video says it has, RATE where it does not say or is none."""
    with decoders_quiet(), _released(cv2.VideoCapture(str(path))) as video:
        told = video.get(cv2.CAP_PROP_FPS)
    return float(told) if 1 <= told <= 1000 else RATE


def chosen(path: Path, clip: Clip) -> Iterator[tuple[int, Pixels]]:
    """Yield the frames of a clip as `frames` does; behind the last of them nothing is decoded.

    Raises VideoError where the clip holds none, ValueError for a clip that is none.
    """
    if clip.stride < 1 or clip.start < 0 or (clip.end is not None and clip.end <= clip.start):
        raise ValueError(f"a clip needs 0 <= start < end and a stride of 1 or more, not {tuple(clip)}")
    if clip == ALL:
        yield from frames(path)
        return
    first = ceil(round(clip.start * rate(path), 6))
    last = inf if clip.end is None else clip.end * rate(path)
    some = False
    for number, pixels in frames(path):
        if number >= last:
            break
        if number >= first and (number - first) % clip.stride == 0:
            some = True
            yield number, pixels
    if not some:
        raise VideoError(f"has no frame from {clip.start:g} s on" + (f" to {clip.end:g} s" if clip.end else ""))


def _lost(seen: list[int], count: int) -> str:
    """Say which frames are lost, of those before the last seen and those that the container counts behind it."""
    pairs = zip([-1, *seen], seen, strict=False)
    named = [f"{b - 1}" if a + 2 == b else f"{a + 1} to {b - 1}" for a, b in pairs if a + 1 < b]
    said = []
    if named:
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        said.append(f"damaged, of its {max(count, seen[-1] + 1)} frames {', '.join(named[:3])}{more} are lost")
    if seen[-1] + 1 < count:
        said.append(f"ends after {seen[-1] + 1} of {count} frames")
    return "; ".join(said)


def packets(path: Path) -> int:
    """Count the frames that a video file holds, without decoding any; 0 where it is none."""
    return len(_packets(path)[0])


def _packets(path: Path) -> tuple[list[float], int]:
    """Return the times (ms) of a video's packets, in the file's order, and how many frames its header promises."""
    times: list[float] = []
    with decoders_quiet(), _released(cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])) as raw:
        count = int(raw.get(cv2.CAP_PROP_FRAME_COUNT)) if path.suffix.lower() in COUNTED else 0
        while len(times) < _MOST_PACKETS and raw.grab():
            times.append(round(raw.get(cv2.CAP_PROP_POS_MSEC), 3))
    return times, count


def _told(path: Path) -> Frames:
    """Read what the container says of its packets, in the order in which they are shown."""
    times, count = _packets(path)
    shown = sorted(time for time in times if time >= 0)  # one before 0 is only there to decode others with
    if len(set(shown)) != len(shown):
        return Frames({}, count)
    count = min(count, len(shown)) if len(shown) < len(times) else count
    numbers = _indexed(path) if path.suffix.lower() == ".avi" and len(shown) < count else []
    if len(numbers) != len(shown):
        numbers = list(range(len(shown)))
    return Frames(dict(zip(shown, numbers, strict=True)), count)


def _indexed(path: Path) -> list[int]:
    """Return the numbers of an AVI's frames whose chunks stand where the index says (OpenDML AVI, 1996, `idx1`)."""
    size = path.stat().st_size
    with opened(path) as file:
        if file.read(4) != b"RIFF":
            return []
        place, movie, index = 12, -1, b""
        while place + 8 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"LIST" and file.read(4) == b"movi":
                movie = place + 8
            elif name == b"idx1":
                index = file.read(min(length, size))
            place += 8 + length + length % 2
        entries = [struct.unpack_from("<4sIII", index, n) for n in range(0, len(index) - 15, _INDEX_ENTRY)]
        pictures = [entry for entry in entries if entry[0][2:] in (b"dc", b"db")]
        if movie < 0 or not pictures:
            return []
        start = movie if pictures[0][2] < movie else 0
        return [n for n, (name, _, at, length) in enumerate(pictures) if _stands(file, start + at, name, length)]


def _stands(file: BinaryIO, place: int, name: bytes, length: int) -> bool:
    file.seek(place)
    return file.read(8) == name + struct.pack("<I", length)


@contextmanager
def _video(path: Path) -> Iterator[cv2.VideoCapture]:
    with decoders_quiet():
        video = cv2.VideoCapture(str(path))
    with _released(video):
        yield video


@contextmanager
def _released(video: cv2.VideoCapture) -> Iterator[cv2.VideoCapture]:
    """Release a video at the end."""
    try:
        yield video
    finally:
        video.release()
