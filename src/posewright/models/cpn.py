"""CPN, the cascaded pyramid network (Chen et al., CVPR 2018, arXiv:1711.07319): the easy keypoints, then the hard.

    images -> ResNet:  C5 /32   C4 /16   C3 /8    C2 /4
                         |        |        |        |
    GlobalNet:         1x1 -x2-> + --x2-> + --x2-> + ------> each: 1x1, 3x3 -> K maps (supervised)
                         |        |        |        |
    RefineNet:          |||      ||       |         |        bottlenecks, then all to /4 and side by side
                         \\--------\\--------\\--------\\--> bottleneck, 3x3 -> K maps (the answer)

Drawn as the PyTorch code that the vector was made with has it. There every prediction ends in a normalisation,
which in GlobalNet follows the enlargement; RefineNet's bottlenecks project their shortcuts even where the
width stays; enlargement keeps the corners in their places. The authors' TensorFlow code (tf-cpn, commit 48ea10d) ends
its predictions in a normalisation too, in GlobalNet before the enlargement. What is otherwise there: the merging 1x1
has a bias and no normalisation, shortcuts of equal width are the identity, and enlargement keeps no corners.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import resnet
from posewright.models.blocks import enlarged
from posewright.models.original import Original
from posewright.models.pixels import Normal
from posewright.models.resnet import Bottleneck, ResNet, normed, rectified

WIDTH = 256  # of the pyramid
BACKBONE_WIDTHS = (2048, 1024, 512, 256)  # of C5, C4, C3 and C2


class Prediction(nn.Module):
    """Turn a feature of the pyramid into maps at the finest resolution."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        convolution = nn.Conv2d(WIDTH, keypoints, 3, padding=1, bias=False)
        self.maps = nn.Sequential(*rectified(WIDTH, WIDTH, 1), convolution)
        self.normalise = nn.BatchNorm2d(keypoints)

    def forward(self, feature: Tensor, finest: Tensor) -> Tensor:
        maps: Tensor = self.normalise(enlarged(self.maps(feature), finest))
        return maps


class GlobalNet(nn.Module):
    """Add to each feature of the backbone what the coarser ones know, and predict from each (section 3.2.1).

    In and out (B, C, h, w), the coarsest first; returns features of WIDTH channels, and maps (B, K, H/4, W/4).
    """

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(rectified(width, WIDTH, 1) for width in BACKBONE_WIDTHS)
        self.merges = nn.ModuleList(normed(WIDTH, WIDTH, 1) for _ in BACKBONE_WIDTHS[1:])
        self.predictions = nn.ModuleList(Prediction(keypoints) for _ in BACKBONE_WIDTHS)

    def forward(self, pyramid: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        laterals = [lateral(feature) for lateral, feature in zip(self.laterals, pyramid, strict=True)]
        features = laterals[:1]
        for merge, lateral in zip(self.merges, laterals[1:], strict=True):
            features.append(lateral + merge(enlarged(features[-1], lateral)))
        maps = [predict(feature, features[-1]) for predict, feature in zip(self.predictions, features, strict=True)]
        return features, maps


def refining(inputs: int) -> Bottleneck:
    """Build RefineNet's bottleneck, half as wide inside as outside."""
    block = Bottleneck(inputs, WIDTH, inner=WIDTH // 2)
    block.shortcut = normed(inputs, WIDTH, 1)
    return block


class RefineNet(nn.Module):
    """Work longer on the coarser features, and predict from all of them together (section 3.2.2).

    features (B, WIDTH, h, w), the coarsest first; returns maps (B, K, H/4, W/4).
    """

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.cascade = nn.ModuleList(nn.Sequential(*(refining(WIDTH) for _ in range(n))) for n in (3, 2, 1, 0))
        self.predict = nn.Sequential(refining(4 * WIDTH), *normed(WIDTH, keypoints, 3))

    def forward(self, features: list[Tensor]) -> Tensor:
        refined = [refine(feature) for refine, feature in zip(self.cascade, features, strict=True)]
        maps: Tensor = self.predict(torch.cat([enlarged(x, refined[-1]) for x in refined], dim=1))
        return maps


class CPN(nn.Module):
    """Return one map a keypoint at a quarter of the resolution, from each of GlobalNet's features and from RefineNet.

    images (B, 3, H, W), H and W multiples of 32; five stages of `Heatmaps` (B, K, H/4, W/4), of 0 to 255: the
    coarsest first, RefineNet's last. The paper starts the backbone from ImageNet.
    """

    def __init__(self, backbone: ResNet, keypoints: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.global_net = GlobalNet(keypoints)
        self.refine_net = RefineNet(keypoints)

    def forward(self, images: Tensor) -> list[Heatmaps]:
        features, maps = self.global_net(self.backbone.pyramid(images)[::-1])
        return [Heatmaps(stage) for stage in (*maps, self.refine_net(features))]


def cpn_r50(keypoints: int = 17) -> CPN:
    """Over ResNet-50, as in most of the paper's tables."""
    return CPN(resnet.resnet50(), keypoints)


def cpn_r101(keypoints: int = 17) -> CPN:
    """Over ResNet-101, as the authors' code has it."""
    return CPN(resnet.resnet101(), keypoints)


def cpn_r152(keypoints: int = 17) -> CPN:
    """Over ResNet-152; no weights of it are known."""
    return CPN(resnet.resnet152(), keypoints)


# From the names of the PyTorch code of the vector, and of ImageNet's ResNets.
RENAMES = (
    (r"^resnet\.", ""),
    *resnet.RENAMES,
    (r"^(?=(stem|stage[1-4])\.)", "backbone."),
    (r"^global_net\.upsamples\.(\d)\.1\.", r"global_net.merges.\1.0."),
    (r"^global_net\.upsamples\.(\d)\.2\.", r"global_net.merges.\1.1."),
    (r"^global_net\.predict\.(\d)\.5\.", r"global_net.predictions.\1.normalise."),
    (r"^global_net\.predict\.(\d)\.", r"global_net.predictions.\1.maps."),
    (r"^refine_net\.final_predict\.", "refine_net.predict."),
)

ORIGINAL = Original(
    RENAMES,
    head=r"(global_net\.predictions\.\d\.(maps\.3|normalise)|refine_net\.predict\.[12])\.",
    normal=Normal((0.481458, 0.454692, 0.403836), (1.0, 1.0, 1.0)),  # as the code that the vector is of
    sources=(resnet.IMAGENET,),
)
