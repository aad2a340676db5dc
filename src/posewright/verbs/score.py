"""Scoring files: the metrics that the command line knows by name, asked of anybody's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from posewright.datasets.bodies import BODIES
from posewright.datasets.predictions import read_predictions
from posewright.datasets.truth import read_truth
from posewright.metrics import shared_keypoints
from posewright.metrics.score import Protocol
from posewright.metrics.trust.confidence import Difference, compare
from posewright.metrics.trust.validity import PUBLISHED
from posewright.report.results import LEVEL, NAMES, Result, Show, measure, silent
from posewright.scene import HIDDEN, Scene
from posewright.skeleton import Skeleton

CUSTOMARY = {"lsp": "pck", "flic": "pck", "mpii": "pckh", "crowdpose": "crowdpose_ap", "aic": "aic_map"}
"""What the data set of a skeleton is scored by; all others by oks_ap."""


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
    customary = CUSTOMARY.get(truth[0].skeleton.name, "oks_ap")
    if not customary.endswith("_ap"):
        return [customary]
    hidden = any((p.visible == HIDDEN).any() for scene in truth for p in scene.people if p.visible is not None)
    guessed = truth[0].skeleton.sigmas_source not in PUBLISHED
    return [
        customary,
        *(["ap_by_visibility"] if hidden else []),
        "ap_by_keypoint",
        *(["sigma_band"] if guessed else []),
    ]


def truth_of(spec: str, split: str = "val", unnamed: Skeleton | None = None) -> Sequence[Scene]:
    """Read truth to score by; raises ValueError where nobody is labelled.

    unnamed: what the keypoints are where the file does not name them.
    """
    truth = read_truth(spec, split, unnamed=unnamed)
    if not any(person.labelled.any() for scene in truth for person in scene.people):
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
    path: Path, truth: Sequence[Scene], skeleton: Skeleton | None = None
) -> tuple[Sequence[Scene], Sequence[Scene], Protocol]:
    """Read predictions, and return them and the truth in the keypoints that both have, with what is said of that."""
    return shared_keypoints(read_predictions(path, truth, skeleton), truth)


def score_file(
    path: Path,
    truth: Sequence[Scene],
    names: Sequence[str],
    draws: int = 10_000,
    seed: int = 0,
    show: Show = silent,
    skeleton: Skeleton | None = None,
) -> Result:
    """Read a file and score it by metrics of these names, with intervals from `draws` resamples of the pictures.

    skeleton: what the predicted keypoints are, where their file does not say.
    """
    show(f"reading {path.name}")
    predicted, truth, shared = predictions_of(path, truth, skeleton)
    return measure(path, predicted, truth, names, draws, seed, show, shared)


def compare_files(
    first: Result, second: Result, draws: int = 10_000, seed: int = 0, show: Show = silent
) -> dict[str, dict[str, Difference]]:
    """Say by metric and number how much better the second file is than the first, on the same draws of pictures."""
    return {
        name: compare(
            second.scores[name], first.scores[name], draws, LEVEL, seed, partial(show, f"comparing {name}", draws)
        )
        for name in first.scores
        if first.scores[name].again is not None
    }
