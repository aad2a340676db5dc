"""MSPN, the multi-stage pose network (Li et al. 2019, arXiv:1901.00148): pyramids one after another.

    images -> 7x7 /2, pool /2 -> x                                      64 channels at /4

    a stage:  x -> /4 ----> /8 ----> /16 ---> /32         down: ResNet's four stages
                    |        |        |        |
            x' <- unit <-- unit <-- unit <-- unit         up: each adds, and answers with K maps (supervised)

    the next: x' -> /4 ----> /8 ----> /16 ---> /32        each first adds what the stage before says of its
                     + told   + told   + told   + told    resolution, going down and coming up (section 3.2)

Drawn as the authors' code has it. Convolutions have a bias although a normalisation follows; a prediction ends
in a normalisation; enlargement keeps the corners in their places; every stage starts from 64 channels again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import resnet
from posewright.models.blocks import enlarged
from posewright.models.original import Original, Source
from posewright.models.resnet import Bottleneck, normed, rectified

WIDTH = 256  # of the way up
STEM = 64  # channels that a stage begins with
Block = Callable[[int, int, int], nn.Module]
"""(inputs, outputs, stride) -> a residual block."""
bottleneck: Block = partial(Bottleneck, bias=True)


class Unit(nn.Module):
    """Add a feature of the way down to what the coarser unit found, and answer with maps.

    inputs: the feature's width; heard: whether a further stage hears of it. Returns what is found
    (B, WIDTH, h, w), maps (B, K, h, w), and what the next stage adds here (B, inputs, h, w) (section 3.2).
    """

    def __init__(self, inputs: int, keypoints: int, coarsest: bool, heard: bool) -> None:
        super().__init__()
        self.lateral = normed(inputs, WIDTH, 1, bias=True)
        self.merge = None if coarsest else normed(WIDTH, WIDTH, 1, bias=True)
        self.head = nn.Sequential(*rectified(WIDTH, WIDTH, 1, bias=True), *normed(WIDTH, keypoints, 3, bias=True))
        self.tell_down = rectified(inputs, inputs, 1, bias=True) if heard else None
        self.tell_up = rectified(WIDTH, inputs, 1, bias=True) if heard else None

    def forward(self, feature: Tensor, coarser: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        found: Tensor = self.lateral(feature)
        if self.merge is not None and coarser is not None:
            found = found + self.merge(enlarged(coarser, found))
        found = torch.relu(found)
        if self.tell_down is None or self.tell_up is None:
            return found, self.head(found), None
        return found, self.head(found), self.tell_down(feature) + self.tell_up(found)


class Stage(nn.Module):
    """Go down to 1/32 of the picture's resolution and up again (section 3.1).

    widths, depths: channels and blocks of the way down, the finest first.
    """

    def __init__(self, block: Block, widths: Sequence[int], depths: Sequence[int], keypoints: int, last: bool) -> None:
        super().__init__()
        self.down = nn.ModuleList()
        inputs = STEM
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [block(inputs, width, 2 if number else 1), *(block(width, width, 1) for _ in range(depth - 1))]
            self.down.append(nn.Sequential(*blocks))
            inputs = width
        coarsest = widths[-1]
        self.units = nn.ModuleList(Unit(width, keypoints, width == coarsest, not last) for width in reversed(widths))
        self.onward = None if last else rectified(WIDTH, STEM, 1, bias=True)

    def descend(self, x: Tensor, told: Sequence[Tensor]) -> list[Tensor]:
        """Return the features of the way down, the finest first; told: what is added to each, or nothing."""
        features: list[Tensor] = []
        for number, layer in enumerate(self.down):
            x = layer(x) + told[number] if told else layer(x)
            features.append(x)
        return features

    def forward(self, x: Tensor, told: Sequence[Tensor]) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Return the units' maps (B, K, h, w), the coarsest first, and x and told for the next stage."""
        features = self.descend(x, told)
        maps, telling, found = [], [], None
        for unit, feature in zip(self.units, reversed(features), strict=True):
            found, answer, said = unit(feature, found)
            maps.append(enlarged(answer, features[0]))
            telling.append(said)
        return maps, x if self.onward is None else self.onward(found), telling[::-1]


class MSPN(nn.Module):
    """Return one map a keypoint at a quarter of the resolution, four a stage, each stage's coarsest first.

    images (B, 3, H, W), H and W multiples of 32; 4 * stages stages of `Heatmaps` (B, K, H/4, W/4), of 0 to
    255. The ways down start as He et al. 2015 draw them; MSPN's own start from ImageNet.
    """

    def __init__(self, block: Block, widths: Sequence[int], depths: Sequence[int], stages: int, keypoints: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(*rectified(3, STEM, 7, stride=2, bias=True), nn.MaxPool2d(3, 2, 1))
        last = stages - 1
        self.stages = nn.ModuleList(Stage(block, widths, depths, keypoints, n == last) for n in range(stages))
        for stage in self.stages:
            for module in stage.down.modules():  # type: ignore[union-attr]
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> list[Heatmaps]:
        x, told = self.stem(images), list[Tensor]()
        answers: list[Heatmaps] = []
        for stage in self.stages:
            maps, x, told = stage(x, told)
            answers.extend(Heatmaps(unit) for unit in maps)
        return answers


def mspn(stages: int, keypoints: int = 17) -> MSPN:
    """Any number of stages, each with ResNet-50's depths and widths."""
    return MSPN(bottleneck, (256, 512, 1024, 2048), (3, 4, 6, 3), stages, keypoints)


# From MMPose's names to the authors', which they follow for the most part.
MMPOSE = (
    (r"^backbone\.top\.top\.0\.", "top.conv."),
    (r"^backbone\.multi_stage_(mspn|rsn)\.", "stage"),
    (r"\.conv_bn3\.", ".conv_bn_relu3."),
    (r"\.in_skip\.", ".u_skip."),
    (r"\.out_skip([12])\.", r".skip\1."),
    *((rf"^(keypoint_)?head\.predict_layers\.{4 * stage + unit}\.", f"stages.{stage}.units.{unit}.")
      for stage in range(4) for unit in range(4)),
    (r"\.conv_layers\.0\.", ".res_conv1."),
    (r"\.conv_layers\.1\.", ".res_conv2."),
)  # fmt: skip

# From the authors' names, MMPose's, and of ImageNet's ResNets into the first stage.
RENAMES = (
    *MMPOSE,
    (r"^top\.conv\.conv\.", "stem.0."),
    (r"^top\.conv\.bn\.", "stem.1."),
    (r"^stage(\d)\.", r"stages.\1."),
    (r"\.downsample\.layer1\.", ".down.0."),
    (r"\.downsample\.layer2\.", ".down.1."),
    (r"\.downsample\.layer3\.", ".down.2."),
    (r"\.downsample\.layer4\.", ".down.3."),
    (r"\.conv_bn_relu1\.", ".first."),
    (r"\.conv_bn_relu2\.", ".second."),
    (r"\.conv_bn_relu3\.", ".third."),
    (r"\.upsample\.up4\.cross_conv\.", ".onward."),
    (r"\.upsample\.up1\.", ".units.0."),
    (r"\.upsample\.up2\.", ".units.1."),
    (r"\.upsample\.up3\.", ".units.2."),
    (r"\.upsample\.up4\.", ".units.3."),
    (r"\.u_skip\.", ".lateral."),
    (r"\.up_conv\.", ".merge."),
    (r"\.res_conv1\.conv\.", ".head.0."),
    (r"\.res_conv1\.bn\.", ".head.1."),
    (r"\.res_conv2\.conv\.", ".head.3."),
    (r"\.res_conv2\.bn\.", ".head.4."),
    (r"\.skip1\.", ".tell_down."),
    (r"\.skip2\.", ".tell_up."),
    *resnet.RENAMES,
    (r"^stage1\.", "stages.0.down.0."),
    (r"^stage2\.", "stages.0.down.1."),
    (r"^stage3\.", "stages.0.down.2."),
    (r"^stage4\.", "stages.0.down.3."),
    (r"\.conv\.(?=(weight|bias)$)", ".0."),
    (r"\.bn\.", ".1."),
)

ORIGINAL = Original(
    RENAMES,
    head=r"stages\.\d\.units\.\d\.head\.[34]\.",
    unbiased=r"(?!refine\.).*\.[03]\.bias",  # before a normalisation MMPose's networks and ImageNet's have no bias
    sources=(Source(r"top\.conv\.", blue_first=r"top\.conv\."),),  # the authors' own files (COLOR_RGB: false)
)
