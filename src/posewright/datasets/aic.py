"""AI Challenger's human keypoints (Wu et al. 2017, arXiv:1711.06475), in its own form and in COCO's.

Its own form, a list of pictures: v is 1 seen, 2 hidden, 3 absent (0, 0); boxes are x0, y0, x1, y1; a person's
id is the file's ("human1"). The form converted to COCO's: v is 0, 1, 2 as in COCO. Coordinates are kept. There
are no areas.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file, find_folder
from posewright.datasets.records import Record, record_of, records_in
from posewright.scene import ABSENT, HIDDEN, SEEN, Person, Scene
from posewright.skeleton import AIC

VISIBLE = {1: SEEN, 2: HIDDEN, 3: ABSENT}
"""What v means in AI Challenger's own form."""


def read(root: Path, split: str, *, annotations: Path | str | None = None) -> list[Scene]:
    """Read AI Challenger, one scene a picture, without decoding any.

    Looks for `keypoint_{split}_annotations*.json` with `keypoint_{split}_images*/`, for `annotations.json`
    (every split) and for `aic_{split}.json` or `{split}_aic.json` in COCO's form; or takes `annotations`, a file
    (relative to `root`) in either form. Raises DataError.
    """
    root = Path(root)
    names = [f"keypoint_{split}_annotations*.json", "annotations.json", f"annotations/aic_{split}.json",
             f"aic_{split}.json", f"{split}_aic.json"]  # fmt: skip
    file = root / annotations if annotations is not None else find_file(root, names, "AI Challenger annotations")
    images = find_folder(root, [f"keypoint_{split}_images*", f"ai_challenger_keypoint_{split}*/keypoint_*", "images"])
    content = read_json(file)
    if isinstance(content, dict):
        return read_annotations(file, images, Dialect(AIC))
    if not isinstance(content, list):
        raise Record(str(file), {}).wrong("the file", "must hold a list of pictures, or an object in COCO's form")
    return [_scene(record, images) for record in records_in(content, str(file), "picture")]


def _scene(record: Record, images: Path) -> Scene:
    name = record.text("image_id")
    where = f"{record.where} ({name[:50]})"
    keypoints = record_of(record.get("keypoint_annotations"), f"{where}: keypoint_annotations")
    boxes = record_of(record.fields.get("human_annotations", {}), f"{where}: human_annotations")
    people = tuple(_person(keypoints, boxes, human) for human in keypoints.fields)
    return Scene(images / f"{name}.jpg", AIC, people, id=name)


def _person(keypoints: Record, boxes: Record, human: str) -> Person:
    xy, visible = keypoints.keypoints(human, len(AIC), VISIBLE)
    box = boxes.numbers(human, 4) if boxes.has(human) else None
    if box is not None and (np.array(box[2:]) < box[:2]).any():
        raise boxes.wrong(human, f"must be x0, y0, x1, y1 with x1 >= x0 and y1 >= y0, not {box.tolist()}")
    return Person(xy, visible, box=box, id=human)
