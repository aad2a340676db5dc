"""Pyramid residual module (Yang et al., ICCV 2017, arXiv:1708.01101): a residual that looks at several scales.

    x --- 1x1, 3x3 ------------------------------------------- + - 1x1 - + ->
     |\\-- 1x1 --- pool to 0.84 of the size, 3x3, enlarge -\\     |         |
     |         |-- pool to 0.71 of the size, 3x3, enlarge --+ - 1x1       |
     |         |-- pool to 0.59 of the size, 3x3, enlarge --|             |
     |         \\-- pool to 0.50 of the size, 3x3, enlarge -/              |
      \\------------------------------------------------------------------/

This is PRM-B (Fig. 3b), drawn as the authors' code has it, in the sizes of their scripts. They publish no code of
the other forms, which follow Fig. 3: A has a first 1x1 for each scale, C puts the scales side by side, D dilates
the 3x3 and pools nothing. D's dilations, 1 to 4 px, are our choice.
"""

from __future__ import annotations

from functools import reduce
from itertools import cycle
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import fractional_max_pool2d

from posewright.models.blocks import enlarged
from posewright.models.hourglass import preactivated, rectified

BASE_WIDTH = 9  # how much narrower a pyramid is than what leaves its module
LEVELS = 4  # C, the scales of a pyramid
GAIN = 0.5  # alpha of a rectified layer (section 4.1)
OFFSET = 0.37  # u where nothing is learnt: no product then falls on a whole number, where rounding would decide


class Form(NamedTuple):
    """One of the paper's four pyramids (Fig. 3)."""

    narrowed_each: bool = False
    side_by_side: bool = False
    dilated: bool = False


PRM_A = Form(narrowed_each=True)
PRM_B = Form()
PRM_C = Form(side_by_side=True)
PRM_D = Form(dilated=True)


class FractionalPool(nn.Module):
    """Keep the largest of each 2x2 px, in windows that overlap or leave gaps so that `ratio` of the pixels remain.

    Along an axis of n px there are m = int(n ratio) windows. Window i begins at int((i + u) a) - int(u a), with
    a = (n - 2) / (m - 1), and the last one at n - 2. In training u is drawn for every picture, channel and axis.
    Source: Graham 2014, arXiv:1412.6071. Departure: the authors draw u always; here it is `OFFSET` where nothing
    is learnt, so that a picture has one answer.
    """

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio

    def forward(self, x: Tensor) -> Tensor:
        h, w = (int(length * self.ratio) for length in x.shape[-2:])
        if self.training:
            return fractional_max_pool2d(x, 2, output_size=(h, w))
        for axis, windows in ((-2, h), (-1, w)):
            first = torch.tensor(starts(x.shape[axis], windows), device=x.device)
            x = torch.maximum(x.index_select(axis, first), x.index_select(axis, first + 1))
        return x


def starts(length: int, windows: int) -> list[int]:
    """Return where windows of 2 px begin on an axis, spread from its first pixel to its last.

    >>> starts(8, 6)
    [0, 1, 2, 4, 5, 6]
    """
    step = (length - 2) / max(windows - 1, 1)
    return [*(int((i + OFFSET) * step) - int(OFFSET * step) for i in range(windows - 1)), length - 2]


class Level(nn.Module):
    """Convolve at a smaller scale, 2^(-level / C), and bring the answer back to the resolution that came in."""

    def __init__(self, width: int, level: int) -> None:
        super().__init__()
        self.pool = FractionalPool((1 / 2 ** (1 / LEVELS)) ** level)
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return enlarged(self.convolution(self.pool(x)), x)


class Pyramid(nn.Module):
    """Narrow, look at several scales at once, sum them or put them side by side, and widen.

    x (B, inputs, h, w); returns (B, outputs, h, w). active: see `PyramidResidual`.
    """

    def __init__(self, inputs: int, width: int, outputs: int, form: Form, active: bool) -> None:
        super().__init__()
        levels = range(1, LEVELS + 1)
        self.narrow = nn.ModuleList(narrowed(inputs, width, active) for _ in (levels if form.narrowed_each else (1,)))
        self.levels = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=level, dilation=level) if form.dilated else Level(width, level)
            for level in levels
        )
        self.side_by_side = form.side_by_side
        self.widen = preactivated(width * LEVELS if form.side_by_side else width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        each = cycle([narrow(x) for narrow in self.narrow])
        seen = [level(next(each)) for level in self.levels]
        together: Tensor = self.widen(torch.cat(seen, dim=1) if self.side_by_side else reduce(torch.add, seen))
        return together


class PyramidResidual(nn.Module):
    """Add to what comes in a 3x3 convolution's answer and a pyramid's (section 3.2).

    active: what comes in has been normalised and rectified already; projected: its shortcut is a convolution even
    where the width stays, so that the variance does not grow from module to module (section 4.2).
    """

    def __init__(
        self, inputs: int, outputs: int, form: Form = PRM_B, active: bool = False, projected: bool = False
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.local = nn.Sequential(*narrowed(inputs, half, active), nn.Conv2d(half, half, 3, padding=1))
        self.pyramid = Pyramid(inputs, outputs // BASE_WIDTH, half, form, active)
        self.third = preactivated(half, outputs)
        self.shortcut = shortcut(inputs, outputs, projected)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.third(self.local(x) + self.pyramid(x))
        return total


def narrowed(inputs: int, outputs: int, active: bool = False) -> nn.Sequential:
    """Change the width, and leave the features normalised and rectified as they are expected (or already are)."""
    activate = [] if active else [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*activate, *rectified(inputs, outputs))


def shortcut(inputs: int, outputs: int, projected: bool) -> nn.Module:
    """Pass on what comes in; project it where the width changes, or where it is asked for."""
    return nn.Identity() if inputs == outputs and not projected else preactivated(inputs, outputs)


def initialise(network: nn.Module) -> None:
    """Draw all weights so that neither answers nor gradients grow where branches meet (section 4.1).

        Var w = 2 / (alpha (C_i n_i + C_o n_o)),   alpha = 1/2 next to a rectifier

    C_i branches are summed into what enters a convolution and C_o branches take what leaves it, within a pyramid
    residual module; elsewhere both are 1. n_i and n_o are the products that make one number, and one number of the
    gradient. The paper writes 1 / (alpha^2 (...)), which at 1/2 is the same and at 1 half as much. With one branch each
    and alpha 1 this is Glorot's and Bengio's compromise between the two directions. The authors' code notes one C_i
    beside its convolution, and lets Torch draw.
    """
    meeting: dict[nn.Module, tuple[int, int]] = {}
    for module in network.modules():
        if isinstance(module, PyramidResidual):
            meeting[module.third[-1]] = 2, 1
        if isinstance(module, Pyramid):
            narrowing = [layer for layer in module.narrow.modules() if isinstance(layer, nn.Conv2d)]
            meeting |= dict.fromkeys(narrowing, (1, LEVELS // len(narrowing)))
            meeting[module.widen[-1]] = 1 if module.side_by_side else LEVELS, 1
        if isinstance(module, nn.Conv2d):
            entering, leaving = meeting.get(module, (1, 1))
            products = prod(module.kernel_size) * (entering * module.in_channels + leaving * module.out_channels)
            nn.init.normal_(module.weight, std=(2 / (GAIN * products)) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
