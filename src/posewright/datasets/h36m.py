"""Human3.6M (Ionescu et al., TPAMI 2014): four cameras, eleven people, seventeen keypoints in space.

The original needs a licence and MATLAB; read here are two forms that people keep its answer in:

- MMPose's: `annotation_body3d/h36m_{train,test}.npz` (any `*.npz` with `S`; 10 frames a second of the original 50) with
  `cameras.json`, the pickle `cameras.pkl` written as JSON, since a pickle runs what it likes;
- `annotations/Human36M_subject{N}_{data,camera,joint_3d}.json`, of Moon et al. 2019, 50 frames a second.

Pixels follow the data set's own lens, whose tangential numbers are half of OpenCV's. Neither form tells hidden from
seen: all is SEEN. Who is who is told by the subject. Frames count from 1 in names, from 0 in Moon's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets.arrays import read_arrays
from posewright.datasets.documents import read_json
from posewright.datasets.layout import find_file
from posewright.datasets.records import DataError, Record, record_of
from posewright.datasets.views import camera_of, column, rows_of, size_of, sparse, turn
from posewright.geometry import Camera
from posewright.scene import SEEN, Person, Scene, box_around
from posewright.skeleton import H36M

SUBJECTS = {"train": ("1", "5", "6", "7", "8"), "test": ("9", "11")}
"""Who is in which split, as everybody has it; a split may also name one, as S1."""
NAME = re.compile(r"S(\d+)_([^.]+)\.(\d+)_(\d+)\.\w+$")
TERMS = "Human3.6M, by request at vision.imar.ro/human3.6m; research only"


def read(root: Path, split: str, *, every: int | None = None) -> list[Scene]:
    """Read Human3.6M, one scene a picture, `points3d` in mm of the world, without decoding any.

    split: train, test, or one subject as S1. every: one of so many frames, by default 64 of the test split (as
    integral pose and EpipolarPose report on) and all of others. A scene's group is the recording, of all cameras, so
    that intervals speak of other recordings of these people, and not of other people. Raises DataError.
    """
    root = Path(root)
    subjects = SUBJECTS.get(split) or ((split[1:],) if re.fullmatch(r"S\d+", split) else None)
    if subjects is None:
        raise DataError(f"{root}: no split {split!r}; there is train, test, or a subject as S1")
    if any((root / "annotations").glob("Human36M_subject*_data.json")):
        scenes = [scene for subject in subjects for scene in _subject(root, subject)]
    else:
        scenes = list(_arrays(root, split, subjects))
    apart = every or (64 if split == "test" else 1)
    return sparse(scenes, apart) if apart > 1 else scenes


def _arrays(root: Path, split: str, subjects: tuple[str, ...]) -> Iterator[Scene]:
    """Read MMPose's form."""
    part = split if split in SUBJECTS else next((s for s, who in SUBJECTS.items() if subjects[0] in who), "train")
    names = [f"annotation_body3d/fps10/h36m_{part}.npz", f"annotation_body3d/fps50/h36m_{part}.npz",
             f"annotation_body3d/h36m_{part}.npz", f"h36m_{part}.npz", "*h36m*body3d*.npz"]  # fmt: skip
    file = find_file(root, names, "Human3.6M in a known form")
    cameras = _cameras(find_file(root, ["annotation_body3d/cameras.json", "cameras.json"], "cameras of Human3.6M"))
    images = root / "images" if (root / "images").is_dir() else root
    for name, person, space in rows_of(read_arrays(file), str(file), H36M):
        found = NAME.search(name)
        if found is None:
            raise DataError(f"{file}: picture {name}: its name must be as S1_Walking_1.54138969_000001.jpg")
        subject, what, eye, frame = found.groups()
        if subject not in subjects:
            continue
        if f"S{subject}/{eye}" not in cameras:
            raise DataError(f"{file}: picture {name}: there is no camera S{subject}/{eye}")
        camera, size = cameras[f"S{subject}/{eye}"]
        points = (space - camera.t) @ camera.R
        yield _scene(images / name, replace(person, points3d=points), camera, size, subject, what, eye, frame)


def _cameras(path: Path) -> dict[str, tuple[Camera, tuple[int, int]]]:
    """Read cameras by subject/name: R turns to the world and T is where the camera stands, in m."""
    found = {}
    for name, value in record_of(read_json(path), str(path)).fields.items():
        record = record_of(value, f"{path}: camera {name}")
        R = turn(record, "R").T
        found[name] = camera_of(record, R, -R @ column(record, "T") * 1000.0, lens=True), size_of(record)
    return found


def _subject(root: Path, subject: str) -> Iterator[Scene]:
    """Read one subject in Moon's form."""
    data, eyes, joints = (
        record_of(read_json(path), str(path))
        for path in (
            root / "annotations" / f"Human36M_subject{subject}_{what}.json" for what in ("data", "camera", "joint_3d")
        )
    )
    cameras = {name: _moons_camera(eyes, name) for name in eyes.fields}
    images = root / "images" if (root / "images").is_dir() else root
    for image in data.records("images", "image"):
        action, take, eye, frame = (
            image.whole(key, 0) for key in ("action_idx", "subaction_idx", "cam_idx", "frame_idx")
        )
        if str(eye) not in cameras:
            raise image.wrong("cam_idx", f"there is no camera {eye}")
        points = _points(joints, (str(action), str(take), str(frame)))
        camera = cameras[str(eye)]
        px = camera.project(points)
        person = Person(px, np.full(len(H36M), SEEN, np.uint8), box=box_around(px), points3d=points)
        size = image.whole("width", 1), image.whole("height", 1)
        yield _scene(
            images / image.text("file_name"),
            person,
            camera,
            size,
            subject,
            f"{action:02d} {take}",
            str(eye),
            str(frame),
        )


def _moons_camera(eyes: Record, name: str) -> Camera:
    """Read a camera of Moon's form: R to the camera, t in mm; no lens, since that form leaves it out."""
    record = record_of(eyes.get(name), f"{eyes.where}: camera {name}")
    return camera_of(record, turn(record, "R"), column(record, "t"), lens=False)


def _points(joints: Record, path: tuple[str, ...]) -> np.ndarray:
    """Find the points (17, 3) mm of an action, a take and a frame."""
    for key in path[:-1]:
        joints = record_of(joints.get(key), f"{joints.where}: {key}")
    return joints.rows(path[-1], len(H36M), 3)


def _scene(
    image: Path, person: Person, camera: Camera, size: tuple[int, int], subject: str, what: str, eye: str, frame: str
) -> Scene:
    recorded = f"S{subject}/{what.replace('_', ' ')}"
    name = f"{recorded}/{eye}/{frame}"
    return Scene(image, H36M, (replace(person, id=f"S{subject}"),), size, camera, name, group=recorded)
