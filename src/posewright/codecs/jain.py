"""Windows: of all windows that slide over a crop, the one with a keypoint in its middle.

Jain et al. 2014, "Learning Human Pose Estimation Features with Convolutional Networks", arXiv:1312.7302. A
binary detector answers each window of 64x64 px at every fourth px. The paper shifts its positive examples a
little and does not say how far; here a window is positive within half a step, 2 px, and all others are negative.

Crop px map to map px by the house's rule, (x + 1/2) / 4 - 1/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posewright.codecs.keypoint_maps import KeypointMaps
from posewright.codecs.maps import answered, found, peaks, stacked
from posewright.fields import Heatmaps
from posewright.scene import Person
from posewright.warp import Size


@dataclass(frozen=True)
class Windows(KeypointMaps):
    """Mark the one window that has the keypoint in its middle, and find it again as the largest answer.

    stride px of the crop from window to window.
    """

    size: Size = (256, 256)

    tolerance = 2.0
    """Half a step."""
    margin = 0.0
    border_tolerance = 2.0

    def encode(self, people: Sequence[Person]) -> Heatmaps:
        """One person a crop, in crop px, to maps (P, K, h, w) of 0 and 1 and weights (P, K).

        A keypoint that is absent or outside the crop has weight 0 and a map of 0.
        """
        xy, labelled = stacked(people, self.skeleton)
        w, h = self.map_size
        cells = np.floor((xy + 0.5) / self.stride)
        inside = labelled & ((cells >= 0) & (cells < (w, h))).all(-1)
        maps = np.zeros((*inside.shape, h, w), np.float32)
        person, keypoint = np.nonzero(inside)
        x, y = cells[inside].astype(np.intp).T
        maps[person, keypoint, y, x] = 1
        return Heatmaps(maps, inside.astype(np.float32))

    def decode(self, fields: Heatmaps) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px: the middle of the likeliest window; the score is its value."""
        y, x, values = peaks(answered(fields.maps, self.skeleton))
        return found((np.stack([x, y], -1) + np.float64(0.5)) * self.stride - 0.5, values)
