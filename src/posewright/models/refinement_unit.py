"""EpipolarPose's refinement unit (Kocabas et al., CVPR 2019, arXiv:1903.02330, section 3.3): 3D poses made better.

    pose -> i = linear -> stage -> s1 -> p1 -> y = linear -> stage(s1 + y + i) -> s2 -> p2(i + s2)
    stage(v):  o = v + linear(linear(v));  o + linear(linear(o))

Every "linear" is a matrix, BatchNorm, activation and dropout; p1 and p2 are plain matrices, and both are learnt from.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Coordinates
from posewright.models.lifter import WIDTH, Residual, linear
from posewright.models.original import Original

SLOPE = 0.01
"""Of the leaky ReLU that the paper names; the released code's default is a ReLU."""


class RefinementUnit(nn.Module):
    """Refine poses (B, K, 3) relative to the root, standardised number by number; two stages of `Coordinates`.

    The root itself is left out of K. leaky: the paper's form; False: the released code's.
    """

    def __init__(self, keypoints: int = 15, width: int = WIDTH, leaky: bool = True) -> None:
        super().__init__()
        self.keypoints = keypoints
        numbers, activation = 3 * keypoints, nn.LeakyReLU(SLOPE) if leaky else nn.ReLU()
        self.enter = linear(numbers, width, activation)
        self.first = nn.Sequential(Residual(width, activation), Residual(width, activation))
        self.first_pose = nn.Linear(width, numbers)
        self.again = linear(numbers, width, activation)
        self.second = nn.Sequential(Residual(width, activation), Residual(width, activation))
        self.second_pose = nn.Linear(width, numbers)
        for plain in (self.first_pose, self.second_pose):
            nn.init.kaiming_normal_(plain.weight)

    def forward(self, poses: Tensor) -> list[Coordinates]:
        entered = self.enter(poses.flatten(1))
        first = self.first(entered)
        p1 = self.first_pose(first)
        p2 = self.second_pose(entered + self.second(first + self.again(p1) + entered))
        return [Coordinates(p.unflatten(1, (self.keypoints, 3))) for p in (p1, p2)]

    def trial(self) -> Tensor:
        """Return poses to try the network with."""
        return torch.sin(torch.arange(3.0 * self.keypoints)).reshape(1, self.keypoints, 3)


def refinement_unit(keypoints: int = 15) -> RefinementUnit:
    """The paper's: a leaky ReLU, on MPII's keypoints without the pelvis."""
    return RefinementUnit(keypoints)


def refinement_unit_relu(keypoints: int = 15) -> RefinementUnit:
    """The released code's: a ReLU."""
    return RefinementUnit(keypoints, leaky=False)


# From the names of EpipolarPose's code: a stage's four layers are w1 to w4.
RENAMES = (
    (r"^linear_stages\.0\.", "first."),
    (r"^linear_stages\.1\.", "second."),
    *(
        (rf"^(first|second)\.{theirs}{number}\.", rf"\1.{(number - 1) // 2}.{layer}.{place}.")
        for number, layer in ((1, "first"), (2, "second"), (3, "first"), (4, "second"))
        for place, theirs in enumerate(("w", "batch_norm"))
    ),
    (r"^w1\.", "enter.0."),
    (r"^batch_norm1\.", "enter.1."),
    (r"^w2\.", "first_pose."),
    (r"^w3\.", "again.0."),
    (r"^batch_norm3\.", "again.1."),
    (r"^w4\.", "second_pose."),
)

ORIGINAL = Original(RENAMES, head=r"(enter|again|first_pose|second_pose)\.")
