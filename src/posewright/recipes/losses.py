"""The losses, to be named in recipes: torch is imported when one is first computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from posewright.fields import Heatmaps


def mean_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.mean_squared_error`."""
    from posewright import losses

    return losses.mean_squared_error(stages, target)


def spatial_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.spatial_cross_entropy`."""
    from posewright import losses

    return losses.spatial_cross_entropy(stages, target)
