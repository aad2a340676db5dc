"""Pinhole cameras with OpenCV's lens distortion, and the linear way back from several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

UNDISTORT_STEPS = 60
"""Fixed-point steps; each shrinks the error by the lens's distortion, about tenfold for a usual lens."""


@dataclass(frozen=True, eq=False)
class Camera:
    """See the world: X_camera = R X + t, then pixels by K after distortion.

    K (3, 3) px; R (3, 3); t (3,) mm; distortion (k1, k2, p1, p2, k3) as OpenCV orders them.
    x points right, y down, z forward; (0, 0) is the centre of the top-left pixel.
    Raises ValueError for matrices of another shape.

    >>> camera = Camera(np.diag([100.0, 100.0, 1.0]), np.eye(3), np.zeros(3))
    >>> camera.project([[10.0, 20.0, 1000.0]])
    array([[1., 2.]])
    """

    K: Floats
    R: Floats
    t: Floats
    distortion: Floats = field(default_factory=lambda: np.zeros(5))

    def __post_init__(self) -> None:
        for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,)), ("distortion", (5,))):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != shape:
                raise ValueError(f"camera: {name} must be {shape}, not {value.shape}")
            object.__setattr__(self, name, value)

    @property
    def center(self) -> Floats:
        """(3,) where the camera stands, mm in the world."""
        return -self.R.T @ self.t

    @property
    def matrix(self) -> Floats:
        """(3, 4) the projection matrix without distortion, pixels from world."""
        return self.K @ np.column_stack([self.R, self.t])

    def view(self, points: ArrayLike) -> Floats:
        """Points (..., 3) mm of the world in the camera's frame."""
        return np.asarray(points, np.float64) @ self.R.T + self.t

    def project(self, points: ArrayLike) -> Floats:
        """Points (..., 3) mm of the world to (..., 2) px; NaN for points behind the camera."""
        seen = self.view(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            radial, tangential = self._lens(seen[..., :2] / seen[..., 2:])
            distorted = seen[..., :2] / seen[..., 2:] * radial + tangential
        px = distorted @ self.K[:2, :2].T + self.K[:2, 2]
        return np.where(seen[..., 2:] > 0, px, np.nan)

    def rays(self, xy: ArrayLike) -> Floats:
        """Pixels (..., 2) to undistorted (..., 2) x/z and y/z in the camera's frame, by fixed-point iteration."""
        distorted = (np.asarray(xy, np.float64) - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        ray = distorted
        for _ in range(UNDISTORT_STEPS if self.distortion.any() else 0):
            radial, tangential = self._lens(ray)
            ray = (distorted - tangential) / radial
        return np.asarray(ray)

    def _lens(self, ray: Floats) -> tuple[Floats, Floats]:
        """Rays (..., 2) to their radial factor (..., 1) and tangential shift (..., 2), as OpenCV defines them."""
        k1, k2, p1, p2, k3 = self.distortion
        x, y = ray[..., :1], ray[..., 1:]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        shift = [2 * p1 * x * y + p2 * (r2 + 2 * x * x), 2 * p2 * x * y + p1 * (r2 + 2 * y * y)]
        return radial, np.concatenate(shift, axis=-1)


def triangulate(cameras: Sequence[Camera], points: ArrayLike) -> Floats:
    """Solve for the points that best explain what the cameras saw, by the direct linear transform.

        X = argmin |A X|, rows  x P_3 - P_1,  y P_3 - P_2

    points (V, N, 2) px, NaN where a view does not see the point. Returns (N, 3) mm, NaN where fewer
    than two views do. Hartley and Zisserman 2004, section 12.2; distortion is undone first.
    """
    seen = np.asarray(points, np.float64)
    rays = np.stack([camera.rays(xy) for camera, xy in zip(cameras, seen, strict=True)])
    known = np.isfinite(rays[..., 0])
    P = np.stack([np.column_stack([camera.R, camera.t]) for camera in cameras])[:, None]
    rows = np.nan_to_num(rays)[..., None] * P[:, :, 2:] - P[:, :, :2]
    rows = np.where(known[..., None, None], rows, 0.0)
    A = rows.transpose(1, 0, 2, 3).reshape(seen.shape[1], -1, 4)
    X = np.linalg.svd(A)[2][:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = X[:, :3] / X[:, 3:]
    return np.where((known.sum(0) >= 2)[:, None], found, np.nan)
