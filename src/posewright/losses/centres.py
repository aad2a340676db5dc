"""Loss of detectors that see a person as the middle of a box (Liu et al., AAAI 2020, arXiv:1909.00700)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from posewright.fields import Centres

ALPHA, BETA = 2.0, 4.0
"""How fast a pixel that is right is forgotten, and how little one near a middle counts (equation 2)."""
SIDES = 5.0
"""How much the sides count beside the middles (equation 5)."""
SURE = 1e-4
"""How near to 0 and 1 a probability counts."""


def centres_and_sides(stages: Sequence[Centres], target: Centres) -> Tensor:
    """What TTFNet learns by: where middles are, and how far the sides are from there.

        L = L_middle + 5 L_sides

    of the last stage. Raises nothing: batches without people have no sides to learn.
    """
    found = stages[-1]
    return middles(found.maps, target) + SIDES * sides(found.sides, target)


def middles(maps: Tensor, target: Centres) -> Tensor:
    """Cross-entropy that forgets what is right, and spares what is near a middle.

        L = -1/M sum over pixels of  (1 - p)^2 log p  where t = 1,  else  (1 - t)^4 p^2 log (1 - p)

    with M the number of middles of the batch, at least 1, masked pixels left out. maps (B, 1, h, w) of probabilities
    (equation 2, after CornerNet, arXiv:1808.01244).
    """
    likely = maps.float().clamp(SURE, 1 - SURE)
    middle = target.maps >= 1
    there = (1 - likely) ** ALPHA * likely.log()
    elsewhere = (1 - target.maps) ** BETA * likely**ALPHA * (1 - likely).log()
    return -(target.mask * torch.where(middle, there, elsewhere)).sum() / middle.sum().clamp(min=1)


def sides(found: Tensor, target: Centres) -> Tensor:
    """Generalised intersection over union of boxes around the same pixel, by weights: mean of 1 - GIoU (equation 4).

    found (B, 4, h, w) px to the left, upper, right and lower side.
    """
    ways, true = found.float(), target.sides
    both, hull = torch.minimum(ways, true), torch.maximum(ways, true)
    inner = _extent(both).clamp(min=0).prod(1, keepdim=True)
    union = _extent(ways).clamp(min=0).prod(1, keepdim=True) + _extent(true).prod(1, keepdim=True) - inner
    around = _extent(hull).prod(1, keepdim=True)
    quality = inner / union.clamp(min=SURE) - (around - union) / around.clamp(min=SURE)
    return (target.weights * (1 - quality)).sum() / target.weights.sum().clamp(min=1)


def _extent(ways: Tensor) -> Tensor:
    """Return widths and heights (B, 2, h, w) of boxes by the ways to their sides."""
    return ways[:, :2] + ways[:, 2:]
