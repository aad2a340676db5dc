"""Scoring poses in space: files of points against a file of true ones, with intervals over sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from posewright.datasets.points import read_poses
from posewright.metrics.score import Score
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.pck3d import pck3d
from posewright.metrics.threed.poses import Poses
from posewright.metrics.threed.pss import Centres, find_centres, pss
from posewright.metrics.threed.sequences import method_of, over_sequences, paired_over_sequences
from posewright.metrics.trust.confidence import Difference
from posewright.report.results import LEVEL, Result, Show, silent
from posewright.skeleton import Skeleton

METRICS3D = ("mpjpe", "pck3d", "pss")


def chosen3d(names: str | None) -> list[str]:
    """Return the metrics that are named, with commas between; None is all of them. Raises ValueError for others."""
    given = list(METRICS3D) if names is None else [name.strip() for name in names.split(",") if name.strip()]
    strange = [name for name in given if name not in METRICS3D]
    if strange or not given:
        raise ValueError(f"no metric of points {', '.join(strange) or repr(names)}; there are {', '.join(METRICS3D)}")
    return list(dict.fromkeys(given))


def centres_in(truth: Poses, path: str | Path, seed: int = 0) -> Centres:
    """Find the centres of the pose structure score in the truth itself, where nobody gave others."""
    return find_centres(truth, seed=seed, made_of=f"{len(truth)} true poses of {Path(path).name}, k-means seed {seed}")


def score_points(
    path: Path,
    truth: Poses,
    names: Sequence[str],
    centres: Centres | None = None,
    draws: int = 2_000,
    seed: int = 0,
    show: Show = silent,
    skeleton: Skeleton | None = None,
) -> Result:
    """Read a file of poses and score it by metrics of these names; `pss` needs centres."""
    show(f"reading {path.name}")
    predicted = read_poses(path, skeleton)
    result = Result(path, {}, {}, [], {})
    for name in names:
        show(name)
        result.scores[name] = score = _metric(name, centres)(predicted, truth)
        score.protocol["intervals"] = method_of(score)
        track = partial(show, f"{name}, {draws:,} draws", draws)
        result.intervals[name] = over_sequences(score, draws, LEVEL, seed, track) if draws else {}
    return result


def compare_points(
    first: Result, second: Result, draws: int = 2_000, seed: int = 0
) -> dict[str, dict[str, Difference]]:
    """Say by metric and number how much larger the second file's is than the first's, sequence by sequence."""
    return {
        name: paired_over_sequences(second.scores[name], first.scores[name], draws, LEVEL, seed)
        for name in first.scores
    }


def _metric(name: str, centres: Centres | None) -> Callable[[Poses, Poses], Score]:
    if name != "pss":
        return {"mpjpe": mpjpe, "pck3d": pck3d}[name]
    if centres is None:
        raise ValueError("the pose structure score needs centres")
    return partial(pss, centres=centres)
