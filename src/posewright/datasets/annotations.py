"""COCO's annotation format, which COCO, CrowdPose, AI Challenger, JHMDB and PoseTrack share.

Images, annotations and categories are three lists joined by ids (cocodataset.org, "data format").
Keypoints are x, y, v three by three; boxes x, y, width, height; a crowd has `iscrowd` 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posewright.columns import Columns
from posewright.datasets import masks, quick
from posewright.datasets.records import (
    COCO_VISIBLE,
    LARGEST,
    DataError,
    Flags,
    Record,
    parsed,
    read_bytes,
    record_of,
    shown,
)
from posewright.geometry import Camera
from posewright.scene import ABSENT, Cause, Person, Scene
from posewright.skeleton import COCO, SKELETONS, Skeleton

HOUSE = "posewright"
"""The key under which an annotation, image or category keeps what COCO's format has no field for."""


@dataclass(frozen=True)
class Dialect:
    """Say how a data set departs from COCO.

    field: where keypoints stand. visible: what each v means. shift is added to every coordinate (-1 where
    MATLAB's first pixel is 1). head: the field of a head box xywh. identity: the field that names a person.
    masks: decode segmentations. skeleton: None takes it from the file's own category.
    """

    skeleton: Skeleton | None = None
    field: str = "keypoints"
    visible: Mapping[int, int] | None = None
    shift: float = 0.0
    head: str | None = None
    identity: str = "id"
    masks: bool = False


def read_annotations(path: Path, images: Path, dialect: Dialect) -> list[Scene]:
    """Read every image of an annotation file as a scene, those without people among them; raises DataError.

    Scenes stand in the file's order of images, people in its order of annotations. An image that says
    `is_labeled` false (videos are labelled in part) is no scene: nobody knows who is in it.
    """
    data = read_bytes(path)
    try:
        return list(_quickly(path, data, images, dialect))
    except quick.UNUSUAL as error:
        quick.refuse_huge(path, data, error)
    file = record_of(parsed(path, data), str(path))
    skeletons = _skeletons(file, dialect.skeleton)
    pictures = _by_identity(file.records("images", "image"))
    people: dict[int | str, list[Person]] = {identity: [] for identity in pictures}
    for record in file.records("annotations", "annotation"):
        image, skeleton = _references(record, pictures, skeletons)
        if skeleton is not None:
            people[image].append(_person(record, skeleton, dialect, _size(pictures[image])))
    skeleton = next((s for s in skeletons.values() if s is not None), COCO)
    first = next(iter(pictures.values()), None)
    place = _finder(images, "" if first is None else first.text("file_name"))
    return [
        _scene(record, place, skeleton, tuple(people[identity]))
        for identity, record in pictures.items()
        if record.fields.get("is_labeled") is not False
    ]


def _quickly(path: Path, data: quick.Bytes, images: Path, dialect: Dialect) -> Columns:
    """Read a file of which everything is in order; raises one of quick.UNUSUAL for any other."""
    quick.check(dialect.field == "keypoints" and dialect.identity == "id" and not (dialect.head or dialect.masks))
    file = quick.read_annotations(data)
    skeletons = _skeletons(Record(str(path), {"categories": file.categories}), dialect.skeleton)
    skeleton = next(s for s in skeletons.values() if s is not None)
    places = {image.id: i for i, image in enumerate(file.images)}
    quick.check(all(one.category_id in skeletons and one.image_id in places for one in file.annotations))
    bodies = [annotation for annotation in file.annotations if skeletons[annotation.category_id] is not None]
    place = _finder(images, file.images[0].file_name if file.images else "")
    pictures = [Scene(place(image.file_name), skeleton, (), image.size, None, image.id) for image in file.images]
    people = quick.people_of(bodies, places, len(skeleton), dialect.visible or COCO_VISIBLE, dialect.shift)
    return Columns(pictures, people)


def _by_identity(records: list[Record]) -> dict[int | str, Record]:
    found: dict[int | str, Record] = {}
    for record in records:
        identity = record.identity("id")
        if identity in found:
            raise record.wrong("id", "stands twice; every image needs its own")
        found[identity] = record
    return found


def _references(
    record: Record, pictures: Mapping[int | str, Record], skeletons: Mapping[int | str, Skeleton | None]
) -> tuple[int | str, Skeleton | None]:
    """Follow an annotation to its image and its category's skeleton (None: a category without keypoints)."""
    image, category = record.identity("image_id"), record.identity("category_id")
    if image not in pictures:
        raise record.wrong("image_id", f"{image!r} is the id of no image in this file")
    if category not in skeletons:
        raise record.wrong("category_id", f"{category!r} is the id of no category in this file")
    return image, skeletons[category]


def _person(record: Record, skeleton: Skeleton, dialect: Dialect, size: tuple[int, int] | None) -> Person:
    keypoints, visible = record.keypoints(dialect.field, len(skeleton), dialect.visible or COCO_VISIBLE, dialect.shift)
    mask = None
    if dialect.masks and record.has("segmentation"):
        mask = masks.decode(record, "segmentation", size)
    person: dict[str, Any] = {
        "keypoints": keypoints,
        "visible": visible,
        "box": record.box("bbox") + dialect.shift if record.has("bbox") else None,
        "area": record.number("area", 0.0, LARGEST**2) if record.has("area") else None,
        "head": record.box(dialect.head) + dialect.shift if dialect.head and record.has(dialect.head) else None,
        "mask": mask,
        "score": record.number("score", low=0.0) if record.has("score") else None,
        "id": record.identity(dialect.identity) if record.has(dialect.identity) else None,
        "crowd": bool(record.whole("iscrowd", 0, 1)) if record.has("iscrowd") else False,
        "counted": _counted(record, visible),
        "box_area": record.box_area("bbox") if record.has("bbox") else None,
    }
    if HOUSE in record.fields:
        person |= _house_fields(record_of(record.get(HOUSE), f"{record.where}: {HOUSE}"), len(skeleton))
    try:
        return Person(**person)
    except ValueError as error:
        raise DataError(f"{record.where}: {error}") from None


def _counted(record: Record, visible: Flags) -> bool | None:
    """Return whether `num_keypoints` counts the person, where it says otherwise than the keypoints."""
    said = record.fields.get("num_keypoints")
    if not isinstance(said, int | float) or (said > 0) == (visible > ABSENT).any():
        return None
    return said > 0


def _house_fields(record: Record, count: int) -> dict[str, Any]:
    """Return what COCO has no field for, as `coco.write` keeps it."""
    found: dict[str, Any] = {}
    readers: dict[str, Callable[[str], Any]] = {
        "id": record.identity,
        "score": lambda name: record.number(name, low=0.0),
        "scores": lambda name: record.numbers(name, count),
        "head": lambda name: record.numbers(name, 4),
        "box": lambda name: record.numbers(name, 4),
        "points3d": lambda name: record.rows(name, count, 3),
        "cause": lambda name: record.choices(name, count, [int(c) for c in Cause]),
    }
    for name, read in readers.items():
        if record.has(name):
            found[name] = read(name)
    if "box" in found:
        found["box_area"] = None
    if record.fields.get("id", True) is None:
        found["id"] = None
    if record.fields.get("told") is False:
        found["visible"] = None
    return found


def _scene(record: Record, place: Callable[[str], Path], skeleton: Skeleton, people: tuple[Person, ...]) -> Scene:
    identity, camera = record.identity("id"), None
    if HOUSE in record.fields:
        house = record_of(record.get(HOUSE), f"{record.where}: {HOUSE}")
        identity = house.identity("id") if house.has("id") else identity
        camera = _camera(record_of(house.get("camera"), f"{house.where}: camera")) if house.has("camera") else None
    return Scene(place(record.text("file_name")), skeleton, people, _size(record), camera, identity)


def _camera(record: Record) -> Camera:
    return Camera(
        record.rows("K", 3, 3), record.rows("R", 3, 3), record.numbers("t", 3), record.numbers("distortion", 5)
    )


def _size(record: Record) -> tuple[int, int] | None:
    if not (record.has("width") or record.has("height")):
        return None
    return record.whole("width", 1), record.whole("height", 1)


def _finder(images: Path, first: str) -> Callable[[str], Path]:
    """Return where pictures lie by file name; leading folders that are not here are dropped, as the first tells."""
    parts = Path(first).parts
    fits = (n for n in range(len(parts)) if _exists(images.joinpath(*parts[n:])))
    dropped = next(fits, 0)
    return lambda name: images.joinpath(*Path(name).parts[dropped:]) if dropped else images / name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _skeletons(file: Record, given: Skeleton | None) -> dict[int | str, Skeleton | None]:
    """Return each category's skeleton by the category's id; None for one without keypoints."""
    found: dict[int | str, Skeleton | None] = {}
    for record in file.records("categories", "category"):
        has_keypoints = given is not None or record.has("keypoints")
        found[record.identity("id")] = (given or skeleton_of(record)) if has_keypoints else None
    names = {s.keypoints for s in found.values() if s is not None}
    if len(names) != 1:
        what = "no category has keypoints" if not names else "the categories have different keypoints"
        raise file.wrong("categories", f"{what}; a keypoint file's category lists them by name")
    return found


def skeleton_of(category: Record) -> Skeleton:
    """Return the skeleton that a category describes: a known one where the names are its names, else a new one.

    Names are compared in lower case with underscores; a "head" beside a "neck" may be a known "head_top".
    Limbs count from 1 in COCO's format. Raises DataError.
    """
    names = category.items("keypoints")
    if not names or not all(isinstance(name, str) and name for name in names):
        raise category.wrong("keypoints", "must be a list of names")
    plain = tuple("_".join(name.lower().replace("-", " ").split()) for name in names)
    raised = tuple("head_top" if name == "head" else name for name in plain)
    for known in SKELETONS:
        if known.keypoints in (plain, raised):
            return known
    house = record_of(category.fields.get(HOUSE, {}), f"{category.where}: {HOUSE}")
    teller = next((record for record in (house, category) if record.has("sigmas")), None)
    sigmas = None if teller is None else checked_sigmas(teller.items("sigmas"), names, f"{teller.where}: sigmas")
    try:
        return Skeleton(
            house.text("skeleton") if house.has("skeleton") else category.text("name"),
            plain,
            _limbs(category, plain),
            sigmas,
            house.text("sigmas_source") if house.has("sigmas_source") else _source(sigmas),
        )
    except DataError:
        raise
    except ValueError as error:
        raise category.wrong("keypoints", str(error)) from None


def checked_sigmas(values: Sequence[Any], names: Sequence[str], where: str) -> tuple[float, ...]:
    """Return sigmas as numbers; raises DataError, which names keypoint and value, unless each is in (0, 1].

    A sigma is a share of the square root of the area: COCO's lie between 0.025 and 0.107.
    """
    if len(values) != len(names):
        raise DataError(f"{where}: must be {len(names)} numbers, one a keypoint, not {len(values)}")
    for name, value in zip(names, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise DataError(f"{where}: {name}: must be a number above 0 and at most 1, not {shown(value)}")
    return tuple(map(float, values))


def _source(sigmas: tuple[float, ...] | None) -> str:
    return "none published" if sigmas is None else "the file's own"


def _limbs(category: Record, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    limbs = category.items("skeleton") if category.has("skeleton") else []
    for place, limb in enumerate(limbs):
        if not (
            isinstance(limb, list)
            and len(limb) == 2
            and all(type(end) is int and 1 <= end <= len(names) for end in limb)
        ):
            raise category.wrong("skeleton", f"limb {place} must be two numbers from 1 to {len(names)}, not {limb}")
    return tuple((names[a - 1], names[b - 1]) for a, b in np.array(limbs, int).reshape(-1, 2).tolist())
