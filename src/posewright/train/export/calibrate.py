"""Calibration: two numbers that make a network's probabilities come true, found on people that it did not learn from.

Platt 1999 ("Probabilistic outputs for support vector machines"): p = s(a z + b), s the logistic function and z the
logit of what the network says, by maximum likelihood. Departure: his targets are pulled away from 0 and 1 by the
counts, which matters for few examples; here they are 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from posewright.codecs.sightings import SAME, Line, VisibleDistribution, logit
from posewright.estimators.runtimes.network import Network
from posewright.estimators.scenes import predict_scenes
from posewright.estimators.top_down import TopDown
from posewright.metrics.trust.outcomes import keypoint_outcomes
from posewright.scene import SEEN, Scene, each_person

FEWEST = 100
"""Keypoints of each kind, right and wrong, or seen and not, below which nothing is calibrated."""
RULE = (
    "Platt scaling by maximum likelihood: a score is the probability to be within 0.2 torsos of the label, visibility "
    "that of being labelled as seen, among keypoints that are labelled of somebody"
)


def calibrated(network: Network, codec: VisibleDistribution, scenes: Sequence[Scene]) -> VisibleDistribution:
    """Return the codec with scores and visibility calibrated at the annotated boxes of scenes, one person each.

    Raises ValueError where too few keypoints tell.
    """
    plain = replace(codec, scored=SAME, sighted=SAME)
    truth = each_person(scenes)
    found = list(predict_scenes(TopDown(replace(network, codec=plain), plain), truth))
    places = keypoint_outcomes(found, truth, "torso")
    people = [scene.people[0] for scene in truth]
    said = np.stack([np.zeros(len(codec.skeleton)) if (p := s.people[0]).seen is None else p.seen for s in found])
    seen = np.stack([person.labelled if person.visible is None else person.visible == SEEN for person in people])
    asked = np.any([person.labelled for person in people], axis=0)
    return replace(
        codec, scored=platt(places.score, places.correct), sighted=platt(said[:, asked].ravel(), seen[:, asked].ravel())
    )


def platt(probability: ArrayLike, true: ArrayLike) -> Line:
    """Return the slope and shift of logits (N,) that make what is true (N,), 0 or 1, most likely.

    >>> p = np.repeat([0.2, 0.8], 1000)
    >>> slope, shift = platt(p, np.tile([0, 0, 0, 1, 1, 1, 1, 0], 250) > 0)
    >>> abs(slope) < 1e-6 and abs(shift) < 1e-6
    True
    """
    z, y = logit(np.asarray(probability, np.float64)), np.asarray(true, np.float64)
    kinds = np.bincount(y.astype(int), minlength=2)
    if kinds.min() < FEWEST:
        raise ValueError(f"of {len(y)} keypoints {kinds[1]} are true; calibration needs {FEWEST} of each kind")

    def cost(line: np.ndarray) -> tuple[float, np.ndarray]:
        logits = line[0] * z + line[1]
        away = 1 / (1 + np.exp(-logits)) - y
        loss = np.logaddexp(0.0, logits) - y * logits
        return float(loss.mean()), np.array([(away * z).mean(), away.mean()])

    slope, shift = minimize(cost, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return float(slope), float(shift)
