"""PCP, the percentage of correct parts: a limb is right if its two ends lie within half its length.

Ferrari, Marin-Jimenez and Zisserman, "Progressive search space reduction for human pose estimation", CVPR 2008.
The sentence was read in three ways, and numbers of different ways must not be compared (Pishchulin et al.,
"Articulated people detection and pose estimation", CVPR 2012), so the way stands in the number's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from posewright.metrics.distance.distances import both_sides, found_and_true
from posewright.metrics.distance.pck import Groups, places, shares
from posewright.metrics.oks.matching import Flags
from posewright.metrics.score import Protocol, Score, paired, score_of
from posewright.scene import Floats, Scene
from posewright.skeleton import Skeleton

PcpRule = Literal["strict", "loose", "average"]
End = str | Sequence[str]
"""A keypoint, or several whose middle is meant."""
Sticks = Mapping[str, tuple[End, End]]

_JOINTS = {"upper_arm": ("shoulder", "elbow"), "lower_arm": ("elbow", "wrist"),
           "upper_leg": ("hip", "knee"), "lower_leg": ("knee", "ankle")}  # fmt: skip
_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
STICKS: Sticks = {
    **{f"{side}_{part}": (f"{side}_{a}", f"{side}_{b}") for part, (a, b) in _JOINTS.items()
       for side in ("left", "right")},
    "head": ("neck", "head_top"),
    "torso": (_SHOULDERS, _HIPS),
}  # fmt: skip
"""The ten of LSP's tables; a skeleton's limbs would not do, for they also join ears, and shoulders to hips."""


def pcp(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    rule: PcpRule = "strict",
    sticks: Sticks | None = None,
    threshold: float = 0.5,
) -> Score:
    """Score single people by the share of sticks whose ends are right, L being the true stick's length.

    - strict: each predicted end is within `threshold` L (<=) of its own true end.
    - loose, as the authors' program computes it: the predicted ends change places if the first is nearer to the
      true second; both residuals are turned onto the true stick; the mean of the two lengths along it and the mean
      of the two across it are both below (<) `threshold` L.
    - average (VoxelPose and others on Campus and Shelf): the mean of the two ends' distances is within (<=).

    "PCP_strict@0.5" pools all sticks, "PCP_strict@0.5/left_upper_arm" is one, "PCP_strict@0.5/upper_arm" the mean of
    both sides. In [0, 1]; NaN where there is no stick, and a stick that is nowhere labelled has no value. A true
    stick without one of its ends is left out, and the protocol counts it; one of length 0 is never right, but by the
    average where it is met exactly. A stick that is not predicted whole is wrong.

    sticks: ends by the stick's name, None for those of `STICKS` that the skeleton has. Predictions as in `pck`.
    Raises ValueError where scenes do not pair, a true scene does not hold one person, or there is no such rule,
    stick or keypoint.
    """
    skeleton = paired(predicted, truth)
    if rule not in get_args(PcpRule):
        raise ValueError(f"rule must be 'strict', 'loose' or 'average', not {rule!r}")
    chosen = sticks_of(skeleton) if sticks is None else sticks
    if not chosen:
        raise ValueError(f"{skeleton.name} has no stick of {', '.join(STICKS)}; give sticks")
    found, true = (_ends(keypoints, chosen, skeleton) for keypoints in found_and_true(predicted, truth))
    asked = np.asarray(np.isfinite(true).all((-1, -2)))
    right = correct(found, true, rule, threshold) & asked
    names, name = [*chosen], f"PCP_{rule}@{threshold:g}"
    groups: Groups = {
        **{f"/{stick}": (stick,) for stick in names},
        **{f"/{both}": pair for both, pair in both_sides(names).items()},
    }
    pooled, means = places({"": names}, names, asked), places(groups, names, asked)

    def again(weights: Floats) -> dict[str, Floats]:
        numbers = shares(weights, right, asked, pooled, means)
        return {f"{name}{group}": value for group, value in numbers.items()}

    protocol: Protocol = {
        "metric": "PCP",
        "rule": rule,
        "threshold": threshold,
        "sticks_counted": ", ".join(names),
        "scenes": len(truth),
        "people": int(asked.any(1).sum()),
        "people_not_predicted": sum(not scene.people for scene in predicted),
        "sticks": int(asked.sum()),
        "sticks_not_labelled": int((~asked).sum()),
    }
    return score_of(again, len(truth), protocol)


def sticks_of(skeleton: Skeleton) -> Sticks:
    """Return those of `STICKS` whose keypoints a skeleton has."""
    known = set(skeleton.keypoints)
    return {name: ends for name, ends in STICKS.items() if all(known.issuperset(_names(end)) for end in ends)}


def correct(predicted: Floats, truth: Floats, rule: PcpRule = "strict", threshold: float = 0.5) -> Flags:
    """Say which sticks (...) are right, from ends (..., 2, 2): the two ends, then x and y; NaN is wrong.

    >>> stick = np.array([[0.0, 0.0], [10.0, 0.0]])
    >>> [bool(correct(stick + [0.0, 6.0], stick, rule)) for rule in ("strict", "loose", "average")]
    [False, False, False]
    >>> [bool(correct(stick[::-1], stick, rule)) for rule in ("strict", "loose", "average")]
    [False, True, False]
    """
    length = _norm(truth[..., 1, :] - truth[..., 0, :])
    if rule == "loose":
        along, across = _residuals(predicted, truth, length)
        return np.asarray((along < threshold * length) & (across < threshold * length))
    away = _norm(predicted - truth)
    if rule == "average":
        return np.asarray(away.mean(-1) <= threshold * length)
    usable = np.where(length > 0, length, np.nan)[..., None]
    return np.asarray((away / usable <= threshold).all(-1))


def _residuals(predicted: Floats, truth: Floats, length: Floats) -> tuple[Floats, Floats]:
    """Return the mean length (...) along and across the true stick, of the two ends' errors; NaN for no stick."""
    to_first, to_second = (((predicted[..., 0, :] - truth[..., i, :]) ** 2).sum(-1) for i in (0, 1))
    turned = (to_second < to_first)[..., None, None]
    error = np.where(turned, predicted[..., ::-1, :], predicted) - truth
    usable = np.where(length > 0, length, np.nan)[..., None]
    x, y = np.moveaxis((truth[..., 1, :] - truth[..., 0, :]) / usable, -1, 0)
    along = error[..., 0] * x[..., None] + error[..., 1] * y[..., None]
    across = error[..., 1] * x[..., None] - error[..., 0] * y[..., None]
    return np.asarray(np.abs(along).mean(-1)), np.asarray(np.abs(across).mean(-1))


def _ends(keypoints: Floats, sticks: Sticks, skeleton: Skeleton) -> Floats:
    """Return the ends (S, L, 2, 2) of sticks from keypoints (S, K, 2); NaN where one of the keypoints is absent."""
    rows = [
        [keypoints[:, [_place(skeleton, name, stick) for name in _names(end)]].mean(1) for end in ends]
        for stick, ends in sticks.items()
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _names(end: End) -> Sequence[str]:
    return (end,) if isinstance(end, str) else end


def _place(skeleton: Skeleton, name: str, stick: str) -> int:
    if name not in skeleton.keypoints:
        raise ValueError(f"stick {stick}: {skeleton.name} has no {name}; it has {', '.join(skeleton.keypoints)}")
    return skeleton.index(name)


def _norm(vectors: Floats) -> Floats:
    return np.asarray(np.hypot(vectors[..., 0], vectors[..., 1]))
