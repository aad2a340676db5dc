"""A camera's folder of OpenPose's JSON: one file a frame, whose number is the last in its name."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np

from posewright.datasets.bodies import BODY_25, COCO_18, MPI_15
from posewright.datasets.records import DataError
from posewright.multiview.views import View
from posewright.skeleton import COCO, H36M, SKELETONS, Skeleton

_SIDES = ("left", "right")
_PAIRS = tuple(f"{s}_{j}" for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for s in _SIDES)
_FEET = tuple(f"{s}_{j}" for s in _SIDES for j in ("big_toe", "small_toe", "heel"))

BODY_25B = Skeleton("openpose_body_25b", (*COCO.keypoints[:5], *_PAIRS, "upper_neck", "head_top", *_FEET), COCO.limbs)
HALPE_26 = Skeleton(
    "halpe_26",
    (*COCO.keypoints, "head", "neck", "mid_hip",
     *(f"{s}_{j}" for j in ("big_toe", "small_toe", "heel") for s in _SIDES)),
    COCO.limbs,
)  # fmt: skip
KNOWN: dict[str, Skeleton] = {s.name: s for s in (*SKELETONS, BODY_25, BODY_25B, COCO_18, MPI_15, HALPE_26)}
"""Skeletons that a user may name."""
BY_COUNT = {18: (COCO_18,), 25: (BODY_25, BODY_25B), 26: (HALPE_26,), 15: (MPI_15,), 17: (COCO, H36M)}


class _Person(msgspec.Struct):
    pose_keypoints_2d: list[float] = []


class _Frame(msgspec.Struct):
    people: list[_Person]


_DECODER = msgspec.json.Decoder(_Frame)


def skeleton_by(name: str) -> Skeleton:
    """Return a skeleton by its name; raises ValueError that lists the names there are."""
    if name not in KNOWN:
        raise ValueError(f"no skeleton {name!r}; there are {', '.join(KNOWN)}")
    return KNOWN[name]


def read(folder: Path, skeleton: Skeleton | None = None) -> View:
    """Read a folder of JSON files of OpenPose's; raises DataError that names the file.

    A keypoint of score 0 was not found. 25 keypoints may be two models', 17 may be many, so there the skeleton must
    be said. An empty person, which Pose2Sim writes for one who is missing, is nobody.
    """
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(f"{folder}: holds no .json file")
    frames = np.array([_number(file) for file in files])
    if len(np.unique(frames)) != len(frames):
        twice = files[int(np.flatnonzero(np.bincount(frames - frames.min())[frames - frames.min()] > 1)[0])]
        raise DataError(f"{folder}: frame {_number(twice)} stands twice, as in {twice.name}")
    people = [[p.pose_keypoints_2d for p in _frame(file).people] for file in files]
    length = next((len(p) for frame in people for p in frame if p), 0)
    if length == 0:
        raise DataError(f"{folder}: nobody is in any of its {len(files)} files")
    own = skeleton or _by_count(length, folder)
    most = max(len(frame) for frame in people)
    values = np.zeros((len(files), most, len(own), 3))
    for f, (file, frame) in enumerate(zip(files, people, strict=True)):
        for p, numbers in enumerate(frame):
            if numbers and len(numbers) != 3 * len(own):
                raise DataError(f"{file}: person {p}: {len(numbers)} numbers; {own.name} has {3 * len(own)}")
            if numbers:
                values[f, p] = np.reshape(numbers, (-1, 3))
    found = values[..., 2] > 0
    xy = np.where(found[..., None], values[..., :2], np.nan)
    if np.abs(xy[found]).max(initial=0) <= 1:
        raise DataError(f"{folder}: all coordinates lie within 1, so they are no pixels; use --keypoint_scale 0")
    return View(folder.name, frames, xy, np.where(found, values[..., 2], np.nan), own)


def _frame(file: Path) -> _Frame:
    try:
        return _DECODER.decode(file.read_bytes())
    except msgspec.MsgspecError as error:
        raise DataError(f"{file}: not OpenPose's JSON: {error}") from None


def _number(file: Path) -> int:
    numbers = re.findall(r"\d+", file.name.removesuffix(".json").removesuffix("_keypoints"))
    if not numbers:
        raise DataError(f"{file}: no number of a frame in its name")
    return int(numbers[-1])


def _by_count(length: int, folder: Path) -> Skeleton:
    choices = BY_COUNT.get(length // 3, ()) if length % 3 == 0 else ()
    if len(choices) == 1:
        return choices[0]
    names = ", ".join(s.name for s in choices or KNOWN.values())
    raise DataError(f"{folder}: {length // 3} keypoints; say whose by --skeleton: {names}")
