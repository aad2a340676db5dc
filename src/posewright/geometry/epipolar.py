"""What two views say about each other: fundamental and essential matrices, and the way between two cameras.

hom(x2)^T F hom(x1) = 0 and X2 = R X1 + t throughout, as OpenCV has them; the EpipolarPose paper writes the
transpose. Hartley and Zisserman, "Multiple View Geometry", 2nd edition (2004), chapters 9 to 11.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEWEST = 8
FEWEST_RANSAC = 15
"""Points without which cv2.findFundamentalMat silently runs least median of squares instead of RANSAC."""
REFITS = 5
"""Rounds of the 8-point algorithm on RANSAC's inliers: OpenCV returns the best minimal model as it is."""


class Motion(NamedTuple):
    """The second camera from the first: R (3, 3), t (3,) of length 1; how many points lie before both; the points.

    front (4,) counts for the four candidates; points (N, 3) in units of the baseline, in the first camera's frame.
    """

    R: Floats
    t: Floats
    front: NDArray[np.intp]
    points: Floats


def fundamental_from_cameras(P1: ArrayLike, P2: ArrayLike) -> Floats:
    """Return F (3, 3), of norm 1, of two projection matrices (3, 4): with M = P2 P1^-1 as 4x4, F = [m]x M_33.

    The first camera may look anywhere; its matrix must have rank 3. F[2, 2] is not negative.
    """
    whole = [np.vstack([np.asarray(P, np.float64), [0, 0, 0, 1]]) for P in (P1, P2)]
    M = whole[1] @ np.linalg.inv(whole[0])
    return _unit(cross_matrix(M[:3, 3]) @ M[:3, :3])


def cross_matrix(vector: ArrayLike) -> Floats:
    """Return [v]x (..., 3, 3), with [v]x w = v x w, of vectors (..., 3).

    >>> cross_matrix([1, 2, 3]) @ [4, 5, 6]
    array([-3.,  6., -3.])
    """
    x, y, z = np.moveaxis(np.asarray(vector, np.float64), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def eight_point(x1: ArrayLike, x2: ArrayLike) -> Floats:
    """Fit F (3, 3) to N >= 8 pairs of points (N, 2) px: least eigenvector, then rank 2 (algorithm 11.1).

    Points are moved to mean 0 and mean distance sqrt 2 first. F has norm 1 and F[2, 2] >= 0. In float64; OpenCV
    rounds its input to float32. Raises ValueError for fewer points, or NaN.
    """
    first, second = _pairs(x1, x2, FEWEST)
    T1, T2 = _normaliser(first), _normaliser(second)
    one, two = _hom(first) @ T1.T, _hom(second) @ T2.T
    rows = (two[:, :, None] * one[:, None, :]).reshape(-1, 9)
    U, S, Vt = np.linalg.svd(np.linalg.eigh(rows.T @ rows)[1][:, 0].reshape(3, 3))
    return _unit(np.asarray(T2.T @ (U * np.array([S[0], S[1], 0.0])) @ Vt @ T1, np.float64))


def fundamental_ransac(x1: ArrayLike, x2: ArrayLike, threshold: float = 1.0) -> tuple[Floats, Flags]:
    """Fit F to pairs of points (N, 2) px of which some are wrong; returns F (3, 3) and the inliers (N,).

    OpenCV's RANSAC on samples of seven finds the largest set of points whose distances to both epipolar lines
    are at most `threshold` px; `REFITS` rounds of `eight_point` on the inliers follow, which OpenCV leaves out.
    Raises ValueError for fewer than 15 points: there OpenCV would not run RANSAC, and one pose never pins down two
    cameras (pool the joints of many poses), or where no model is found.
    """
    first, second = _pairs(x1, x2, FEWEST_RANSAC)
    F, _ = cv2.findFundamentalMat(first, second, cv2.FM_RANSAC, threshold, 0.999, 10_000)
    if F is None or F.shape != (3, 3):
        raise ValueError(f"no fundamental matrix fits {len(first)} pairs of points")
    best = _unit(np.asarray(F, np.float64))
    inliers = line_distances(best, first, second).max(0) <= threshold
    for _ in range(REFITS):
        if inliers.sum() < FEWEST:
            break
        best = eight_point(first[inliers], second[inliers])
        inliers = line_distances(best, first, second).max(0) < threshold
    return best, inliers


def line_distances(F: Floats, x1: ArrayLike, x2: ArrayLike) -> Floats:
    """Return (2, N) px between points and the epipolar lines of their partners, in the first and second picture."""
    first, second = _hom(x1), _hom(x2)
    miss = np.abs(np.einsum("...i,ij,...j->...", second, F, first))
    in2, in1 = first @ F.T, second @ F
    return np.stack([miss / np.hypot(in1[..., 0], in1[..., 1]), miss / np.hypot(in2[..., 0], in2[..., 1])])


def sampson(F: Floats, x1: ArrayLike, x2: ArrayLike) -> Floats:
    """Return (...) the squared px, to first order, by which pairs (..., 2) must move to meet F (equation 11.9)."""
    first, second = _hom(x1), _hom(x2)
    in2, in1 = first @ F.T, second @ F
    miss = (second * in2).sum(-1)
    return np.asarray(miss**2 / (in1[..., :2] ** 2 + in2[..., :2] ** 2).sum(-1))


def essential(F: ArrayLike, K1: ArrayLike, K2: ArrayLike) -> Floats:
    """Return E = K2^T F K1 (3, 3); each camera has its own K, where the EpipolarPose paper writes one."""
    return np.asarray(K2, np.float64).T @ np.asarray(F, np.float64) @ np.asarray(K1, np.float64)


def motions(E: ArrayLike) -> tuple[Floats, Floats]:
    """Return the four ways (R (4, 3, 3), t (4, 3)) between two cameras that an essential matrix allows (9.6.2)."""
    U, _, Vt = np.linalg.svd(np.asarray(E, np.float64))
    U, Vt = U * np.linalg.det(U), Vt * np.linalg.det(Vt)
    W = np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])
    turns = [U @ W @ Vt, U @ W.T @ Vt]
    return np.stack([turns[0], turns[0], turns[1], turns[1]]), np.stack([U[:, 2], -U[:, 2]] * 2)


def motion(E: ArrayLike, rays1: ArrayLike, rays2: ArrayLike) -> Motion:
    """Choose the way between two cameras by which most points lie before both (cheirality).

    rays (N, 2): x/z and y/z, see `Camera.rays`. Raises ValueError without points or with NaN.
    """
    from posewright.geometry.triangulation import dlt

    one, two = _pairs(rays1, rays2, 1)
    R, t = motions(E)
    first = np.eye(3, 4)
    found = [dlt(np.stack([first, np.column_stack([r, s])]), np.stack([one, two])) for r, s in zip(R, t, strict=True)]
    front = [((X[:, 2] > 0) & ((X @ r.T + s)[:, 2] > 0)).sum() for X, r, s in zip(found, R, t, strict=True)]
    best = int(np.argmax(front))
    return Motion(R[best], t[best], np.array(front), found[best])


def _pairs(x1: ArrayLike, x2: ArrayLike, fewest: int) -> tuple[Floats, Floats]:
    first, second = np.asarray(x1, np.float64), np.asarray(x2, np.float64)
    if first.shape != second.shape or first.ndim != 2 or first.shape[1] != 2:
        raise ValueError(f"points must be (N, 2) twice, not {first.shape} and {second.shape}")
    if len(first) < fewest:
        raise ValueError(f"{len(first)} pairs of points; at least {fewest} are needed")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("points must have a place; leave out pairs with NaN")
    return first, second


def _hom(points: ArrayLike) -> Floats:
    xy = np.asarray(points, np.float64)
    return np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)


def _normaliser(xy: Floats) -> Floats:
    mean = xy.mean(0)
    scale = np.sqrt(2) / np.linalg.norm(xy - mean, axis=-1).mean()
    return np.array([[scale, 0, -scale * mean[0]], [0, scale, -scale * mean[1]], [0, 0, 1]])


def _unit(F: Floats) -> Floats:
    F = F / np.linalg.norm(F)
    return F if F[2, 2] >= 0 else -F
