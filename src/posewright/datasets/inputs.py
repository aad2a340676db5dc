"""Inputs: whatever a user names, photographs, folders and videos, as a stream of scenes.

One picture is decoded at a time, so a folder of any length and a video of any length fit. What cannot be
read comes as `Unreadable` in its place, and the rest goes on.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from posewright import picture
from posewright.scene import Scene
from posewright.skeleton import COCO, Skeleton

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp",
                            ".mts", ".m2ts", ".wmv", ".flv"})  # fmt: skip


NOT_READ = frozenset(
    ".gif .avif .jxl .jp2 .dng .cr2 .cr3 .nef .arw .orf .rw2 .raw .tga .psd .svg .pdf .ogv .vob .ts .rmvb .swf".split()
)
"""Endings of pictures and videos that a folder may hold and nothing here reads: they are told."""


@dataclass(frozen=True)
class Unreadable:
    """Say in one line why an input gives no scene; `str()` is that line, the input's name first."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


def scenes_from(paths: Iterable[str | Path], skeleton: Skeleton = COCO) -> Iterator[Scene | Unreadable]:
    """Yield a scene for each photograph and each frame of a video, in order, with its pixels decoded.

    A folder gives all its pictures and videos, however deep, sorted by path; what else lies in it is left alone, but
    pictures and videos of kinds that are not read are counted in an `Unreadable`. A file that is named itself is read
    whatever its suffix. `Scene.id` is the path, and `path#12` for a video's thirteenth frame. skeleton: what the
    scenes say their people have.
    """
    for path in map(Path, paths):
        if path.is_dir():
            files = _inside(path)
            if not files:
                yield Unreadable(str(path), "the folder holds no picture and no video")
            for file in files:
                yield from _scenes(file, skeleton)
            others = Counter(file.suffix.lower() for file in path.rglob("*") if file.suffix.lower() in NOT_READ)
            if others:
                listed = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
                yield Unreadable(str(path), f"left out, for they are not read: {listed}")
        else:
            yield from _scenes(path, skeleton)


def _inside(folder: Path) -> list[Path]:
    known = picture.SUFFIXES | VIDEO_SUFFIXES
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in known and path.is_file())


def _scenes(path: Path, skeleton: Skeleton) -> Iterator[Scene | Unreadable]:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _frames(path, skeleton)
        return
    try:
        with _quiet_decoders():
            pixels = picture.read(path)
    except picture.PictureError as error:
        yield Unreadable(str(path), str(error).removeprefix(f"{path}: "))
        return
    yield Scene(pixels, skeleton, size=(pixels.shape[1], pixels.shape[0]), id=str(path))


def _frames(path: Path, skeleton: Skeleton) -> Iterator[Scene | Unreadable]:
    if not path.is_file():
        yield Unreadable(str(path), "no such file")
        return
    with _quiet_decoders():
        video = cv2.VideoCapture(str(path))
    try:
        number = 0
        while True:
            with _quiet_decoders():
                ok, frame = video.read()
            if not ok:
                break
            pixels = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
            yield Scene(pixels, skeleton, size=(pixels.shape[1], pixels.shape[0]), id=f"{path}#{number}")
            number += 1
        if number == 0:
            yield Unreadable(str(path), "not a video that can be decoded")
    finally:
        video.release()


_REDIRECTED = Lock()


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """Keep what the C decoders print about a damaged file off standard error: the reason is said in one line.

    libjpeg, libpng and FFmpeg write to the file descriptor itself, which nothing in Python can stop.
    """
    with _REDIRECTED:
        sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # there is no standard error
            yield
            return
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
