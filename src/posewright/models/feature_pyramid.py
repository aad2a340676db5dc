"""FPN, the feature pyramid network (Lin et al., CVPR 2017, arXiv:1612.03144): what is coarse tells what is fine.

C5 /32 -> 1x1 ----------> 3x3 -> P5
              \\-> x2
C4 /16 -> 1x1 -> + -----> 3x3 -> P4         each 256 channels (Fig. 3); nearest neighbours enlarge
                  \\-> x2
C3 /8  -> 1x1 ---> + ---> 3x3 -> P3 ...
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

WIDTH = 256
BACKBONE_WIDTHS = (256, 512, 1024, 2048)
"""Of a ResNet's stages, C2 to C5."""


class FeaturePyramid(nn.Module):
    """Return features of WIDTH channels at the resolution of each that comes in, the finest first.

    widths: channels of what comes in; smoothed: whether the coarsest is convolved as the others are.
    """

    def __init__(self, widths: Sequence[int], smoothed: bool = True) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
        count = len(widths) if smoothed else len(widths) - 1
        self.smooth = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(count))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        levels = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        for finer in range(len(levels) - 2, -1, -1):
            levels[finer] = levels[finer] + fitted(levels[finer + 1], levels[finer])
        smooth = [convolve(level) for convolve, level in zip(self.smooth, levels, strict=False)]
        return smooth + levels[len(smooth) :]


def fitted(x: Tensor, to: Tensor) -> Tensor:
    """Enlarge x (B, C, h, w) to the resolution of another tensor; each pixel becomes several."""
    return interpolate(x, size=to.shape[-2:], mode="nearest")
