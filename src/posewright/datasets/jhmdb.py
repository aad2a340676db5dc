"""JHMDB (Jhuang et al., ICCV 2013): actions in short videos, one puppet a person, 15 keypoints a frame.

Both forms count pixels from 1, MATLAB's way, so keypoints and boxes lose 1 (as MMPose's reader does, too).
Neither tells hidden from seen: the puppet has all its joints in every frame, and all are *seen*. No areas.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.arrays import array_of
from posewright.datasets.layout import find_file, find_folder
from posewright.datasets.matlab import read_matlab
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, SEEN, Person, Scene, box_around
from posewright.skeleton import JHMDB

SPLITS = {"train": "1", "test": "2"}
"""What the second word of a line in the lists of videos says; 0 is in neither."""


def read(root: Path, split: str, *, annotations: Path | str | None = None, fold: int = 1) -> list[Scene]:
    """Read JHMDB, one scene a frame, without decoding any; fold (1, 2, 3) is which of the three divisions.

    In COCO's form: `Sub{fold}_{split}.json`, `{split}_jhmdb_sub{fold}.json` or `annotations`, a file (relative to
    `root`), v 0 absent and 2 labelled, boxes around the puppet, ids the track's. In the original form: see
    `read_original`. Raises DataError.
    """
    root = Path(root)
    if annotations is None and (root / "joint_positions").is_dir():
        return read_original(root, split, fold)
    names = [f"annotations/Sub{fold}_{split}.json", f"Sub{fold}_{split}.json", f"{split}_jhmdb_sub{fold}.json"]
    file = root / annotations if annotations is not None else find_file(root, names, "JHMDB annotations")
    return read_annotations(
        file, root, Dialect(JHMDB, visible={0: ABSENT, 1: SEEN, 2: SEEN}, shift=-1.0, identity="track_id")
    )


def read_original(root: Path, split: str, fold: int = 1) -> list[Scene]:
    """Read `joint_positions/{action}/{video}/joint_positions.mat` with its frames in `Rename_Images/`.

    The videos of a split are listed in `splits/{action}_test_split{fold}.txt` (sub-JHMDB: `sub_splits/`, which
    is taken where it is the only one). A box is the tight one around the joints: the puppet's own is in
    another file. Raises DataError.
    """
    if split not in SPLITS:
        raise DataError(f"{root}: no split {split!r}; there is {' and '.join(SPLITS)}")
    lists = find_folder(root, ["splits", "sub_splits"])
    files = sorted(lists.glob(f"*_test_split{fold}.txt"))
    if not files:
        raise DataError(f"{lists}: holds no list of videos *_test_split{fold}.txt")
    videos = [(file.name.rsplit("_test_split", 1)[0], video) for file in files for video in _videos(file, split)]
    return [scene for action, video in videos for scene in _frames(root, action, video)]


def _videos(file: Path, split: str) -> list[str]:
    found = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        words = line.split()
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise DataError(f"{file}: line {number}: must be a video's name and 0, 1 or 2, not {line[:60]!r}")
        if words[1] == SPLITS[split]:
            found.append(words[0].removesuffix(".avi"))
    return found


def _frames(root: Path, action: str, video: str) -> list[Scene]:
    path = root / "joint_positions" / action / video / "joint_positions.mat"
    joints = array_of(read_matlab(path), "pos_img", str(path), (2, len(JHMDB), None)).astype(np.float64) - 1
    frames = root / "Rename_Images" / action / video
    return [
        Scene(
            frames / f"{number:05d}.png",
            JHMDB,
            (Person(xy, np.full(len(JHMDB), SEEN, np.uint8), box=box_around(xy), id=0),),
            id=f"{action}/{video}/{number:05d}",
            group=f"{action}/{video}",
        )
        for number, xy in enumerate(joints.transpose(2, 1, 0), 1)
    ]
