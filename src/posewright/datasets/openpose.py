"""OpenPose's JSON (Cao et al., TPAMI 2019, arXiv:1812.08008): one file a picture, named `PICTURE_keypoints.json`.

`people` each have `pose_keypoints_2d`: x, y, confidence three by three (`pose_keypoints` before version 1.1). A
confidence of 0 says that the keypoint was not found. How many numbers there are tells the model. Frames of a
video are `VIDEO_000000000012_keypoints.json`. Coordinates must be pixels (its --keypoint_scale 0, the default).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from posewright.datasets.bodies import BODY_25, COCO_18, MPI_15
from posewright.datasets.documents import read_json
from posewright.datasets.names import Found, Name, placed
from posewright.datasets.records import DataError, Record, record_of
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import COCO, Skeleton

SUFFIX = "_keypoints.json"
MODELS = (BODY_25, COCO_18, MPI_15)
"""The three body models, in the order of their outputs (OpenPose, doc/02_output and its table of body parts)."""


def read_folder(folder: Path, truth: Sequence[Scene], skeleton: Skeleton | None = None) -> list[Scene]:
    """Read a folder's `*_keypoints.json`, placed beside the true scenes by the pictures' names; raises DataError."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        raise DataError(f"{folder}: a folder that holds neither predictions.json nor OpenPose's *{SUFFIX}")
    return read_files(files, truth, skeleton)


def read_files(files: Sequence[Path], truth: Sequence[Scene], skeleton: Skeleton | None = None) -> list[Scene]:
    """Read files of OpenPose's, one a picture, placed beside the true scenes by the pictures' names.

    skeleton: what the numbers are of where it is none of MODELS. A person's score is the mean of the keypoints'
    that were found, since OpenPose gives none; people with hands or a face alone are left out. Raises DataError,
    also where files disagree about the model, or where coordinates are shares of the picture's size.
    """
    bodies = [body for file in files for body in _bodies(file)]
    own = _model(bodies, truth, skeleton)
    found: Found = [(where, names, _person(record, field, own)) for where, names, record, field in bodies]
    people = [person for _, _, person in found]
    if people and max(np.abs(person.keypoints[person.labelled]).max(initial=0) for person in people) <= 1:
        raise DataError(f"{files[0]}: all coordinates lie within 1, so they are no pixels; use --keypoint_scale 0")
    return placed(found, truth, own)


Body = tuple[str, Sequence[Name], Record, str]


def _bodies(file: Path) -> Iterator[Body]:
    """Yield the people of a file who have a body, with the field that it stands in."""
    content = record_of(read_json(file), str(file))
    name = file.name.removesuffix(".gz").removesuffix(".json").removesuffix("_keypoints")
    for place, person in enumerate(content.items("people")):
        record = record_of(person, f"{file}: person at place {place}")
        field = "pose_keypoints" if "pose_keypoints" in record.fields else "pose_keypoints_2d"
        if record.items(field):
            yield record.where, [name], record, field


def _model(bodies: Sequence[Body], truth: Sequence[Scene], given: Skeleton | None) -> Skeleton:
    """Return the skeleton of the first body's numbers: the given one, one of MODELS, or the truth's."""
    if given is not None:
        return given
    likely = truth[0].skeleton if truth else COCO
    if not bodies:
        return likely
    *_, record, field = bodies[0]
    count = len(record.items(field))
    for skeleton in (*MODELS, likely):
        if count == 3 * len(skeleton):
            return skeleton
    known = ", ".join(f"{3 * len(s)} ({s.name})" for s in (*MODELS, likely))
    raise record.wrong(field, f"{count} numbers are of no known body; there are {known}")


def _person(record: Record, field: str, skeleton: Skeleton) -> Person:
    triples = record.numbers(field, 3 * len(skeleton)).reshape(-1, 3)
    scores: Floats = triples[:, 2]
    if (scores < 0).any():
        k = int(np.argmax(scores < 0))
        raise record.wrong(field, f"the confidence of keypoint {k} is {scores[k]:g}; it must not be negative")
    found = scores > 0
    keypoints = np.where(found[:, None], triples[:, :2], np.nan)
    return Person(keypoints, scores=scores, score=float(scores[found].mean()) if found.any() else 0.0)
