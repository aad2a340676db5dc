"""Losses of MultiPoseNet: keypoints and silhouettes first, then boxes (`losses.boxes`), and the PRN apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from posewright.fields import Everybody, Heatmaps


def keypoints_and_silhouettes(stages: Sequence[Heatmaps | Everybody], target: Everybody) -> Tensor:
    """Mean squared difference of keypoints and silhouettes, people without labels masked out, of all stages.

        L = sum over stages of  mean over B, K + 1, h, w of (W (m - t))^2

    Kocabas et al. 2018 (arXiv:1807.04067), equation 1, and its intermediate losses; that all weigh the same is as in
    the community's code (vector `multiposenet_targets`). Maps that the target does not have are not learnt.
    """
    truth = _maps(target)
    costs = [(target.mask * (_maps(stage)[:, : truth.shape[1]].float() - truth)).square().mean() for stage in stages]
    return torch.stack(costs).sum()


def _maps(fields: Heatmaps | Everybody) -> Tensor:
    """Return maps, and silhouettes behind them where there are some."""
    silhouettes = getattr(fields, "silhouettes", None)
    return fields.maps if silhouettes is None else torch.cat([fields.maps, silhouettes], 1)


def cross_entropy_of_cells(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """What PRN learns by: for each cell, whether the keypoint is there, as if it were a question of its own.

        L = sum over stages of  mean over P, K, h, w of  -w (t log m + (1 - t) log(1 - m))

    maps (P, K, h, w) of probabilities, weights (P, K). Kocabas et al. 2018 (arXiv:1807.04067). The authors' code weighs
    a keypoint that is absent, whose map of truth is 0 everywhere, like any other.
    """
    weights = target.weights[..., None, None].expand_as(target.maps)
    return torch.stack([binary_cross_entropy(stage.maps.float(), target.maps, weights) for stage in stages]).sum()
