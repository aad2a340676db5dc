"""UDP: unbiased data processing, as Gaussians (`Udp`) or as a disk with offsets (`UdpOffsets`).

Huang et al. 2020, "The Devil is in the Details: Delving into Unbiased Data Processing for Human Pose
Estimation", arXiv:1911.07524, section 4. The numbers are those of the authors' released code (commit
eb12859, branch mmpose).

This code base measures sizes between the centres of the outermost pixels: crop px become map px by
(w - 1) / (W - 1) along x and (h - 1) / (H - 1) along y. Mirroring the crop thus mirrors the map exactly.

The authors' older branch (096fa07, "master") keeps the same targets and matrices, and decodes Gaussians with
a 7x7 blur that it stretches back to the old range, (b - min) / (max - min) * max, before the clip. It is not
built here: it needs the minimum of the whole blurred map, and its answers are within 5.2e-4 map px of kernel 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import (
    Floats,
    Maps,
    Places,
    answered,
    bells,
    blur_maps,
    blur_windows,
    fitted,
    found,
    met,
    mirrored,
    newton_step,
    peaks,
    reordered,
    stacked,
    turned,
    windows,
)
from posewright.fields import Heatmaps, Offsets
from posewright.scene import Person
from posewright.warp import Size, Warp

LOWEST, HIGHEST = 0.001, 50.0
"""Between these the blurred map is cut before its logarithm."""
RIDGE = float(np.finfo(np.float32).eps)
"""What is added to the Hessian's diagonal."""
LIMIT = 2.0
"""Map px that the codec lets a step go; published numbers have no bound."""


def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
    """Aim as the authors do; arguments as `posewright.warp.around`.

    The extent, at the crop's aspect, becomes (w - 1, h - 1), so x and y have slightly different scales.
    """
    last = np.subtract(size, 1)
    return turned(last / fitted(extent, size), center, last / 2, turn, mirror, size)


def map_from_crop(size: Size, map_size: Size) -> Warp:
    """Return the warp from crop px to map px, (w - 1) / (W - 1) along each axis."""
    return Warp(np.diag([*(np.subtract(map_size, 1) / np.subtract(size, 1)), 1.0]), map_size)


@dataclass(frozen=True)
class Udp(KeypointMaps):
    """Draw each keypoint as a Gaussian around its exact place, and find the place by a Taylor step.

    sigma in map px; kernel: side of the blur before the step, odd.
    """

    size: Size = (192, 256)
    sigma: float = 2.0
    kernel: int = 13

    tolerance = 0.01
    """Rounding, and the patch's end."""
    margin = 34.0
    border_tolerance = 7.0
    """The blur sees the Gaussian reflected at the border, up to 1.7 map px off."""
    beyond = 8.2
    """LIMIT."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, 1] and weights (P, K).

        An absent keypoint, or one whose patch lies outside, has weight 0 and a map of 0.
        """
        xy, labelled = stacked(people, self.skeleton)
        return Heatmaps(*udp_target(xy, labelled, self.size, self.map_size, self.sigma))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum.

        Departure: a step is cut at LIMIT, since no bound exists on noise. Where the maximum is not above 0
        the place is the largest pixel and the score 0; the authors read other pixels there.
        """
        xy, scores = udp_decode(answered(fields.maps, self.skeleton), self.kernel, LIMIT)
        return found(map_from_crop(self.size, self.map_size).inverse(self.size).points(xy), scores)

    around = staticmethod(around)


@dataclass(frozen=True)
class UdpOffsets(KeypointMaps):
    """Draw each keypoint as a disk around it, with the way to it at each pixel of the disk.

    reach: the disk's radius as a share of the map's height; kernel: side of the offsets' blur, odd (the disk's is
    twice that plus 1).
    """

    size: Size = (192, 256)
    reach: float = 0.0546875
    kernel: int = 7

    tolerance = 0.65
    """The blur mixes the offsets with the 0 around the disk."""
    margin = 24.0
    border_tolerance = 8.0
    """The blurs see disk and offsets reflected at the border."""
    beyond = 14.3
    """The disk's radius."""

    @property
    def radius(self) -> float:
        """The disk's radius in map px."""
        return self.reach * self.map_size[1]

    def encode(self, people: Sequence[Person]) -> Offsets:
        """One person a crop, in crop px, to disks and offsets (P, K, h, w) and weights (P, K).

        An absent keypoint has weight 0 and an empty disk. One outside keeps its weight, as published.
        """
        xy, labelled = stacked(people, self.skeleton)
        return Offsets(*udp_offsets_target(xy, labelled, self.size, self.map_size, self.radius))

    def decode(self, fields: Offsets) -> list[Person]:
        """Fields (P, K, h, w) to P people in crop px; the score is the blurred disk's maximum.

        Departure: an offset is cut at the disk's radius. Where the maximum is not above 0 the place is the
        largest pixel and the score 0; the authors read other pixels there.
        """
        disks, x, y = (answered(maps, self.skeleton) for maps in fields[:3])
        xy, scores = udp_offsets_decode(disks, x, y, self.radius, self.kernel, 1.0)
        return found(map_from_crop(self.size, self.map_size).inverse(self.size).points(xy), scores)

    def mirror(self, fields: Offsets) -> Offsets:
        """Fields of the mirrored crop to fields of the crop; what pointed right points left."""
        disks, x, y = (mirrored(maps, self.skeleton) for maps in fields[:3])
        return Offsets(disks, -x, y, reordered(fields.weights, self.skeleton))

    around = staticmethod(around)


def udp_target(
    joints: ArrayLike, labelled: ArrayLike, size: Size, map_size: Size, sigma: float = 2.0
) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) crop px as Gaussians, and return maps (..., K, h, w) and weights (..., K).

    The values are those around the exact place; the patch of 3 sigma, whose reach decides what is drawn and
    whether the weight falls to 0, lies around the nearest pixel. Source: TopDownGenerateTarget of UDP-Pose.
    """
    exact, labelled = _places(joints, size, map_size), np.asarray(labelled, bool)
    middle, reach = np.trunc(exact + 0.5), 3 * sigma
    drawn = labelled & met(middle - reach, middle + reach + 1, map_size)
    return bells(exact, drawn, map_size, sigma, reach, middle), drawn.astype(np.float32)


def udp_offsets_target(
    joints: ArrayLike, labelled: ArrayLike, size: Size, map_size: Size, radius: float
) -> tuple[Maps, Maps, Maps, Maps]:
    """Draw joints (..., K, 2) crop px as disks, and return disks, x, y (..., K, h, w) and weights (..., K).

    At each pixel of the disk, x and y are the way to the joint in units of the radius, 0 elsewhere. A joint
    outside keeps its weight. Source: TopDownGenerateTarget of UDP-Pose, target CombinedTarget.
    """
    exact, labelled = _places(joints, size, map_size), np.asarray(labelled, bool)
    across, down = ((exact[..., axis : axis + 1] - np.arange(map_size[axis])) / radius for axis in (0, 1))
    inside = ((across**2)[..., None, :] + (down**2)[..., :, None] <= 1) & labelled[..., None, None]
    disks, weights = inside.astype(np.float32), labelled.astype(np.float32)
    x, y = across.astype(np.float32), down.astype(np.float32)
    return disks, disks * x[..., None, :], disks * y[..., :, None], weights


def _places(joints: ArrayLike, size: Size, map_size: Size) -> Floats:
    return np.asarray(joints, np.float64) / (np.subtract(size, 1.0) / np.subtract(map_size, 1.0))


def udp_decode(maps: ArrayLike, kernel: int = 13, limit: float = inf) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px and maxima (..., K) of maps (..., K, h, w) as UDP does.

    The largest pixel plus the Taylor step of the logarithm of the blurred map, cut to [LOWEST, HIGHEST], at
    every pixel: beyond the border the blurred map repeats its edge. `limit` bounds the step along each axis.

    Departures: only the 3x3 pixels that the step reads are blurred; where the maximum is not above 0 no step
    is taken (the authors put -1 and read other pixels).
    """
    maps = np.asarray(maps, np.float32)
    h, w = maps.shape[-2:]
    y, x, scores = peaks(maps)
    xy = np.stack([x, y], -1).astype(np.float64)
    rows, columns = y.ravel(), x.ravel()
    squares = windows(maps.reshape(-1, h, w), rows, columns, 1 + kernel // 2, np.arange(len(rows)), reflect=True)
    blurred = _edges_repeated(blur_windows(squares, kernel), rows, columns, (h, w))
    step = _taylor(np.log(np.clip(blurred, LOWEST, HIGHEST))).reshape(xy.shape)
    xy += np.where(scores[..., None] > 0, np.clip(step, -limit, limit), 0.0)
    return xy, scores


def _edges_repeated(squares: Floats, y: Places, x: Places, shape: tuple[int, int]) -> Floats:
    """Put the edge's value where squares (N, 3, 3) around pixels (N,) reach beyond a map of that shape."""
    near = np.array([-1, 0, 1])
    rows = (y[:, None] + near).clip(0, shape[0] - 1) - y[:, None] + 1
    columns = (x[:, None] + near).clip(0, shape[1] - 1) - x[:, None] + 1
    return squares[np.arange(len(squares))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _taylor(log: Floats) -> Floats:
    """Return the steps (N, 2) from the middles of squares (N, 3, 3) to the summit of their parabola."""
    middle, left, right, up, down = log[:, 1, 1], log[:, 1, 0], log[:, 1, 2], log[:, 0, 1], log[:, 2, 1]
    dx, dy = (right - left) / 2, (down - up) / 2
    dxx, dyy = right - 2 * middle + left + RIDGE, down - 2 * middle + up + RIDGE
    dxy = (log[:, 2, 2] - right - down + 2 * middle - left - up + log[:, 0, 0]) / 2
    return newton_step(dx, dy, dxx, dyy, dxy)


def udp_offsets_decode(
    disks: ArrayLike, x: ArrayLike, y: ArrayLike, radius: float, kernel: int = 7, limit: float = inf
) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px and maxima (..., K) of disks and offsets (..., K, h, w) as UDP does.

    The largest pixel of the disks, blurred by 2 kernel + 1, plus the offset there, blurred by kernel and
    cut at `limit` radii along each axis.
    """
    disks = np.asarray(disks, np.float32)
    h, w = disks.shape[-2:]
    blurred = blur_maps(disks.reshape(-1, h, w), 2 * kernel + 1, reflect=True)
    rows, columns, scores = peaks(blurred)
    everyone = np.arange(len(rows))
    xy = np.stack([columns, rows], -1).astype(np.float64)
    for axis, offsets in enumerate((x, y)):
        maps = np.asarray(offsets, np.float32).reshape(-1, h, w)
        step = blur_windows(windows(maps, rows, columns, kernel // 2, everyone, reflect=True), kernel)[:, 0, 0]
        xy[:, axis] += radius * np.where(scores > 0, np.clip(step, -limit, limit), 0.0)
    return xy.reshape(*disks.shape[:-2], 2), scores.reshape(disks.shape[:-2])


def offsets_from(channels: Any) -> Offsets:
    """Read a network's channels (..., 3K, h, w), disk, x and y of each keypoint in turn, as `Offsets`."""
    return Offsets(channels[..., 0::3, :, :], channels[..., 1::3, :, :], channels[..., 2::3, :, :])
