"""OCHuman in its authors' own form (Zhang et al., CVPR 2019, arXiv:1803.10683): people who hide each other.

It tells why a keypoint is hidden, which the authors' conversion to COCO's form does not: there a keypoint that a person
hides themself is called seen. Read that form as COCO's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets import masks
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file, find_folder
from posewright.datasets.records import DataError, Record, record_of
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause, Person, Scene
from posewright.skeleton import COCO

VISIBLE = {0: ABSENT, 1: SEEN, 2: HIDDEN, 3: HIDDEN}
"""What the file's values mean: missing, visible, hidden by oneself, hidden by others."""
CAUSES = {0: Cause.OUTSIDE, 1: Cause.SEEN, 2: Cause.SELF, 3: Cause.PERSON}
"""Others are taken to be people: the pictures were chosen for people who hide each other."""


def read(root: Path, split: str = "all") -> list[Scene]:
    """Read `ochuman.json`, one scene a picture, without decoding any; keypoints are COCO's, by name.

    The file lists 19 keypoints, of which head and neck are left out. There is no split in it: "all" is all, and any
    other name is that of a text file of picture ids or file names beside it, `{split}.txt`. People without keypoints
    have a box, and a mask where there is one: the outer polygons less the inner ones. cause says what hides a keypoint.
    Pictures lie in `images/`. Raises DataError.
    """
    root = Path(root)
    path = find_file(root, ["ochuman.json", "annotations/ochuman.json"], "OCHuman annotations")
    file = record_of(read_json(path), str(path))
    names = file.items("keypoint_names")
    missing = sorted(set(COCO.keypoints) - {name for name in names if isinstance(name, str)})
    if missing:
        raise file.wrong("keypoint_names", f"must name all of COCO's keypoints; {missing[0]} is not there")
    order = np.array([names.index(name) for name in COCO.keypoints])
    images = find_folder(root, ["images"])
    scenes = [_scene(image, images, order, len(names)) for image in file.records("images", "image")]
    return scenes if split == "all" else _listed(scenes, path.parent / f"{split}.txt")


def _listed(scenes: list[Scene], path: Path) -> list[Scene]:
    try:
        wanted = set(path.read_text().split())
    except OSError:
        raise DataError(f"{path}: no such file; OCHuman's own form has no splits but 'all'") from None
    found = [scene for scene in scenes if {str(scene.id), Path(str(scene.image)).name} & wanted]
    if not found:
        raise DataError(f"{path}: names no picture of the file")
    return found


def _scene(image: Record, images: Path, order: Any, count: int) -> Scene:
    width, height = (int(image.number(side, low=1)) for side in ("width", "height"))
    people = [_person(one, order, count, (width, height)) for one in image.records("annotations", "annotation")]
    return Scene(images / image.text("file_name"), COCO, tuple(people), (width, height), id=image.identity("image_id"))


def _person(record: Record, order: Any, count: int, size: tuple[int, int]) -> Person:
    box = record.numbers("bbox", 4)
    mask = None
    if record.has("segms"):
        polygons = record_of(record.get("segms"), f"{record.where}: segms")
        mask = masks.decode(polygons, "outer", size)
        if polygons.has("inner") and polygons.items("inner"):
            mask &= ~masks.decode(polygons, "inner", size)
    area = None if mask is None else float(mask.sum())
    if not record.has("keypoints"):
        return Person(np.full((len(COCO), 2), np.nan), np.zeros(len(COCO), np.uint8), box=box, area=area, mask=mask)
    triples = record.numbers("keypoints", 3 * count).reshape(count, 3)[order]
    if not np.isin(triples[:, 2], list(VISIBLE)).all():
        raise record.wrong("keypoints", "every third number must be 0 missing, 1 visible, 2 self or 3 others occluded")
    told = triples[:, 2].astype(int).tolist()
    visible = np.array([VISIBLE[value] for value in told], np.uint8)
    cause = np.array([CAUSES[value] for value in told], np.uint8)
    xy = np.where(visible[:, None] > ABSENT, triples[:, :2], np.nan)
    return Person(xy, visible, box=box, area=area, mask=mask, cause=cause)
