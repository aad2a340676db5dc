"""A simple yet effective baseline (Martinez et al., ICCV 2017, arXiv:1705.03098): 2D poses to 3D by a few layers.

    pose -> linear 1024 -> +- linear -> linear -+-> +- linear -> linear -+-> 3 K numbers
                            \\--------------------/    \\--------------------/

Every "linear" but the last is a matrix, BatchNorm, ReLU and dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Coordinates
from posewright.models.original import Original

WIDTH, STAGES, DROPOUT = 1024, 2, 0.5  # section 3.2


def linear(inputs: int, outputs: int, activation: nn.Module) -> nn.Sequential:
    """Multiply, normalise, activate, drop out; the matrix starts as He et al. 2015 draw it (section 3.2)."""
    matrix = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(matrix.weight)
    return nn.Sequential(matrix, nn.BatchNorm1d(outputs), activation, nn.Dropout(DROPOUT))


class Residual(nn.Module):
    """Add two layers to what comes in (Fig. 1)."""

    def __init__(self, width: int, activation: nn.Module) -> None:
        super().__init__()
        self.first = linear(width, width, activation)
        self.second = linear(width, width, activation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Lifter(nn.Module):
    """Lift poses (B, K, 2) of a picture to (B, K, 3) relative to the root.

    Both are standardised: less their training mean, over their deviation, number by number (see `Standard`). One stage
    of `Coordinates`.
    """

    def __init__(self, keypoints: int = 16, width: int = WIDTH, stages: int = STAGES) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.enter = linear(2 * keypoints, width, nn.ReLU())
        self.stages = nn.Sequential(*(Residual(width, nn.ReLU()) for _ in range(stages)))
        self.leave = nn.Linear(width, 3 * keypoints)
        nn.init.kaiming_normal_(self.leave.weight)

    def forward(self, poses: Tensor) -> list[Coordinates]:
        found = self.leave(self.stages(self.enter(poses.flatten(1))))
        return [Coordinates(found.unflatten(1, (self.keypoints, 3)))]

    def trial(self) -> Tensor:
        """Return poses to try the network with."""
        return torch.sin(torch.arange(2.0 * self.keypoints)).reshape(1, self.keypoints, 2)


# From the names of the paper's PyTorch port.
RENAMES = (
    (r"^w1\.", "enter.0."),
    (r"^batch_norm1\.", "enter.1."),
    (r"^linear_stages\.(\d+)\.w1\.", r"stages.\1.first.0."),
    (r"^linear_stages\.(\d+)\.batch_norm1\.", r"stages.\1.first.1."),
    (r"^linear_stages\.(\d+)\.w2\.", r"stages.\1.second.0."),
    (r"^linear_stages\.(\d+)\.batch_norm2\.", r"stages.\1.second.1."),
    (r"^w2\.", "leave."),
)

ORIGINAL = Original(RENAMES, head=r"(enter|leave)\.")
