"""PASCAL VOC's segmentation of people (Everingham et al., IJCV 2010): silhouettes, without keypoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.layout import find_folder
from posewright.datasets.records import DataError
from posewright.picture import PictureError
from posewright.picture import read as read_picture
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, Skeleton

PERSON, VOID = ((192, 128, 128), (15, 15, 15)), ((224, 224, 192), (255, 255, 255))
"""Colours of people and of what does not count: in the palette, and as numbers of classes."""

Mask = NDArray[np.bool_]


def read(root: Path, split: str, skeleton: Skeleton = COCO) -> list[Scene]:
    """Read people's silhouettes, one scene a picture of the split, of which only the label pictures are decoded.

    `ImageSets/Segmentation/{split}.txt`, `SegmentationClass/`, `SegmentationObject/` and `JPEGImages/`, in the folder
    or in its `VOC2012/` (`VOCdevkit/VOC2012/`). With `SegmentationObject/` each person stands alone, without it all are
    one. Labels may be in VOC's palette or the classes' numbers. The void border around objects is kept as a crowd,
    whose pixels `mask_iou` does not count. Keypoints of `skeleton` are all absent; boxes and areas are the masks'. A
    scene's id is the picture's name. Raises DataError.
    """
    root = find_folder(Path(root), ["VOCdevkit/VOC20??", "VOC20??"])
    listed = root / "ImageSets" / "Segmentation" / f"{split}.txt"
    try:
        names = listed.read_text().split()
    except OSError:
        raise DataError(f"{listed}: no such file; it lists the pictures of the split") from None
    return [_scene(root, name, skeleton) for name in names]


def _scene(root: Path, name: str, skeleton: Skeleton) -> Scene:
    classes = _labels(root / "SegmentationClass" / f"{name}.png")
    people, void = _coloured(classes, PERSON), _coloured(classes, VOID)
    masks = [people] if people.any() else []
    objects = root / "SegmentationObject" / f"{name}.png"
    if people.any() and objects.exists():
        colours = _labels(objects)
        if colours.shape != classes.shape:
            raise DataError(f"{objects}: is {colours.shape[1::-1]}, the classes' picture {classes.shape[1::-1]}")
        codes = colours.astype(np.int64) @ np.array([65536, 256, 1])
        masks = [people & (codes == code) for code in np.unique(codes[people])]
    found = [_person(mask, skeleton, place) for place, mask in enumerate(masks)]
    if void.any():
        found.append(_person(void, skeleton, len(masks), crowd=True))
    size = (classes.shape[1], classes.shape[0])
    return Scene(root / "JPEGImages" / f"{name}.jpg", skeleton, tuple(found), size, id=name)


def _labels(path: Path) -> NDArray[np.uint8]:
    try:
        return read_picture(path)
    except PictureError as error:
        raise DataError(f"{path}: the labels cannot be read: {error}") from None


def _coloured(picture: NDArray[np.uint8], colours: tuple[tuple[int, int, int], ...]) -> Mask:
    return np.asarray(np.logical_or.reduce([(picture == colour).all(-1) for colour in colours]))


def _person(mask: Mask, skeleton: Skeleton, number: int, crowd: bool = False) -> Person:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    nowhere = np.full((len(skeleton), 2), np.nan)
    return Person(nowhere, box=box, area=float(mask.sum()), mask=mask, id=number, crowd=crowd)
