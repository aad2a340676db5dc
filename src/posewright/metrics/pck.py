"""PCK and PCKh: the share of keypoints that lie near enough to the truth, one person a picture.

PCK: Yang and Ramanan, "Articulated human detection with flexible mixtures of parts", TPAMI 2013; by the torso
as in the evaluation of LSP and FLIC. PCKh: Andriluka et al., "2D human pose estimation", CVPR 2014 (MPII).
Every labelled keypoint counts, hidden ones too; a keypoint that is not predicted is a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from posewright.metrics.matching import Flags
from posewright.metrics.score import Protocol, Score, named, paired
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

TORSO = ("left_shoulder", "right_hip")
HEAD_SHARE = 0.6
"""Of the head box's diagonal, what MPII calls the head's size (SC_BIAS in its tool kit)."""
NOT_OF_PCKH = frozenset({"pelvis", "thorax"})
"""Keypoints that MPII's evaluation leaves out of every mean."""

Normaliser = Literal["torso", "box"]


def distances(predicted: Floats, truth: Floats, length: Floats) -> Floats:
    """Return how far predicted keypoints (N, K, 2) are from the true ones, in units of each person's length (N,).

    (N, K); NaN where a keypoint is absent on either side or the length is NaN or 0.

    >>> distances(np.array([[[3.0, 4.0]]]), np.zeros((1, 1, 2)), np.array([10.0]))
    array([[0.5]])
    """
    away = predicted - truth
    usable = np.where(length > 0, length, np.nan)
    return np.asarray(np.sqrt(away[..., 0] ** 2 + away[..., 1] ** 2) / usable[:, None])


def pck(
    predicted: Sequence[Scene], truth: Sequence[Scene], threshold: float = 0.2, normalise: Normaliser = "torso"
) -> Score:
    """Score single people by the share of labelled keypoints within `threshold` (<=) of their size.

    Every true scene holds one person; of several predicted ones that with the best score counts, and of none
    all keypoints are misses. "PCK@0.2" pools all keypoints of all people and is the number that papers
    report; "PCK@0.2/mean_of_keypoints" is the plain mean of the values that "PCK@0.2/left_knee" and the like
    give. In [0, 1]; NaN where no keypoint is left to score, and a keypoint that is labelled nowhere has no
    value.

    normalise: "torso" is the distance of the true left shoulder and right hip (LSP, FLIC); "box" the longer
    side of the true box. People without it are left out, and the protocol counts them.
    Raises ValueError where scenes do not pair, a true scene does not hold one person, or there is no torso.
    """
    skeleton = paired(predicted, truth)
    if normalise == "box":
        return _score("PCK", predicted, truth, threshold, lambda p: _longer_side(p.box), "longer side of the box")
    if normalise != "torso":
        raise ValueError(f"normalise must be 'torso' or 'box', not {normalise!r}")
    missing = [name for name in TORSO if name not in skeleton.keypoints]
    if missing:
        raise ValueError(f"{skeleton.name} has no {' and no '.join(missing)}, so no torso; normalise by the box")
    ends = [skeleton.index(name) for name in TORSO]
    return _score(
        "PCK", predicted, truth, threshold, lambda p: _between(*p.keypoints[ends]), "torso: " + " to ".join(TORSO)
    )


def pckh(predicted: Sequence[Scene], truth: Sequence[Scene], threshold: float = 0.5) -> Score:
    """Score single people by the share of labelled keypoints within `threshold` (<=) of their head's size.

    The head's size is 0.6 of the diagonal of the true head box; people without one are left out, and the
    protocol counts them. "PCKh@0.5" pools all keypoints but pelvis and thorax, as MPII's tool kit and HRNet's
    do; "PCKh@0.5/mean_of_keypoints" is the plain mean over the same keypoints. bearpaw/pytorch-pose prints
    the latter with < for <=. HRNet's "Mean@0.1" is threshold 0.11. Otherwise as `pck`.
    """
    paired(predicted, truth)
    return _score(
        "PCKh", predicted, truth, threshold, lambda p: _head_size(p.head), "0.6 of the head box's diagonal", NOT_OF_PCKH
    )


def _score(
    name: str,
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    threshold: float,
    size: Callable[[Person], float],
    unit: str,
    left_out: frozenset[str] = frozenset(),
) -> Score:
    skeleton = truth[0].skeleton
    people = [_only(place, scene) for place, scene in enumerate(truth)]
    found = np.stack([_best(scene) for scene in predicted])
    true = np.stack([person.keypoints for person in people])
    length = np.array([size(person) for person in people], np.float64)
    usable = length > 0
    near = distances(found, true, length) <= threshold
    asked = np.isfinite(true).all(-1) & usable[:, None]
    values = _shares(f"{name}@{threshold:g}", near, asked, skeleton, left_out)
    protocol: Protocol = {
        "metric": name,
        "threshold": threshold,
        "rule": "distance <= threshold",
        "normalised_by": unit,
        "headline": "pooled over keypoints" + (f", without {', '.join(sorted(left_out))}" if left_out else ""),
        "scenes": len(truth),
        "people": int(usable.sum()),
        "people_without_size": int((~usable).sum()),
        "people_not_predicted": sum(not scene.people for scene in predicted),
        "keypoints": int(asked[:, _chosen(skeleton, left_out)].sum()),
    }
    return Score(values, protocol)


def _shares(name: str, near: Flags, asked: Flags, skeleton: Skeleton, left_out: frozenset[str]) -> dict[str, float]:
    """Return the pooled share, the mean of the keypoints' shares, and the share of each keypoint."""
    hits, counts = (near & asked).sum(0), asked.sum(0)
    each = {k: int(hits[i]) / int(counts[i]) for i, k in enumerate(skeleton.keypoints) if counts[i]}
    chosen = _chosen(skeleton, left_out)
    inside = [value for k, value in each.items() if k not in left_out]
    return {
        name: int(hits[chosen].sum()) / int(counts[chosen].sum()) if inside else float("nan"),
        f"{name}/mean_of_keypoints": float(np.mean(inside)) if inside else float("nan"),
        **{f"{name}/{k}": value for k, value in each.items()},
    }


def _chosen(skeleton: Skeleton, left_out: frozenset[str]) -> list[int]:
    return [i for i, name in enumerate(skeleton.keypoints) if name not in left_out]


def _only(place: int, scene: Scene) -> Person:
    if len(scene.people) != 1:
        raise ValueError(
            f"truth, {named(place, scene)}: holds {len(scene.people)} people; PCK is of one person a scene "
            "(scene.each_person splits scenes)"
        )
    return scene.people[0]


def _best(scene: Scene) -> Floats:
    """Return the keypoints (K, 2) of the person with the best score; all NaN where nobody was found."""
    if not scene.people:
        return np.full((len(scene.skeleton), 2), np.nan)
    return max(scene.people, key=lambda person: -np.inf if person.score is None else person.score).keypoints


def _between(a: Floats, b: Floats) -> float:
    return float(np.hypot(*(a - b)))


def _longer_side(box: Floats | None) -> float:
    return float("nan") if box is None else float(max(box[2] - box[0], box[3] - box[1]))


def _head_size(head: Floats | None) -> float:
    return float("nan") if head is None else HEAD_SHARE * float(np.hypot(head[2] - head[0], head[3] - head[1]))
