"""Right: which keypoints an estimator found, and what a wrong one was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.distance.distances import HEAD_SHARE, TORSO
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.subjects import Subject
from posewright.scene import Floats, Person
from posewright.skeleton import Skeleton

Flags = NDArray[np.bool_]


class Rule(NamedTuple):
    """Say when a keypoint is found: within reach (N, K) px of the truth; NaN where that cannot be said."""

    name: str
    reach: Floats


class Kinds(NamedTuple):
    """Tell keypoints (N, K) apart: right, inverted (left for right), swapped (another person's); the rest missed."""

    right: Flags
    inverted: Flags
    swapped: Flags


def rule_for(skeleton: Skeleton, people: Sequence[Subject]) -> Rule:
    """Choose what is customary: 0.2 of the torso (LSP, FLIC), half the head (MPII), else a similarity of 0.5.

    The similarity is OKS's of one keypoint, exp(-d^2 / (2 sigma)^2 / area / 2), which is 0.5 at
    d = 2 sigma sqrt(2 ln 2 area); the box's area stands in for a missing one.
    """
    truths = [one.truth for one in people]
    width = np.ones(len(skeleton))
    if skeleton.name in ("lsp", "flic"):
        ends = [skeleton.index(name) for name in TORSO]
        length = [float(np.hypot(*np.subtract(*p.keypoints[ends]))) for p in truths]
        return Rule("PCK@0.2 by the torso", 0.2 * np.array(length)[:, None] * width)
    if skeleton.name == "mpii":
        heads = [np.full(4, np.nan) if p.head is None else p.head for p in truths]
        diagonal = np.array([np.hypot(*(head[2:] - head[:2])) for head in heads])
        return Rule("PCKh@0.5", 0.5 * HEAD_SHARE * diagonal[:, None] * width)
    sigmas, source = oks_sigmas(skeleton)
    side = np.sqrt([_area(person) for person in truths])
    return Rule(f"similarity of 0.5 (sigmas: {source})", 2 * sqrt(2 * log(2)) * side[:, None] * sigmas)


def _area(person: Person) -> float:
    if person.area is not None:
        return person.area
    return float("nan") if person.box is None else float(np.prod(person.box[2:] - person.box[:2]))


def asked(rule: Rule, people: Sequence[Subject]) -> Flags:
    """(N, K) which keypoints there is something to find for: labelled, with a reach above 0."""
    return np.stack([one.truth.labelled for one in people]) & (rule.reach > 0)


def kinds(rule: Rule, people: Sequence[Subject], said: Answers) -> Kinds:
    """Tell right, inverted and swapped keypoints apart; what was not said is none of them.

    A wrong keypoint is inverted where it is within reach of its mirror image in the truth, swapped where it is
    within reach of that keypoint or its mirror image of another person in the crop.
    """
    mirror = people[0].crop.skeleton.mirror
    truth = np.stack([one.truth.keypoints for one in people])
    right = _near(said.keypoints, truth, rule.reach)
    inverted = _near(said.keypoints, truth[:, mirror], rule.reach) & ~right
    swapped = np.zeros_like(right)
    for place, one in enumerate(people):
        for other in one.crop.people[1:]:
            for theirs in (other.keypoints, other.keypoints[mirror]):
                swapped[place] |= _near(said.keypoints[place], theirs, rule.reach[place])
    return Kinds(right, inverted, swapped & ~right & ~inverted)


def _near(found: Floats, truth: Floats, reach: Floats) -> Flags:
    away = found - truth
    with np.errstate(invalid="ignore"):
        return np.asarray(np.hypot(away[..., 0], away[..., 1]) <= reach)
