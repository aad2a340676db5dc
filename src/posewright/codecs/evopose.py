"""EvoPose: a Gaussian of height 255 over the whole map, read back to a quarter of a map pixel.

McNally et al. 2020, arXiv:2011.08446. The numbers are those of the authors' released code (dataset/dataloader.py
and validate.py). It maps and rounds as HRNet's does (`posewright.codecs.gaussian`), and mirrors with its shift. Three
things are its own: the bell is not cut off, it is 255 high, and a keypoint outside the crop counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from posewright.codecs.gaussian import flip_back
from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import answered, bells, found, inner, off_middle, peaks, quartered, reordered, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size, Warp


@dataclass(frozen=True)
class EvoPose(KeypointMaps):
    """Draw each keypoint as a high Gaussian on the nearest map pixel, and read it back to a quarter of a pixel.

    sigma in map px, 2 for maps 64 high and more in proportion; peak: the height.
    """

    size: Size = (192, 256)
    sigma: float = 2.0
    peak: float = 255.0

    tolerance = 2.0
    """Half a map px, by rounding."""
    margin = 2.0
    border_tolerance = 3.5
    """A keypoint at the far border has its peak just outside the map."""
    mirror_tolerance = 4.0
    """The two roundings and the 0.25 map px that the shift leaves make one map px."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, peak] and weights (P, K).

        G(p) = peak exp(-|p - m|^2 / 2 sigma^2), m = floor(x / stride + 1/2). A keypoint that is absent or outside the
        crop has weight 0 and a map of 0; the crop ends half a px beyond its outer pixels' centres, of which the authors
        count the far half alone.
        """
        xy, labelled = stacked(people, self.skeleton)
        inside = labelled & ((xy >= -0.5) & (xy < np.subtract(self.size, 0.5))).all(-1)
        middle = np.floor(xy / self.stride + 0.5)
        return Heatmaps(bells(middle, self.peak * inside, self.map_size, self.sigma), inside.astype(np.float32))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum over `peak`."""
        maps = answered(fields.maps, self.skeleton)
        y, x, scores = peaks(maps)
        return found(quartered(maps, y, x, inner(y, x, maps.shape, 2, 1)) * self.stride, scores / self.peak)

    def mirror(self, fields: Heatmaps) -> Heatmaps:
        """Fields of the mirrored crop to fields of the crop, with the shift of one map px."""
        return Heatmaps(flip_back(fields.maps, self.skeleton), reordered(fields.weights, self.skeleton))

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors do, which is as HRNet's do; arguments as `posewright.warp.around`."""
        return off_middle(center, extent, size, turn, mirror)
