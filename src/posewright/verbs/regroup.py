"""Grouping anew: whose the keypoints of anybody's predictions are, once it is forgotten who had them.

What a results file of COCO has suffices for a pose residual network: keypoints and boxes. Tags and affinities only the
network knows that found the keypoints; a file may hold them beside each result's `keypoints`:

    "tags": [t, ...]                  a number a keypoint, or a list of as many numbers for every keypoint
    "affinities": [[k, r, l, a], ...] this result's keypoint k and keypoint l of the r-th result of the file (from 0)
                                      are joined by a limb that is a sure
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from posewright.codecs.bottom_up import affinity_parsing, tag_grouping
from posewright.codecs.bottom_up.affinity_fields import limb_places
from posewright.codecs.bottom_up.residual_grouping import LoosePeaks, Respond, people_in
from posewright.codecs.bottom_up.whole import Places, one_person
from posewright.codecs.maps import Floats
from posewright.datasets import coco
from posewright.datasets.detections import Detected, boxes_by_scene, read_boxes
from posewright.datasets.documents import read_json
from posewright.datasets.predictions import named_pictures, read_predictions
from posewright.datasets.records import DataError, Record, records_in
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

By = Literal["prn", "tags", "affinity"]
SAME = 0.05
"""Of keypoints of one kind within this share of their person's size the surest is kept: they are one found twice."""


class Loose(NamedTuple):
    """Hold a picture's keypoints without their people: peaks, and of each the result that it stands in, from 0."""

    peaks: LoosePeaks
    result: Places


def regroup(
    predictions: Path,
    by: By,
    out: Path,
    *,
    model: Path | None = None,
    boxes: Path | None = None,
    box_score: float = 0.0,
    skeleton: Skeleton | None = None,
) -> tuple[int, int]:
    """Group the keypoints of a file of COCO results anew, and write them as such; returns how many people were and are.

    by: "prn" needs a pose residual network, `model`, and boxes, by default the results' own; "tags" and "affinity" need
    what the file may hold beside its keypoints. skeleton: what keypoints are where their number does not tell. Raises
    DataError and ValueError, in one line, where something of that lacks, and what loading the model raises.
    """
    records = results_in(predictions)
    scenes = _read(predictions, records, skeleton)
    skeleton = scenes[0].skeleton
    if by == "prn":
        group = _by_prn(predictions, scenes, skeleton, model, boxes, box_score)
    elif model is not None or boxes is not None:
        raise ValueError(f"a model and boxes are for --by prn, not for --by {by}")
    else:
        group = _by_tags(records, skeleton) if by == "tags" else _by_affinity(records, skeleton)
    found = [
        Scene("", skeleton, tuple(p for p in group(place, loosened(scene)) if p.labelled.any()), id=scene.id)
        for place, scene in enumerate(scenes)
    ]
    coco.write_results(found, out)
    return len(records), sum(len(scene.people) for scene in found)


Group = Callable[[int, Loose], list[Person]]
"""Groups the keypoints of the picture of a number."""


def results_in(path: Path) -> list[Record]:
    """Return the results of a file; raises DataError where it is no list of some."""
    content = read_json(path)
    if not isinstance(content, list):
        raise DataError(f"{path}: must be COCO results, a list of objects with image_id, keypoints and score")
    records = records_in(content, str(path), "result")
    if not records:
        raise DataError(f"{path}: holds no results, so there is nothing to group")
    return records


def _read(path: Path, records: Sequence[Record], skeleton: Skeleton | None) -> Sequence[Scene]:
    """Read the pictures that results name, in their order, with their people."""
    pictures = named_pictures(path, records, skeleton)
    return read_predictions(path, pictures, pictures[0].skeleton)


def loosened(scene: Scene) -> Loose:
    """Forget whose a picture's keypoints are, and keep the surest of those that are one found twice."""
    xy = np.array([person.keypoints for person in scene.people]).reshape(-1, len(scene.skeleton), 2)
    sure = np.array([_scores(person) for person in scene.people]).reshape(xy.shape[:2])
    extent = np.nanmax(xy, 1, initial=-np.inf) - np.nanmin(xy, 1, initial=np.inf)
    size = np.sqrt(np.maximum(extent, 0).prod(1))
    person, kind = np.nonzero(np.isfinite(xy).all(-1) & (sure > 0))
    order = np.argsort(-sure[person, kind], kind="stable")
    kept: list[int] = []
    for one in order.tolist():
        others = [other for other in kept if kind[other] == kind[one]]
        away = np.hypot(*(xy[person[others], kind[others]] - xy[person[one], kind[one]]).T)
        if not (away <= SAME * np.minimum(size[person[others]], size[person[one]])).any():
            kept.append(one)
    kept.sort()
    person, kind = person[kept], kind[kept]
    number = np.array([int(person.id) - 1 for person in scene.people if isinstance(person.id, int)], int)
    return Loose(LoosePeaks(xy[person, kind], kind, np.clip(sure[person, kind], 0, 1)), number[person])


def _scores(person: Person) -> Floats:
    return np.ones(len(person)) if person.scores is None else np.asarray(person.scores, np.float64)


def _by_prn(
    path: Path, scenes: Sequence[Scene], skeleton: Skeleton, model: Path | None, boxes: Path | None, least: float
) -> Group:
    if model is None:
        raise ValueError(
            "grouping by prn needs a pose residual network: name its exported file or checkpoint by --model"
        )
    from posewright.estimators.runtimes.residual import load

    found = load(model, len(skeleton))
    if found.keypoints and found.keypoints != skeleton.keypoints:
        raise ValueError(
            f"{model}: knows the keypoints {', '.join(found.keypoints)}, but those of {path} are {skeleton.name}'s: "
            f"{', '.join(skeleton.keypoints)}"
        )
    given = _own_boxes(path, scenes) if boxes is None else boxes_by_scene(scenes, read_boxes(boxes, least), boxes)
    return partial(_in_boxes, given, len(skeleton), found.respond)


def _own_boxes(path: Path, scenes: Sequence[Scene]) -> list[list[Detected]]:
    """Return the boxes that results have themselves; raises DataError where one has none."""
    found = []
    for scene in scenes:
        lacking = next((person for person in scene.people if person.box is None), None)
        if lacking is not None:
            where = f"result at place {int(lacking.id or 0) - 1}"
            raise DataError(f"{path}: {where}: has no bbox; name a file of boxes by --boxes")
        found.append([Detected(p.box, float(p.score or 0)) for p in scene.people if p.box is not None])
    return found


def _in_boxes(
    boxes: Sequence[Sequence[Detected]], keypoints: int, respond: Respond, place: int, loose: Loose
) -> list[Person]:
    places = np.array([one.box for one in boxes[place]], np.float64).reshape(-1, 4)
    sure = np.clip(np.array([one.score for one in boxes[place]], np.float64), 0, 1)
    return people_in(places, sure, loose.peaks, keypoints, respond)


def _by_tags(records: Sequence[Record], skeleton: Skeleton) -> Group:
    if not records[0].has("tags"):
        raise records[0].wrong(
            "tags", "lacks: a tag a keypoint, which only the network that found them can tell; --by prn needs none"
        )
    given = [_tags_of(record, len(skeleton)) for record in records]
    widths = {len(one[0]) for one in given}
    if len(widths) > 1:
        raise records[0].wrong("tags", "must be as many a keypoint in every result")
    tags, order = np.array(given, np.float32), tag_grouping.order_of(skeleton)

    def group(_: int, loose: Loose) -> list[Person]:
        peaks = []
        for k in range(len(skeleton)):
            some = np.flatnonzero(loose.peaks.kind == k)
            some = some[np.argsort(-loose.peaks.score[some], kind="stable")]
            x, y = loose.peaks.xy[some].T
            peaks.append(tag_grouping.Peaks(x, y, loose.peaks.score[some], tags[loose.result[some], k]))
        rows = tag_grouping.match(peaks, order, tag_grouping.Rules(most=len(loose.result) or 1))
        return [
            one_person(np.where(row[:, 2:3] > 0, row[:, :2], np.nan), row[:, 2], float(row[:, 2].mean()))
            for row in rows
        ]

    return group


def _tags_of(record: Record, keypoints: int) -> list[list[float]]:
    """Return a result's tags, as many for each keypoint; raises DataError."""
    given = record.items("tags")
    nested = bool(given) and isinstance(given[0], list)
    width = len(given[0]) if nested else 1
    if len(given) != keypoints or width < 1:
        raise record.wrong("tags", f"must be {keypoints} numbers or lists of numbers, one a keypoint, not {len(given)}")
    if nested:
        return np.asarray(record.rows("tags", keypoints, width)).tolist()
    return [[value] for value in record.numbers("tags", keypoints).tolist()]


def _by_affinity(records: Sequence[Record], skeleton: Skeleton) -> Group:
    if not any(record.has("affinities") for record in records):
        raise records[0].wrong(
            "affinities",
            "lacks: how sure limbs are, which only the network that found them can tell; --by prn needs none",
        )
    if not skeleton.limbs:
        raise ValueError(f"{skeleton.name} has no limbs, along which keypoints could be joined")
    limbs = limb_places(skeleton)
    sure: dict[tuple[int, int, int, int], float] = {}
    for number, record in enumerate(records):
        for row in _affinities_of(record, len(skeleton), len(records)):
            k, other, kind, value = int(row[0]), int(row[1]), int(row[2]), float(row[3])
            sure[number, k, other, kind] = sure[other, kind, number, k] = value

    def group(_: int, loose: Loose) -> list[Person]:
        kinds, xy = [np.flatnonzero(loose.peaks.kind == k) for k in range(len(skeleton))], loose.peaks.xy
        peaks = [affinity_parsing.Peaks(xy[some, 0], xy[some, 1], loose.peaks.score[some]) for some in kinds]
        found = [_connected(loose, kinds, limb, sure) for limb in limbs]
        joined = affinity_parsing.assemble(peaks, limbs, found, max(len(limbs) - (len(skeleton) - 1), 0))
        numbers = np.append(np.concatenate(kinds), -1)
        return [_told(loose.peaks, numbers[row]) for row in joined.peaks]

    return group


def _affinities_of(record: Record, keypoints: int, results: int) -> Floats:
    """Return rows k, r, l, a of a result; raises DataError where one is of no keypoint or no result."""
    if not record.has("affinities"):
        return np.zeros((0, 4))
    rows = record.rows("affinities", len(record.items("affinities")), 4)
    whole = (
        (rows[:, :3] == np.trunc(rows[:, :3])) & (rows[:, :3] >= 0) & (rows[:, :3] < [keypoints, results, keypoints])
    )
    if not whole.all():
        place = int(np.argmin(whole.all(1)))
        raise record.wrong(
            "affinities",
            f"row {place} must be a keypoint below {keypoints}, a result below {results}, a keypoint and a number",
        )
    return rows


def _connected(
    loose: Loose, kinds: Sequence[Places], limb: tuple[int, int], sure: Mapping[tuple[int, int, int, int], float]
) -> affinity_parsing.Connections:
    a, b = limb
    first, second = (loose.result[kinds[k]].tolist() for k in limb)
    score = np.array([[sure.get((i, a, j, b), 0.0) for j in second] for i in first]).reshape(len(first), len(second))
    return affinity_parsing.one_to_one(score, score > 0)


def _told(peaks: LoosePeaks, numbers: Places) -> Person:
    """Make a person of peaks (K,), -1 where absent; the score is their mean, absent ones counted as 0."""
    there = numbers >= 0
    scores = np.where(there, np.append(peaks.score, 0.0)[numbers], 0.0)
    xy = np.where(there[:, None], np.vstack([peaks.xy, [[0.0, 0.0]]])[numbers], np.nan)
    return one_person(xy, scores, float(scores.mean()))
