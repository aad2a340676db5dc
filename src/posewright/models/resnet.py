"""ResNet (He et al., CVPR 2016, arXiv:1512.03385): the trunk under half of the published line.

    images -> 7x7 /2, pool /2 -> stage1 /4 -> stage2 /8 -> stage3 /16 -> stage4 /32
                                   256          512         1024          2048     (bottlenecks)

             x --------- shortcut ---------\\
    block:     \\-> first -> second [-> third] -+-> ReLU
               basic: 3x3, 3x3     bottleneck: 1x1, 3x3, 1x1

A block halves the resolution in its 3x3 convolution, as all published PyTorch weights have it; the paper
does so in the first 1x1 (section 3.4 and the authors' Caffe models).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.models.original import Original, Source


def normed(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """Convolve, then normalise; a bias does nothing between the two, but some papers' weights have one."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def rectified(inputs: int, outputs: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Sequential:
    """Convolve, normalise, rectify."""
    return nn.Sequential(*normed(inputs, outputs, kernel, stride, bias), nn.ReLU(inplace=True))


def shortcut(inputs: int, outputs: int, stride: int, bias: bool = False) -> nn.Module:
    """Pass on what comes in; project it where width or resolution change (option B, section 4.1)."""
    return nn.Identity() if inputs == outputs and stride == 1 else normed(inputs, outputs, 1, stride, bias)


class Basic(nn.Module):
    """Add two 3x3 convolutions to what comes in (Fig. 5 left)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = rectified(inputs, outputs, 3, stride)
        self.second = normed(outputs, outputs, 3)
        self.shortcut = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.second(self.first(x)))


class Bottleneck(nn.Module):
    """Add a 3x3 convolution to what comes in, at an inner width of a quarter of the outer (Fig. 5 right)."""

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, inner: int | None = None, bias: bool = False
    ) -> None:
        super().__init__()
        inner = inner or outputs // 4
        self.first = rectified(inputs, inner, 1, bias=bias)
        self.second = rectified(inner, inner, 3, stride, bias)
        self.third = normed(inner, outputs, 1, bias=bias)
        self.shortcut = shortcut(inputs, outputs, stride, bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.third(self.second(self.first(x))))


def stage(inputs: int, outputs: int, depth: int, stride: int) -> nn.Sequential:
    """Stack bottlenecks; the first one changes width and resolution."""
    return nn.Sequential(Bottleneck(inputs, outputs, stride), *(Bottleneck(outputs, outputs) for _ in range(depth - 1)))


class ResNet(nn.Module):
    """Return the features of the last stage, (B, 2048, H/32, W/32); `pyramid` returns those of all four.

    depths: bottlenecks a stage (Table 1). Weights start as He et al. 2015 (arXiv:1502.01852) draw them.
    """

    def __init__(self, depths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.stem = rectified(3, 64, 7, stride=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stage1 = stage(64, 256, depths[0], stride=1)
        self.stage2 = stage(256, 512, depths[1], stride=2)
        self.stage3 = stage(512, 1024, depths[2], stride=2)
        self.stage4 = stage(1024, 2048, depths[3], stride=2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the features of every stage, finest first: strides 4, 8, 16, 32."""
        features = [self.stage1(self.pool(self.stem(images)))]
        for next_stage in (self.stage2, self.stage3, self.stage4):
            features.append(next_stage(features[-1]))
        return features

    def forward(self, images: Tensor) -> Tensor:
        return self.pyramid(images)[-1]


def resnet50() -> ResNet:
    """Table 1, 50 layers."""
    return ResNet((3, 4, 6, 3))


def resnet101() -> ResNet:
    """Table 1, 101 layers."""
    return ResNet((3, 4, 23, 3))


def resnet152() -> ResNet:
    """Table 1, 152 layers."""
    return ResNet((3, 8, 36, 3))


def dilated(network: ResNet) -> ResNet:
    """Let the last stage keep the resolution of the one before, its 3x3 convolutions reading every second pixel.

    Each reads what it did, but at every pixel (Yu and Koltun 2016, arXiv:1511.07122), so ImageNet's weights still mean
    the same. Features are at strides 4, 8, 16, 16 then. Changes the network and returns it.
    """
    for number, block in enumerate(network.stage4):
        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
                if number and module.kernel_size == (3, 3):
                    module.dilation = module.padding = (2, 2)
    return network


BLOCK_RENAMES = (
    (r"\.conv1\.", ".first.0."),
    (r"\.bn1\.", ".first.1."),
    (r"\.conv2\.", ".second.0."),
    (r"\.bn2\.", ".second.1."),
    (r"\.conv3\.", ".third.0."),
    (r"\.bn3\.", ".third.1."),
    (r"\.downsample\.", ".shortcut."),
)

RENAMES = (
    (r"^conv1\.", "stem.0."),
    (r"^bn1\.", "stem.1."),
    (r"^layer(?=[1-4]\.)", "stage"),
    *BLOCK_RENAMES,
)

IMAGENET = Source(r"conv1\.")
"""ImageNet's ResNets see pictures as ImageNet's are shown, whatever network they become a part of."""
ORIGINAL = Original(RENAMES, sources=(IMAGENET,))
