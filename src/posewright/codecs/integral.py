"""Integral: a keypoint is where its volume of probability has its mean, across, down and away from the viewer.

Sun et al., "Integral human pose regression", ECCV 2018 (arXiv:1711.08229). Places are shares of the crop's sides, less
one half, and depths are shares of its width: a crop that shows 2 m at the root's distance is 2 m deep. The code's rule
for a cell's place is i / n, not the middle of the cell, so a volume mirrors with 3 px of the crop to spare; its
mean, which the network says, mirrors exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from posewright.codecs.maps import fitted, found, reordered, stacked, turned
from posewright.fields import Coordinates, Volume
from posewright.scene import Floats, Person
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

NEARLY = 0.02
REACH = 2
"""Half the side, in cells, of the square whose probability is a keypoint's score."""


@dataclass(frozen=True)
class Integral:
    """Write keypoints and depths as shares of a crop, and read them back.

    size (width, height) px of the crop. deep: whether the third number is known at all; without, answers have no
    `depths`.
    """

    skeleton: Skeleton
    size: Size = (256, 256)
    deep: bool = True

    tolerance: ClassVar[float] = 1e-3
    """px: rounding to float32."""
    margin: ClassVar[float] = 0.0
    border_tolerance: ClassVar[float] = 1e-3
    mirror_tolerance: ClassVar[float] = 1e-3
    beyond: ClassVar[float] = 0.0

    @staticmethod
    def around(center: ArrayLike, extent: ArrayLike, size: Size, turn: float = 0.0, mirror: bool = False) -> Warp:
        """Aim as EpipolarPose's code does: the region fills the crop, and its centre is at size / 2.

        The code's regions are squares seen by pixels that are nearly so. One whose aspect is not the crop's to NEARLY
        is made so first, by widening.
        """
        sides = np.asarray(extent, np.float64)
        shape = sides / np.asarray(size)
        if shape.max() > (1 + NEARLY) * shape.min():
            sides = fitted(sides, size)
        factors = np.asarray(size, np.float64) / sides
        return turned(factors, center, (size[0] / 2, size[1] / 2), turn, mirror, size)

    def encode(self, people: Sequence[Person]) -> Coordinates:
        """One person a crop, with `depths` where these are known, to places (P, K, 3), and deep and weights (P, K).

        A keypoint outside the crop counts, as in both code bases: a mean place is no cell. Where people have scores,
        they are labels that somebody is so sure of, and count as much.
        """
        xy, labelled = stacked(people, self.skeleton)
        unknown = np.full(len(self.skeleton), np.nan)
        z = np.array([unknown if one.depths is None else one.depths for one in people]).reshape(labelled.shape)
        deep = labelled & np.isfinite(z) & self.deep
        places = np.concatenate([xy / self.size - 0.5, np.where(deep, z, 0.0)[..., None] / self.size[0]], -1)
        places = np.where(labelled[..., None], places, 0.0).astype(np.float32)
        sure = np.array([np.ones(len(self.skeleton)) if one.scores is None else one.scores for one in people])
        weights = (labelled * sure.reshape(labelled.shape)).astype(np.float32)
        return Coordinates(places, labelled.astype(np.float32), deep.astype(np.float32), weights)

    def decode(self, fields: Coordinates | Volume) -> list[Person]:
        """Places (P, K, 3), or volumes, to P people in crop px, with depths in crop px; scores in [0, 1].

        What is no finite number is the crop's middle. A network that tells no score has 1, as the authors'.
        """
        if isinstance(fields, Volume):
            fields = mean_place(fields)
        places = np.asarray(fields.places, np.float64)
        if places.ndim != 3 or places.shape[1:] != (len(self.skeleton), 3):
            raise ValueError(f"places must be (P, {len(self.skeleton)}, 3), not {places.shape}")
        places = np.where(np.isfinite(places), places, 0.0)
        xy = ((places[..., :2] + 0.5) * self.size).clip(-0.5, np.array(self.size) - 0.5)
        scores = np.ones(places.shape[:2]) if fields.scores is None else np.nan_to_num(fields.scores, posinf=1.0)
        people = found(xy, np.asarray(scores))
        if not self.deep:
            return people
        return [replace(one, depths=z) for one, z in zip(people, places[..., 2] * self.size[0], strict=True)]

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored crop to fields of the crop: x px becomes width - 1 - x."""
        if isinstance(fields, Volume):
            logits = np.asarray(fields.logits)[..., self.skeleton.mirror, :, :, ::-1]
            return Volume(logits, reordered(fields.weights, self.skeleton))
        places = np.asarray(fields.places)[..., self.skeleton.mirror, :].copy()
        known = 1.0 if fields.weights is None else np.asarray(fields.weights)[..., self.skeleton.mirror] > 0
        places[..., 0] = np.where(known, -1.0 / self.size[0] - places[..., 0], places[..., 0])
        return Coordinates(places, *(reordered(one, self.skeleton) for one in fields[1:]))


def mean_place(volume: Volume) -> Coordinates:
    """Return the mean places of volumes and the probabilities within REACH cells of them in the picture.

        x = sum_i p_x(i) i / W - 1/2,   p = softmax over the whole volume

    Equations 1 and 2 of the paper, normalised as both code bases do. A flat volume of 64 cells gives -1/128.

    >>> mean_place(Volume(np.zeros((1, 64, 64, 64)))).places
    array([[-0.0078125, -0.0078125, -0.0078125]])
    """
    logits = np.asarray(volume.logits)
    raised = np.exp(logits - logits.max((-3, -2, -1), keepdims=True), dtype=np.float64)
    shares = raised / raised.sum((-3, -2, -1), keepdims=True)
    flat = shares.sum(-3)
    lines = (flat.sum(-2), flat.sum(-1), shares.sum((-2, -1)))
    means = [line @ np.arange(line.shape[-1]) for line in lines]
    near = [
        np.abs(np.arange(line.shape[-1]) - mean[..., None]) <= REACH for mean, line in zip(means, lines, strict=True)
    ]
    score = np.einsum("...yx,...y,...x->...", flat, near[1], near[0])
    places: Floats = np.stack([mean / line.shape[-1] - 0.5 for mean, line in zip(means, lines, strict=True)], -1)
    return Coordinates(places, score)
