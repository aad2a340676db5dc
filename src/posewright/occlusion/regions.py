"""Regions: where an occluder lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posewright.occlusion.occluder import Alpha
from posewright.scene import Crop


@dataclass(frozen=True)
class KeypointDisc:
    """Cover a disc around one keypoint of the first person; nothing where it is absent.

    radius in px of the crop. Pytel et al. 2020 (arXiv:2010.10451, section III): 6 px on a 256x192 crop.
    """

    keypoint: str
    radius: float

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        height, width = crop.pixels.shape[:2]
        x, y = crop.people[0].keypoints[crop.skeleton.index(self.keypoint)]
        rows, columns = np.ogrid[:height, :width]
        return ((columns - x) ** 2 + (rows - y) ** 2 <= self.radius**2).astype(np.float32)
