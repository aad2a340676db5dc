"""HigherHRNet (Cheng et al., CVPR 2020, arXiv:1908.10357): HRNet for a whole picture, and finer once more.

images -> HRNet -/4-> features -> 1x1 -> K heatmaps, K tags (supervised)
                         |                 |
                         + <---------------+
                         \\-> 4x4 x2 -> four basic blocks -/2-> 1x1 -> K heatmaps (supervised)      (Fig. 2)

the answer: the mean of both heatmaps, and the tags, at /2 (heatmap aggregation)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from posewright.fields import Heatmaps, Tags
from posewright.models import hrnet
from posewright.models.hrnet import HRNet
from posewright.models.original import Original
from posewright.models.resnet import Basic
from posewright.models.simple_baseline import deconvolution

BLOCKS = 4  # of residual units behind the deconvolution


class HigherHRNet(nn.Module):
    """Return heatmaps and tags at a quarter of the resolution, heatmaps at half of it, and both put together.

    images (B, 3, H, W), H and W multiples of 32; stages `Tags` (B, K, H/4, W/4), (B, 1, K, H/4, W/4), then `Heatmaps`
    (B, K, H/2, W/2), then `Tags` (B, K, H/2, W/2), (B, 1, K, H/2, W/2), which nothing is learnt from. Weights start as
    in the authors' code, convolutions normal with a deviation of 0.001; the paper starts the trunk from ImageNet.
    """

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.trunk = HRNet(width, 2 * keypoints)
        self.finer = nn.Sequential(
            *deconvolution(width + 2 * keypoints, width), *(Basic(width, width) for _ in range(BLOCKS))
        )
        self.finer_head = nn.Conv2d(width, keypoints, 1)
        for module in (*self.finer.modules(), self.finer_head):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=0.001)
        nn.init.zeros_(self.finer_head.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> list[Tags | Heatmaps]:
        features = self.trunk.features(images)
        coarse = self.trunk.head(features)
        fine = self.finer_head(self.finer(torch.cat([features, coarse], 1)))
        return [self._tags(coarse), Heatmaps(fine), self.aggregated(coarse, fine)]

    def aggregated(self, coarse: Tensor, fine: Tensor) -> Tags:
        """Enlarge the coarse answer (B, 2 K, h, w) linearly to the fine (B, K, H, W), and take the heatmaps' mean."""
        maps, tags = self._tags(interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False))
        return Tags((maps + fine) / 2, tags)

    def _tags(self, maps: Tensor) -> Tags:
        return Tags(maps[:, : self.keypoints], maps[:, None, self.keypoints :])


def higher_hrnet_w32(keypoints: int = 17) -> HigherHRNet:
    """Table 1, HigherHRNet-W32."""
    return HigherHRNet(32, keypoints)


def higher_hrnet_w48(keypoints: int = 17) -> HigherHRNet:
    """Table 1, HigherHRNet-W48."""
    return HigherHRNet(48, keypoints)


# From the authors' names, behind `1.` where they trained in half precision, MMPose's, and those of HRNet's weights.
RENAMES = (
    (r"^1\.", ""),
    (r"^(keypoint_head|head)\.(?=(deconv_layers|final_layers)\.)", ""),
    *hrnet.RENAMES,
    (r"^final_layers\.0\.", "head."),
    (r"^final_layers\.1\.", "finer_head."),
    (r"^deconv_layers\.0\.0\.", "finer."),
    *((rf"^deconv_layers\.0\.{block}\.0\.", f"finer.{block + 2}.") for block in range(1, BLOCKS + 1)),
    (r"^(?=(stem|stage[1-4]|narrow|begin[2-4]|head)\.)", "trunk."),
)

ORIGINAL = Original(RENAMES, head=r"(trunk\.head|finer\.0|finer_head)\.")
