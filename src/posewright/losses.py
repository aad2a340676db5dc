"""Losses: from a network's stages and a target to one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from posewright.fields import Heatmaps


def mean_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Half the mean squared difference of maps, each map times its weight, summed over the stages.

        L = sum over stages of  1/2 mean over B, K, h, w of (w (m - t))^2

    As HRNet and SimpleBaseline train (JointsMSELoss): the mean also runs over maps of weight 0.
    """
    weights = target.weights[..., None, None]
    return torch.stack([0.5 * (weights * (stage.maps.float() - target.maps)).square().mean() for stage in stages]).sum()


def spatial_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Cross-entropy between two distributions over a map's pixels, both given by logits.

        L = sum over stages of  - sum_k w_k sum_yx softmax(t)_kyx log softmax(m)_kyx / sum_k w_k

    He et al. 2017 (arXiv:1703.06870, section 5) with a Gaussian for the one-hot truth.
    """
    truth = target.maps.flatten(-2).softmax(-1)
    total = target.weights.sum().clamp(min=1.0)
    losses = [_entropy(stage.maps, truth, target.weights).sum() / total for stage in stages]
    return torch.stack(losses).sum()


def _entropy(maps: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """(B, K) the cross-entropy of each map, times its weight."""
    logits = maps.float().flatten(-2)
    pixels = logits.shape[-1]
    each = cross_entropy(logits.reshape(-1, pixels), truth.reshape(-1, pixels), reduction="none")
    return each.reshape(weights.shape) * weights
