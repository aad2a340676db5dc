"""Kept answers: what an estimator has said so far, a line a picture, so that a run that ends early goes on from there.

The first line says what the answers are of; another estimator, other boxes or another version begin anew. A picture
that has changed since it was looked at is looked at again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from posewright.datasets.detections import Detected
from posewright.datasets.documents import parsed
from posewright.datasets.records import DataError, Record, record_of
from posewright.estimators.estimator import Estimator
from posewright.estimators.scenes import found_in, predict_scenes
from posewright.pieces import Share
from posewright.scene import Person, Scene

FILE = "answers.jsonl"
PICTURES = 32
"""In a piece: the network's batches are made within it, so that they are the same wherever it is done."""
PASSING = ("threads",)
"""What an estimator says of itself that changes from hour to hour, and no answer."""


@dataclass
class Kept:
    """Hold what is known already, by the picture's id, and write down what is added."""

    path: Path
    file: BinaryIO
    known: dict[str, Record]

    def people(self, scene: Scene) -> tuple[Person, ...] | None:
        """Return the people of a picture that was looked at and has not changed; None where nobody knows."""
        record = self.known.get(str(scene.id))
        if record is None or record.fields.get("stamp") != stamp(scene):
            return None
        try:
            people = record.records("people", "person")
            return tuple(_person(one, len(scene.skeleton)) for one in people)
        except ValueError:
            return None

    def add(self, scene: Scene) -> None:
        """Write down the people of a picture."""
        line = {"id": str(scene.id), "stamp": stamp(scene), "people": [_told(person) for person in scene.people]}
        self.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def write(self, lines: bytes) -> None:
        """Write down lines that another one's `add` has made."""
        try:
            self.file.write(lines)
            self.file.flush()
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self.path)) from None

    def forget(self) -> None:
        """Delete the file: all that it says stands in a better place now."""
        self.path.unlink(missing_ok=True)


@contextmanager
def kept(folder: Path, of: Mapping[str, Any]) -> Iterator[Kept]:
    """Open the answers of a folder, and hold them for this process; ValueError where another one does."""
    path = folder / FILE
    head = json.dumps({key: value for key, value in of.items() if key not in PASSING}, sort_keys=True, default=str)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666), "r+b") as file:
        _hold(file, folder)
        known, end = _read(path, file, head)
        file.seek(end)
        file.truncate()
        if end == 0:
            file.write(head.encode() + b"\n")
            file.flush()
        yield Kept(path, file, known)


def stamp(scene: Scene) -> list[int]:
    """Return size and time of a picture's file, as JSON has them; of pixels that lie in no file nothing."""
    source = scene.image if isinstance(scene.image, str | Path) else str(scene.id).rpartition("#")[0] or str(scene.id)
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return []
    return [found.st_size, found.st_mtime_ns]


def _read(path: Path, file: BinaryIO, head: str) -> tuple[dict[str, Record], int]:
    """Return what whole lines say, and where they end; nothing where the first is not `head`."""
    first = file.readline()
    if first != head.encode() + b"\n":
        return {}, 0
    known: dict[str, Record] = {}
    end = len(first)
    for line in file:
        try:
            record = record_of(parsed(path, line), str(path))
            name = record.text("id")
        except DataError:
            break
        if not line.endswith(b"\n"):
            break
        known[name] = record
        end += len(line)
    return known, end


def _hold(file: BinaryIO, folder: Path) -> None:
    """Lock a file until it is closed, whatever closes it; where the system has no such locks nothing is held."""
    with suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{folder}: another process writes there now; name another folder with --out") from None


def _told(person: Person) -> dict[str, Any]:
    arrays = {"keypoints": person.keypoints, "scores": person.scores, "visible": person.visible, "box": person.box}
    found: dict[str, Any] = {name: _plain(value) for name, value in arrays.items() if value is not None}
    return found | ({} if person.score is None else {"score": float(person.score)})


def _plain(array: Any) -> Any:
    """Return an array as JSON has it, null for NaN."""
    values = np.asarray(array)
    if values.dtype.kind != "f":
        return values.tolist()
    plain = values.astype(object)
    plain[np.isnan(values)] = None
    return plain.tolist()


def _person(record: Record, count: int) -> Person:
    scores = record.fields.get("scores")
    box = record.fields.get("box")
    flat = Record(record.where, {"scores": [scores], "box": [box]})
    return Person(
        record.rows("keypoints", count, 2),
        visible=record.choices("visible", count, (0, 1, 2)) if record.has("visible") else None,
        scores=None if scores is None else flat.rows("scores", 1, count)[0],
        box=None if box is None else flat.rows("box", 1, 4)[0],
        score=record.number("score") if record.has("score") else None,
    )


def predicted(
    answers: Kept,
    estimator: Estimator,
    scenes: Sequence[Scene],
    detected: Sequence[Sequence[Detected]] | None = None,
    everybody: bool = False,
    share: Share | None = None,
) -> Iterator[Scene]:
    """Estimate people as `predict_scenes` does, but of scenes whose answers are kept; the rest is kept, too.

    everybody: without boxes, as `found_in` does. share: what does PICTURES at a time, as `pieces.shared` gives it for
    a cluster; None does the same here, one after the other.
    """
    known = [answers.people(scene) for scene in scenes]
    left = [place for place, people in enumerate(known) if people is None]
    ask = partial(_asked, estimator, everybody)
    pieces = (_piece(scenes, detected, left[start : start + PICTURES]) for start in range(0, len(left), PICTURES))
    some = map(ask, pieces) if share is None else share(partial(_listed, ask), pieces)
    asked = chain.from_iterable(some)
    for scene, people in zip(scenes, known, strict=True):
        if people is not None:
            yield replace(scene, people=people)
            continue
        found = next(asked)
        answers.add(found)
        yield found


Piece = tuple[list[Scene], list[Sequence[Detected]] | None]


def _piece(scenes: Sequence[Scene], detected: Sequence[Sequence[Detected]] | None, places: Sequence[int]) -> Piece:
    boxes = None if detected is None else [detected[place] for place in places]
    return [scenes[place] for place in places], boxes


def _asked(estimator: Estimator, everybody: bool, piece: Piece) -> Iterator[Scene]:
    return found_in(estimator, piece[0]) if everybody else predict_scenes(estimator, *piece)


def _listed(ask: Callable[[Piece], Iterator[Scene]], piece: Piece) -> list[Scene]:
    return list(ask(piece))


def digest(scenes: Sequence[Scene], detected: Sequence[Sequence[Detected]] | None = None) -> str:
    """Return the SHA-256 of the boxes that an estimator is asked at."""
    looked: Any = [[person.box for person in scene.people] for scene in scenes] if detected is None else [
        [(one.box, one.score) for one in some] for some in detected
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(looked, default=lambda box: box.tolist()).encode()).hexdigest()
