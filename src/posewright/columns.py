"""Scenes by columns: the people of many scenes in a few large arrays, and a `Person` only where one is asked for.

A file of a hundred thousand results is read and scored in a fraction of the time that as many objects take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from posewright.scene import ABSENT, Floats, Person, Scene

_DEFAULTS = {field.name: field.default for field in fields(Person) if field.default is not MISSING}


class People(NamedTuple):
    """Hold the people of many scenes, scene by scene; NaN stands where a person has no box, area or score.

    scene (P,) the place of each one's scene; keypoints (P, K, 2) px; box (P, 4) xyxy px; area (P,) px^2;
    score (P,); crowd (P,); visible and scores (P, K), None where they are not told of everybody; id (P,) objects;
    counted (P,) 1 or 0, -1 where it is None, and box_area (P,) as in `Person`, None where nobody has any.
    """

    scene: NDArray[np.intp]
    keypoints: Floats
    box: Floats
    area: Floats
    score: Floats
    crowd: NDArray[np.bool_]
    visible: NDArray[np.uint8] | None
    scores: Floats | None
    id: Sequence[int | str | None]
    counted: NDArray[np.int8] | None = None
    box_area: Floats | None = None

    def taken(self, rows: NDArray[np.intp]) -> People:
        """Return the people of some rows, each in a scene of their own."""
        columns: Any = {name: column[rows] for name, column in self._asdict().items() if isinstance(column, np.ndarray)}
        columns |= {"scene": np.arange(len(rows)), "id": [self.id[row] for row in rows.tolist()]}
        return self._replace(**columns)

    def person(self, p: int) -> Person:
        """Return the person of a row; what `Person` checks was checked of all rows."""
        told: dict[str, Any] = {
            "keypoints": self.keypoints[p],
            "visible": None if self.visible is None else self.visible[p],
            "scores": None if self.scores is None else self.scores[p],
            "score": _known(self.score[p]),
            "box": self.box[p] if self.box[p, 0] == self.box[p, 0] else None,
            "area": _known(self.area[p]),
            "id": self.id[p],
            "crowd": bool(self.crowd[p]),
            "counted": None if self.counted is None or self.counted[p] < 0 else bool(self.counted[p]),
            "box_area": None if self.box_area is None else _known(self.box_area[p]),
        }
        person = object.__new__(Person)
        person.__dict__.update(_DEFAULTS | told)
        return person

    def check(self) -> None:
        """Raise ValueError where the columns make no people, as `Person` does of one."""
        count, keypoints = self.keypoints.shape[:2]
        both, four = (count, keypoints), (count, 4)
        for name, shape in {"keypoints": (*both, 2), "visible": both, "scores": both, "box": four}.items():
            column = getattr(self, name)
            if column is not None and column.shape != shape:
                raise ValueError(f"people: {name} must be {shape}, not {column.shape}")
        if self.visible is not None:
            there = np.isfinite(self.keypoints).all(-1)
            if ((self.visible > ABSENT) != there).any():
                raise ValueError("people: an absent keypoint is NaN, a labelled one has a place")


class Columns(Sequence[Scene]):
    """Be a sequence of scenes whose people are kept in columns; a scene is made each time that it is asked for.

    pictures: the scenes without their people. people: as many keypoints each as the scenes' skeleton, in the
    order of the scenes.
    """

    def __init__(self, pictures: Sequence[Scene], people: People) -> None:
        people.check()
        self.pictures = pictures
        self.people = people
        self._first = np.searchsorted(people.scene, np.arange(len(pictures) + 1))

    def __len__(self) -> int:
        return len(self.pictures)

    @overload
    def __getitem__(self, place: int) -> Scene: ...
    @overload
    def __getitem__(self, place: slice) -> list[Scene]: ...
    def __getitem__(self, place: int | slice) -> Scene | list[Scene]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        scene = self.pictures[place]
        first, end = self._first[place % len(self)], self._first[place % len(self) + 1]
        return with_people(scene, tuple(self.people.person(p) for p in range(first, end)))

    def __repr__(self) -> str:
        return f"Columns({len(self)} scenes, {len(self.people.scene)} people)"


def with_people(scene: Scene, people: tuple[Person, ...] = ()) -> Scene:
    """Return the scene with other people in it, or nobody; `dataclasses.replace` takes ten times as long."""
    return Scene(scene.image, scene.skeleton, people, scene.size, scene.camera, scene.id, scene.group)


def pictures_of(scenes: Sequence[Scene]) -> Sequence[Scene]:
    """Return the scenes to ask for anything but people: without them where that spares making them."""
    return scenes.pictures if isinstance(scenes, Columns) else scenes


def columns_of(scenes: Sequence[Scene], keypoints: int) -> Columns:
    """Return scenes, of `keypoints` each, with their people in columns."""
    return scenes if isinstance(scenes, Columns) else Columns(scenes, people_of(scenes, keypoints))


def people_of(scenes: Sequence[Scene], keypoints: int) -> People:
    """Return the people of any scenes, of `keypoints` each, in columns."""
    if isinstance(scenes, Columns):
        return scenes.people
    people = [person for scene in scenes for person in scene.people]
    told = bool(people) and all(person.visible is not None for person in people)
    rated = bool(people) and all(person.scores is not None for person in people)
    return People(
        np.repeat(np.arange(len(scenes)), [len(scene.people) for scene in scenes]),
        np.array([person.keypoints for person in people], np.float64).reshape(-1, keypoints, 2),
        np.array([_NOWHERE if person.box is None else person.box for person in people]).reshape(-1, 4),
        np.array([np.nan if person.area is None else person.area for person in people], np.float64),
        np.array([np.nan if person.score is None else person.score for person in people], np.float64),
        np.array([person.crowd for person in people], bool),
        np.array([person.visible for person in people], np.uint8) if told else None,
        np.array([person.scores for person in people], np.float64) if rated else None,
        [person.id for person in people],
        np.array([-1 if person.counted is None else person.counted for person in people], np.int8),
        np.array([np.nan if person.box_area is None else person.box_area for person in people], np.float64),
    )


def ends(keypoints: Floats) -> tuple[Floats, Floats]:
    """Return the lowest and the highest x and y (2, P) of keypoints (P, K, 2), NaN left out; NaN where there is none.

    People are moved to the last axis, some at a time: numpy reduces a short axis in the middle several times as slowly.
    """
    low, high = np.empty((2, 2, len(keypoints)))
    for some in (slice(start, start + AT_ONCE) for start in range(0, len(keypoints), AT_ONCE)):
        columns = np.ascontiguousarray(np.moveaxis(keypoints[some], 0, 2))
        np.fmin.reduce(columns, axis=0, out=low[:, some])
        np.fmax.reduce(columns, axis=0, out=high[:, some])
    return low, high


def extent(keypoints: Floats) -> Floats:
    """Return the width and height (2, P) of keypoints (P, K, 2), NaN left out; 0 where there is none."""
    low, high = ends(keypoints)
    return np.asarray(np.fmax(high - low, 0.0))


AT_ONCE = 1 << 9
"""How many people are measured together: few enough for the cache."""
_NOWHERE = np.full(4, np.nan)


def _known(value: np.float64) -> float | None:
    return float(value) if value == value else None  # np.isnan takes ten times as long
