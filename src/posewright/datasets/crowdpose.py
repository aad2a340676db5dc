"""CrowdPose (Li et al., CVPR 2019, arXiv:1812.00324): people who stand in each other's way.

v is 0 absent, 1 hidden, 2 seen, as in COCO. The file calls the head's top "head". There are no areas.
Its `num_keypoints` counts the labelled keypoints without head and neck (so in all 8,527 people of the
validation file): the 954 people with a head or a neck alone have 0, and the official score ignores them.
"""

from __future__ import annotations

from pathlib import Path

from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file, find_folder
from posewright.datasets.records import record_of
from posewright.scene import Scene
from posewright.skeleton import CROWDPOSE

TERMS = "CrowdPose, train split (Li et al. 2019; pictures by their owners' terms)"


def read(root: Path, split: str, *, annotations: Path | str | None = None) -> list[Scene]:
    """Read CrowdPose, one scene a picture, without decoding any; a person's id is the annotation's.

    Looks for `crowdpose_{split}.json` in the folder, its `json/` or `annotations/`, and for the pictures in
    `images/`; or takes `annotations`, a file (relative to `root`). Raises DataError.
    """
    root = Path(root)
    file = root / annotations if annotations is not None else annotation_file(root, split)
    return read_annotations(file, find_folder(root, ["images"]), Dialect(CROWDPOSE))


def annotation_file(root: Path, split: str) -> Path:
    """Find a split's annotation file; raises DataError that lists where it was looked for."""
    names = [f"{folder}crowdpose_{split}.json" for folder in ("", "json/", "annotations/")]
    return find_file(root, [*names, f"annotations/mmpose_crowdpose_{split}.json", f"{split}_crowdpose.json"],
                     "CrowdPose annotations")  # fmt: skip


def crowd_index(path: Path) -> dict[int | str, float]:
    """Return how crowded each picture is by the scene's id, 0 for not at all; raises DataError.

    It compares the strangers' keypoints in a person's box with the person's own, as a mean over the picture.
    The paper speaks of [0, 1]; in the validation file 96 pictures have more, up to 3.02.
    """
    images = record_of(read_json(Path(path)), str(path)).records("images", "image")
    return {image.identity("id"): image.number("crowdIndex", low=0.0) for image in images}
