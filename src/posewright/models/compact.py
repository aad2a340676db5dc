"""Compact: posewright's own small network, sized for a laptop's processor.

An hourglass of plain residual blocks (He et al. 2016, arXiv:1512.03385), half of whose depth works
where a picture is only 8 x 8 cells, so that it sees the whole body; the way back up adds what the way
down saw at each resolution (Newell et al. 2016, arXiv:1603.06937). Only dense 3x3 and 1x1 convolutions:
on a processor they run near its peak, which depthwise ones do not.

    3 -32-> /2 -64-> /4 ------------------------+-> 64 -> K maps
                      \\-128-> /8 ----------+-> 64 /
                               \\-W-> /16 -+-> 128 /
                                      (deep blocks here)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from posewright.fields import Heatmaps


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolve, normalise, rectify."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Add two 3x3 convolutions to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = convolution(width, width)
        normalise = nn.BatchNorm2d(width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), normalise)
        nn.init.zeros_(normalise.weight)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


def blocks(width: int, count: int) -> nn.Sequential:
    """Stack residual blocks of one width."""
    return nn.Sequential(*(Residual(width) for _ in range(count)))


class Compact(nn.Module):
    """Return one map a keypoint at a quarter of the resolution, as logits over the map's pixels.

    images (B, 3, H, W) normalised, H and W multiples of 16; one stage of `Heatmaps` (B, K, H/4, W/4).
    """

    def __init__(self, keypoints: int, widths: tuple[int, int, int, int], depths: tuple[int, int, int]) -> None:
        super().__init__()
        stem, fine, middle, coarse = widths
        self.stem = nn.Sequential(convolution(3, stem, stride=2), convolution(stem, fine, stride=2))
        self.fine = blocks(fine, depths[0])
        self.middle = nn.Sequential(convolution(fine, middle, stride=2), blocks(middle, depths[1]))
        self.coarse = nn.Sequential(convolution(middle, coarse, stride=2), blocks(coarse, depths[2]))
        self.coarse_to_middle = nn.Sequential(nn.Conv2d(coarse, middle, 1, bias=False), nn.BatchNorm2d(middle))
        self.middle_up = blocks(middle, 1)
        self.middle_to_fine = nn.Sequential(nn.Conv2d(middle, fine, 1, bias=False), nn.BatchNorm2d(fine))
        self.fine_up = blocks(fine, 1)
        self.head = nn.Conv2d(fine, keypoints, 1)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Any]:
        return [Heatmaps(self.head(self.features(images)[0]))]

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is known at a quarter (B, fine, H/4, W/4) and a sixteenth (B, coarse, H/16, W/16)."""
        fine = self.fine(self.stem(images))  # (B, fine, H/4, W/4)
        middle = self.middle(fine)  # (B, middle, H/8, W/8)
        coarse = self.coarse(middle)  # (B, coarse, H/16, W/16)
        middle = self.middle_up(torch.relu(middle + doubled(self.coarse_to_middle(coarse))))
        return self.fine_up(torch.relu(fine + doubled(self.middle_to_fine(middle)))), coarse


def doubled(x: Tensor) -> Tensor:
    """Double a map's resolution, nearest neighbour."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


def compact(keypoints: int = 14) -> Compact:
    """The size of the embedded network's first edition."""
    return Compact(keypoints, widths=(32, 64, 128, 192), depths=(2, 2, 2))
