"""AI Challenger's mAP: the share of people who are found, at ten thresholds of object keypoint similarity.

Wu et al., "AI Challenger" (arXiv:1711.06475), by the rules of the challenge's evaluator
(AIChallenger/AI_Challenger_2017, keypoint_eval) and equal to it bit by bit. It is called a mean average precision,
but the program ranks nothing and knows no scores: the number is an accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.oks.matching import THRESHOLDS, Flags
from posewright.metrics.oks.similarity import oks, oks_sigmas
from posewright.metrics.score import Protocol, Score, named, paired, score_of, share
from posewright.scene import SEEN, Floats, Person, Scene


def aic_map(predicted: Sequence[Scene], truth: Sequence[Scene], sigmas: ArrayLike | None = None) -> Score:
    """Score people by AI Challenger's mAP: how many true people some prediction resembles.

        mAP = mean over thresholds t of (people whose best OKS > t) / (sum over scenes of max(people, predictions))

    OKS is the mean over keypoints that are *seen* (hidden ones do not count) of exp(-d^2 / (2 sigma)^2 / (a + 1) / 2),
    a the area of the true box; 0 for a person of whom nothing is seen. A predicted keypoint that is NaN is as
    far away as can be. Scores play no part; one prediction may serve two people, and a prediction too many
    costs as much as a person missed. "AP50" and "AP75" are the shares at one threshold. In [0, 1]; NaN where there is
    nobody, neither true nor predicted.

    sigmas (K,): None takes the skeleton's, see `oks_sigmas`; AI Challenger's are its evaluator's. Crowds are left out.
    Raises ValueError where scenes do not pair or a true person has no box.
    """
    skeleton = paired(predicted, truth)
    scales, source = oks_sigmas(skeleton, sigmas)
    best = [
        _best(guess.people, _asked(true), scales, named(place, true))
        for place, (guess, true) in enumerate(zip(predicted, truth, strict=True))
    ]
    found = np.stack([(one[:, None] > THRESHOLDS).sum(0) for one in best])
    count = np.array([max(len(one), len(scene.people)) for one, scene in zip(best, predicted, strict=True)])

    def again(weights: Floats) -> dict[str, Floats]:
        each = share(weights, found, np.repeat(count[:, None], len(THRESHOLDS), axis=1))
        return {"mAP": each.mean(1), "AP50": each[:, 0], "AP75": each[:, 5]}

    protocol: Protocol = {
        "metric": "AI Challenger's mAP",
        "sigmas": source,
        "thresholds": "0.50:0.05:0.95",
        "rule": "OKS > threshold, by nobody's rank",
        "area": "of the box, and 1 px^2",
        "keypoints_counted": "seen",
        "scenes": len(truth),
        "people": sum(len(one) for one in best),
        "people_of_whom_nothing_is_seen": sum(not _seen(p).any() for scene in truth for p in _asked(scene)),
        "crowds_left_out": sum(person.crowd for scene in truth for person in scene.people),
        "predictions": sum(len(scene.people) for scene in predicted),
        "counted": int(count.sum()),
    }
    return score_of(again, len(truth), protocol)


def seen_oks(predicted: Sequence[Person], truth: Sequence[Person], sigmas: Floats) -> Floats:
    """Return the similarity (D, P) of every prediction with every true person as AI Challenger measures it."""
    if not predicted or not truth:
        return np.zeros((len(predicted), len(truth)))
    seen = np.stack([_seen(person) for person in truth])
    box = np.array([person.box for person in truth], np.float64)
    area = np.prod(box[:, 2:] - box[:, :2], axis=1) + 1
    xy, guess = (np.stack([person.keypoints for person in people]) for people in (truth, predicted))
    return np.where(seen.any(1), oks(xy, seen, area, box, guess, sigmas), 0.0)


def _best(predicted: Sequence[Person], truth: Sequence[Person], sigmas: Floats, where: str) -> Floats:
    """Return how much the most similar prediction resembles each true person (P,)."""
    if any(person.box is None for person in truth):
        raise ValueError(f"truth, {where}: a person has no box; AI Challenger's mAP measures by its area")
    return np.asarray(seen_oks(predicted, truth, sigmas).max(0, initial=0.0))


def _asked(scene: Scene) -> list[Person]:
    return [person for person in scene.people if not person.crowd]


def _seen(person: Person) -> Flags:
    return person.labelled if person.visible is None else np.asarray(person.visible == SEEN)
