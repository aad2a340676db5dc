"""One run of `predict` over files: photographs and videos answered and drawn, here or piece by piece elsewhere."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
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
from posewright.verbs.kept import Kept
from posewright.verbs.overlays import OVERLAYS, PLAIN, Style, opened_overlay, overlay_name
from posewright.warp import Size

UNNAMED = ".piece-"
"""Begins the name of an overlay that was drawn before its turn: its own depends on the files before it."""


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
        away = [] if share is None else [file for file in files if isinstance(file, Path) and not self._known(file)]
        done = share(self._elsewhere(), self._pieces(away)) if share is not None else iter(())
        left = {str(file): place for place, file in enumerate(away)}
        try:
            for file in files:
                if isinstance(file, Unreadable):
                    self._lost(file)
                elif str(file) in left:
                    self._join(str(file), left[str(file)], next(done))
                else:
                    self.file(str(file), scenes_from([file], self.estimator.skeleton, self.drawn, self.clip))
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

    def drawn(self, scene: Scene) -> bool:
        """Tell whether a photograph is answered and drawn already."""
        name = overlay_name(str(scene.id), self.taken)
        there = self.style.none or (self.out / OVERLAYS / name).is_file()
        return self.answers.people(scene) is not None and there

    def file(self, source: str, group: Iterable[Scene | Unreadable], name: str = "") -> None:
        """Estimate one file, a photograph or all frames of a video, and draw its overlay, by a name of its own."""
        name = name or overlay_name(source, self.taken)
        follow = self._following(source)
        with opened_overlay(self.out / OVERLAYS / name, source, self.style, self.clip.stride) as show:
            for entry in group:
                if isinstance(entry, Unreadable):
                    self._lost(entry)
                    continue
                done = self.answers.people(entry)
                people = self.people(entry) if done is None else done
                if done is None:
                    self.answers.add(replace(entry, image=source, people=people))
                people, smoothed = follow(people)
                self.found.scenes.append(replace(entry, image=source, people=people))
                self.found.smoothed.append(replace(entry, image=source, people=smoothed))
                if not self.style.none:
                    self.found.overlays[source] = name
                    self.taken.add(name.lower())
                if not isinstance(entry.image, str | Path):
                    show(entry.pixels(), smoothed, entry.skeleton)
                self.told("")

    def _following(self, source: str) -> Callable[[Sequence[Person]], tuple[tuple[Person, ...], tuple[Person, ...]]]:
        """Return what gives the people of a video's frames ids, and smooths them where that is asked for."""
        if Path(source).suffix.lower() not in VIDEO_SUFFIXES:
            return lambda people: (tuple(people), tuple(people))
        rate = videos.rate(source) / self.clip.stride
        tracker, filtered = Tracker(self.estimator.skeleton, rate), OneEuro(rate)

        def follow(people: Sequence[Person]) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
            known = tracker(people)
            return known, filtered(known) if self.smooth else known

        return follow

    def people(self, scene: Scene) -> tuple[Person, ...]:
        """Ask about a picture, at its boxes where there are boxes; one that lies outside of it holds nobody."""
        if self.boxes is None:
            return tuple(self.estimator(scene.pixels()))
        given = [one.box for one in boxes_of(str(scene.id), self.boxes)]
        inside = [box for box in given if _meets(box, scene.size)]
        if len(inside) < len(given):
            self.told(f"posewright: {scene.id}: {len(given) - len(inside)} of its {len(given)} boxes lie outside of it")
        people = self.estimator(scene.pixels(), inside) if inside else []
        return tuple(replace(person, box=box) for person, box in zip(people, inside, strict=True))


def _meets(box: Floats, size: Size | None) -> bool:
    """Tell whether a box xyxy and its picture share anything."""
    return size is None or bool((box[2:] > 0).all() and (box[:2] < np.asarray(size)).all())


def _boxes_in(source: str, boxes: Boxes) -> Boxes:
    """Return the boxes of one file, of a video those of all its frames."""
    if Path(source).suffix.lower() not in VIDEO_SUFFIXES:
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
    run.file(piece.source, scenes_from([piece.source], estimator.skeleton, clip=clip), piece.overlay)
    return Done(run.found, lines.getvalue(), told)
