"""Losses of DeeperCut: where parts are, and the ways from them to their keypoints and to the person's others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from posewright.fields import Heatmaps, Parts

WAYS = 0.05
"""What the ways to keypoints weigh beside the parts, each (the authors' code)."""


def parts_and_ways(stages: Sequence[Heatmaps | Parts], target: Parts) -> Tensor:
    """What DeeperCut learns by: cross-entropy of parts in all stages, and the ways in the last.

        L = sum over stages of  E(m)  +  0.05 (H(offsets, near a part) + H(pairs, near a part whose other is known))

    E: mean over what counts of the cross-entropy of logits; H: mean over what counts of the Huber loss, 1/2 d^2 up to
    d = 1 and d - 1/2 beyond. Insafutdinov et al. 2016 (arXiv:1605.03170) with the weights of the authors' code. Pixels
    where `mask` is 0 count nowhere; the authors mask crowds of COCO so.
    """
    counted = target.mask.expand_as(target.maps)
    costs = [_mean(_cross_entropy(stage.maps.float(), target.maps), counted) for stage in stages]
    found = stages[-1]
    assert isinstance(found, Parts)
    near = counted * target.maps
    starts = near.repeat_interleave(target.maps.shape[1] - 1, 1)
    for ways, true, weights in (
        (found.offsets, target.offsets, near),
        (found.pairs, target.pairs, starts * target.joined),
    ):
        costs.append(WAYS * _mean(smooth_l1_loss(ways.float(), true, reduction="none"), weights[:, :, None]))
    return torch.stack(costs).sum()


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, truth, reduction="none")


def _mean(each: Tensor, weights: Tensor) -> Tensor:
    """Mean of what has a weight, each times its weight; 0 where nothing has."""
    weights = weights.expand_as(each)
    return (weights * each).sum() / (weights != 0).sum().clamp(min=1)
