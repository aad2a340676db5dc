"""MPI-INF-3DHP (Mehta et al., 3DV 2017, arXiv:1611.09813): eight people before fourteen cameras, six for the test.

Read in MMPose's form: `annotations/mpi_inf_3dhp_{train,test_valid}.npz` (any `*3dhp_{split}*.npz`) with
`cameras_{train,test}.json`, the pickles written as JSON. R and T there take the world to the camera, in m, y up.
Pictures of the test set come without extrinsics: their world is the camera's frame. The files tell no lens, so a
point's image is up to 2 px from the pixels that they give. All keypoints are SEEN: nobody says which are hidden.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets.arrays import read_arrays
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file
from posewright.datasets.records import DataError, Record, record_of
from posewright.datasets.views import camera_of, column, rows_of, turn
from posewright.geometry import Camera
from posewright.scene import Scene
from posewright.skeleton import MPI_INF_3DHP

CHEST_HEIGHT = (0, 2, 4, 7, 8)
"""The cameras that look from 1.1 to 1.6 m: what EpipolarPose learns from (arXiv:1903.02330, section 4.1)."""
TRAIN = re.compile(r"(S\d+)_(Seq\d+)_Cam(\d+)_(\d+)\.\w+$")
TEST = re.compile(r"(TS\d+)_(\d+)\.\w+$")
TERMS = "MPI-INF-3DHP, gvv.mpi-inf.mpg.de/3dhp-dataset; research only"
NAMES = {"train": ["annotations/mpi_inf_3dhp_train.npz", "*3dhp_train*.npz"],
         "test": ["annotations/mpi_inf_3dhp_test_valid.npz", "*3dhp_test*.npz"]}  # fmt: skip


def read(root: Path, split: str, *, cameras: Sequence[int] = CHEST_HEIGHT) -> list[Scene]:
    """Read MPI-INF-3DHP, one scene a picture, `points3d` in mm of the world, without decoding any.

    split: train, of which only pictures of these cameras, or test. A scene's group is the recording, of all cameras.
    Raises DataError.
    """
    root = Path(root)
    if split not in NAMES:
        raise DataError(f"{root}: no split {split!r}; there is train and test")
    file = find_file(root, NAMES[split], "MPI-INF-3DHP in a known form")
    eyes_file = find_file(root, [f"annotations/cameras_{split}.json", f"cameras_{split}.json"], "its cameras")
    eyes = record_of(read_json(eyes_file), str(eyes_file))
    images = root / "images" if (root / "images").is_dir() else root
    scenes = []
    for name, person, space in rows_of(read_arrays(file), str(file), MPI_INF_3DHP):
        who, sequence, eye, frame = _told(name, split, file)
        if split == "train" and int(eye) not in cameras:
            continue
        camera = _camera(eyes, f"{who}_{sequence}_Cam{eye}" if sequence else who)
        person = replace(person, points3d=(space - camera.t) @ camera.R, id=who)
        label = f"{who}/{sequence}" if sequence else who
        scenes.append(
            Scene(images / name, MPI_INF_3DHP, (person,), None, camera, f"{label}/{eye}/{frame}", group=label)
        )
    return scenes


def _told(name: str, split: str, file: Path) -> tuple[str, str, str, str]:
    """Return who, sequence, camera and frame of a picture's name."""
    found = (TRAIN if split == "train" else TEST).search(name)
    if found is None:
        form = "S1_Seq1_Cam0_000001.jpg" if split == "train" else "TS1_000001.jpg"
        raise DataError(f"{file}: picture {name}: its name must be as {form}")
    if split == "train":
        return found[1], found[2], found[3], found[4]
    return found[1], "", "0", found[2]


def _camera(eyes: Record, name: str) -> Camera:
    record = record_of(eyes.get(name), f"{eyes.where}: camera {name}")
    if not record.has("R"):
        return camera_of(record, np.eye(3), np.zeros(3), lens=False)
    return camera_of(record, turn(record, "R"), column(record, "T") * 1000.0, lens=False)
