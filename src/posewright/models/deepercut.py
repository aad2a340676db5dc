"""DeeperCut (Insafutdinov et al., ECCV 2016, arXiv:1605.03170): parts, and from each part the way to all others.

    images -> ResNet, its last stage dilated, /16 -> 3x3 x2 -> K maps of logits             at /8
                  |                              \\-> 3x3 x2 -> K offsets to the keypoint itself
                  |                               \\-> 3x3 x2 -> K (K - 1) offsets to the person's other keypoints
                  \\-> stage 3, unit 12 -> 3x3 x2 -> K maps of logits (supervised)

Which of the parts belong together is then an integer linear programme, as in DeepCut (Pishchulin et al., CVPR 2016,
arXiv:1511.06645), whose detectors these replace. After the authors' TensorFlow code (eldar/pose-tensorflow at 6a8f5ee),
which could not be run; departures: a stage halves the resolution in its first block, as PyTorch's weights of ImageNet
have it, and pictures are normalised as for those.
"""

from __future__ import annotations

from torch import Tensor, nn

from posewright.fields import Heatmaps, Parts
from posewright.models import resnet
from posewright.models.original import Original
from posewright.models.resnet import ResNet

EARLY = 12  # the unit of stage 3 that is supervised, too


class Doubled(nn.ConvTranspose2d):
    """Double the resolution with a learnt 3x3 kernel; a pixel reaches itself and two to its right and below."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(x, output_size)[..., :-1, :-1]


class DeeperCut(nn.Module):
    """Return parts and offsets at an eighth of the resolution.

    images (B, 3, H, W), H and W multiples of 16; stages `Heatmaps` (B, K, H/8, W/8) of logits, where stage 3 has more
    than 12 units, then `Parts` (B, K, H/8, W/8), (B, K, 2, H/8, W/8), (B, K (K - 1), 2, H/8, W/8). What is on the
    ResNet starts as PyTorch draws it; the paper starts the ResNet from ImageNet. Changes the backbone.
    """

    def __init__(self, backbone: ResNet, keypoints: int) -> None:
        super().__init__()
        self.backbone = resnet.dilated(backbone)
        self.early = Doubled(1024, keypoints) if len(backbone.stage3) > EARLY else None
        self.maps = Doubled(2048, keypoints)
        self.offsets = Doubled(2048, 2 * keypoints)
        self.pairs = Doubled(2048, 2 * keypoints * (keypoints - 1))

    def forward(self, images: Tensor) -> list[Heatmaps | Parts]:
        trunk = self.backbone
        early = trunk.stage3[:EARLY](trunk.stage2(trunk.stage1(trunk.pool(trunk.stem(images)))))
        x = trunk.stage4(trunk.stage3[EARLY:](early))
        offsets, pairs = (head(x).unflatten(1, (-1, 2)) for head in (self.offsets, self.pairs))
        answer = Parts(self.maps(x), offsets, pairs)
        return [answer] if self.early is None else [Heatmaps(self.early(early)), answer]


def deepercut_r50(keypoints: int = 14) -> DeeperCut:
    """Over ResNet-50, without the early answer."""
    return DeeperCut(resnet.resnet50(), keypoints)


def deepercut_r101(keypoints: int = 14) -> DeeperCut:
    """Over ResNet-101."""
    return DeeperCut(resnet.resnet101(), keypoints)


def deepercut_r152(keypoints: int = 14) -> DeeperCut:
    """Over ResNet-152, the paper's best."""
    return DeeperCut(resnet.resnet152(), keypoints)


# From the names of ImageNet's ResNets.
RENAMES = (*resnet.RENAMES, (r"^(?=(stem|stage[1-4])\.)", "backbone."))

ORIGINAL = Original(RENAMES, head=r"(early|maps|offsets|pairs)\.", sources=(resnet.IMAGENET,))
