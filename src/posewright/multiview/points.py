"""Points in space that say how sure they are, and what each view had to do with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from posewright.multiview.rig import Up, turn_up
from posewright.skeleton import Skeleton

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]


class ViewReason(IntEnum):
    """What a view had to do with a point; USED also of one that alone sees a point, which is then missing."""

    ABSENT = 0
    USED = 1
    SWAPPED = 2
    LOW_SCORE = 3
    OUTLIER = 4
    BEHIND = 5
    UNMATCHED = 6


VIEW_WORDS: dict[ViewReason, str] = {
    ViewReason.ABSENT: "not detected",
    ViewReason.USED: "used",
    ViewReason.SWAPPED: "used, with left and right exchanged back",
    ViewReason.LOW_SCORE: "score too low",
    ViewReason.OUTLIER: "far from where the other views see it",
    ViewReason.BEHIND: "the point would be behind the camera",
    ViewReason.UNMATCHED: "the person is not matched to one of this view",
}


class PointReason(IntEnum):
    """Why a point is there, or is not."""

    OK = 0
    TOO_FEW = 1
    PARALLEL = 2
    FILLED = 3


POINT_WORDS: dict[PointReason, str] = {
    PointReason.OK: "triangulated",
    PointReason.TOO_FEW: "fewer than two views agree on it",
    PointReason.PARALLEL: "the rays are nearly parallel, so its distance is unknown",
    PointReason.FILLED: "filled in between frames",
}
USED = (ViewReason.USED, ViewReason.SWAPPED)


@dataclass(frozen=True, eq=False)
class Points:
    """Hold points in space: F frames, P people, K keypoints, V views.

    xyz (F, P, K, 3) mm, NaN where there is none; covariance (F, P, K, 3, 3) mm^2, NaN where nothing is known of it;
    reason (F, P, K) of PointReason; views (F, P, K, V) of ViewReason; error (F, P, K, V) px between a view and the
    point's image, NaN where the view shows none. up: the axis of the world that points up, where known. doubts: what
    speaks against the cameras by which the points were made, in words.
    """

    xyz: Floats
    covariance: Floats
    reason: Codes
    views: Codes
    error: Floats
    cameras: tuple[str, ...]
    skeleton: Skeleton
    start: int = 0
    fps: float | None = None
    up: Up | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def sigma(self) -> Floats:
        """(F, P, K) mm, the root of the mean variance along the three axes."""
        return np.asarray(np.sqrt(np.trace(self.covariance, axis1=-2, axis2=-1) / 3))

    @property
    def found(self) -> NDArray[np.bool_]:
        """(F, P, K) where a point was triangulated; those filled in do not count."""
        return self.reason == PointReason.OK

    @property
    def used(self) -> NDArray[np.bool_]:
        """(F, P, K, V) which views made a point."""
        return np.isin(self.views, USED)

    def noted(self, *notes: str) -> Points:
        """Return the points with notes added."""
        return replace(self, notes=(*self.notes, *notes))


def turned_points(points: Points, up: Up) -> Points:
    """Turn the world of points so that an axis points up; raises ValueError where nobody knows which one does."""
    if points.up is None:
        raise ValueError("the calibration does not say which axis of its world points up; say --world-up z, y, -y, ...")
    turn = turn_up(points.up, up)
    covariance = turn @ points.covariance @ turn.T
    turned = replace(points, xyz=points.xyz @ turn.T, covariance=covariance, up=up)
    return turned if points.up == up else turned.noted(f"turned from {points.up} up to {up} up")
