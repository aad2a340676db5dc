"""Boxes to look at: those that any detector found, read from a file in COCO's format, and people ranked by them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from posewright.datasets.annotations import leave_out
from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, Record, records_in, say, shown
from posewright.geometry.boxes import box_nms, from_centres
from posewright.metrics import oks_nms, rescored
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.scene import PADDING, Floats, Person, Scene
from posewright.skeleton import Skeleton


class Detected(NamedTuple):
    """Hold a box (4,) xyxy px and how sure its detector is; score 1 where the file does not tell."""

    box: Floats
    score: float


BoxForm = Literal["sizes", "corners", "centres"]
"""What the four numbers of a box are."""


def _sized(box: Floats) -> Floats:
    return np.concatenate([box[:2], box[:2] + box[2:]])


FORMS: dict[BoxForm, Callable[[Floats], Floats]] = {
    "sizes": _sized,
    "corners": lambda box: box,
    "centres": lambda box: from_centres(_sized(box)),
}
"""What makes corners of a box."""
MOST_SHARE = 1.5
"""Boxes of which no corner lies beyond it are shares of the picture."""
Boxes = dict[int | str, list[Detected]]
"""What was detected, by what names the picture."""


def read_boxes(path: Path, above: float = 0.0, overlap: float = 1.0, form: BoxForm = "sizes") -> Boxes:
    """Read boxes by picture from a file in COCO's format: results with a `bbox` each, or annotations.

    Boxes of other things than people are left out: people are category 1, or 0 where a file counts from there, the one
    that the file calls person, or its only one. So are boxes without area, and those whose score is not at least
    `above`. overlap: of two boxes of a picture that overlap by it or more (intersection over union), the one with the
    lower score is left out; 1 leaves all but copies. form: what a `bbox` is: x, y, width, height, or corners
    x, y, x, y, or the centre's x, y, width, height. A DataWarning says what was taken for people, and how many boxes
    without area there are. Raises DataError, also where all boxes are shares of their pictures, ValueError for an
    `above` or `overlap` outside 0 to 1.
    """
    if not (0 <= above <= 1 and 0 < overlap <= 1):
        raise ValueError(f"boxes: the score must be 0 to 1, the overlap above 0 and at most 1, not {above}, {overlap}")
    content = read_json(path)
    names: dict[int | str, int | str] = {}
    person: Callable[[Any], bool] | None = None
    if isinstance(content, dict):
        images = Record(str(path), {"images": [], **content}).records("images", "image")
        names = {image.identity("id"): Path(image.text("file_name")).name for image in images}
        person = _named_person(content)
        content = content.get("annotations")
    if not isinstance(content, list):
        raise DataError(f"{path}: must be a list of results, or an object with images and annotations")
    records = records_in(content, str(path), "box")
    person = person or _person_among(path, records)
    found: Boxes = defaultdict(list)
    flat: list[DataError] = []
    for record in (record for record in records if person(record.fields.get("category_id", 1))):
        image = record.identity("image_id")
        box = FORMS[form](record.numbers("bbox", 4))
        score = record.number("score", low=0.0) if record.has("score") else 1.0
        if not (box[2:] > box[:2]).all():
            flat.append(record.wrong("bbox", f"has no area as {form}"))
        elif score >= above:
            found[names.get(image, image)].append(Detected(box, score))
    leave_out(flat, len(records), path, "boxes")
    corners = np.array([one.box for some in found.values() for one in some])
    if len(corners) and corners.max() <= MOST_SHARE:
        raise DataError(f"{path}: all boxes lie within 1, so they are no pixels; multiply them by the picture's size")
    return {name: _apart(some, overlap) for name, some in found.items()}


def _named_person(content: dict[str, Any]) -> Callable[[Any], bool] | None:
    """Return what tells a person's category by its name or its keypoints in a file that lists categories."""
    listed = [one for one in content.get("categories") or [] if isinstance(one, dict)]
    own = [one.get("id") for one in listed if one.get("name") == "person" or one.get("keypoints") or len(listed) == 1]
    return own.__contains__ if own else None


def _person_among(path: Path, records: Sequence[Record]) -> Callable[[Any], bool]:
    """Return what tells a person's category by the numbers alone; raises DataError where they do not tell."""
    amount = Counter(shown(record.fields.get("category_id", 1)) for record in records)
    if not amount or ("1" in amount and "0" not in amount):
        return lambda category: category == 1
    told = "0" if "0" in amount else next(iter(amount)) if len(amount) == 1 else None
    listed = ", ".join(f"{category} ({count})" for category, count in sorted(amount.items()))
    if told is None:
        raise DataError(f"{path}: no box of a person, category_id 1 or 0; it has categories {listed}")
    say(f"{path}: boxes by category: {listed}; those of {told} are taken for people")
    return lambda category: shown(category) == told


def _apart(found: list[Detected], overlap: float) -> list[Detected]:
    """Leave out boxes that overlap a better one; the rest keep their order."""
    kept = box_nms([one.box for one in found], [one.score for one in found], overlap)
    return [found[place] for place in np.sort(kept)]


def boxes_of(picture_id: str, boxes: Boxes) -> list[Detected]:
    """Return the boxes of a picture, named by its path, its file's name, that without suffix, or its number.

    >>> boxes_of("val/000000000139.jpg", {139: ["a box"]})
    ['a box']
    """
    path = Path(picture_id)
    names: list[int | str] = [picture_id, path.name, path.stem]
    names += [int(path.stem)] if path.stem.isdecimal() else []
    return next((boxes[name] for name in names if name in boxes), [])


def boxes_by_scene(scenes: Sequence[Scene], boxes: Boxes, path: Path) -> list[list[Detected]]:
    """Return the boxes of every scene, by its id or its picture's file; DataError where no box is of any of them."""
    found = [
        boxes[scene.id] if scene.id in boxes else boxes_of(str(scene.id), boxes) or _by_file(scene, boxes)
        for scene in scenes
    ]
    if not any(found):
        raise DataError(f"{path}: no box is of a picture of the data; image_id must be its id, path or file's name")
    return found


def _by_file(scene: Scene, boxes: Boxes) -> list[Detected]:
    return boxes_of(str(scene.image), boxes) if isinstance(scene.image, str | Path) else []


def ranked(people: Sequence[Person], detected: Sequence[Detected], skeleton: Skeleton) -> list[Person]:
    """Rank people found at detected boxes as HRNet's protocol does, and leave out those who were found twice.

    The score becomes the box's times the mean of the keypoints' scores above 0.2; of two people whose OKS is above
    0.9 the better one stays. The area in that OKS is that of the box, PADDING times as large (HRNet takes its crop,
    which is as large and of the network's aspect).
    """
    area = [float(np.prod(PADDING * (one.box[2:] - one.box[:2]))) for one in detected]
    scored = [replace(p, score=d.score, area=a) for p, d, a in zip(people, detected, area, strict=True)]
    kept = oks_nms(rescored(scored), oks_sigmas(skeleton)[0])
    return [replace(person, area=None) for person in kept]
