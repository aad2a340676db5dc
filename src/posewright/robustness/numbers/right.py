"""Right: which keypoints an estimator found, and what a wrong one was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from math import log, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.boxes import overlap
from posewright.metrics.distance.distances import HEAD_SHARE, TORSO
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.subjects import Subject
from posewright.scene import Floats, Person, box_around
from posewright.skeleton import Skeleton

Flags = NDArray[np.bool_]
OTHER_TORSO = ("right_shoulder", "left_hip")
"""The diagonal that stands in for the customary one."""


RuleName = Literal["torso", "head", "similarity"]
RULES: tuple[RuleName, ...] = ("torso", "head", "similarity")


class Rule(NamedTuple):
    """Say when a keypoint is found: within reach (N, K) px of the truth; NaN where that cannot be said.

    fallback (N,): who lacks the length that the rule is by, and is judged by another; how: which.
    """

    name: str
    reach: Floats
    fallback: Flags
    how: str = ""


class Kinds(NamedTuple):
    """Tell keypoints (N, K) apart: right, inverted (left for right), swapped (another person's); the rest missed."""

    right: Flags
    inverted: Flags
    swapped: Flags


def customary(skeleton: Skeleton) -> RuleName:
    """Return the custom of data of these keypoints: LSP's and FLIC's are judged by the torso, MPII's by the head."""
    return "torso" if skeleton.name in ("lsp", "flic") else "head" if skeleton.name == "mpii" else "similarity"


def rule_for(skeleton: Skeleton, people: Sequence[Subject], name: RuleName | None = None) -> Rule:
    """Make a rule: 0.2 of the torso, half the head, or a similarity of 0.5; by default the skeleton's custom.

    The similarity is OKS's of one keypoint, exp(-d^2 / (2 sigma)^2 / area / 2), which is 0.5 at
    d = 2 sigma sqrt(2 ln 2 area); the box's area stands in for a missing one. Who lacks the torso's diagonal is judged
    by the other one, from the right shoulder to the left hip, and who lacks that too, or a head, by a share of the
    box's longer side, the median of those who have both. Raises ValueError where the keypoints have no torso.
    """
    name = name or customary(skeleton)
    truths = [one.truth for one in people]
    width = np.ones(len(skeleton))
    if name == "torso":
        if not {*TORSO, *OTHER_TORSO} <= set(skeleton.keypoints):
            raise ValueError(f"{skeleton.name} has no shoulders and hips, so no torso; take another rule")
        length, other = (_lengths(truths, [skeleton.index(k) for k in ends]) for ends in (TORSO, OTHER_TORSO))
        filled, how = _by_box(truths, length, np.where(length > 0, length, other))
        return Rule(
            "PCK@0.2 by the torso", 0.2 * filled[:, None] * width, ~(length > 0), f"the other diagonal, else {how}"
        )
    if name == "head":
        heads = [np.full(4, np.nan) if p.head is None else p.head for p in truths]
        diagonal = np.array([np.hypot(*(head[2:] - head[:2])) for head in heads])
        filled, how = _by_box(truths, diagonal, diagonal)
        return Rule("PCKh@0.5", 0.5 * HEAD_SHARE * filled[:, None] * width, ~(diagonal > 0), how)
    sigmas, source = oks_sigmas(skeleton)
    side = np.sqrt([_area(person) for person in truths])
    reach = 2 * sqrt(2 * log(2)) * side[:, None] * sigmas
    return Rule(f"similarity of 0.5 (sigmas: {source})", reach, np.zeros(len(people), bool))


def _lengths(truths: Sequence[Person], ends: Sequence[int]) -> Floats:
    return np.array([float(np.hypot(*np.subtract(*person.keypoints[list(ends)]))) for person in truths])


def _by_box(truths: Sequence[Person], length: Floats, known: Floats) -> tuple[Floats, str]:
    """Fill lengths (N,) that are not known with a share of the box's longer side, and say which."""
    sides = np.array([np.nan if p.box is None else float((p.box[2:] - p.box[:2]).max()) for p in truths])
    shares = (length / sides)[(length > 0) & (sides > 0)]
    if not len(shares):
        return np.where(known > 0, known, np.nan), "nothing"
    share = float(np.median(shares))
    return np.where(known > 0, known, share * sides), f"{share:.3f} of the box's longer side"


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


class Fate(IntEnum):
    """What becomes of a person under an attack."""

    KEPT = 0
    LOST = 1
    TO_ANOTHER = 2
    TO_NOBODY = 3


HALF, FIFTH = 0.5, 0.2
"""Of a person's keypoints: who had so many right and keeps at most so many is lost whole."""


def fates(people: Sequence[Subject], before: Flags, after: Flags, wanted: Flags, said: Answers) -> NDArray[np.int64]:
    """(N,) what becomes of each person, of whose wanted (N, K) keypoints these were right before and are after.

    Of the lost, TO_NOBODY are those of whom nothing is said; TO_ANOTHER those whose answer, the box around the
    keypoints found, overlaps another person of the picture more than the person: one with keypoints, or by the box.
    """
    count = wanted.sum(1)
    lost = (count > 0) & (before.sum(1) >= HALF * count) & (after.sum(1) <= FIFTH * count)
    found = np.where(lost, int(Fate.LOST), int(Fate.KEPT))
    for n in np.flatnonzero(lost).tolist():
        place = said.keypoints[n]
        place = place[np.isfinite(place).all(1)]
        if not len(place):
            found[n] = Fate.TO_NOBODY
            continue
        shown = box_around(place) + np.array([-0.5, -0.5, 0.5, 0.5])
        others = [box for other in people[n].crop.people[1:] if (box := _extent(other)) is not None]
        own = _extent(people[n].truth)
        mine = 0.0 if own is None else overlap(shown, [own]).item()
        if others and overlap(shown, others).max() > mine:
            found[n] = Fate.TO_ANOTHER
    return found


def _extent(person: Person) -> Floats | None:
    if person.labelled.any():
        return box_around(person.keypoints) + np.array([-0.5, -0.5, 0.5, 0.5])
    return None if person.crowd else person.box


def closeness(rule: Rule, truth: Floats, said: Answers) -> Floats:
    """(N, K) exp(-ln 2 (d / reach)^2): 1 on the truth, a half where a keypoint just counts as right, 0 if unsaid.

    truth (N, K, 2) px of the crops.
    """
    away = ((said.keypoints - truth) ** 2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nan_to_num(np.exp(-log(2) * away / rule.reach**2)))


def _near(found: Floats, truth: Floats, reach: Floats) -> Flags:
    away = found - truth
    with np.errstate(invalid="ignore"):
        return np.asarray(np.hypot(away[..., 0], away[..., 1]) <= reach)
