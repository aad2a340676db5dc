"""A camera's folder that `posewright predict` wrote, of a video or of pictures whose names end in their numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, record_of
from posewright.multiview.views import View
from posewright.skeleton import Skeleton

FILE, PROTOCOL = "predictions.json", "protocol.json"


def read(folder: Path, skeleton: Skeleton | None = None) -> View:
    """Read predictions.json, with the skeleton that protocol.json beside it names; raises DataError.

    A frame's number is what stands behind the # of a video's frame, else the last number in the picture's name.
    """
    content = read_json(folder / FILE)
    if not isinstance(content, list) or not content:
        raise DataError(f"{folder / FILE}: must be a list of people, not empty")
    records = [record_of(value, f"{folder / FILE}: person at place {n}") for n, value in enumerate(content)]
    own = skeleton or _skeleton(folder)
    frames = np.array([frame_number(str(r.identity("image_id")), r.where) for r in records])
    numbers = np.unique(frames)
    place = np.zeros(len(frames), int)
    for n in range(1, len(frames)):
        place[n] = (frames[:n] == frames[n]).sum()
    values = np.full((len(numbers), place.max() + 1, len(own), 3), np.nan)
    for record, row, person in zip(records, np.searchsorted(numbers, frames), place, strict=True):
        values[row, person] = record.numbers("keypoints", 3 * len(own)).reshape(-1, 3)
    return View(folder.name, numbers, values[..., :2], values[..., 2], own)


def _skeleton(folder: Path) -> Skeleton:
    if not (folder / PROTOCOL).is_file():
        raise DataError(f"{folder}: holds no {PROTOCOL} that names the keypoints; say --skeleton")
    said = record_of(read_json(folder / PROTOCOL), str(folder / PROTOCOL))
    try:
        limbs = tuple((str(a), str(b)) for a, b in said.items("limbs"))
        return Skeleton(said.text("skeleton"), tuple(map(str, said.items("keypoints"))), limbs)
    except (TypeError, ValueError) as error:
        raise DataError(f"{folder / PROTOCOL}: keypoints and limbs must be names: {error}") from None


def frame_number(name: str, where: str) -> int:
    """Return the number of a picture that `posewright predict` names; raises DataError where there is none."""
    head, mark, tail = name.rpartition("#")
    found = re.findall(r"\d+", tail if mark else Path(head or tail).stem)
    if not found:
        raise DataError(f"{where}: image_id: {name!r} ends in no number of a frame")
    return int(found[-1])
