"""Losses, a file a family: (stages, target) -> scalar tensor."""

from posewright.losses.coordinates import absolute_error, smooth_absolute_error, standardised_error
from posewright.losses.distributions import cross_entropy_and_place, spatial_cross_entropy
from posewright.losses.limbs import limbs_and_keypoints
from posewright.losses.maps import (
    cascaded,
    centred_and_back,
    coarse_to_fine,
    hard_keypoints,
    mean_squared_error,
    summed_squared_error,
)
from posewright.losses.offsets import disks_and_offsets
from posewright.losses.windows import window_cross_entropy

__all__ = [
    "absolute_error",
    "cascaded",
    "centred_and_back",
    "coarse_to_fine",
    "cross_entropy_and_place",
    "disks_and_offsets",
    "hard_keypoints",
    "limbs_and_keypoints",
    "mean_squared_error",
    "smooth_absolute_error",
    "spatial_cross_entropy",
    "standardised_error",
    "summed_squared_error",
    "window_cross_entropy",
]
