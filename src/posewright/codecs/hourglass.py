"""Hourglass: a Gaussian of one map pixel on the pixel that holds the keypoint, read back to a quarter of it.

Newell, Yang and Deng 2016, "Stacked Hourglass Networks for Human Pose Estimation", arXiv:1603.06937, sections
3.3 and 4.1. The numbers are those of the authors' PyTorch code (commit ceedc14); associative embedding
(arXiv:1611.05424) draws the same.

This code base maps crop px to map px by cutting x / 4 down to an integer m, and back by 4 (m + 1/2). For whole
px, mirroring the crop thus mirrors the target exactly, and a mirrored answer needs no shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import Floats, Maps, answered, bells, found, inner, off_middle, peaks, quartered, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size, Warp


@dataclass(frozen=True)
class Hourglass(KeypointMaps):
    """Draw each keypoint as a small Gaussian, and read it back from the largest pixel and its neighbours.

    sigma in map px.
    """

    size: Size = (256, 256)
    sigma: float = 1.0

    tolerance = 2.0
    """Half a map px, by cutting."""
    margin = 4.0
    border_tolerance = 2.5
    """The crop's outer half px lies outside the map."""
    mirror_tolerance = 4.0
    """Keypoints between whole px may be cut to neighbouring map px; not those on whole px."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, 1] and weights (P, K).

        A keypoint that is absent or outside the crop has weight 0 and a map of 0. Departure: the authors have
        no weights, and so teach a network to answer 0 for it.
        """
        xy, labelled = stacked(people, self.skeleton)
        return Heatmaps(*hourglass_target(xy / self.stride, labelled, self.map_size, self.sigma, self._reach))

    @property
    def _reach(self) -> float | None:
        """How far a Gaussian goes along each axis from its middle, map px; None: as far as the authors' own."""
        return None

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum.

        Where that is not above 0 the score is 0.
        """
        xy, scores = hourglass_decode(answered(fields.maps, self.skeleton))
        return found((xy + 0.5) * self.stride, scores)

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors do; arguments as `posewright.warp.around`.

        The centre goes to (w / 2, h / 2). Departure: mirrored too, where the authors move the keypoints 1 px
        further than the picture.
        """
        return off_middle(center, extent, size, turn, mirror)


@dataclass(frozen=True)
class TorchGaussian(Hourglass):
    """Draw what Lua Torch's `image.gaussian(7)` is: 1.75 map px wide in a square of 7, which ends at 0.23.

    Its sigma is a quarter of its size. PyraNet's and multi-context attention's code draw it (commits 56d4f47 and
    417a501).
    """

    sigma: float = 1.75
    reach: float = 3.0
    """Map px along each axis from the middle to the square's last pixel."""

    @property
    def _reach(self) -> float:
        return self.reach


def hourglass_target(
    joints: ArrayLike, labelled: ArrayLike, map_size: Size, sigma: float = 1.0, reach: float | None = None
) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) in map px as Gaussians, and return maps (..., K, h, w) and weights (..., K).

    G(p) = exp(-|p - m|^2 / 2 sigma^2) within `reach`, by default 3 sigma + 1, of m along each axis, with m = int(x),
    truncated toward zero. Source: GenerateHeatmap of the authors' code.

    >>> maps, weights = hourglass_target([[2.9, 0.0]], [True], map_size=(5, 2))
    >>> maps[0].round(2)
    array([[0.14, 0.61, 1.  , 0.61, 0.14],
           [0.08, 0.37, 0.61, 0.37, 0.08]], dtype=float32)
    """
    joints, labelled = np.asarray(joints, np.float64), np.asarray(labelled, bool)
    pixels = np.trunc(joints)
    drawn = labelled & ((pixels >= 0) & (pixels < map_size)).all(-1)
    reach = 3 * sigma + 1 if reach is None else reach
    return bells(pixels, drawn, map_size, sigma, reach), drawn.astype(np.float32)


def hourglass_decode(maps: ArrayLike) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px and maxima (..., K) of maps (..., K, h, w) as Newell et al. do.

    The largest pixel, moved by 1/4 toward the larger neighbour along each axis (section 4.1), except in the
    outermost rows and columns. Equal neighbours leave it, as in the authors' first code (postprocess of
    pose-hg-train); their PyTorch code then moves it up and to the left, and moves it in the outermost too.
    """
    maps = np.asarray(maps, np.float32)
    y, x, scores = peaks(maps)
    return quartered(maps, y, x, inner(y, x, maps.shape, 1, 1)), scores
