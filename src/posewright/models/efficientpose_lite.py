"""EfficientPose LITE (Groos et al.): EfficientPose for hardware that knows neither swish nor excitation.

images -> EfficientNet-Lite --> high /8 -> pass 1 -> pass 2 -> pass 3 -> K maps -> x2 x2 x2 -> answer

ReLU6 stands where swish was, nothing excites, there is one resolution, and pictures are scaled to -1..1. The paper
does not have these networks, the authors' code does (commit 78e4bd1), with only one output: no head tells what passes
1 and 2 see. RT LITE and I LITE answer with the authors' weights as their TFLite files do; II LITE has the parameters
and products of their README.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import efficientpose
from posewright.models.efficientnet import STEM, Stage, scaled, trunk
from posewright.models.efficientpose import EfficientPose, Size
from posewright.models.pixels import Normal

NUMBERS = (0, 2, 4)  # of EfficientNet-Lite below RT, I and II
STAGES = 3  # of it that are taken


def stages_of(number: int) -> list[Stage]:
    """Return the first stages of EfficientNet-Lite0 to Lite4: EfficientNet's, of which the first does not deepen.

    >>> [stage.repeats for stage in stages_of(2)]
    [1, 3, 3]
    """
    _, (first, *others) = scaled(number, STAGES)
    return [first._replace(repeats=1), *others]


class EfficientPoseLite(EfficientPose):
    """Return one map a keypoint at the picture's resolution; images as in `EfficientPose`.

    Stages: `Heatmaps` (B, K, H/8, W/8) of pass 3, and the answer (B, K, H, W). EfficientNet-Lite grows as EfficientNet,
    but its stem does not widen and its first stage does not deepen (its authors' code).
    """

    def __init__(self, size: Size, keypoints: int) -> None:
        stages = stages_of(size.high)
        high = trunk(STEM, stages, squeeze=0, activation=nn.ReLU6)
        super().__init__(
            high, None, stages[-1].width, size.width, size.depth, keypoints, squeeze=0, activation=nn.ReLU6
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


def block_names(number: int) -> Iterator[tuple[str, str]]:
    """Pair each block of EfficientNet-Lite `number`, counted from 0 in its authors' files, with its name here.

    Its layers are counted too, each kind for itself: only the first block does not widen.

    >>> dict(block_names(0))["efficientnet-lite0.model.blocks_1.tpu_batch_normalization."]
    'high.block2a.expand.1.'
    """
    blocks = [f"block{n + 1}{'abcd'[k]}" for n, stage in enumerate(stages_of(number)) for k in range(stage.repeats)]
    for index, ours in enumerate(blocks):
        steps = ("expand", "project") if index else ("project",)
        layers = {f"conv2d{nth(k)}": f"{step}.0" for k, step in enumerate(steps)}
        layers["depthwise_conv2d"] = "depthwise.0"
        normalised = ("expand", "depthwise", "project")[-1 - len(steps) :]
        layers |= {f"tpu_batch_normalization{nth(k)}": f"{step}.1" for k, step in enumerate(normalised)}
        for theirs, name in layers.items():
            yield f"efficientnet-lite{number}.model.blocks_{index}.{theirs}.", f"high.{ours}.{name}."


def nth(number: int) -> str:
    """What TensorFlow puts behind the name of a layer that is the first, second... of its kind."""
    return f"_{number}" if number else ""


# From the names of EfficientNet-Lite's layers, under which Keras saved their operations.
RENAMES = (
    (r"^.*(?=efficientnet-lite\d\.)", ""),  # in .h5 a layer's name, of several parts here, stands twice
    (r"(?<=\.)(Conv2D_0|depthwise_0|FusedBatchNormV3_0)\.", ""),
    (r"^efficientnet-lite\d\.model\.stem\.conv2d\.", "high.stem.0."),
    (r"^efficientnet-lite\d\.model\.stem\.tpu_batch_normalization\.", "high.stem.1."),
    *((f"^{theirs}".replace(".", r"\."), ours) for number in NUMBERS for theirs, ours in block_names(number)),
    *efficientpose.RENAMES,
)

ORIGINAL = efficientpose.ORIGINAL._replace(renames=RENAMES, normal=Normal((0.5,) * 3, (0.5,) * 3))
