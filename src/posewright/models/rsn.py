"""RSN, the residual steps network (Cai et al., ECCV 2020, arXiv:2003.04030): one layer that sees at many sizes.

    residual steps block:  x -> 1x1 -> four parts        a column is a row of 3x3 convolutions, one more in each;
                           |    s1    s2    s3    s4     every step also hears the step beside it (Fig. 2)
                           |    3x3 > 3x3 > 3x3 > 3x3
                           |    |     3x3 > 3x3 > 3x3
                           |    |     |     3x3 > 3x3
                           |    |     |     |     3x3
                           \\-> + <- 1x1 <- side by side

The blocks stand in MSPN's pyramids, on which the authors build. Drawn as their code has it: a block is as wide
inside as what enters it asks for, not as what leaves it, and halves the resolution in its first 1x1.

The pose refine machine (section 3.3) is in no vector: the authors' code (network.py of 4XRSN18.coco, commit ca3ba3a)
defines it and never calls it. Here `refine` puts it, drawn as there, behind the last unit's maps, with as many
channels as keypoints: 5,100 parameters of 17. MMPose's is another, with one place map, behind every unit. It is not
here: of MMPose's RSN configurations those that were read (RSN-18, 2x and 3x RSN-50) do not ask for it, and their
files load.

Sources disagree on RSN-50. The vector and MMPose's weights have ResNet-50's depths at RSN-18's widths: 19.4 M
parameters, 4.07 GMACs. The paper's tables say 6.4 "GFLOPs"; widths four times larger would give 38.4 M and
6.96 GMACs, but no published code has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import mspn
from posewright.models.mspn import MSPN
from posewright.models.resnet import normed, rectified, shortcut

PARTS = 4
PART_WIDTH = 26  # channels of a part for each 64 of the block's input


class Column(nn.ModuleList):
    """Convolve a part step by step; each step also hears the same step of the column beside it, if that has one."""

    def __init__(self, width: int, steps: int) -> None:
        super().__init__(rectified(width, width, 3, bias=True) for _ in range(steps))

    def forward(self, x: Tensor, beside: list[Tensor]) -> list[Tensor]:
        found: list[Tensor] = []
        for step, convolve in enumerate(self):
            x = convolve(x + beside[step] if step < len(beside) else x)
            found.append(x)
        return found


class ResidualSteps(nn.Module):
    """Add to what comes in what four parts of it show at four sizes of field (section 3.1)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        width = inputs * PART_WIDTH // 64
        self.first = rectified(inputs, PARTS * width, 1, stride, bias=True)
        self.columns = nn.ModuleList(Column(width, steps) for steps in range(1, PARTS + 1))
        self.third = normed(PARTS * width, outputs, 1, bias=True)
        self.shortcut = shortcut(inputs, outputs, stride, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        beside: list[Tensor] = []
        ends: list[Tensor] = []
        for part, column in zip(self.first(x).chunk(PARTS, dim=1), self.columns, strict=True):
            beside = column(part, beside)
            ends.append(beside[-1])
        return torch.relu(self.shortcut(x) + self.third(torch.cat(ends, dim=1)))


class PoseRefineMachine(nn.Module):
    """Weigh maps by channel and by place: k (1 + a b) of k = 3x3(x), a (B, K, 1, 1) and b (B, K, h, w) (section 3.3).

    A channel's weight a comes of its mean, through two 1x1 convolutions; its places' weights b of a 1x1 and a
    depthwise 9x9; each through a sigmoid. Every convolution is normalised and rectified, as the authors' code has it,
    so that a and b lie between 1/2 and 1, and training needs two pictures a batch for the statistics of means.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local = rectified(channels, channels, 3, bias=True)
        self.channel = nn.Sequential(nn.AdaptiveAvgPool2d(1), rectified(channels, channels, 1, bias=True),
                                     rectified(channels, channels, 1, bias=True), nn.Sigmoid())  # fmt: skip
        apart = nn.Conv2d(channels, channels, 9, padding=4, groups=channels)
        self.place = nn.Sequential(rectified(channels, channels, 1, bias=True), apart, nn.BatchNorm2d(channels),
                                   nn.ReLU(inplace=True), nn.Sigmoid())  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        local: Tensor = self.local(x)
        return local * (1 + self.channel(local) * self.place(local))


class RSN(MSPN):
    """Return one map a keypoint at a quarter of the resolution, four a stage, as `MSPN`; refine: the last ones.

    depths: blocks at each resolution, the finest first. Weights start as He et al. 2015 draw them: the paper
    takes none from ImageNet.
    """

    def __init__(self, depths: tuple[int, int, int, int], stages: int, keypoints: int, refine: bool = False) -> None:
        super().__init__(ResidualSteps, (64, 128, 256, 512), depths, stages, keypoints)
        self.refine = PoseRefineMachine(keypoints) if refine else None

    def forward(self, images: Tensor) -> list[Heatmaps]:
        answers = super().forward(images)
        return answers if self.refine is None else [*answers[:-1], Heatmaps(self.refine(answers[-1].maps))]


def rsn18(keypoints: int = 17) -> RSN:
    """One stage, two blocks at each resolution."""
    return RSN((2, 2, 2, 2), 1, keypoints)


def rsn50(stages: int = 1, keypoints: int = 17) -> RSN:
    """One to four stages of ResNet-50's depths: RSN-50, 2xRSN-50, 3xRSN-50, 4xRSN-50."""
    return RSN((3, 4, 6, 3), stages, keypoints)


# From the authors' names.
RENAMES = (
    *((rf"\.conv_bn_relu2_{part}_{step}\.", f".columns.{part - 1}.{step - 1}.")
      for part in range(1, PARTS + 1) for step in range(1, part + 1)),
    *mspn.RENAMES,
)  # fmt: skip

ORIGINAL = mspn.ORIGINAL._replace(renames=RENAMES, head=rf"{mspn.ORIGINAL.head}|refine\.")
