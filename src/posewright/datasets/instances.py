"""People as JSON objects, one a person, as other programs write them.

MMPose's inferencer (a file a picture, or frames with `instances`) and demos (`instance_info`), ultralytics' `to_json`,
openpifpaf's `*.predictions.json`, AlphaPose's `--format cmu` and `open` (people by picture in one object), and lists
of one's own, also inside an object. A picture is named by the person, by the key that it stands under, or else by the
file. Keypoints are x, y, score in one list, in a list each, x, y apart from their scores, or with their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posewright.datasets.bodies import BODIES, BY_COUNT
from posewright.datasets.documents import read_json
from posewright.datasets.named_points import points_of
from posewright.datasets.names import Found, Name, placed
from posewright.datasets.records import DataError, Record, record_of, shown
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import COCO, Skeleton

POSES = ("keypoints", "pose_keypoints_2d", "pose_keypoints", "joints", "pred_keypoints")
PICTURES = ("image_id", "image", "image_name", "file_name", "filename", "image_file", "image_path", "img_path", "path")
SCORES = ("score", "bbox_score", "confidence", "conf", "pose_score")
WITHIN = ("instance_info", "instances", "predictions", "results", "people", "bodies", "annotations", "detections",
          "poses", "data")  # fmt: skip
"""Keys under which programs keep a list of people."""
READ = (
    "COCO results (a list of objects with image_id, keypoints, score), COCO annotations, OpenPose's and AlphaPose's "
    "JSON, MMPose's inferencer's, ultralytics' to_json, openpifpaf's, AI Challenger's lists, DeepLabCut's and SLEAP's "
    "tables, or a table with the columns image, nose_x, nose_y, ..."
)
STRANGERS = {
    "shapes": "LabelMe's labels", "_via_img_metadata": "VIA's labels", "completions": "Label Studio's own JSON; export "
    "it as COCO", "data": "Label Studio's own JSON; export it as COCO", "bbox": "boxes without keypoints",
    "segmentation": "masks without keypoints", "box": "boxes without keypoints", "scores": "scores of posewright's",
}  # fmt: skip
"""What a field says of a file that is not read."""


class Body(NamedTuple):
    """Hold a person's record and what its picture may be called."""

    record: Record
    names: Sequence[Name]


def read_instances(files: Sequence[Path], truth: Sequence[Scene], skeleton: Skeleton | None = None) -> list[Scene]:
    """Read people out of files of any of these forms, placed beside the true scenes by the pictures' names.

    skeleton: what the keypoints are; None takes their names in the file, else their count, else the truth. A person
    without a score gets the mean of the keypoints'. Raises DataError, for an unknown form with what it looks like.
    """
    bodies: list[Body] = []
    names: list[str] = []
    for file in files:
        content = read_json(file)
        names = names or _keypoint_names(content)
        bodies += _bodies(content, str(file), [_picture_of(file)])
    bodies, names = _by_their_names(bodies, names)
    likely = truth[0].skeleton if truth else COCO
    own = skeleton or (_named(names) if names else None) or (_by_count(bodies[0].record, likely) if bodies else likely)
    found: Found = [(body.record.where, body.names, _person(body.record, own)) for body in bodies]
    people = [person.keypoints[person.labelled] for _, _, person in found]
    if people and max(np.abs(xy).max(initial=0) for xy in people) <= 1:
        raise DataError(f"{files[0]}: all coordinates lie within 1, so they are no pixels but shares of the picture")
    return placed(found, truth, own)


def _bodies(content: Any, where: str, names: Sequence[Name]) -> Iterator[Body]:
    """Yield the people of anything that holds some; raises DataError where it holds none in a form that is known."""
    if isinstance(content, list):
        if _is_pose(content):
            yield Body(Record(where, {POSES[0]: content}), names)
            return
        for place, item in enumerate(content):
            if isinstance(item, list) and not _is_pose(item):
                yield from _bodies(item, f"{where}: frame {place}", _frame(names, place))
            else:
                yield from _bodies(item, f"{where}: record at place {place}", names)
        return
    record = record_of(content, where)
    own = [v for field in PICTURES if isinstance(v := record.fields.get(field), int | str) and v != ""]
    if any(record.has(pose) for pose in POSES):
        yield Body(record, own or names)
        return
    within = next((key for key in WITHIN if isinstance(record.fields.get(key), list)), None)
    if within is not None and record.fields[within] is not content:
        frame = record.fields.get("frame_id", record.fields.get("frame_index"))
        inside = own or (_frame(names, frame) if isinstance(frame, int) else names)
        yield from _bodies(_from_zero(record.fields[within], within), where, inside)
    elif record.fields and all(isinstance(value, dict | list) for value in record.fields.values()):
        for key, value in record.fields.items():
            yield from _bodies(value, f"{where}: {shown(key)}", [key])
    else:
        raise unknown(record)


def _by_their_names(bodies: list[Body], names: list[str]) -> tuple[list[Body], list[str]]:
    """Put keypoints that carry their names into one order, which is returned; one that a person lacks is absent."""
    told = [points_of(body.record, _pose(body.record)) for body in bodies]
    if not bodies or any(points is None for points in told):
        return bodies, names
    order = list(dict.fromkeys(name for points in told for name in points or ()))
    written = [[(points or {}).get(name, [None, None, None]) for name in order] for points in told]
    return [
        Body(Record(body.record.where, {**body.record.fields, _pose(body.record): points}), body.names)
        for body, points in zip(bodies, written, strict=True)
    ], order


def _is_pose(content: list[Any]) -> bool:
    """Tell a person's keypoints, which stand without any field, from a list of people."""
    points = [item for item in content if isinstance(item, list) and len(item) in (2, 3)]
    return 2 < len(content) == len(points) and all(v is None or type(v) in (int, float) for one in points for v in one)


def unknown(record: Record) -> DataError:
    """Return the error for a form that is not known: what it looks like, and what is read."""
    fields = ", ".join(map(str, list(record.fields)[:6])) or "none"
    looks = next((what for field, what in STRANGERS.items() if field in record.fields), None)
    told = f", which look like {looks}" if looks else ""
    return DataError(f"{record.where}: no predictions: it has the fields {fields}{told}; what is read: {READ}")


def _from_zero(frames: list[Any], key: str) -> list[Any]:
    """Let frames count from 0: MMPose's demos, which write `instance_info`, count from 1."""
    numbers = [frame.get("frame_id") for frame in frames if isinstance(frame, dict)]
    if key != "instance_info" or not all(isinstance(number, int) and number > 0 for number in numbers):
        return frames
    return [{**frame, "frame_id": frame["frame_id"] - 1} for frame in frames]


def _frame(names: Sequence[Name], frame: int) -> list[Name]:
    return [*(f"{name}#{frame}" for name in names), frame]


def _picture_of(file: Path) -> str:
    """Return what a file calls its picture or video: `a.jpg.predictions.json` is of `a.jpg`."""
    name = file.name.removesuffix(".gz").removesuffix(".json").removesuffix(".predictions")
    return name.removesuffix("_keypoints").removesuffix("_predictions").removeprefix("results_")


def _keypoint_names(content: Any) -> list[str]:
    """Return the keypoints' names where the file has them, as MMPose's demos do."""
    about = content.get("meta_info") if isinstance(content, dict) else None
    names = about.get("keypoint_id2name") if isinstance(about, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        return []
    return [names[key] for key in sorted(names, key=lambda key: int(key) if str(key).isdecimal() else 0)]


def _named(names: Sequence[str]) -> Skeleton:
    own = Skeleton("the file's", tuple(names), ())
    return next((body for body in BODIES if body.keypoints == own.spelt), own)


def _by_count(record: Record, likely: Skeleton) -> Skeleton:
    """Return the skeleton that the count of a person's keypoints means; raises DataError."""
    field, count = _pose(record), len(_triples(record, None))
    found = likely if count == len(likely) else BY_COUNT.get(count)
    if found is None:
        same = [body.name for body in BODIES if len(body) == count]
        hint = f"; if they are those of {' or '.join(same)}, say so by --skeleton" if same else ""
        raise record.wrong(field, f"must be {len(likely)} keypoints ({likely.name}), not {count}{hint}")
    return found


def _pose(record: Record) -> str:
    return next(pose for pose in POSES if record.has(pose))


def _triples(record: Record, count: int | None) -> Floats:
    """Return a person's keypoints (count, 3) x, y, score, however they are written; count None is any."""
    field = _pose(record)
    value, scores = record.get(field), record.fields.get("keypoint_scores", record.fields.get("keypoints_scores"))
    if isinstance(value, Mapping):
        parts = record_of(value, f"{record.where}: {field}")
        third = next((name for name in ("visible", "confidence", "score", "scores") if parts.has(name)), None)
        rated = parts.items(third) if third else [1.0] * len(parts.items("x"))
        value = [list(point) for point in zip(parts.items("x"), parts.items("y"), rated, strict=False)]
    elif isinstance(scores, list) and isinstance(value, list) and len(value) == len(scores):
        value = [
            [*point[:2], score] if isinstance(point, list) else point
            for point, score in zip(value, scores, strict=True)
        ]
    if not isinstance(value, list):
        raise record.wrong(field, f"must be a list, not {shown(value)}")
    nested = bool(value) and isinstance(value[0], list)
    return Record(record.where, {field: value}).triples(field, count or (len(value) if nested else len(value) // 3))


def _person(record: Record, skeleton: Skeleton) -> Person:
    triples = _triples(record, len(skeleton))
    absent = np.isnan(triples[:, 0]) | (triples == 0).all(axis=1)
    if _pose(record) not in ("keypoints", "pred_keypoints"):  # OpenPose's, where a confidence of 0 is nobody's
        absent |= triples[:, 2] == 0
    rated = next((field for field in SCORES if record.has(field)), None)
    mean = float(triples[~absent, 2].mean()) if not absent.all() else 0.0
    box = _box(record)
    return Person(
        np.where(absent[:, None], np.nan, triples[:, :2]),
        scores=triples[:, 2],
        score=record.number(rated) if rated else mean,
        box=box,
        area=None if box is None else float(np.prod(box[2:] - box[:2])),
    )


def _box(record: Record) -> Floats | None:
    """Return a person's box xyxy: MMPose and ultralytics keep corners, COCO, AlphaPose and openpifpaf sizes."""
    field = next((name for name in ("bbox", "box") if record.fields.get(name)), None)
    if field is None:
        return None
    value = record.get(field)
    read: Callable[[Record], Floats] = lambda one: one.box(field)  # noqa: E731
    if isinstance(value, Mapping):
        value = [value.get(corner) for corner in ("x1", "y1", "x2", "y2")]
        read = lambda one: one.numbers(field, 4)  # noqa: E731
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
        read = lambda one: one.numbers(field, 4)  # noqa: E731
    return read(Record(record.where, {field: value}))
