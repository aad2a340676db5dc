"""OpenPose (Cao et al., CVPR 2017, arXiv:1611.08050): heatmaps, and fields that point along the limbs.

    images -> VGG-19's first ten convolutions, 3x3 x2 -> F                    128 channels at /8
    F -> 3x3 x3, 1x1 -> 1x1 -> L fields     \\
    F -> 3x3 x3, 1x1 -> 1x1 -> K heatmaps   -+-> with F: 7x7 x5, 1x1 -> 1x1 -> L fields    \\
                       (stage 1)             \\-> with F: 7x7 x5, 1x1 -> 1x1 -> K heatmaps -+-> ... -> stage 6 (Fig. 3)

Each stage is supervised. Drawn as the authors' Caffe model for COCO has it. The port that the vector was made with
(Hzzone/pytorch-openpose at 5ee71dc) also rectifies the last stage's heatmaps, which that model does not do.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Limbs
from posewright.models.original import Original, Source
from posewright.models.pixels import Normal

STAGES, WIDTH = 6, 128  # section 2.1
VGG = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512)
"""Widths of VGG-19's first convolutions (Simonyan and Zisserman 2015, arXiv:1409.1556); 0 pools."""


def rectified(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    """Convolve, keeping the resolution, and rectify."""
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def stem() -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, WIDTH, H/8, W/8)."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in (*VGG, 256, WIDTH):
        layers += rectified(inputs, width, 3) if width else [nn.MaxPool2d(2)]
        inputs = width or inputs
    return nn.Sequential(*layers)


def first(maps: int) -> nn.Sequential:
    """Look at 3x3 px of the features, three times over."""
    near = [layer for _ in range(3) for layer in rectified(WIDTH, WIDTH, 3)]
    return nn.Sequential(*near, *rectified(WIDTH, 512, 1), nn.Conv2d(512, maps, 1))


def later(inputs: int, maps: int) -> nn.Sequential:
    """Look far around, at the features and at what the stage before said."""
    wide = [layer for number in range(5) for layer in rectified(WIDTH if number else inputs, WIDTH, 7)]
    return nn.Sequential(*wide, *rectified(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, maps, 1))


class Stage(nn.Module):
    """Answer with heatmaps and fields of the same features (B, C, h, w)."""

    def __init__(self, limbs: nn.Module, maps: nn.Module) -> None:
        super().__init__()
        self.limbs, self.maps = limbs, maps

    def forward(self, features: Tensor) -> Limbs:
        return Limbs(self.maps(features), self.limbs(features))


class OpenPose(nn.Module):
    """Return heatmaps and part affinity fields at an eighth of the resolution, from each stage.

    images (B, 3, H, W), H and W multiples of 8; one stage of `Limbs` (B, K + 1, H/8, W/8), the background last, and
    (B, 2 L, H/8, W/8), a stage. Weights start as the authors draw them, normal with a deviation of 0.01, and the stem's
    as He et al. 2015 draw them; the paper starts it from ImageNet.
    """

    def __init__(self, keypoints: int, limbs: int, stages: int = STAGES) -> None:
        super().__init__()
        maps, fields = keypoints + 1, 2 * limbs
        self.stem = stem()
        inputs = WIDTH + fields + maps
        self.stages = nn.ModuleList(
            Stage(later(inputs, fields), later(inputs, maps)) if number else Stage(first(fields), first(maps))
            for number in range(stages)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        for module in self.stem:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> list[Limbs]:
        features = seen = self.stem(images)
        answers: list[Limbs] = []
        for stage in self.stages:
            answers.append(stage(seen))
            seen = torch.cat([answers[-1].limbs, answers[-1].maps, features], 1)
        return answers


def openpose_coco(keypoints: int = 18, limbs: int = 19) -> OpenPose:
    """Six stages, as published for COCO with a neck."""
    return OpenPose(keypoints, limbs)


BRANCHES = {1: "limbs", 2: "maps"}
VGG_PLACES = {"1_1": 0, "1_2": 2, "2_1": 5, "2_2": 7, "3_1": 10, "3_2": 12, "3_3": 14, "3_4": 16, "4_1": 19, "4_2": 21}
# From the names of the authors' Caffe model, which a port puts behind `model2_1.`, and of torchvision's VGG-19.
RENAMES = (
    (r"^model\d(_\d)?\.", ""),
    (rf"^features\.(?=({'|'.join(map(str, VGG_PLACES.values()))})\.)", "stem."),
    *((rf"^conv{name}\.", f"stem.{place}.") for name, place in VGG_PLACES.items()),
    (r"^conv4_3_CPM\.", "stem.23."),
    (r"^conv4_4_CPM\.", "stem.25."),
    *((rf"^conv5_{n}_CPM_L{b}\.", f"stages.0.{name}.{2 * n - 2}.")
      for b, name in BRANCHES.items() for n in range(1, 6)),
    *((rf"^Mconv{n}_stage{t}_L{b}\.", f"stages.{t - 1}.{name}.{2 * n - 2}.")
      for t in range(2, STAGES + 1) for b, name in BRANCHES.items() for n in range(1, 8)),
)  # fmt: skip

VALUES = Normal((128 / 255,) * 3, (256 / 255,) * 3)
"""The authors' networks take values / 256 - 1/2."""
ORIGINAL = Original(
    RENAMES,
    head=r"stages\.(0\.(maps|limbs)\.8|[1-9]\d*\.(maps|limbs)\.(0|12))\.",
    normal=VALUES,
    # the authors' files take blue first; ImageNet's take pictures as those are shown
    sources=(
        Source(r"(model0\.)?conv1_1\.", VALUES, blue_first=r"(model0\.)?conv1_1\."),
        Source(r"features\.0\."),
    ),
)
