"""FastPose (AlphaPose; Fang et al., TPAMI 2022, arXiv:2211.03375): channels are shuffled into pixels, thrice.

    images -> ResNet --/32--> shuffle --/16--> 3x3, shuffle --/8--> 3x3, shuffle --/4--> 3x3 -> K maps
               2048             512             1024 -> 256          512 -> 128

    block:  x ---------------- shortcut ---------------\\
             \\-> 1x1 -> 3x3 -> 1x1 -> x squeezed weights -+-> ReLU      (in the first block of every stage)

The figures are those of the authors' 256x192_res50_lr1e-3_1x.yaml (commit c60106d): no deformable convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import resnet
from posewright.models.original import Original
from posewright.models.pixels import Normal
from posewright.models.resnet import Bottleneck, ResNet, rectified

WIDTHS = (256, 512, 1024, 2048)  # channels of the ResNet's stages
SHUFFLED = 2  # a pixel of four times the channels becomes 2x2 pixels


class Excitation(nn.Module):
    """Weigh every channel by what all channels are on average (Hu et al., CVPR 2018, arXiv:1709.01507).

    The weights of that paper are made of fewer numbers than there are channels; here of as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        weighed: Tensor = x * self.weigh(x.mean((-2, -1)))[..., None, None]
        return weighed


def excited(trunk: ResNet) -> ResNet:
    """Let the first block of every stage weigh its channels before they meet the shortcut."""
    for stage, width in zip((trunk.stage1, trunk.stage2, trunk.stage3, trunk.stage4), WIDTHS, strict=True):
        first = stage[0]
        assert isinstance(first, Bottleneck)
        first.third.append(Excitation(width))
    return trunk


def enlarged(inputs: int) -> nn.Sequential:
    """Double the width, then the resolution: half as many channels come out (dense upsampling, arXiv:1702.08502)."""
    return rectified(inputs, 2 * inputs, 3).append(nn.PixelShuffle(SHUFFLED))


class FastPose(nn.Module):
    """Return one map a keypoint at a quarter of the resolution.

    images (B, 3, H, W), H and W multiples of 32; one stage of `Heatmaps` (B, K, H/4, W/4). The head starts
    normal with a deviation of 0.001, as the authors' code draws it; their ResNet starts from ImageNet.
    """

    def __init__(self, backbone: ResNet, keypoints: int) -> None:
        super().__init__()
        self.backbone = excited(backbone)
        self.enlarge = nn.Sequential(nn.PixelShuffle(SHUFFLED), enlarged(512), enlarged(256))
        self.head = nn.Conv2d(128, keypoints, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.001)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Heatmaps]:
        return [Heatmaps(self.head(self.enlarge(self.backbone(images))))]


def fastpose_r50(keypoints: int = 17) -> FastPose:
    """FastPose over 50 layers."""
    return FastPose(resnet.resnet50(), keypoints)


def fastpose_r101(keypoints: int = 17) -> FastPose:
    """FastPose over 101 layers."""
    return FastPose(resnet.resnet101(), keypoints)


def fastpose_r152(keypoints: int = 17) -> FastPose:
    """FastPose over 152 layers."""
    return FastPose(resnet.resnet152(), keypoints)


# From the authors' names, and those of ImageNet's ResNets.
RENAMES = (
    (r"^preact\.", ""),
    (r"\.se\.fc\.", ".third.2.weigh."),
    *resnet.RENAMES,
    (r"^(?=(stem|stage[1-4])\.)", "backbone."),
    (r"^duc([12])\.conv\.", r"enlarge.\1.0."),
    (r"^duc([12])\.bn\.", r"enlarge.\1.1."),
    (r"^conv_out\.", "head."),
)

ORIGINAL = Original(
    RENAMES,
    normal=Normal((0.406, 0.457, 0.480), (1.0, 1.0, 1.0)),  # nearly ImageNet's means, in the other order
    sources=(resnet.IMAGENET,),
)
