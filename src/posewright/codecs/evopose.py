"""EvoPose: a Gaussian of height 255 over the whole map, read back to a quarter of a map pixel.

McNally et al. 2020, arXiv:2011.08446. The numbers are those of the authors' released code (dataset/dataloader.py
and validate.py). It maps and rounds as HRNet's does (`posewright.codecs.gaussian`), and mirrors with its shift. Three
things are its own: the bell is not cut off, it is 255 high, and a keypoint outside the crop counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from posewright.codecs.gaussian import flip_back
from posewright.codecs.maps import (
    Floats,
    Maps,
    answered,
    bell,
    fitted,
    found,
    peaks,
    quartered,
    reordered,
    stacked,
    turned,
)
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp


@dataclass(frozen=True)
class EvoPose:
    """Draw each keypoint as a high Gaussian on the nearest map pixel, and read it back to a quarter of a pixel.

    size (width, height) px of the crop; stride px of the crop a map pixel; sigma in map px, 2 for maps 64 high and
    more in proportion; peak: the height.
    """

    skeleton: Skeleton
    size: Size = (192, 256)
    stride: int = 4
    sigma: float = 2.0
    peak: float = 255.0

    tolerance: ClassVar[float] = 2.0
    """px along each axis, at the defaults, as all below: half a map px, by rounding."""
    margin: ClassVar[float] = 2.0
    """px from the border, beyond which `tolerance` holds."""
    border_tolerance: ClassVar[float] = 3.5
    """A keypoint at the far border has its peak just outside the map."""
    mirror_tolerance: ClassVar[float] = 4.0
    """The two roundings and the 0.25 map px that the shift leaves make one map px."""
    beyond: ClassVar[float] = 0.0
    """How far outside the crop an answer may lie."""

    @property
    def map_size(self) -> Size:
        """(w, h) of the maps."""
        return self.size[0] // self.stride, self.size[1] // self.stride

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, peak] and weights (P, K).

        G(p) = peak exp(-|p - m|^2 / 2 sigma^2), m = floor(x / stride + 1/2). A keypoint that is absent or outside the
        crop has weight 0 and a map of 0; the crop ends half a px beyond its outer pixels' centres, of which the authors
        count the far half alone.
        """
        xy, labelled = stacked(people, self.skeleton)
        inside = labelled & ((xy >= -0.5) & (xy < np.subtract(self.size, 0.5))).all(-1)
        middle = np.floor(xy / self.stride + 0.5)
        across, down = (self._line(middle[..., axis], self.map_size[axis]) for axis in (0, 1))
        down *= self.peak * inside[..., None]
        return Heatmaps(down[..., :, None] * across[..., None, :], inside.astype(np.float32))

    def _line(self, middle: Floats, length: int) -> Maps:
        return bell(np.arange(length) - middle[..., None], self.sigma).astype(np.float32)

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum over `peak`."""
        maps = answered(fields.maps, self.skeleton)
        h, w = maps.shape[-2:]
        y, x, scores = peaks(maps)
        inner = (x > 1) & (x < w - 1) & (y > 1) & (y < h - 1)
        return found(quartered(maps, y, x, inner) * self.stride, scores / self.peak)

    def mirror(self, fields: Heatmaps) -> Heatmaps:
        """Fields of the mirrored crop to fields of the crop, with the shift of one map px."""
        return Heatmaps(flip_back(fields.maps, self.skeleton), reordered(fields.weights, self.skeleton))

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors do, which is as HRNet's do; arguments as `posewright.warp.around`."""
        width, height = size
        factor = width / fitted(extent, size)[0]
        return turned((factor, factor), center, (width / 2, height / 2), turn, mirror, size)
