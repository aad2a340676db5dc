"""The losses, to be named in recipes: torch is imported when one is first computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from posewright.fields import Affinities, Heatmaps, Levels, Offsets, Placed, Twofold


def mean_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.maps.mean_squared_error`."""
    from posewright.losses import maps as losses

    return losses.mean_squared_error(stages, target)


def disks_and_offsets(stages: Sequence[Offsets], target: Offsets) -> Any:
    """See `posewright.losses.maps.disks_and_offsets`."""
    from posewright.losses import maps as losses

    return losses.disks_and_offsets(stages, target)


def hard_keypoints(stages: Sequence[Heatmaps], target: Heatmaps | Levels) -> Any:
    """See `posewright.losses.maps.hard_keypoints`."""
    from posewright.losses import maps as losses

    return losses.hard_keypoints(stages, target)


def cascaded(stages: Sequence[Heatmaps], target: Levels) -> Any:
    """See `posewright.losses.maps.cascaded`."""
    from posewright.losses import maps as losses

    return losses.cascaded(stages, target)


def coarse_to_fine(stages: Sequence[Heatmaps], target: Levels) -> Any:
    """See `posewright.losses.maps.coarse_to_fine`."""
    from posewright.losses import maps as losses

    return losses.coarse_to_fine(stages, target)


def summed_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.maps.summed_squared_error`."""
    from posewright.losses import maps as losses

    return losses.summed_squared_error(stages, target)


def window_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.maps.window_cross_entropy`."""
    from posewright.losses import maps as losses

    return losses.window_cross_entropy(stages, target)


def spatial_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.maps.spatial_cross_entropy`."""
    from posewright.losses import maps as losses

    return losses.spatial_cross_entropy(stages, target)


def centred_and_back(stages: Sequence[Heatmaps], target: Twofold) -> Any:
    """See `posewright.losses.maps.centred_and_back`."""
    from posewright.losses import maps as losses

    return losses.centred_and_back(stages, target)


def cross_entropy_and_place(stages: Sequence[Heatmaps], target: Heatmaps) -> Any:
    """See `posewright.losses.maps.cross_entropy_and_place`."""
    from posewright.losses import maps as losses

    return losses.cross_entropy_and_place(stages, target)


def limbs_and_keypoints(
    stages: Sequence[Affinities | Heatmaps], target: Placed, limbs: Sequence[tuple[int, int]]
) -> Any:
    """See `posewright.losses.maps.limbs_and_keypoints`."""
    from posewright.losses import maps as losses

    return losses.limbs_and_keypoints(stages, target, limbs)
