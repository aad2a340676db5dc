"""What is wrong with whole predictions: badly ranked, false, or missing.

Ronchi and Perona, "Benchmarking and error diagnosis in multi-instance pose estimation", ICCV 2017, sections 4.2
(errors of the score) and 4.3 (false positives and negatives).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from posewright.metrics.diagnosis.kinds import AREAS, LOOSE, Everybody, everybody, outside
from posewright.metrics.diagnosis.repair import counting, match_anew
from posewright.metrics.diagnosis.sensitivity import by_visible, visible_keypoints
from posewright.metrics.oks.matching import THRESHOLDS, Flags, Places
from posewright.metrics.oks.similarity import Rules
from posewright.metrics.score import Protocol, Score, score_of, share
from posewright.scene import Floats, Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

Shares = dict[str, tuple[Flags, Flags]]
"""Which rows have what a name says, and of which rows that is a share."""


def mistakes(
    predicted: Sequence[Scene], truth: Sequence[Scene], *, threshold: float = 0.5, **rules: Unpack[Rules]
) -> Score:
    """Score by the shares of people badly ranked or not found, and of predictions that are false.

    "score_errors": of the people whom two predictions or more mean (from an OKS of 0.1, and nobody else more),
    those for whom the best-scored is not the most similar; "several": of all people, those so meant.
    "false_positives": of all predictions that count, those that match nobody at the OKS `threshold`, which are
    "/background" (they mean nobody), "/inaccurate" (they mean somebody, below the threshold) or "/duplicate"
    (somebody better scored has the person): these three sum to it.
    "false_negatives": of all people to be found, those not matched, and the same of the "/medium" and "/large"
    ones, and of those with "/visible_1_to_5" keypoints and so on; NaN where there is nobody. People below 32^2
    px^2 are ignored. threshold: one of COCO's ten. Otherwise as `oks_ap`.
    """
    if not np.isclose(THRESHOLDS, threshold).any():
        raise ValueError(f"threshold must be one of COCO's 0.50, 0.55 ... 0.95, not {threshold}")
    people = everybody(predicted, truth, **rules)
    matched = match_anew(people, counting(people, 0))
    row = int(np.isclose(THRESHOLDS, threshold).argmax())
    person, ignored = matched.person[0, row], matched.ignored[0, row]
    counted = ~counting(people, 0)[0]
    seen = visible_keypoints(truth, people.scene, len(people.skeleton))
    parts = by_visible(seen, len(people.skeleton))
    parts |= {name: ~beyond for name, beyond in zip(AREAS, outside(people.truths.area), strict=True) if name != "all"}
    whom, alike = nearest(people)
    tables = [
        (people.truths.image, _badly_ranked(people, whom, alike, counted) | _missing(person, counted, parts)),
        (people.predictions.image, _false(alike, person < 0, ~ignored, float(THRESHOLDS[row]))),
    ]
    sums = {
        name: [np.bincount(people.scene[image[rows]], minlength=len(truth)) for rows in (part & whole, whole)]
        for image, shares in tables
        for name, (part, whole) in shares.items()
    }

    def again(weights: Floats) -> dict[str, Floats]:
        return {name: share(weights, part, whole) for name, (part, whole) in sums.items()}

    told: Protocol = {
        "metric": "score errors, false positives, false negatives",
        "false_from_oks": threshold,
        "people_meant_by_several": int(sums["several"][0].sum()),
    }
    return score_of(again, len(truth), people.protocol | told)


def nearest(people: Everybody) -> tuple[Places, Floats]:
    """Return whom every prediction (D,) resembles most, and the OKS with them; -1 and 0 where nobody is there."""
    alike = people.alike
    order = np.lexsort((alike, people.guess))
    last = np.append(np.diff(people.guess[order]) > 0, True)[: len(order)]
    best = order[last]
    whom, close = np.full(len(people.rank), -1, np.intp), np.zeros(len(people.rank))
    whom[people.guess[best]], close[people.guess[best]] = people.person[best], alike[best]
    return whom, close


def _badly_ranked(people: Everybody, whom: Places, alike: Floats, counted: Flags) -> Shares:
    """Compare the best-scored prediction of every person with the most similar; equal scores do no harm."""
    rows = np.flatnonzero(alike >= LOOSE)
    rows = rows[np.lexsort((-alike[rows], -people.predictions.score[rows], whom[rows]))]
    who, first, count = np.unique(whom[rows], return_index=True, return_counts=True)
    top = np.zeros(len(counted))
    np.maximum.at(top, whom[rows], alike[rows])
    several, wrong = np.zeros((2, len(counted)), bool)
    several[who] = count > 1
    wrong[who] = alike[rows[first]] < top[who]
    return {"several": (several, counted), "score_errors": (wrong, several & counted)}


def _false(alike: Floats, unmatched: Flags, counted: Flags, threshold: float) -> Shares:
    reasons = {
        "": np.ones(len(alike), bool),
        "/background": alike < LOOSE,
        "/inaccurate": (alike >= LOOSE) & (alike < threshold),
        "/duplicate": alike >= threshold,
    }
    return {f"false_positives{name}": (unmatched & reason, counted) for name, reason in reasons.items()}


def _missing(person: Places, counted: Flags, parts: Mapping[str, Flags]) -> Shares:
    missed = ~np.isin(np.arange(len(counted)), person)
    whole = {"false_negatives": counted} | {f"false_negatives/{name}": counted & part for name, part in parts.items()}
    return {name: (missed, some) for name, some in whole.items()}
