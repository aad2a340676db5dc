"""Losses of maps beside which a network says whether each keypoint is seen."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from posewright.fields import Heatmaps, Sightings
from posewright.losses.distributions import spatial_cross_entropy


def place_and_visibility(stages: Sequence[Sightings], target: Sightings) -> Tensor:
    """`spatial_cross_entropy` of the maps, and the cross-entropy of each keypoint's being seen.

        L = spatial_cross_entropy + sum over stages of  - sum_k v_k (s(t) log s(m) + s(-t) log s(-m))_k / sum_k v_k

    with s the logistic function and v what is known.
    """
    places = [Heatmaps(stage.maps) for stage in stages]
    known, truth = target.known, target.seen.sigmoid()
    each = [binary_cross_entropy_with_logits(stage.seen.float(), truth, known, reduction="sum") for stage in stages]
    beside = torch.stack(each).sum() / known.sum().clamp(min=1.0)
    return spatial_cross_entropy(places, Heatmaps(target.maps, target.weights)) + beside
