"""Losses of heatmaps by squared differences, of all keypoints, the hard ones, or level by level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posewright.fields import Heatmaps, Levels, Twofold

HARDEST = 8
"""Keypoints of a person that the finest maps learn from: of 17, the best that CPN's authors found (section 3.2.2)."""


def mean_squared_error(stages: Sequence[Heatmaps], target: Heatmaps) -> Tensor:
    """Half the mean squared difference of maps, each map times its weight, summed over the stages.

        L = sum over stages of  1/2 mean over B, K, h, w of (w (m - t))^2

    As HRNet and SimpleBaseline train (JointsMSELoss): the mean also runs over maps of weight 0.
    """
    weights = target.weights[..., None, None]
    return torch.stack([0.5 * (weights * (stage.maps.float() - target.maps)).square().mean() for stage in stages]).sum()


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


def centred_and_back(stages: Sequence[Heatmaps], target: Twofold, beside: int | None = None) -> Tensor:
    """What RMPE learns by: the first stages hold the centred maps, the others the maps as they are.

        L = mean_squared_error(others, maps) + mean_squared_error(first, centred)

    beside: how many stages the branch beside has; by default half of all, where it is the network itself. Fang et al.
    2017 (arXiv:1612.00137, section 3.1): each stack of the network and each of the branch counts alike, as in the
    authors' code. A keypoint that lies outside the crop once it is centred does not count there.
    """
    inside = target.weights * (target.centred.amax((-2, -1)) > 0)
    count = len(stages) // 2 if beside is None else beside
    centred = mean_squared_error(stages[:count], Heatmaps(target.centred, inside))
    return mean_squared_error(stages[count:], Heatmaps(target.maps, target.weights)) + centred
