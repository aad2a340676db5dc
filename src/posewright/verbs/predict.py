"""Prediction of files: photographs, folders and videos in; COCO results and one overlay an input out.

Everything streams: one picture or frame is in memory at a time, so inputs of any length fit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from posewright import picture
from posewright.datasets import coco
from posewright.datasets.detections import Boxes, boxes_of, read_boxes
from posewright.datasets.exchange import FORMS
from posewright.datasets.inputs import VIDEO_SUFFIXES, Unreadable, scenes_from
from posewright.datasets.predictions import described
from posewright.datasets.records import DataError, write_json
from posewright.estimators.estimator import Estimator
from posewright.metrics.score import versions
from posewright.picture import Pixels
from posewright.report.drawing import draw
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton
from posewright.warp import Size, resized

OVERLAYS = "overlays"
"""The folder inside `out` that holds the overlays; pictures that lie in it are never read."""
LONGEST = 1920
"""px of an overlay's longer side at most; keypoints in the JSON are in the picture's own pixels."""
RATE = 25.0
"""Frames a second of an overlay video whose source does not say."""

Entry = Scene | Unreadable


@dataclass
class Found:
    """What one run has read, and what it could not."""

    scenes: list[Scene] = field(default_factory=list)
    overlays: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def predict_to(
    out: Path,
    inputs: Sequence[str | Path],
    estimator: Estimator,
    boxes: Path | None = None,
    box_score: float = 0.0,
    box_overlap: float = 1.0,
    form: str = "coco",
) -> int:
    """Estimate the people of files; returns the exit code: 0, or 2 where nothing could be read.

    Written into `out`: `predictions.json`, COCO results whose `image_id` is the path as it was named, with
    `#12` behind it for a video's thirteenth frame; `overlays/`, one picture or video an input; and
    `protocol.json`, which names the keypoints, the network, the overlays and what could not be read. What
    cannot be read is one line on standard error. boxes: as `detections.read_boxes` reads them, from a score and up to
    an overlap; without them the estimator aims by itself, at one person a picture. form: one of `exchange.FORMS` to
    write beside the COCO results. Raises ValueError without inputs, DataError for a
    file of boxes that is none or that names none of the pictures.
    """
    if not inputs:
        raise ValueError("name at least one photograph, folder or video")
    for path in inputs:
        if Path(path).resolve().is_relative_to((out / OVERLAYS).resolve()):
            raise ValueError(f"{path}: lies where the overlays go; name another folder with --out")
    given = None if boxes is None else read_boxes(boxes, box_score, box_overlap)
    (out / OVERLAYS).mkdir(parents=True, exist_ok=True)
    found = Found()
    with _progress() as told:
        entries = _once(scenes_from(inputs, estimator.skeleton), out)
        for source, group in groupby(entries, _source):
            _file(source, group, estimator, given, out, found, told)
    if given is not None and found.scenes and not any(scene.people for scene in found.scenes):
        raise DataError(f"{boxes}: no box is of a picture that was read; image_id must be a path or a file's name")
    if not found.scenes:
        print("posewright: no input could be read, so nothing is written", file=sys.stderr)
        return 2
    looked = f"{boxes}, score >= {box_score:g}, overlap < {box_overlap:g}"
    _write(found, estimator, out, None if boxes is None else looked)
    if form != "coco":
        FORMS[form](found.scenes, out, estimator.skeleton)
    return 0


def _file(
    source: str,
    group: Iterable[Entry],
    estimator: Estimator,
    boxes: Boxes | None,
    out: Path,
    found: Found,
    told: Callable[[str], None],
) -> None:
    """Estimate one file, a photograph or all frames of a video, and draw its overlay."""
    name = overlay_name(source, set(found.overlays.values()))
    with _overlay(out / OVERLAYS / name, source) as show:
        for entry in group:
            if isinstance(entry, Unreadable):
                found.unreadable[entry.source] = entry.reason
                told(f"posewright: {entry}")
                continue
            people = tuple(_people(estimator, entry, boxes))
            found.scenes.append(replace(entry, image=source, people=people))
            found.overlays[source] = name
            show(entry.pixels(), people, entry.skeleton)
            told("")


def _people(estimator: Estimator, scene: Scene, boxes: Boxes | None) -> list[Person]:
    if boxes is None:
        return estimator(scene.pixels())
    given = [one.box for one in boxes_of(str(scene.id), boxes)]
    people = estimator(scene.pixels(), given) if given else []
    return [replace(person, box=box) for person, box in zip(people, given, strict=True)]


def overlay_name(source: str, taken: set[str]) -> str:
    """Name an overlay after its file, with its folder's name or a number in front where the name is taken.

    >>> overlay_name("a/photo.png", set()), overlay_name("b/photo.tif", {"photo.jpg"})
    ('photo.jpg', 'b-photo.jpg')
    """
    path = Path(source)
    suffix = ".mp4" if path.suffix.lower() in VIDEO_SUFFIXES else ".jpg"
    stem = path.name if path.suffix.lower() not in picture.SUFFIXES | VIDEO_SUFFIXES else path.stem
    folder = path.resolve().parent.name
    lower = {name.lower() for name in taken}
    for name in (f"{stem}{suffix}", f"{folder}-{stem}{suffix}"):
        if name.lower() not in lower:
            return name
    number = 2
    while f"{number}-{stem}{suffix}".lower() in lower:
        number += 1
    return f"{number}-{stem}{suffix}"


def overlay(pixels: Pixels, people: Iterable[Person], skeleton: Skeleton) -> Pixels:
    """Return a picture with its people drawn, scaled down to LONGEST where it is larger."""
    size = (pixels.shape[1], pixels.shape[0])
    scale = LONGEST / max(size)
    if scale < 1:
        to = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        pixels = np.asarray(cv2.resize(pixels, to, interpolation=cv2.INTER_AREA), np.uint8)
        people = [person.moved(resized(size, to), skeleton) for person in people]
    return draw(pixels, people, skeleton)


Show = Callable[[Pixels, Iterable[Person], Skeleton], None]


@contextmanager
def _overlay(path: Path, source: str) -> Iterator[Show]:
    """Open an overlay: a picture is written when it is shown, a video when all its frames are."""
    if path.suffix != ".mp4":
        yield lambda pixels, people, skeleton: picture.write(path, overlay(pixels, people, skeleton))
        return
    partial = path.with_name(f".{path.stem}.partial.mp4")
    writers: list[cv2.VideoWriter] = []

    def show(pixels: Pixels, people: Iterable[Person], skeleton: Skeleton) -> None:
        drawn = overlay(pixels, people, skeleton)
        if not writers:
            writers.append(_writer(partial, source, (drawn.shape[1], drawn.shape[0])))
        writers[0].write(cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))

    try:
        yield show
        for writer in writers:
            writer.release()
            partial.replace(path)
    finally:
        for writer in writers:
            writer.release()
        partial.unlink(missing_ok=True)


def _writer(path: Path, source: str, size: Size) -> cv2.VideoWriter:
    """Open a video for writing, at the rate of its source; raises PictureError where that cannot be."""
    video = cv2.VideoCapture(source)
    rate = video.get(cv2.CAP_PROP_FPS)
    video.release()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate if 1 <= rate <= 240 else RATE, size)
    if not writer.isOpened():
        raise picture.PictureError(f"{path}: this OpenCV cannot write an MP4 video")
    return writer


def _write(found: Found, estimator: Estimator, out: Path, boxes: str | None) -> None:
    skeleton = estimator.skeleton
    coco.write_results(found.scenes, out / "predictions.json")
    about: dict[str, Any] = {
        **described(skeleton, boxes or "none: the estimator aims by itself"),
        "estimator": estimator.protocol(),
        "overlays": {source: f"{OVERLAYS}/{name}" for source, name in found.overlays.items()},
        "unreadable": found.unreadable,
        "versions": versions(),
    }
    write_json(out / "protocol.json", about)
    people = sum(len(scene.people) for scene in found.scenes)
    print(f"{people} people in {len(found.scenes)} pictures: {out / 'predictions.json'}, drawn in {out / OVERLAYS}")


def _source(entry: Entry) -> str:
    """Return the path of the file that a scene or a reason comes from."""
    if isinstance(entry, Unreadable):
        return entry.source
    source, _, number = str(entry.id).rpartition("#")
    return source if number.isdecimal() and Path(source).suffix.lower() in VIDEO_SUFFIXES else str(entry.id)


def _once(entries: Iterable[Entry], out: Path) -> Iterator[Entry]:
    """Leave out what is named twice, and the overlays of an earlier run."""
    overlays = (out / OVERLAYS).resolve()
    seen: set[str] = set()
    for entry in entries:
        name = entry.source if isinstance(entry, Unreadable) else str(entry.id)
        if name not in seen and not Path(_source(entry)).resolve().is_relative_to(overlays):
            seen.add(name)
            yield entry


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show how far it is on standard error; yields what counts one more, or says a line instead."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} pictures"), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("")

        def told(line: str) -> None:
            if line:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                progress.advance(task)

        yield told
