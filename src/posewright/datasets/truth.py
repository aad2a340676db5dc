"""Truth to score against: any file or folder that a reader reads, whether its pictures are here or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from posewright import datasets
from posewright.columns import people_of, pictures_of
from posewright.datasets import aic, coco, crowdpose, jhmdb, lsp, mpii, people, posetrack
from posewright.datasets.annotations import Dialect, annotated, read_annotations
from posewright.datasets.arrays import read_arrays
from posewright.datasets.content import content_of
from posewright.datasets.layout import picture_folders
from posewright.datasets.matlab import read_matlab
from posewright.datasets.meant import meant
from posewright.datasets.records import DataError
from posewright.scene import Scene
from posewright.skeleton import CROWDPOSE, JHMDB, POSETRACK, Skeleton


class Conventions(TypedDict, total=False):
    """What a data set's own evaluator does otherwise than COCO's, as arguments of `metrics.oks_ap`."""

    box_area: float
    counted_by: tuple[str, ...]


def read_truth(
    spec: Path | str, split: str = "val", skeleton: Skeleton | None = None, unnamed: Skeleton | None = None
) -> Sequence[Scene]:
    """Read truth from a file or a folder; pictures are neither decoded nor need they be here.

    spec: a file of annotations in COCO's format (CrowdPose, JHMDB and PoseTrack18 are known by their keypoints),
    AI Challenger's list, MPII's in any form, LSP's arrays; or a folder or "crowdpose:FOLDER" as `datasets.read`
    takes it, for which split says which part. `#NAME` behind it names a category, where several have keypoints.
    skeleton: what keypoints in COCO's format are, None takes the file's own word. unnamed: what they are where the
    file does not name them. Any JSON may be gzipped. Words behind the kind are `meant.WAYS`. Raises DataError.
    """
    plain, ways = datasets.split_ways(spec)
    found = _read_truth(plain, split, skeleton, unnamed)
    return meant(found, ways) if ways else found


def _read_truth(spec: Path | str, split: str, skeleton: Skeleton | None, unnamed: Skeleton | None) -> Sequence[Scene]:
    spec, category = datasets.split_category(spec)
    if category is not None:
        kind, colon, rest = str(spec).partition(":")
        own = Path(rest if colon and kind == "coco" else spec)
        if own.is_file():
            return read_annotations(own, picture_folders(own.parent, own, split), Dialect(skeleton, category=category))
        return coco.read(own, split, skeleton=skeleton, category=category)
    path = Path(spec)
    name, colon, rest = str(spec).partition(":")
    if path.is_file():
        return _file(path, split, skeleton, unnamed)
    if not (colon and name in datasets.READERS):
        return _folder(datasets.kind_of(path), path, split, skeleton)
    if not Path(rest).is_file():
        return _folder(name, Path(rest), split, skeleton)
    readers: dict[str, Callable[..., list[Scene]]] = {
        "crowdpose": crowdpose.read, "aic": aic.read, "mpii": mpii.read, "jhmdb": jhmdb.read,
        "posetrack": posetrack.read,
    }  # fmt: skip
    if name not in readers:
        return _file(Path(rest), split, skeleton, unnamed)
    return readers[name](Path(rest).parent, split, annotations=Path(rest).name)


def conventions(truth: Sequence[Scene]) -> Conventions:
    """Return how the truth's own evaluator departs from COCO's.

    CrowdPose's, known by its keypoints and by having no areas: a person's area is 0.53 of the box's, and people
    who have no keypoint but head top and neck are not counted. Others do not depart.
    """
    keypoints = truth[0].skeleton.keypoints if truth and truth[0].skeleton.name == CROWDPOSE.name else ()
    if not keypoints or not np.isnan(people_of(truth, len(keypoints)).area).all():
        return {}
    return {"box_area": 0.53, "counted_by": tuple(name for name in keypoints if name not in ("head_top", "neck"))}


def _folder(name: str, root: Path, split: str, skeleton: Skeleton | None) -> Sequence[Scene]:
    if not root.is_dir():
        raise DataError(f"{root}: no such folder")
    if name == "lsp":
        return lsp.read(root, split, pictures=False)
    return coco.read(root, split, skeleton=skeleton) if name == "coco" else datasets.READERS[name](root, split)


def _file(path: Path, split: str, skeleton: Skeleton | None, unnamed: Skeleton | None) -> Sequence[Scene]:
    content = content_of(path)
    if content.kind == "annotations":
        return _annotated(path, split, skeleton, unnamed)
    if content.kind == "arrays":
        return _arrays(path, split)
    if content.kind == "list" and content.first is not None:
        if "keypoint_annotations" in content.first.fields:
            return aic.read(path.parent, split, annotations=path.name)
        if "joints" in content.first.fields:
            return mpii.read(path.parent, split, annotations=path.name)
        if people.named(content.first):
            return people.read(path, skeleton or unnamed)
    hint = "; these are results: are truth and predictions exchanged?" if content.kind == "list" else ""
    raise DataError(
        f"{path}: not truth; that is an object with images, annotations and categories, or a list of people with "
        f"image_file and keypoints{hint}"
    )


def _annotated(path: Path, split: str, skeleton: Skeleton | None, unnamed: Skeleton | None) -> Sequence[Scene]:
    """Read annotations in COCO's format, those of two data sets again in their own dialect of it."""
    folders = picture_folders(path.parent, path, split)
    scenes = annotated(path, folders, Dialect(skeleton, unnamed=unnamed))
    own = pictures_of(scenes)[0].skeleton if scenes else None
    if skeleton is None and own is JHMDB:
        return jhmdb.read(path.parent, split, annotations=path.name)
    if skeleton is None and own is POSETRACK:
        return posetrack.read(path.parent, split, annotations=path.name)
    return scenes


def _arrays(path: Path, split: str) -> Sequence[Scene]:
    """Read LSP's arrays, told by `joints`, or MPII's."""
    if path.suffix == ".npz" and "joints" in read_arrays(path):
        return lsp.read(path.parent, path.name.removesuffix("_joints.npz"), pictures=False)
    if path.suffix == ".mat" and "joints" in read_matlab(path):
        return lsp.read_original(path.parent, split)
    return mpii.read(path.parent, split, annotations=path.name)
