"""EfficientPose LITE (Groos et al.): EfficientPose for hardware that knows neither swish nor excitation.

images -> EfficientNet-Lite --> high /8 -> pass 1 -> pass 2 -> pass 3 -> K maps -> x2 x2 x2 -> answer

ReLU6 stands where swish was, nothing excites, there is one resolution, and pictures are scaled to -1..1. The paper
does not have these networks, the authors' code does (commit 78e4bd1), with only one output: no head tells what passes
1 and 2 see. There is no reference vector; the evidence is that all three have the parameters and products of the
authors' README, which the heads would exceed.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import efficientpose
from posewright.models.efficientnet import STEM, scaled, trunk
from posewright.models.efficientpose import EfficientPose, Size
from posewright.models.pixels import Normal


class EfficientPoseLite(EfficientPose):
    """Return one map a keypoint at the picture's resolution; images as in `EfficientPose`.

    Stages: `Heatmaps` (B, K, H/8, W/8) of pass 3, and the answer (B, K, H, W). EfficientNet-Lite grows as EfficientNet,
    but its stem does not widen and its first stage does not deepen (its authors' code).
    """

    def __init__(self, size: Size, keypoints: int) -> None:
        _, (first, *others) = scaled(size.high, 3)
        high = trunk(STEM, [first._replace(repeats=1), *others], squeeze=0, activation=nn.ReLU6)
        super().__init__(
            high, None, others[-1].width, size.width, size.depth, keypoints, squeeze=0, activation=nn.ReLU6
        )
        del self.pass1.head, self.pass2.head

    def forward(self, images: Tensor) -> list[Any]:
        answer = self.pass3.head(self.features(images)[-1])
        return [Heatmaps(answer), Heatmaps(self.upscale(answer))]


def efficientpose_rt_lite(keypoints: int = 16) -> EfficientPoseLite:
    """EfficientPose RT LITE, 224x224, over EfficientNet-Lite0."""
    return EfficientPoseLite(efficientpose.RT, keypoints)


def efficientpose_i_lite(keypoints: int = 16) -> EfficientPoseLite:
    """EfficientPose I LITE, 256x256, over EfficientNet-Lite2."""
    return EfficientPoseLite(efficientpose.I, keypoints)


def efficientpose_ii_lite(keypoints: int = 16) -> EfficientPoseLite:
    """EfficientPose II LITE, 368x368, over EfficientNet-Lite4."""
    return EfficientPoseLite(efficientpose.II, keypoints)


ORIGINAL = efficientpose.ORIGINAL._replace(normal=Normal((0.5,) * 3, (0.5,) * 3))
