"""Convolutional pose machines (Wei et al., CVPR 2016, arXiv:1602.00134): each stage reads what the last one believed.

    images -> features -> 5x5, 9x9, 1x1, 1x1 -> beliefs 1        K keypoints and the background, /8
    images -> features -\\-> 5x5 -\\
              (shared by all)       + -> 11x11 x3, 1x1, 1x1 -> beliefs 2 -> ... -> beliefs 6   (Fig. 2)
                       beliefs 1 -/                                     each supervised
                       centre map -/

Drawn as the authors' prototxt has it (vector `cpm`). Pooling follows Caffe: windows begin at pixel 0 and hang
over the far edge. Stages 2 to 6 share one copy of the features, stage 1 has its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from posewright.fields import Heatmaps
from posewright.models.original import Original, Source
from posewright.models.pixels import Normal

STAGES, WIDTH = 6, 128  # section 4.1 and the authors' prototxt
CENTRE_SIGMA = 21.0  # px, of the map that says where the person stands (the authors' code)
Layers = list[nn.Module]


def rectified(inputs: int, outputs: int, kernel: int) -> Layers:
    """Convolve, keeping the resolution, and rectify."""
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]


def features(width: int) -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, width, H/8, W/8)."""
    layers: Layers = []
    for inputs in (3, width, width):
        layers += [*rectified(inputs, width, 9), nn.MaxPool2d(3, 2, ceil_mode=True)]
    return nn.Sequential(*layers)


def first_look(width: int) -> nn.Sequential:
    """Look at local evidence alone (section 3.2.1)."""
    wide = [*rectified(32, 512, 9), nn.Dropout(0.5), *rectified(512, 512, 1), nn.Dropout(0.5)]
    return nn.Sequential(*rectified(width, 32, 5), *wide)


def context(beliefs: int, width: int) -> nn.Sequential:
    """Read local evidence, the last stage's beliefs and the centre map, over 31 x 31 cells (section 3.2.2)."""
    large = [*rectified(32 + beliefs + 1, width, 11), *rectified(width, width, 11), *rectified(width, width, 11)]
    return nn.Sequential(*large, *rectified(width, width, 1))


def centre_map(images: Tensor, sigma: float = CENTRE_SIGMA) -> Tensor:
    """Return a Gaussian (B, 1, H, W) in the middle of pictures (B, 3, H, W), where the person to be found stands.

    Departure: the authors' middle is pixel (W / 2 - 1, H / 2 - 1), where their crops also put the person.
    """
    height, width = images.shape[-2:]
    y = torch.arange(height, device=images.device, dtype=images.dtype) - (height - 1) / 2
    x = torch.arange(width, device=images.device, dtype=images.dtype) - (width - 1) / 2
    return torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2)).expand(images.shape[0], 1, height, width)


class ConvolutionalPoseMachine(nn.Module):
    """Return beliefs at an eighth of the resolution from each stage: one map a keypoint, and the background last.

    images (B, 3, H, W), H and W multiples of 8; centre (B, 1, H, W) says which person is meant, by default the one
    in the middle. One stage of `Heatmaps` (B, K + 1, H/8, W/8) a stage. Weights start as the authors draw
    them, normal with a deviation of 0.01.
    """

    def __init__(self, keypoints: int, stages: int = STAGES, width: int = WIDTH) -> None:
        super().__init__()
        beliefs = keypoints + 1
        self.own_features, self.features = features(width), features(width)
        self.first_look = first_look(width)
        self.evidence = nn.ModuleList(nn.Sequential(*rectified(width, 32, 5)) for _ in range(stages - 1))
        self.context = nn.ModuleList(context(beliefs, width) for _ in range(stages - 1))
        self.heads = nn.ModuleList(nn.Conv2d(width if stage else 512, beliefs, 1) for stage in range(stages))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor, centre: Tensor | None = None) -> list[Heatmaps]:
        middle = avg_pool2d(centre_map(images) if centre is None else centre, 9, 8, ceil_mode=True)
        first, *later = self.heads
        stages = [Heatmaps(first(self.first_look(self.own_features(images))))]
        shared = self.features(images)
        for evidence, context, head in zip(self.evidence, self.context, later, strict=True):
            seen = torch.cat([evidence(shared), stages[-1].maps, middle], 1)
            stages.append(Heatmaps(head(context(seen))))
        return stages


def cpm(keypoints: int = 14) -> ConvolutionalPoseMachine:
    """Six stages, as published for MPII and LSP."""
    return ConvolutionalPoseMachine(keypoints)


# From the names of the authors' prototxt, as LAYER.weight and LAYER.bias.
RENAMES = (
    *((rf"^conv{n}_stage1\.", f"own_features.{at}.") for n, at in ((1, 0), (2, 3), (3, 6))),
    *((rf"^conv{n}_stage1\.", f"first_look.{at}.") for n, at in ((4, 0), (5, 2), (6, 5))),
    (r"^conv7_stage1\.", "heads.0."),
    *((rf"^conv{n}_stage2\.", f"features.{at}.") for n, at in ((1, 0), (2, 3), (3, 6))),
    (r"^conv4_stage2\.", "evidence.0.0."),
    *((rf"^conv1_stage{t}\.", f"evidence.{t - 2}.0.") for t in range(3, STAGES + 1)),
    *((rf"^Mconv{n}_stage{t}\.", f"context.{t - 2}.{2 * n - 2}.") for t in range(2, STAGES + 1) for n in range(1, 5)),
    *((rf"^Mconv5_stage{t}\.", f"heads.{t - 1}.") for t in range(2, STAGES + 1)),
)

VALUES = Normal((128 / 255,) * 3, (256 / 255,) * 3)
"""The authors' networks take values / 256 - 1/2."""
ORIGINAL = Original(
    RENAMES,
    head=r"heads\.|context\.\d+\.0\.",
    normal=VALUES,
    # the authors' files, by Caffe's names; two convolutions look at the picture
    sources=(Source(r"conv1_stage1\.", VALUES, blue_first=r"conv1_stage[12]\."),),
)
