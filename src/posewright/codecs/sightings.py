"""Sightings: the distribution of a keypoint over the map's pixels, and whether it is seen.

Location, score and visibility are three answers: where the keypoint is, the probability that this place is right, and
the probability that it is in the picture and nothing hides it. A hidden keypoint has a place all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.codecs.distribution import Distribution
from posewright.codecs.maps import mirrored, reordered, stacked
from posewright.fields import Heatmaps, Sightings
from posewright.scene import ABSENT, HIDDEN, SEEN, Person

CERTAIN = 8.0
"""The logit of a truth that is known: 0.9997."""
Line = tuple[float, float]
"""(slope, shift) of a logit: Platt's scaling (1999), which calibrates a probability by two numbers."""
SAME: Line = (1.0, 0.0)


@dataclass(frozen=True)
class VisibleDistribution(Distribution):
    """Write keypoints as `Distribution` does, and whether they are seen as logits; read both back.

    scored, sighted: how the logits of scores and of visibility are calibrated.
    """

    scored: Line = SAME
    sighted: Line = SAME

    def encode(self, people: Sequence[Person]) -> Sightings:  # type: ignore[override]
        """One person a crop, in crop px, to maps (P, K, h, w), seen (P, K), both logits, and what each counts.

        A place counts by the person's scores where they have some, as labels do that are predictions themselves.
        One that is labelled, but outside the crop or not said to be seen, is not seen; of an absent one nothing is
        known.
        """
        maps, weights = super().encode(people)
        _, known = stacked(people, self.skeleton)
        scores, seen = np.ones(weights.shape), known.copy()
        for row, person in enumerate(people):
            scores[row] = 1.0 if person.scores is None else person.scores
            seen[row] &= person.visible is None or person.visible == SEEN
        logits = np.where((weights > 0) & seen, CERTAIN, -CERTAIN)
        return Sightings(maps, *(array.astype(np.float32) for array in (logits, weights * scores, known)))

    def decode(self, fields: Any) -> list[Person]:
        """Maps (P, K, h, w) and seen (P, K), both logits, to P people in crop px; scores and seen in [0, 1]."""
        people = super().decode(Heatmaps(fields.maps))
        return [self._told(person, logits) for person, logits in zip(people, np.asarray(fields.seen), strict=True)]

    def _told(self, person: Person, logits: NDArray[np.floating]) -> Person:
        seen = logistic(np.nan_to_num(logits.astype(np.float64)), self.sighted)
        likely = np.zeros(len(person)) if person.scores is None else person.scores
        scores = likely if self.scored == SAME else logistic(logit(likely), self.scored)
        visible = np.where(person.labelled, np.where(seen >= 0.5, SEEN, HIDDEN), ABSENT).astype(np.uint8)
        return replace(person, scores=scores, score=float(scores.mean()), visible=visible, seen=seen)

    def mirror(self, fields: Any) -> Sightings:
        """Fields of the mirrored crop to fields of the crop."""
        seen, weights, known = (reordered(one, self.skeleton) for one in fields[1:])
        return Sightings(mirrored(fields.maps, self.skeleton), seen, weights, known)


def logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)), p cut to what single precision tells from 0 and 1."""
    p = np.clip(np.asarray(probability, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def logistic(logits: NDArray[np.floating], line: Line = SAME) -> NDArray[np.float64]:
    """Return the probabilities of logits along a line.

    >>> logistic(logit(np.array([0.25, 0.75])))
    array([0.25, 0.75])
    """
    slope, shift = line
    return np.asarray(1 / (1 + np.exp(-(slope * np.asarray(logits, np.float64) + shift))))
