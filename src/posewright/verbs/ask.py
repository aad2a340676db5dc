"""Asking an estimator as people do: about whatever holds pictures, with an answer that draws itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec
from urllib.parse import urlsplit

import cv2
import numpy as np

from posewright import picture
from posewright.datasets import videos
from posewright.datasets.inputs import VIDEO_SUFFIXES, Unreadable, scenes_from
from posewright.datasets.videos import ALL, Clip
from posewright.estimators.estimator import Boxes, Estimator, Image
from posewright.estimators.tracking import Tracker
from posewright.picture import MOST_BYTES, PictureError, Pixels
from posewright.scene import Person, Scene
from posewright.verbs.people import People

Parameters = ParamSpec("Parameters")
SCHEMES = ("http", "https")
PATIENCE = 30.0
"""Seconds without a byte from an address."""


@dataclass(frozen=True, repr=False)
class Asked:
    """Ask an estimator about a picture, or about all that something holds; everything else is the estimator's own.

    >>> from posewright.verbs.load import load
    >>> people = load("default")(np.zeros((64, 64, 3), np.uint8))
    >>> people.skeleton.name, people.to_json()[:30]
    ('lsp', '{"source": "", "frame": null, ')
    """

    estimator: Estimator
    made: Callable[[], Asked] | None = None
    """What loaded it: a copy for another process loads anew, for what runs a network does not travel."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Asked, (self.estimator,)) if self.made is None else (self.made, ())

    def __getattr__(self, name: str) -> Any:
        if name == "estimator":  # while a copy is being made
            raise AttributeError(name)
        return getattr(self.estimator, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Pass for the estimator's own class, so that `isinstance` tells of what kind it is."""
        return type(self.estimator)

    def __repr__(self) -> str:
        return repr(self.estimator)

    def __call__(
        self,
        image: Any,
        boxes: Any = None,
        *,
        bgr: bool = False,
        track: bool = True,
        clip: Clip = ALL,
    ) -> Any:
        """Estimate the people of a picture, or of all that something holds.

        image: of a picture a path, an http address, a file's bytes, pixels (H, W, 3) uint8 in RGB, or with `bgr` in
        OpenCV's order, a PIL picture, a `Scene`: `People`, which is a list of `Person`. A list or a tuple of these: a
        list of `People`. A folder, a video or a webcam's number: an iterator of `People`, one frame in memory at a
        time, where with `track` everybody keeps an id through a video. boxes: of one picture, xyxy px, one a person,
        answered in their order; of a list, such boxes for each of its pictures. clip: which frames of a video.
        Raises picture.PictureError where a picture cannot be read, OSError where an address does not answer, VideoError
        behind the last frame of a video of which some are lost, TypeError for what holds no picture.
        """
        if isinstance(image, list | tuple):
            named = [_named(one, bgr) for one in image]
            answers = self.estimator.many([one for one, _ in named], boxes)
            return [People(found, self.skeleton, *one) for found, one in zip(answers, named, strict=True)]
        if isinstance(image, int | np.integer):
            return self._followed(_webcam(int(image)), f"camera {image}", track, videos.RATE)
        if isinstance(image, str | Path) and not _is_address(image):
            path = Path(image)
            if path.suffix.lower() in VIDEO_SUFFIXES:
                frames = videos.chosen(path, clip)
                return self._followed(frames, str(path), track, videos.rate(path) / clip.stride)
            if path.is_dir():
                return self._inside(path, clip)
        one, name = _named(image, bgr)
        return People(self.estimator(one, boxes), self.skeleton, one, name)

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture, as the estimator does."""
        return self.estimator.many(images, boxes)

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates."""
        return self.estimator.protocol()

    @property
    def skeleton(self) -> Any:
        """The keypoints of its people."""
        return self.estimator.skeleton

    @property
    def view(self) -> Any:
        """How it is shown a person."""
        return self.estimator.view

    def _followed(self, frames: Iterable[tuple[int, Pixels]], name: str, track: bool, rate: float) -> Iterator[People]:
        """Estimate frame after frame, and give people ids that stay theirs."""
        tracker = Tracker(self.skeleton, rate) if track else None
        for number, pixels in frames:
            found = self.estimator(pixels)
            yield People(found if tracker is None else tracker(found), self.skeleton, pixels, name, number)

    def _inside(self, folder: Path, clip: Clip) -> Iterator[People]:
        """Estimate everything in a folder; what cannot be read raises PictureError when its turn comes."""
        for entry in scenes_from([folder], self.skeleton, clip=clip):
            if isinstance(entry, Unreadable):
                raise PictureError(str(entry))
            name, _, number = str(entry.id).rpartition("#")
            framed = number.isdecimal() and Path(name).suffix.lower() in VIDEO_SUFFIXES
            source, frame = (name, int(number)) if framed else (str(entry.id), None)
            pixels = entry.pixels()
            yield People(self.estimator(pixels), self.skeleton, pixels, source, frame)


def asked(load: Callable[Parameters, Estimator]) -> Callable[Parameters, Asked]:
    """Make a function that loads an estimator return one that is asked as people do."""

    @wraps(load)
    def loading(*arguments: Parameters.args, **options: Parameters.kwargs) -> Asked:
        return Asked(load(*arguments, **options), partial(loading, *arguments, **options))

    return loading


def _named(source: Any, bgr: bool) -> tuple[Image, str]:
    """Return a picture as estimators take it, and its name; TypeError for what is none."""
    if isinstance(source, Scene):
        return source, str(source.id or "")
    if isinstance(source, np.ndarray):
        return (np.ascontiguousarray(source[..., ::-1]) if bgr and source.ndim == 3 else source), ""
    if isinstance(source, bytes | bytearray | memoryview):
        return picture.decoded(bytes(source), "bytes"), ""
    if isinstance(source, str | Path):
        return (_fetched(str(source)), str(source)) if _is_address(source) else (source, str(source))
    if hasattr(source, "convert") and hasattr(source, "getexif"):  # PIL's
        return _upright(source), str(getattr(source, "filename", ""))
    raise TypeError(
        f"a {type(source).__name__} holds no picture; give a path, an address, bytes, pixels, a PIL picture, a list of "
        "these, a folder, a video or a webcam's number"
    )


def _upright(image: Any) -> Pixels:
    """Return the pixels of a PIL picture, turned as its EXIF tag says."""
    from PIL import ImageOps

    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.uint8)


def _is_address(source: str | Path) -> bool:
    return isinstance(source, str) and urlsplit(source).scheme in SCHEMES


def _fetched(address: str) -> Pixels:
    """Read the picture at an address; PictureError where it is none, OSError where nobody answers."""
    from urllib.request import urlopen  # takes long to import

    with urlopen(address, timeout=PATIENCE) as answer:
        data = answer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise PictureError(f"{address}: more than {MOST_BYTES >> 20} MiB, so it is not read")
    return picture.decoded(data, address)


def _webcam(number: int) -> Iterator[tuple[int, Pixels]]:
    """Yield a webcam's frames until it ends or nobody asks for more; raises PictureError where there is none."""
    with picture.decoders_quiet():
        camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise PictureError(f"camera {number}: there is none, or another program uses it")
        frame = 0
        while True:
            ok, pixels = camera.read()
            if not ok:
                return
            yield frame, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
            frame += 1
    finally:
        camera.release()
