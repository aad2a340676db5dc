"""PCK and PCKh: the share of keypoints that lie near enough to the truth, one person a picture.

PCK: Yang and Ramanan, "Articulated human detection with flexible mixtures of parts", TPAMI 2013; by the torso
as in the evaluation of LSP and FLIC. PCKh: Andriluka et al., "2D human pose estimation", CVPR 2014 (MPII).
Every labelled keypoint counts, hidden ones too; a keypoint that is not predicted is a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.distance.distances import Measured, Normaliser, both_sides, mean_of_known, measured
from posewright.metrics.oks.matching import Flags
from posewright.metrics.score import Protocol, Score, score_of, share
from posewright.scene import Floats, Scene
from posewright.skeleton import Skeleton

NOT_OF_PCKH = frozenset({"pelvis", "thorax"})
"""Keypoints that MPII's evaluation leaves out of every mean."""
UPPER_BODY = tuple(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist") for side in ("left", "right"))
"""What MPII's tool kit pools as the upper body."""

Rule = Literal["<=", "<"]
"""Whether a keypoint on the threshold itself is near."""
Thresholds = float | Sequence[float]
MEAN = "/mean_of_keypoints"
Groups = Mapping[str, Sequence[str]]
"""Names of keypoints, by what their number is called."""


def pck(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    threshold: Thresholds = 0.2,
    normalise: Normaliser | ArrayLike = "torso",
    rule: Rule = "<=",
) -> Score:
    """Score single people by the share of labelled keypoints within `threshold` of their size.

    Every true scene holds one person; of several predicted ones that with the best score counts, and of none
    all keypoints are misses. "PCK@0.2" pools all keypoints of all people and is the number that papers report
    for LSP and FLIC; "PCK@0.2/mean_of_keypoints", MMPose's with the rule "<", is the plain mean of the values
    that "PCK@0.2/left_knee" and the like give; "PCK@0.2/knee" is the mean of left and right, as tables print.
    In [0, 1]; NaN where no keypoint is left to score, and a keypoint that is labelled nowhere has no value.

    threshold: of several, ascending, every number is given at each, and "PCK_AUC" alike: the area under the
    curve by the trapezoid rule, thresholds rescaled to 0..1. normalise: "torso" is the distance of the true
    left shoulder and right hip (LSP, FLIC); "box" the longer side of the true box; "head" as in PCKh; "image"
    the longer side of the picture, a choice, for others take its diagonal; or px, a number or one a scene.
    People without that length are left out, and the protocol counts them.
    Raises ValueError where scenes do not pair, a true scene does not hold one person, there is no torso, or
    thresholds do not ascend.
    """
    found = measured(predicted, truth, normalise)
    return near_score("PCK", found, threshold, rule, {"": found.skeleton.keypoints}, means_of(found.skeleton))


def pckh(
    predicted: Sequence[Scene], truth: Sequence[Scene], threshold: Thresholds = 0.5, rule: Rule = "<="
) -> Score:  # fmt: skip
    """Score single people by the share of labelled keypoints within `threshold` of their head's size.

    The head's size is 0.6 of the diagonal of the true head box; people without one are left out, and the
    protocol counts them. The published evaluators measure alike and count differently:

    - MPII's tool kit and HRNet: "PCKh@0.5", which pools all keypoints but pelvis and thorax; the former's upper
      body is "PCKh@0.5/upper_body", shoulders, elbows and wrists pooled (`Skeleton.parts` has another).
    - bearpaw/pytorch-pose: "PCKh@0.5/mean_of_keypoints", the plain mean over the same keypoints, with the rule "<".
    - Tables of all three: "PCKh@0.5/shoulder" and so on are means of left and right; their head is "head_top".

    HRNet's "Mean@0.1" is a slip: row 11 of thresholds that begin at 0 in steps of 0.01, so `threshold=0.11`.
    Otherwise as `pck`.
    """
    found = measured(predicted, truth, "head")
    inside = [name for name in found.skeleton.keypoints if name not in NOT_OF_PCKH]
    upper = [name for name in UPPER_BODY if name in inside]
    pooled = {"": inside, "/upper_body": upper}
    return near_score("PCKh", found, threshold, rule, pooled, means_of(found.skeleton, inside))


def means_of(skeleton: Skeleton, inside: Sequence[str] | None = None) -> dict[str, Sequence[str]]:
    """Name the means that PCK gives: over all keypoints (or those `inside`), of each alone, of left and right."""
    return {
        MEAN: skeleton.keypoints if inside is None else inside,
        **{f"/{name}": (name,) for name in skeleton.keypoints},
        **{f"/{name}": pair for name, pair in both_sides(skeleton.keypoints).items()},
    }


def near_score(
    name: str, found: Measured, threshold: Thresholds, rule: Rule, pooled: Groups, means: Groups
) -> Score:  # fmt: skip
    """Score by the share of keypoints that are near, at one threshold or along a curve of them.

    pooled: groups whose keypoints are counted together, "" first, which is the headline; means: groups whose
    keypoints' shares are averaged. Both by what follows "PCK@0.2" in the number's name; where nothing of a group
    is labelled, only the headline and the mean of all are given.
    """
    thresholds = _thresholds(threshold)
    if rule not in get_args(Rule):
        raise ValueError(f"rule must be '<=' or '<', not {rule!r}")
    near = [(found.away <= t if rule == "<=" else found.away < t) & found.asked for t in thresholds]
    together, averaged = (places(groups, found.skeleton.keypoints, found.asked) for groups in (pooled, means))
    area = _trapezoid(thresholds) if len(thresholds) > 1 else None

    def again(weights: Floats) -> dict[str, Floats]:
        rows = [shares(weights, hits, found.asked, together, averaged) for hits in near]
        pairs = zip(thresholds, rows, strict=True)
        numbers = {f"{name}@{t:g}{group}": value for t, row in pairs for group, value in row.items()}
        if area is not None:
            numbers |= {f"{name}_AUC{group}": area @ np.stack([row[group] for row in rows]) for group in rows[0]}
        return numbers

    left_out = sorted(set(found.skeleton.keypoints) - set(pooled[""]))
    protocol: Protocol = {
        "metric": name,
        "threshold": thresholds[0],
        "rule": f"distance {rule} threshold",
        "headline": "pooled over keypoints" + (f", without {', '.join(left_out)}" if left_out else ""),
        **found.protocol,
        "keypoints": int(found.asked[:, together[""]].sum()),
    }
    if area is not None:
        protocol["threshold"] = f"{len(thresholds)} from {thresholds[0]:g} to {thresholds[-1]:g}"
        protocol["area_under_curve"] = "trapezoid rule, thresholds rescaled to 0..1"
    return score_of(again, len(found.asked), protocol)


def shares(
    weights: Floats, near: Flags, asked: Flags, pooled: Mapping[str, list[int]], means: Mapping[str, list[int]]
) -> dict[str, Floats]:
    """Return (B,) numbers by group under weights (B, S); near, asked (S, K), near only where asked.

    pooled, means: the places (of K) of groups that are counted together, and of groups whose shares are averaged.
    """
    each = share(weights, near, asked)
    return {
        **{group: share(weights, near[:, k].sum(1), asked[:, k].sum(1)) for group, k in pooled.items()},
        **{group: mean_of_known(each[:, k]) for group, k in means.items()},
    }


def places(groups: Groups, names: Sequence[str], asked: Flags) -> dict[str, list[int]]:
    """Return the places of each group's members among `names`, without groups of which nothing is asked (S, K)."""
    found = {group: [names.index(name) for name in members] for group, members in groups.items()}
    return {group: k for group, k in found.items() if group in ("", MEAN) or asked[:, k].any()}


def _thresholds(threshold: Thresholds) -> list[float]:
    given = np.atleast_1d(np.asarray(threshold, np.float64))
    if given.ndim != 1 or not given.size or not np.isfinite(given).all() or (given < 0).any():
        raise ValueError(f"threshold must be a number from 0, or several, not {threshold!r}")
    if (np.diff(given) <= 0).any():
        raise ValueError("several thresholds must ascend")
    return given.tolist()


def _trapezoid(thresholds: Sequence[float]) -> Floats:
    """Return what every value of a curve weighs in the area under it, with the thresholds rescaled to 0..1."""
    steps = np.diff(thresholds)
    return np.asarray((np.append(steps, 0) + np.append(0, steps)) / 2 / steps.sum())
