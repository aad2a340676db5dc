"""What is wrong with every predicted keypoint: good, jitter, inversion, swap or miss.

Ronchi and Perona, "Benchmarking and error diagnosis in multi-instance pose estimation", ICCV 2017, section 4.1,
for any skeleton. Equal to the authors' program (coco-analyze), which departs from the paper in places; the
docstrings say where. A prediction is matched to a person from an OKS of 0.1, and then each of its keypoints is
compared with everybody's, with left and right as they are and exchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.oks.compared import Compared
from posewright.metrics.oks.groups import Problem, gather
from posewright.metrics.oks.matching import RANGES, Flags, Places, match, pairs
from posewright.metrics.oks.similarity import Predictions, Rules, Truths, similarities
from posewright.metrics.score import Protocol, Score, score_of, share
from posewright.scene import Floats, Scene
from posewright.skeleton import Skeleton

if TYPE_CHECKING:
    from typing_extensions import Unpack

AREAS = RANGES | {"all": (32.0**2, 1e10)}
"""Areas in px^2 that are diagnosed; "all" starts where medium does, unlike COCO's."""
LOOSE = 0.1
"""From which OKS on a prediction is taken to mean a person (paper, section 4.1)."""
NEAR, GOOD_FROM = 0.5, 0.85
"""From which similarity on a keypoint is near a true one, and from which it is good (paper, section 4.1)."""


class Kind(IntEnum):
    """Say what a predicted keypoint is; UNLABELLED where the truth does not tell.

    GOOD: similarity of 0.85 or more to the true keypoint; JITTER: 0.5 to 0.85. INVERSION: it lies near the
    same person's counterpart on the other side, SWAP: near another person's keypoint of either side, and
    nearer than to the true one. MISS: near nothing.
    """

    UNLABELLED = -1
    GOOD = 0
    JITTER = 1
    INVERSION = 2
    SWAP = 3
    MISS = 4


PROTOCOL: Protocol = {
    "matched_from_oks": LOOSE,
    "near_from": NEAR,
    "good_from": GOOD_FROM,
    "areas": "all from 32^2 px^2, medium to 96^2, large from there",
}
"""What every diagnosis says of itself."""
KINDS = tuple(kind for kind in Kind if kind is not Kind.UNLABELLED)


class Diagnosis(NamedTuple):
    """Say of every prediction that means a person what each of its keypoints is.

    scene (N,) place in the lists of scenes; predicted, truth (N,) places among the scene's people; similarity
    (N,) their OKS; kind (N, K) values of `Kind`; closeness (N, K) the largest similarity of the predicted
    keypoint to any true one; meant (N, K) whose keypoint that is, a place among the scene's true people, -1
    for a miss or an unlabelled keypoint.
    """

    scene: Places
    predicted: Places
    truth: Places
    similarity: Floats
    kind: NDArray[np.int8]
    closeness: Floats
    meant: Places


@dataclass(frozen=True, eq=False)
class Everybody:
    """Hold the people of all scenes as arrays, and who shares a scene with whom.

    truths; predictions, the first 20 of each scene, best first; rank (D,) within the scene; guess, person (N,)
    pairs of a prediction and a true person of one scene; sigmas (K,); scene (S,) where the caller has each
    scene; predicted (D,), truth (P,) places among a scene's people; protocol of all that is measured on them.
    """

    skeleton: Skeleton
    truths: Truths
    predictions: Predictions
    rank: Places
    guess: Places
    person: Places
    sigmas: Floats
    scene: Places
    predicted: Places
    truth: Places
    protocol: Protocol

    @cached_property
    def alike(self) -> Floats:
        """The OKS (N,) of every pair."""
        return similarity(self, self.predictions.keypoints)

    @cached_property
    def kinds(self) -> list[Found]:
        """What is found in every area range, in the order of AREAS."""
        return [find_kinds(self, meant) for meant in meant_people(self, self.alike)]


class Found(NamedTuple):
    """Hold the kinds of the keypoints of N matched predictions: arrays as in `Diagnosis`, places in `Everybody`."""

    guess: Places
    person: Places
    kind: NDArray[np.int8]
    closeness: Floats
    meant: Places


def everybody(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Everybody:
    """Gather the people of all scenes, in the order of the scenes' ids; arguments and errors as in `oks_ap`."""
    problem = gather(predicted, truth, **rules)
    if problem.compared not in _KNOWN:
        _KNOWN[problem.compared] = _everybody(problem)
    return _KNOWN[problem.compared]


_KNOWN: WeakKeyDictionary[Compared, Everybody] = WeakKeyDictionary()
"""The people of problems that are at hand, for several metrics ask for them."""


def _everybody(problem: Problem) -> Everybody:
    truths, given = problem.truths, problem.predictions
    kept, guess, person = problem.compared.pairs
    counted = int((~truths.ignored & ~outside(truths.area)[0]).sum())
    told = {"people": counted, "people_ignored": len(truths.image) - counted, **PROTOCOL}
    return Everybody(
        problem.skeleton,
        truths,
        Predictions(kept.image, given.keypoints[kept.order], given.score[kept.order], given.area[kept.order]),
        kept.rank,
        guess,
        person,
        problem.sigmas,
        np.array(problem.order, np.intp),
        kept.order - np.searchsorted(given.image, kept.image),
        np.arange(len(truths.image)) - np.searchsorted(truths.image, truths.image),
        {name: said for name, said in problem.protocol.items() if name != "thresholds"} | told,
    )


def closeness(people: Everybody, xy: Floats, guess: Places, person: Places, exchanged: bool = False) -> Floats:
    """Return how similar (N, K) predicted keypoints are to true ones of N pairs; -1 where nothing is labelled.

        s = exp(-d^2 / (2 sigma)^2 / (area + eps) / 2)

    xy (D, K, 2) px; exchanged: compare with the person's keypoint of the other side. A prediction that
    is NaN is similar to nothing: 0.
    """
    truths = people.truths
    order = people.skeleton.mirror if exchanged else np.arange(len(people.skeleton))
    away = xy[guess] - truths.keypoints[:, order][person]
    error = (away[..., 0] ** 2 + away[..., 1] ** 2) / (people.sigmas * 2) ** 2
    close = np.exp(-error / (truths.area[person, None] + np.spacing(1)) / 2)
    return np.where(truths.labelled[:, order][person], np.fmax(close, 0.0), -1.0)


def similarity(people: Everybody, keypoints: Floats) -> Floats:
    """Return the OKS (N,) of every pair of one scene, for predicted keypoints (D, K, 2) px."""
    return similarities(people.truths, keypoints, people.sigmas, people.guess, people.person)


def outside(area: Floats) -> Flags:
    """Tell for each of AREAS whether (N,) areas in px^2 lie outside: (A, N)."""
    return np.stack([(area < low) | (area > high) for low, high in AREAS.values()])


def meant_people(people: Everybody, alike: Floats) -> Places:
    """Return whom every prediction means, in each area range: (A, D) the true person or -1.

    alike (N,): the OKS of all pairs. The rules are COCO's with a threshold of 0.1.
    """
    worth = np.where(alike >= LOOSE, 1.0 + np.unique(alike, return_inverse=True)[1].reshape(-1), 0.0)
    ignored = people.truths.ignored | outside(people.truths.area)
    nobody = np.zeros((len(AREAS), len(people.rank)), bool)
    chosen, _ = match(worth, people.guess, people.person, people.rank, ignored, people.truths.crowd, nobody)
    return chosen[:, 0].astype(np.intp)


def find_kinds(people: Everybody, meant: Places) -> Found:
    """Tell the kind of every keypoint of predictions that mean (D,) people, those without a label left out.

    The largest similarity decides; of equal ones the first of: the true keypoint, other people's, the
    person's own on the other side, other people's on the other side.
    """
    truths, xy = people.truths, people.predictions.keypoints
    guess = np.flatnonzero(meant >= 0)
    guess = guess[truths.labelled[meant[guess]].any(1)]
    own = meant[guess]
    row, person = pairs(truths.image[own], truths.image)
    mine = person == own[row]
    starts = np.searchsorted(row, np.arange(len(guess)))
    side = [closeness(people, xy, guess[row], person, exchanged) for exchanged in (False, True)]
    true, inverted = (close[mine] for close in side)
    others = [np.where(mine[:, None], -1.0, close) for close in side]
    swapped, both = (np.maximum.reduceat(close, starts) if len(guess) else close for close in others)
    best = np.maximum.reduce([true, inverted, swapped, both, np.zeros_like(true)])

    kind = np.where(best >= NEAR, np.int8(Kind.SWAP), np.int8(Kind.MISS))
    near = best >= NEAR
    kind[near & (inverted == best) & (swapped < best)] = Kind.INVERSION
    kind[near & (true == best)] = Kind.JITTER
    kind[(best >= GOOD_FROM) & (true == best)] = Kind.GOOD
    kind[~truths.labelled[own]] = Kind.UNLABELLED

    closest = np.where(np.maximum(*others) == best[row], person[:, None], len(truths.image))
    other = np.minimum.reduceat(closest, starts) if len(guess) else closest
    whose = np.where(kind == Kind.SWAP, other, own[:, None])
    whose[(kind == Kind.MISS) | (kind == Kind.UNLABELLED)] = -1
    return Found(guess, own, kind, best, whose)


def diagnose(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Diagnosis:
    """Tell of every prediction which person it means, and of each of its keypoints what it is.

    Of each scene the first 20 predictions by score are matched, as COCO does but from an OKS of 0.1 on;
    people without a label are left out. Crowds and people below 32^2 px^2 are matched only by what means
    nobody else, and are diagnosed. Arguments and errors as in `oks_ap`. Departure: a similarity of exactly
    0.85, to which the original gives no kind, is good.
    """
    return diagnosis_of(everybody(predicted, truth, **rules))


def diagnosis_of(people: Everybody) -> Diagnosis:
    """Tell it of people who are gathered already; see `diagnose`."""
    found = people.kinds[0]
    pair = np.searchsorted(people.guess, found.guess)
    pair += found.person - people.person[pair]
    return Diagnosis(
        people.scene[people.truths.image[found.person]],
        people.predicted[found.guess],
        people.truth[found.person],
        people.alike[pair],
        found.kind,
        found.closeness,
        np.where(found.meant < 0, -1, people.truth[found.meant]),
    )


def kinds(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score by the share of each kind among the labelled keypoints of predictions that mean somebody.

    "good", "jitter", "inversion", "swap", "miss" sum to 1, and so do "good/left_knee" and the like. NaN where
    no keypoint is diagnosed. "inverted_limbs" is the share of limbs between two-sided keypoints of which both
    ends are inversions; "inverted_people" of people of whom more than half of the two-sided keypoints are.
    The protocol counts the keypoints of each kind. Arguments and errors as in `oks_ap`.
    """
    people = everybody(predicted, truth, **rules)
    found = diagnosis_of(people)
    names = [kind.name.lower() for kind in KINDS]

    def per_scene(values: NDArray[Any]) -> Floats:
        total = np.zeros((len(truth), *values.shape[1:]))
        np.add.at(total, found.scene, values)
        return total

    each = per_scene(np.stack([found.kind == kind for kind in KINDS], axis=1))
    turned = {name: [per_scene(v) for v in pair] for name, pair in _turned(found.kind, people.skeleton).items()}

    def again(weights: Floats) -> dict[str, Floats]:
        numbers = {name: share(weights, each[:, i].sum(1), each.sum((1, 2))) for i, name in enumerate(names)}
        for i, name in enumerate(names):
            shares = share(weights, each[:, i], each.sum(1)).T
            numbers |= {f"{name}/{k}": of for k, of in zip(people.skeleton.keypoints, shares, strict=True)}
        return numbers | {name: share(weights, part, whole) for name, (part, whole) in turned.items()}

    counts = {f"keypoints/{name}": int(each[:, i].sum()) for i, name in enumerate(names)}
    told: Protocol = {"metric": "kinds of keypoint errors", "people_diagnosed": len(found.kind), **counts}
    return score_of(again, len(truth), people.protocol | told)


def _turned(kind: NDArray[np.int8], skeleton: Skeleton) -> dict[str, tuple[Floats, Floats]]:
    """Count in each of N people what is inverted, and of how many: limbs, and the person as a whole."""
    sided = skeleton.mirror != np.arange(len(skeleton))
    limbs = skeleton.limb_indices[sided[skeleton.limb_indices].all(1)]
    inverted, labelled = (kind == Kind.INVERSION) & sided, (kind != Kind.UNLABELLED) & sided
    part, whole = inverted.sum(1), labelled.sum(1)
    return {
        "inverted_limbs": (inverted[:, limbs].all(2).sum(1), labelled[:, limbs].all(2).sum(1)),
        "inverted_people": (2 * part > whole, whole > 0),
    }
