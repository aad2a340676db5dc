"""Results: what metrics say of one file of predictions, with intervals and warnings, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from posewright.columns import pictures_of
from posewright.datasets.documents import read_json
from posewright.datasets.records import record_of
from posewright.datasets.truth import conventions
from posewright.files import sha256_of, write_whole
from posewright.metrics import (
    Score,
    aic_map,
    ap_by_cause,
    ap_by_crowding,
    ap_by_hidden,
    ap_by_keypoint,
    ap_by_size,
    ap_by_truncation,
    ap_by_visibility,
    auc,
    box_ap,
    by_person,
    crowdpose_ap,
    epe,
    kinds,
    mask_iou,
    mistakes,
    mpii_map,
    nme,
    oks_ap,
    pck,
    pckh,
    pcp,
    pdj,
    repairs,
    sensitivity,
    sigma_band,
    warnings,
)
from posewright.metrics.oks.groups import gathered_once
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.metrics.score import Protocol, versions
from posewright.metrics.trust.calibration import keypoint_calibration, person_calibration, visibility_auc
from posewright.metrics.trust.confidence import GROUPS, Difference, Interval, clustered, intervals
from posewright.metrics.trust.outcomes import Outcomes, keypoint_outcomes, person_outcomes, visibility_outcomes
from posewright.metrics.trust.plausibility import implausible
from posewright.pieces import Share
from posewright.scene import Scene
from posewright.skeleton import Skeleton

T = TypeVar("T")
Metric = Callable[..., Score]


Show = Callable[..., Iterable[Any]]
"""Says what is being done, and counts the rows of items that come by: show(what, total, items)."""


METRICS: tuple[Metric, ...] = (
    oks_ap,
    crowdpose_ap,
    ap_by_visibility,
    ap_by_keypoint,
    ap_by_hidden,
    ap_by_size,
    ap_by_truncation,
    ap_by_crowding,
    ap_by_cause,
    sigma_band,
    kinds,
    repairs,
    mistakes,
    sensitivity,
    keypoint_calibration,
    person_calibration,
    visibility_auc,
    aic_map,
    mpii_map,
    box_ap,
    mask_iou,
    *(by_person(metric) for metric in (pck, pckh, pdj, pcp, nme, epe, auc)),
)
"""The metrics that there are, by the names of their functions."""


OF_PERSON = ("pck", "pckh", "pdj", "pcp", "nme", "epe", "auc")
"""Metrics that ask of each true person what was answered at their box."""


OF_DISTANCE = ("box_ap", "mask_iou", "mpii_map", *OF_PERSON)
"""Metrics that know no OKS, so that what makes OKS doubtful is none of theirs."""


OUTCOMES: dict[str, Callable[..., Outcomes]] = {
    "keypoint_calibration": keypoint_outcomes,
    "person_calibration": person_outcomes,
    "visibility_auc": visibility_outcomes,
}
"""What the metrics that have a curve are asked of."""


LEVEL = 0.95
"""In how many of all data sets an interval holds what endless data would give."""


QUARTERED, FEWEST = ("ap_by_keypoint",), 500
"""Metrics of many numbers, each of which takes as long as all of another metric, and the draws that they take at least:
an end of 500 draws moves by 3 % of its interval's width (standard deviation), one of 2,000 by 1.5 %."""


NAMES = [metric.__name__ for metric in METRICS]


class Result(NamedTuple):
    """Hold what metrics say of one file: by the metric's name a score, and by number its interval.

    outcomes: by the metric's name what a curve of it is drawn from, where there is one.
    """

    path: Path
    scores: dict[str, Score]
    intervals: dict[str, dict[str, Interval]]
    warnings: list[str]
    outcomes: dict[str, Outcomes]


def silent(what: str, total: int = 0, items: Iterable[Any] = ()) -> Iterable[Any]:  # noqa: ARG001
    """Show nothing."""
    return items


def boxes_of(path: Path) -> str:
    """Say where the boxes of predictions came from, as the `protocol.json` that `posewright predict` writes tells."""
    folder = path if path.is_dir() else path.parent
    if not (path.is_dir() or path.name.startswith("predictions.json")) or not (folder / "protocol.json").is_file():
        return "not recorded"
    beside = folder / "protocol.json"
    return str(record_of(read_json(beside), str(beside)).fields.get("boxes", "not recorded"))


def measure(
    path: Path,
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    names: Sequence[str],
    draws: int = 10_000,
    seed: int = 0,
    show: Show = silent,
    said: Protocol | None = None,
    share: Share = map,
) -> Result:
    """Score predictions that are read already from a path; said: what their protocol tells besides.

    share: what computes the draws, as `pieces.shared` gives it for a cluster.

    Where the truth's pictures have groups (`Scene.group`: videos, subjects) these are drawn whole for the intervals.
    """
    with gathered_once():
        return _measured(path, predicted, truth, names, draws, seed, show, said, share)


def _measured(
    path: Path,
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    names: Sequence[str],
    draws: int,
    seed: int,
    show: Show,
    said: Protocol | None,
    share: Share,
) -> Result:
    result = Result(path, {}, {}, implausible(predicted, truth), {})
    groups = groups_of(truth)
    for name in names:
        show(name)
        result.scores[name] = score = ask(METRICS[NAMES.index(name)], predicted, truth)
        if name in OUTCOMES:
            result.outcomes[name] = ask(OUTCOMES[name], predicted, truth)
        if groups is not None and score.again is not None:
            result.scores[name] = score = clustered(score, groups)
        score.protocol |= (said or {}) | {"boxes": boxes_of(path)}
        if "sigmas" in score.protocol:
            score.protocol["sigma_values"] = _sigmas(truth[0].skeleton)
        own = draws_of(name, draws)
        track = partial(show, f"{name}, {own:,} draws", own)
        again = draws and score.again is not None
        result.intervals[name] = intervals(score, own, LEVEL, seed, track, share) if again else {}
        if again and own < draws:
            score.protocol["draws"] = own
    if any(name not in OF_DISTANCE for name in names):
        result.warnings.extend(warnings(truth, predicted, **conventions(truth)))
    return result


def draws_of(name: str, draws: int) -> int:
    """Return how many draws a metric's intervals take: a quarter where its numbers are many, not below FEWEST.

    >>> [draws_of("ap_by_keypoint", draws) for draws in (100, 1_000, 2_000, 10_000)], draws_of("oks_ap", 2_000)
    ([100, 500, 500, 2500], 2000)
    """
    return min(draws, max(FEWEST, draws // 4)) if name in QUARTERED else draws


def groups_of(scenes: Sequence[Scene]) -> list[object] | None:
    """(S,) the group of every scene, each its own where it tells none; None where none does."""
    told = [scene.group for scene in pictures_of(scenes)]
    if all(group is None for group in told):
        return None
    return [(place,) if group is None else group for place, group in enumerate(told)]


def units_of(results: Sequence[Result]) -> str:
    """Say what intervals are drawn from: pictures, or groups of pictures where the truth tells any."""
    told = (score.protocol for result in results for score in result.scores.values())
    return next((f"{said['scenes']:,} groups of pictures" for said in told if said.get("drawn") == GROUPS), "pictures")


def _sigmas(skeleton: Skeleton) -> str:
    return ", ".join(
        f"{name} {sigma:g}" for name, sigma in zip(skeleton.keypoints, oks_sigmas(skeleton)[0], strict=True)
    )


def ask(metric: Callable[..., T], predicted: Sequence[Scene], truth: Sequence[Scene]) -> T:
    """Ask a metric, with what the truth's data set does otherwise."""
    known = signature(metric).parameters
    rules = {key: value for key, value in conventions(truth).items() if key in known or "rules" in known}
    return metric(predicted, truth, **rules)


def write_scores(
    path: Path,
    truth: str,
    results: Sequence[Result],
    compared: dict[str, dict[str, Difference]],
    draws: int = 10_000,
    seed: int = 0,
    drawn: str = "",
) -> None:
    """Write numbers with their intervals, protocols, warnings and versions as JSON; what has no data is null."""
    drawn = drawn or f"{units_of(results)}, with replacement"
    about = {
        "truth": truth,
        "intervals": {"level": LEVEL, "draws": draws, "seed": seed, "drawn": drawn},
        "files": [_file(result) for result in results],
        "versions": versions(),
    }
    if compared:
        about["second_minus_first"] = {
            name: {number: _plain(found._asdict()) for number, found in numbers.items()}
            for name, numbers in compared.items()
        }
    write_whole(path, json.dumps(about, indent=2).encode())


def _file(result: Result) -> dict[str, Any]:
    metrics = {
        name: {
            "scores": {number: _one(value, result.intervals[name].get(number)) for number, value in score.items()},
            "protocol": score.protocol,
        }
        for name, score in result.scores.items()
    }
    about = {"path": str(result.path), "metrics": metrics, "warnings": result.warnings}
    return about | ({"sha256": sha256_of(result.path)} if result.path.is_file() else {})


def _one(value: float, interval: Interval | None) -> dict[str, float | None]:
    return _plain({"value": math.nan if value == -1 else value} | ({} if interval is None else interval._asdict()))


def _plain(numbers: dict[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else float(value) for name, value in numbers.items()}
