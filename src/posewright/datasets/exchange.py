"""Predictions for other programs: a CSV table, OpenPose's JSON, YOLO's labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from posewright.files import write_whole
from posewright.scene import Floats, Person, Scene, box_around
from posewright.skeleton import Skeleton

BOX = ("box_x0", "box_y0", "box_x1", "box_y1")


def write_table(scenes: Sequence[Scene], out: Path, skeleton: Skeleton) -> None:
    """Write `predictions.csv`, one person a row, as `table.read_table` reads it; an absent keypoint is empty cells."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    parts = [f"{name}_{part}" for name in skeleton.keypoints for part in ("x", "y", "score")]
    rows.writerow(["image", "person", "score", *BOX, *parts])
    for scene in scenes:
        for number, person in enumerate(scene.people, 1):
            box = [""] * 4 if person.box is None else person.box.tolist()
            score = "" if person.score is None else person.score
            cells = [cell for triple in _triples(person) for cell in (triple.tolist() if triple[2] >= 0 else [""] * 3)]
            rows.writerow([scene.id, number, score, *box, *cells])
    write_whole(out / "predictions.csv", text.getvalue().encode())


def write_openpose(scenes: Sequence[Scene], out: Path, skeleton: Skeleton) -> None:
    """Write `openpose/PICTURE_keypoints.json`, one a picture or frame, in the order of the skeleton's keypoints.

    An absent keypoint is 0, 0, 0. `part_candidates` and faces are left out.
    """
    folder = out / "openpose"
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in _named(scenes):
        people = [
            {"person_id": [-1], "pose_keypoints_2d": np.maximum(np.nan_to_num(_triples(p)), 0.0).ravel().tolist()}
            for p in scene.people
        ]
        said = {"version": 1.3, "people": people, "keypoints": list(skeleton.keypoints)}
        write_whole(folder / f"{name}_keypoints.json", json.dumps(said).encode())


def write_yolo(scenes: Sequence[Scene], out: Path, skeleton: Skeleton) -> None:
    """Write `labels/PICTURE.txt` as Ultralytics reads poses, and `pose.yaml`, which says what they are.

    A line is a person: class 0, box as centre and size, then x, y, v of every keypoint, all as shares of the picture;
    v is 2, and 0 with 0, 0 where it is absent. A person without a box has the one around the keypoints; pictures of
    unknown size are left out.
    """
    folder = out / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in _named(scenes):
        if scene.size is not None:
            lines = [_line(person, np.array(scene.size, np.float64)) for person in scene.people if _seen(person)]
            write_whole(folder / f"{name}.txt", "".join(f"{line}\n" for line in lines).encode())
    flip = json.dumps(skeleton.mirror.tolist())
    about = f"kpt_shape: [{len(skeleton)}, 3]\nflip_idx: {flip}\nnames:\n  0: person\n"
    about += "".join(f"# keypoint {place}: {name}\n" for place, name in enumerate(skeleton.keypoints))
    write_whole(out / "pose.yaml", about.encode())


FORMS: dict[str, Callable[[Sequence[Scene], Path, Skeleton], None]] = {
    "csv": write_table,
    "openpose": write_openpose,
    "yolo": write_yolo,
}
"""What may be written beside COCO results, by its name."""


def _triples(person: Person) -> Floats:
    """Return x, y and score (K, 3) of a person's keypoints; NaN, NaN, -1 where absent."""
    scores = np.ones(len(person)) if person.scores is None else person.scores
    there = person.labelled
    return np.column_stack([np.where(there[:, None], person.keypoints, np.nan), np.where(there, scores, -1.0)])


def _named(scenes: Sequence[Scene]) -> Iterator[tuple[str, Scene]]:
    """Yield scenes with a file's name of their own: the picture's, with a frame's number, or a folder's in front."""
    taken: set[str] = set()
    for scene in scenes:
        source, _, frame = str(scene.id).rpartition("#")
        path = Path(source) if source and frame.isdecimal() else Path(str(scene.id))
        name = f"{path.stem}_{int(frame):012d}" if source and frame.isdecimal() else path.stem
        name = name if name not in taken else f"{path.resolve().parent.name}-{name}"
        while name in taken:
            name = f"{name}-"
        taken.add(name)
        yield name, scene


def _seen(person: Person) -> bool:
    return bool(person.labelled.any())


def _line(person: Person, size: Floats) -> str:
    box = box_around(person.keypoints) if person.box is None else person.box
    centre, extent = (box[:2] + box[2:]) / 2 / size, (box[2:] - box[:2]) / size
    triples = _triples(person)
    there = triples[:, 2] >= 0
    points = np.column_stack([np.where(there[:, None], triples[:, :2] / size, 0.0), np.where(there, 2, 0)])
    numbers = [*centre, *extent, *(value for point in points for value in point)]
    return " ".join(["0", *(f"{value:.6g}" for value in numbers)])
