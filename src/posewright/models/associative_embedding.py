"""Associative embedding (Newell, Huang and Deng, NIPS 2017, arXiv:1611.05424): who it is stands in a tag.

    images -> 7x7 /2, 3x3, pool /2, 3x3 x2 -> x                  256 channels at /4
    x -> hourglass -> 3x3 x2 -> features -> 1x1 -> K heatmaps, K tags (supervised)
     \\------------------------- + <- 1x1 ---/-- 1x1 -/        the next stack's x

    hourglass:  x ---------------- 3x3 ----------------- + ->    at each resolution one convolution, where the
                 \\-> pool -> 3x3 -> hourglass -> 3x3 -> x2 -/    hourglass of single people has a residual block;
                                                                  128 channels more with every pooling

Drawn as the authors' code has it (commit 3c80a16): nothing is normalised, and of the 4 K maps that each stack gives
the last 2 K are neither learnt nor read, but told to the next stack.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from posewright.fields import Tags
from posewright.models.hourglass import Hourglass, Stacks
from posewright.models.original import Original
from posewright.models.pixels import Normal

STACKS, WIDTH, DEPTH = 4, 256, 4
GROWTH = 128  # channels more with every pooling
SPARE = 2  # maps a keypoint that nothing asks for


def rectified(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolve with a bias and rectify."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True))


def hourglass(depth: int, width: int) -> Hourglass:
    """Build an hourglass of single convolutions, wider the deeper."""
    wider = width + GROWTH
    inner = hourglass(depth - 1, wider) if depth > 1 else rectified(wider, wider)
    return Hourglass(rectified(width, width), rectified(width, wider), inner, rectified(wider, width))


def stem(width: int) -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, width, H/4, W/4)."""
    first = [rectified(3, 64, 7, stride=2), rectified(64, 128), nn.MaxPool2d(2)]
    return nn.Sequential(*first, rectified(128, 128), rectified(128, width))


def split(maps: Tensor, keypoints: int, dimensions: int) -> Tags:
    """Read maps (B, C, h, w) as K heatmaps, then T times K tags; what follows is left out."""
    tags = maps[:, keypoints : keypoints * (1 + dimensions)]
    return Tags(maps[:, :keypoints], tags.reshape(-1, dimensions, keypoints, *maps.shape[-2:]))


class AssociativeEmbedding(Stacks):
    """Return heatmaps and tags at a quarter of the resolution, from each stack.

    images (B, 3, H, W), H and W multiples of 64; one stage of `Tags` (B, K, h, w), (B, T, K, h, w) a stack. Weights
    start as PyTorch draws them, which is how the authors' code starts.
    """

    def __init__(self, stacks: int, keypoints: int, dimensions: int = 1, width: int = WIDTH) -> None:
        maps = (1 + dimensions + SPARE) * keypoints
        super().__init__(
            stem(width),
            (hourglass(DEPTH, width) for _ in range(stacks)),
            (nn.Sequential(rectified(width, width), rectified(width, width)) for _ in range(stacks)),
            (nn.Conv2d(width, maps, 1) for _ in range(stacks)),
            (nn.Conv2d(width, width, 1) for _ in range(stacks - 1)),
            (nn.Conv2d(maps, width, 1) for _ in range(stacks - 1)),
            answer=partial(split, keypoints=keypoints, dimensions=dimensions),
        )


def associative_embedding(keypoints: int = 17, dimensions: int = 1) -> AssociativeEmbedding:
    """Four stacks, the paper's network."""
    return AssociativeEmbedding(STACKS, keypoints, dimensions)


# From the authors' names, in whose files they stand behind `model.module.`.
RENAMES = (
    (r"^model\.(module\.)?", ""),
    (r"^pre\.(\d)\.conv\.", r"stem.\1.0."),
    (r"^features\.(\d+)\.0\.(?=(up1|low[123])\.)", r"hourglasses.\1."),
    (r"^features\.(\d+)\.1\.conv\.", r"features.\1.0.0."),
    (r"^features\.(\d+)\.2\.conv\.", r"features.\1.1.0."),
    (r"^outs\.(\d+)\.conv\.", r"heads.\1."),
    (r"^merge_features\.(\d+)\.conv\.conv\.", r"returned_features.\1."),
    (r"^merge_preds\.(\d+)\.conv\.conv\.", r"returned_maps.\1."),
    (r"\.up1\.", ".beside."),
    (r"\.low1\.", ".before."),
    (r"\.low2(?=\.)", ".inner"),
    (r"\.low3\.", ".after."),
    (r"^(hourglasses\..*)\.conv\.", r"\1.0."),
)

ORIGINAL = Original(
    RENAMES,
    head=r"(heads|returned_maps)\.",
    normal=Normal((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),  # the authors' networks take values in 0..1 as they are
)
