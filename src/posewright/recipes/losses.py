"""The losses, to be named in recipes: torch is imported when one is first computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Loss:
    """Stand for a loss of `posewright.losses`, by its family and name: (stages, target, ...) -> scalar tensor.

    >>> mean_squared_error
    Loss(family='maps', name='mean_squared_error')
    """

    family: str
    name: str

    def __call__(self, stages: Sequence[Any], target: Any, **settings: Any) -> Any:
        function = getattr(import_module(f"posewright.losses.{self.family}"), self.name)
        return function(stages, target, **settings)


mean_squared_error = Loss("maps", "mean_squared_error")
summed_squared_error = Loss("maps", "summed_squared_error")
hard_keypoints = Loss("maps", "hard_keypoints")
cascaded = Loss("maps", "cascaded")
coarse_to_fine = Loss("maps", "coarse_to_fine")
centred_and_back = Loss("maps", "centred_and_back")
window_cross_entropy = Loss("windows", "window_cross_entropy")
spatial_cross_entropy = Loss("distributions", "spatial_cross_entropy")
cross_entropy_and_place = Loss("distributions", "cross_entropy_and_place")
place_and_visibility = Loss("visibility", "place_and_visibility")
disks_and_offsets = Loss("offsets", "disks_and_offsets")
limbs_and_keypoints = Loss("limbs", "limbs_and_keypoints")
absolute_error = Loss("coordinates", "absolute_error")
smooth_absolute_error = Loss("coordinates", "smooth_absolute_error")
fields_and_heatmaps = Loss("limbs", "fields_and_heatmaps")
focal_squares = Loss("limbs", "focal_squares")
associative_embedding = Loss("tags", "associative_embedding")
higher_hrnet = Loss("tags", "higher_hrnet")
centres_and_sides = Loss("centres", "centres_and_sides")
scores_and_boxes = Loss("boxes", "scores_and_boxes")
keypoints_and_silhouettes = Loss("everybody", "keypoints_and_silhouettes")
cross_entropy_of_cells = Loss("everybody", "cross_entropy_of_cells")
parts_and_ways = Loss("parts", "parts_and_ways")
