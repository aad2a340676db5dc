"""DARK: a Gaussian around the exact place, read back by a Taylor step on the logarithm of the map.

Zhang et al. 2020, "Distribution-Aware Coordinate Representation for Human Pose Estimation",
arXiv:1910.06278, section 3. The numbers are those of the authors' released code (commit 0185b42).

This code base maps the middle of the crop to the middle of the map, ((W - 1) / 2, (H - 1) / 2) to
((w - 1) / 2, (h - 1) / 2), and distances by (w - 1) / (W - 1) along both axes. Mirroring the crop thus
mirrors the map, and a mirrored answer needs no shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import (
    Floats,
    Maps,
    answered,
    bells,
    blur_windows,
    fitted,
    found,
    inner,
    met,
    newton_step,
    peaks,
    stacked,
    turned,
    windows,
)
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size, Warp

REACH = 2
"""Map px around the largest pixel that the Taylor step reads."""
FLOOR = 1e-10
"""What the map is raised to before its logarithm."""


@dataclass(frozen=True)
class Dark(KeypointMaps):
    """Draw each keypoint as a Gaussian around its exact place, and find the place by a Taylor step.

    sigma in map px; kernel: side of the blur before the step, odd.
    """

    size: Size = (192, 256)
    sigma: float = 2.0
    kernel: int = 11

    tolerance = 0.01
    """Rounding, and the map's end beyond the blur."""
    margin = 24.0
    border_tolerance = 2.1
    """Half a map px: the two outer rows get no step."""
    beyond = 0.5

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, 1] and weights (P, K).

        An absent keypoint, or one further than 3 sigma outside, has weight 0 and a map of 0.
        """
        xy, labelled = stacked(people, self.skeleton)
        return Heatmaps(*dark_target(self._map_from_crop.points(xy), labelled, self.map_size, self.sigma))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum.

        Departure: a Taylor step is cut at the 2 px that it reads, since no bound exists on noise. Where the
        maximum is not above 0 the place is the largest pixel and the score 0; the authors put (0, 0).
        """
        xy, scores = _refined(answered(fields.maps, self.skeleton), self.kernel, REACH)
        return found(self._map_from_crop.inverse(self.size).points(xy), scores)

    @property
    def _map_from_crop(self) -> Warp:
        (width, height), (w, h) = self.size, self.map_size
        unit = (w - 1) / (width - 1)
        middle = ((width - 1) / 2, (height - 1) / 2)
        return turned((unit, unit), middle, ((w - 1) / 2, (h - 1) / 2), 0.0, False, self.map_size)

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors do; arguments as `posewright.warp.around`.

        The centre goes to the crop's middle, and 1 px less than the extent's width to w - 1. Raises ValueError
        where the extent, at the crop's aspect, is not wider than 1 px.
        """
        width, height = size
        across = fitted(extent, size)[0]
        if not across > 1:
            raise ValueError(f"extent must be wider than 1 px at the crop's aspect, not {across}")
        factor = (width - 1) / (across - 1)
        return turned((factor, factor), center, ((width - 1) / 2, (height - 1) / 2), turn, mirror, size)


def dark_target(joints: ArrayLike, labelled: ArrayLike, map_size: Size, sigma: float = 2.0) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) in map px as Gaussians over whole maps (..., K, h, w), with weights (..., K).

    The weight falls to 0 where the square of 3 sigma around the joint, its ends truncated toward zero, lies
    outside. Source: generate_target of DarkPose.
    """
    joints, labelled = np.asarray(joints, np.float64), np.asarray(labelled, bool)
    first, last = np.trunc(joints - 3 * sigma), np.trunc(joints + 3 * sigma + 1)
    drawn = labelled & met(first, last, map_size)
    return bells(joints, drawn, map_size, sigma), drawn.astype(np.float32)


def decode_dark(maps: ArrayLike, kernel: int = 11) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px and maxima (..., K) of maps (..., K, h, w) as DarkPose does.

    The largest pixel m plus the Taylor step -H^-1 g of the logarithm of the blurred map (equation 9), except
    in the two outer rows. g and H are differences over 1 and 2 px. (0, 0) where the maximum is not above 0.

    Departure: the authors blur the whole map; only the 5x5 pixels that the step reads are blurred here.
    They also scale it to its old maximum, which matters to the logarithm's floor alone; here the scale comes
    from those 5x5.
    """
    xy, scores = _refined(np.asarray(maps, np.float32), kernel, inf)
    return np.where(scores[..., None] > 0, xy, 0.0), scores


def _refined(maps: Maps, kernel: int, limit: float) -> tuple[Floats, NDArray[np.float32]]:
    h, w = maps.shape[-2:]
    y, x, scores = peaks(maps)
    xy = np.stack([x, y], -1).astype(np.float64)
    moved = inner(y, x, maps.shape, REACH, REACH) & (scores > 0)
    chosen = np.flatnonzero(moved)
    squares = windows(maps.reshape(-1, h, w), y.ravel(), x.ravel(), REACH + kernel // 2, chosen)
    blurred = blur_windows(squares, kernel)
    blurred *= scores[moved][:, None, None] / np.maximum(blurred.max((1, 2), keepdims=True), FLOOR)
    xy[moved] += np.clip(_taylor(np.log(np.maximum(blurred, FLOOR))), -limit, limit)
    return xy, scores


def _taylor(log: Floats) -> Floats:
    """Return the steps (N, 2) from the middles of squares (N, 5, 5) to the summit of their parabola."""
    middle = log[:, 2, 2]
    dx, dy = (log[:, 2, 3] - log[:, 2, 1]) / 2, (log[:, 3, 2] - log[:, 1, 2]) / 2
    dxx = (log[:, 2, 4] - 2 * middle + log[:, 2, 0]) / 4
    dyy = (log[:, 4, 2] - 2 * middle + log[:, 0, 2]) / 4
    dxy = (log[:, 3, 3] - log[:, 1, 3] - log[:, 3, 1] + log[:, 1, 1]) / 4
    return newton_step(dx, dy, dxx, dyy, dxy)
