"""Triangulation of many points at once, by least squares in pixels over the views that agree.

Everything is batched over N points: joints, people and frames alike. Axes: N points, V views. Cameras should be in
the frame that follows them (`frame.canonical`), where lengths are near 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.camera import Camera

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

GATE = 13.8
"""Squared residual, in squared standard deviations, beyond which a view is an outlier: chi2 with 2 degrees of
freedom exceeds it once in a thousand."""
GATE_OF_TWO = 10.8
"""The same for the one degree of freedom that two views leave."""
MOST_PAIRS = 28
"""Pairs of views that propose a point: all of up to 8 views. With a tenth of the views wrong, pairs without a right
one among this many do not occur."""
REWEIGHTS, NEWTON_STEPS, SETTLED = 2, 6, 1e-10
NEAREST = 0.02
"""No depth is taken to be less than this, in the unit of the frame."""


class Seen(NamedTuple):
    """What the views say: rays (N, V, 2), 0 where unknown; metric (N, V, 2, 2) px per ray; known (N, V); R, t."""

    rays: Floats
    metric: Floats
    known: Flags
    R: Floats
    t: Floats

    def at(self, places: ArrayLike) -> Seen:
        """Return what is known of some of the points."""
        return Seen(self.rays[places], self.metric[places], self.known[places], self.R, self.t)


class Fit(NamedTuple):
    """Points and how sure they are.

    xyz (N, 3); covariance (N, 3, 3); residual (N, V) px between a view and the point's image, of known views that
    are used or not; leverage (N, V): how much of a used view's own error the point has followed, 0 to 2 (the trace of
    the hat matrix); depth (N, V). NaN where fewer than two views are used.
    """

    xyz: Floats
    covariance: Floats
    residual: Floats
    leverage: Floats
    depth: Floats


def observe(cameras: Sequence[Camera], points: ArrayLike) -> Seen:
    """Undo the lenses of what cameras saw: points (V, N, 2) px, NaN where a view does not see one."""
    xy = np.asarray(points, np.float64)
    if len(xy) != len(cameras):
        raise ValueError(f"points of {len(xy)} views, but there are {len(cameras)} cameras")
    rays = np.stack([camera.rays(view) for camera, view in zip(cameras, xy, strict=True)], axis=1)
    known = np.isfinite(rays).all(-1)
    rays = np.where(known[..., None], rays, 0.0)
    metric = np.stack([camera.pixels_per_ray(rays[:, v]) for v, camera in enumerate(cameras)], axis=1)
    return Seen(rays, metric, known, np.stack([c.R for c in cameras]), np.stack([c.t for c in cameras]))


def fit(seen: Seen, used: Flags, sigma: ArrayLike) -> Fit:
    """Solve for the points (N, 3) that the used views (N, V) put nearest, by least squares in pixels.

        X = argmin sum_v |M_v (ray_v - pi(R_v X + t_v))|^2 / sigma_v^2,   covariance = (sum_v J_v' J_v / sigma_v^2)^-1

    M is how the picture moves with the ray where the view saw the point: exact for a pinhole, of first order for a
    lens. sigma (N, V) px. A linear solution, twice reweighted by depth, starts Gauss and Newton's steps.
    """
    used = used & seen.known
    weight = np.where(used, 1.0 / np.broadcast_to(np.asarray(sigma, np.float64), used.shape), 0.0)
    enough = used.sum(-1) >= 2
    xyz = _start(seen, weight, enough)
    miss, J, depth = _miss(seen, weight, xyz)
    cost = (miss**2).sum((1, 2))
    going = np.flatnonzero(enough)
    for _ in range(NEWTON_STEPS):
        if not len(going):
            break
        part = seen.at(going)
        step = _solve(_gram(J[going]), _pull(J[going], miss[going]))
        moved = xyz[going] - step
        new_miss, new_J, new_depth = _miss(part, weight[going], moved)
        new_cost = (new_miss**2).sum((1, 2))
        better = new_cost <= cost[going]
        rows = going[better]
        xyz[rows], miss[rows], J[rows] = moved[better], new_miss[better], new_J[better]
        depth[rows], cost[rows] = new_depth[better], new_cost[better]
        going = going[better & (np.abs(step).max(-1) > SETTLED)]
    return _finished(seen, used, enough, xyz, J, depth)


def _finished(seen: Seen, used: Flags, enough: Flags, xyz: Floats, J: Floats, depth: Floats) -> Fit:
    gram = np.where(enough[:, None, None], _gram(J), np.eye(3))
    covariance = _inverse(gram)
    leverage = np.einsum("nvij,njk,nvik->nv", J, covariance, J, optimize=True)
    residual = _pixels(seen, xyz, depth)
    nothing = ~enough[:, None]
    return Fit(
        np.where(nothing, np.nan, xyz),
        np.where(nothing[..., None], np.nan, covariance),
        np.where(seen.known & ~nothing, residual, np.nan),
        np.where(used & ~nothing, leverage, np.nan),
        np.where(nothing, np.nan, depth),
    )


def agreeing(seen: Seen, sigma: ArrayLike, gate: float = GATE) -> Flags:
    """Choose the views (N, V) that agree about each point, given the standard deviation sigma (N, V) px of each.

    Where all views agree they are kept. Elsewhere pairs of views each propose a point, and the one wins whose
    residuals, cut off at the gate, sum to least (Torr and Zisserman, "MLESAC", CVIU 2000: M-SAC); then views enter and
    leave by their residual until none changes. Two views that contradict each other are no point: none is kept.
    """
    spread = np.broadcast_to(np.asarray(sigma, np.float64), seen.known.shape)
    used = seen.known.copy()
    first = fit(seen, used, spread)
    open_ = np.flatnonzero((_excess(first, used, spread) > gate).any(-1) | _behind(first, used).any(-1))
    if len(open_):
        part, wide = seen.at(open_), spread[open_]
        used[open_] = _settled(part, wide, _voted(part, wide, gate), gate)
    return used


def angle(seen: Seen, xyz: Floats, used: Flags) -> Floats:
    """Return (N,) radians, the widest angle between the rays of two used views; NaN where there are not two."""
    centers = -np.einsum("vji,vj->vi", seen.R, seen.t)
    towards = xyz[:, None] - centers
    with np.errstate(invalid="ignore", divide="ignore"):
        towards = towards / np.linalg.norm(towards, axis=-1, keepdims=True)
    cosine = np.einsum("nvi,nwi->nvw", towards, towards)
    both = used[:, :, None] & used[:, None, :]
    least = np.where(both, cosine, np.inf).min((1, 2))
    flat = np.arccos(np.clip(np.nan_to_num(least, nan=1.0, posinf=1.0), -1, 1))
    return np.where(used.sum(-1) >= 2, np.minimum(flat, np.pi - flat), np.nan)


def view_pairs(count: int, centers: Floats, most: int = MOST_PAIRS) -> list[tuple[int, int]]:
    """Return pairs of views; of many, those that see from the most different sides, each view equally often."""
    pairs = list(combinations(range(count), 2))
    if len(pairs) <= most:
        return pairs
    side = centers - centers.mean(0)
    side = side / np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-12)
    crossing = {(a, b): float(np.linalg.norm(np.cross(side[a], side[b]))) for a, b in pairs}
    chosen: list[tuple[int, int]] = []
    times = np.zeros(count, int)
    while len(chosen) < most:
        left = [pair for pair in pairs if pair not in chosen]
        best = min(left, key=lambda pair: (times[pair[0]] + times[pair[1]], -round(crossing[pair], 6)))
        chosen.append(best)
        times[list(best)] += 1
    return chosen


def _rows(seen: Seen, rays: Floats, weight: Floats) -> Floats:
    """(N, V, 2, 3) the rows that a view contributes, in px over sigma, at depth 1."""
    rows = rays[..., :, None] * seen.R[:, None, 2] - seen.R[:, :2]
    return weight[..., None, None] * (seen.metric @ rows)


def _start(seen: Seen, weight: Floats, enough: Flags) -> Floats:
    rows = _rows(seen, seen.rays, weight)
    right = weight[..., None] * (seen.metric @ (seen.t[:, :2] - seen.rays * seen.t[:, 2:])[..., None])[..., 0]
    depth = np.maximum(np.abs(seen.t[:, 2]), NEAREST) * np.ones(weight.shape)
    xyz = np.zeros((len(weight), 3))
    for _ in range(1 + REWEIGHTS):
        A, b = rows / depth[..., None, None], right / depth[..., None]
        xyz = _solve(_gram(A), _pull(A, b))
        depth = np.maximum(np.abs(xyz @ seen.R[:, 2].T + seen.t[:, 2]), NEAREST)
    return np.where(enough[:, None], xyz, 0.0)


def _miss(seen: Seen, weight: Floats, xyz: Floats) -> tuple[Floats, Floats, Floats]:
    """Return residuals (N, V, 2) and their slopes (N, V, 2, 3) by the point, over sigma; depth (N, V)."""
    at = np.einsum("vij,nj->nvi", seen.R, xyz) + seen.t
    depth = np.where(np.abs(at[..., 2]) < 1e-9, 1e-9, at[..., 2])
    image = at[..., :2] / depth[..., None]
    miss = weight[..., None] * (seen.metric @ (image - seen.rays)[..., None])[..., 0]
    return miss, -_rows(seen, image, weight) / depth[..., None, None], at[..., 2]


def _pixels(seen: Seen, xyz: Floats, depth: Floats) -> Floats:
    miss, _, _ = _miss(seen, np.ones(depth.shape), xyz)
    return np.linalg.norm(miss, axis=-1)


def _gram(J: Floats) -> Floats:
    rows = J.reshape(len(J), -1, 3)
    return rows.transpose(0, 2, 1) @ rows


def _pull(J: Floats, miss: Floats) -> Floats:
    rows = J.reshape(len(J), -1, 3)
    return (rows.transpose(0, 2, 1) @ miss.reshape(len(J), -1, 1))[..., 0]


def _inverse(gram: Floats) -> Floats:
    """Invert symmetric matrices (..., 3, 3) by their adjugates, far faster than one by one; inf where singular."""
    a, b, c = gram[..., 0, 0], gram[..., 0, 1], gram[..., 0, 2]
    d, e, f = gram[..., 1, 1], gram[..., 1, 2], gram[..., 2, 2]
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    whole = np.stack([A, B, C, B, D, E, C, E, F], axis=-1).reshape(*a.shape, 3, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(whole / (a * A + b * B + c * C)[..., None, None])


def _solve(gram: Floats, right: Floats) -> Floats:
    solved = (_inverse(gram) @ right[..., None])[..., 0]
    return np.where(np.isfinite(solved), solved, 0.0)


def _excess(found: Fit, used: Flags, sigma: Floats) -> Floats:
    """Return squared residuals (N, V) over what is expected of them; of two used views, those of one freedom."""
    count = used.sum(-1, keepdims=True)
    spare = np.where(used, 1 - np.nan_to_num(found.leverage) / 2, 1 + _reach(found, used))
    square = (found.residual / sigma) ** 2
    both = np.where(used, square, 0.0).sum(-1, keepdims=True) * (GATE / GATE_OF_TWO)
    own = np.where((count == 2) & used, both, square / np.maximum(spare, 0.05))
    return np.where(np.isfinite(own), own, np.where(used, np.inf, 0.0))


def _reach(found: Fit, used: Flags) -> Floats:
    """Return how much less sure (N, V) the image of a point is in a view that it was not made of: a mean leverage."""
    count = np.maximum(used.sum(-1, keepdims=True), 1)
    return np.broadcast_to(1.5 / np.maximum(count - 1.5, 0.25), used.shape)


def _behind(found: Fit, used: Flags) -> Flags:
    return used & ~(found.depth > 0)


def _voted(seen: Seen, sigma: Floats, gate: float) -> Flags:
    """Return the views (N, V) near the point that the best pair of views proposes."""
    centers = -np.einsum("vji,vj->vi", seen.R, seen.t)
    pairs = np.array(view_pairs(seen.known.shape[1], centers))
    weight = np.where(seen.known, 1 / sigma, 0.0) / np.maximum(np.abs(seen.t[:, 2]), NEAREST)
    rows = _rows(seen, seen.rays, weight)
    right = weight[..., None] * (seen.metric @ (seen.t[:, :2] - seen.rays * seen.t[:, 2:])[..., None])[..., 0]
    gram = rows.transpose(0, 1, 3, 2) @ rows
    pull = (rows.transpose(0, 1, 3, 2) @ right[..., None])[..., 0]
    first, second = pairs.T
    proposed = _solve(gram[:, first] + gram[:, second], pull[:, first] + pull[:, second])
    both = seen.known[:, first] & seen.known[:, second]
    cost, near = _judged(seen, sigma, proposed, gate)
    best = np.where(both, cost, np.inf).argmin(1)
    chosen = near[np.arange(len(best)), best]
    chosen[np.arange(len(best))[:, None], pairs[best]] = True
    return chosen & seen.known & both.any(1)[:, None]


def _judged(seen: Seen, sigma: Floats, proposed: Floats, gate: float) -> tuple[Floats, Flags]:
    """Return the cost (N, H) of proposed points (N, H, 3) and the views (N, H, V) near each; a wide gate for them."""
    at = np.einsum("vij,nhj->nhvi", seen.R, proposed, optimize=True) + seen.t
    depth = at[..., 2]
    away = at[..., :2] / np.where(np.abs(depth) < 1e-9, 1e-9, depth)[..., None] - seen.rays[:, None]
    m = seen.metric[:, None] / sigma[:, None, :, None, None]
    square = (m[..., 0, 0] * away[..., 0] + m[..., 0, 1] * away[..., 1]) ** 2
    square += (m[..., 1, 0] * away[..., 0] + m[..., 1, 1] * away[..., 1]) ** 2
    square = np.where(depth > 0, square, np.inf)
    known = seen.known[:, None]
    return np.where(known, np.minimum(square, 2 * gate), 0.0).sum(-1), known & (square < 2 * gate)


def _settled(seen: Seen, sigma: Floats, used: Flags, gate: float) -> Flags:
    """Let views enter and leave, the worst first, until all that are used agree and no other does."""
    views, used = used.shape[1], used.copy()
    going = np.arange(len(used))
    for turn in range(2 * views):
        part, own = seen.at(going), used[going]
        found = fit(part, own, sigma[going])
        excess = np.where(_behind(found, own), np.inf, _excess(found, own, sigma[going]))
        worst = np.where(own, excess, -1.0).argmax(-1)
        rows = np.arange(len(going))
        leaves = own.any(-1) & (excess[rows, worst] > gate)
        none = leaves & (own.sum(-1) <= 2)
        enters = ~own & part.known & (excess < gate) & (found.depth > 0) & ~leaves[:, None]
        if turn >= views:
            enters &= False
        own[rows[leaves], worst[leaves]] = False
        own[none] = False
        used[going] = own | enters
        going = going[(leaves & ~none) | enters.any(-1)]
        if not len(going):
            break
    return used
