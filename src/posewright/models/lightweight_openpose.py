"""Lightweight OpenPose (Osokin 2018, arXiv:1811.12004): OpenPose that keeps up with a camera, on a processor.

    images -> MobileNet to conv5_5, /8 -> 512 -> 1x1, depthwise 3x3 x3, 3x3 -> F                   128 channels
    F -> 3x3 x3 -> 1x1 x2 -> K heatmaps and 1x1 x2 -> L fields     (initial stage: one trunk for both)
    F, heatmaps, fields -> five blocks of 1x1, 3x3, 3x3 dilated by 2 -> heatmaps and fields        (refinement)

Drawn as the author's code has it (commit d23c284). MobileNet (Howard et al. 2017, arXiv:1704.04861) keeps its
resolution from /8 on, and its block 7 is dilated instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Limbs
from posewright.models.openpose import STAGES, rectified
from posewright.models.original import Original, Source
from posewright.models.pixels import Normal

WIDTH = 128  # of the features
BLOCKS = 5  # of a refinement stage
MOBILENET = ((64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1), (512, 1, 2)) + 4 * (
    (512, 1, 1),
)
"""Width, stride and dilation of each separable convolution."""


def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1,
           bias: bool = False) -> list[nn.Module]:  # fmt: skip
    """Convolve, normalise, rectify."""
    around = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, around, dilation, groups, bias)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def mobilenet() -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, 512, H/8, W/8)."""
    blocks = [nn.Sequential(*normed(3, 32, 3, stride=2))]
    inputs = 32
    for width, stride, dilation in MOBILENET:
        depthwise = normed(inputs, inputs, 3, stride, dilation, groups=inputs)
        blocks.append(nn.Sequential(*depthwise, *normed(inputs, width, 1)))
        inputs = width
    return nn.Sequential(*blocks)


def separable() -> nn.Sequential:
    """Convolve each channel, then across channels, without normalising."""
    depthwise = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, groups=WIDTH, bias=False)
    return nn.Sequential(depthwise, nn.ELU(inplace=True), nn.Conv2d(WIDTH, WIDTH, 1, bias=False), nn.ELU(inplace=True))


class Narrowed(nn.Module):
    """Bring MobileNet's channels down to those of the features (the code's Cpm)."""

    def __init__(self) -> None:
        super().__init__()
        self.align = nn.Sequential(*rectified(512, WIDTH, 1))
        self.trunk = nn.Sequential(*(separable() for _ in range(3)))
        self.settle = nn.Sequential(*rectified(WIDTH, WIDTH, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.align(x)
        settled: Tensor = self.settle(x + self.trunk(x))
        return settled


class RefinementBlock(nn.Module):
    """Add two 3x3 convolutions, of which the second is dilated, to a 1x1, in a 7x7's place."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*rectified(inputs, WIDTH, 1))
        near, far = (normed(WIDTH, WIDTH, 3, dilation=dilation, bias=True) for dilation in (1, 2))
        self.trunk = nn.Sequential(nn.Sequential(*near), nn.Sequential(*far))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        total: Tensor = x + self.trunk(x)
        return total


class Stage(nn.Module):
    """Answer with heatmaps and fields that share a trunk."""

    def __init__(self, trunk: nn.Module, width: int, maps: int, fields: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.maps = nn.Sequential(*rectified(WIDTH, width, 1), nn.Conv2d(width, maps, 1))
        self.limbs = nn.Sequential(*rectified(WIDTH, width, 1), nn.Conv2d(width, fields, 1))

    def forward(self, features: Tensor) -> Limbs:
        x = self.trunk(features)
        return Limbs(self.maps(x), self.limbs(x))


class LightweightOpenPose(nn.Module):
    """Return heatmaps and part affinity fields at an eighth of the resolution, from each stage.

    images (B, 3, H, W), H and W multiples of 8; one stage of `Limbs` (B, K + 1, H/8, W/8), the background last, and
    (B, 2 L, H/8, W/8), a stage. Weights start as PyTorch draws them; the author starts MobileNet from ImageNet.
    """

    def __init__(self, keypoints: int, limbs: int, refinements: int = 1) -> None:
        super().__init__()
        maps, fields = keypoints + 1, 2 * limbs
        self.backbone = mobilenet()
        self.narrow = Narrowed()
        initial = nn.Sequential(*(nn.Sequential(*rectified(WIDTH, WIDTH, 3)) for _ in range(3)))
        self.stages = nn.ModuleList([Stage(initial, 512, maps, fields)])
        for _ in range(refinements):
            inputs = [WIDTH + maps + fields, *[WIDTH] * (BLOCKS - 1)]
            self.stages.append(Stage(nn.Sequential(*map(RefinementBlock, inputs)), WIDTH, maps, fields))

    def forward(self, images: Tensor) -> list[Limbs]:
        features = seen = self.narrow(self.backbone(images))
        answers: list[Limbs] = []
        for stage in self.stages:
            answers.append(stage(seen))
            seen = torch.cat([features, answers[-1].maps, answers[-1].limbs], 1)
        return answers


def lightweight_openpose(keypoints: int = 18, limbs: int = 19) -> LightweightOpenPose:
    """One refinement stage, as released for COCO with a neck."""
    return LightweightOpenPose(keypoints, limbs)


# From the author's names.
RENAMES = (
    (r"^model\.(?=\d+\.)", "backbone."),
    (r"^cpm\.conv\.", "narrow.settle."),
    (r"^cpm\.", "narrow."),
    (r"^initial_stage\.", "stages.0."),
    *((rf"^refinement_stages\.{number}\.", f"stages.{number + 1}.") for number in range(STAGES - 1)),
    (r"\.initial\.0\.", ".first.0."),
    (r"\.heatmaps\.0\.0\.", ".maps.0."),
    (r"\.heatmaps\.1\.0\.", ".maps.2."),
    (r"\.pafs\.0\.0\.", ".limbs.0."),
    (r"\.pafs\.1\.0\.", ".limbs.2."),
)

VALUES = Normal((128 / 255,) * 3, (256 / 255,) * 3)
"""The author's networks take (values - 128) / 256."""
ORIGINAL = Original(
    RENAMES,
    head=r"stages\.(\d+\.(maps|limbs)\.2|[1-9]\d*\.trunk\.0\.first)\.",
    normal=VALUES,
    sources=(Source(r"model\.0\.0\.", VALUES, blue_first=r"model\.0\.0\."),),  # the author's files take blue first
)
