"""Megvii: blurred single pixels as targets, and a quarter pixel toward the second-largest pixel back.

Li et al. 2019, "Rethinking on Multi-Stage Networks for Human Pose Estimation" (MSPN), arXiv:1901.00148,
section 3; RSN (arXiv:2003.04030) takes the same, and CPN (arXiv:1711.07319) much the same. The numbers are
those of the authors' released code (commit a84f750).

This code base maps crop px to map px by cutting x / 4 down to an integer m, and back by 4 m + 2. For whole
px, mirroring the crop thus mirrors the target exactly, and a mirrored answer needs no shift. Networks are
trained on maps of 0 to 255. For coarse-to-fine supervision (MSPN, section 3.3; CPN does so too), `coarse` holds
larger blurs, and targets are `Levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import (
    Floats,
    Maps,
    Places,
    answered,
    blur_maps,
    crossed,
    found,
    gaussian_taps,
    off_middle,
    peaks,
    reordered,
    stacked,
    windows,
)
from posewright.fields import Heatmaps, Levels
from posewright.scene import SEEN, Person
from posewright.warp import Size, Warp

KERNELS = (15, 11, 9, 7, 5)
"""MSPN's blurs of the targets, from the coarsest unit to the finest."""
PEAK = 255.0
"""The value of a target at its keypoint."""


@dataclass(frozen=True)
class Megvii(KeypointMaps):
    """Draw each keypoint as a blurred pixel of height 255, and read it back from the blurred answer.

    kernel: side of the target's blur; smooth: side of the answer's blur, 5 for COCO and 9 for MPII; coarse: sides of
    further targets' blurs, the largest first. All are odd.
    """

    size: Size = (192, 256)
    kernel: int = 5
    smooth: int = 5
    coarse: tuple[int, ...] = ()

    tolerance = 3.0
    """2 by cutting, 1 by the quarter px of a symmetric target."""
    margin = 8.0
    border_tolerance = 3.5
    """The blurs move the peak there; with larger kernels by up to 7.5."""
    mirror_tolerance = 5.0
    """Keypoints between whole px may be cut to neighbouring map px, and the quarter px turn; not those on whole px."""

    def encode(self, people: Sequence[Person]) -> Heatmaps | Levels:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, 255] and weights (P, K); with `coarse`, to levels.

        A keypoint that is absent or outside the crop has weight 0 and a map of 0. One of which nobody says
        whether it is visible counts as seen.
        """
        xy, labelled = stacked(people, self.skeleton)
        levels = [megvii_target(xy, labelled, self.map_size, self.stride, side) for side in (*self.coarse, self.kernel)]
        maps, weights = levels[-1]
        if not self.coarse:
            return Heatmaps(maps, weights)
        seen = np.array([_seen(person) for person in people], np.float32).reshape(weights.shape)
        return Levels(np.stack([maps for maps, _ in levels], axis=1), seen * weights, weights)

    def decode(self, fields: Heatmaps | Levels) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the value there / 255. Of levels, the last is read.

        Departure: the authors add 1/2 to the score, which puts it above 1.
        """
        maps = fields.maps[:, -1] if isinstance(fields, Levels) else fields.maps
        xy, values = megvii_decode(answered(maps, self.skeleton), self.smooth)
        return found(xy * self.stride + self.stride / 2, values / PEAK)

    def mirror(self, fields: Heatmaps | Levels) -> Heatmaps | Levels:
        """Fields of the mirrored crop to fields of the crop."""
        back: Heatmaps = super().mirror(fields)
        if not isinstance(fields, Levels):
            return back
        return Levels(back.maps, reordered(fields.seen, self.skeleton), back.weights)

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors' decode implies; arguments as `posewright.warp.around`.

        The centre goes to (w / 2, h / 2), mirrored or not.
        """
        return off_middle(center, extent, size, turn, mirror)


def _seen(person: Person) -> NDArray[np.bool_]:
    """(K,) which keypoints are not said to be hidden."""
    return np.ones(len(person), bool) if person.visible is None else np.asarray(person.visible == SEEN)


def megvii_target(
    joints: ArrayLike, labelled: ArrayLike, map_size: Size, stride: float = 4, kernel: int = 5
) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) crop px as blurred pixels, and return maps (..., K, h, w) and weights (..., K).

    The pixel is int(x / stride), truncated toward zero; the blur is OpenCV's with its border reflected; the
    largest value becomes 255. Source: generate_heatmap of MSPN.
    """
    joints, labelled = np.asarray(joints, np.float64), np.asarray(labelled, bool)
    pixels = np.trunc(np.clip(joints / stride, -2, np.add(map_size, 2))).astype(np.intp)
    drawn = labelled & ((pixels >= 0) & (pixels < map_size)).all(-1)
    pixels = np.where(drawn[..., None], pixels, 0)
    across, down = (_blurred_pixels(map_size[axis], kernel)[pixels[..., axis]] for axis in (0, 1))
    return crossed(across, down, PEAK * drawn), drawn.astype(np.float32)


@lru_cache(maxsize=32)
def _blurred_pixels(length: int, kernel: int) -> Floats:
    """Return the blur (length, length) of each pixel of a line, its border reflected, its largest value 1."""
    lit = np.eye(length)
    padded = np.pad(lit, ((0, 0), (kernel // 2,) * 2), mode="reflect")
    blurred = sum(tap * padded[:, i : i + length] for i, tap in enumerate(gaussian_taps(kernel)))
    return np.asarray(blurred / np.max(blurred, axis=1, keepdims=True))


def megvii_decode(maps: ArrayLike, smooth: int = 5) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px, and the values (..., K) there, of maps (..., K, h, w) as MSPN does.

    The largest pixel of the blurred map, 0 outside, moved by 1/4 toward the second largest, cut to the map.
    The value is the unblurred one at the nearest pixel, halves to even. The authors return 4 x + 2 and
    value / 255 + 1/2.
    """
    maps = np.asarray(maps)
    h, w = maps.shape[-2:]
    flat = maps.reshape(-1, h, w)
    first, second, certain = _summits_at_the_peak(flat, smooth)
    doubtful = np.flatnonzero(~certain)
    if len(doubtful):
        first[doubtful], second[doubtful] = _summits(blur_maps(flat[doubtful].astype(np.float64), smooth))[:2]
    away = second - first
    length = np.linalg.norm(away, axis=-1, keepdims=True)
    xy = np.clip(first - smooth // 2 + 0.25 * away / np.maximum(length, 1.0), 0, (w - 1, h - 1))
    column, row = np.rint(xy).astype(np.intp).T
    values = flat[np.arange(len(flat)), row, column].astype(np.float32)
    return xy.reshape(*maps.shape[:-2], 2), values.reshape(maps.shape[:-2])


def _summits_at_the_peak(maps: NDArray[np.floating], smooth: int) -> tuple[Places, Places, NDArray[np.bool_]]:
    """Find `_summits` of maps (N, h, w) by blurring what lies around their peaks, and which (N,) are so for certain.

    What is not blurred here is lower than a bound. Certain: both summits are above that, and no rounding can have
    reordered them.
    """
    y, x, height = peaks(maps)
    reach = smooth // 2 + 1
    squares = windows(maps, y, x, 2 * reach - 1, np.arange(len(maps)))
    first, second, heights = _summits(_blurred_squares(squares, smooth))
    wrong = 1e-12 * np.maximum(height, -maps.min(initial=0))
    gaps = heights[:2] - np.stack([heights[1], np.maximum(heights[2], _most_beyond(maps, y, x, squares, smooth))])
    corner = np.stack([x, y], -1) - reach + smooth // 2
    return first + corner, second + corner, (gaps > wrong).all(0)


def _most_beyond(maps: NDArray[np.floating], y: Places, x: Places, squares: Floats, smooth: int) -> Floats:
    """Return the most (N,) that a blurred pixel can be from which the peak is further than the blur's reach and 1 px.

    Its blur ends 2 px from the peak: of pixels that near it weighs one row or column, the kernel's outermost, and of
    nearer ones none. squares (N, n, n): the maps around their peaks, 0 outside.
    """
    h, w = maps.shape[1:]
    steps = np.arange(-2, 3)
    rows, columns = (y[:, None] + steps).clip(0, h - 1) * w, (x[:, None] + steps).clip(0, w - 1)
    rest = maps.reshape(-1, h * w).copy()
    np.put_along_axis(rest, (rows[:, :, None] + columns[:, None]).reshape(-1, 25), 0, 1)
    far = peaks(rest[:, None])[2].clip(0).astype(np.float64)
    middle = squares.shape[1] // 2
    ring = squares[:, middle - 2 : middle + 3, middle - 2 : middle + 3].copy()
    ring[:, 1:4, 1:4] = 0
    outermost = gaussian_taps(smooth)[0]
    return np.asarray(outermost * np.maximum(ring.max((1, 2)), far) + (1 - outermost) * far)


def _blurred_squares(squares: Floats, smooth: int) -> Floats:
    """Blur as `blur_windows` does but for the last bits, by products with the blur as a matrix (n, n - smooth + 1)."""
    side = squares.shape[1]
    left = side - smooth + 1
    blur = np.zeros((side, left))
    for place in range(left):
        blur[place : place + smooth, place] = gaussian_taps(smooth)
    across = (squares.reshape(-1, side) @ blur).reshape(-1, side, left)
    down = across.transpose(0, 2, 1).reshape(-1, side) @ blur
    return np.asarray(down.reshape(-1, left, left).transpose(0, 2, 1))


def _summits(blurred: Floats) -> tuple[Places, Places, Floats]:
    """Take the largest and second-largest pixel (N, 2) out of maps (N, h, w); with the three largest values (3, N)."""
    places, heights = [], []
    for _ in range(3):
        y, x, height = peaks(blurred)
        blurred[np.arange(len(blurred)), y, x] = 0
        places.append(np.stack([x, y], -1))
        heights.append(height)
    return places[0], places[1], np.stack(heights)
