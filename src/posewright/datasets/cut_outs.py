"""Cut-outs: objects to hide people behind, of a folder of RGBA pictures or of COCO's masks of things."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright import picture
from posewright.datasets.documents import read_json
from posewright.datasets.layout import picture_folders, pictures_in
from posewright.datasets.masks import Mask, decode
from posewright.datasets.records import DataError, Record, record_of
from posewright.occlusion.objects import Object, cut_out, read_objects

OBJECTS = "objects:"
"""Begins the name of cut-outs where an attack or an augmentation is named; what `read_cut_outs` reads stands behind."""
LEAST = 500
"""px of a mask below which a thing is left out, as the code released with Sarandi et al. 2018 does."""
MOST = 500
"""Things that are cut out of a file of annotations, evenly from its whole length."""
PEOPLE = ("person",)


def read_cut_outs(where: Path | str) -> list[Object]:
    """Read the PNGs and WebPs of a folder, or cut out the things of a .json in COCO's format with `segmentation`.

    Of COCO's, people, crowds, things below LEAST px and those that the picture's edge cuts off are left out. Pictures
    are looked for beside the file as those of keypoints are. Raises DataError, PictureError, or FileNotFoundError.
    """
    path = Path(where)
    if path.suffix.lower() != ".json":
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: no folder of cut-outs, and no .json with masks in COCO's format")
        return read_objects(path)
    content = record_of(read_json(path), str(path))
    names = {record.identity("id"): record.text("name") for record in content.records("categories", "category")}
    images = {record.identity("id"): record for record in content.records("images", "image")}
    wanted = [record for record in content.records("annotations", "annotation") if _is_thing(record, names)]
    places = np.unique(np.linspace(0, max(len(wanted) - 1, 0), min(MOST, len(wanted))).round().astype(int))
    root = path.parent.parent if path.parent.name == "annotations" else path.parent
    find = pictures_in(picture_folders(root, path, "val"), [record.text("file_name") for record in images.values()])
    found: list[Object] = []
    pixels, shown = np.zeros((1, 1, 3), np.uint8), None
    for record in (wanted[n] for n in places):
        image = images.get(record.identity("image_id"))
        if image is None:
            raise record.wrong("image_id", "is of no image of this file")
        mask = decode(record, "segmentation", (image.whole("width", 1), image.whole("height", 1)))
        if not _whole(mask):
            continue
        if shown is not image:
            pixels, shown = picture.read(find(image.text("file_name"))), image
        if pixels.shape[:2] != mask.shape:
            raise image.wrong("width", f"and height are of another picture, which is {pixels.shape[1::-1]} px")
        found.append(cut_out(pixels, mask))
    if not found:
        raise DataError(f"{path}: has masks of no thing of {LEAST} px or more that lies wholly within its picture")
    return found


def _is_thing(record: Record, names: dict[int | str, str]) -> bool:
    crowd = record.fields.get("iscrowd") in (1, True)
    return record.has("segmentation") and not crowd and names.get(record.identity("category_id")) not in PEOPLE


def _whole(mask: Mask) -> bool:
    """Whether a mask is large enough, and nowhere at the picture's edge."""
    edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
    return bool(mask.sum() >= LEAST and not edge)
