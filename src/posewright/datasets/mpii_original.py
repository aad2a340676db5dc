"""MPII's own file, `mpii_human_pose_v1_u12_1.mat`: MATLAB structures inside structures, counting pixels from 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError, Record, shown
from posewright.scene import ABSENT, HIDDEN, SEEN, Floats, Person, Scene
from posewright.skeleton import MPII

DOWN, HEIGHT = 15.0, 200.0
"""How far the centre of a person is moved down per scale, and px of height per scale."""


def square(center: Floats, scale: float) -> Floats:
    """Return the box (4,) px around a centre (2,) that counts from 1: a square of the height, moved down."""
    half = HEIGHT * scale / 2
    x, y = center[0] - 1, center[1] - 1 + DOWN * scale
    return np.array([x - half, y - half, x + half, y + half])


def read_original(path: Path, images: Path, split: str, separated: bool = False) -> list[Scene]:
    """Read the authors' .mat; split is train or test (test pictures have centres and scales, no keypoints).

    is_visible 1 is seen, 0 hidden; head top and upper neck have none, and are *seen*. People without keypoints
    are kept, all absent. `head` is the annotated head box, a scene's group the video that the picture is cut from.
    separated: only people who stand apart, as the file lists them in single_person. Raises DataError.
    """
    if split not in ("train", "test"):
        raise DataError(f"{path}: no split {split!r}; there is train and test (val is a list of Tompson et al.)")
    contents = read_matlab(path, struct_as_record=False, squeeze_me=True)
    release = Record(f"{path}: RELEASE", _members(contents.get("RELEASE"), f"{path}: RELEASE"))
    pictures = _many(release.get("annolist"))
    train = _per_picture(release, "img_train", len(pictures))
    apart = _per_picture(release, "single_person", len(pictures)) if separated else None
    scenes = []
    for place, entry in enumerate(pictures):
        if bool(np.any(train[place])) == (split == "train"):
            scene = _scene(entry, f"{path}: picture {place}", images)
            if apart is not None:
                chosen = {number - 1 for number in _many(apart[place])}
                people = tuple(person for person in scene.people if person.id in chosen)
                scene = Scene(scene.image, MPII, people, id=scene.id, group=scene.group)
            scenes.append(scene)
    return scenes


def _members(value: Any, where: str) -> Mapping[str, Any]:
    """Return the members of a MATLAB structure."""
    if not hasattr(value, "_fieldnames"):
        raise DataError(f"{where}: must be a structure, not {shown(value)}")
    return {name: getattr(value, name) for name in value._fieldnames}


def _many(value: Any) -> list[Any]:
    """Return the elements of what MATLAB squeezes: nothing, one, or several."""
    if value is None:
        return []
    return list(value.ravel()) if isinstance(value, np.ndarray) else [value]


def _per_picture(release: Record, field: str, count: int) -> list[Any]:
    value = release.get(field)
    found = [value] if count == 1 and not (isinstance(value, np.ndarray) and value.size == 1) else _many(value)
    if len(found) != count:
        raise release.wrong(field, f"must have one entry for each of {count} pictures, not {len(found)}")
    return found


def _scene(entry: Any, where: str, images: Path) -> Scene:
    record = Record(where, _members(entry, where))
    name = Record(where, _members(record.get("image"), f"{where}: image")).text("name")
    rectangles = _many(record.fields.get("annorect"))
    people = tuple(_person(value, f"{where}: person {place}", place) for place, value in enumerate(rectangles))
    video = record.fields.get("vididx")
    return Scene(images / name, MPII, people, id=Path(name).stem, group=video if isinstance(video, int) else None)


def _person(value: Any, where: str, place: int) -> Person:
    rectangle = Record(where, _members(value, where))
    keypoints, visible = np.full((len(MPII), 2), np.nan), np.full(len(MPII), ABSENT, np.uint8)
    points = rectangle.fields.get("annopoints")
    for point in _many(_members(points, f"{where}: annopoints").get("point") if _there(points) else None):
        record = Record(f"{where}: point", _members(point, f"{where}: point"))
        k = record.whole("id", 0, len(MPII) - 1)
        keypoints[k] = record.number("x") - 1, record.number("y") - 1
        visible[k] = _visible(record)
    box = head = None
    if _there(rectangle.fields.get("objpos")) and _there(rectangle.fields.get("scale")):
        center = Record(f"{where}: objpos", _members(rectangle.get("objpos"), f"{where}: objpos"))
        box = square(np.array([center.number("x"), center.number("y")]), rectangle.number("scale", low=0.0))
    if all(_there(rectangle.fields.get(side)) for side in ("x1", "y1", "x2", "y2")):
        head = np.array([rectangle.number(side) - 1 for side in ("x1", "y1", "x2", "y2")])
    return Person(keypoints, visible, box=box, head=head, id=place)


def _visible(record: Record) -> int:
    """Tell seen from hidden; the file writes 1, "1" or nothing."""
    value = record.fields.get("is_visible")
    if not _there(value):
        return SEEN
    if value not in (0, 1, "0", "1"):
        raise record.wrong("is_visible", f"must be 0, 1 or empty, not {shown(value)}")
    return SEEN if int(value) else HIDDEN


def _there(value: Any) -> bool:
    """Tell whether a member holds something: MATLAB's empty is an array without elements."""
    return value is not None and not (isinstance(value, np.ndarray) and value.size == 0) and value != ""
