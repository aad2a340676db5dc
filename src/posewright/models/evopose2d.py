"""EvoPose2D (McNally et al. 2020, arXiv:2011.08446): a small network whose seven modules were bred, not drawn.

images -> 3x3 --/2--> seven modules of 1 to 4 MBConv blocks --> 3 x [3x3 transposed, x2] --> 1x1 -> K maps
           32          kernel, blocks, channels, stride: genes         128

The ancestor is EfficientNet-B0 with three doublings behind it. Of its strides of 2 the search may drop one: then
the doublings bring the answer to half the picture's resolution. M and L are S, scaled as EfficientNet is
(by the input alone). Facts by the authors' code (commit ea05b81).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import ceil, log, sqrt
from string import ascii_lowercase
from typing import NamedTuple

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models.efficientnet import BLOCK_RENAMES, EPSILON, MOMENTUM, SQUEEZE, Bottleneck, Same, normed, rounded
from posewright.models.original import Original
from posewright.warp import Size


class Module(NamedTuple):
    """Four genes: side of the kernel, number of blocks, output channels / 8, stride of the first block."""

    kernel: int
    repeats: int
    width: int
    stride: int


Genotype = tuple[Module, ...]


def genotype(rows: Sequence[Sequence[int]]) -> Genotype:
    """Read rows of four numbers as a genotype."""
    return tuple(Module(*(int(gene) for gene in row)) for row in rows)


ANCESTOR = genotype(
    [(3, 1, 2, 1), (3, 2, 3, 2), (5, 2, 5, 2), (3, 3, 10, 2), (5, 3, 14, 1), (5, 4, 24, 2), (3, 1, 40, 1)]
)
"""EfficientNet-B0."""
BRED = genotype([(3, 1, 2, 1), (3, 3, 3, 2), (5, 2, 5, 2), (3, 4, 10, 2), (5, 2, 14, 1), (5, 4, 16, 1), (3, 2, 10, 1)])
"""What the authors' search arrived at."""
EXPANSIONS = (1, 6, 6, 6, 6, 6, 6)
STEM, HEAD_WIDTH, DOUBLINGS = 32, 128, 3
DROPS = ((240, 0.2), (300, 0.3), (456, 0.4), (float("inf"), 0.5))
"""Up to which mean side of the input a block is dropped how often, the last block."""


def output_stride(genes: Genotype) -> int:
    """Return how many px of the picture a px of the maps is.

    >>> output_stride(ANCESTOR), output_stride(BRED)
    (4, 2)
    """
    halvings = 1 + sum(module.stride == 2 for module in genes)
    return int(2 ** (halvings - DOUBLINGS))


class Doubling(nn.Module):
    """Double the resolution with a learnt 3x3 kernel, normalise, swish; the last row and column are cut off."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, bias=False)
        self.after = nn.Sequential(nn.BatchNorm2d(outputs, eps=EPSILON, momentum=MOMENTUM), nn.SiLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.after(self.conv(x)[..., :-1, :-1])
        return y


def bottlenecks(inputs: int, genes: Genotype, depth: float, width: float, drop: float) -> OrderedDict[str, nn.Module]:
    """Build the modules' blocks, named block1a, block2a, block2b, ... as the authors name them."""
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    count = sum(ceil(depth * module.repeats) for module in genes)
    for number, (module, expansion) in enumerate(zip(genes, EXPANSIONS, strict=True), 1):
        outputs = rounded(8 * module.width * width)
        for letter in ascii_lowercase[: ceil(depth * module.repeats)]:
            stride = module.stride if letter == "a" else 1
            blocks[f"block{number}{letter}"] = Bottleneck(
                inputs, outputs, module.kernel, stride, inner=expansion * inputs, squeezed=max(1, inputs // SQUEEZE),
                added=stride == 1 and inputs == outputs, dropped=drop * len(blocks) / count,
            )  # fmt: skip
            inputs = outputs
    return blocks


class EvoPose2D(nn.Module):
    """Return one map a keypoint, whatever the genes say.

    images (B, 3, H, W), H and W multiples of 32; one stage of `Heatmaps` (B, K, H/s, W/s), s = `output_stride`.
    depth, width: how many times more blocks and channels than the genes say; drop: how often the last block is left
    out in training, the first never.
    """

    def __init__(
        self, genes: Genotype, keypoints: int, depth: float = 1.0, width: float = 1.0, drop: float = 0.2
    ) -> None:
        super().__init__()
        channels = rounded(STEM * width)
        self.stem = normed(Same(3, channels, 3, 2))
        self.blocks = nn.Sequential(bottlenecks(channels, genes, depth, width, drop))
        channels = rounded(8 * genes[-1].width * width)
        widths = [channels, *[rounded(HEAD_WIDTH * width)] * DOUBLINGS]
        self.doublings = nn.Sequential(*(Doubling(widths[n], widths[n + 1]) for n in range(DOUBLINGS)))
        self.head = nn.Conv2d(widths[-1], keypoints, 1)
        self.apply(begin)
        nn.init.uniform_(self.head.weight, -sqrt(1 / keypoints), sqrt(1 / keypoints))

    def forward(self, images: Tensor) -> list[Heatmaps]:
        return [Heatmaps(self.head(self.doublings(self.blocks(self.stem(images)))))]


def begin(layer: nn.Module) -> None:
    """Draw a convolution's first weights: normal, cut at two deviations, of variance 2 / (kernel x kernel x outputs).

    Of a channel-wise convolution the outputs are 1, of a transposed one its inputs: as TensorFlow counts them.
    """
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        spread = sqrt(2 * layer.groups / (layer.weight.shape[0] * layer.weight[0, 0].numel())) / 0.8796
        nn.init.trunc_normal_(layer.weight, std=spread, a=-2 * spread, b=2 * spread)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def scaling(side: float) -> tuple[float, float]:
    """Return how many times deeper and wider a network is for pictures whose mean side is `side` px.

    phi = ln(side / 224) / ln 1.15, depth 1.2^phi, width 1.1^phi: EfficientNet's rule (equation 3 there).

    >>> scaling(224), scaling(224 * 1.15)
    ((1.0, 1.0), (1.2, 1.1))
    """
    phi = log(side / 224) / log(1.15)
    return 1.2**phi, 1.1**phi


def at(genes: Genotype, size: Size, keypoints: int) -> EvoPose2D:
    """Build the network for pictures of `size` (width, height) px, on which depth, width and drop depend."""
    side = sum(size) / 2
    return EvoPose2D(genes, keypoints, *scaling(side), drop=next(drop for limit, drop in DROPS if side <= limit))


def evopose2d_xs(keypoints: int = 17) -> EvoPose2D:
    """XS, 256x192: S with all strides of the ancestor, and so with maps of a quarter of the resolution."""
    strided = [module._replace(stride=2) if n == 5 else module for n, module in enumerate(BRED)]
    return at(tuple(strided), (192, 256), keypoints)


def evopose2d_s(keypoints: int = 17) -> EvoPose2D:
    """S, 256x192."""
    return at(BRED, (192, 256), keypoints)


def evopose2d_m(keypoints: int = 17) -> EvoPose2D:
    """M, 384x288."""
    return at(BRED, (288, 384), keypoints)


def evopose2d_l(keypoints: int = 17) -> EvoPose2D:
    """L, 512x384."""
    return at(BRED, (384, 512), keypoints)


# From the names of the authors' Keras layers, with PyTorch's names of what is in them.
RENAMES = (
    (r"^block(?=\d[a-z]_)", "blocks.block"),
    *BLOCK_RENAMES,
    *((rf"^head_block{n + 1}_conv\.", f"doublings.{n}.conv.") for n in range(DOUBLINGS)),
    *((rf"^head_block{n + 1}_bn\.", f"doublings.{n}.after.0.") for n in range(DOUBLINGS)),
    (r"^final_conv\.", "head."),
)

ORIGINAL = Original(RENAMES)
