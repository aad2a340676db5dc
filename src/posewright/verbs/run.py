"""One run of `predict` over files: photographs and videos answered and drawn, here or piece by piece elsewhere."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from posewright.datasets import videos
from posewright.datasets.detections import Boxes, boxes_of
from posewright.datasets.inputs import VIDEO_SUFFIXES, Unreadable, scenes_from
from posewright.datasets.records import Record
from posewright.datasets.videos import ALL, Clip
from posewright.estimators.estimator import Estimator
from posewright.estimators.one_euro import OneEuro
from posewright.estimators.tracking import Tracker
from posewright.pieces import Share
from posewright.scene import Floats, Person, Scene
from posewright.verbs.beside import Behind, ahead, behind, chunked
from posewright.verbs.kept import Kept
from posewright.verbs.overlays import OVERLAYS, PLAIN, Style, opened_overlay, overlay_name
from posewright.warp import Size

UNNAMED = ".piece-"
"""Begins the name of an overlay that was drawn before its turn: its own depends on the files before it."""


People = tuple[Person, ...]


@dataclass
class Found:
    """What one run has read, and what it could not."""

    scenes: list[Scene] = field(default_factory=list)
    smoothed: list[Scene] = field(default_factory=list)
    overlays: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


class Piece(NamedTuple):
    """One file to do elsewhere: how its overlay is called meanwhile, what is known of it, and its people's boxes."""

    source: str
    overlay: str
    known: dict[str, Record]
    boxes: Boxes | None


class Done(NamedTuple):
    """What was found in a piece, the lines to keep of it, and what is to be told."""

    found: Found
    kept: bytes
    told: list[str]


class Read(NamedTuple):
    """A picture or a frame, or why there is none, of a file, and how the file's overlay is called."""

    source: str
    overlay: str
    entry: Scene | Unreadable


@dataclass
class Run:
    """One run over files: what asks, what is known already, and where it all goes."""

    estimator: Estimator
    boxes: Boxes | None
    out: Path
    found: Found
    answers: Kept
    told: Callable[[str], None]
    clip: Clip = ALL
    style: Style = PLAIN
    smooth: bool = False
    taken: set[str] = field(default_factory=set)
    """Names of overlays, in lower case."""

    def all(self, files: Sequence[Path | Unreadable], share: Share | None = None) -> None:
        """Do files in their order, all of them here; or with `share`, but for photographs that are known, as pieces."""
        if share is None:
            self.files(files)
            return
        away = [file for file in files if isinstance(file, Path) and not self._known(file)]
        done = share(self._elsewhere(), self._pieces(away))
        left = {str(file): place for place, file in enumerate(away)}
        try:
            for file in files:
                if isinstance(file, Unreadable):
                    self._lost(file)
                elif str(file) in left:
                    self._join(str(file), left[str(file)], next(done))
                else:
                    self.files([file])
        finally:
            if isinstance(done, Generator):
                done.close()

    def _known(self, file: Path) -> bool:
        return self.answers.people(Scene(file, self.estimator.skeleton, id=str(file))) is not None

    def _elsewhere(self) -> Callable[[Piece], Done]:
        """Return what does a piece on another machine."""
        return partial(answered, self.estimator, self.out, self.clip, self.style, self.smooth)

    def _pieces(self, files: Sequence[Path]) -> Iterable[Piece]:
        known: dict[str, dict[str, Record]] = defaultdict(dict)
        for name, record in self.answers.known.items():
            known[name.rpartition("#")[0]][name] = record
        for place, file in enumerate(files):
            source = str(file)
            boxes = None if self.boxes is None else _boxes_in(source, self.boxes)
            yield Piece(source, _unnamed(source, place), known.get(source, {}), boxes)

    def _join(self, source: str, place: int, done: Done) -> None:
        """Take over what was found elsewhere, as if it had been found here."""
        self.answers.write(done.kept)
        for line in done.told:
            self.told(line)
        drawn = self.out / OVERLAYS / _unnamed(source, place)
        if done.found.overlays:
            name = overlay_name(source, self.taken)
            self.found.overlays[source] = name
            self.taken.add(name.lower())
            if drawn.exists():
                os.replace(drawn, self.out / OVERLAYS / name)
        self.found.scenes += done.found.scenes
        self.found.smoothed += done.found.smoothed
        self.found.unreadable.update(done.found.unreadable)

    def _lost(self, entry: Unreadable) -> None:
        self.found.unreadable[entry.source] = entry.reason
        self.told(f"posewright: {entry}")

    def files(self, files: Iterable[Path | Unreadable], name: str = "") -> None:
        """Estimate files, and draw their overlays; name: what the overlay of the only one is called.

        The next pictures are read, and the last ones are drawn, while the network looks at several at once.
        """
        with ahead(chunked(self._read(files, name), _bytes_of)) as chunks, behind() as later:
            answered = (one for chunk in chunks for one in self._answered(chunk))
            for (source, overlay), group in groupby(answered, lambda one: (one[0].source, one[0].overlay)):
                self._file(source, overlay, group, later)

    def _read(self, files: Iterable[Path | Unreadable], name: str) -> Iterator[Read]:
        """Yield what is read of files, and name their overlays in that order."""
        for file in files:
            if isinstance(file, Unreadable):
                yield Read(file.source, "", file)
                continue
            overlay = name or overlay_name(str(file), self.taken)
            for entry in scenes_from([file], self.estimator.skeleton, partial(self._drawn, overlay), self.clip):
                if isinstance(entry, Scene) and not self.style.none:
                    self.taken.add(overlay.lower())
                yield Read(str(file), overlay, entry)

    def _drawn(self, overlay: str, scene: Scene) -> bool:
        """Tell whether a photograph is answered and drawn already."""
        there = self.style.none or (self.out / OVERLAYS / overlay).is_file()
        return there and self.answers.people(scene) is not None

    def _file(self, source: str, overlay: str, group: Iterable[tuple[Read, People]], later: Behind) -> None:
        """Take over the answers of one file, a photograph or all frames of a video, and have its overlay drawn."""
        follow = self._following(source)
        with opened_overlay(self.out / OVERLAYS / overlay, source, self.style, self.clip.stride) as show:
            try:
                for (_, _, entry), found in group:
                    if isinstance(entry, Unreadable):
                        self._lost(entry)
                        continue
                    people, smoothed = follow(found)
                    self.found.scenes.append(replace(entry, image=source, people=people))
                    self.found.smoothed.append(replace(entry, image=source, people=smoothed))
                    if not self.style.none:
                        self.found.overlays[source] = overlay
                    if not self.style.none and isinstance(entry.image, np.ndarray):
                        later(entry.image.nbytes, show, entry.image, smoothed, entry.skeleton)
                    self.told("")
            finally:
                if _is_video(source):
                    later.wait()

    def _following(self, source: str) -> Callable[[Sequence[Person]], tuple[People, People]]:
        """Return what gives the people of a video's frames ids, and smooths them where that is asked for."""
        if not _is_video(source):
            return lambda people: (tuple(people), tuple(people))
        rate = videos.rate(source) / self.clip.stride
        tracker, filtered = Tracker(self.estimator.skeleton, rate), OneEuro(rate)

        def follow(people: Sequence[Person]) -> tuple[People, People]:
            known = tracker(people)
            return known, filtered(known) if self.smooth else known

        return follow

    def _answered(self, chunk: Sequence[Read]) -> Iterator[tuple[Read, People]]:
        """Answer what was read, in its order: by what is kept, else by the estimator, which is asked about all."""
        known = [() if isinstance(one.entry, Unreadable) else self.answers.people(one.entry) for one in chunk]
        unknown = [one.entry for one, people in zip(chunk, known, strict=True) if people is None]
        asked = self._asked([entry for entry in unknown if isinstance(entry, Scene)])
        for one, people in zip(chunk, known, strict=True):
            if people is None and isinstance(one.entry, Scene):
                found = next(asked)
                self.answers.add(replace(one.entry, image=one.source, people=found))
                yield one, found
            else:
                yield one, people or ()

    def _asked(self, scenes: Sequence[Scene]) -> Iterator[People]:
        """Ask about pictures, at their boxes where there are boxes; one that lies outside of its picture holds nobody.

        A picture without a box is not looked at.
        """
        if self.boxes is None:
            yield from map(tuple, self.estimator.many([scene.pixels() for scene in scenes]) if scenes else ())
            return
        given = [[one.box for one in boxes_of(str(scene.id), self.boxes)] for scene in scenes]
        inside = [[box for box in some if _meets(box, scene.size)] for scene, some in zip(scenes, given, strict=True)]
        looked = [(scene.pixels(), boxes) for scene, boxes in zip(scenes, inside, strict=True) if boxes]
        answers = self.estimator.many([pixels for pixels, _ in looked], [boxes for _, boxes in looked])
        for scene, some, boxes in zip(scenes, given, inside, strict=True):
            if lost := len(some) - len(boxes):
                self.told(f"posewright: {scene.id}: {lost} of its {len(some)} boxes lie outside of it")
            people = next(answers) if boxes else []
            yield tuple(replace(person, box=box) for person, box in zip(people, boxes, strict=True))


def _bytes_of(one: Read) -> int:
    return one.entry.image.nbytes if isinstance(one.entry, Scene) and isinstance(one.entry.image, np.ndarray) else 0


def _is_video(source: str) -> bool:
    return Path(source).suffix.lower() in VIDEO_SUFFIXES


def _meets(box: Floats, size: Size | None) -> bool:
    """Tell whether a box xyxy and its picture share anything."""
    return size is None or bool((box[2:] > 0).all() and (box[:2] < np.asarray(size)).all())


def _boxes_in(source: str, boxes: Boxes) -> Boxes:
    """Return the boxes of one file, of a video those of all its frames."""
    if not _is_video(source):
        return {source: boxes_of(source, boxes)}
    frames = (source, Path(source).name)
    return {name: some for name, some in boxes.items() if str(name).rpartition("#")[0] in frames or name in frames}


def _unnamed(source: str, place: int) -> str:
    return f"{UNNAMED}{place}{Path(overlay_name(source, set())).suffix}"


def answered(estimator: Estimator, out: Path, clip: Clip, style: Style, smooth: bool, piece: Piece) -> Done:
    """Do one file on any machine that sees it and `out`; what is written there is its overlay alone."""
    lines, told = BytesIO(), list[str]()
    answers = Kept(out, lines, piece.known)
    run = Run(estimator, piece.boxes, out, Found(), answers, told.append, clip, style, smooth)
    run.files([Path(piece.source)], piece.overlay)
    return Done(run.found, lines.getvalue(), told)
