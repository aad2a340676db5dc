"""DeeperCut's pairwise terms: how likely two parts are one person's (Insafutdinov et al. 2016, arXiv:1605.03170).

Every pixel near a part says where the same person's other parts are. Two parts fit where each is found as the other
foretold: by its distance and its direction from there, weighed by a logistic regression of its own for each pair of
keypoints, fitted to people of whom both are known. After the authors' code (eldar/pose-tensorflow at 6a8f5ee).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SLOPE, MIDDLE = 0.2, 7.5
"""Of the probability that two parts of one kind are the same: half at 37.5 px."""
REGULARISATION = 1e-3
"""How much mistakes count beside half the weights' squared length (the authors' C)."""
SURE = 1e-7
FEATURES = 8


class Logistic(NamedTuple):
    """A pair's regression: weights (9,), the last a bias, of features brought to 0..1 by their bounds (8,), (8,)."""

    weights: Floats
    low: Floats
    high: Floats


class Found(NamedTuple):
    """Parts of one kind: at px (n, 2) as refined, on pixels at px (n, 2), with ways px (n, K (K - 1), 2) to others.

    ways: `Parts.pairs` at each pixel, in px.
    """

    at: Floats
    pixel: Floats
    ways: Floats


def channel(start: int, end: int, keypoints: int) -> int:
    """Return where among K (K - 1) the ways from one keypoint to another stand.

    >>> [channel(1, end, 4) for end in (0, 2, 3)]
    [3, 4, 5]
    """
    return (keypoints - 1) * start + end - (start < end)


def same(at: Floats) -> Floats:
    """Return how likely parts (n, 2) px of one kind are the same part, (n, n): they are near each other."""
    return np.asarray(scipy.special.expit(MIDDLE - SLOPE * apart(at[:, None], at)))


def joined(first: Found, second: Found, pair: tuple[int, int], keypoints: int, regression: Logistic) -> Floats:
    """Return how likely parts of two kinds are one person's, (n, m); pair: the kinds, by number."""
    spread = np.where(regression.high > regression.low, regression.high - regression.low, 1.0)
    scaled = (features(first, second, pair, keypoints) - regression.low) / spread
    return np.asarray(scipy.special.expit(scaled @ regression.weights[:FEATURES] + regression.weights[FEATURES]))


def cost_of(likely: Floats) -> Floats:
    """Return log((1 - p) / p), what the linear programme is charged for taking two parts as one person's; or one part.

    Probabilities count as at least SURE away from 0 and 1.
    """
    likely = np.clip(likely, SURE, 1 - SURE)
    return np.asarray(np.log((1 - likely) / likely))


def features(first: Found, second: Found, pair: tuple[int, int], keypoints: int) -> Floats:
    """Return what a pair's regression is told, (n, m, 8).

    Distance px and angle of the second from where the first foretells it, then the same back; then exp(-f) of the four.
    A way goes from a part's pixel to where the other is as refined.
    """
    there, foretold = second.at - first.pixel[:, None], first.ways[:, channel(*pair, keypoints)][:, None]
    back, told_back = first.at[:, None] - second.pixel, second.ways[:, channel(*pair[::-1], keypoints)]
    ways = ((there, foretold), (back, told_back))
    plain = np.stack([each(way, told) for way, told in ways for each in (apart, turn)], -1)
    return np.concatenate([plain, np.exp(-plain)], -1)


def apart(way: Floats, told: Floats) -> Floats:
    """Return the distance between the ends of two ways (..., 2)."""
    return np.asarray(np.linalg.norm(way - told, axis=-1))


def turn(way: Floats, told: Floats) -> Floats:
    """Return the angle between two ways (..., 2), 0 to pi."""
    angle = np.arctan2(way[..., 1], way[..., 0]) - np.arctan2(told[..., 1], told[..., 0])
    return np.asarray(np.abs((angle + np.pi) % (2 * np.pi) - np.pi))


def fitted(examples: Floats, labels: NDArray[np.bool_]) -> Logistic:
    """Fit a pair's regression to features (n, 8) and whether the two are one person's (n,), of both kinds as many.

        minimise  1/2 |w|^2 + 1/1000 sum log(1 + exp(-y w x)),   y = 1 or -1, x the features and a 1

    as liblinear does, whose bias is a weight like the others. Raises ValueError where one kind is missing.
    """
    labels = np.asarray(labels, bool)
    if labels.all() or not labels.any():
        raise ValueError(f"{len(labels)} pairs, all of one kind: a regression needs pairs of one person and of two")
    low, high = examples.min(0), examples.max(0)
    scaled = (examples - low) / np.where(high > low, high - low, 1.0)
    signed = np.append(scaled, np.ones((len(scaled), 1)), 1) * np.where(labels, 1.0, -1.0)[:, None]

    def cost(weights: Floats) -> tuple[float, Floats]:
        margins = signed @ weights
        slopes = -scipy.special.expit(-margins)
        total = weights @ weights / 2 + REGULARISATION * np.logaddexp(0, -margins).sum()
        return float(total), weights + REGULARISATION * (slopes @ signed)

    return Logistic(
        scipy.optimize.minimize(cost, np.zeros(FEATURES + 1), jac=True, method="L-BFGS-B", tol=1e-12).x, low, high
    )
