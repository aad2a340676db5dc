"""Losses of part affinity fields beside heatmaps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from posewright.fields import Affinities, Heatmaps, Placed


def limbs_and_keypoints(
    stages: Sequence[Affinities | Heatmaps], target: Placed, limbs: Sequence[tuple[int, int]]
) -> Tensor:
    """What EfficientPose learns by: part affinity fields and heatmaps, at the resolution that each stage has.

        L = sum over stages but the last of  mean over B, maps, h, w of (w (m - t))^2

    limbs: the keypoints, by number, at the start and the end of each. The last stage is the one before it, enlarged by
    rule, and so asks for nothing. Groos et al. 2020 (arXiv:2004.12186); that all weigh the same is a choice.
    """
    costs = []
    for stage in stages[:-1]:
        shape = stage.maps.shape[-2:]
        truth = affinities(target, limbs, shape) if isinstance(stage, Affinities) else in_cells(target, shape)
        costs.append((truth.weights[..., None, None] * (stage.maps.float() - truth.maps)).square().mean())
    return torch.stack(costs).sum()


def in_cells(target: Placed, shape: Sequence[int]) -> Heatmaps:
    """Read maps (B, K, H, W) in the middle of each of h x w cells, between its four middle pixels."""
    side = target.maps.shape[-1] // shape[-1]
    near = max(side // 2 - 1, 0)
    return Heatmaps(avg_pool2d(target.maps[..., near:, near:], min(side, 2), side), target.weights)


def affinities(target: Placed, limbs: Sequence[tuple[int, int]], shape: Sequence[int]) -> Affinities:
    """Draw each limb as its unit vector in all cells whose middle is at most one cell from it: (B, 2 L, h, w).

    A limb counts as much as both its ends. Cao et al. 2017 (arXiv:1611.08050, equation 8); the width is a choice.
    """
    start, end = torch.tensor(limbs, device=target.x.device).T
    side = target.maps.shape[-1] / shape[-1]
    places = torch.stack([target.x, target.y], -1)[..., None, None, :]
    way = places[:, end] - places[:, start]
    length = way.norm(dim=-1, keepdim=True)
    unit = way / length.clamp(min=1e-6)
    down, across = ((torch.arange(count, device=unit.device) + 0.5) * side - 0.5 for count in shape)
    away = torch.stack(torch.meshgrid(across, down, indexing="xy"), -1) - places[:, start]
    along = (away * unit).sum(-1, keepdim=True)
    beside = away[..., :1] * unit[..., 1:] - away[..., 1:] * unit[..., :1]
    on = (along >= 0) & (along <= length) & (beside.abs() <= side)
    weights = target.weights[:, start] * target.weights[:, end]
    return Affinities((unit * on).movedim(-1, 2).flatten(1, 2), weights.repeat_interleave(2, 1))
