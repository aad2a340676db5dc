"""A list of labelled people, each with its picture's name, as MMPose's users keep data of their own.

[{"image_file": "a.jpg", "bbox": [x, y, width, height], "keypoints": [[x, y, v], ...]}, ...]
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.datasets.annotations import leave_out
from posewright.datasets.bodies import BY_COUNT
from posewright.datasets.categories import count_of
from posewright.datasets.documents import read_json
from posewright.datasets.layout import picture_folders, pictures_in
from posewright.datasets.records import DataError, Record, records_in, say
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

PICTURES = ("image_file", "image", "file_name", "image_path", "img_path")


def named(record: Record) -> str | None:
    """Return the field of a person's record that names the picture; None where there is none."""
    return next((field for field in PICTURES if isinstance(record.fields.get(field), str)), None)


def read(path: Path, skeleton: Skeleton | None = None) -> list[Scene]:
    """Read a list of people, one scene a picture in the order of their first person; raises DataError.

    skeleton: what the keypoints are; None tells it by their count, with a DataWarning. A person without an area has
    none. Pictures are looked for as for COCO's format.
    """
    records = records_in(read_json(path), str(path), "person")
    own = skeleton or _by_count(path, records)
    people: dict[str, list[Person]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    odd: list[DataError] = []
    for record in records:
        try:
            name = record.text(named(record) or PICTURES[0])
            people.setdefault(name, []).append(_person(record, own))
            if record.has("image_size"):
                width, height = record.numbers("image_size", 2)
                sizes[name] = int(width), int(height)
        except DataError as error:
            odd.append(error)
    leave_out(odd, len(records), path, "people")
    place = pictures_in(picture_folders(path.parent, path, "train") or [path.parent], list(people)[:8])
    return [Scene(place(name), own, tuple(some), sizes.get(name), id=name) for name, some in people.items()]


def _by_count(path: Path, records: list[Record]) -> Skeleton:
    count = next((n for record in records if (n := count_of(record.fields.get("keypoints")))), 0)
    if count not in BY_COUNT:
        raise DataError(f"{path}: {count} keypoints have no name here; say whose they are by --skeleton")
    say(f"{path}: nothing names the keypoints; {count} of them are taken for those of {BY_COUNT[count].name}")
    return BY_COUNT[count]


def _person(record: Record, skeleton: Skeleton) -> Person:
    if not record.fields.get("keypoints"):
        record = Record(record.where, {**record.fields, "keypoints": [0] * (3 * len(skeleton))})
    keypoints, visible = record.keypoints("keypoints", len(skeleton))
    box = record.box("bbox") if record.fields.get("bbox") else None
    area = record.number("area", low=0.0) if record.has("area") else None
    return Person(np.asarray(keypoints), visible, box=box, area=area)
