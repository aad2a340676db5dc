"""What average precision would be if one kind of error were repaired, alone or after the others.

Ronchi and Perona, "Benchmarking and error diagnosis in multi-instance pose estimation", ICCV 2017, sections 4
and 5. Equal to the authors' program (coco-analyze), whose departures from the paper the docstrings name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from posewright.columns import extent
from posewright.metrics.diagnosis.kinds import (
    AREAS,
    GOOD_FROM,
    NEAR,
    Everybody,
    Found,
    Kind,
    everybody,
    outside,
    similarity,
)
from posewright.metrics.oks.matching import Flags, Matches, Places, match, pairs, precision_recall, ranked
from posewright.metrics.oks.similarity import PAIRS_AT_ONCE, Rules, similarities
from posewright.metrics.score import Score, score_of
from posewright.metrics.trust.resampling import again_of
from posewright.scene import Floats, Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

BASELINE = "baseline"
KEYPOINTS = {"miss": Kind.MISS, "swap": Kind.SWAP, "inversion": Kind.INVERSION, "jitter": Kind.JITTER}
REPAIRS = (*KEYPOINTS, "score", "false_positives", "false_negatives")
"""What can be repaired, in the order in which repairs are added up (the original's)."""
Ranges = list[Matches]
"""Matches of one area range each, in the order of AREAS."""
Poses = dict[int, tuple[Floats, Floats]]
"""Keypoints (D, K, 2) of all predictions and the OKS (N,) of all pairs, by places in AREAS."""


def repaired(people: Everybody, found: Found, kind: Kind, keypoints: Floats) -> Floats:
    """Return keypoints (D, K, 2) of all predictions, those of a kind moved to where they do less harm.

        x = x_true + sqrt(-2 ln(c) area sigma^2),  y = y_true

    c = 0.85 for jitter, 0.5 for a miss, the similarity to the wrong keypoint for inversions and swaps. The
    paper means that the keypoint then has the similarity c; the original takes sigma for 2 sigma, so that it
    has c^(1/4). Kept, since published gains come from it.
    """
    eps = np.spacing(1)
    aim = np.clip(found.closeness, eps, 1 - eps)
    aim[found.kind == Kind.JITTER] = GOOD_FROM
    aim[found.kind == Kind.MISS] = NEAR
    away = np.sqrt(-2 * np.log(aim) * people.truths.area[found.person, None] * people.sigmas**2)
    placed = people.truths.keypoints[found.person]
    placed[..., 0] += away
    moved = keypoints.copy()
    moved[found.guess] = np.where((found.kind == kind)[..., None], placed, keypoints[found.guess])
    return moved


def best_scores(people: Everybody, best: Sequence[Floats], keypoints: Floats) -> list[Floats]:
    """Return the scores (D,) that predictions should have had, from their best OKS (D,) with anybody.

    Again and again the best of a scene is taken out, and what is left is multiplied by exp(-o^2 / 0.5), o its
    OKS with that one by `keypoints` (D, K, 2), all of them labelled and the area the mean of the two
    extents': of those of one person only one may stand high (paper, section 4.2).
    """
    scene, rank = people.predictions.image, people.rank
    one, other = pairs(scene, scene)
    one, other = one[one <= other], other[one <= other]
    areas, scale = extent(keypoints).prod(0), -((people.sigmas * 2) ** 2)
    alike = np.empty(len(one))
    for start in range(0, len(one), PAIRS_AT_ONCE):
        some = np.s_[start : start + PAIRS_AT_ONCE]
        area = (areas[one[some]] + areas[other[some]])[:, None] / 2 + np.spacing(1)
        apart = keypoints.take(one[some], axis=0)
        apart -= keypoints.take(other[some], axis=0)
        np.square(apart, out=apart)
        close = apart[..., 0] + apart[..., 1]
        close /= scale
        close /= area
        close /= 2
        np.exp(close, out=close)
        alike[some] = np.fmax(close, 0.0, out=close).mean(-1)
    size = int(rank.max(initial=-1)) + 1
    fading = np.ones((len(people.scene), size, size))
    for a, b in ((one, other), (other, one)):
        fading[scene[a], rank[a], rank[b]] = np.exp(-(alike**2) / 0.5)
    return [_faded(scene, rank, scores, fading) for scores in best]


def _faded(scene: Places, rank: Places, best: Floats, fading: Floats) -> Floats:
    """Take the best of every scene out, again and again, and let the rest fade (S, size, size) by it."""
    every = np.arange(len(fading))
    left = np.full(fading.shape[:2], -np.inf)
    left[scene, rank] = best
    scores = np.empty_like(left)
    for _ in range(fading.shape[1]):
        first = left.argmax(1)
        some = every[left[every, first] >= 0]
        scores[some, first[some]] = left[some, first[some]]
        left *= fading[every, first]
        left[every, first] = -np.inf
    return scores[scene, rank]


class Stages(NamedTuple):
    """Hold the matches before (BASELINE) and after repairs, by name: each repair alone, and added up in order."""

    alone: dict[str, Ranges]
    sequence: dict[str, Ranges]


def stages(people: Everybody, areas: Sequence[int] = range(len(AREAS))) -> Stages:
    """Match again after every repair, in every area range with what that range's matches tell.

    Areas of predictions stay as they were. False positives: what matches nobody at a threshold is ignored.
    False negatives are not among the stages, since nothing is left to be wrong: AP is 1.
    In the sequence the best OKS comes from the range's own repaired keypoints, but how much predictions of a
    scene resemble each other from those that were repaired for large people: a slip of the original.
    areas: places in AREAS to tell of after repairs, where the others are not asked for.
    """
    counts = [counting(people, area) for area in range(len(AREAS))]
    as_given = people.predictions.keypoints, people.alike
    last, scored = len(AREAS) - 1, people.predictions.score

    def after(kind: Kind, before: Poses) -> Poses:
        return {area: _repaired(people, people.kinds[area], kind, *one) for area, one in before.items()}

    def matched(poses: Poses) -> Ranges:
        return [_match(people, poses[area][1], scored, counts[area]) for area in areas]

    def optimal(poses: Poses) -> Ranges:
        best = [_best(people, poses[area][1], counts[area][0]) for area in areas]
        scores = best_scores(people, best, poses[last][0])
        return [_match(people, poses[area][1], own, counts[area]) for area, own in zip(areas, scores, strict=True)]

    alone = {BASELINE: [_match(people, people.alike, scored, count) for count in counts]}
    sequence, given = dict(alone), dict.fromkeys(areas, as_given)
    now = given | {last: as_given}
    for name, kind in KEYPOINTS.items():
        alone[name] = matched(after(kind, given))
        now = after(kind, now)
        sequence[name] = matched(now)
    alone["score"], sequence["score"] = optimal(given | {last: as_given}), optimal(now)
    alone["false_positives"] = without_false_positives(alone[BASELINE])
    sequence["false_positives"] = without_false_positives(sequence["score"])
    return Stages(alone, sequence)


def _repaired(people: Everybody, found: Found, kind: Kind, keypoints: Floats, alike: Floats) -> tuple[Floats, Floats]:
    """Repair keypoints (D, K, 2), and return with them the OKS (N,) of all pairs: only of who has moved it is new."""
    moved = np.zeros(len(people.rank), bool)
    moved[found.guess] = (found.kind == kind).any(1)
    some = np.flatnonzero(moved[people.guess])
    placed, again = repaired(people, found, kind, keypoints), alike.copy()
    again[some] = similarities(people.truths, placed, people.sigmas, people.guess[some], people.person[some])
    return placed, again


def counting(people: Everybody, area: int) -> tuple[Flags, Flags]:
    """Tell for a place in AREAS which people (P,) are ignored, and which predictions (D,) lie outside."""
    return people.truths.ignored | outside(people.truths.area)[area], outside(people.predictions.area)[area]


def best_oks(people: Everybody, keypoints: Floats, ignored: Flags) -> Floats:
    """Return the largest OKS (D,) with anybody of the scene who is not ignored; 0 where there is nobody."""
    return _best(people, similarity(people, keypoints), ignored)


def _best(people: Everybody, alike: Floats, ignored: Flags) -> Floats:
    best = np.zeros(len(people.rank))
    np.maximum.at(best, people.guess, np.where(ignored[people.person], 0.0, alike))
    return best


def match_anew(people: Everybody, counts: tuple[Flags, Flags]) -> Matches:
    """Match in one area range (A = 1) the predictions as they are."""
    return _match(people, people.alike, people.predictions.score, counts)


def _match(people: Everybody, alike: Floats, score: Floats, counts: tuple[Flags, Flags]) -> Matches:
    """Match in one area range (A = 1) by the OKS (N,) of all pairs and by scores (D,)."""
    (ignored, beyond), crowd = counts, people.truths.crowd
    counted = np.bincount(people.truths.image[~ignored], minlength=len(people.scene))[:, None]
    if score is people.predictions.score:  # they stand in its order
        chosen, dropped = match(alike, people.guess, people.person, people.rank, ignored[None], crowd, beyond[None])
        return Matches(people.predictions.image, score, chosen, dropped, counted)
    order, image, rank = ranked(people.predictions.image, score)
    guess = np.argsort(order)[people.guess]
    chosen, dropped = match(alike, guess, people.person, rank, ignored[None], crowd, beyond[None, order])
    return Matches(image, score[order], chosen, dropped, counted)


def without_false_positives(ranges: Ranges) -> Ranges:
    """Ignore what matches nobody."""
    return [matches._replace(ignored=matches.ignored | (matches.person < 0)) for matches in ranges]


def without_false_negatives(matches: Matches) -> list[Matches]:
    """Ask at every threshold of one area range only for the people whom some prediction matches there."""
    found = []
    for t in range(matches.person.shape[1]):
        hits = (matches.person[0, t] >= 0) & ~matches.ignored[0, t]
        counted = np.bincount(matches.image[hits], minlength=len(matches.counted))[:, None]
        one = np.s_[:, t : t + 1]
        found.append(matches._replace(person=matches.person[one], ignored=matches.ignored[one], counted=counted))
    return found


def average_precision(ranges: Ranges) -> Floats:
    """Return the average precision (T, A) at every threshold and in every area range; -1 where nobody counts."""
    return np.concatenate([precision_recall(matches)[0].mean(1) for matches in ranges], axis=1)


def repairs(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score by what every repair would bring: "AP", and "AP/miss", "gain/miss", "sequence/miss" and so on.

    "AP/..." is average precision after one repair alone, "gain/..." what that is above "AP", "sequence/..."
    after this one and those before it in REPAIRS: misses, swaps, inversions, jitter; scores; false positives;
    false negatives, after which it is 1 where anybody is to be found. "APM" and "APL" are those of medium and
    large people. "AP" counts people from 32^2 px^2 on, so that it is not COCO's where smaller ones are.
    -1 where nobody is to be found, and then no gain: NaN. Arguments and errors as in `oks_ap`. Departure: false
    negatives alone leave out the people whom nobody matches at a threshold (0 where that is all of them); the
    original has 1 there as well.
    """
    people = everybody(predicted, truth, **rules)
    all_stages = stages(people, areas=[0])
    medium, large = (again_of(matches, ranges=1) for matches in all_stages.alone[BASELINE][1:])
    alone, sequence = ({name: again_of(ranges[0], ranges=1) for name, ranges in one.items()} for one in all_stages)
    matched = [again_of(one, ranges=1) for one in without_false_negatives(all_stages.alone[BASELINE][0])]

    def again(weights: Floats) -> dict[str, Floats]:
        ordered = weights[:, people.scene]
        before = alone[BASELINE](ordered)
        numbers = {name: before[name] for name in ("AP", "AP50", "AP75")}
        numbers |= {"APM": medium(ordered)["AP"], "APL": large(ordered)["AP"]}
        known = before["AP"] >= 0
        found = np.mean([np.maximum(one(ordered)["AP50"], 0.0) for one in matched], axis=0)
        single = {name: alone[name](ordered)["AP"] for name in REPAIRS if name in alone}
        single["false_negatives"] = np.where(known, found, -1.0)
        added = {name: sequence[name](ordered)["AP"] for name in REPAIRS if name in sequence}
        added["false_negatives"] = np.where(known, 1.0, -1.0)
        numbers |= {f"AP/{name}": value for name, value in single.items()}
        numbers |= {f"gain/{name}": np.where(known, value - before["AP"], np.nan) for name, value in single.items()}
        return numbers | {f"sequence/{name}": value for name, value in added.items()}

    told = {"metric": "COCO keypoint average precision after repairs", "thresholds": "0.50:0.05:0.95"}
    return score_of(again, len(truth), people.protocol | told)
