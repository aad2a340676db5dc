"""Multi-context attention (Chu et al., CVPR 2017, arXiv:1702.07432): hourglasses that weigh where they look.

    images -> 7x7, residual, pool /2, residuals, pool /2, residuals -> x     256 channels at 64x64
    x -> hourglass -> 1x1 -> features -> 1x1 -> attention -> heads -> K maps (supervised)
     \\----------------------------- + <- 1x1 --/---------------- 1x1 ---/        the next stack's x (Fig. 2)

    heads:  in the first four stacks one 1x1 (holistic attention);
            from the fifth on for each keypoint an attention of its own, then its 1x1 (part attention)

    attention:  u = 3x3 of the features; q = sigmoid(k * u + u), then twice q = sigmoid(k * q + u); features q
    hourglass residual unit:  x + residual(x) + (pool /2, 3x3, 3x3, x2)(x)

Drawn as the authors' code has it (commit 417a501), of 58.3 M parameters. The paper has two pieces more, and `paper`
draws them: an hourglass's answer is weighed by the sum of maps from all its resolutions, and only the first four stacks
then have a holistic attention as well, a second one. There is no reference output to hold either network against: the
code is Lua Torch's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from posewright.models.hourglass import DEPTH, WIDTH, Hourglass, Residual, Stacks, doubled, rectified
from posewright.models.original import Original
from posewright.models.pixels import Normal

STEPS = 3  # of the mean field
KERNEL = 11  # px of the map that see each other in a step, as the authors' training script has it
HOLISTIC = 4  # stacks without part attention (Fig. 2)


class Attention(nn.Module):
    """Multiply features (B, C, h, w) by one map (B, 1, h, w) in [0, 1] of where it is worth looking.

    The map is a conditional random field's, whose neighbours pull at each other through one kernel, by three steps
    of its mean field. The first step takes the neighbours' evidence u itself, not its sigmoid, as the authors'
    code has it.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.evidence = nn.Conv2d(width, 1, 3, padding=1)
        self.neighbours = nn.Conv2d(1, 1, KERNEL, padding=KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)

    def weights(self, x: Tensor) -> Tensor:
        """Return the map (B, 1, h, w)."""
        evidence: Tensor = self.evidence(x)
        attention = evidence
        for _ in range(STEPS):
            attention = torch.sigmoid(self.neighbours(attention) + evidence)
        return attention


class PartAttention(nn.Module):
    """Look for each keypoint with an attention of its own: (B, C, h, w) to maps (B, K, h, w)."""

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Sequential(Attention(width), nn.Conv2d(width, 1, 1)) for _ in range(keypoints))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([part(x) for part in self.parts], dim=1)


class HourglassResidual(nn.Module):
    """Add to a residual what 10x10 px show, seen at half the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.residual = Residual(width, width)
        self.wide = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            *rectified(width, width, 3),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.residual(x) + doubled(self.wide(x))
        return total


def hourglass(depth: int, width: int) -> Hourglass:
    """Build an hourglass with more and more units beside it, the higher the resolution."""
    beside = nn.Sequential(Residual(width, width), *(HourglassResidual(width) for _ in range(depth - 2)))
    inner = hourglass(depth - 1, width) if depth > 1 else Residual(width, width)
    return Hourglass(beside, Residual(width, width), inner, Residual(width, width))


def ways_up(look: Hourglass, x: Tensor) -> list[Tensor]:
    """Return what an hourglass knows at each resolution on its way up, the finest, its answer, first."""
    before = look.before(look.pool(x))
    below = ways_up(look.inner, before) if isinstance(look.inner, Hourglass) else []
    total: Tensor = look.beside(x) + doubled(look.after(below[0] if below else look.inner(before)))
    return [total, *below]


class ManyResolutions(nn.Module):
    """Weigh an hourglass's answer by the sum of what each of its resolutions finds worth looking at: f x sum of Phi_r.

    Of 64 px, r is 64, 32, 16 and 8; each has an `Attention` of its own, whose map is enlarged, here by repeating
    pixels. The maps are summed, not multiplied one after the other, since values near 0 would starve the gradient
    (the paper's reason). f is the hourglass's own answer, before a 1x1 changes it: a choice.
    """

    def __init__(self, look: Hourglass, width: int) -> None:
        super().__init__()
        self.look = look
        self.attentions = nn.ModuleList(Attention(width) for _ in range(DEPTH))

    def forward(self, x: Tensor) -> Tensor:
        known = ways_up(self.look, x)
        attentions = cast("Iterable[Attention]", self.attentions)
        maps = [attention.weights(each) for attention, each in zip(attentions, known, strict=True)]
        return known[0] * torch.stack([interpolate(each, known[0].shape[-2:]) for each in maps]).sum(0)


def stem(width: int) -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, width, H/4, W/4), with a look at the full resolution."""
    full = [*rectified(3, 64, 7), Residual(64, 64), nn.MaxPool2d(2)]
    half = [Residual(64, 64), Residual(64, 128), nn.MaxPool2d(2)]
    return nn.Sequential(*full, *half, Residual(128, 128), Residual(128, 128), Residual(128, width))


def head(inputs: int, width: int, keypoints: int, parts: bool, holistic: bool = True) -> nn.Sequential:
    """Weigh features, once or for each keypoint anew, and turn them into maps (Fig. 2)."""
    maps = PartAttention(width, keypoints) if parts else nn.Conv2d(width, keypoints, 1)
    return nn.Sequential(rectified(inputs, width), Attention(width) if holistic else nn.Identity(), maps)


class MultiContextAttention(Stacks):
    """Return one map a keypoint at a quarter of the resolution, from each stack.

    images (B, 3, H, W), H and W multiples of 64; one stage of `Heatmaps` (B, K, H/4, W/4) a stack. The last
    stack's features are twice as wide. Weights start as PyTorch draws them. paper: with the paper's attention of
    many resolutions, which takes the place of the code's one holistic attention where parts have their own.
    """

    def __init__(self, stacks: int, keypoints: int, width: int = WIDTH, paper: bool = False) -> None:
        widths = [*[width] * (stacks - 1), 2 * width]
        looks = (hourglass(DEPTH, width) for _ in range(stacks))
        parted = [number >= HOLISTIC for number in range(stacks)]
        super().__init__(
            stem(width),
            (ManyResolutions(look, width) for look in looks) if paper else looks,
            (rectified(width, own) for own in widths),
            (
                head(own, own, keypoints, parts, not (paper and parts))
                for own, parts in zip(widths, parted, strict=True)
            ),
            (rectified(width, width) for _ in range(stacks - 1)),
            (nn.Conv2d(keypoints, width, 1) for _ in range(stacks - 1)),
        )


def multi_context_attention_8(keypoints: int = 16) -> MultiContextAttention:
    """Eight stacks, as the authors' code has them."""
    return MultiContextAttention(8, keypoints)


def multi_context_attention_8_paper(keypoints: int = 16) -> MultiContextAttention:
    """Eight stacks with the paper's attention of many resolutions."""
    return MultiContextAttention(8, keypoints, paper=True)


# Half is taken from each channel, and nothing is divided (opts.lua, data.lua).
ORIGINAL = Original(head=r"(heads\.\d+\.2|returned_maps)\.", normal=Normal((0.5,) * 3, (1.0,) * 3))
