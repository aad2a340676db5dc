"""EfficientPose: a Gaussian a keypoint at the crop's own resolution, read back as the largest pixel of a smoothed map.

Groos et al. 2020, arXiv:2004.12186, by the authors' code (commit 78e4bd1): how a picture is resized and padded, and
both ways to read maps, for pictures and for live video. A map px is a crop px, so nothing is shifted or rounded on the
way. What the network learnt from is in no source: the Gaussian's width is a choice, 1/32 of the crop's side, which is
what the published weights' most confident answers come near to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.maps import Maps, answered, bells, found, mirrored, peaks, reflected, reordered, stacked, turned
from posewright.fields import Heatmaps, Placed
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

WIDE = 4.0
"""Deviations of a Gaussian filter that are summed up, as scipy does."""
SURE = 0.3
"""The authors' bound of live video."""


@dataclass(frozen=True)
class EfficientPose:
    """Draw each keypoint as a Gaussian where it is, and read it back to a whole pixel.

    size (width, height) px of the crop and of the maps; sigma px of the Gaussian, by default 1/32 of the longer side;
    smoothing px of the filter before reading; least: keypoints whose maximum is below it are not answered (NaN). The
    authors' live video is smoothing=0, least=0.3.
    """

    skeleton: Skeleton
    size: Size = (224, 224)
    sigma: float | None = None
    smoothing: float = 1.0
    least: float = 0.0

    stride: ClassVar[int] = 1
    tolerance: ClassVar[float] = 0.51
    """px along each axis, as all below: the largest pixel is the nearest."""
    margin: ClassVar[float] = 4.0
    """px from the border, beyond which `tolerance` holds."""
    border_tolerance: ClassVar[float] = 1.0
    """The filter reflects the border's pixels, and so draws a peak beside it outward."""
    mirror_tolerance: ClassVar[float] = 1.0
    """A keypoint halfway between two pixels may be read as either."""
    beyond: ClassVar[float] = 0.0
    """How far outside the crop an answer may lie."""

    def encode(self, people: Sequence[Person]) -> Placed:
        """One person a crop, in crop px, to maps (P, K, H, W) in [0, 1], places x, y (P, K) and weights (P, K).

        A keypoint that is absent or outside the crop has weight 0, a map of 0 and the place (0, 0).
        """
        xy, labelled = stacked(people, self.skeleton)
        drawn = labelled & ((xy >= -0.5) & (xy <= np.array(self.size) - 0.5)).all(-1)
        sigma = max(self.size) / 32 if self.sigma is None else self.sigma
        x, y = np.moveaxis(np.where(drawn[..., None], xy, 0.0), -1, 0).astype(np.float32)
        return Placed(bells(xy, drawn, self.size, sigma), x, y, drawn.astype(np.float32))

    def decode(self, fields: Heatmaps | Placed) -> list[Person]:
        """Maps (P, K, H, W) to P people in crop px; the score is the map's maximum, before it is smoothed.

        Departure: a place in the padding stays there, where the authors move it to the picture's border.
        """
        maps = answered(fields.maps, self.skeleton)
        scores = maps.max((-2, -1)) if maps.size else np.zeros(maps.shape[:2], np.float32)
        y, x, _ = peaks(smoothed(maps, self.smoothing))
        xy = np.stack([x, y], -1).astype(np.float64)
        return found(np.where((scores < self.least)[..., None], np.nan, xy) if self.least else xy, scores)

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored crop to fields of the crop: maps and, in a target, places."""
        maps, weights = mirrored(fields.maps, self.skeleton), reordered(fields.weights, self.skeleton)
        if isinstance(fields, Heatmaps):
            return Heatmaps(maps, weights)
        x, y = (values[..., self.skeleton.mirror] for values in (fields.x, fields.y))
        shown = np.ones_like(x) if weights is None else weights
        return Placed(maps, np.where(shown > 0, self.size[0] - 1 - x, 0), y, weights)

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors' preprocessing does; arguments as `posewright.warp.around`.

        What is shown of the picture is resized by one factor to whole pixels and put into the middle, or half a px
        beside it where an odd number of pixels is left; turned, to the px's fraction. The authors pad with black
        around it; here what the picture has there is seen.
        """
        extent = np.asarray(extent, np.float64)
        shown = extent * min(size / extent)
        to = (np.array(size) - 1) / 2
        if not turn:
            shown = np.maximum(np.round(shown), 1)
            to = np.floor((size - shown) / 2) + (shown - 1) / 2
        return Resized(turned(shown / extent, center, to, turn, mirror, size).matrix, size)


@dataclass(frozen=True, eq=False)
class Resized(Warp):
    """Resample upright pictures as the authors do: smoothed where they shrink, and cut to 8 bits, not rounded.

    A picture that shrinks to 1/f is first filtered with a Gaussian of (f - 1) / 2 px, then read bilinearly; beyond its
    border it is reflected without its edge pixel, and what lies outside is `fill`. Turned ones, in training, are
    resampled as by `Warp`. Source: skimage.transform.rescale 0.19 as the authors' `preprocess` calls it.
    """

    def image(
        self, pixels: NDArray[np.uint8], fill: float = 0, nearest: bool = False, out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """As `Warp.image`."""
        (width, height), m = self.size, self.matrix
        if nearest or m[0, 1] or m[1, 0]:
            return super().image(pixels, fill, nearest, out)
        lines = pixels.reshape(len(pixels), -1)
        tall, in_rows = resampled(lines, height, m[1, 1], m[1, 2])
        lines = tall.reshape(height, pixels.shape[1], -1).swapaxes(0, 1).reshape(pixels.shape[1], -1)
        turned_over, in_columns = resampled(lines, width, m[0, 0], m[0, 2])
        values = turned_over.reshape(width, height, -1).swapaxes(0, 1)
        inside = (in_rows[:, None] & in_columns)[..., None]
        cut = np.where(inside, values + 1e-3, fill).astype(np.uint8)
        result = np.empty((height, width, *pixels.shape[2:]), np.uint8) if out is None else out
        result[:] = cut.reshape(result.shape)
        return result


def resampled(lines: NDArray[Any], to: int, factor: float, start: float) -> tuple[Maps, NDArray[np.bool_]]:
    """Read lines (n, m) at `to` places between them, smoothed where they shrink: line i goes to factor i + start.

    Returns what was read (to, m), and which of the places lie inside (to,).
    """
    sigma = max(0.0, (1 / abs(factor) - 1) / 2)
    taps = bell_taps(sigma)
    reach = len(taps) // 2
    at = (np.arange(to) - start) / factor
    first = np.floor(at).astype(np.intp)
    later = (at - first)[:, None]
    weights = ((1 - later) * np.append(taps, 0) + later * np.append(0, taps)).astype(np.float32)
    places = reflected(first[:, None] + np.arange(-reach, reach + 2), len(lines))
    total = np.zeros((to, lines.shape[1]), np.float32)
    for weight, place in zip(weights.T, places.T, strict=True):
        total += weight[:, None] * lines[place]
    return total, (at >= -0.5) & (at <= len(lines) - 0.5)


def bell_taps(sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian's weights at whole steps, which sum to 1.

    >>> bell_taps(0.5).round(3)
    array([0.   , 0.106, 0.787, 0.106, 0.   ])
    """
    reach = int(WIDE * sigma + 0.5)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-9)) ** 2)
    return np.asarray(taps / taps.sum())


def smoothed(maps: Maps, sigma: float) -> Maps:
    """Filter maps (..., h, w) with a Gaussian of sigma px, reflected beyond the border with its edge pixel."""
    if not sigma or not maps.size:
        return maps
    taps = bell_taps(sigma)
    blur = partial(cv2.sepFilter2D, ddepth=-1, kernelX=taps, kernelY=taps, borderType=cv2.BORDER_REFLECT)
    flat = maps.reshape(-1, *maps.shape[-2:])
    return np.stack([np.asarray(blur(one), np.float32) for one in flat]).reshape(maps.shape)
