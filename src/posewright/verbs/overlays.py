"""Overlays: the picture or the video that shows what was estimated, one an input."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2

from posewright import picture
from posewright.datasets import videos
from posewright.datasets.documents import read_json
from posewright.datasets.inputs import VIDEO_SUFFIXES
from posewright.datasets.records import DataError
from posewright.files import whole
from posewright.picture import Pixels
from posewright.report.drawing import draw
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, resized

OVERLAYS = "overlays"
"""The folder inside `out` that holds the overlays; pictures that lie in it are never read."""


LONGEST = 1920
"""px of an overlay's longer side at most; keypoints in the JSON are in the picture's own pixels."""


LONGEST_NAME = 180
"""Bytes of a file's name without its ending that an overlay's keeps; file systems take 255 in all."""


VIDEO = ".webm"
"""The form of overlay videos, which browsers play."""


class Style(NamedTuple):
    """Say how people are drawn: options as of `posewright.draw`; none: no overlays at all."""

    boxes: bool = False
    least: float = 0.0
    width: int | None = None
    none: bool = False


PLAIN = Style()


def overlay_name(source: str, taken: set[str]) -> str:
    """Name an overlay after its file, with its folder's name or a number in front where the name is taken.

    taken: in lower case, for some file systems know no other.

    >>> overlay_name("a/photo.png", set()), overlay_name("b/photo.tif", {"photo.jpg"})
    ('photo.jpg', 'b-photo.jpg')
    >>> overlay_name("clip.mp4", set())
    'clip.webm'
    """
    path = Path(source)
    suffix = VIDEO if path.suffix.lower() in VIDEO_SUFFIXES else ".jpg"
    stem = path.name if path.suffix.lower() not in picture.SUFFIXES | VIDEO_SUFFIXES else path.stem
    if len(os.fsencode(stem)) > LONGEST_NAME:
        stem = f"{stem[:60]}-{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
    folder = path.resolve().parent.name[:60]
    for name in (f"{stem}{suffix}", f"{folder}-{stem}{suffix}"):
        if name.lower() not in taken:
            return name
    number = 2
    while f"{number}-{stem}{suffix}".lower() in taken:
        number += 1
    return f"{number}-{stem}{suffix}"


def overlay(pixels: Pixels, people: Iterable[Person], skeleton: Skeleton, style: Style = PLAIN) -> Pixels:
    """Return a picture with its people drawn, scaled down to LONGEST where it is larger."""
    small = picture.at_most(pixels, LONGEST)
    if small is not pixels:
        scaled = resized((pixels.shape[1], pixels.shape[0]), (small.shape[1], small.shape[0]))
        people = [person.moved(scaled, skeleton) for person in people]
    return draw(small, people, skeleton, ids=True, boxes=style.boxes, least=style.least, width=style.width)


Show = Callable[[Pixels, Iterable[Person], Skeleton], None]


@contextmanager
def opened_overlay(path: Path, source: str, style: Style = PLAIN, stride: int = 1) -> Iterator[Show]:
    """Open an overlay: a picture is written when it is shown, a video when all its frames are.

    stride: of a video, how many frames of its source each frame stands for, so that it lasts as long.
    """
    if style.none:
        yield lambda pixels, people, skeleton: None  # noqa: ARG005
        return
    if path.suffix != VIDEO:
        yield lambda pixels, people, skeleton: picture.write(path, overlay(pixels, people, skeleton, style))
        return
    rate = videos.rate(source) / stride
    writers: list[cv2.VideoWriter] = []
    count = 0

    def show(pixels: Pixels, people: Iterable[Person], skeleton: Skeleton) -> None:
        nonlocal count
        drawn = overlay(pixels, people, skeleton, style)
        with picture.decoders_quiet():
            if not writers:
                writers.append(_writer(partial, rate, (drawn.shape[1], drawn.shape[0])))
            writers[0].write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        count += 1

    with whole(path) as partial:
        try:
            yield show
        finally:
            with picture.decoders_quiet():
                for writer in writers:
                    writer.release()
        if count == 0:
            partial.unlink()
        elif videos.packets(partial) != count:
            raise OSError(errno.EIO, f"its {count} frames could not be written; is the disk full?", str(path))


def _writer(path: Path, rate: float, size: Size) -> cv2.VideoWriter:
    """Open a video of VP9, or where OpenCV has none of VP8, in WebM; raises PictureError where that cannot be."""
    for form in ("VP90", "VP80"):
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*form), rate, size)
        if writer.isOpened():
            return writer
    raise picture.PictureError(f"{path}: this OpenCV cannot write a WebM video; leave overlays out (--overlays none)")


def drop_old(out: Path, drawn: set[str]) -> None:
    """Delete the overlays that the last run's protocol names and this run has not drawn: they show other answers."""
    try:
        told = read_json(out / "protocol.json")["overlays"].values()
    except (DataError, KeyError, TypeError, AttributeError):
        return
    for name in {Path(str(one)).name for one in told} - drawn - {"", "..", "."}:
        (out / OVERLAYS / name).unlink(missing_ok=True)
