"""A frame that follows the cameras, so that no answer depends on the world's unit or origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.camera import Camera

Floats = NDArray[np.float64]


class Frame(NamedTuple):
    """Cameras in a frame whose origin is the middle of their centres and whose unit is how far they stand from it."""

    cameras: tuple[Camera, ...]
    origin: Floats
    unit: float

    def back(self, points: ArrayLike) -> Floats:
        """Points (..., 3) of the frame to the world."""
        return np.asarray(points, np.float64) * self.unit + self.origin

    def into(self, points: ArrayLike) -> Floats:
        """Points (..., 3) of the world to the frame."""
        return (np.asarray(points, np.float64) - self.origin) / self.unit


def canonical(cameras: Sequence[Camera]) -> Frame:
    """Move cameras to the frame that follows them; the unit is 1 where all stand at one place."""
    centers = np.stack([camera.center for camera in cameras])
    origin = centers.mean(0)
    unit = float(np.linalg.norm(centers - origin, axis=-1).mean()) or 1.0
    moved = (replace(camera, t=(camera.t + camera.R @ origin) / unit) for camera in cameras)
    return Frame(tuple(moved), origin, unit)
