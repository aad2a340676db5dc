"""Silhouettes: the masks of true and of predicted people, which other readers leave out because they fill memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posewright import datasets
from posewright.datasets import coco, masks
from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.documents import read_json
from posewright.datasets.layout import picture_folders
from posewright.datasets.records import DataError, records_in
from posewright.scene import Scene


def read_truth(spec: str, split: str = "val") -> list[Scene]:
    """Read people with their masks: a file or folder in COCO's format, or a data set whose reader gives masks.

    spec: as `datasets.read` takes it. Raises DataError.
    """
    name, colon, rest = spec.partition(":")
    path = Path(rest) if colon and name in datasets.READERS and not Path(spec).exists() else Path(spec)
    if path.is_file():
        return read_annotations(path, picture_folders(path.parent, path, split), Dialect(masks=True))
    kind = name if path != Path(spec) else datasets.kind_of(path)
    return coco.read(path, split, masks=True) if kind == "coco" else datasets.read(spec, split)


def with_masks(path: Path, predicted: Sequence[Scene]) -> list[Scene]:
    """Return predictions, read from a file of COCO results, with the masks that stand there as `segmentation`.

    All three forms are read; a result without one keeps no mask. A person's id is the result's place in the file, as
    `coco.read_results` gives it. Raises DataError where the file is no list, or a mask is wrong or not of its picture's
    size.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: masks are read from COCO results, a list of objects with a segmentation")
    results = records_in(content, str(path), "result")
    scenes = []
    for scene in predicted:
        people = []
        for person in scene.people:
            result = results[person.id - 1] if isinstance(person.id, int) else None
            if result is not None and result.has("segmentation"):
                person = replace(person, mask=masks.decode(result, "segmentation", scene.size))
            people.append(person)
        scenes.append(replace(scene, people=tuple(people)))
    return scenes
