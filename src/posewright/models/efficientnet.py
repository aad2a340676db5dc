"""EfficientNet (Tan and Le, ICML 2019, arXiv:1905.11946): mobile inverted bottlenecks, and one rule to scale them.

    x ---------------------------------------------------------------------------\\
      \\-> expand 1x1 -> depthwise k x k -> squeeze and excite -> project 1x1 -----+->
          6 C, swish       6 C, swish        a gain a channel       C', no swish

A block (MBConv, Sandler et al. 2018, arXiv:1801.04381, with Hu et al.'s squeeze and excitation, arXiv:1709.01507)
adds what came in where nothing changes its shape. Convolutions pad as TensorFlow does ("same"), which is not
symmetric where a stride of 2 meets an even picture: published weights need it so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from string import ascii_lowercase
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from posewright.models.depthwise import depthwise, halved

EPSILON = 1e-3  # of every normalisation, as in the authors' code
MOMENTUM = 0.01  # Keras's 0.99, the other way round
SQUEEZE = 4  # the squeezed width is the block's entering width over this
STEM = 32  # Table 1

Activation = Callable[[], nn.Module]


class Same(nn.Conv2d):
    """Convolve without bias to ceil(n / stride) pixels, the larger half of the padding behind, as TensorFlow does."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] > 1:
            x = pad(x, [side for n in (x.shape[-1], x.shape[-2]) for side in self._sides(int(n))])
        if self.groups > 1 and halved(x):
            return depthwise(x, self.weight, self.stride[0], int(self.padding[0]))
        return super().forward(x)

    def _sides(self, length: int) -> tuple[int, int]:
        """How many zeros go before and behind a line of pixels.

        >>> Same(1, 1, 3, 2)._sides(8), Same(1, 1, 5, 2)._sides(8), Same(1, 1, 3, 2)._sides(7)
        ((0, 1), (1, 2), (1, 1))
        """
        stride = self.stride[0]
        total = max((ceil(length / stride) - 1) * stride + self.kernel_size[0] - length, 0)
        return total // 2, total - total // 2


def normed(convolution: nn.Conv2d, activation: Activation | None = nn.SiLU) -> nn.Sequential:
    """Convolve, normalise, and activate."""
    layers = [convolution, nn.BatchNorm2d(convolution.out_channels, EPSILON, MOMENTUM)]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Excitation(nn.Module):
    """Multiply each channel with a gain that all channels' means decide (squeeze and excitation)."""

    def __init__(self, width: int, squeezed: int, activation: Activation = nn.SiLU) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(width, squeezed, 1)
        self.activation = activation()
        self.excite = nn.Conv2d(squeezed, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((-2, -1), keepdim=True)
        return x * torch.sigmoid(self.excite(self.activation(self.squeeze(means))))


class Bottleneck(nn.Module):
    """Widen with 1x1, look around with a depthwise kernel, excite, and narrow with 1x1.

    inner: the wide width; where it is that of the input, nothing is widened. squeezed: the width between the two
    layers of the excitation, 0 for none. added: add the input. dropped: in training, the chance that a picture
    skips the block (Huang et al. 2016, arXiv:1603.09382).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, inner: int, squeezed: int,
        added: bool = False, activation: Activation = nn.SiLU, dropped: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.expand = normed(Same(inputs, inner, 1), activation) if inner != inputs else nn.Identity()
        self.depthwise = normed(Same(inner, inner, kernel, stride, groups=inner), activation)
        self.excitation = Excitation(inner, squeezed, activation) if squeezed else nn.Identity()
        self.project = normed(Same(inner, outputs, 1), None)
        self.added, self.dropped = added, dropped

    def forward(self, x: Tensor) -> Tensor:
        answer = self.project(self.excitation(self.depthwise(self.expand(x))))
        if not self.added:
            return answer
        if self.training and self.dropped:
            kept = 1 - self.dropped
            answer = answer * (torch.rand(len(x), 1, 1, 1, device=x.device) < kept) / kept
        return x + answer


class Stage(NamedTuple):
    """A row of Table 1: `repeats` bottlenecks, the first of which has the stride and changes the width."""

    kernel: int
    stride: int
    expansion: int
    width: int
    repeats: int


B0 = (Stage(3, 1, 1, 16, 1), Stage(3, 2, 6, 24, 2), Stage(5, 2, 6, 40, 2), Stage(3, 2, 6, 80, 3),
      Stage(5, 1, 6, 112, 3), Stage(5, 2, 6, 192, 4), Stage(3, 1, 6, 320, 1))  # fmt: skip
"""Table 1, stages 2 to 8."""

SCALES = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1))
"""Width and depth of B0 to B7, as the authors' code rounds section 3.3's powers."""


def rounded(width: float) -> int:
    """Round a width to a multiple of 8 that is not below 9/10 of it.

    >>> rounded(1.1 * 40), rounded(1.1 * 24)
    (48, 24)
    """
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def scaled(number: int, stages: int) -> tuple[int, list[Stage]]:
    """Return the stem's width and the first stages of EfficientNet-B0 to B7, widened and deepened.

    >>> stem, stages = scaled(2, 3)
    >>> stem, [(stage.width, stage.repeats) for stage in stages]
    (32, [(16, 2), (24, 3), (48, 3)])
    """
    wider, deeper = SCALES[number]
    rows = [row._replace(width=rounded(wider * row.width), repeats=ceil(deeper * row.repeats)) for row in B0[:stages]]
    return rounded(wider * STEM), rows


def bottlenecks(
    inputs: int, stages: Iterable[Stage], squeeze: int = SQUEEZE, activation: Activation = nn.SiLU
) -> OrderedDict[str, nn.Module]:
    """Build stages, each block by its name in the authors' code: block1a, block2a, block2b, ...

    squeeze: how many times narrower than a block's input the excitation is squeezed; 0 for none.
    """
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (kernel, stride, expansion, width, repeats) in enumerate(stages, 1):
        for letter in ascii_lowercase[:repeats]:
            first = letter == "a"
            blocks[f"block{number}{letter}"] = Bottleneck(
                inputs, width, kernel, stride if first else 1, inner=expansion * inputs,
                squeezed=inputs // squeeze if squeeze else 0, added=not first, activation=activation,
            )  # fmt: skip
            inputs = width
    return blocks


def trunk(
    stem: int, stages: Iterable[Stage], squeeze: int = SQUEEZE, activation: Activation = nn.SiLU
) -> nn.Sequential:
    """Build the beginning of an EfficientNet: a 3x3 stem of stride 2, then its stages."""
    layers = OrderedDict[str, nn.Module](stem=normed(Same(3, stem, 3, 2), activation))
    layers.update(bottlenecks(stem, stages, squeeze, activation))
    return nn.Sequential(layers)


# From the layers' names in the authors' code and its ports to Keras, inside a block or the stem.
BLOCK_RENAMES = (
    (r"(?<=stem)[._]conv\.", ".0."),
    (r"(?<=stem)[._]bn\.", ".1."),
    (r"(?<=block\d[a-z])[._]expand_conv\.", ".expand.0."),
    (r"(?<=block\d[a-z])[._]expand_bn\.", ".expand.1."),
    (r"(?<=block\d[a-z])[._]dwconv\.", ".depthwise.0."),
    (r"(?<=block\d[a-z])[._]bn\.", ".depthwise.1."),
    (r"(?<=block\d[a-z])[._]se_reduce\.", ".excitation.squeeze."),
    (r"(?<=block\d[a-z])[._]se_expand\.", ".excitation.excite."),
    (r"(?<=block\d[a-z])[._]project_conv\.", ".project.0."),
    (r"(?<=block\d[a-z])[._]project_bn\.", ".project.1."),
)


def tapped(layers: nn.Module, taps: Sequence[str], images: Tensor) -> list[Tensor]:
    """Run layers (a `trunk`) one after the other and return what those named in `taps` say, in their order."""
    found, x = [], images
    for name, layer in layers.named_children():
        x = layer(x)
        if name in taps:
            found.append(x)
    return found
