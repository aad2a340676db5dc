"""Gaussian: the classic heatmap of a keypoint, with HRNet's quarter-pixel decode.

Sun et al. 2019, "Deep High-Resolution Representation Learning for Human Pose Estimation",
arXiv:1902.09212, section 3, and before it Xiao et al. 2018, arXiv:1804.06208. The numbers are those of the
authors' released code (commit 6f69e46).

This code base maps crop px to map px by x / 4, not by the house's (x + 1/2) / 4 - 1/2, and rounds. That is
biased: mirroring the crop takes x to 191 - x, hence x / 4 to 47.75 - x / 4, while mirroring the map takes it
to 47 - x / 4. The two are 0.75 map px apart. The authors shift a mirrored answer by 1 px before they
average, which leaves 0.25 map px of the bias; `Gaussian.mirror` does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import (
    Floats,
    Maps,
    answered,
    bells,
    fitted,
    found,
    inner,
    met,
    mirrored,
    off_middle,
    peaks,
    quartered,
    reordered,
    stacked,
)
from posewright.fields import Heatmaps
from posewright.scene import PADDING, Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

COCO_IMPORTANCE = (1, 1, 1, 1, 1, 1, 1, 1.2, 1.2, 1.5, 1.5, 1, 1, 1.2, 1.2, 1.5, 1.5)
"""How much more the authors' option weighs COCO's elbows, knees, wrists and ankles."""


@dataclass(frozen=True)
class Gaussian(KeypointMaps):
    """Draw each keypoint as a Gaussian on the nearest map pixel, and read it back to a quarter of a pixel.

    sigma in map px; importance (K,) multiplies the weights.
    """

    size: Size = (192, 256)
    sigma: float = 2.0
    importance: tuple[float, ...] | None = None

    tolerance = 2.0
    """Half a map px, by rounding."""
    margin = 2.0
    border_tolerance = 3.5
    """A keypoint at the far border has its peak just outside the map."""
    mirror_tolerance = 4.0
    """The two roundings and the 0.25 map px that the shift leaves make one map px."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) in [0, 1] and weights (P, K).

        An absent keypoint has weight 0 and a map of 0. One beyond the border may keep its weight
        (`heatmap_target`).
        """
        xy, labelled = stacked(people, self.skeleton)
        maps, weights = heatmap_target(xy, labelled, self.map_size, self.stride, self.sigma)
        return Heatmaps(maps, weights if self.importance is None else weights * np.asarray(self.importance, np.float32))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px; the score is the map's maximum.

        Where that is not above 0 the place is the largest pixel and the score 0; the authors put (0, 0).
        """
        xy, scores = _quarter(answered(fields.maps, self.skeleton))
        return found(xy * self.stride, scores)

    def mirror(self, fields: Heatmaps) -> Heatmaps:
        """Fields of the mirrored crop to fields of the crop, with the authors' shift of one map px."""
        return Heatmaps(flip_back(fields.maps, self.skeleton), reordered(fields.weights, self.skeleton))

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as the authors do; arguments as `posewright.warp.around`.

        The centre goes to (w / 2, h / 2), half a px off the crop's middle. Mirrored too: the authors mirror
        the picture first, which puts its centre at W - 1 - x and then again at w / 2. They count turns the
        other way.
        """
        return off_middle(center, extent, size, turn, mirror)


def heatmap_target(
    joints: ArrayLike, labelled: ArrayLike, map_size: Size, stride: float = 4, sigma: float = 2.0
) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) crop px as Gaussians, and return maps (..., K, h, w) and weights (..., K).

    G(p) = exp(-|p - m|^2 / 2 sigma^2) within 3 sigma of m along each axis, with m = int(x / stride + 1/2),
    truncated toward zero. The weight falls to 0 where the patch lies outside beyond one further px on the
    near side, so a joint just outside keeps weight 1 with a map of 0. Source: generate_target of HRNet.

    >>> maps, weights = heatmap_target([[9.0, 2.0]], [True], map_size=(5, 3))
    >>> maps[0].round(2)
    array([[0.54, 0.78, 0.88, 0.78, 0.54],
           [0.61, 0.88, 1.  , 0.88, 0.61],
           [0.54, 0.78, 0.88, 0.78, 0.54]], dtype=float32)
    """
    joints, labelled = np.asarray(joints, np.float64), np.asarray(labelled, bool)
    middle = np.trunc(joints / stride + 0.5)
    reach = 3 * sigma
    drawn = labelled & met(middle - reach, middle + reach + 1, map_size)
    return bells(middle, drawn, map_size, sigma, reach), drawn.astype(np.float32)


def decode_hrnet(maps: ArrayLike) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (..., K, 2) in map px and maxima (..., K) of maps (..., K, h, w) as HRNet does.

    The largest pixel, moved by 1/4 toward the larger neighbour along each axis, except at the border and on
    pixel 1. (0, 0) where the maximum is not above 0: `Gaussian.decode` does better.
    """
    xy, scores = _quarter(np.asarray(maps, np.float32))
    return np.where(scores[..., None] > 0, xy, 0.0), scores


def _quarter(maps: Maps) -> tuple[Floats, NDArray[np.float32]]:
    y, x, scores = peaks(maps)
    return quartered(maps, y, x, inner(y, x, maps.shape, 2, 1) & (scores > 0)), scores


def flip_back(maps: NDArray, skeleton: Skeleton, shift: bool = True) -> NDArray:
    """Return maps (..., K, h, w) of the mirrored crop as maps of the crop.

    shift: move all by one px to the right, the first column stays; see the file's head for why.
    """
    back = mirrored(maps, skeleton).copy()
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back


def box_region(box: ArrayLike, size: Size, padding: float = PADDING) -> tuple[Floats, Floats]:
    """Return centre and extent (..., 2) px of boxes xyxy (..., 4), at the aspect of `size`, padded.

    The authors keep extent / 200 as "scale". Their padding is left out where the centre's x is -1 exactly.
    Source: _box2cs of HRNet's COCODataset, the same in DarkPose and UDP.
    """
    box = np.asarray(box, np.float64)
    center = (box[..., :2] + box[..., 2:]) / 2
    extent = fitted(box[..., 2:] - box[..., :2], size)
    return center, np.where(center[..., :1] != -1, padding, 1.0) * extent
