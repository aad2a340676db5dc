"""Accuracy on heatmaps: what HRNet's training prints, which needs neither people nor pictures.

leoxiaobin/deep-high-resolution-net.pytorch, `lib/core/evaluate.py`, whose rule SimpleBaseline and many others share.
It tells a network that learns from one that does not; it is no PCK, and no paper reports it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.distance.distances import mean_of_known
from posewright.metrics.score import share
from posewright.scene import Floats

REACH = 10.0
"""A tenth of the map's height is the unit of distance."""


class HeatmapAccuracy(NamedTuple):
    """Hold the share of peaks that are near: each (K,), NaN where no target counts; mean: of those that are known."""

    mean: float
    each: Floats


def heatmap_accuracy(
    predicted: NDArray[np.floating], target: NDArray[np.floating], threshold: float = 0.5
) -> HeatmapAccuracy:
    """Compare the peaks of predicted maps (B, K, h, w) with those of target maps of the same shape.

    A peak counts if the target's is beyond pixel 1 in both x and y; it is right if the distance to it is less than
    `threshold` tenths of the map's height. Departures: where nothing counts the original writes -1 for a keypoint
    and 0 for the mean, here both are NaN. Its normaliser is meant to be (w, h) / 10 but is (h, w) / 10, applied to
    (x, y); that slip is kept, so x is measured by the height and y by the width. Raises ValueError for other shapes.
    """
    if predicted.shape != target.shape or predicted.ndim != 4:
        raise ValueError(f"maps must be (B, K, h, w) both, not {predicted.shape} and {target.shape}")
    unit = np.array(target.shape[2:]) / REACH
    true = peaks(target)
    away = np.sqrt((((peaks(predicted) - true) / unit) ** 2).sum(-1))
    asked = np.asarray((true > 1).all(-1))
    each = share(np.ones((1, len(true))), (away < threshold) & asked, asked)
    return HeatmapAccuracy(float(mean_of_known(each)[0]), each[0])


def peaks(maps: NDArray[np.floating]) -> Floats:
    """Return x, y (B, K, 2) px of the largest pixel of maps (B, K, h, w), the first of equals row by row.

    (0, 0) where no pixel is above 0.
    """
    flat = maps.reshape(*maps.shape[:2], -1)
    y, x = np.divmod(flat.argmax(-1), maps.shape[-1])
    return np.asarray(np.stack([x, y], -1) * (flat.max(-1) > 0)[..., None], np.float64)
