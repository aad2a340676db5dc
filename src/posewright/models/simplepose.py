"""SimplePose (Li, Su and Wang, AAAI 2020, arXiv:1911.10529): limbs are heatmaps too, at five scales and four times.

    images -> 7x7 /2, residual, pool /2, residual, six dilated 3x3 -> x                      256 channels at /4
    x -> hourglass -> at /4, /8, /16, /32, /64: 3x3 x2, squeeze and excite -> features -> 1x1 -> maps (supervised)
                                                      \\---- 1x1 -> + <- 1x1 -----------------/
                   the next stack's hourglass answers at each scale what it sees + this   (identity mapping)

    50 maps: 30 limbs, 18 keypoints with the neck, the silhouettes, and the largest of the keypoints

Drawn as the authors' code has it (commit 0fa17df, models/posenet.py).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Limbs
from posewright.models.hourglass import doubled
from posewright.models.original import Original, Source
from posewright.models.pixels import Normal

STACKS, WIDTH, GROWTH = 4, 256, 128  # channels more with every pooling
SCALES = 5
DILATIONS = (3, 3, 4, 4, 5, 5)
SQUEEZE = 16
LIMBS, KEYPOINTS, BESIDE = 30, 18, 2
"""Maps; those beside the keypoints are the silhouettes and the largest of the keypoints."""


def normed(inputs: int, outputs: int, kernel: int, dilation: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolve, then normalise."""
    around = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, around, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def rectified(inputs: int, outputs: int, kernel: int = 3, dilation: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolve, normalise, and pass on a hundredth of what is negative."""
    return nn.Sequential(*normed(inputs, outputs, kernel, dilation, stride), nn.LeakyReLU(inplace=True))


class Residual(nn.Module):
    """Add 1x1, 3x3 and 1x1 convolutions, at half the width, to what comes in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        narrow, look = rectified(inputs, half, 1), rectified(half, half)
        self.steps = nn.Sequential(*narrow, *look, *normed(half, outputs, 1))
        self.shortcut: nn.Module = nn.Identity() if inputs == outputs else normed(inputs, outputs, 1)
        self.activate = nn.LeakyReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.activate(self.shortcut(x) + self.steps(x))
        return answer


class Stem(nn.Module):
    """Bring a picture (B, 3, H, W) to (B, 256, H/4, W/4), half of the channels with a wide view."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTH // 2
        first = rectified(3, 64, 7, stride=2)
        self.near = nn.Sequential(first, Residual(64, half), nn.MaxPool2d(2), Residual(half, half))
        self.far = nn.Sequential(*(rectified(half, half, dilation=dilation) for dilation in DILATIONS))

    def forward(self, images: Tensor) -> Tensor:
        near = self.near(images)
        return torch.cat([near, self.far(near)], 1)


class Hourglass(nn.Module):
    """Return what is seen at this resolution and at all below it, the finest first; each is wider by GROWTH."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        wider = width + GROWTH
        self.beside, self.before, self.after = Residual(width, width), Residual(width, wider), Residual(wider, width)
        self.smooth = rectified(width, width)
        self.inner = Hourglass(wider, depth - 1) if depth > 1 else Residual(wider, wider)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        inner = self.inner(self.before(self.pool(x)))
        below: list[Tensor] = inner if isinstance(inner, list) else [inner]
        return [self.beside(x) + self.smooth(doubled(self.after(below[0]))), *below]


class SqueezeExcite(nn.Module):
    """Weigh each channel by what all channels are on the whole (Hu et al. 2018, arXiv:1709.01507)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // SQUEEZE
        self.weigh = nn.Sequential(nn.Linear(width, narrow), nn.LeakyReLU(), nn.Linear(narrow, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x.mean((-2, -1)))[..., None, None]


class Scale(nn.Module):
    """Answer at one scale of a stack, and say what the next stack adds there; heard: whether there is one."""

    def __init__(self, width: int, maps: int, heard: bool) -> None:
        super().__init__()
        self.settle = nn.Sequential(rectified(width, WIDTH), rectified(WIDTH, WIDTH), SqueezeExcite(WIDTH))
        self.head = nn.Conv2d(WIDTH, maps, 1)
        self.returned_features = normed(WIDTH, width, 1) if heard else None
        self.returned_maps = normed(maps, width, 1) if heard else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.settle(x)
        maps = self.head(features)
        if self.returned_features is None or self.returned_maps is None:
            return maps, None
        return maps, self.returned_maps(maps) + self.returned_features(features)


class SimplePose(nn.Module):
    """Return maps of keypoints and limbs at /64 to /4 of the resolution, from each stack, its coarsest first.

    images (B, 3, H, W), H and W multiples of 64; 5 * stacks stages of `Limbs` (B, K + 2, h, w), (B, L, h, w). Weights
    start as PyTorch draws them.
    """

    def __init__(self, stacks: int, keypoints: int, limbs: int) -> None:
        super().__init__()
        self.limbs = limbs
        widths = [WIDTH + GROWTH * scale for scale in range(SCALES)]
        maps = limbs + keypoints + BESIDE
        self.stem = Stem()
        self.hourglasses = nn.ModuleList(Hourglass(WIDTH, SCALES - 1) for _ in range(stacks))
        self.scales = nn.ModuleList(
            nn.ModuleList(Scale(width, maps, heard=stack < stacks - 1) for width in widths) for stack in range(stacks)
        )

    def forward(self, images: Tensor) -> list[Limbs]:
        x = self.stem(images)
        answers: list[Limbs] = []
        told: list[Tensor] = []
        for look, scales in zip(self.hourglasses, self.scales, strict=True):
            seen = look(x)
            if told:
                seen = [one + more for one, more in zip(seen, told, strict=True)]
            said = [scale(one) for scale, one in zip(scales, seen, strict=True)]  # type: ignore[call-overload]
            answers += [Limbs(maps[:, self.limbs :], maps[:, : self.limbs]) for maps, _ in reversed(said)]
            told = [more for _, more in said if more is not None]
            x = x + told[0] if told else x
        return answers


def simplepose(keypoints: int = KEYPOINTS, limbs: int = LIMBS) -> SimplePose:
    """Four stacks, as published for COCO with a neck."""
    return SimplePose(STACKS, keypoints, limbs)


# From the authors' names, in whose files they stand behind `posenet.`.
PLACES = {0: "beside", 1: "before", 2: "after", 3: "smooth", 4: "inner"}
RENAMES = (
    (r"^posenet\.", ""),
    *((rf"^pre\.{theirs}\.", f"stem.{ours}.") for theirs, ours in
      (("conv1", "near.0.0"), ("bn1", "near.0.1"), ("res1", "near.1"), ("res2", "near.3"), ("dilation", "far"))),
    *((rf"^hourglass\.(\d+)\.hg\.{depth}\.{place}\.", rf"hourglasses.\1.{'inner.' * depth}{name}.")
      for depth in range(SCALES - 1) for place, name in PLACES.items()),
    (r"^features\.(\d+)\.before_regress\.(\d)\.2\.fc\.", r"scales.\1.\2.settle.2.weigh."),
    (r"^features\.(\d+)\.before_regress\.(\d)\.", r"scales.\1.\2.settle."),
    (r"^outs\.(\d+)\.(\d)\.conv\.", r"scales.\1.\2.head."),
    (r"^merge_features\.(\d+)\.(\d)\.conv\.", r"scales.\1.\2.returned_features."),
    (r"^merge_preds\.(\d+)\.(\d)\.conv\.", r"scales.\1.\2.returned_maps."),
    (r"\.convBlock\.", ".steps."),
    (r"\.skipConv\.", ".shortcut."),
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
)  # fmt: skip

VALUES = Normal((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""The authors' networks take values in 0..1 as they are."""
FIRST = r"(posenet\.)?pre\.conv1\."
ORIGINAL = Original(
    RENAMES,
    head=r"scales\.\d+\.\d\.(head|returned_maps)\.",
    normal=VALUES,
    sources=(Source(FIRST, VALUES, blue_first=FIRST),),  # the authors' files take blue first
)
