"""Bundle adjustment: cameras and points moved together until the pictures fit (Triggs et al. 1999)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import csr_matrix
from scipy.spatial.transform import Rotation

from posewright.geometry.epipolar import cross_matrix
from posewright.geometry.solve import Flags, Floats, Seen

LOSS_SCALE = 2.5
"""Standard deviations beyond which a residual counts less than its square (soft L1)."""
STEPS = 60
CAMERA = 6
"""Numbers of a camera: a turn (Rodrigues, before R) and t."""


class Bundle(NamedTuple):
    """Cameras R (V, 3, 3), t (V, 3) and points (N, 3) that fit; how sure the free cameras are.

    information (6 free, 6 free): the inverse covariance of the free cameras' turns (radians) and t, points
    eliminated; singular along what nothing determines, as the scale. cost: half the sum of squares, in sigmas.
    """

    R: Floats
    t: Floats
    xyz: Floats
    information: Floats
    cost: float


def adjust(seen: Seen, used: Flags, sigma: Floats, xyz: Floats, free: Flags) -> Bundle:
    """Move the free cameras (V,) and all points (N, 3) to where the used observations (N, V) fit best.

    Residuals are px over sigma, beyond `LOSS_SCALE` taken by soft L1; intrinsics stay. scipy's trust-region
    solver works on the sparse Jacobian. Raises ValueError where a free camera has fewer than three points.
    """
    point, view = np.nonzero(used & np.isfinite(xyz).all(-1, keepdims=True))
    counts = np.bincount(view, minlength=len(free))
    if (free & (counts < CAMERA // 2)).any():
        raise ValueError(f"camera {int(np.argmax(free & (counts < 3)))} shares too few points to be placed")
    problem = _Problem(seen, point, view, 1 / sigma[point, view], np.nonzero(free)[0], len(xyz))
    start = problem.start(np.nan_to_num(xyz))
    found = least_squares(problem.residuals, start, problem.jacobian, method="trf", x_scale="jac", loss="soft_l1",
                          f_scale=LOSS_SCALE, tr_solver="lsmr", max_nfev=STEPS, ftol=1e-9, xtol=1e-10)  # fmt: skip
    R, t, points = problem.split(found.x)
    return Bundle(R, t, np.where(np.isfinite(xyz), points, np.nan), problem.information(found.x), float(found.cost))


class _Problem(NamedTuple):
    """Observations (O) of points by views, and which cameras are free (F)."""

    seen: Seen
    point: NDArray[np.intp]
    view: NDArray[np.intp]
    weight: Floats
    free: NDArray[np.intp]
    points: int

    def start(self, xyz: Floats) -> Floats:
        """Return the parameters: (turn, t) of each free camera, then the points."""
        cameras = np.concatenate([np.zeros((len(self.free), 3)), self.seen.t[self.free]], axis=1)
        return np.concatenate([cameras.ravel(), xyz.ravel()])

    def split(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return R, t of all cameras and the points."""
        cameras = x[: CAMERA * len(self.free)].reshape(-1, CAMERA)
        R, t = self.seen.R.copy(), self.seen.t.copy()
        R[self.free] = Rotation.from_rotvec(cameras[:, :3]).as_matrix() @ R[self.free]
        t[self.free] = cameras[:, 3:]
        return R, t, x[CAMERA * len(self.free) :].reshape(-1, 3)

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the points in their cameras' frames, turned alone and moved as well (O, 3)."""
        R, t, xyz = self.split(x)
        turned = np.einsum("oij,oj->oi", R[self.view], xyz[self.point])
        return turned, turned + t[self.view]

    def residuals(self, x: Floats) -> Floats:
        """Return (2 O,) px over sigma."""
        _, at = self.at(x)
        miss = at[:, :2] / _depth(at) - self.seen.rays[self.point, self.view]
        metric = self.seen.metric[self.point, self.view]
        return np.asarray((self.weight[:, None] * (metric @ miss[..., None])[..., 0]).ravel())

    def blocks(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the residuals' slopes by the camera (O, 2, 6) and by the point (O, 2, 3)."""
        R, _, _ = self.split(x)
        turned, at = self.at(x)
        depth = _depth(at)[..., None]
        image = at[:, :2, None] / depth
        slope = np.concatenate([np.broadcast_to(np.eye(2), (len(at), 2, 2)), -image], axis=2) / depth
        slope = self.weight[:, None, None] * (self.seen.metric[self.point, self.view] @ slope)
        turns = np.zeros((len(R), 3, 3))
        turns[self.free] = _left_jacobian(x[: CAMERA * len(self.free)].reshape(-1, CAMERA)[:, :3])
        by_turn = slope @ (-cross_matrix(turned) @ turns[self.view])
        return np.concatenate([by_turn, slope], axis=2), slope @ R[self.view]

    def jacobian(self, x: Floats) -> csr_matrix:
        """Return (2 O, 6 F + 3 N) sparse."""
        camera, point = self.blocks(x)
        place = np.full(len(self.seen.R), -1)
        place[self.free] = np.arange(len(self.free))
        is_free = place[self.view] >= 0
        first = CAMERA * len(self.free) + 3 * self.point
        rows = np.arange(2 * len(self.view)).reshape(-1, 2, 1)
        columns = np.broadcast_to(first[:, None, None] + np.arange(3), point.shape)
        own = (CAMERA * place[self.view])[:, None, None] + np.arange(CAMERA)
        data = np.concatenate([point.ravel(), camera[is_free].ravel()])
        row = np.concatenate([np.broadcast_to(rows, point.shape).ravel(),
                              np.broadcast_to(rows, camera.shape)[is_free].ravel()])  # fmt: skip
        column = np.concatenate([columns.ravel(), np.broadcast_to(own, camera.shape)[is_free].ravel()])
        return csr_matrix((data, (row, column)), shape=(2 * len(self.view), len(x)))

    def information(self, x: Floats) -> Floats:
        """Return (6 F, 6 F) what is known of the free cameras when the points are eliminated (Schur complement)."""
        J = self.jacobian(x)
        weight = np.sqrt(1 / np.sqrt(1 + (self.residuals(x) / LOSS_SCALE) ** 2))
        J = csr_matrix(J.multiply(weight[:, None]))
        n = CAMERA * len(self.free)
        A, B = J[:, :n], J[:, n:]
        own, mixed = (A.T @ A).toarray(), (A.T @ B).toarray().reshape(n, -1, 3).transpose(1, 0, 2)
        gram = (B.T @ B).tocsr()
        blocks = np.zeros((self.points, 3, 3))
        for i in range(3):
            for j in range(3):
                blocks[:, i, j] = np.asarray(
                    gram[np.arange(i, 3 * self.points, 3), np.arange(j, 3 * self.points, 3)]
                ).ravel()
        known = np.linalg.det(blocks) > 0
        solved = np.linalg.solve(blocks[known], mixed[known].transpose(0, 2, 1))
        return np.asarray(own - (mixed[known] @ solved).sum(0))


def _depth(at: Floats) -> Floats:
    return np.where(np.abs(at[:, 2:]) < 1e-9, 1e-9, at[:, 2:])


def _left_jacobian(turns: Floats) -> Floats:
    """Return (F, 3, 3) how a turn's Rodrigues vector (F, 3) turns further as it changes."""
    angle = np.linalg.norm(turns, axis=-1)[:, None, None]
    K = cross_matrix(turns)
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    a = np.where(small, 0.5, (1 - np.cos(safe)) / safe**2)
    b = np.where(small, 1 / 6, (safe - np.sin(safe)) / safe**3)
    return np.asarray(np.eye(3) + a * K + b * K @ K)
