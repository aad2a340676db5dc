"""Scoring files: the metrics that the command line knows by name, asked of anybody's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from posewright.columns import people_of
from posewright.datasets import silhouettes
from posewright.datasets.bodies import BODIES
from posewright.datasets.categories import checked_sigmas
from posewright.datasets.documents import read_json
from posewright.datasets.predictions import read_predictions
from posewright.datasets.records import DataError
from posewright.datasets.truth import read_truth
from posewright.metrics import oks_ap, shared_keypoints
from posewright.metrics.customary import CUSTOMARY
from posewright.metrics.score import Protocol
from posewright.metrics.trust.confidence import Difference, compare
from posewright.metrics.trust.plausibility import only_shares
from posewright.metrics.trust.validity import PUBLISHED
from posewright.pieces import Share
from posewright.report.results import LEVEL, NAMES, Result, Show, measure, silent
from posewright.scene import HIDDEN, Scene
from posewright.skeleton import Skeleton


def score(
    predictions: Path | str,
    truth: str | Path,
    *,
    metric: str | None = None,
    skeleton: str | None = None,
    sigmas: str | None = None,
    only_predicted: bool = False,
    split: str = "val",
    draws: int = 2_000,
    seed: int = 0,
    show: Show = silent,
) -> Result:
    """Score anybody's predictions: numbers with intervals, protocol and warnings.

    predictions: a file or folder in any of the forms of docs/predictions.md; truth: what a reader reads, as
    "crowdpose:DIR" where unclear. metric: names with commas between, None what the data set is scored by. skeleton: the
    name of what the predicted keypoints are, where their file does not say. sigmas: one number for all keypoints, or a
    JSON file. only_predicted: leave out pictures without any prediction. draws: resamples of the pictures. Raises
    DataError for a file that cannot be read, ValueError for a name that there is not or where nobody is labelled.

    >>> result = score("predictions.json", "annotations.json", metric="oks_ap")  # doctest: +SKIP
    >>> result.scores["oks_ap"]["AP"], result.intervals["oks_ap"]["AP"]  # doctest: +SKIP
    """
    own = skeleton_by(skeleton)
    known = with_sigmas(truth_of(str(truth), split, own, asks_masks(metric)), sigmas)
    return score_file(
        Path(predictions), known, chosen(metric, known), draws, seed, show, own, only_predicted=only_predicted
    )


def chosen(names: str | None, truth: Sequence[Scene]) -> list[str]:
    """Return the metrics that are named, with commas between; None is what the truth's data set is scored by.

    That is the customary one, and with an AP also AP by visibility, where the truth tells it, by keypoint, and by
    other sigmas where these are a guess.
    Raises ValueError for a name of no metric.
    """
    if names is not None:
        given = [name.strip() for name in names.split(",") if name.strip()]
        strange = [name for name in given if name not in NAMES]
        if strange or not given:
            raise ValueError(f"no metric {', '.join(strange) or repr(names)}; there are {', '.join(NAMES)}")
        return list(dict.fromkeys(given))
    customary = CUSTOMARY.get(truth[0].skeleton.name, oks_ap).__name__
    if not customary.endswith("_ap"):
        return [customary]
    visible = people_of(truth, len(truth[0].skeleton)).visible
    hidden = (
        any((p.visible == HIDDEN).any() for scene in truth for p in scene.people if p.visible is not None)
        if visible is None
        else (visible == HIDDEN).any()
    )
    guessed = truth[0].skeleton.sigmas_source not in PUBLISHED
    return [
        customary,
        *(["ap_by_visibility"] if hidden else []),
        "ap_by_keypoint",
        *(["sigma_band"] if guessed else []),
    ]


def asks_masks(names: str | None) -> bool:
    """Tell whether one of the metrics that are named, with commas between, needs masks."""
    return "mask_iou" in [name.strip() for name in (names or "").split(",")]


def truth_of(
    spec: str, split: str = "val", unnamed: Skeleton | None = None, masks: bool = False
) -> Sequence[Scene]:  # fmt: skip
    """Read truth to score by; raises ValueError where nobody is labelled.

    unnamed: what the keypoints are where the file does not name them. masks: people with their masks, which suffice.
    """
    if masks:
        return silhouettes.read_truth(spec, split)
    truth = read_truth(spec, split, unnamed=unnamed)
    if not truth or not np.isfinite(people_of(truth, len(truth[0].skeleton)).keypoints).all(-1).any():
        raise ValueError(f"{spec}: nobody is labelled, so there is nothing to score")
    return truth


def skeleton_by(name: str | None) -> Skeleton | None:
    """Return a skeleton by its name, None for none; raises ValueError that lists the names there are."""
    if name is None:
        return None
    found = next((skeleton for skeleton in BODIES if skeleton.name == name), None)
    if found is None:
        raise ValueError(f"no skeleton {name!r}; there are {', '.join(skeleton.name for skeleton in BODIES)}")
    return found


def predictions_of(
    path: Path,
    truth: Sequence[Scene],
    skeleton: Skeleton | None = None,
    only_predicted: bool | Sequence[int] = False,
) -> tuple[Sequence[Scene], Sequence[Scene], Protocol]:
    """Read predictions, and return them and the truth in the keypoints that both have, with what is said of that.

    only_predicted: only pictures with a prediction, or those at these places. Raises ValueError where there is none.
    """
    predicted = read_predictions(path, truth, skeleton)
    _refuse_shares(path, predicted, truth)
    told: Protocol = {}
    if only_predicted is not False:
        if only_predicted is True:
            places = np.unique(people_of(predicted, len(predicted[0].skeleton)).scene).tolist()
            which = "those without any prediction"
        else:
            places, which = list(only_predicted), "all but those that every file predicts"
        if not places:
            raise ValueError(f"{path}: predicts nobody, so with --only-predicted there is nothing to score")
        told = {"pictures_left_out": f"{len(truth) - len(places)} of {len(truth)}, {which}"}
        predicted, truth = [predicted[p] for p in places], [truth[p] for p in places]
    predicted, truth, shared = shared_keypoints(predicted, truth)
    return predicted, truth, told | shared


def predicted_by_all(paths: Sequence[Path], truth: Sequence[Scene], skeleton: Skeleton | None = None) -> list[int]:
    """Return the places of the pictures in which every file predicts somebody, so that all are judged on the same.

    Raises ValueError where there is none.
    """
    places = np.arange(len(truth))
    for path in paths:
        predicted = read_predictions(path, truth, skeleton)
        places = np.intersect1d(places, people_of(predicted, len(predicted[0].skeleton)).scene)
    if not len(places):
        raise ValueError(f"no picture is predicted by all of {', '.join(map(str, paths))}")
    return places.tolist()


def _refuse_shares(path: Path, predicted: Sequence[Scene], truth: Sequence[Scene]) -> None:
    """Raise DataError where the coordinates of one side are shares of the picture and those of the other pixels."""
    xy = [people_of(scenes, len(scenes[0].skeleton)).keypoints for scenes in (predicted, truth)]
    found, true = map(only_shares, xy)
    if found != true and np.isfinite(xy[0]).any():
        whose = f"{path}: all coordinates" if found else f"{path}: all coordinates of its truth"
        raise DataError(f"{whose} lie within 1, so they are no pixels; multiply them by the picture's width and height")


def with_sigmas(truth: Sequence[Scene], given: str | None) -> Sequence[Scene]:
    """Return the truth with other sigmas: one number for all keypoints, or a JSON file of a list or of names.

    None keeps those that the data have. Raises ValueError, DataError for what is no sigma of these keypoints.
    """
    if given is None:
        return truth
    own = truth[0].skeleton
    sigmas = sigmas_of(given, own.keypoints)
    told = replace(own, sigmas=sigmas, sigmas_source=f"given, {given}")
    return [replace(scene, skeleton=told) for scene in truth]


def sigmas_of(given: str, names: Sequence[str]) -> tuple[float, ...]:
    """Return a sigma for each of these keypoints, from a number or a JSON file; errors as of `with_sigmas`."""
    try:
        values: Any = [float(given)] * len(names)
        where = "--sigmas"
    except ValueError:
        values, where = read_json(Path(given)), given
    if isinstance(values, dict):
        lack = [name for name in names if name not in values]
        if lack:
            raise DataError(f"{where}: no sigma for {', '.join(lack)}")
        values = [values[name] for name in names]
    if not isinstance(values, list) or len(values) != len(names):
        raise DataError(f"{where}: must be {len(names)} sigmas, in a list or by the keypoints' names")
    return checked_sigmas(values, names, where)


def score_file(
    path: Path,
    truth: Sequence[Scene],
    names: Sequence[str],
    draws: int = 10_000,
    seed: int = 0,
    show: Show = silent,
    skeleton: Skeleton | None = None,
    said: Protocol | None = None,
    only_predicted: bool | Sequence[int] = False,
    share: Share = map,
) -> Result:
    """Read a file and score it by metrics of these names, with intervals from `draws` resamples of the pictures.

    skeleton: what the predicted keypoints are, where their file does not say. said: what else the protocol tells.
    only_predicted: leave out pictures without any prediction, or all but those at these places. share: what computes
    the draws, as `pieces.shared` gives it for a cluster.
    """
    show(f"reading {path.name}")
    predicted, truth, shared = predictions_of(path, truth, skeleton, only_predicted)
    if asks_masks(",".join(names)):
        predicted = silhouettes.with_masks(path / "predictions.json" if path.is_dir() else path, predicted)
    return measure(path, predicted, truth, names, draws, seed, show, (said or {}) | shared, share)


def compare_files(
    first: Result, second: Result, draws: int = 10_000, seed: int = 0, show: Show = silent, share: Share = map
) -> dict[str, dict[str, Difference]]:
    """Say by metric and number how much better the second file is than the first, on the same draws of pictures."""
    return {
        name: compare(
            second.scores[name],
            first.scores[name],
            draws,
            LEVEL,
            seed,
            partial(show, f"comparing {name}", draws),
            share,
        )
        for name in first.scores
        if first.scores[name].again is not None
    }
