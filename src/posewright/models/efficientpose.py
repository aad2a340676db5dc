"""EfficientPose (Groos, Ramampiaro and Ihlen, Applied Intelligence 2020, arXiv:2004.12186): one person, few products.

images -+-> EfficientNet ----------------------> high /8 --+
        |                                                  +-- F ---+-------------+-------------+
        +-> half size -> smaller EfficientNet -> low /8 ---+        |             |             |
            (not in RT)                                           pass 1 --X--> pass 2 --X--> pass 3
                                                                    |             |             |
                                                                28 maps of    K maps        K maps -> x2 x2 x2 -> answer
                                                                 14 limbs                             bilinear, frozen
X: what a pass knows goes on beside F, not its maps. A pass is a row of Mobile DenseNets:

    x -> M1 -> y1 -> M2 -> [M2, y1] -> M3 -> [M3, M2, y1]     M: inverted bottleneck, 5x5, e-swish

Departures of the authors' code (commit 78e4bd1), kept since published weights need them: the addition around the
last block of the low resolution is missing, and pictures are halved after they are normalised.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, silu

from posewright.fields import Affinities, Heatmaps
from posewright.models.efficientnet import BLOCK_RENAMES, SQUEEZE, Activation, Bottleneck, scaled, trunk
from posewright.models.original import Original

EXPANSION, KERNEL = 6, 5  # of a pass's bottlenecks (section 3.3)
DOUBLINGS = 3  # from a resolution of 1/8 to the picture's
LIMBS = 14  # of which pass 1 draws part affinity fields


class ESwish(nn.Module):
    """Swish, a quarter more of it: 1.25 x sigmoid(x) (Alcaide 2018, arXiv:1801.07145)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.25 * silu(x)


class MobileDenseNet(nn.Module):
    """Chain three bottlenecks, each of which hears all before it, the newest first (Fig. 4); `added`: the input too."""

    def __init__(self, inputs: int, width: int, added: bool, squeeze: int, activation: Activation) -> None:
        super().__init__()
        self.mbconv1, self.mbconv2, self.mbconv3 = (
            Bottleneck(
                entering, width, KERNEL, inner=EXPANSION * width, squeezed=width // squeeze if squeeze else 0,
                activation=activation,
            ) for entering in (inputs, width, 2 * width)
        )  # fmt: skip
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        known = self.mbconv1(x)
        known = torch.cat([self.mbconv2(known), known], 1)
        known = torch.cat([self.mbconv3(known), known], 1)
        return x + known if self.added else known


class Pass(nn.Module):
    """Look with a row of Mobile DenseNets; `head` tells in maps what they saw."""

    def __init__(self, inputs: int, width: int, depth: int, maps: int, squeeze: int, activation: Activation) -> None:
        super().__init__()
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(depth):
            entering = 3 * width if number else inputs
            blocks[f"block{number + 1}"] = MobileDenseNet(entering, width, number > 0, squeeze, activation)
        self.blocks = nn.Sequential(blocks)
        self.head = nn.Conv2d(3 * width, maps, 1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]


def doubling(maps: int) -> nn.ConvTranspose2d:
    """Double the resolution of each map, bilinear; a transposed convolution that training leaves alone."""
    layer = nn.ConvTranspose2d(maps, maps, 4, stride=2, padding=1)
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    with torch.no_grad():
        layer.weight.copy_(torch.eye(maps)[..., None, None] * torch.outer(line, line))
        layer.bias.zero_()  # type: ignore[union-attr]
    return layer.requires_grad_(False)


class EfficientPose(nn.Module):
    """Return one map a keypoint at the picture's resolution.

    images (B, 3, H, W), H and W multiples of 8. Stages: `Affinities`
    (B, 2 limbs, H/8, W/8) of pass 1, `Heatmaps` (B, K, H/8, W/8) of passes 2 and 3, and the answer (B, K, H, W), which
    is the last of them doubled three times, so that it asks for no supervision of its own.

    high, low: what sees the picture and its half. width, depth: of a pass's bottlenecks, and its Mobile DenseNets.
    """

    def __init__(
        self, high: nn.Module, low: nn.Module | None, features: int, width: int, depth: int, keypoints: int,
        limbs: int = LIMBS, squeeze: int = SQUEEZE, activation: Activation = ESwish,
    ) -> None:  # fmt: skip
        super().__init__()
        self.high, self.low = high, low
        later = features + 3 * width
        self.pass1 = Pass(features, width, depth, 2 * limbs, squeeze, activation)
        self.pass2 = Pass(later, width, depth, keypoints, squeeze, activation)
        self.pass3 = Pass(later, width, depth, keypoints, squeeze, activation)
        self.upscale = nn.Sequential(*(doubling(keypoints) for _ in range(DOUBLINGS)))

    def features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each pass sees, (B, 3 width, H/8, W/8) each."""
        seen = self.high(images)
        if self.low is not None:
            seen = torch.cat([seen, self.low(avg_pool2d(images, 2))], 1)
        first = self.pass1.blocks(seen)
        second = self.pass2.blocks(torch.cat([first, seen], 1))
        return first, second, self.pass3.blocks(torch.cat([second, seen], 1))

    def forward(self, images: Tensor) -> list[Any]:
        first, second, third = self.features(images)
        answer = self.pass3.head(third)
        limbs, keypoints = self.pass1.head(first), self.pass2.head(second)
        return [Affinities(limbs), Heatmaps(keypoints), Heatmaps(answer), Heatmaps(self.upscale(answer))]


class Size(NamedTuple):
    """A column of Table 2: px of the input's side, EfficientNets of both resolutions, width and depth of a pass."""

    side: int
    high: int
    low: int | None
    width: int
    depth: int


RT, I, II = Size(224, 0, None, 40, 1), Size(256, 2, 0, 48, 1), Size(368, 4, 0, 56, 2)  # noqa: E741
III, IV = Size(480, 5, 1, 64, 3), Size(600, 7, 3, 80, 4)


def built(size: Size, keypoints: int, limbs: int) -> EfficientPose:
    """Build the network of a size."""
    stem, stages = scaled(size.high, 3)
    high, low, features = trunk(stem, stages), None, stages[-1].width
    if size.low is not None:
        stem, stages = scaled(size.low, 2)
        low, features = trunk(stem, stages), features + stages[-1].width
        last = low[-1]
        assert isinstance(last, Bottleneck)
        last.added = False  # see the head of this file
    return EfficientPose(high, low, features, size.width, size.depth, keypoints, limbs)


def efficientpose_rt(keypoints: int = 16, limbs: int = LIMBS) -> EfficientPose:
    """EfficientPose RT, 224x224."""
    return built(RT, keypoints, limbs)


def efficientpose_i(keypoints: int = 16, limbs: int = LIMBS) -> EfficientPose:
    """EfficientPose I, 256x256."""
    return built(I, keypoints, limbs)


def efficientpose_ii(keypoints: int = 16, limbs: int = LIMBS) -> EfficientPose:
    """EfficientPose II, 368x368."""
    return built(II, keypoints, limbs)


def efficientpose_iii(keypoints: int = 16, limbs: int = LIMBS) -> EfficientPose:
    """EfficientPose III, 480x480."""
    return built(III, keypoints, limbs)


def efficientpose_iv(keypoints: int = 16, limbs: int = LIMBS) -> EfficientPose:
    """EfficientPose IV, 600x600."""
    return built(IV, keypoints, limbs)


# From the authors' names of layers, which Keras's arrays and PyTorch's tensors are called by.
RENAMES = (
    (r"^(stem|block\d[a-z])_(\w+)_res1\.", r"high.\1_\2."),
    (r"^(stem|block\d[a-z])_(\w+)_res2\.", r"low.\1_\2."),
    *BLOCK_RENAMES,
    (r"^(pass\d)_(block\d)_(mbconv\d)_[a-z]+\d?_", r"\1.blocks.\2.\3."),
    (r"(?<=mbconv\d\.)conv1\.", "expand.0."),
    (r"(?<=mbconv\d\.)conv1_bn\.", "expand.1."),
    (r"(?<=mbconv\d\.)dconv1\.", "depthwise.0."),
    (r"(?<=mbconv\d\.)dconv1_bn\.", "depthwise.1."),
    (r"(?<=mbconv\d\.)se_se_(squeeze|excite)_conv\.", r"excitation.\1."),
    (r"(?<=mbconv\d\.)conv2\.", "project.0."),
    (r"(?<=mbconv\d\.)conv2_bn\.", "project.1."),
    (r"^(pass\d)_(skeleton_pafs|detection\d_confs)\.", r"\1.head."),
    (r"^upscaled_deconv1\.", "upscale.0."),
    (r"^upscaled_deconv2\.", "upscale.1."),
    (r"^upscaled_confs\.", "upscale.2."),
)

ORIGINAL = Original(
    RENAMES,
    # where MPII's keypoints, in its own order, stand among the authors' maps: theirs go from the head down
    orders=((r"pass[23]_detection\d_confs\.", (12, 11, 10, 13, 14, 15, 9, 5, 1, 0, 4, 3, 2, 6, 7, 8)),),
    head=r"(pass[123]\.head|upscale)\.",
)
