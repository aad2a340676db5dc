"""PoseFix (Moon, Chang and Lee, CVPR 2019, arXiv:1812.03595): look at the picture and at somebody's answer at once.

    images ---------------------------\\
                                        + -> SimpleBaseline (ResNet, three transposed convolutions) -> K maps
    poses -> a Gaussian a keypoint ----/
             K more channels                                              (Fig. 3)

The pose comes as places and is drawn inside the network, so that nobody can draw it wrongly. Not compared with the
authors' network as a whole, which is of a TensorFlow that is no more; its parts are, and it has their shapes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models import resnet, simple_baseline
from posewright.models.original import Original
from posewright.models.pixels import IMAGENET_STD
from posewright.models.resnet import ResNet
from posewright.models.simple_baseline import SimpleBaseline

PEAK = 255.0  # of a Gaussian, beside pixels of 0 to 255 that have lost their mean
SPREAD = 255 * sum(IMAGENET_STD) / 3  # what such pixels are divided by here, and so the Gaussians too
SIGMAS = {384: 9.0, 256: 7.0}  # px of the crop, by its height
EPSILON = 1e-9  # of the BatchNorms


def gaussians(poses: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Draw poses (B, K, 2) crop px as maps (B, K, height, width) of Gaussians; one that is NaN as an empty map.

    G(p) = 255 exp(-|p - m|^2 / 2 sigma^2)
    """
    known = ~poses.isnan().any(-1)
    places = torch.where(known[..., None], poses, torch.zeros_like(poses))
    across, down = (
        torch.exp(-(((torch.arange(length, device=poses.device) - places[..., axis, None]) / sigma) ** 2) / 2)
        for axis, length in ((0, width), (1, height))
    )
    return PEAK * (down * known[..., None])[..., :, None] * across[..., None, :]


class PoseFix(nn.Module):
    """Return one map of logits a keypoint at a quarter of the resolution: where it rather is.

    images (B, 3, H, W), H and W multiples of 32; poses (B, K, 2) px of them, NaN where there is no keypoint, or None
    for no pose at all; one stage of `Heatmaps` (B, K, H/4, W/4). sigma: px of the Gaussians. Weights start as
    SimpleBaseline's; the paper starts the ResNet from ImageNet.
    """

    def __init__(self, backbone: ResNet, keypoints: int, sigma: float) -> None:
        super().__init__()
        first = backbone.stem[0]
        assert isinstance(first, nn.Conv2d)
        wider = nn.Conv2d(3 + keypoints, first.out_channels, 7, 2, 3, bias=False)
        nn.init.kaiming_normal_(wider.weight, mode="fan_out", nonlinearity="relu")
        backbone.stem[0] = wider
        self.baseline = SimpleBaseline(backbone, keypoints)
        self.keypoints, self.sigma = keypoints, sigma
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = EPSILON

    @property
    def given(self) -> dict[str, tuple[int, ...]]:
        """What it is told beside the images, and of what shape."""
        return {"poses": (self.keypoints, 2)}

    def forward(self, images: Tensor, poses: Tensor | None = None) -> list[Heatmaps]:
        height, width = images.shape[-2:]
        if poses is None:
            poses = images.new_full((len(images), self.keypoints, 2), torch.nan)
        drawn = gaussians(poses, height, width, self.sigma) / SPREAD
        answer: list[Heatmaps] = self.baseline(torch.cat([images, drawn.to(images.dtype)], 1))
        return answer


def posefix_r50(keypoints: int = 17, height: int = 384) -> PoseFix:
    """PoseFix over 50 layers, for crops of a height."""
    return PoseFix(resnet.resnet50(), keypoints, SIGMAS[height])


def posefix_r101(keypoints: int = 17, height: int = 384) -> PoseFix:
    """PoseFix over 101 layers, for crops of a height."""
    return PoseFix(resnet.resnet101(), keypoints, SIGMAS[height])


def posefix_r152(keypoints: int = 17, height: int = 384) -> PoseFix:
    """PoseFix over 152 layers, for crops of a height: the paper's own."""
    return PoseFix(resnet.resnet152(), keypoints, SIGMAS[height])


# From the names of SimpleBaseline's weights and of ImageNet's ResNets, whose first convolution sees no pose.
RENAMES = (*simple_baseline.RENAMES, (r"^(?=(backbone|deconvolutions|head)\.)", "baseline."))

ORIGINAL = Original(RENAMES, head=r"baseline\.(head|backbone\.stem\.0)\.")
