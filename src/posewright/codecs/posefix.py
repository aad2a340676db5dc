"""Four pixels: a keypoint's place split over the pixels around it, and read back as the mean place.

Moon, Chang and Lee, "PoseFix: Model-agnostic general human pose refinement network", CVPR 2019 (arXiv:1812.03595),
section 4. The numbers are those of the authors' released code (commit 5556364).

This code base maps crop px to map px by x / 4, not by the house's (x + 1/2) / 4 - 1/2, and thus answers 3/8 map px
away from where a network without bias would. Mirroring a map is therefore not enough to mirror the crop:
`FourPixels.mirror` also moves it by 3/4 map px. The authors mirror places instead, which is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.gaussian import Gaussian
from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import Floats, Maps, answered, found, mirrored, reordered, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size

LEAST = 1e-30
"""A probability of 0 as a logit: it must be a number."""


@dataclass(frozen=True)
class FourPixels(KeypointMaps):
    """Split each keypoint over the four map pixels around it, and read it back as the mean of all pixels.

    Maps are logits.
    """

    size: Size = (288, 384)

    tolerance = 1e-3
    """Rounding to float32."""
    margin = 4.0
    border_tolerance = 4.0
    """The last pixel of a map answers for the crop's last four."""
    mirror_tolerance = 4.0
    """At the border, as before; inside `tolerance` holds."""

    around = staticmethod(Gaussian.around)
    """Aim as the authors do, whose crops are SimpleBaseline's."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) of logits and weights (P, K).

        A keypoint that is absent or outside the crop has weight 0 and an even map.
        """
        xy, labelled = stacked(people, self.skeleton)
        inside = labelled & ((xy >= -0.5) & (xy <= np.array(self.size) - 0.5)).all(-1)
        shares = np.where(inside[..., None, None], split(xy / self.stride, self.map_size), 1.0)
        return Heatmaps(_logits(shares), inside.astype(np.float32))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) of logits to P people in crop px.

        The score is the probability on the four pixels around the place. Departure: the authors' network tells none,
        and a refined keypoint keeps the score that it came with.
        """
        xy, scores = mean_place(answered(fields.maps, self.skeleton))
        return found(xy * self.stride, scores)

    def mirror(self, fields: Heatmaps) -> Heatmaps:
        """Fields of the mirrored crop to fields of the crop."""
        shares = mirrored(_shares(answered(fields.maps, self.skeleton)), self.skeleton)
        by = (self.stride - 1) / self.stride
        moved = (1 - by) * shares
        moved[..., 1:] += by * shares[..., :-1]
        moved[..., -1] += by * shares[..., -1]
        return Heatmaps(_logits(moved), reordered(fields.weights, self.skeleton))


def split(places: ArrayLike, map_size: Size) -> Floats:
    """Split places (..., K, 2) in map px bilinearly over the pixels around them: (..., K, h, w), of sum 1.

    What falls on pixels outside the map is left out, and the rest makes up for it. Source: render_onehot_heatmap.

    >>> split([[0.25, 0.0]], (3, 2))
    array([[[0.75, 0.25, 0.  ],
            [0.  , 0.  , 0.  ]]])
    """
    places = np.maximum(np.asarray(places, np.float64), 0.0)
    across, down = (
        np.maximum(1 - np.abs(np.arange(length) - places[..., axis : axis + 1]), 0.0)
        for axis, length in enumerate(map_size)
    )
    shares = down[..., :, None] * across[..., None, :]
    total = shares.sum((-2, -1), keepdims=True)
    return np.asarray(shares / np.where(total > 0, total, 1.0))


def mean_place(maps: ArrayLike) -> tuple[Floats, Floats]:
    """Return the mean place (..., K, 2) in map px of logits (..., K, h, w), and the probability (..., K) around it.

        x = sum over pixels p of  softmax(m)_p  p

    Source: extract_coordinate, which then multiplies both axes by the crop's height over the map's.
    """
    shares = _shares(np.asarray(maps))
    x, y = np.arange(shares.shape[-1]), np.arange(shares.shape[-2])
    place = np.stack([(shares.sum(-2) * x).sum(-1), (shares.sum(-1) * y).sum(-1)], -1)
    near = [np.abs(pixels - place[..., axis, None]) < 1 for axis, pixels in enumerate((x, y))]
    mass = np.einsum("...yx,...y,...x->...", shares, near[1], near[0])
    return place, np.asarray(mass)


def _shares(maps: NDArray[np.floating]) -> Floats:
    raised = np.exp(maps - maps.max((-2, -1), keepdims=True), dtype=np.float64)
    return np.asarray(raised / raised.sum((-2, -1), keepdims=True))


def _logits(shares: Floats) -> Maps:
    return np.log(np.maximum(shares, LEAST)).astype(np.float32)
