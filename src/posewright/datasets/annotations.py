"""COCO's annotation format, which COCO, CrowdPose, AI Challenger, JHMDB and PoseTrack share.

Images, annotations and categories are three lists joined by ids (cocodataset.org, "data format").
Keypoints are x, y, v three by three; boxes x, y, width, height; a crowd has `iscrowd` 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posewright.columns import Columns
from posewright.datasets import masks, quick
from posewright.datasets.categories import HOUSE, skeletons_of
from posewright.datasets.documents import parsed, read_bytes
from posewright.datasets.layout import pictures_in
from posewright.datasets.parts import Bytes, UnusualError, check
from posewright.datasets.records import COCO_VISIBLE, LARGEST, DataError, DataWarning, Record, record_of, say
from posewright.geometry import Camera
from posewright.scene import ABSENT, Cause, Person, Scene
from posewright.skeleton import COCO, Skeleton

VIDEOS = ("video_id", "vid_id")
"""What says of an image which video it is a frame of: COCO's format for videos, PoseTrack18's."""
LOOKED = 8
"""How many pictures' names are looked for to find the folder that they lie in."""


@dataclass(frozen=True)
class Dialect:
    """Say how a data set departs from COCO.

    field: where keypoints stand. visible: what each v means. shift is added to every coordinate (-1 where MATLAB's
    first pixel is 1). head: the field of a head box xywh. identity: the field that names a person. masks: decode
    segmentations, or keep them to be decoded when asked for (`masks.Coded`). skeleton: None takes it from the file's
    own category. unnamed: what keypoints are where no category names them. category: the name or id of the one to read
    where several have keypoints. scored: a third number that is no v is a keypoint's score, as in predictions.
    """

    skeleton: Skeleton | None = None
    field: str = "keypoints"
    visible: Mapping[int, int] | None = None
    shift: float = 0.0
    head: str | None = None
    identity: str = "id"
    masks: bool | Literal["later"] = False
    unnamed: Skeleton | None = None
    category: str | None = None
    scored: bool = False


def read_annotations(path: Path, images: Path | Sequence[Path], dialect: Dialect) -> list[Scene]:
    """Return what `annotated` does, as a list: every person is made."""
    return list(annotated(path, images, dialect))


def annotated(path: Path, images: Path | Sequence[Path], dialect: Dialect) -> Sequence[Scene]:
    """Read every image of an annotation file as a scene, those without people among them; raises DataError.

    Scenes stand in the file's order of images, people in its order of annotations. An image that says
    `is_labeled` false (videos are labelled in part) is no scene: nobody knows who is in it. images: the folder of the
    pictures, or several where they may be. Annotations that are wrong are left out with a DataWarning that counts
    them; where they are half of all or more, the first of them is raised. Of a file in which everything is in order the
    people are kept in columns.
    """
    data, folders = read_bytes(path), [images] if isinstance(images, Path) else images
    try:
        return _quickly(path, data, folders, dialect)
    except quick.UNUSUAL as error:
        quick.refuse_huge(path, data, error)
    file = record_of(parsed(path, data), str(path))
    if file.has("categories"):
        file.items("categories")
    pictures = _by_identity(file.records("images", "image"))
    annotations = file.records("annotations", "annotation")
    if not file.fields.get("categories"):
        annotations = [Record(one.where, {"category_id": 0} | dict(one.fields)) for one in annotations]
    skeletons = skeletons_of(file, dialect.skeleton, annotations, dialect.unnamed, dialect.category)
    scored = dialect.scored and any(_has_scores(record, dialect.field) for record in annotations)
    people: dict[int | str, list[Person]] = {identity: [] for identity in pictures}
    odd: list[DataError] = []
    for record in annotations:
        try:
            image, skeleton = _references(record, pictures, skeletons)
            if skeleton is not None:
                people[image].append(_person(record, skeleton, dialect, _size(pictures[image]), scored))
        except DataError as error:
            odd.append(error)
    leave_out(odd, len(annotations), path)
    skeleton = next((s for s in skeletons.values() if s is not None), COCO)
    names = [_file_name(record) for record in islice(pictures.values(), LOOKED)]
    place = pictures_in(folders, names)
    return [
        _scene(record, place, skeleton, tuple(people[identity]))
        for identity, record in pictures.items()
        if record.fields.get("is_labeled") is not False
    ]


def leave_out(odd: Sequence[DataError], count: int, path: Path, what: str = "annotations") -> None:
    """Say how many of `count` records are left out and why the first is; raises that where they are half or more."""
    if 2 * len(odd) >= count > 0:
        raise odd[0]
    if odd:
        reason = str(odd[0]).removeprefix(f"{path}: ")
        say(f"{path}: {len(odd)} of {count} {what} left out; the first: {reason}")


def posed(results: list[Record], path: Path) -> list[Record]:
    """Leave out, with a DataWarning, results without keypoints: those of other categories, and whose list is empty."""
    posed = [record for record in results if record.fields.get("keypoints")]
    first = posed[0].fields.get("category_id") if posed else None
    kept = [
        record
        for record in results
        if record.fields.get("keypoints")
        or ("keypoints" not in record.fields and record.fields.get("category_id") == first)
    ]
    if not posed or len(kept) == len(results):
        return results
    say(f"{path}: {len(results) - len(kept)} of {len(results)} results without keypoints left out")
    return kept


def _quickly(path: Path, data: Bytes, folders: Sequence[Path], dialect: Dialect) -> Columns:
    """Read a file of which everything is in order; raises one of quick.UNUSUAL for any other."""
    check(dialect.field == "keypoints" and dialect.identity == "id" and not (dialect.head or dialect.masks))
    file = quick.read_annotations(data)
    check(dialect.category is None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataWarning)
            skeletons = skeletons_of(Record(str(path), {"categories": file.categories}), dialect.skeleton)
    except (DataError, DataWarning) as odd:
        raise UnusualError from odd
    skeleton = next((s for s in skeletons.values() if s is not None), None)
    check(skeleton is not None)
    assert skeleton is not None
    places = {image.id: i for i, image in enumerate(file.images)}
    check(all(one.category_id in skeletons and one.image_id in places for one in file.annotations))
    bodies = [annotation for annotation in file.annotations if skeletons[annotation.category_id] is not None]
    place = pictures_in(folders, [image.file_name for image in file.images[:LOOKED]])
    pictures = [
        Scene(place(image.file_name), skeleton, (), image.size, None, image.id, image.group) for image in file.images
    ]
    people = quick.people_of(bodies, places, len(skeleton), dialect.visible or COCO_VISIBLE, dialect.shift)
    return Columns(pictures, people)


def _by_identity(records: list[Record]) -> dict[int | str, Record]:
    found: dict[int | str, Record] = {}
    for record in records:
        identity = record.identity("id")
        if identity in found and found[identity].fields.get("file_name") != record.fields.get("file_name"):
            raise record.wrong("id", "stands twice; every image needs its own")
        found.setdefault(identity, record)
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


def _has_scores(record: Record, field: str) -> bool:
    """Tell whether third numbers are no v."""
    triples = record.fields.get(field)
    return isinstance(triples, list) and any(v not in (0, 1, 2, None) and v == v for v in triples[2::3])


def _person(record: Record, skeleton: Skeleton, dialect: Dialect, size: tuple[int, int] | None, scored: bool) -> Person:
    field, count = dialect.field, len(skeleton)
    if not record.fields.get(field):  # somebody with a box alone, as trackers and detectors leave them
        record = Record(record.where, {**record.fields, field: [0] * (3 * count)})
    scores = None
    if scored:
        triples = record.triples(field, count)
        keypoints, scores = np.where((triples == 0).all(1)[:, None], np.nan, triples[:, :2]), triples[:, 2]
        visible = None
    else:
        keypoints, visible = record.keypoints(field, count, dialect.visible or COCO_VISIBLE, dialect.shift)
    mask = None
    if dialect.masks and record.has("segmentation"):
        read = masks.coded if dialect.masks == "later" else masks.decode
        mask = read(record, "segmentation", size)
    person: dict[str, Any] = {
        "keypoints": keypoints,
        "visible": visible,
        "scores": scores,
        "box": record.box("bbox") + dialect.shift if record.fields.get("bbox") else None,
        "area": record.number("area", 0.0, LARGEST**2) if record.has("area") else None,
        "head": record.box(dialect.head) + dialect.shift if dialect.head and record.has(dialect.head) else None,
        "mask": mask,
        "score": record.number("score", low=0.0) if record.has("score") else None,
        "id": record.identity(dialect.identity) if record.has(dialect.identity) else None,
        "crowd": bool(record.whole("iscrowd", 0, 1)) if record.has("iscrowd") else False,
        "counted": _counted(record, visible),
        "box_area": record.box_area("bbox") if record.fields.get("bbox") else None,
    }
    if record.fields.get(HOUSE) is not None:
        person |= _house_fields(record_of(record.get(HOUSE), f"{record.where}: {HOUSE}"), len(skeleton))
    try:
        return Person(**person)
    except ValueError as error:
        raise DataError(f"{record.where}: {error}") from None


def _counted(record: Record, visible: NDArray[np.uint8] | None) -> bool | None:
    """Return whether `num_keypoints` counts the person, where it says otherwise than the keypoints."""
    said = record.fields.get("num_keypoints")
    if visible is None or not isinstance(said, int | float) or (said > 0) == (visible > ABSENT).any():
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
    told = (record.fields.get(name) for name in VIDEOS)
    group = next((name for name in told if isinstance(name, int | str) and not isinstance(name, bool)), None)
    if record.fields.get(HOUSE) is not None:
        house = record_of(record.get(HOUSE), f"{record.where}: {HOUSE}")
        identity = house.identity("id") if house.has("id") else identity
        group = house.identity("group") if house.has("group") else group
        camera = _camera(record_of(house.get("camera"), f"{house.where}: camera")) if house.has("camera") else None
    return Scene(place(_file_name(record)), skeleton, people, _size(record), camera, identity, group)


def _camera(record: Record) -> Camera:
    return Camera(
        record.rows("K", 3, 3), record.rows("R", 3, 3), record.numbers("t", 3), record.numbers("distortion", 5)
    )


def _file_name(record: Record) -> str:
    """Return a picture's name, `path` where there is no `file_name`, or else its id as a text."""
    named = next((field for field in ("file_name", "path") if record.fields.get(field)), None)
    return record.text(named) if named else str(record.identity("id"))


def _size(record: Record) -> tuple[int, int] | None:
    if not (record.fields.get("width") and record.fields.get("height")):
        return None
    return record.whole("width", 1), record.whole("height", 1)
