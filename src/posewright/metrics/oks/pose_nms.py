"""Parametric pose suppression: people who are found twice are merged into one, by how alike and how sure they are.

Fang et al., "RMPE: Regional multi-person pose estimation", ICCV 2017, section 3.2, with the formulas and numbers of
AlphaPose (MVIG-SJTU/AlphaPose, pPose_nms.py), which differ from the paper's: distances are pixels, not shares of
the box; the second term has no square; a pose goes where the similarity is *above* eta, or where enough keypoints
coincide; and the pose that stays takes the mean of those that go. Found for 17 keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posewright.metrics.oks.matching import Flags
from posewright.scene import Floats, Person

SURE = 1.0
"""sigma_1, the score at which a keypoint's vote saturates (delta1)."""
NEAR = 2.65
"""sigma_2, the distance in px at which two keypoints are a 1/e alike (delta2)."""
BY_DISTANCE = 1.7
"""lambda, what the distances weigh against the votes (mu)."""
SAME_POSE = 22.48
"""eta, the similarity above which two poses are one (gamma)."""
VOTES_WITHIN = 1.0
"""How near, in px, two keypoints must be for their votes to count."""
COINCIDING = 5
"""How many coinciding keypoints make two poses one (matchThreds)."""
SHARE_OF_BOX = 0.1
"""Of the longer side of the box: how near keypoints must be to coincide or to be merged (alpha)."""
COINCIDE_WITHIN, MERGE_WITHIN = 7.0, 15.0
"""The most, in px, that this share may be."""
BEST_KEYPOINT = 0.3
"""A pose none of whose keypoints has this score is dropped (scoreThreds)."""
EXTENT = 1.5
"""How much larger, along each side, than the keypoints' extent a pose is taken to be where small ones are dropped."""
LEAST_SCORE = 1e-5
"""What a score of 0 or below becomes, so that there is always a weight to merge by."""


def pose_nms(people: Sequence[Person], smallest_area: float = 0.0) -> list[Person]:
    """Return the people of one picture without those found twice, whose keypoints are merged into the kept one's.

        similarity = sum over keypoints within 1 px of tanh(c_i) tanh(c_j) + 1.7 sum over keypoints of exp(-d / 2.65)

    Again and again the person with the best mean score of keypoints (of equal ones the first) is kept, and those
    go whose similarity to that person is above 22.48 or who coincide in 5 keypoints. Each keypoint of the kept
    person becomes the mean, weighted by score, of those of the group that are near it, and its score theirs. Box,
    score and all else stay the kept person's. Dropped is who has no keypoint with a score of 0.3, before or
    after, or whose keypoints' extent times 1.5^2 is below `smallest_area` px^2.

    An absent keypoint is near none, has the score 0 and stays absent.
    Raises ValueError where a person has no box or no scores of keypoints.
    """
    if not people:
        return []
    xy, scores, reach = _arrays(people)
    left, found = np.arange(len(people)), []
    while len(left):
        one = left[scores[left].mean(1).argmax()]
        same = (left == one) | is_same_pose(xy[one], scores[one], xy[left], scores[left], reach[one])
        group, left = left[same], left[~same]
        if scores[one].max() >= BEST_KEYPOINT:
            merged, sure = merge(xy[one], xy[group], scores[group], min(reach[one], MERGE_WITHIN))
            if sure.max() >= BEST_KEYPOINT and _area(merged) >= smallest_area:
                found.append(replace(people[one], keypoints=merged, scores=sure))
    return found


def is_same_pose(one: Floats, score: Floats, others: Floats, scores: Floats, reach: float) -> Flags:
    """Tell which of other poses are the same person: one (K, 2) px, score (K,), others (N, K, 2), scores (N, K).

    reach: the share of the box, px, within which keypoints coincide.
    """
    away = _distance(others, one)
    coinciding = (away <= min(reach, COINCIDE_WITHIN)).sum(1)
    return np.asarray((similarity(away, score, scores) > SAME_POSE) | (coinciding >= COINCIDING))


def similarity(away: Floats, score: Floats, scores: Floats) -> Floats:
    """Return how similar poses (N,) are to one: away (N, K) px between keypoints, score (K,), scores (N, K)."""
    votes = np.tanh(score / SURE) * np.tanh(scores / SURE)
    return np.asarray(np.where(away <= VOTES_WITHIN, votes, 0.0).sum(1) + BY_DISTANCE * np.exp(-away / NEAR).sum(1))


def merge(one: Floats, group: Floats, scores: Floats, within: float) -> tuple[Floats, Floats]:
    """Return keypoints (K, 2) and scores (K,): means, weighted by score, of those of a group that are near `one`'s.

    one (K, 2) px; group (N, K, 2), scores (N, K), in which `one` is too; NaN and 0 where it has no keypoint.
    """
    weights = np.where(_distance(group, one) <= within, scores, 0.0)
    total = weights.sum(0)
    present = total > 0
    weights = weights / np.where(present, total, 1.0)
    merged = (np.nan_to_num(group) * weights[..., None]).sum(0)
    return np.where(present[:, None], merged, np.nan), (weights * scores).sum(0)


def _distance(poses: Floats, one: Floats) -> Floats:
    """Return distances (N, K) px of keypoints, infinite where one is absent."""
    away = np.hypot(*np.moveaxis(poses - one, -1, 0))
    return np.where(np.isnan(away), np.inf, away)


def _area(keypoints: Floats) -> float:
    placed = keypoints[np.isfinite(keypoints).all(-1)]
    width, height = placed.max(0) - placed.min(0)
    return float(EXTENT * width * EXTENT * height)


def _arrays(people: Sequence[Person]) -> tuple[Floats, Floats, Floats]:
    """Return keypoints (N, K, 2), scores (N, K) and the share of the box (N,) px of people."""
    for place, person in enumerate(people):
        if person.box is None:
            raise ValueError(f"person {place}: has no box, by whose size poses are compared")
        if person.scores is None or not np.isfinite(person.scores[person.labelled]).all():
            raise ValueError(f"person {place}: has keypoints without a score, by which poses are compared")
        if len(person) != len(people[0]):
            raise ValueError(f"person {place}: has {len(person)} keypoints, person 0 {len(people[0])}")
    xy = np.array([person.keypoints for person in people], np.float64)
    scores = np.array([person.scores for person in people], np.float64)
    present = np.isfinite(xy).all(-1)
    scores = np.where(present, np.maximum(scores, LEAST_SCORE), 0.0)
    box = np.array([person.box for person in people], np.float64)
    return xy, scores, SHARE_OF_BOX * (box[:, 2:] - box[:, :2]).max(1)
