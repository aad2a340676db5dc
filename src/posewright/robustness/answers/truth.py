"""Truth: whom a study asks about, kept as JSON, so that answers can be measured again without the data's pictures.

Every number comes back to the last bit. Pictures do not: a person who is read back stands in an empty crop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, Record, record_of, records_in
from posewright.files import write_whole
from posewright.robustness.attacks.subjects import Subject, subject
from posewright.scene import ABSENT, HIDDEN, SEEN, Crop, Floats, Person, Scene
from posewright.skeleton import SKELETONS, Skeleton
from posewright.warp import Warp

FILE = "people.json"
LONGEST = 1 << 16
"""px of a picture's side at most; more is damage."""


class Asked(NamedTuple):
    """Hold the pictures of a study, without pixels, and the people in them whom it asks about."""

    scenes: list[Scene]
    people: list[Subject]


def keep(folder: Path, asked: Asked) -> Path:
    """Write whom a study asks about into its folder; returns the file."""
    write_whole(folder / FILE, json.dumps(told(asked), allow_nan=False).encode())
    return folder / FILE


def kept(folder: Path | str) -> Asked:
    """Read whom a study asked about from its folder; raises DataError."""
    file = Path(folder) / FILE
    return asked_of(record_of(read_json(file), str(file)))


def told(asked: Asked) -> dict[str, Any]:
    """Say whom a study asks about: the truth of every picture, in its px, and each person's place and crop."""
    skeleton = asked.people[0].crop.skeleton
    return {
        "skeleton": _told_skeleton(skeleton),
        "scenes": [
            {"id": _name(scene, place), "people": [_told_person(person) for person in scene.people]}
            | ({} if scene.group is None else {"group": scene.group})
            for place, scene in enumerate(asked.scenes[: asked.people[-1].scene + 1])
        ],
        "people": [_told_subject(one) for one in asked.people],
    }


def asked_of(content: Record) -> Asked:
    """Return whom a study asks about from what `told` has said of it; raises DataError."""
    skeleton = _skeleton(record_of(content.get("skeleton"), f"{content.where}: skeleton"))
    blank = np.zeros((1, 1, 3), np.uint8)
    scenes = [
        Scene(blank, skeleton, tuple(_person(one, len(skeleton)) for one in record.records("people", "person")),
              id=record.identity("id"), group=record.identity("group") if record.has("group") else None)
        for record in content.records("scenes", "picture")
    ]  # fmt: skip
    people = [_subject(record, scenes) for record in records_in(content.items("people"), content.where, "asked person")]
    if not people:
        raise content.wrong("people", "nobody is asked about")
    return Asked(scenes, people)


def _name(scene: Scene, place: int) -> int | str:
    return place if scene.id is None else scene.id


def _told_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "name": skeleton.name,
        "keypoints": list(skeleton.keypoints),
        "limbs": [list(limb) for limb in skeleton.limbs],
        "sigmas": None if skeleton.sigmas is None else list(skeleton.sigmas),
        "sigmas_source": skeleton.sigmas_source,
    }


def _skeleton(record: Record) -> Skeleton:
    names, limbs = record.items("keypoints"), record.items("limbs")
    sigmas = tuple(record.numbers("sigmas", len(names)).tolist()) if record.has("sigmas") else None
    if not names or not all(isinstance(name, str) and name for name in names):
        raise record.wrong("keypoints", "must be names")
    try:
        pairs = tuple((a, b) for a, b in limbs)
        said = Skeleton(record.text("name"), tuple(names), pairs, sigmas, record.text("sigmas_source"))
    except (TypeError, ValueError) as error:
        raise DataError(f"{record.where}: {error}") from None
    known = (s for s in SKELETONS if _told_skeleton(s) == _told_skeleton(said))
    return next(known, said)


def _told_person(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = {"keypoints": points(person.keypoints)}
    for name in ("visible", "box", "head"):
        value = getattr(person, name)
        if value is not None:
            found[name] = value.tolist()
    if person.area is not None:
        found["area"] = float(person.area)
    return found | ({"crowd": True} if person.crowd else {})


def _person(record: Record, count: int) -> Person:
    try:
        return Person(
            record.rows("keypoints", count, 2),
            visible=record.choices("visible", count, (ABSENT, HIDDEN, SEEN)) if record.has("visible") else None,
            box=record.numbers("box", 4) if record.has("box") else None,
            head=record.numbers("head", 4) if record.has("head") else None,
            area=record.number("area") if record.has("area") else None,
            crowd=record.fields.get("crowd") is True,
        )
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{record.where}: {error}") from None


def points(xy: Floats) -> list[list[float | None]]:
    """Return keypoints (K, 2) as JSON has them: null where they are absent."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in xy]


def _told_subject(one: Subject) -> dict[str, Any]:
    return {
        "scene": one.scene,
        "person": one.person,
        "box": one.box.tolist(),
        "crop_from_picture": one.crop.warp.matrix.tolist(),
        "size": list(one.crop.warp.size),
        "picture_size": list(one.crop.source_size),
    }


def _subject(record: Record, scenes: Sequence[Scene]) -> Subject:
    place = record.whole("scene", 0, len(scenes) - 1)
    n = record.whole("person", 0, len(scenes[place].people) - 1)
    matrix, box = record.rows("crop_from_picture", 3, 3), record.numbers("box", 4)
    if not np.isfinite(matrix).all() or not abs(np.linalg.det(matrix)) > 0:
        raise record.wrong("crop_from_picture", "must be a matrix of 3 x 3 numbers that can be inverted")
    width, height = _size(record, "size")
    blank = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    seen = Crop(blank, (), Warp(matrix, (width, height)), scenes[place].skeleton, _size(record, "picture_size"))
    return subject(scenes[place], place, n, seen, box)


def _size(record: Record, field: str) -> tuple[int, int]:
    width, height = record.numbers(field, 2)
    if not (1 <= width <= LONGEST and 1 <= height <= LONGEST):
        raise record.wrong(field, f"must be a width and a height from 1 to {LONGEST} px, not {width:g} and {height:g}")
    return int(width), int(height)
