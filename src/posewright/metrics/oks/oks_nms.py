"""Suppression of people who are found twice, by their object keypoint similarity to each other.

Greedy: Papandreou et al., "Towards accurate multi-person pose estimation in the wild", CVPR 2017. Soft: the
scores of look-alikes sink instead, after Bodla et al., "Soft-NMS", ICCV 2017. Both with the numbers and in the
order of HRNet's evaluation (leoxiaobin/deep-high-resolution-net.pytorch), which follows Simple Baselines'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.oks.matching import Flags
from posewright.metrics.oks.similarity import oks
from posewright.scene import Floats, Person

THRESHOLD = 0.9
"""OKS above which the person with the lower score is taken for the other one; HRNet's oks_thre."""
COUNTED_ABOVE = 0.2
"""Score above which a keypoint counts for its person's; HRNet's in_vis_thre."""
KEPT = 20
"""How many people the soft form keeps of a picture."""


def rescored(people: Sequence[Person], counted_above: float = COUNTED_ABOVE) -> list[Person]:
    """Return people whose score is that of the box times the mean of the keypoints' scores above a threshold.

    A person without such a keypoint gets 0. `score` is that of the detected box, `scores` those of the keypoints.
    HRNet ranks people so, before any suppression. Raises ValueError where one of the two is missing.
    """
    found = []
    for place, (person, score) in enumerate(zip(people, _checked(people), strict=True)):
        if person.scores is None:
            raise ValueError(f"person {place}: has no scores of keypoints to rescore by")
        counted = person.scores[person.scores > counted_above]
        mean = float(counted.mean()) if len(counted) else 0.0
        found.append(replace(person, score=float(score) * mean))
    return found


def oks_nms(
    people: Sequence[Person], sigmas: ArrayLike, threshold: float = THRESHOLD, counted_above: float | None = None
) -> list[Person]:
    """Return the people of one picture who resemble nobody with a better score, best first.

    Again and again the person with the best score (of equal ones the first listed) is kept, and everyone goes
    whose similarity to that person is above `threshold`. The similarity is OKS with the mean of the two areas:

        OKS = mean over keypoints of exp(-d^2 / (2 sigma)^2 / ((a + b) / 2 + eps) / 2)

    Keypoints count that at least one of the two has; one that only one has is as far away as can be, so that a
    fragment suppresses nobody. counted_above: only keypoints count whose score, in the person who may go, is
    above it. (HRNet means both people's; its `and` of two lists takes the second's, and nobody's published number
    uses it.)

    An area is the person's, else the box's; HRNet passes that of the padded crop. sigmas (K,) are the skeleton's.
    Raises ValueError where a person has no score, neither area nor box, or not K keypoints, and where the threshold
    is not in (0, 1].
    """
    scales, score = _sigmas(people, sigmas, threshold), _checked(people)
    left, kept = np.argsort(-score, kind="stable"), []
    while len(left):
        kept.append(left[0])
        alike = similarity_to(people[left[0]], [people[i] for i in left[1:]], scales, counted_above)
        left = left[1:][alike <= threshold]
    return [people[i] for i in kept]


def soft_oks_nms(
    people: Sequence[Person],
    sigmas: ArrayLike,
    threshold: float = THRESHOLD,
    kept: int = KEPT,
    counted_above: float | None = None,
) -> list[Person]:
    """Return at most `kept` people of one picture, in an order that puts look-alikes of better ones later.

    Each time that a person is taken, every score that is left sinks by exp(-OKS^2 / threshold), and the best
    then (of equal ones that which stood higher before) is next. As in HRNet, the sunken scores decide who is taken
    and in which order and are then forgotten: people keep the score that they came with. Otherwise as `oks_nms`.
    """
    scales, score = _sigmas(people, sigmas, threshold), _checked(people)
    left = np.argsort(-score, kind="stable")
    taken: list[Person] = []
    while len(left) and len(taken) < kept:
        best, left = left[0], left[1:]
        taken.append(people[best])
        alike = similarity_to(people[best], [people[i] for i in left], scales, counted_above)
        score[left] *= np.exp(-(alike**2) / threshold)
        left = left[np.argsort(-score[left], kind="stable")]
    return taken


def similarity_to(
    one: Person, others: Sequence[Person], sigmas: Floats, counted_above: float | None = None
) -> Floats:  # fmt: skip
    """Return the similarity (N,) of one person with others, 0 where no keypoint counts; see `oks_nms`."""
    if not others:
        return np.zeros(0)
    theirs = np.array([person.keypoints for person in others], np.float64)
    counted = np.stack([one.labelled | person.labelled for person in others])
    if counted_above is not None:
        counted &= np.stack([_sure(person, counted_above) for person in others])
    area = (_area(one) + np.array([_area(person) for person in others])) / 2
    alike = oks(theirs, counted, area, np.zeros((len(others), 4)), one.keypoints[None], sigmas)[0]
    return np.where(counted.any(1), alike, 0.0)


def _sure(person: Person, above: float) -> Flags:
    if person.scores is None:
        raise ValueError("a person has no scores of keypoints, by which counted_above chooses")
    return np.asarray(person.scores > above)


def _area(person: Person) -> float:
    if person.area is not None:
        return person.area
    return float(np.prod(person.box[2:] - person.box[:2])) if person.box is not None else float("nan")


def _checked(people: Sequence[Person]) -> Floats:
    """Return the scores (N,) of people."""
    for place, person in enumerate(people):
        if person.score is None or not np.isfinite(person.score):
            raise ValueError(f"person {place}: score is {person.score}; suppression ranks by it")
    return np.array([person.score for person in people], np.float64)


def _sigmas(people: Sequence[Person], sigmas: ArrayLike, threshold: float) -> Floats:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an OKS, above 0 and at most 1, not {threshold}")
    scales = np.asarray(sigmas, np.float64)
    for place, person in enumerate(people):
        if scales.shape != (len(person),):
            raise ValueError(f"person {place}: has {len(person)} keypoints, sigmas are of shape {scales.shape}")
        if not _area(person) >= 0:
            raise ValueError(f"person {place}: has no area, nor a box with one; OKS needs it")
    return scales
