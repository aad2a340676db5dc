"""Points in space from points in pictures: the textbook's ways, and what EpipolarPose does.

What is robust, weighted by errors and explains itself is in `robust`. Projection matrices P (V, 3, 4) take the
world to whatever unit the points have: pixels, or rays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.camera import Camera
from posewright.geometry.epipolar import fundamental_from_cameras
from posewright.geometry.frame import canonical

Floats = NDArray[np.float64]

ITERATIONS, SETTLED = 10, 3e-5
"""Rounds of the iterative method, and the change of both depths at which it stops, as in the released code."""


def triangulate(cameras: Sequence[Camera], points: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Return the points (N, 3) mm that lie nearest to what the cameras saw, in pixels.

        X = argmin sum_v w_v |K_v (ray_v - pi(R_v X + t_v))|^2

    points (V, N, 2) px, NaN where a view does not see the point; weights (V, N), 1 where not given: 1/sigma^2 px of
    a view. NaN where fewer than two views see it. Started by the direct linear transform and refined by Gauss and
    Newton's steps, both in a frame that follows the cameras, so that the unit, the origin and the order of the
    cameras change nothing. Hartley and Zisserman 2004, sections 12.2 and 12.3 for any number of views.

    >>> rig = [Camera(np.diag([800, 800, 1]), np.eye(3), [x, 0, 0]) for x in (-500, 500)]
    >>> triangulate(rig, [c.project([[100, 50, 4000]]) for c in rig]).round(6)
    array([[ 100.,   50., 4000.]])
    """
    from posewright.geometry.solve import fit, observe

    frame = canonical(cameras)
    seen = observe(frame.cameras, points)
    given = np.ones(seen.known.shape) if weights is None else np.asarray(weights, np.float64).T
    used = seen.known & (given > 0)
    sigma = 1 / np.sqrt(np.where(used, given, 1.0))
    return frame.back(fit(seen, used, sigma).xyz)


def dlt(P: ArrayLike, points: ArrayLike) -> Floats:
    """Return the null vectors (N, 3) of rows x P_3 - P_1, y P_3 - P_2: the direct linear transform, as OpenCV has it.

    points (V, N, 2), NaN where a view does not see the point; NaN where fewer than two do. What it minimises has no
    meaning, and changes with the unit and the origin of P: see `triangulate`. Hartley and Zisserman 2004, 12.2.
    """
    rows, known = _rows(P, points)
    X = np.linalg.svd(rows)[2][:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((known >= 2)[:, None], X[:, :3] / X[:, 3:], np.nan)


def linear_least_squares(P: ArrayLike, points: ArrayLike) -> Floats:
    """Return what `dlt` does with the fourth coordinate fixed to 1 (Hartley and Sturm 1997, section 5.1)."""
    rows, known = _rows(P, points)
    A, b = rows[..., :3], -rows[..., 3:]
    few = known < 2
    normal = np.where(few[:, None, None], np.eye(3), A.transpose(0, 2, 1) @ A)
    X = np.linalg.solve(normal, A.transpose(0, 2, 1) @ b)[..., 0]
    return np.where(few[:, None], np.nan, X)


def iterative_least_squares(P: ArrayLike, points: ArrayLike) -> tuple[Floats, NDArray[np.int_]]:
    """Return the points (N, 3) and their status (N,) as EpipolarPose's released self-supervision finds them.

    Every round divides a view's two rows by the point's depth there and solves again. Departure of that code
    from Hartley and Sturm (1997, section 5.2), kept here: rows are divided again and again, never restored. Status: 1
    in front of both cameras, -1, -2, -3 behind the first, the second, both. points (2, N, 2), all known; raises
    ValueError otherwise.
    """
    rows, known = _rows(P, points)
    if rows.shape[1] != 4 or (known < 2).any():
        raise ValueError("the iterative method takes two views that see every point")
    depth_rows = np.asarray(P, np.float64)[:, 2]
    depths, going = np.ones((len(rows), 2)), np.ones(len(rows), bool)
    X = np.zeros((len(rows), 3))
    for _ in range(ITERATIONS):
        A = rows[going]
        X[going] = np.linalg.lstsq(A[0, :, :3], -A[0, :, 3], rcond=None)[0] if len(A) == 1 else _solved(A)
        now = X @ depth_rows[:, :3].T + depth_rows[:, 3]
        moving = going & ~(np.abs(now - depths) <= SETTLED).all(-1)
        rows[moving] /= np.repeat(now[moving], 2, axis=1)[..., None]
        depths, going = np.where(going[:, None], now, depths), moving
        if not going.any():
            break
    behind = X @ depth_rows[:, :3].T + depth_rows[:, 3] <= 0
    return X, np.where(behind.any(-1), -(behind @ [1, 2]), 1)


def polynomial(P: ArrayLike, points: ArrayLike) -> Floats:
    """Return the points (N, 3) whose projections are nearest to those of two views (2, N, 2), by `nearest_matches`.

    Hartley and Sturm, "Triangulation", CVIU 1997. Raises ValueError unless there are two views.
    """
    first, second = np.asarray(P, np.float64)
    return dlt(P, np.stack(nearest_matches(fundamental_from_cameras(first, second), *np.asarray(points, np.float64))))


def nearest_matches(F: Floats, x1: ArrayLike, x2: ArrayLike) -> tuple[Floats, Floats]:
    """Move pairs (N, 2) by the least squared distance in both pictures so that hom(x2)^T F hom(x1) = 0.

    The optimum is at a root of a polynomial of degree six, or at infinity (Hartley and Zisserman 2004, algorithm
    12.1). F may have any scale (cv2.correctMatches is off by up to 0.01 px for one of norm 1). NaN stays NaN.
    """
    first, second = np.asarray(x1, np.float64), np.asarray(x2, np.float64)
    moved = np.full((2, *first.shape), np.nan)
    for n in np.flatnonzero(np.isfinite(first).all(-1) & np.isfinite(second).all(-1)):
        moved[0, n], moved[1, n] = _nearest(F / np.linalg.norm(F), first[n], second[n])
    return moved[0], moved[1]


def vector_median(candidates: ArrayLike) -> tuple[Floats, NDArray[np.intp]]:
    """Choose of candidates (..., C, D) the one whose summed distance to the others is least, the first of equals.

    It is a sample, not an average: a wild candidate does not move it. NaN candidates do not count; where all are,
    the answer is NaN and the place -1. Returns the points (..., D) and their places (...). Astola, Haavisto and Neuvo,
    "Vector median filters", Proc. IEEE 1990; EpipolarPose takes it over pairs of cameras.

    >>> vector_median([[0, 0], [1, 0], [50, 0]])
    (array([1., 0.]), array(1))
    """
    points = np.asarray(candidates, np.float64)
    known = np.asarray(np.isfinite(points).all(-1))
    filled = np.where(known[..., None], points, 0.0)
    apart = np.linalg.norm(filled[..., :, None, :] - filled[..., None, :, :], axis=-1) * known[..., None, :]
    sums = np.where(known, apart.sum(-1), np.inf)
    place = np.asarray(sums.argmin(-1))
    chosen = np.take_along_axis(points, place[..., None, None], axis=-2)[..., 0, :]
    some = np.asarray(known.any(-1))
    return np.where(some[..., None], chosen, np.nan), np.where(some, place, -1)


def _rows(P: ArrayLike, points: ArrayLike) -> tuple[Floats, NDArray[np.int_]]:
    """Build (N, 2V, 4) the rows of the linear system, zero where a view does not see; and count views (N,)."""
    matrices, xy = np.asarray(P, np.float64)[:, None], np.asarray(points, np.float64)
    known = np.asarray(np.isfinite(xy).all(-1))
    rows = np.where(known[..., None], xy, 0.0)[..., None] * matrices[:, :, 2:] - matrices[:, :, :2]
    rows = np.where(known[..., None, None], rows, 0.0)
    return rows.transpose(1, 0, 2, 3).reshape(xy.shape[1], -1, 4), known.sum(0)


def _solved(rows: Floats) -> Floats:
    """Solve least squares (N, 4, 4), the last column being the negative right side, by QR."""
    Q, R = np.linalg.qr(rows[..., :3])
    return np.linalg.solve(R, Q.transpose(0, 2, 1) @ -rows[..., 3:])[..., 0]


def _nearest(F: Floats, x1: Floats, x2: Floats) -> tuple[Floats, Floats]:
    """Hartley and Zisserman's algorithm 12.1 for one pair."""
    T1, T2 = np.eye(3), np.eye(3)
    T1[:2, 2], T2[:2, 2] = x1, x2
    moved = T2.T @ F @ T1
    U, _, Vt = np.linalg.svd(moved)
    e1, e2 = Vt[2] / np.hypot(*Vt[2, :2]), U[:, 2] / np.hypot(*U[:2, 2])
    R1, R2 = (np.array([[e[0], e[1], 0], [-e[1], e[0], 0], [0, 0, 1]]) for e in (e1, e2))
    turned = R2 @ moved @ R1.T
    a, b, c, d = turned[1, 1], turned[1, 2], turned[2, 1], turned[2, 2]
    f1, f2 = e1[2], e2[2]
    t = _best_line(a, b, c, d, f1, f2)
    if np.isinf(t):
        lines = np.array([f1, 0.0, -1.0]), np.array([-f2 * c, a, c])
    else:
        lines = np.array([t * f1, 1.0, -t]), np.array([-f2 * (c * t + d), a * t + b, c * t + d])
    one, two = (np.array([-n[0] * n[2], -n[1] * n[2], n[0] ** 2 + n[1] ** 2]) for n in lines)
    one, two = T1 @ R1.T @ one, T2 @ R2.T @ two
    return one[:2] / one[2], two[:2] / two[2]


def _best_line(a: float, b: float, c: float, d: float, f1: float, f2: float) -> float:
    """Return the parameter of the epipolar line of least squared distance; infinity where that is the limit."""
    poly = np.polynomial.polynomial
    p, q = np.array([b, a]), np.array([d, c])
    near = poly.polyadd(poly.polymul(p, p), f2**2 * poly.polymul(q, q))
    far = poly.polypow([1, 0, f1**2], 2)
    g = poly.polysub(
        poly.polymul([0, 1], poly.polymul(near, near)), (a * d - b * c) * poly.polymul(far, poly.polymul(p, q))
    )
    t = np.polynomial.Polynomial(g).trim().roots().real
    cost = t**2 / (1 + f1**2 * t**2) + (c * t + d) ** 2 / ((a * t + b) ** 2 + f2**2 * (c * t + d) ** 2)
    limit = (1 / f1**2 if f1 else np.inf) + c**2 / (a**2 + f2**2 * c**2)
    return float(t[cost.argmin()]) if cost.min() <= limit else np.inf
