"""HRNet (Sun et al., CVPR 2019, arXiv:1902.09212): the high resolution is kept, never recovered.

images -> stem, stage1 --- C ------x--- C ------x--- C ------x-- C -> 1x1 -> K maps
                        \\         / \\          / \\          /
                         /8 -- 2C -------x--- 2C ------x--- 2C       x: each branch hears
                                       \\          / \\          /        all others (Fig. 3)
                                        /16 -- 4C -------x--- 4C
                                                      \\          /
                                                       /32 -- 8C
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models.original import Original
from posewright.models.resnet import BLOCK_RENAMES, Basic, normed, rectified, stage

UNITS = 4  # residual units a branch and exchange block (section 3.2)
EXCHANGE_BLOCKS = (1, 4, 3)  # in stages 2, 3 and 4 (section 3.2)


def path(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """Carry a branch to the resolution and width of another (exchange unit, section 3.1).

    Down: a 3x3 convolution of stride 2 for each halving, of which the last changes the width.
    Up: a 1x1 convolution, then the nearest neighbour.
    """
    if source == target:
        return nn.Identity()
    if source > target:
        upsample = nn.Upsample(scale_factor=float(2 ** (source - target)), mode="nearest")
        return nn.Sequential(*normed(widths[source], widths[target], 1), upsample)
    halvings = [rectified(widths[source], widths[source], 3, stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, normed(widths[source], widths[target], 3, stride=2))


class Exchange(nn.Module):
    """Add up, for one branch, what it hears from all."""

    def __init__(self, widths: Sequence[int], target: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(path(widths, source, target) for source in range(len(widths)))

    def forward(self, branches: list[Tensor]) -> Tensor:
        heard = [path(branch) for path, branch in zip(self.paths, branches, strict=True)]
        total = heard[0]
        for term in heard[1:]:
            total = total + term
        return torch.relu(total)


class ExchangeBlock(nn.Module):
    """Run the branches side by side, then let the first `answers` of them hear all (section 3.2).

    In and out a (B, width, h, w) for each branch, the finest first.
    """

    def __init__(self, widths: Sequence[int], answers: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(Basic(w, w) for _ in range(UNITS))) for w in widths)
        self.exchanges = nn.ModuleList(Exchange(widths, target) for target in range(answers))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        branches = [units(branch) for units, branch in zip(self.branches, branches, strict=True)]
        return [exchange(branches) for exchange in self.exchanges]


def parallel(widths: Sequence[int], blocks: int, answers: int) -> nn.Sequential:
    """Stack exchange blocks into a stage; only the last one may answer for fewer branches."""
    counts = [len(widths)] * (blocks - 1) + [answers]
    return nn.Sequential(*(ExchangeBlock(widths, count) for count in counts))


class HRNet(nn.Module):
    """Return one map a keypoint at a quarter of the resolution.

    images (B, 3, H, W), H and W multiples of 32; one stage of `Heatmaps` (B, K, H/4, W/4).
    width: C, the channels of the finest branch; answer: what the head's maps are read as. Weights start as in the
    authors' code, convolutions normal with a deviation of 0.001; the paper starts all but the head from ImageNet.
    """

    def __init__(self, width: int, keypoints: int, answer: Callable[[Tensor], Any] = Heatmaps) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.stem = nn.Sequential(*rectified(3, 64, 3, stride=2), *rectified(64, 64, 3, stride=2))
        self.stage1 = stage(64, 256, depth=4, stride=1)
        self.narrow = rectified(256, widths[0], 3)
        self.begin2 = rectified(256, widths[1], 3, stride=2)
        self.stage2 = parallel(widths[:2], EXCHANGE_BLOCKS[0], answers=2)
        self.begin3 = rectified(widths[1], widths[2], 3, stride=2)
        self.stage3 = parallel(widths[:3], EXCHANGE_BLOCKS[1], answers=3)
        self.begin4 = rectified(widths[2], widths[3], 3, stride=2)
        self.stage4 = parallel(widths, EXCHANGE_BLOCKS[2], answers=1)
        self.head = nn.Conv2d(widths[0], keypoints, 1)
        self.answer = answer
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features(self, images: Tensor) -> Tensor:
        """Return what the finest branch knows, (B, C, H/4, W/4)."""
        x = self.stage1(self.stem(images))
        branches = self.stage2([self.narrow(x), self.begin2(x)])
        branches = self.stage3([*branches, self.begin3(branches[-1])])
        return self.stage4([*branches, self.begin4(branches[-1])])[0]

    def forward(self, images: Tensor) -> list[Any]:
        return [self.answer(self.head(self.features(images)))]


def hrnet_w32(keypoints: int = 17) -> HRNet:
    """Table 1, HRNet-W32."""
    return HRNet(32, keypoints)


def hrnet_w48(keypoints: int = 17) -> HRNet:
    """Table 1, HRNet-W48."""
    return HRNet(48, keypoints)


# From the authors' names and MMPose's (the same behind `backbone.` and `head.` or `keypoint_head.`).
RENAMES = (
    (r"^(backbone|keypoint_head|head)\.(?=(conv|bn|layer|transition|stage|final_layer))", ""),
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^conv2\.", "stem.3."),
    (r"^bn2\.", "stem.4."),
    (r"^layer1\.", "stage1."),
    (r"^transition1\.0\.", "narrow."),
    (r"^transition1\.1\.0\.", "begin2."),
    (r"^transition2\.2\.0\.", "begin3."),
    (r"^transition3\.3\.0\.", "begin4."),
    (r"\.fuse_layers\.(\d)\.", r".exchanges.\1.paths."),
    (r"^final_layer\.", "head."),
    *BLOCK_RENAMES,
)

ORIGINAL = Original(RENAMES)
