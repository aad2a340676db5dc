"""Stacked hourglass (Newell, Yang and Deng, ECCV 2016, arXiv:1603.06937): down to 4x4 px and up again, n times.

    images -> 7x7 /2, residual, pool /2, residual x2 -> x     256 channels at 64x64
    x -> hourglass -> residual, 1x1 -> features -> 1x1 -> K maps (supervised)
     \\------------------------------------ + <- 1x1 ---/-- 1x1 -/        the next stack's x (Fig. 4)

    hourglass:  x --------------------- residual ---------------------- + ->
                 \\-> pool -> residual -> hourglass -> residual -> x2 --/
                              (in the fourth and innermost, a residual instead of an hourglass, Fig. 3)

Drawn as the authors' PyTorch code has it. A convolution has a bias although a normalisation follows;
the shortcut that changes the width is a bare 1x1 convolution. That code also keeps a shortcut's weights where
the width stays and nothing asks for them (a fifth of all its parameters): they are left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import interpolate

from posewright.fields import Heatmaps
from posewright.models import resnet
from posewright.models.original import Original
from posewright.models.pixels import Normal

WIDTH = 256  # section 3.1
DEPTH = 4  # poolings in an hourglass: 64 px to 4 (section 3.1)


def preactivated(inputs: int, outputs: int, kernel: int = 1) -> nn.Sequential:
    """Normalise, rectify, then convolve (He et al. 2016, arXiv:1603.05027)."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), convolution)


def rectified(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolve with a bias, normalise, rectify."""
    return resnet.rectified(inputs, outputs, kernel, stride, bias=True)


class Residual(nn.Module):
    """Add 1x1, 3x3 and 1x1 convolutions, at half the width, to what comes in (Fig. 4 left)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = preactivated(inputs, outputs // 2)
        self.second = preactivated(outputs // 2, outputs // 2, 3)
        self.third = preactivated(outputs // 2, outputs)
        self.shortcut: nn.Module = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.third(self.second(self.first(x)))
        return total


class Hourglass(nn.Module):
    """Look at half the resolution, and add what is seen to what is known at this one (Fig. 3).

    beside: works at this resolution; before, inner, after: work at half of it. x (B, C, h, w), h and w even
    at every resolution; returns the same shape. For the paper's own, see `hourglass`.
    """

    def __init__(self, beside: nn.Module, before: nn.Module, inner: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.beside, self.before, self.inner, self.after = beside, before, inner, after
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        below = self.after(self.inner(self.before(self.pool(x))))
        total: Tensor = self.beside(x) + doubled(below)
        return total


def doubled(x: Tensor) -> Tensor:
    """Double the resolution; each pixel becomes four."""
    return interpolate(x, scale_factor=2.0, mode="nearest")


def hourglass(depth: int, width: int) -> Hourglass:
    """Build the paper's hourglass: residuals all of one width, `depth` poolings."""
    beside, before, after = (Residual(width, width) for _ in range(3))
    return Hourglass(beside, before, hourglass(depth - 1, width) if depth > 1 else Residual(width, width), after)


def stem(width: int) -> nn.Sequential:
    """Bring a picture (B, 3, H, W) to (B, width, H/4, W/4) (section 3.1)."""
    narrow = [*rectified(3, 64, 7, stride=2), Residual(64, 128)]
    return nn.Sequential(*narrow, nn.MaxPool2d(2), Residual(128, 128), Residual(128, width))


class Stacks(nn.Module):
    """Ask one hourglass after another, and tell each next one what the last one saw and said (Fig. 4).

    stem: pictures to x; then a list with one entry a stack: hourglasses, x to x; features, x to features; heads,
    features to maps; and with one entry fewer, what features and maps become to be added to the next one's x.
    answer: what a head's maps are read as.
    """

    def __init__(
        self,
        stem: nn.Module,
        hourglasses: Iterable[nn.Module],
        features: Iterable[nn.Module],
        heads: Iterable[nn.Module],
        returned_features: Iterable[nn.Module],
        returned_maps: Iterable[nn.Module],
        answer: Callable[[Tensor], Any] = Heatmaps,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.hourglasses = nn.ModuleList(hourglasses)
        self.features = nn.ModuleList(features)
        self.heads = nn.ModuleList(heads)
        self.returned_features = nn.ModuleList(returned_features)
        self.returned_maps = nn.ModuleList(returned_maps)
        self.answer = answer

    def forward(self, images: Tensor) -> list[Any]:
        x = self.stem(images)
        stages: list[Any] = []
        for number, (look, settle, head) in enumerate(zip(self.hourglasses, self.features, self.heads, strict=True)):
            features = settle(look(x))
            maps = head(features)
            stages.append(self.answer(maps))
            if number < len(self.returned_maps):
                x = x + self.returned_maps[number](maps) + self.returned_features[number](features)
        return stages


class StackedHourglass(Stacks):
    """Return one map a keypoint at a quarter of the resolution, from each stack.

    images (B, 3, H, W), H and W multiples of 64; one stage of `Heatmaps` (B, K, H/4, W/4) a stack. Weights
    start as PyTorch draws them, which is how the authors' code starts.
    """

    def __init__(self, stacks: int, keypoints: int, width: int = WIDTH, depth: int = DEPTH) -> None:
        super().__init__(
            stem(width),
            (hourglass(depth, width) for _ in range(stacks)),
            (nn.Sequential(Residual(width, width), rectified(width, width)) for _ in range(stacks)),
            (nn.Conv2d(width, keypoints, 1) for _ in range(stacks)),
            (nn.Conv2d(width, width, 1) for _ in range(stacks - 1)),
            (nn.Conv2d(keypoints, width, 1) for _ in range(stacks - 1)),
        )


def hourglass_2(keypoints: int = 16) -> StackedHourglass:
    """Two stacks, as in the paper's ablations (section 4.3)."""
    return StackedHourglass(2, keypoints)


def hourglass_8(keypoints: int = 16) -> StackedHourglass:
    """Eight stacks, the paper's final network (section 3.3)."""
    return StackedHourglass(8, keypoints)


# From the names of the authors' PyTorch code, in whose files they stand behind `model.module.`.
RENAMES = (
    (r"^model\.(module\.)?", ""),
    (r"^pre\.0\.conv\.", "stem.0."),
    (r"^pre\.0\.bn\.", "stem.1."),
    (r"^pre\.1\.", "stem.3."),
    (r"^pre\.3\.", "stem.5."),
    (r"^pre\.4\.", "stem.6."),
    (r"^hgs\.(\d+)\.0\.", r"hourglasses.\1."),
    (r"^outs\.(\d+)\.conv\.", r"heads.\1."),
    (r"^merge_features\.(\d+)\.conv\.conv\.", r"returned_features.\1."),
    (r"^merge_preds\.(\d+)\.conv\.conv\.", r"returned_maps.\1."),
    (r"^(features\.\d+\.1)\.conv\.", r"\1.0."),
    (r"^(features\.\d+\.1)\.bn\.", r"\1.1."),
    (r"\.up1\.", ".beside."),
    (r"\.low1\.", ".before."),
    (r"\.low2(?=\.)", ".inner"),
    (r"\.low3\.", ".after."),
    (r"\.bn1\.", ".first.0."),
    (r"\.conv1\.conv\.", ".first.2."),
    (r"\.bn2\.", ".second.0."),
    (r"\.conv2\.conv\.", ".second.2."),
    (r"\.bn3\.", ".third.0."),
    (r"\.conv3\.conv\.", ".third.2."),
    (r"\.skip_layer\.conv\.", ".shortcut."),
)

ORIGINAL = Original(
    RENAMES,
    head=r"(heads|returned_maps)\.",
    normal=Normal((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),  # the authors' networks take values in 0..1 as they are
)
