"""Losses of windows that hold a keypoint or do not."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from posewright.fields import Heatmaps


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
