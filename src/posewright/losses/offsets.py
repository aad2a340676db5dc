"""Losses of disks and of the ways to a keypoint inside them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posewright.fields import Offsets


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
