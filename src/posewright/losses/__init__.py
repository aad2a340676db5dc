"""Losses, a file a family: (stages, target) -> scalar tensor."""

from posewright.losses.boxes import scores_and_boxes
from posewright.losses.coordinates import absolute_error, smooth_absolute_error, standardised_error
from posewright.losses.distributions import cross_entropy_and_place, spatial_cross_entropy
from posewright.losses.everybody import cross_entropy_of_cells, keypoints_and_silhouettes
from posewright.losses.limbs import fields_and_heatmaps, focal_squares, limbs_and_keypoints
from posewright.losses.maps import (
    cascaded,
    centred_and_back,
    coarse_to_fine,
    hard_keypoints,
    mean_squared_error,
    summed_squared_error,
)
from posewright.losses.offsets import disks_and_offsets
from posewright.losses.parts import parts_and_ways
from posewright.losses.tags import associative_embedding, higher_hrnet
from posewright.losses.windows import window_cross_entropy

__all__ = [
    "absolute_error",
    "associative_embedding",
    "cascaded",
    "centred_and_back",
    "coarse_to_fine",
    "cross_entropy_and_place",
    "cross_entropy_of_cells",
    "disks_and_offsets",
    "fields_and_heatmaps",
    "focal_squares",
    "hard_keypoints",
    "higher_hrnet",
    "keypoints_and_silhouettes",
    "limbs_and_keypoints",
    "mean_squared_error",
    "parts_and_ways",
    "scores_and_boxes",
    "smooth_absolute_error",
    "spatial_cross_entropy",
    "standardised_error",
    "summed_squared_error",
    "window_cross_entropy",
]
