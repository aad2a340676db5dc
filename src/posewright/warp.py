"""Warps: a 3x3 matrix and an output size, which move pictures and points alike.

A resolution change by 1/s maps x to (x + 1/2)/s - 1/2, because the centre of the top-left pixel is
(0, 0). Mirroring a picture of width w maps x to w - 1 - x. Scale, turn and mirror are one matrix, so a
picture is resampled once and never copied to be mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Size = tuple[int, int]
"""(width, height) in px."""

STILL = 1e-3
"""px; what moves by less than 1/510 leaves every pixel's 8 bits as they were."""
SHRINK_BEYOND = 4
"""A warp that shrinks by more than this averages the picture first; published crops never shrink so far."""


@dataclass(frozen=True, eq=False)
class Warp:
    """Move points and pictures by a matrix; `a @ b` does b first.

    matrix (3, 3) float64, `to_from`; size (width, height) of what comes out.

    >>> half = Warp(np.diag([0.5, 0.5, 1.0]), (32, 24))
    >>> half.points(np.array([[10.0, 4.0]]))
    array([[5., 2.]])
    """

    matrix: NDArray[np.float64]
    size: Size

    def __matmul__(self, first: Warp) -> Warp:
        return Warp(self.matrix @ first.matrix, self.size)

    def inverse(self, size: Size) -> Warp:
        """Return the way back to a picture of that size."""
        return Warp(np.linalg.inv(self.matrix).astype(np.float64), size)

    @property
    def mirrored(self) -> bool:
        """Whether left and right change places: the determinant is negative."""
        m = self.matrix
        return bool(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0] < 0)

    @property
    def scale(self) -> float:
        """How many px of the output one px of the input becomes, as the root of the area ratio."""
        m = self.matrix
        return float(abs(m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]) ** 0.5)

    @property
    def stays(self) -> bool:
        """Whether nothing inside the output moves by as much as STILL."""
        (a, b, x), (c, d, y) = self.matrix[:2].tolist()
        width, height = self.size
        across = abs(a - 1) * width + abs(b) * height + abs(x)
        return across < STILL and abs(c) * width + abs(d - 1) * height + abs(y) < STILL

    def points(self, xy: ArrayLike) -> NDArray[np.float64]:
        """Move points (..., 2) px; NaN stays NaN."""
        xy = np.asarray(xy, np.float64)
        return xy @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    def box(self, xyxy: ArrayLike) -> NDArray[np.float64]:
        """Move a box (4,) and return the upright box around its corners."""
        x0, y0, x1, y1 = np.asarray(xyxy, np.float64)
        corners = self.points([(x0, y0), (x1, y0), (x0, y1), (x1, y1)])
        return np.concatenate([corners.min(0), corners.max(0)])

    @property
    def shrinks(self) -> int:
        """By how much a picture is shrunk before it is resampled, as whole blocks of pixels; 1 where it is not."""
        return int(1 / self.scale) if self.scale * SHRINK_BEYOND < 1 else 1

    def image(
        self,
        pixels: NDArray[np.uint8],
        fill: float = 0,
        nearest: bool = False,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Resample a picture (H, W) or (H, W, C), bilinear, `fill` outside; into `out` where that is given.

        Where the warp shrinks by more than SHRINK_BEYOND, whole blocks of pixels are averaged first:
        a bilinear read of a huge photograph would skip most of it. Raises ValueError where `out` has another shape.
        """
        if out is not None and out.shape != (self.size[1], self.size[0], *pixels.shape[2:]):
            raise ValueError(f"out must be {(self.size[1], self.size[0], *pixels.shape[2:])}, not {out.shape}")
        if pixels.shape[:2] == self.size[::-1] and pixels.dtype == np.uint8 and self.stays:
            if out is None:
                return pixels.copy()
            out[...] = pixels
            return out
        matrix = self.matrix
        if self.shrinks > 1 and not nearest:
            pixels, smaller = shrunk(pixels, self.shrinks)
            matrix = matrix @ np.linalg.inv(smaller)
        mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        filling = (fill,) * 4
        if _quicker_with_four(pixels, self.size) and not nearest:
            moved = cv2.warpAffine(
                cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA), matrix[:2], self.size, flags=mode, borderValue=filling
            )
            return np.asarray(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB, dst=out), pixels.dtype)
        moved = cv2.warpAffine(pixels, matrix[:2], self.size, dst=out, flags=mode, borderValue=filling)
        return np.asarray(moved, pixels.dtype)


def _quicker_with_four(pixels: NDArray[np.uint8], size: Size) -> bool:
    """Whether to resample (H, W, 3) with a fourth channel beside: the same values, where the picture is not huge.

    OpenCV 5 resamples 4 channels 2.5 times as fast as 3, and adding one takes a tenth of the time saved.
    """
    return pixels.shape[2:] == (3,) and pixels.size <= 24 * size[0] * size[1]


def shrunk(pixels: NDArray[np.uint8], by: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return a picture (H, W, C) shrunk by means of blocks, and the matrix (3, 3) that moves points with it."""
    height, width = pixels.shape[:2]
    size = (max(1, width // by), max(1, height // by))
    smaller = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, pixels.dtype), resized((width, height), size).matrix


def resized(size: Size, to: Size) -> Warp:
    """Scale a whole picture of `size` to size `to`.

    >>> resized((4, 4), (2, 2)).points([(0.5, 0.5)])
    array([[0., 0.]])
    """
    sx, sy = to[0] / size[0], to[1] / size[1]
    return Warp(np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]]), to)


def oriented(size: Size, orientation: int) -> Warp:
    """Turn and mirror a picture of `size` as it is stored so that it is upright by its EXIF orientation, 1 to 8.

    6 turns by a quarter clockwise, 8 the other way, 3 by a half; 2, 4, 5 and 7 mirror as well (EXIF 2.32, tag 274).

    >>> oriented((4, 2), 6).points([(0.0, 0.0), (3.0, 1.0)]).tolist(), oriented((4, 2), 6).size
    ([[1.0, 0.0], [0.0, 3.0]], (2, 4))
    """
    right, down = size[0] - 1.0, size[1] - 1.0
    rows = {
        1: ((1, 0, 0), (0, 1, 0)), 2: ((-1, 0, right), (0, 1, 0)), 3: ((-1, 0, right), (0, -1, down)),
        4: ((1, 0, 0), (0, -1, down)), 5: ((0, 1, 0), (1, 0, 0)), 6: ((0, -1, down), (1, 0, 0)),
        7: ((0, -1, down), (-1, 0, right)), 8: ((0, 1, 0), (-1, 0, right)),
    }  # fmt: skip
    return Warp(np.array([*rows[orientation], (0, 0, 1)], np.float64), size if orientation < 5 else size[::-1])


def flipped(size: Size) -> Warp:
    """Mirror a picture of `size` left to right: x becomes width - 1 - x."""
    return Warp(np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]]), size)


def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
    """Aim at a region of a picture: `center` (x, y) goes to the middle of the output.

    extent (width, height) px: what the output shows of the picture; where its aspect differs from the
    output's, the larger scale wins, so that all of it is shown. turn in radians, positive turns the
    picture's content clockwise as seen. mirror flips left and right after turning.
    """
    width, height = size
    scale = 1.0 / max(np.asarray(extent, np.float64) / (width, height))
    c, s = scale * cos(turn), scale * sin(turn)
    linear = np.array([[c, -s], [s, c]])
    if mirror:
        linear[0] *= -1
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = ((width - 1) / 2, (height - 1) / 2) - linear @ np.asarray(center, np.float64)
    return Warp(matrix, size)
