"""MultiPoseNet (Kocabas, Karagoz and Akbas, ECCV 2018, arXiv:1807.04067): keypoints, silhouettes and boxes at once.

    images -> ResNet: C2 /4, C3 /8, C4 /16, C5 /32
      -> FPN: K2..K5 -> each 1x1 -> K + 1 maps (supervised)
              K2..K5 -> each 3x3 x2 -> D2..D5, 128 channels -> all to /4, side by side -> 3x3 -> 1x1 -> K + 1 maps
      -> FPN, P6, P7: P3..P7 -> RetinaNet's head -> a score and a correction for each anchor

    the last of the K + 1 maps is the silhouettes; a PRN then says which keypoint is whose (`prn`)

After chapter 2 of Kocabas's thesis. It does not say these, which are as in the one public code of it, a community's
(LiMeng95/MultiPoseNet.pytorch at 7b548fc): nearest neighbours enlarge; nothing stands between the two 3x3; the
convolution behind the concatenation is 256 wide; each K answers through a 1x1, enlarged to /4. Ours: without
concatenation D2 alone goes on; the dilation sits in the last stage, of which the boxes see every second pixel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Everybody, Heatmaps
from posewright.models import resnet
from posewright.models.feature_pyramid import BACKBONE_WIDTHS, WIDTH, FeaturePyramid, fitted
from posewright.models.original import Original
from posewright.models.resnet import ResNet
from posewright.models.retinanet import BoxHead, BoxPyramid

NARROW = 128  # of D2 to D5
LEVELS = len(BACKBONE_WIDTHS)


def narrowed() -> nn.Sequential:
    """Bring a K to a D."""
    return nn.Sequential(nn.Conv2d(WIDTH, NARROW, 3, padding=1), nn.Conv2d(NARROW, NARROW, 3, padding=1))


class KeypointHead(nn.Module):
    """Put a pyramid together into maps (B, maps, H/4, W/4); levels: how many of it, the finest first."""

    def __init__(self, maps: int, levels: int = LEVELS) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(narrowed() for _ in range(levels))
        self.smooth = nn.Sequential(nn.Conv2d(levels * NARROW, WIDTH, 3, padding=1), nn.ReLU(inplace=True))
        self.maps = nn.Conv2d(WIDTH, maps, 1)

    def forward(self, pyramid: list[Tensor]) -> Tensor:
        levels = [fitted(narrow(level), pyramid[0]) for narrow, level in zip(self.narrow, pyramid, strict=False)]
        maps: Tensor = self.maps(self.smooth(torch.cat(levels[::-1], 1)))
        return maps


class MultiPoseNet(nn.Module):
    """Return keypoints and silhouettes at a quarter of the resolution, and boxes.

    images (B, 3, H, W), H and W multiples of 32; if intermediate, first four stages of `Heatmaps` (B, K + 1, H/4,
    W/4), the coarsest level's first; then one of `Everybody` (B, K, H/4, W/4), (B, 1, H/4, W/4), (B, N), (B, N, 4).
    The two ablations of table 2.2 are intermediate=False and concatenated=False. The paper starts the ResNet from
    ImageNet; what is on it starts as PyTorch draws it, RetinaNet's head as its paper says.
    """

    def __init__(self, backbone: ResNet, keypoints: int, intermediate: bool = True, concatenated: bool = True) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.backbone = backbone
        self.keypoint_pyramid = FeaturePyramid(BACKBONE_WIDTHS)
        self.keypoint_head = KeypointHead(keypoints + 1, LEVELS if concatenated else 1)
        count = LEVELS if intermediate else 0
        self.level_heads = nn.ModuleList(nn.Conv2d(WIDTH, keypoints + 1, 1) for _ in range(count))
        self.box_pyramid, self.box_head = BoxPyramid(), BoxHead()

    def forward(self, images: Tensor) -> list[Heatmaps | Everybody]:
        features = self.backbone.pyramid(images)
        pyramid = self.keypoint_pyramid(features)
        maps = self.keypoint_head(pyramid)
        boxes = self.box_head(self.box_pyramid(self.for_boxes(features)))
        silhouettes = maps[:, self.keypoints :] if maps.shape[1] > self.keypoints else None
        answer = Everybody(maps[:, : self.keypoints], silhouettes, boxes.scores, boxes.deltas)
        levels = [Heatmaps(fitted(head(k), maps)) for head, k in zip(self.level_heads, pyramid, strict=False)]
        return [*reversed(levels), answer]

    @staticmethod
    def for_boxes(features: list[Tensor]) -> list[Tensor]:
        """Return C3, C4 and C5 at strides 8, 16 and 32, whether C5 is dilated or not."""
        _, third, fourth, fifth = features
        return [third, fourth, fifth[..., ::2, ::2] if fifth.shape[-2:] == fourth.shape[-2:] else fifth]


def multiposenet_r50(keypoints: int = 17, intermediate: bool = True, concatenated: bool = True) -> MultiPoseNet:
    """Over ResNet-50."""
    return MultiPoseNet(resnet.resnet50(), keypoints, intermediate, concatenated)


def multiposenet_r101(keypoints: int = 17, intermediate: bool = True, concatenated: bool = True) -> MultiPoseNet:
    """Over ResNet-101."""
    return MultiPoseNet(resnet.resnet101(), keypoints, intermediate, concatenated)


def multiposenet_r101_dilated(
    keypoints: int = 17, intermediate: bool = True, concatenated: bool = True
) -> MultiPoseNet:
    """Over ResNet-101 whose last stage is dilated."""
    return MultiPoseNet(resnet.dilated(resnet.resnet101()), keypoints, intermediate, concatenated)


# From the names of ImageNet's ResNets.
RENAMES = (*resnet.RENAMES, (r"^(?=(stem|stage[1-4])\.)", "backbone."))

ORIGINAL = Original(RENAMES, head=r"(keypoint_head\.maps|level_heads\.\d)\.", sources=(resnet.IMAGENET,))
