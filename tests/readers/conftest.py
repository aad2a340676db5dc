"""Tiny hand-made files of every data set, as fixtures that return the folder they lie in."""

import json
from pathlib import Path

import numpy as np
import pytest

from posewright.skeleton import COCO


@pytest.fixture
def coco_content() -> dict:
    """Two pictures; a person with three keypoints (seen, hidden, absent with junk), a crowd, and nobody."""
    keypoints = [0] * 51
    keypoints[0:9] = [10, 20.5, 2, 30, 40, 1, 7, 7, 0]
    square = [[2.0, 1.0, 6.0, 1.0, 6.0, 4.0, 2.0, 4.0]]
    return {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 64, "height": 48},
            {"id": 3, "file_name": "b.jpg", "width": 32, "height": 32},
        ],
        "annotations": [
            {"id": 11, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [1, 2, 30, 40], "area": 321.5,
             "num_keypoints": 2, "keypoints": keypoints, "segmentation": square},
            {"id": 12, "image_id": 7, "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 9, 9], "area": 12,
             "num_keypoints": 0, "keypoints": [0] * 51,
             "segmentation": {"size": [48, 64], "counts": [48 * 10, 96, 48 * 52]}},
        ],
        "categories": [
            {"id": 1, "name": "person", "keypoints": list(COCO.keypoints),
             "skeleton": (COCO.limb_indices + 1).tolist()}
        ],
    }  # fmt: skip


@pytest.fixture
def write(tmp_path: Path):
    """Write a JSON file into the test's folder and return its path."""

    def write(content: object, name: str = "annotations.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def lsp_joints() -> np.ndarray:
    """(2, 14, 3) x, y and a flag: keypoint 3 of the first person is not visible."""
    joints = np.ones((2, 14, 3))
    joints[..., :2] = np.random.default_rng(0).uniform(5, 90, (2, 14, 2))
    joints[0, 3] = 0
    return joints
