"""Losses: from a network's stages and a target to one number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, cross_entropy

from posewright.fields import Affinities, Heatmaps, Levels, Offsets, Placed, Twofold

HARDEST = 8
"""Keypoints of a person that the finest maps learn from: of 17, the best that CPN's authors found (section 3.2.2)."""


def mean_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Half the mean squared difference of maps, each map times its weight, summed over the stages.

        L = sum over stages of  1/2 mean over B, K, h, w of (w (m - t))^2

    As HRNet and SimpleBaseline train (JointsMSELoss): the mean also runs over maps of weight 0.
    """
    weights = target.weights[..., None, None]
    return torch.stack([0.5 * (weights * (stage.maps.float() - target.maps)).square().mean() for stage in stages]).sum()


def disks_and_offsets(stages: Sequence[Offsets], target: Offsets) -> Tensor:
    """`mean_squared_error` of disks, and of the ways along x and y, these inside the true disks alone.

        L = sum over stages of  1/2 mean over B, K, h, w of (w (d - t))^2 + (w t (x - t_x))^2 + (w t (y - t_y))^2

    Huang et al. 2020 (UDP, arXiv:1911.07524, section 4) with the weights of the authors' code.
    """
    weights = target.weights[..., None, None]
    inside = weights * target.disks
    return torch.stack([
        0.5 * (mask * (one.float() - truth)).square().mean()
        for stage in stages
        for mask, one, truth in zip((weights, inside, inside), stage[:3], target[:3], strict=True)
    ]).sum()  # fmt: skip


def hard_keypoints(stages: Sequence[Heatmaps], target: Heatmaps | Levels, hardest: int = HARDEST) -> Tensor:
    """Mean squared difference of each person's worst maps alone: online hard keypoint mining.

        L = sum over stages of  mean over B of  1/M sum over the M largest k of  w_k mean over h, w of (m - t)^2

    Chen et al. 2018 (CPN, arXiv:1711.07319, section 3.2.2). Of levels, the last is the target. A skeleton of
    fewer than M keypoints counts all of them; unknown ones cost nothing.
    """
    truth = target.maps[:, -1] if isinstance(target, Levels) else target.maps
    count = min(hardest, truth.shape[-3])
    each = [target.weights * (stage.maps.float() - truth).square().mean((-2, -1)) for stage in stages]
    return torch.stack([costs.topk(count, dim=-1).values.mean() for costs in each]).sum()


def cascaded(stages: Sequence[Heatmaps], target: Levels) -> Tensor:
    """What CPN learns by: stages before the last each hold a level, the last the hard keypoints of the finest.

        L = 1/2 mean over levels of  mean over B, K, h, w of (m - s t)^2  +  hard_keypoints(last stage)

    with s = 1 for a keypoint that is seen: a hidden or unknown one is to leave the stages before the last blank.
    Chen et al. 2018 (arXiv:1711.07319, section 3.2) with the weights of the authors' code, which gives the coarsest
    target to the finest feature, and says that this is a mistake kept; here the coarsest has the coarsest, as meant.
    """
    *before, last = stages
    levels = target.maps.unbind(1)
    costs = [_of_seen(stage, level, target) for stage, level in zip(before, levels, strict=True)]
    return torch.stack(costs).mean() / 2 + hard_keypoints([last], target)


def coarse_to_fine(stages: Sequence[Heatmaps], target: Levels) -> Tensor:
    """What MSPN and RSN learn by: the units of a pyramid hold ever finer levels, the last pyramid one level finer.

        L = sum over pyramids of  1/4 sum over units but the finest of  mean over B, K, h, w of (m - s t)^2
                                  + hard_keypoints(finest unit)

    with s as in `cascaded`. T levels are for pyramids of T - 1 units; the first level is left out in the last
    pyramid, and the last level in all others. Li et al. 2019 (arXiv:1901.00148, section 3.3) as in the authors' code.
    """
    levels = target.maps.unbind(1)
    units = len(levels) - 1
    if len(stages) % units:
        raise ValueError(f"{len(stages)} stages are no pyramids of {units} units, which {len(levels)} levels are for")
    costs = []
    for first in range(0, len(stages), units):
        held = levels[1:] if first + units == len(stages) else levels[:-1]
        *coarse, finest = zip(stages[first : first + units], held, strict=True)
        costs += [_of_seen(stage, level, target) / units for stage, level in coarse]
        costs.append(hard_keypoints([finest[0]], Heatmaps(finest[1], target.weights)))
    return torch.stack(costs).sum()


def _of_seen(stage: Heatmaps, level: Tensor, target: Levels) -> Tensor:
    """Mean squared difference from one level's maps of what is seen; the other maps are to be blank."""
    shown = (target.seen * target.weights)[..., None, None]
    return (stage.maps.float() - shown * level).square().mean()


def summed_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Half the squared difference of maps, summed over all but the people, and over the stages.

        L = sum over stages of  1/2B sum over B, K, h, w of (w (m - t))^2

    Caffe's EuclideanLoss, by which Wei et al. 2016 (arXiv:1602.00134, section 3.3) learn: plain momentum needs
    the sum that its rate was chosen for.
    """
    weights = target.weights[..., None, None]
    total = torch.stack([(weights * (stage.maps.float() - target.maps)).square().sum() for stage in stages]).sum()
    return total / (2 * len(target.maps))


def window_cross_entropy(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Cross-entropy of each window's yes or no in the first stage, yes and no weighing alike.

        L = 1/2 mean over B, K of  w (mean of -log s(m) where t = 1, and mean of -log(1 - s(m)) where t = 0)

    with s the logistic function, as Jain et al. 2014 (arXiv:1312.7302) train detectors; how many negative windows
    they show for each positive one could not be read, so here as many, in weight. Later stages are not learnt.
    """
    logits, truth = stages[0].maps.float(), target.maps
    each = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    yes = (each * truth).sum((-2, -1)) / truth.sum((-2, -1)).clamp(min=1)
    no = (each * (1 - truth)).sum((-2, -1)) / (1 - truth).sum((-2, -1)).clamp(min=1)
    return (target.weights * (yes + no)).mean() / 2


def centred_and_back(stages: Sequence[Heatmaps], target: Twofold) -> Tensor:
    """What RMPE learns by: the first stage holds the centred maps, all others the maps as they are.

        L = mean_squared_error(stages[1:], maps) + mean_squared_error(stages[:1], centred)

    Fang et al. 2017 (arXiv:1612.00137, section 3.2); how the two are weighed against each other could not be read. A
    keypoint that lies outside the crop once it is centred does not count there.
    """
    inside = target.weights * (target.centred.amax((-2, -1)) > 0)
    beside = mean_squared_error(stages[:1], Heatmaps(target.centred, inside))
    return mean_squared_error(stages[1:], Heatmaps(target.maps, target.weights)) + beside


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
