"""Triangulation of many points at once, by least squares in pixels over the views that agree.

Everything is batched over N points: joints, people and frames alike. Axes: N points, V views. Cameras should be in
the frame that follows them (`frame.canonical`), where lengths are near 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.camera import Camera

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

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
REWEIGHTS, NEWTON_STEPS = 2, 3
NEAREST = 0.02
"""No depth is taken to be less than this, in the unit of the frame."""


class Seen(NamedTuple):
    """What the views say of points, ready to be solved.

    rays (N, V, 2), 0 where unknown; metric (N, V, 2, 2) px per ray; known (N, V); the cameras' R (V, 3, 3), t (V, 3).
    rows (N, V, 2, 3) and right (N, V, 2): at depth z a point X is (rows X - right) / z px away from what a view saw.
    moments (N, V, 9): the products of a view's rows with themselves (xx xy xz yy yz zz) and with its right side.
    """

    rays: Floats
    metric: Floats
    known: Flags
    R: Floats
    t: Floats
    rows: Floats
    right: Floats
    moments: Floats

    def at(self, places: NDArray[Any] | slice) -> Seen:
        """Return what is known of some of the points, given by places, flags or a slice."""
        some: dict[str, Any] = {name: a[places] for name, a in self._asdict().items() if name not in "Rt"}
        return self._replace(**some)


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
    known = np.asarray(np.isfinite(rays).all(-1))
    rays = np.where(known[..., None], rays, 0.0)
    metric = np.stack([camera.pixels_per_ray(rays[:, v]) for v, camera in enumerate(cameras)], axis=1)
    R, t = np.stack([c.R for c in cameras]), np.stack([c.t for c in cameras])
    nothing = np.zeros((*known.shape, 2, 3))
    return placed(Seen(rays, metric, known, R, t, nothing, nothing[..., 0], nothing[..., 0]), R, t)


def placed(seen: Seen, R: Floats, t: Floats) -> Seen:
    """Return the same observations with the cameras elsewhere; their lenses stay."""
    rows = _rows(seen.rays, seen.metric, R)
    right = (seen.metric @ (t[:, :2] - seen.rays * t[:, 2:])[..., None])[..., 0]
    return seen._replace(R=R, t=t, rows=rows, right=right, moments=moments(rows, right))


def fit(seen: Seen, used: Flags, sigma: ArrayLike) -> Fit:
    """Solve for the points (N, 3) that the used views (N, V) put nearest, by least squares in pixels.

        X = argmin sum_v |M_v (ray_v - pi(R_v X + t_v))|^2 / sigma_v^2,   covariance = (sum_v J_v' J_v / sigma_v^2)^-1

    M is how the picture moves with the ray where the view saw the point: exact for a pinhole, of first order for a
    lens. sigma (N, V) px. A linear solution, reweighted by depth, starts Gauss and Newton's steps.
    """
    used = used & seen.known
    enough = used.sum(-1) >= 2
    weight = np.where(used, 1.0 / np.broadcast_to(np.asarray(sigma, np.float64), used.shape), 0.0)
    xyz = linear(seen, weight)
    for _ in range(NEWTON_STEPS):
        miss, _ = _miss(seen, xyz)
        at = (xyz @ seen.R.reshape(-1, 3).T).reshape(*used.shape, 3) + seen.t
        depth = np.where(np.abs(at[..., 2]) < NEAREST, NEAREST, at[..., 2])[..., None]
        J = _rows(at[..., :2] / depth, seen.metric, seen.R) * (weight[..., None] / depth)[..., None]
        xyz = xyz + _solved(moments(J, miss * weight[..., None]).sum(1))
    return _finished(seen, used, enough, xyz, J)


def linear(seen: Seen, weight: Floats) -> Floats:
    """Solve for the points (N, 3) by linear least squares, reweighted by depth; weight (N, V) is 1 / sigma, or 0.

    What it finds differs from `fit` by less than a hundredth of the error that the points have.
    """
    depth = np.maximum(np.abs(seen.t[:, 2]), NEAREST) * np.ones(weight.shape)
    for _ in range(1 + REWEIGHTS):
        xyz = _solved(np.einsum("nv,nvk->nk", (weight / depth) ** 2, seen.moments))
        depth = np.maximum(np.abs(xyz @ seen.R[:, 2].T + seen.t[:, 2]), NEAREST)
    return xyz


def _finished(seen: Seen, used: Flags, enough: Flags, xyz: Floats, J: Floats) -> Fit:
    gram = moments(J, J[..., 0]).sum(1)[:, :6]
    covariance = _inverse(np.where(enough[:, None], gram, [1.0, 0, 0, 1, 0, 1]))
    leverage = np.einsum("nvij,njk,nvik->nv", J, covariance, J, optimize=True)
    miss, depth = _miss(seen, xyz)
    nothing = ~enough[:, None]
    return Fit(
        np.where(nothing, np.nan, xyz),
        np.where(nothing[..., None], np.nan, covariance),
        np.where(seen.known & ~nothing, np.linalg.norm(miss, axis=-1), np.nan),
        np.where(used & ~nothing, leverage, np.nan),
        np.where(nothing, np.nan, depth),
    )


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


def _rows(rays: Floats, metric: Floats, R: Floats) -> Floats:
    return np.asarray(metric @ (rays[..., :, None] * R[:, None, 2] - R[:, :2]))


def moments(rows: Floats, right: Floats) -> Floats:
    """Rows (..., 2, 3) and right (..., 2) to the nine numbers of the normal equations."""
    x, y, z = (rows[..., k] for k in range(3))
    products = (x * x, x * y, x * z, y * y, y * z, z * z, x * right, y * right, z * right)
    return np.stack([p[..., 0] + p[..., 1] for p in products], axis=-1)


def _miss(seen: Seen, xyz: Floats) -> tuple[Floats, Floats]:
    """Return how far (N, V, 2) px the points' images lie from what the views saw, and the depth (N, V)."""
    depth = xyz @ seen.R[:, 2].T + seen.t[:, 2]
    away = (seen.rows @ xyz[:, None, :, None])[..., 0] - seen.right
    return -away / np.where(np.abs(depth) < 1e-9, 1e-9, depth)[..., None], depth


def _inverse(six: Floats) -> Floats:
    """Invert symmetric matrices, given as (..., 6), by their adjugates; NaN or inf where they are singular."""
    a, b, c, d, e, f = np.moveaxis(six, -1, 0)
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    whole = np.stack([A, B, C, B, D, E, C, E, F], axis=-1).reshape(*a.shape, 3, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(whole / (a * A + b * B + c * C)[..., None, None])


def _solved(moments: Floats) -> Floats:
    """Solve normal equations (..., 9); 0 where they are singular."""
    a, b, c, d, e, f, x, y, z = np.moveaxis(moments, -1, 0)
    A, B, C = d * f - e * e, c * e - b * f, b * e - c * d
    D, E, F = a * f - c * c, b * c - a * e, a * d - b * b
    whole = np.stack([A * x + B * y + C * z, B * x + D * y + E * z, C * x + E * y + F * z], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = whole / (a * A + b * B + c * C)[..., None]
    return np.where(np.isfinite(found), found, 0.0)


def _excess(seen: Seen, used: Flags, sigma: Floats, gate: Floats) -> tuple[Floats, Floats]:
    """Return squared residuals (N, V) as shares of what the gate lets pass, and depths (N, V).

    A used view has followed its own error by its leverage, another one sees the error of the point beside its own;
    both are taken as if all views stood alike. Two views leave one freedom, on which both are judged.
    """
    miss, depth = _miss(seen, linear(seen, np.where(used, 1 / sigma, 0.0)))
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
    proposed = _solved(moments[:, pairs[:, 0]] + moments[:, pairs[:, 1]])
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
