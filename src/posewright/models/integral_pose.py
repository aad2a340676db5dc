"""Integral pose (Sun et al., ECCV 2018, arXiv:1711.08229): a keypoint is the mean place of its volume of probability.

images -> ResNet -> 4x4 x2 -> 4x4 x2 -> 4x4 x2 -> 1x1 -> K volumes (D, H/4, W/4) -> softmax -> mean place (x, y, z)
         /32, 2048   256         256        256

EpipolarPose (Kocabas, Karagoz and Akbas, CVPR 2019, arXiv:1903.02330) is the same network, trained on labels that
a frozen second one and the geometry of several cameras give it (see `augment.epipolar`); this one alone is asked.
With a depth of 1 it is the paper's network for pictures (section 4, "I" on 2D heatmaps): z then says nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from posewright.fields import Coordinates, Volume
from posewright.models import resnet, simple_baseline
from posewright.models.original import Original
from posewright.models.resnet import ResNet
from posewright.models.simple_baseline import SimpleBaseline

DEPTH = 64
"""Slices of a volume, as many as its pictures have rows (section 3)."""
REACH = 2
"""Half the side, in cells, of the square whose probability is a keypoint's score."""


class IntegralPose(SimpleBaseline):
    """Return the mean place of each keypoint in its volume, as shares of the volume's sides.

    images (B, 3, H, W), H and W multiples of 32; one stage of `Coordinates` (B, K, 3). `volume` returns the logits.
    """

    def __init__(self, backbone: ResNet, keypoints: int, depth: int = DEPTH) -> None:
        super().__init__(backbone, keypoints * depth)
        self.depth = depth

    def volume(self, images: Tensor) -> Volume:
        """Return the logits (B, K, D, H/4, W/4); output k D + z of the head is slice z of keypoint k."""
        maps = self.head(self.deconvolutions(self.backbone(images)))
        return Volume(maps.unflatten(1, (-1, self.depth)))

    def forward(self, images: Tensor) -> list[Coordinates]:
        return [soft_argmax(self.volume(images))]


def soft_argmax(volume: Volume) -> Coordinates:
    """Return the mean place of each volume, and as score the probability within REACH cells of it in the picture.

        x = sum_i p_x(i) i / W - 1/2,   p = softmax over the whole volume

    and y and z likewise (equations 1 and 2, normalised as both code bases do). A cell's index counts, not its middle:
    a flat volume of 64 cells gives -1/128. The authors' score is always 1.
    """
    logits = volume.logits.float()
    shares = (logits - logits.amax((-3, -2, -1), keepdim=True)).exp()
    shares = shares / shares.sum((-3, -2, -1), keepdim=True)
    flat = shares.sum(-3)
    lines = (flat.sum(-2), flat.sum(-1), shares.sum((-2, -1)))
    means = [(line * torch.arange(line.shape[-1], device=line.device)).sum(-1) for line in lines]
    near = [_near(mean, line) for mean, line in zip(means, lines[:2], strict=False)]
    score = ((flat * near[0][..., None, :]).sum(-1) * near[1]).sum(-1)
    places = [mean / line.shape[-1] - 0.5 for mean, line in zip(means, lines, strict=True)]
    return Coordinates(torch.stack(places, -1), score)


def _near(mean: Tensor, line: Tensor) -> Tensor:
    """Return 1 for the cells of a line (..., n) within REACH of its mean (...), 0 for all others."""
    cells = torch.arange(line.shape[-1], device=line.device)
    return ((cells - mean[..., None]).abs() <= REACH).to(line.dtype)


def integral_pose_r50(keypoints: int = 17, depth: int = DEPTH) -> IntegralPose:
    """Section 4: over ResNet-50; EpipolarPose's as well, which has 16 keypoints where it learns from MPII."""
    return IntegralPose(resnet.resnet50(), keypoints, depth)


def integral_pose_r101(keypoints: int = 17, depth: int = DEPTH) -> IntegralPose:
    """Section 4.2: over ResNet-101."""
    return IntegralPose(resnet.resnet101(), keypoints, depth)


# From the names of EpipolarPose's code (those of the simple baseline) and of integral-human-pose's.
RENAMES = (
    (r"^head\.features\.9\.", "head."),
    (r"^head\.features\.", "deconvolutions."),
    *simple_baseline.RENAMES,
)

ORIGINAL = Original(RENAMES)  # both code bases show RGB, normalised as ImageNet's
