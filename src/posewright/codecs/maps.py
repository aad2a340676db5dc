"""Maps: what the heatmap codecs share, which is stacking people, finding peaks and reading around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

Maps = NDArray[np.float32]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]

TABLES = {
    3: (64, 128, 64),
    5: (16, 64, 96, 64, 16),
    7: (8, 28, 56, 72, 56, 28, 8),
    9: (4, 13, 30, 51, 60, 51, 30, 13, 4),
}
"""OpenCV's fixed kernels for small sizes, in 1/256; they are no sampled Gaussians."""


@dataclass(frozen=True)
class Grid:
    """Lay a grid of map pixels over what a network looks at.

    size (width, height) px of the crop or picture; stride px of it a map pixel.
    """

    skeleton: Skeleton
    size: Size
    stride: int = 4

    @property
    def map_size(self) -> Size:
        """(w, h) of the maps."""
        return self.size[0] // self.stride, self.size[1] // self.stride


def stacked(people: Sequence[Person], skeleton: Skeleton) -> tuple[Floats, NDArray[np.bool_]]:
    """Return keypoints (P, K, 2) with 0 where absent, and labelled (P, K); raises ValueError for another skeleton."""
    for person in people:
        if len(person) != len(skeleton):
            raise ValueError(f"person {person.id}: has {len(person)} keypoints, {skeleton.name} has {len(skeleton)}")
    xy = np.array([person.keypoints for person in people], np.float64).reshape(-1, len(skeleton), 2)
    labelled = np.asarray(np.isfinite(xy).all(-1), np.bool_)
    return np.where(labelled[..., None], xy, 0.0), labelled


def found(keypoints: Floats, scores: NDArray[np.floating]) -> list[Person]:
    """Make predicted people of keypoints (P, K, 2) px and scores (P, K), which are cut to [0, 1]."""
    scores = np.clip(scores, 0.0, 1.0).astype(np.float64)
    means = scores.mean(-1).tolist()
    return [Person(xy, scores=s, score=m) for xy, s, m in zip(keypoints, scores, means, strict=True)]


def answered(maps: ArrayLike, skeleton: Skeleton) -> Maps:
    """Return maps (P, K, h, w) as float32; raises ValueError for another K.

    What is no finite number becomes the map's lowest value, so it is never a peak.
    """
    maps = np.asarray(maps, np.float32)
    if maps.ndim != 4 or maps.shape[1] != len(skeleton):
        raise ValueError(f"maps must be (P, {len(skeleton)}, h, w) for {skeleton.name}, not {maps.shape}")
    if maps.size and not (np.isfinite(maps.max()) and np.isfinite(maps.min())):
        finite = np.isfinite(maps)
        lowest = np.where(finite, maps, np.inf).min((-1, -2), keepdims=True)
        maps = np.where(finite, maps, np.where(np.isfinite(lowest), lowest, 0)).astype(np.float32)
    return maps


def mirrored(maps: NDArray, skeleton: Skeleton) -> NDArray:
    """Return maps (..., K, h, w) of the mirrored crop as maps of the crop; a pure change of places."""
    return maps[..., skeleton.mirror, :, ::-1]


def reordered(weights: NDArray | None, skeleton: Skeleton) -> NDArray | None:
    """Return weights (..., K) in the mirror's order; None stays None."""
    return None if weights is None else weights[..., skeleton.mirror]


def peaks(maps: NDArray[np.floating]) -> tuple[Places, Places, NDArray[np.floating]]:
    """Return y, x and value (...) of the largest pixel of maps (..., h, w); of equals the first in reading order."""
    flat = maps.reshape(*maps.shape[:-2], maps.shape[-2] * maps.shape[-1])
    place = flat.argmax(-1)
    y, x = np.divmod(place, maps.shape[-1])
    return y, x, np.take_along_axis(flat, place[..., None], -1)[..., 0]


def inner(y: Places, x: Places, shape: tuple[int, ...], before: int, after: int) -> NDArray[np.bool_]:
    """Tell which pixels (...) of maps (..., h, w) have `before` others to the left and above, `after` beyond."""
    h, w = shape[-2:]
    return (x >= before) & (x < w - after) & (y >= before) & (y < h - after)


def quartered(maps: Maps, y: Places, x: Places, movable: NDArray[np.bool_]) -> Floats:
    """Move pixels (...) of maps (..., h, w) by 1/4 toward the larger neighbour along each axis, and return (..., 2).

    Only the movable move; they have neighbours on all sides. Equal neighbours leave them.
    """
    h, w = maps.shape[-2:]
    flat = maps.reshape(-1)
    place = np.where(movable, np.arange(x.size).reshape(x.shape) * (h * w) + y * w + x, w + 1)
    xy = np.stack([x, y], -1).astype(np.float64)
    for axis, step in ((0, 1), (1, w)):
        xy[..., axis] += 0.25 * np.where(movable, np.sign(flat.take(place + step) - flat.take(place - step)), 0)
    return xy


def windows(
    maps: NDArray[np.floating], y: Places, x: Places, reach: int, chosen: Places, reflect: bool = False
) -> Floats:
    """Read the squares (C, 2 reach + 1, 2 reach + 1) around pixels (N,) of the chosen (C,) of maps (N, h, w).

    Outside the map is 0, or the map reflected without its edge pixel.
    """
    h, w = maps.shape[1:]
    side = 2 * reach + 1
    if side > min(h, w):
        return _windows_at_the_border(maps, y, x, reach, chosen, reflect)
    first_y, first_x = y[chosen] - reach, x[chosen] - reach
    top, left = first_y.clip(0, h - side), first_x.clip(0, w - side)
    whole = np.lib.stride_tricks.sliding_window_view(maps, (side, side), (1, 2))
    values = whole[chosen, top, left].astype(np.float64)
    beyond = np.flatnonzero((top != first_y) | (left != first_x))
    values[beyond] = _windows_at_the_border(maps, y, x, reach, chosen[beyond], reflect)
    return values


def _windows_at_the_border(
    maps: NDArray[np.floating], y: Places, x: Places, reach: int, chosen: Places, reflect: bool
) -> Floats:
    h, w = maps.shape[1:]
    steps = np.arange(-reach, reach + 1)
    rows, columns = y[chosen, None] + steps, x[chosen, None] + steps
    if reflect:
        rows, columns = reflected(rows, h), reflected(columns, w)
    near_rows, near_columns = rows.clip(0, h - 1), columns.clip(0, w - 1)
    values = maps[chosen[:, None, None], near_rows[:, :, None], near_columns[:, None, :]].astype(np.float64)
    if not reflect:
        values *= (rows == near_rows)[:, :, None] & (columns == near_columns)[:, None, :]
    return values


def reflected(place: Places, length: int) -> Places:
    """Return places on a line, those beyond its ends reflected without the end's own pixel.

    >>> reflected(np.array([-2, -1, 0, 3, 4]), 4)
    array([2, 1, 0, 3, 2])
    """
    period = max(2 * (length - 1), 1)
    place = np.abs(place) % period
    return np.minimum(place, period - place)


def bell(away: NDArray, sigma: float) -> Floats:
    """Return exp(-away^2 / 2 sigma^2), 0 where below 1e-18: products of smaller ones are no normal float32."""
    exponent = -(away**2) / (2 * sigma**2)
    return np.where(exponent > -41.4, np.exp(np.maximum(exponent, -41.4)), 0.0)


def bells(
    places: Floats, heights: NDArray, size: Size, sigma: float, reach: float = inf, middle: Floats | None = None
) -> Maps:
    """Draw Gaussians of heights (...) around places (..., 2) px, and return maps (..., h, w) of `size`.

    What lies further along an axis than `reach` from `middle` (..., 2), by default the place itself, is 0.
    """
    middle = places if middle is None else middle

    def line(axis: int) -> Maps:
        pixels = np.arange(size[axis])
        near = np.abs(pixels - middle[..., axis, None]) <= reach
        return np.where(near, bell(pixels - places[..., axis, None], sigma), 0.0).astype(np.float32)

    return crossed(line(0), line(1), heights)


def crossed(across: NDArray, down: NDArray, heights: NDArray) -> Maps:
    """Multiply lines across (..., w), lines down (..., h) and heights (...) to maps (..., h, w)."""
    down = (down * heights[..., None]).astype(np.float32)
    return down[..., :, None] * across.astype(np.float32)[..., None, :]


def met(first: Floats, last: Floats, size: Size) -> NDArray[np.bool_]:
    """Tell which patches of the pixels from `first` to `last` (..., 2) meet maps of `size`."""
    return ~np.any((first >= size) | (last < 0), axis=-1)


def newton_step(dx: Floats, dy: Floats, dxx: Floats, dyy: Floats, dxy: Floats) -> Floats:
    """Return the steps (N, 2) to the summits of parabolas with these derivatives (N,), -H^-1 g; 0 where H has none."""
    determinant = dxx * dyy - dxy**2
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1)
    sound = determinant != 0
    return np.where(sound[:, None], step / np.where(sound, determinant, 1.0)[:, None], 0.0)


def gaussian_taps(size: int) -> Floats:
    """Return the (size,) kernel that OpenCV takes when it is given a size and no sigma.

    >>> 256 * gaussian_taps(5)
    array([16., 64., 96., 64., 16.])
    """
    if size in TABLES:
        return np.array(TABLES[size]) / 256.0
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    taps = np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / sigma) ** 2)
    return taps / taps.sum()


def blur_windows(squares: Floats, size: int) -> Floats:
    """Blur squares (N, n, n) and return the middle (N, n - size + 1, n - size + 1) that needs nothing outside."""
    left, taps = squares.shape[-1] - size + 1, gaussian_taps(size)
    down = sum(tap * squares[:, i : i + left] for i, tap in enumerate(taps))
    return np.asarray(sum(tap * down[:, :, i : i + left] for i, tap in enumerate(taps)))


def blur_maps(maps: NDArray, size: int, reflect: bool = False) -> NDArray:
    """Blur maps (N, h, w), keeping the dtype; all make one tall picture, padded so that they do not meet.

    reflect: a map is reflected beyond its border, without its edge pixel, and what returns is (N, h, w).
    Otherwise 0 is there and what the blur spreads over the border returns too: (N, h + 2r, w + 2r), r = size // 2.
    """
    reach = size // 2
    rim = reach if reflect else 2 * reach
    padded = np.pad(maps, ((0, 0), (rim, rim), (rim, rim)), mode="reflect" if reflect else "constant")
    inner = slice(reach, -reach)
    if not len(padded):
        return padded[:, inner, inner]
    taps = gaussian_taps(size)
    tall = cv2.sepFilter2D(padded.reshape(-1, padded.shape[-1]), -1, taps, taps)
    return np.asarray(tall, maps.dtype).reshape(padded.shape)[:, inner, inner]


def fitted(extent: ArrayLike, size: Size) -> Floats:
    """Widen extents (..., 2) px to the aspect of `size`, so that all of them is shown."""
    extent = np.asarray(extent, np.float64)
    unit = (extent / size).max(-1, keepdims=True)
    return unit * size


def turned(factors: ArrayLike, center: ArrayLike, to: ArrayLike, turn: float, mirror: bool, size: Size) -> Warp:
    """Return the warp that takes `center` to `to`, turned, scaled by factors (x, y), and then mirrored about `to`."""
    factors = np.asarray(factors, np.float64) * ((-1, 1) if mirror else (1, 1))
    cosine, sine = np.cos(turn), np.sin(turn)
    matrix = np.eye(3)
    matrix[:2, :2] = factors[:, None] * np.array([[cosine, -sine], [sine, cosine]])
    matrix[:2, 2] = np.asarray(to) - matrix[:2, :2] @ np.asarray(center, np.float64)
    return Warp(matrix, size)


def off_middle(center: ArrayLike, extent: ArrayLike, size: Size, turn: float, mirror: bool) -> Warp:
    """Return the warp that shows all of an extent, its centre at (w / 2, h / 2): half a px off the crop's middle."""
    width, height = size
    factor = width / fitted(extent, size)[0]
    return turned((factor, factor), center, (width / 2, height / 2), turn, mirror, size)
