"""SimplePose: keypoints and limbs of everybody, both as heatmaps.

Li, Su and Wang 2020, "Simple Pose: Rethinking and Improving a Bottom-up Approach for Multi-Person Pose Estimation",
arXiv:1911.10529, by the authors' code (Improved-Body-Parts, commit 0fa17df).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log, sqrt
from typing import Any, ClassVar

import cv2
import numpy as np

from posewright.codecs.bottom_up.affinity_fields import OPENPOSE, drawn_keypoints, limb_places
from posewright.codecs.bottom_up.openpose import mirrored_limbs
from posewright.codecs.bottom_up.simplepose_grouping import connect, find_peaks, grow
from posewright.codecs.bottom_up.whole import (
    Everyone,
    Pictures,
    Unlabelled,
    WholeMaps,
    checked,
    covered,
    everyone,
    finite,
    masks,
    one_person,
)
from posewright.codecs.maps import Floats, Maps
from posewright.fields import Limbs
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size

SMALLEST = 0.015
"""Values below are not drawn; those of limbs become FLOOR."""
FLOOR = 0.01
GROWN = 4.0
"""px by which the box around a limb is larger than its ends."""
BESIDE = 2
"""Maps behind the keypoints': people's silhouettes, and the largest of the keypoints'."""

_PAIRS = (
    "neck nose, neck right_eye, neck left_eye, neck right_ear, neck left_ear, nose right_eye, nose left_eye, "
    "right_eye right_ear, left_eye left_ear, neck right_shoulder, right_shoulder right_elbow, right_elbow right_wrist, "
    "neck left_shoulder, left_shoulder left_elbow, left_elbow left_wrist, neck right_hip, right_hip right_knee, "
    "right_knee right_ankle, neck left_hip, left_hip left_knee, left_knee left_ankle, nose right_shoulder, "
    "nose left_shoulder, right_shoulder right_hip, right_hip left_knee, left_shoulder left_hip, left_hip right_knee, "
    "right_ear right_shoulder, left_ear left_shoulder, right_hip left_hip"
)
SIMPLEPOSE = Skeleton(
    "openpose_coco_18",
    OPENPOSE.keypoints,
    tuple((start, end) for start, end in (pair.split() for pair in _PAIRS.split(", "))),
)
"""18 keypoints and 30 limbs, more than a tree needs, in the order of their maps."""


@dataclass(frozen=True)
class SimplePose(WholeMaps):
    """Draw keypoints as Gaussians and limbs as bands, and grow people limb by limb.

    size (width, height) px of the pictures; drawn: keypoints and limbs; sigma, limb_sigma px of the picture.
    """

    size: Size = (512, 512)
    drawn: Skeleton = SIMPLEPOSE
    sigma: float = 9.0
    limb_sigma: float = 7.0

    tolerance: ClassVar[float] = 3.0
    """The code weighs the centroid's x by rows and y by columns, so that it moves about as much as it should not."""
    apart: ClassVar[float] = 64.0
    mirror_tolerance: ClassVar[float] = 5.0

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Limbs:
        """Everybody in B pictures, in px, to maps (B, K + 2, h, w), limbs (B, L, h, w) and a mask (B, 1, h, w).

        Behind the keypoints are the union of people's masks, and the largest of the keypoints.
        """
        w, h = self.map_size
        count, limbs = len(self.drawn), len(self.drawn.limbs)
        maps = np.zeros((len(pictures), count + BESIDE, h, w), np.float32)
        bands = np.zeros((len(pictures), limbs, h, w), np.float32)
        for people, drawn, band in zip(pictures, maps, bands, strict=True):
            seen = drawn_keypoints(everyone(people, self.skeleton), self.skeleton, self.drawn, rounded=False)
            drawn[:count] = tops(seen, self.map_size, self.stride, self.sigma)
            drawn[-1] = drawn[:count].max(0)
            band[:] = bands_along(seen, limb_places(self.drawn), self.map_size, self.stride, self.limb_sigma)
            for person in people:
                if person.mask is not None and person.mask.shape == self.size[::-1]:
                    np.maximum(drawn[count], covered(person.mask, (w, h)), out=drawn[count])
        return Limbs(maps, bands, masks(pictures, unlabelled, self.size, self.map_size))

    def decode(self, fields: Limbs) -> list[list[Person]]:
        """Maps (B, K + 2, h, w) and limbs (B, L, h, w) to the people of each picture, in px.

        Both are enlarged to the picture with cubic interpolation first. A person's score is 1 - 1 / total.
        """
        maps, limbs = checked(fields.maps, self.drawn, BESIDE), finite(fields.limbs)
        if limbs.shape != (len(maps), len(self.drawn.limbs), *maps.shape[2:]):
            raise ValueError(f"limbs must be {len(self.drawn.limbs)} maps beside {maps.shape}, not {limbs.shape}")
        return [self._people(*each) for each in zip(maps[:, :-BESIDE], limbs, strict=True)]

    def _people(self, maps: Maps, limbs: Maps) -> list[Person]:
        large, bands = (self._enlarged(one) for one in (maps, limbs))
        peaks = find_peaks(large)
        places = limb_places(self.drawn)
        rows, totals = grow(peaks, places, connect(peaks, places, bands, self.size[1]))
        flat = np.concatenate([*peaks, [[np.nan, np.nan, 0]]])
        order = self.drawn.to(self.skeleton)
        found = []
        for row, total in zip(rows, totals.tolist(), strict=True):
            values = flat[np.where(order >= 0, row[order], -1)]
            found.append(one_person(values[:, :2], values[:, 2], 1 - 1 / total if total > 1 else 0.0))
        return [person for person in found if person.labelled.any()]

    def _enlarged(self, maps: Maps) -> Maps:
        size = (maps.shape[2] * self.stride, maps.shape[1] * self.stride)
        return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in maps])

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures."""
        count = len(self.drawn)
        order = [*self.drawn.mirror.tolist(), *range(count, count + BESIDE)]
        mask = None if fields.mask is None else fields.mask[..., ::-1]
        limbs = fields.limbs[..., mirrored_limbs(self.drawn, directed=False), :, ::-1]
        return Limbs(fields.maps[..., order, :, ::-1], limbs, mask)


def tops(people: Everyone, size: Size, stride: int, sigma: float) -> Maps:
    """Draw keypoints (P, K, 2) px as Gaussians in squares around them, the larger winning: (K, h, w) of `size`."""
    maps = np.zeros((people.xy.shape[1], size[1], size[0]), np.float32)
    reach = ceil(sqrt(-2 * sigma**2 * log(SMALLEST)) / stride)
    for p, k in np.argwhere(people.labelled):
        place = people.xy[p, k]
        middle = np.round(place / stride).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, size)
        if (high <= low).any():
            continue
        lines = [
            np.exp(-((np.arange(low[i], high[i]) * stride + (stride - 1) / 2 - place[i]) ** 2) / (2 * sigma**2))
            for i in (0, 1)
        ]
        part = maps[k, low[1] : high[1], low[0] : high[0]]
        np.maximum(part, lines[1][:, None] * lines[0], out=part, casting="same_kind")
    return maps


def bands_along(people: Everyone, limbs: Sequence[tuple[int, int]], size: Size, stride: int, sigma: float) -> Maps:
    """Draw limbs as bands about the line through both ends, people averaged, and return (L, h, w) of `size`.

    A band reaches as far as the box around the ends, grown by GROWN px; there what is below SMALLEST becomes FLOOR.
    """
    total = np.zeros((len(limbs), size[1], size[0]))
    count = np.zeros(total.shape)
    for limb, ends in enumerate(limbs):
        for xy in people.xy[people.labelled[:, list(ends)].all(1)]:
            start, end = xy[ends[0]], xy[ends[1]]
            low = np.round((np.minimum(start, end) - GROWN) / stride).astype(int)
            high = np.round((np.maximum(start, end) + GROWN) / stride).astype(int) + 1
            low, high = np.maximum(low, 0), np.minimum(high, size)
            if (high <= low).any():
                continue
            away = _from_line(start, end, low, high, stride)
            value = np.exp(-(away**2) / (2 * sigma**2))
            window = (limb, slice(low[1], high[1]), slice(low[0], high[0]))
            total[window] += np.where(value <= SMALLEST, FLOOR, value)
            count[window] += 1
    return np.clip(np.divide(total, count, out=total, where=count > 0), 0, 1).astype(np.float32)


def _from_line(start: Floats, end: Floats, low: Floats, high: Floats, stride: int) -> Floats:
    """Return the distance px of a window's map pixels from the line through two places; of one place, from it.

    As in the authors' code, the line counts as a millionth of a px longer.
    """
    x, y = (np.arange(low[i], high[i]) * stride + (stride - 1) / 2 for i in (0, 1))
    dx, dy = x[None] - start[0], y[:, None] - start[1]
    way = end - start
    if not way.any():
        return np.asarray(np.hypot(dx, dy))
    return np.asarray(np.abs(dx * way[1] - dy * way[0]) / (np.hypot(*way) + 1e-6))
