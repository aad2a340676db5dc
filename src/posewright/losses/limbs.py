"""Losses of networks that find limbs beside keypoints, as fields that point along them or as maps of their own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, interpolate

from posewright.fields import Affinities, Heatmaps, Limbs, Placed

SCALES = (6.4, 1.6, 0.4, 0.2, 0.1)
"""What SimplePose's maps weigh from /64 to /4, before all are divided by their sum (the authors' code)."""
KEYPOINTS, SILHOUETTES = 3.0, 0.1
"""What SimplePose's maps of keypoints and of silhouettes weigh, where limbs weigh 1."""
FOREGROUND = 0.01
"""Targets from which on SimplePose's pixels are learnt the more the lower the answer, below it the higher."""
SEEN = 0.5
"""How much of a coarse cell is to count for any of it to count."""


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


def fields_and_heatmaps(stages: Sequence[Limbs], target: Limbs) -> Tensor:
    """What OpenPose and its lightweight form learn by: half the squared difference of all maps, people masked out.

        L = sum over stages of  1/2B sum over B, maps, h, w of (W (m - t))^2

    W is 0 where people are not labelled. Cao et al. 2017 (arXiv:1611.08050, equation 5), summed and halved as
    Caffe's EuclideanLoss does.
    """
    costs = [
        (target.mask * (found.float() - truth)).square().sum()
        for stage in stages
        for found, truth in ((stage.maps, target.maps), (stage.limbs, target.limbs))
    ]
    return torch.stack(costs).sum() / (2 * len(target.maps))


def focal_squares(stages: Sequence[Limbs], target: Limbs) -> Tensor:
    """What SimplePose learns by: squared differences that weigh the more, the further a pixel is from being right.

        L = 1/B sum over scales of  v / sum of v  mean over stacks of sum over maps, h, w of  c W (m - t)^2 |1 - s|

    with s = m where t >= 0.01 and 1 - m elsewhere; c as KEYPOINTS and SILHOUETTES say, 1 for the rest; v as SCALES.
    stages: of each stack, five, the coarsest first; target: at the finest, of which coarser ones are means. Li et al.
    2020 (arXiv:1911.10529) as coded: the exponent of |1 - s| is 1 there, in the paper 2.
    """
    count = len(SCALES)
    if len(stages) % count:
        raise ValueError(f"{len(stages)} stages are no stacks of {count} scales")
    stacks = len(stages) // count
    per_scale = [
        torch.stack([_focal(stage, shrunk) for stage in stages[number::count]]).sum() / stacks
        for number in range(count)
        for shrunk in [_shrunk(target, stages[number].maps.shape[-2:])]
    ]
    weighed = sum(weight * cost for weight, cost in zip(SCALES, per_scale, strict=True))
    return torch.as_tensor(weighed) / sum(SCALES) / len(target.maps)


def _shrunk(target: Limbs, shape: torch.Size) -> Limbs:
    """Bring a target to a coarser resolution: means of its maps, and of its mask what is mostly to count."""
    if shape == target.maps.shape[-2:]:
        return target
    mask = interpolate(target.mask.float(), size=shape, mode="bilinear", align_corners=False)
    maps, limbs = (adaptive_avg_pool2d(values, (shape[0], shape[1])) for values in (target.maps, target.limbs))
    return Limbs(maps, limbs, mask.where(mask >= SEEN, torch.zeros_like(mask)))


def _focal(stage: Limbs, target: Limbs) -> Tensor:
    """Sum over pictures, maps and pixels."""
    keypoints = stage.maps.shape[-3] - 2
    weights = stage.maps.new_tensor([KEYPOINTS] * keypoints + [SILHOUETTES, 1.0])[:, None, None]
    maps = weights * target.mask * _focal_square(stage.maps.float(), target.maps)
    limbs = target.mask * _focal_square(stage.limbs.float(), target.limbs)
    return maps.sum() + limbs.sum()


def _focal_square(found: Tensor, truth: Tensor) -> Tensor:
    right = found.where(truth >= FOREGROUND, 1 - found)
    return (found - truth).square() * (1 - right).abs()
