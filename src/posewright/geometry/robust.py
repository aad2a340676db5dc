"""Which views agree about a point: pairs of views propose, all views vote, and the worst leave one by one.

Batched over N points, as `solve` is. Axes: N points, V views.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from posewright.geometry.solve import NEAREST, Flags, Floats, Seen, linear, miss_of, solved

GATE = 13.8
"""Squared residual, in squared standard deviations, beyond which a view is an outlier: chi2 with 2 degrees of
freedom exceeds it once in a thousand."""
LESS_OF_TWO = 3.0
"""How much lower the gate is for the one degree of freedom that two views leave (10.8 of the same chance)."""
MOST_PAIRS = 28
"""Pairs of views that propose a point: all of up to 8 views. With a tenth of the views wrong, pairs without a right
one among this many do not occur."""
FIRST_PAIRS, ENOUGH = 8, 0.6
"""Pairs that are tried first; the others only where no point of theirs has this share of the views near it."""


def agreeing(seen: Seen, sigma: ArrayLike, gate: ArrayLike = GATE) -> Flags:
    """Choose the views (N, V) that agree about each point, given the standard deviation sigma (N, V) px of each.

    gate (N, V): squared standard deviations beyond which a view is an outlier; lower for one that is less trusted.

    Where all views agree they are kept. Elsewhere pairs of views each propose a point, and the one wins whose
    residuals, cut off at the gate, sum to least (M-SAC: Torr and Zisserman, "MLESAC", CVIU 2000); then views enter and
    leave by their residual until none changes. Two views that contradict each other are no point: none is kept.
    """
    spread, gates = (np.broadcast_to(np.asarray(a, np.float64), seen.known.shape) for a in (sigma, gate))
    used = seen.known & (gates > 0)
    excess, depth = _excess(seen, used, spread, gates)
    doubtful = np.flatnonzero((used & ((excess > 1) | ~(depth > 0))).any(-1))
    if len(doubtful):
        part, wide, strict = seen.at(doubtful), spread[doubtful], gates[doubtful]
        used[doubtful] = _settled(part, wide, _voted(part, wide, strict), strict)
    return used & (used.sum(-1, keepdims=True) >= 2)


def angle(seen: Seen, xyz: Floats, used: Flags) -> Floats:
    """Return (N,) radians, how near to a right angle the rays of two used views cross; NaN where there are not two."""
    centers = -np.einsum("vji,vj->vi", seen.R, seen.t)
    towards = xyz[:, None] - centers
    with np.errstate(invalid="ignore", divide="ignore"):
        towards = towards / np.linalg.norm(towards, axis=-1, keepdims=True)
    cosine = towards @ towards.transpose(0, 2, 1)
    both = used[:, :, None] & used[:, None, :]
    least = np.where(both, np.abs(cosine), np.inf).min((1, 2))
    widest = np.arccos(np.clip(np.nan_to_num(least, nan=1.0, posinf=1.0), 0, 1))
    return np.where(used.sum(-1) >= 2, widest, np.nan)


def view_pairs(count: int, centers: Floats, most: int = MOST_PAIRS) -> list[tuple[int, int]]:
    """Return pairs of views; of many, those that see from the most different sides, each view equally often."""
    pairs = list(combinations(range(count), 2))
    if len(pairs) <= most:
        return pairs
    side = centers - centers.mean(0)
    side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-12)
    crossing = np.linalg.norm(np.cross(side[:, None], side[None]), axis=-1).round(6)
    cost, times = np.full((count, count), np.inf), np.zeros(count)
    chosen: list[tuple[int, int]] = []
    first, second = np.triu_indices(count, 1)
    cost[first, second] = -crossing[first, second] / 4
    while len(chosen) < most:
        a, b = divmod(int((cost + times[:, None] + times).argmin()), count)
        chosen.append((a, b))
        cost[a, b] = np.inf
        times[[a, b]] += 1
    return chosen


def _excess(seen: Seen, used: Flags, sigma: Floats, gate: Floats) -> tuple[Floats, Floats]:
    """Return squared residuals (N, V) as shares of what the gate lets pass, and depths (N, V).

    A used view has followed its own error by its leverage, another one sees the error of the point beside its own;
    both are taken as if all views stood alike. Two views leave one freedom, on which both are judged.
    """
    miss, depth = miss_of(seen, linear(seen, np.where(used, 1 / sigma, 0.0)))
    count = used.sum(-1, keepdims=True)
    square = np.where(seen.known & (count >= 2), (miss**2).sum(-1) / sigma**2, 0.0)
    spare = np.where(used, 1 - 1.5 / np.maximum(count, 3), 1 + 1.5 / np.maximum(count - 1.5, 0.5))
    both = np.where(used, square, 0.0).sum(-1, keepdims=True)
    strict = np.where(used, gate, np.inf).min(-1, keepdims=True) - LESS_OF_TWO
    two = used & (count == 2)
    return np.where(two, both, square / spare) / np.maximum(np.where(two, strict, gate), 1e-6), depth


def _voted(seen: Seen, sigma: Floats, gate: Floats) -> Flags:
    """Return the views (N, V) near the point that the best pair of views proposes."""
    centers = -np.einsum("vji,vj->vi", seen.R, seen.t)
    pairs = np.array(view_pairs(seen.known.shape[1], centers))
    weight = np.where(seen.known, 1 / sigma, 0.0) / np.maximum(np.abs(seen.t[:, 2]), NEAREST)
    moments = seen.moments * (weight**2)[..., None]
    proposed = solved(moments[:, pairs[:, 0]] + moments[:, pairs[:, 1]])
    both = np.asarray((seen.known & (gate > 0))[:, pairs].all(-1))
    chosen = np.zeros(seen.known.shape, bool)
    left = np.arange(len(chosen))
    for part in (slice(0, FIRST_PAIRS), slice(FIRST_PAIRS, len(pairs))):
        if not both[left, part].size:
            break
        cost, near = _judged(seen.at(left), sigma[left], proposed[left, part], gate[left])
        row, best = np.arange(len(left)), np.where(both[left, part], cost, np.inf).argmin(1)
        found = near[row, best]
        found[row[:, None], pairs[part][best]] = True
        found &= seen.known[left] & np.asarray(both[left, part].any(1))[:, None]
        better = found.sum(-1) > chosen[left].sum(-1)
        chosen[left[better]] = found[better]
        left = left[chosen[left].sum(-1) < ENOUGH * seen.known[left].sum(-1)]
    return chosen


def _judged(seen: Seen, sigma: Floats, proposed: Floats, gate: Floats) -> tuple[Floats, Flags]:
    """Return the cost (N, H) of proposed points (N, H, 3), and the views (N, H, V) near each by twice the gate."""
    count, views = seen.known.shape
    away = proposed @ seen.rows.reshape(count, 2 * views, 3).transpose(0, 2, 1) - seen.right.reshape(count, 1, -1)
    depth = proposed @ seen.R[:, 2].T + seen.t[:, 2]
    square = away[..., ::2] ** 2 + away[..., 1::2] ** 2
    square /= np.maximum(np.abs(depth), 1e-9) ** 2 * (sigma**2)[:, None]
    most = np.where(seen.known, 2 * gate, 0.0)[:, None]
    near = (square < most) & (depth > 0)
    return np.where(near, square, most).sum(-1), near


def _settled(seen: Seen, sigma: Floats, used: Flags, gate: Floats) -> Flags:
    """Let views enter and leave, the worst first, until all that are used agree and no other does."""
    views, used = used.shape[1], used.copy()
    going = np.arange(len(used))
    for turn in range(2 * views):
        part, own = seen.at(going), used[going]
        excess, depth = _excess(part, own, sigma[going], gate[going])
        excess = np.where(depth > 0, excess, np.inf)
        row, worst = np.arange(len(going)), np.where(own, excess, -1.0).argmax(-1)
        leaves = own.any(-1) & (excess[row, worst] > 1)
        none = leaves & (own.sum(-1) <= 2)
        enters = ~own & part.known & (excess < 1) & ~leaves[:, None] & (own.sum(-1) >= 2)[:, None]
        enters &= turn < views
        own[row[leaves], worst[leaves]] = False
        own[none] = False
        used[going] = own | enters
        going = going[(leaves & ~none) | enters.any(-1)]
        if not len(going):
            break
    return used
