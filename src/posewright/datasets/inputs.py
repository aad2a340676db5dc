"""Inputs: whatever a user names, photographs, folders and videos, as a stream of scenes.

One picture is decoded at a time, so a folder of any length and a video of any length fit. What cannot be
read comes as `Unreadable` in its place, and the rest goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from posewright import picture
from posewright.datasets import videos
from posewright.scene import Scene
from posewright.skeleton import COCO, Skeleton

VIDEO_SUFFIXES = videos.SUFFIXES
PICTURE_SUFFIXES = picture.SUFFIXES | picture.HEIC
OTHERS = frozenset(
    ".gif .avif .jp2 .jxl .svg .psd .raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf .exr .hdr .tga .insv .mxf .vob .braw"
    " .webp2 .bpg .r3d".split()
)
"""Endings of other pictures and videos: what a folder holds of them is left out, and said."""


@dataclass(frozen=True)
class Unreadable:
    """Say in one line why an input gives no scene; `str()` is that line, the input's name first."""

    source: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


def scenes_from(
    paths: Iterable[str | Path],
    skeleton: Skeleton = COCO,
    known: Callable[[Scene], bool] = lambda scene: False,  # noqa: ARG005
    clip: videos.Clip = videos.ALL,
) -> Iterator[Scene | Unreadable]:
    """Yield a scene for each photograph and each frame of a video, in order, with its pixels decoded.

    A folder gives all its pictures and videos, however deep, sorted by path; what else lies in it is left alone, and
    counted where its ending says that it is a picture or a video of a kind that is not read. A file that is named
    itself is read whatever its suffix. `Scene.id` is the path, and `path#12` for a video's thirteenth frame, also
    where others before it cannot be decoded; behind its frames comes what is lost of a video as `Unreadable`.
    skeleton: what the scenes say their people have. known: tells of which photographs nobody will look at the pixels;
    they are not decoded, and their scene's image is the path. clip: which frames of videos.
    """
    for path in files_in(paths):
        if isinstance(path, Unreadable):
            yield path
        else:
            yield from _scenes(path, skeleton, known, clip)


def files_in(paths: Iterable[str | Path]) -> Iterator[Path | Unreadable]:
    """Yield the files that `scenes_from` would read, in its order, and what it would say of folders."""
    for path in map(Path, paths):
        if path.is_dir():
            files = _inside(path)
            if not files:
                yield Unreadable(str(path), "the folder holds no picture and no video")
            yield from files
            if left_out := _left_out(path):
                yield Unreadable(str(path), left_out)
        else:
            yield path


def _inside(folder: Path) -> list[Path]:
    known = PICTURE_SUFFIXES | VIDEO_SUFFIXES
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in known and _is_there(path))


def _left_out(folder: Path) -> str:
    """Count the pictures and videos of other kinds that a folder holds, "" where there are none."""
    found = Counter(path.suffix.lower() for path in folder.rglob("*") if path.suffix.lower() in OTHERS)
    counted = ", ".join(f"{count} {suffix}" for suffix, count in sorted(found.items()))
    return f"left out {counted}: pictures or videos of a kind that is not read" if counted else ""


def _is_there(path: Path) -> bool:
    """Tell whether a path is anything but a folder; what is no file is named when it is read."""
    return not path.is_dir()


def _scenes(
    path: Path, skeleton: Skeleton, known: Callable[[Scene], bool], clip: videos.Clip
) -> Iterator[Scene | Unreadable]:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        yield from _frames(path, skeleton, clip)
        return
    unseen = Scene(path, skeleton, id=str(path))
    if known(unseen):
        yield unseen
        return
    try:
        pixels = picture.read(path)
    except picture.PictureError as error:
        yield Unreadable(str(path), str(error).removeprefix(f"{path}: "))
        return
    yield Scene(pixels, skeleton, size=(pixels.shape[1], pixels.shape[0]), id=str(path))


def _frames(path: Path, skeleton: Skeleton, clip: videos.Clip) -> Iterator[Scene | Unreadable]:
    try:
        for number, pixels in videos.chosen(path, clip):
            yield Scene(pixels, skeleton, size=(pixels.shape[1], pixels.shape[0]), id=f"{path}#{number}")
    except FileNotFoundError:
        yield Unreadable(str(path), "no such file")
    except OSError as error:
        yield Unreadable(str(path), error.strerror or str(error))
    except videos.VideoError as error:
        yield Unreadable(str(path), str(error))
