"""NME, EPE and AUC as MMPose computes them: how far keypoints are, averaged, and how many are near, over thresholds.

open-mmlab/mmpose, `mmpose/evaluation/functional/keypoint_eval.py`; its PCK is `pck(..., rule="<")`, its accuracy
"PCK@0.2/mean_of_keypoints". It rounds distances to float32, which decides where keypoints of whole pixels are just
on a threshold: so does `auc`. Departures: `nme` and `epe` do not, so they agree to 1e-6; nor does `pck`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.distance.distances import Measured, Normaliser, mean_of_known, measured
from posewright.metrics.score import Protocol, Score, score_of, share
from posewright.scene import Floats, Scene


def nme(predicted: Sequence[Scene], truth: Sequence[Scene], normalise: Normaliser | ArrayLike = "box") -> Score:
    """Score single people by the normalised mean error: the mean distance in units of a length of each person.

    "NME" is over all labelled keypoints, "NME/left_knee" over one. From 0, small is good; NaN where nothing is left.
    A keypoint that is not predicted has no distance: it is left out, which flatters, and the protocol counts it.
    normalise: as in `pck`; also which people are left out, and errors.
    """
    return _mean_error("NME", measured(predicted, truth, normalise))


def epe(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Score:
    """Score single people by the end point error: the mean distance in px.

    "EPE" is over all labelled keypoints, "EPE/left_knee" over one; otherwise as `nme`.
    """
    return _mean_error("EPE", measured(predicted, truth, 1.0))


def auc(
    predicted: Sequence[Scene], truth: Sequence[Scene], normalise: Normaliser | ArrayLike = 30.0, steps: int = 20
) -> Score:
    """Score single people by the area under their PCK over thresholds below a length, by default 30 px.

        AUC = 1 / steps  sum over i = 0 .. steps - 1  of  PCK at a distance < i / steps

    which is a sum from the left that counts threshold 0, where nothing is near: a perfect answer has 1 - 1 / steps.
    "AUC" is the mean over keypoints, "AUC/left_knee" one of them. A keypoint that is not predicted is a miss.
    `pck` with several thresholds has the trapezoid rule of others. normalise and errors: as in `pck`.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    found = measured(predicted, truth, normalise)
    away = found.away.astype(np.float32)
    near = np.mean([away < np.float32(i / steps) for i in range(steps)], axis=0)
    names = found.skeleton.keypoints

    def again(weights: Floats) -> dict[str, Floats]:
        each = share(weights, near, found.asked)
        return {"AUC": mean_of_known(each), **_by_name("AUC", each, names, found)}

    protocol: Protocol = {
        "metric": "AUC",
        "thresholds": f"{steps} from 0 to {(steps - 1) / steps:g}, their plain mean",
        "rule": "distance < threshold",
        "headline": "mean of keypoints",
        **found.protocol,
        "keypoints": int(found.asked.sum()),
    }
    return score_of(again, len(found.asked), protocol)


def _mean_error(name: str, found: Measured) -> Score:
    there = np.isfinite(found.away) & found.asked
    away = np.where(there, found.away, 0.0)

    def again(weights: Floats) -> dict[str, Floats]:
        each = share(weights, away, there)
        pooled = share(weights, away.sum(1), there.sum(1))
        return {name: pooled, **_by_name(name, each, found.skeleton.keypoints, found)}

    protocol: Protocol = {
        "metric": name,
        "headline": "mean over all keypoints of all people",
        **found.protocol,
        "keypoints": int(there.sum()),
        "keypoints_not_predicted": int((found.asked & ~there).sum()),
    }
    return score_of(again, len(away), protocol)


def _by_name(name: str, each: Floats, keypoints: Sequence[str], found: Measured) -> dict[str, Floats]:
    """Name the numbers (B, K) of the keypoints, without those that are labelled nowhere."""
    return {f"{name}/{k}": each[:, i] for i, k in enumerate(keypoints) if found.asked[:, i].any()}
