"""How far a detector is off, in pixels: learnt from what its views say about each other, by camera and score.

A score is no standard deviation, and no two detectors mean the same by it. What several views of one point leave
over does tell, without any truth.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from posewright.geometry.epipolar import cross_matrix
from posewright.geometry.robust import GATE, agreeing, view_pairs
from posewright.geometry.solve import Flags, Floats, Seen, fit

SAMPLE = 1500
"""Points that the noise is learnt from; taken evenly from all."""
ROUNDS = 4
BINS, FEWEST = 12, 60
"""Ranges of score that a camera's noise is learnt in, and how many detections each must have."""
PRIOR = 2.0
"""How many residuals a camera's noise at all scores counts for in each range."""
LEAST_PX = 0.05
"""No detector is taken to be better than this; rounding alone is worse."""
MEDIAN_OF_CHI2 = 0.4549
"""The median of chi2 with one degree of freedom."""
SCATTER = 7.9
"""How much likelier a right detection is near its place than a wrong one, as twice a logarithm; wrong ones lie some
hundred px around."""
STRICTEST, WIDEST = 0.0, 20.0
"""Bounds of the gate."""
USUAL = 0.95, 5.0
"""The share of right detections that is expected before any is seen, and how many detections that counts for."""


class Noise(NamedTuple):
    """How far each detection is off: sigma (N, V) px per coordinate; gate (N, V), beyond which it is an outlier."""

    sigma: Floats
    gate: Floats


def learn_noise(seen: Seen, scores: Floats) -> Noise:
    """Return the noise of each detection (N, V), from the scores (N, V).

    The start is the median distance of pairs of views from their epipolar lines. Then points are triangulated, and
    the squared residuals of each camera's agreeing views, divided by the freedom that the fit has left them, are
    averaged in ranges of score; a better score never means more noise (isotonic regression). What share of a range
    agrees sets its gate: a wrong detection is one that is likelier to lie where it does if it is wrong. Four rounds.
    NaN scores are allowed and taken as one range.
    """
    places = np.linspace(0, len(scores) - 1, min(SAMPLE, len(scores))).astype(int)
    part, own = seen.at(places), scores[places]
    sigma = np.full(part.known.shape, start_noise(part))
    noise = Noise(sigma, np.full(sigma.shape, GATE))
    for _ in range(ROUNDS):
        used = agreeing(part, *noise)
        found = fit(part, used, noise.sigma)
        free = 2 - np.nan_to_num(found.leverage)
        before = noise.sigma.mean(0)
        curves = [
            _curve(own[:, v], found.residual[:, v], free[:, v], used[:, v], float(before[v]))
            for v in range(len(before))
        ]
        noise = _read(curves, own)
    return _read(curves, scores)


def known_noise(seen: Seen, sigma: float) -> Noise:
    """Return the noise of detections of which nobody says more than one standard deviation in px."""
    return Noise(np.full(seen.known.shape, sigma), np.full(seen.known.shape, GATE))


def start_noise(seen: Seen) -> float:
    """Return px, the median by which pairs of views contradict each other, as a standard deviation of each."""
    seen = seen.at(np.linspace(0, len(seen.known) - 1, min(SAMPLE, len(seen.known))).astype(int))
    centers = -np.einsum("vji,vj->vi", seen.R, seen.t)
    apart, scale = [], squared_scale(seen)
    for a, b in view_pairs(seen.known.shape[1], centers):
        both = seen.known[:, a] & seen.known[:, b]
        apart.append(pair_miss(seen, scale, a, b)[both])
    square = np.concatenate(apart) if apart else np.empty(0)
    return max(float(np.sqrt(np.median(square) / MEDIAN_OF_CHI2)) if len(square) else 1.0, LEAST_PX)


def pair_miss(seen: Seen, scale: Floats, a: int, b: int, other: NDArray[np.intp] | None = None) -> Floats:
    """Return (N,) the squared px by which views a and b of each point contradict each other (Sampson's distance).

    scale: `squared_scale` of what is seen. other: for each point, the place of the one that view b shows instead.
    """
    place = slice(None) if other is None else other
    R = seen.R[b] @ seen.R[a].T
    E = cross_matrix(seen.t[b] - R @ seen.t[a]) @ R
    one, two = (np.concatenate([r, np.ones((len(r), 1))], 1) for r in (seen.rays[:, a], seen.rays[place, b]))
    lines2, lines1 = one @ E.T, two @ E
    miss = (two * lines2).sum(-1)
    spread = (lines1[:, :2] ** 2).sum(-1) / scale[:, a] + (lines2[:, :2] ** 2).sum(-1) / scale[place, b]
    return np.asarray(miss**2 / np.maximum(spread, 1e-300))


def squared_scale(seen: Seen) -> Floats:
    """Return (N, V) how many square px a unit square of rays covers where a view saw a point."""
    m = seen.metric
    return np.asarray(np.abs(m[..., 0, 0] * m[..., 1, 1] - m[..., 0, 1] * m[..., 1, 0]))


Curve = tuple[Floats, Floats, Floats]
"""Scores, rising; the logarithm of the standard deviation at each; the gate at each."""


def _curve(scores: Floats, residual: Floats, freedom: Floats, used: Flags, before: float) -> Curve:
    """Fit a camera's noise to the residuals of its used detections, and its gate to how many are used."""
    known = np.flatnonzero(np.isfinite(residual))
    agrees = used[known]
    square = np.where(agrees, residual[known] ** 2, 0.0)
    free = np.where(agrees, np.maximum(freedom[known], 0.0), 0.0)
    own = np.nan_to_num(scores[known], nan=-1.0)
    order = np.argsort(own, kind="stable")
    groups = [order[g] for g in _groups(own[order], min(BINS, len(known) // FEWEST))] if len(known) else [order]
    overall = (square.sum() + before**2) / (free.sum() + 1)
    sums = np.array([(square[g].sum(), free[g].sum(), agrees[g].sum(), len(g)) for g in groups])
    variance = (sums[:, 0] + PRIOR * overall) / (sums[:, 1] + PRIOR)
    falling = isotonic_regression(variance, weights=sums[:, 1] + PRIOR, increasing=False).x
    share = (sums[:, 2] + USUAL[0] * USUAL[1]) / (sums[:, 3] + USUAL[1])
    gate = np.clip(SCATTER + 2 * np.log(share / (1 - share)), STRICTEST, WIDEST)
    middles = np.array([own[g].mean() if len(g) else 0.0 for g in groups])
    return middles, 0.5 * np.log(np.maximum(falling, LEAST_PX**2)), gate


def _groups(scores: Floats, count: int) -> list[slice]:
    """Cut sorted scores into about `count` ranges of equal size; equal scores stay together, if many."""
    at = scores[np.linspace(0, len(scores) - 1, max(count, 1) + 1).astype(int)] if len(scores) else scores
    ends = np.unique([*np.searchsorted(scores, at, "left"), *np.searchsorted(scores, at, "right"), len(scores)])
    kept = [0]
    for end in ends[1:]:
        if end - kept[-1] >= FEWEST // 2:
            kept.append(int(end))
    kept = [*(kept[:-1] or [0]), len(scores)]
    return [slice(a, b) for a, b in pairwise(kept)]


def _read(curves: list[Curve], scores: Floats) -> Noise:
    own = np.nan_to_num(scores, nan=-1.0)
    sigma = np.stack([np.exp(np.interp(own[:, v], at, curve)) for v, (at, curve, _) in enumerate(curves)], axis=1)
    gate = np.stack([np.interp(own[:, v], at, curve) for v, (at, _, curve) in enumerate(curves)], axis=1)
    return Noise(sigma, gate)
