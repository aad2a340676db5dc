"""Simple baseline (Xiao, Wu and Wei, ECCV 2018, arXiv:1804.06208): a ResNet and three transposed convolutions.

images -> ResNet --/32--> 4x4 x2 --/16--> 4x4 x2 --/8--> 4x4 x2 --/4--> 1x1 -> K maps
                  2048           256            256            256
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import resnet
from posewright.models.original import Original, Source
from posewright.models.pixels import IMAGENET_MEAN, IMAGENET_STD, Normal
from posewright.models.resnet import ResNet

DECONVOLUTIONS = 3  # Table 2: method (a) is as good as any other
DECONVOLUTION_WIDTH = 256


def deconvolution(inputs: int, outputs: int) -> list[nn.Module]:
    """Double the resolution with a learnt kernel, normalise, rectify (section 2)."""
    return [
        nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class SimpleBaseline(nn.Module):
    """Return one map a keypoint at a quarter of the resolution.

    images (B, 3, H, W), H and W multiples of 32; one stage of `Heatmaps` (B, K, H/4, W/4), or of what `answer`
    reads the head's maps as. The head starts as the authors' code draws it, normal with a deviation of 0.001; the
    paper starts the ResNet from ImageNet.
    """

    def __init__(self, backbone: ResNet, keypoints: int, answer: Callable[[Tensor], Any] = Heatmaps) -> None:
        super().__init__()
        self.backbone = backbone
        widths = [2048, *[DECONVOLUTION_WIDTH] * DECONVOLUTIONS]
        self.deconvolutions = nn.Sequential(*(layer for step in pairwise(widths) for layer in deconvolution(*step)))
        self.head = nn.Conv2d(DECONVOLUTION_WIDTH, keypoints, 1)
        self.answer = answer
        for module in (*self.deconvolutions, self.head):
            if isinstance(module, nn.ConvTranspose2d | nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Any]:
        return [self.answer(self.head(self.deconvolutions(self.backbone(images))))]


def simple_baseline_r50(keypoints: int = 17) -> SimpleBaseline:
    """Table 2, method (a)."""
    return SimpleBaseline(resnet.resnet50(), keypoints)


def simple_baseline_r101(keypoints: int = 17) -> SimpleBaseline:
    """Table 2, method (g)."""
    return SimpleBaseline(resnet.resnet101(), keypoints)


def simple_baseline_r152(keypoints: int = 17) -> SimpleBaseline:
    """Table 2, method (h)."""
    return SimpleBaseline(resnet.resnet152(), keypoints)


# From the authors' names, MMPose's (the same behind `backbone.` and `head.` or `keypoint_head.`) and
# those of ImageNet's ResNets.
RENAMES = (
    (r"^(backbone|keypoint_head|head)\.(?=(conv1|bn1|layer[1-4]|deconv_layers|final_layer)\.)", ""),
    *resnet.RENAMES,
    (r"^(?=(stem|stage[1-4])\.)", "backbone."),
    (r"^deconv_layers\.", "deconvolutions."),
    (r"^final_layer\.", "head."),
)

ORIGINAL = Original(
    RENAMES,
    # the authors' networks take blue first (COLOR_RGB: false), and normalise it as though it were red
    sources=(Source(r"final_layer\.", Normal(IMAGENET_MEAN[::-1], IMAGENET_STD[::-1]), blue_first=r"conv1\."),),
)
