"""RetinaNet (Lin et al., ICCV 2017, arXiv:1708.02002): at each place of a pyramid, nine boxes that may be it.

    C3, C4, C5 -> FPN -> P3, P4, P5;   C5 -> 3x3 /2 -> P6 -> ReLU, 3x3 /2 -> P7        strides 8 to 128
    each P -> 3x3 x4 -> 3x3 -> a score for each of 9 anchors        (one head for all levels, Fig. 3)
    each P -> 3x3 x4 -> 3x3 -> 4 corrections for each

Here for one class, people. Where the anchors are, and what a correction is, says the codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn

from posewright.fields import Boxes
from posewright.models.feature_pyramid import BACKBONE_WIDTHS, WIDTH, FeaturePyramid

ANCHORS = 9  # three shapes at three sizes
PRIOR = 0.01  # that an anchor is a person's, before anything is learnt (section 4.1)


class BoxPyramid(nn.Module):
    """Return P3 to P7 of C3, C4 and C5, the finest first."""

    def __init__(self) -> None:
        super().__init__()
        self.fpn = FeaturePyramid(BACKBONE_WIDTHS[1:])
        self.sixth = nn.Conv2d(BACKBONE_WIDTHS[-1], WIDTH, 3, 2, 1)
        self.seventh = nn.Conv2d(WIDTH, WIDTH, 3, 2, 1)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        sixth = self.sixth(features[-1])
        return [*self.fpn(features), sixth, self.seventh(sixth.relu())]


def head(outputs: int) -> nn.Sequential:
    """Build four convolutions and a fifth that answers."""
    layers: list[nn.Module] = []
    for _ in range(4):
        layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(inplace=True)]
    layers.append(nn.Conv2d(WIDTH, outputs, 3, padding=1))
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


class BoxHead(nn.Module):
    """Score and correct the anchors of all levels: `Boxes` (B, N), (B, N, 4), level by level, row by row.

    Weights start normal with a deviation of 0.01; every score starts at about PRIOR.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scores, self.deltas = head(ANCHORS), head(4 * ANCHORS)
        nn.init.constant_(self.scores[-1].bias, -log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]

    def forward(self, levels: Sequence[Tensor]) -> Boxes:
        scores = torch.cat([self.scores(level).permute(0, 2, 3, 1).flatten(1) for level in levels], 1)
        deltas = [self.deltas(level).permute(0, 2, 3, 1).flatten(1).unflatten(1, (-1, 4)) for level in levels]
        return Boxes(scores.sigmoid(), torch.cat(deltas, 1))
