"""CMU Panoptic (Joo et al., ICCV 2015): people in a dome, as `hdPose3d_stage1_coco19` and its calibration have them.

Lengths are in cm and the world's y points down; here all is mm. There are 480 VGA cameras, 31 HD ones and Kinects; read
are HD ones, by default the five of VoxelPose. A keypoint of score 0 or less is absent. Nobody says what is hidden from
a camera: what falls into its picture is SEEN.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file
from posewright.datasets.records import DataError, Record, record_of
from posewright.datasets.views import turn
from posewright.geometry import Camera
from posewright.scene import ABSENT, SEEN, Person, Scene, box_around
from posewright.skeleton import PANOPTIC

CAMERAS = ("00_03", "00_06", "00_12", "00_13", "00_23")
TEST = ("160906_band4", "160906_ian5", "160906_pizza1", "160422_haggling1")
"""The sequences that VoxelPose (arXiv:2004.06239) tests on; all others are for training."""
TERMS = "CMU Panoptic, domedb.perception.cs.cmu.edu; research only"
CENTIMETRES = 10.0


def read(root: Path, split: str, *, cameras: Sequence[str] = CAMERAS) -> list[Scene]:
    """Read Panoptic, one scene a camera and frame, `points3d` in mm of the world, without decoding any.

    split: train or test, by the names of sequences, or all. A scene's group is the sequence. Raises DataError.
    """
    root = Path(root)
    if split not in ("train", "test", "all"):
        raise DataError(f"{root}: no split {split!r}; there is train, test and all")
    folders = sorted(path.parent for path in root.glob("*/hdPose3d_stage1_coco19"))
    if not folders:
        raise DataError(f"{root}: holds no Panoptic sequences; looked for */hdPose3d_stage1_coco19")
    chosen = [folder for folder in folders if split == "all" or (folder.name in TEST) == (split == "test")]
    return [scene for folder in chosen for scene in _sequence(folder, cameras)]


def read_cameras(path: Path) -> dict[str, tuple[Camera, tuple[int, int]]]:
    """Read a calibration: cameras and their pictures' sizes by name, in mm; raises DataError."""
    found = {}
    for record in record_of(read_json(path), str(path)).records("cameras", "camera"):
        name = record.text("name")
        record = Record(f"{path}: camera {name}", record.fields)
        t = record.rows("t", 3, 1)[:, 0] * CENTIMETRES
        camera = Camera(record.rows("K", 3, 3), turn(record, "R"), t, record.numbers("distCoef", 5))
        width, height = record.numbers("resolution", 2)
        found[name] = camera, (int(width), int(height))
    return found


def _sequence(folder: Path, names: Sequence[str]) -> list[Scene]:
    calibration = find_file(folder, [f"calibration_{folder.name}.json"], "a calibration")
    cameras = read_cameras(calibration)
    lacking = [name for name in names if name not in cameras]
    if lacking:
        raise DataError(f"{calibration}: there is no camera {lacking[0]}")
    scenes = []
    for file in sorted((folder / "hdPose3d_stage1_coco19").glob("body3DScene_*.json")):
        frame = file.stem.removeprefix("body3DScene_")
        bodies = record_of(read_json(file), str(file)).records("bodies", "body")
        for name in names:
            camera, size = cameras[name]
            image = folder / "hdImgs" / name / f"{name}_{frame}.jpg"
            people = tuple(_person(body, camera, size) for body in bodies)
            label = f"{folder.name}/{name}/{frame}"
            scenes.append(Scene(image, PANOPTIC, people, size, camera, label, group=folder.name))
    return scenes


def _person(body: Record, camera: Camera, size: tuple[int, int]) -> Person:
    joints = body.numbers("joints19", 4 * len(PANOPTIC)).reshape(-1, 4)
    points = np.where(joints[:, 3:] > 0, joints[:, :3] * CENTIMETRES, np.nan)
    px = camera.project(points)
    inside = np.logical_and.reduce([(px > -0.5), (px < np.array(size) - 0.5)]).min(-1)
    px = np.where(inside[:, None], px, np.nan)
    box = box_around(px) if inside.any() else None
    return Person(px, np.where(inside, SEEN, ABSENT).astype(np.uint8), box=box, points3d=points, id=body.identity("id"))
