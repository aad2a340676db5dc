"""Distribution: a keypoint's map is a probability over the map's pixels, given by its logits.

The softmax cross-entropy over a map's pixels is Mask R-CNN's keypoint loss (He et al. 2017,
arXiv:1703.06870, section 5); here the truth is a Gaussian around the exact place instead of one pixel, and
the logits' parabola at the peak gives the place below a pixel, as DARK's Taylor step does (Zhang et al.
2020, arXiv:1910.06278, equation 9). A score is what it says: the probability that the keypoint is
within `REACH` pixels of the peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import Maps, answered, found, peaks, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size

REACH = 2
"""Half the side, in map pixels, of the square whose probability is a keypoint's score."""


@dataclass(frozen=True)
class Distribution(KeypointMaps):
    """Write keypoints as logits of a Gaussian over map pixels, and read them back.

    sigma in map pixels.
    """

    size: Size = (128, 128)
    sigma: float = 1.0

    tolerance = 1e-3
    """Rounding to float32."""
    margin = 4.0
    border_tolerance = 2.0
    """Half a map px: the outermost have no parabola."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) of logits -d^2 / 2 sigma^2, and weights (P, K).

        A keypoint that is absent or outside the crop has weight 0 and a flat map.
        """
        w, h = self.map_size
        xy, labelled = stacked(people, self.skeleton)
        xy = (xy + 0.5) / self.stride - 0.5
        inside = labelled & ((xy > -0.5) & (xy < (w - 0.5, h - 0.5))).all(-1)
        xy = np.where(inside[..., None], xy, 0.0)
        scale = np.where(inside, 0.5 / self.sigma**2, 0.0)[..., None]
        across = scale * (np.arange(w) - xy[..., :1]) ** 2
        down = scale * (np.arange(h) - xy[..., 1:]) ** 2
        maps = -(down[..., :, None] + across[..., None, :]).astype(np.float32)
        return Heatmaps(maps, inside.astype(np.float32))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) of logits to P people in crop px, scores in [0, 1]."""
        maps = answered(fields.maps, self.skeleton)
        P, K, h, w = maps.shape
        flat = maps.reshape(P * K, h, w)
        y, x, _ = peaks(flat)
        step = np.stack([_vertex(flat, y, x, 0, 1), _vertex(flat, y, x, 1, 0)], -1)
        xy = (np.stack([x, y], -1) + step + 0.5) * self.stride - 0.5
        scores = _mass(flat, y, x).reshape(P, K)
        return found(xy.reshape(P, K, 2), scores)


def _vertex(maps: Maps, y: NDArray[np.intp], x: NDArray[np.intp], dy: int, dx: int) -> NDArray[np.float64]:
    """(N,) how far beyond the peak the parabola through it and its two neighbours peaks; 0 at the border."""
    n, (h, w) = np.arange(len(maps)), maps.shape[1:]
    inner = (y >= dy) & (y < h - dy) & (x >= dx) & (x < w - dx)
    up, left = np.where(inner, y - dy, y), np.where(inner, x - dx, x)
    down, right = np.where(inner, y + dy, y), np.where(inner, x + dx, x)
    before, peak, after = (maps[n, j, i].astype(np.float64) for j, i in ((up, left), (y, x), (down, right)))
    curve = before - 2 * peak + after
    return np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, -1.0), 0.0)


def _mass(maps: Maps, y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N,) the probability inside the square of half side REACH around each peak."""
    _, h, w = maps.shape
    probability = np.exp(maps - maps.max((1, 2), keepdims=True), dtype=np.float64)
    rows = np.abs(np.arange(h) - y[:, None]) <= REACH
    columns = np.abs(np.arange(w) - x[:, None]) <= REACH
    near = np.einsum("nyx,ny,nx->n", probability, rows, columns, optimize=True)
    return np.minimum(near / probability.sum((1, 2)), 1.0)
