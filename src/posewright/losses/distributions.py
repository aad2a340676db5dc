"""Losses of maps that are distributions over their pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from posewright.fields import Heatmaps


def spatial_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Cross-entropy between two distributions over a map's pixels, both given by logits.

        L = sum over stages of  - sum_k w_k sum_yx softmax(t)_kyx log softmax(m)_kyx / sum_k w_k

    He et al. 2017 (arXiv:1703.06870, section 5) with a Gaussian for the one-hot truth.
    """
    truth = target.maps.flatten(-2).softmax(-1)
    total = target.weights.sum().clamp(min=1.0)
    losses = [_entropy(stage.maps, truth, target.weights).sum() / total for stage in stages]
    return torch.stack(losses).sum()


def cross_entropy_and_place(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Cross-entropy of each map as a distribution over its pixels, and how far its mean place is off along each axis.

        L = sum over stages of  mean over B, K of w_k H(softmax(t), softmax(m))
                                + mean over B, K and the axes of w_k |x(m) - x(t)|,   x(m) = sum_p softmax(m)_p p

    in map px. Moon et al. 2019 (arXiv:1812.03595, section 4.2). Departure: the true place is the target's own mean,
    which in the last map px of a row or a column is that pixel's middle.
    """
    truth = target.maps.flatten(-2).softmax(-1)
    place, weights = mean_place(target.maps), target.weights
    losses = [
        _entropy(stage.maps, truth, weights).mean()
        + (weights[..., None] * (mean_place(stage.maps.float()) - place).abs()).mean()
        for stage in stages
    ]
    return torch.stack(losses).sum()


def mean_place(maps: Tensor) -> Tensor:
    """Return the mean place (..., K, 2) in map px of logits (..., K, h, w)."""
    shares = maps.flatten(-2).softmax(-1).reshape(maps.shape)
    x, y = (torch.arange(length, device=maps.device, dtype=maps.dtype) for length in (maps.shape[-1], maps.shape[-2]))
    return torch.stack([(shares.sum(-2) * x).sum(-1), (shares.sum(-1) * y).sum(-1)], -1)


def _entropy(maps: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """(B, K) the cross-entropy of each map, times its weight."""
    logits = maps.float().flatten(-2)
    pixels = logits.shape[-1]
    each = cross_entropy(logits.reshape(-1, pixels), truth.reshape(-1, pixels), reduction="none")
    return each.reshape(weights.shape) * weights
