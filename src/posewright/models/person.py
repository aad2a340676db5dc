"""Person: posewright's own detector of people, over the first 17 of EfficientNet-Lite0's layers.

    images -> trunk: /8 -40-------------------------+-> 64 -+-> 3x3 -> middles (sigmoid)
                       \\-> /16 -112---------+-> 96 /        \\-> 3x3 -> ways to the four sides, px (softplus)
                                \\-> /32 -> 128 /

What a map pixel says is TTFNet's (Liu et al., AAAI 2020, arXiv:1909.00700); the way back up is that of `pose.Pose`.
"""

from __future__ import annotations

from functools import partial
from math import log

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from posewright.fields import Centres
from posewright.models.compact import Residual, convolution, doubled
from posewright.models.efficientnet import B0, STEM, tapped, trunk
from posewright.models.original import Original
from posewright.models.pose import IMAGENET, RENAMES, brought, calm

STAGES = (*B0[:5], B0[5]._replace(repeats=2))
"""Of the sixth stage the first two of four blocks, of the seventh none: 192 channels at a thirty-second remain."""
TAPS = ("block3b", "block5c", "block6b")
PRIOR = 0.01
"""That a pixel is a person's middle, before anything is learnt (RetinaNet, arXiv:1708.02002, section 4.1)."""
UNIT = 16.0
"""px of the picture that one unit of the ways is (TTFNet's s)."""


class LitePerson(nn.Module):
    """Say where people's middles are and how far their boxes reach: one stage of `Centres` at an eighth.

    images (B, 3, H, W) normalised, H and W multiples of 32; maps (B, 1, H/8, W/8) in [0, 1], sides (B, 4, H/8, W/8) px.
    """

    def __init__(self, widths: tuple[int, int, int] = (64, 96, 128)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.trunk = trunk(STEM, STAGES, squeeze=0, activation=partial(nn.ReLU6, inplace=True))
        seen = [STAGES[number].width for number in (2, 4, 5)]
        self.across_coarse, self.coarse = brought(seen[2], coarse), Residual(coarse)
        self.from_coarse = brought(coarse, middle)
        self.across_middle, self.middle = brought(seen[1], middle), Residual(middle)
        self.from_middle = brought(middle, fine)
        self.across_fine, self.fine = brought(seen[0], fine), Residual(fine)
        self.middles, self.sides = answering(fine, 1), answering(fine, 4)
        nn.init.constant_(self.middles[-1].bias, -log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Centres]:
        fine, middle, coarse = tapped(self.trunk, TAPS, images)
        coarse = self.coarse(torch.relu(self.across_coarse(coarse)))
        middle = self.middle(torch.relu(self.across_middle(middle) + doubled(self.from_coarse(coarse))))
        fine = self.fine(torch.relu(self.across_fine(fine) + doubled(self.from_middle(middle))))
        return [Centres(self.middles(fine).float().sigmoid(), UNIT * softplus(self.sides(fine).float()))]


def answering(inputs: int, outputs: int) -> nn.Sequential:
    """Look around once more, then answer."""
    answer = nn.Conv2d(inputs, outputs, 1)
    calm(answer)
    return nn.Sequential(convolution(inputs, inputs), answer)


def lite_person() -> LitePerson:
    """The embedded detector."""
    return LitePerson()


ORIGINAL = Original(RENAMES, head=r"(middles|sides)\.", sources=(IMAGENET,))
