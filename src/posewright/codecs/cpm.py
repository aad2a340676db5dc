"""Beliefs: one map a keypoint at an eighth of the resolution, and one of the background, read back enlarged.

Wei et al. 2016, "Convolutional Pose Machines", arXiv:1602.00134, sections 3.2 and 4.2. What their code does
was read from the testing half of its release (commit a345bc5) and from the Gaussians of their Caffe, which
OpenPose (arXiv:1812.08008) shares. Two things stand in neither: sigma, here OpenPose's 7 px, and how far a keypoint
may lie outside to be taught still.

This code base maps crop px to map px by (x + 1/2) / 8 - 1/2, the house's own rule, so that mirroring the
crop mirrors the maps. Departure: for MPII the authors teach stage 1 the peaks of all people in the crop, and the
later stages those of the person in its middle; here all stages are taught the latter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import Floats, Maps, answered, bell, found, peaks, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size

LEAST = 0.01
"""What a Gaussian falls to 0 below."""


@dataclass(frozen=True)
class Beliefs(KeypointMaps):
    """Draw each keypoint as a Gaussian around its exact place, and the background as what none of them takes.

    size: multiples of stride; sigma in crop px.
    """

    size: Size = (368, 368)
    stride: int = 8
    sigma: float = 7.0

    tolerance = 1.5
    """A cubic is no Gaussian, and answers are whole px."""
    margin = 12.0
    border_tolerance = 7.1
    """The border hides the far side of a peak, and the reflected map is highest there."""

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K + 1, h, w) in [0, 1] and weights (P, K + 1).

        The background stands last and has weight 1. A keypoint that is absent, or so far outside that no pixel
        of the map knows of it, has weight 0 and a map of 0; it counts as background, as for the authors.
        """
        xy, labelled = stacked(people, self.skeleton)
        return Heatmaps(*belief_target(xy, labelled, self.map_size, self.stride, self.sigma))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K + 1, h, w) to P people in crop px: the largest pixel of the maps enlarged to the crop.

        The score is its value.
        """
        maps = np.asarray(fields.maps)
        places = len(self.skeleton)
        if maps.ndim != 4 or maps.shape[1] != places + 1:
            wanted = f"(P, {places + 1}, h, w), {self.skeleton.name} and the background"
            raise ValueError(f"maps must be {wanted}, not {maps.shape}")
        return found(*belief_decode(answered(maps[:, :places], self.skeleton), self.stride))

    def mirror(self, fields: Heatmaps) -> Heatmaps:
        """Fields of the mirrored crop to fields of the crop."""
        order = np.append(self.skeleton.mirror, len(self.skeleton))
        weights = None if fields.weights is None else fields.weights[..., order]
        return Heatmaps(fields.maps[..., order, :, ::-1], weights)


def belief_target(
    joints: ArrayLike, labelled: ArrayLike, map_size: Size, stride: int = 8, sigma: float = 7.0
) -> tuple[Maps, Maps]:
    """Draw joints (..., K, 2) crop px as Gaussians and the background, and return maps and weights.

    maps (..., K + 1, h, w), weights (..., K + 1). G(p) = exp(-|p - x|^2 / 2 sigma^2) at the crop px p that a map
    pixel's centre lies on, 0 where that is below 0.01; the background is 1 - max over K of G.
    """
    joints, labelled = np.asarray(joints, np.float64), np.asarray(labelled, bool)
    across, down = (
        bell(stride * np.arange(map_size[axis]) + (stride - 1) / 2 - joints[..., axis : axis + 1], sigma)
        for axis in (0, 1)
    )
    down *= labelled[..., None]
    maps = (down[..., :, None] * across[..., None, :]).astype(np.float32)
    maps[maps < LEAST] = 0
    background = 1 - maps.max(-3, keepdims=True)
    weights = np.ones((*labelled.shape[:-1], labelled.shape[-1] + 1), np.float32)
    weights[..., :-1] = (maps > 0).any((-2, -1))
    return np.concatenate([maps, background], -3), weights


def belief_decode(maps: Maps, stride: int = 8) -> tuple[Floats, NDArray[np.float32]]:
    """Find keypoints (P, K, 2) in crop px and values (P, K) of maps (P, K, h, w), enlarged `stride` times.

    Enlarging is MATLAB's imresize, cubic convolution with the map reflected at its border, as applyModel of the
    authors' code does it before it takes the largest pixel.
    """
    h, w = maps.shape[-2:]
    rows, columns = _cubic(h, stride), _cubic(w, stride)
    xy = np.empty((*maps.shape[:2], 2))
    values = np.empty(maps.shape[:2], np.float32)
    for place, person in enumerate(maps):
        y, x, values[place] = peaks(rows @ person @ columns.T)
        xy[place] = np.stack([x, y], -1)
    return xy, values


@lru_cache(maxsize=8)
def _cubic(length: int, times: int) -> Maps:
    """Return the matrix (times length, length) that enlarges a line by Keys's cubic convolution, a = -1/2."""
    at = (np.arange(times * length) + 0.5) / times - 0.5
    taps = np.floor(at)[:, None].astype(np.intp) + np.arange(-1, 3)
    away = np.abs(at[:, None] - taps)
    near = (1.5 * away - 2.5) * away**2 + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    period = taps % (2 * length)
    matrix = np.zeros((times * length, length))
    np.add.at(
        matrix,
        (np.arange(times * length)[:, None], np.minimum(period, 2 * length - 1 - period)),
        np.where(away <= 1, near, np.where(away < 2, far, 0.0)),
    )
    return matrix.astype(np.float32)
