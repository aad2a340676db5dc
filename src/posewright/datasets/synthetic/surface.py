"""Surfaces of the synthetic world: which solid each pixel shows, and how deep it lies.

Everything is exact: a ray meets a solid where their equations say so, no mesh and no sprite. Depth is z in
the camera's frame, mm. Rays are (x, y, 1), so that a ray's length to a point is the point's depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic.body import Cones
from posewright.geometry import Camera
from posewright.warp import Size

Floats = NDArray[np.float64]

NOTHING = -1
"""What a pixel without a solid shows."""


class Blocks(NamedTuple):
    """Hold boxes: middle (N, 3) mm; axes (N, 3, 3), a column each; half (N, 3) mm, half the length of each side."""

    middle: Floats
    axes: Floats
    half: Floats

    def moved(self, turn: Floats, shift: Floats) -> Blocks:
        """Turn, then shift."""
        return self._replace(middle=self.middle @ turn.T + shift, axes=turn @ self.axes)


class Surface(NamedTuple):
    """Say what each pixel shows: depth (H, W) mm, inf for nothing; shown (H, W) the solid's number or NOTHING.

    Cones are numbered first, blocks after them. x (W,), y (H,): the rays.
    """

    depth: Floats
    shown: NDArray[np.int16]
    x: Floats
    y: Floats


def surface(cones: Cones, blocks: Blocks, camera: Camera, size: Size) -> Surface:
    """Find the nearest solid of each pixel; cones and blocks are in the camera's frame and in front of it."""
    width, height = size
    x = (np.arange(width) - camera.K[0, 2]) / camera.K[0, 0]
    y = (np.arange(height) - camera.K[1, 2]) / camera.K[1, 1]
    depth = np.full((height, width), np.inf)
    shown = np.full((height, width), NOTHING, np.int16)
    bounds = np.concatenate([cone_bounds(cones), block_bounds(blocks)])
    left, right = np.searchsorted(x, bounds[:, 0]), np.searchsorted(x, bounds[:, 2], "right")
    above, below = np.searchsorted(y, bounds[:, 1]), np.searchsorted(y, bounds[:, 3], "right")
    count = len(cones.a)
    for i in np.flatnonzero((left < right) & (above < below)).tolist():
        rows, columns = slice(above[i], below[i]), slice(left[i], right[i])
        rays = x[columns], y[rows, None]
        found = _cone_depth(cones, i, *rays) if i < count else _block_depth(blocks, i - count, *rays)
        closer = found < depth[rows, columns]
        np.copyto(depth[rows, columns], found, where=closer)
        np.copyto(shown[rows, columns], np.int16(i), where=closer)
    return Surface(depth, shown, x, y)


def _cone_depth(cones: Cones, i: int, x: Floats, y: Floats) -> Floats:
    """Depth (h, w) at which rays meet a cone, inf where they miss.

    A cone is the hull of two balls. With d the ray, p = a + s (b - a) the axis and <,> the metric: the ray
    meets the tangent cone of both balls where k2 t^2 + 2 k1 t + k0 = 0, and the ball of that end beyond
    whose rim it does.
    """
    a, b, ra, rb, metric = cones.a[i], cones.b[i], cones.ra[i], cones.rb[i], cones.metric[i]
    axis = b - a
    ga, gaxis = metric @ a, metric @ axis
    a_a, a_axis, axis_axis = a @ ga, a @ gaxis, axis @ gaxis
    d_a = (ga[0] * x + ga[2]) + ga[1] * y
    d_d = _square(metric, x, y)
    narrowing = ra - rb
    slope = axis_axis - narrowing**2
    if slope <= 0:
        return _ball_depth(d_a, d_d, a_a - ra**2)
    d_axis = (gaxis[0] * x + gaxis[2]) + gaxis[1] * y
    k2 = slope * d_d - d_axis**2
    k1 = (a_axis + narrowing * ra) * d_axis - slope * d_a
    k0 = slope * a_a - a_axis**2 - 2 * a_axis * narrowing * ra - axis_axis * ra**2
    inside = k1 * k1 - k0 * k2
    side = (-k1 - np.sqrt(np.maximum(inside, 0))) / k2
    rim = side * d_axis - (a_axis + narrowing * ra)
    below = rim <= 0
    b_b = a_a + 2 * a_axis + axis_axis
    end = _ball_depth(d_a + np.where(below, 0, d_axis), d_d, np.where(below, a_a - ra**2, b_b - rb**2))
    return np.where(inside < 0, np.inf, np.where(below | (rim >= slope), end, side))


def _square(metric: Floats, x: Floats, y: Floats) -> Floats:
    """Squared length of rays (x, y, 1) in a metric."""
    g = metric
    return (g[0, 0] * x + 2 * g[0, 2]) * x + g[2, 2] + (g[1, 1] * y + 2 * g[1, 2]) * y + (2 * g[0, 1] * x) * y


def _ball_depth(d_c: Floats, d_d: Floats, power: Floats | float) -> Floats:
    """Depth at which rays meet a ball: d_c ray times middle, power the squared distance less the squared radius."""
    inside = d_c * d_c - d_d * power
    return np.where(inside < 0, np.inf, (d_c - np.sqrt(np.maximum(inside, 0))) / d_d)


def _block_depth(blocks: Blocks, i: int, x: Floats, y: Floats) -> Floats:
    """Depth (h, w) at which rays meet a box: the last of three slabs entered, before any is left."""
    middle, axes, half = blocks.middle[i], blocks.axes[i], blocks.half[i]
    enter, leave = -np.inf, np.inf
    for axis, extent in zip(axes.T, half, strict=True):
        along = (axis[0] * x + axis[2]) + axis[1] * y
        along = np.where(np.abs(along) < 1e-9, 1e-9, along)
        one, other = (axis @ middle - extent) / along, (axis @ middle + extent) / along
        enter, leave = np.maximum(enter, np.minimum(one, other)), np.minimum(leave, np.maximum(one, other))
    return np.where((enter <= leave) & (enter > 0), enter, np.inf)


def cone_bounds(cones: Cones) -> Floats:
    """Tight rectangles (N, 4) xyxy of rays around cones: the tangent planes through the camera to both balls.

        (c_x - x c_z)^2 = S_xx - 2 x S_xz + x^2 S_zz,   S = r^2 metric^-1

    Raises ValueError where a ball reaches the camera's plane.
    """
    ends = []
    inverse = np.linalg.inv(cones.metric)
    for middle, radius in ((cones.a, cones.ra), (cones.b, cones.rb)):
        spread = radius[:, None, None] ** 2 * inverse
        a = middle[:, 2] ** 2 - spread[:, 2, 2]
        if (a <= 0).any() or (middle[:, 2] <= 0).any():
            raise ValueError("a solid reaches the camera's plane")
        half = (middle[:, :2] * middle[:, 2:] - spread[:, 2, :2]) / a[:, None]
        c = (middle[:, :2] ** 2 - np.stack([spread[:, 0, 0], spread[:, 1, 1]], axis=1)) / a[:, None]
        root = np.sqrt(np.maximum(half**2 - c, 0))
        ends.append(np.concatenate([half - root, half + root], axis=1))
    low, high = np.minimum(*ends), np.maximum(*ends)
    return np.concatenate([low[:, :2], high[:, 2:]], axis=1)


def block_bounds(blocks: Blocks) -> Floats:
    """Tight rectangles (N, 4) xyxy of rays around boxes; raises ValueError where one reaches the camera's plane."""
    corners = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1]), axis=-1).reshape(8, 3)
    points = blocks.middle[:, None] + (corners * blocks.half[:, None]) @ blocks.axes.transpose(0, 2, 1)
    if (points[..., 2] <= 0).any():
        raise ValueError("a solid reaches the camera's plane")
    rays = points[..., :2] / points[..., 2:]
    return np.concatenate([rays.min(1), rays.max(1)], axis=1)
