"""Cameras: a pinhole behind a lens, somewhere in the world."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.lens import COEFFICIENTS, Lens, distort, slopes, undistort

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """See the world: X_camera = R X + t, then the lens, then pixels by K.

    K (3, 3) px; R (3, 3); t (3,) mm; distortion: the numbers of the `lens`, see `lens.COEFFICIENTS`.
    x points right, y down, z forward; (0, 0) is the centre of the top-left pixel.
    Raises ValueError for matrices of another shape, or a number of coefficients that the lens does not have.

    >>> camera = Camera(np.diag([100.0, 100.0, 1.0]), np.eye(3), np.zeros(3))
    >>> camera.project([[10.0, 20.0, 1000.0]])
    array([[1., 2.]])
    """

    K: Floats
    R: Floats
    t: Floats
    distortion: Floats = field(default_factory=lambda: np.zeros(5))
    lens: Lens = "opencv"

    def __post_init__(self) -> None:
        for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))):
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != shape:
                raise ValueError(f"camera: {name} must be {shape}, not {value.shape}")
            object.__setattr__(self, name, value)
        if self.lens not in COEFFICIENTS:
            raise ValueError(f"camera: no lens {self.lens!r}; there are {', '.join(COEFFICIENTS)}")
        numbers = np.asarray(self.distortion, np.float64)
        if numbers.ndim != 1 or len(numbers) not in COEFFICIENTS[self.lens]:
            counts = " or ".join(map(str, COEFFICIENTS[self.lens]))
            raise ValueError(f"camera: distortion of lens {self.lens} must be {counts} numbers, not {numbers.shape}")
        object.__setattr__(self, "distortion", numbers)

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
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            px = distort(seen[..., :2] / seen[..., 2:], self.distortion, self.lens) @ self.K[:2, :2].T + self.K[:2, 2]
        return np.where(seen[..., 2:] > 0, px, np.nan)

    def rays(self, xy: ArrayLike) -> Floats:
        """Pixels (..., 2) to undistorted (..., 2) x/z and y/z in the camera's frame; NaN where the lens has none."""
        images = (np.asarray(xy, np.float64) - self.K[:2, 2]) @ np.linalg.inv(self.K[:2, :2]).T
        return undistort(images, self.distortion, self.lens)

    def pixels_per_ray(self, rays: ArrayLike) -> Floats:
        """(..., 2, 2) how many px the image of rays (..., 2) moves for each unit that they move."""
        return np.asarray(self.K[:2, :2] @ slopes(rays, self.distortion, self.lens))
