"""Losses of places: what integral pose and the networks that lift poses learn by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from posewright.fields import Coordinates

Each = Callable[[Tensor, Tensor], Tensor]


def absolute_error(stages: Sequence[Coordinates], target: Coordinates) -> Tensor:
    """Absolute distance along each axis, summed over keypoints and axes, a mean over people only.

        L = sum over stages of  sum_bka w_bka |x - t| / B

    Sun et al. 2018 (arXiv:1711.08229, section 3); EpipolarPose's default for MPII. An axis that nobody knows, as the
    depth in a picture, counts nothing.
    """
    return _summed(stages, target, lambda x, t: (x - t).abs())


def smooth_absolute_error(stages: Sequence[Coordinates], target: Coordinates) -> Tensor:
    """Half the squared distance along each axis where it is below 1, else the distance less 1/2; a mean over people.

        L = sum over stages of  sum_bka w_bka s(x - t) / B

    EpipolarPose (arXiv:1903.02330, equation 6). Places are shares of the crop, so in effect it is half the squared
    error of all that lies inside.
    """
    return _summed(stages, target, lambda x, t: smooth_l1_loss(x, t, reduction="none"))


def standardised_error(stages: Sequence[Coordinates], target: Coordinates) -> Tensor:
    """Mean squared error of standardised poses, summed over stages: the refinement unit's and the lifter's.

    L = sum over stages of  mean (x - t)^2
    """
    return torch.stack([(stage.places - target.places).square().mean() for stage in stages]).sum()


def _summed(stages: Sequence[Coordinates], target: Coordinates, each: Each) -> Tensor:
    weights = _axes(target)
    costs = [(weights * each(stage.places.float(), target.places)).sum() for stage in stages]
    return torch.stack(costs).sum() / len(target.places)


def _axes(target: Coordinates) -> Tensor:
    """(B, K, 3) how much each axis of each keypoint counts."""
    weights: Tensor = target.weights
    return torch.stack([weights, weights, weights * target.deep], -1)
