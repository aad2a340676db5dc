"""Symmetric spatial transformer (RMPE; Fang et al., ICCV 2017, arXiv:1612.00137): centre, estimate, put back.

    images --+-> locator: ResNet-18 -> theta --+----------------------------\\
             \\                                 v                             v
              \\-----------------------------> sample by theta -> pose --> sample by theta^-1 -> K maps
                                                         \\                                 (Fig. 3)
                                                          \\-> pose, held fixed -> K maps of a centred person
                                                                                 (in training alone)

A detector's box is seldom right; the locator learns to find the person in it. That it does is seen to by the branch
beside: its maps are compared with those of the pose in the middle, and what is wrong with them reaches the locator
alone. That branch of the paper is a smaller network of 4 stacks, trained before, whose convolutions are frozen
(section 4.2; model.lua of the authors' training code, multi-human-pose, commit 094e29b): `frozen` makes one, and
`beside` takes it. Departure: without it, the branch is the pose network itself with its weights held fixed for the
moment, so that no second set must be trained. Its authors' Caffe layer counts pixels from their corners and rows first;
here from their middles, so that maps and picture move alike.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import grid_sample

from posewright.fields import Heatmaps
from posewright.models import hourglass
from posewright.models.hourglass import StackedHourglass
from posewright.models.resnet import Basic, rectified

WIDTHS = (64, 64, 128, 256, 512)  # of the locator's ResNet-18, before and in its four stages
STAYING = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
FLATTEST = 1e-4  # the least determinant that is still inverted


class Locator(nn.Module):
    """Say where the person is: theta (B, 2, 3), from places in the centred picture to places in this one.

    Both are counted from -1 to 1 between the edges. images (B, 3, H, W); at first nobody is moved.
    """

    def __init__(self) -> None:
        super().__init__()
        stages = [
            nn.Sequential(Basic(inputs, outputs, 1 if inputs == outputs else 2), Basic(outputs, outputs))
            for inputs, outputs in pairwise(WIDTHS)
        ]
        self.trunk = nn.Sequential(rectified(3, WIDTHS[0], 7, stride=2), nn.MaxPool2d(3, 2, 1), *stages)
        self.head = nn.Linear(WIDTHS[-1], len(STAYING))
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor(STAYING))

    def forward(self, images: Tensor) -> Tensor:
        theta: Tensor = self.head(self.trunk(images).mean((-2, -1)))
        return theta.reshape(-1, 2, 3)


def sampled(x: Tensor, theta: Tensor) -> Tensor:
    """Look at x (B, C, h, w) through theta (B, 2, 3): (x_s, y_s) = theta (x_t, y_t, 1), bilinear, 0 outside (eq. 1)."""
    height, width = x.shape[-2:]
    across, down = (
        (2 * torch.arange(length, device=x.device, dtype=theta.dtype) + 1) / length - 1 for length in (width, height)
    )
    places = torch.stack([across.expand(height, width), down[:, None].expand(height, width)], -1)
    grid = torch.einsum("bij,hwj->bhwi", theta[:, :, :2], places) + theta[:, None, None, :, 2]
    return grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)


def inverted(theta: Tensor) -> Tensor:
    """Return the way back: [g1 g2] = [t1 t2]^-1, g3 = -[g1 g2] t3 (eq. 3)."""
    (a, b), (c, d) = (row.unbind(-1) for row in theta[:, :, :2].unbind(-2))
    determinant = a * d - b * c
    determinant = torch.where(determinant.abs() < FLATTEST, torch.full_like(determinant, FLATTEST), determinant)
    linear = torch.stack([d, -b, -c, a], -1).reshape(-1, 2, 2) / determinant[:, None, None]
    return torch.cat([linear, -linear @ theta[:, :, 2:]], -1)


class SymmetricTransformer(nn.Module):
    """Let any network of heatmaps see people centred, and answer in the picture as it is.

    images (B, 3, H, W) as `pose` takes them; its stages of `Heatmaps` (B, K, h, w). In training those of the branch
    beside come before them: maps as they are of the centred picture. beside: that branch, as `frozen` makes it, whose
    stages `centred_and_back` must be told; None: `pose` itself, from whose maps only the locator then learns.
    """

    def __init__(self, pose: nn.Module, beside: nn.Module | None = None) -> None:
        super().__init__()
        self.locator = Locator()
        self.pose = pose
        self.beside = beside

    def forward(self, images: Tensor) -> list[Heatmaps]:
        theta = self.locator(images)
        centred = sampled(images, theta)
        back = inverted(theta)
        stages = [Heatmaps(sampled(stage.maps, back)) for stage in self.pose(centred)]
        return [*self._beside(centred), *stages] if self.training else stages

    def _beside(self, centred: Tensor) -> list[Heatmaps]:
        """Ask the branch beside; the pose network's weights are held fixed, and its statistics left alone."""
        if self.beside is not None:
            own: list[Heatmaps] = self.beside(centred)
            return own
        fixed = {name: value.detach() for name, value in self.pose.named_parameters()}
        counted = {name: value.clone() for name, value in self.pose.named_buffers()}
        stages: list[Heatmaps] = functional_call(self.pose, fixed | counted, (centred,))
        return stages


def frozen(branch: nn.Module) -> nn.Module:
    """Keep the convolutions of a trained network as they are; its normalisations go on learning, as the authors' do."""
    for layer in branch.modules():
        if isinstance(layer, nn.Conv2d):
            layer.requires_grad_(False)
    return branch


def sstn_hourglass_8(keypoints: int = 16, beside: nn.Module | None = None) -> SymmetricTransformer:
    """The paper's own: around eight stacked hourglasses, and if given one of four beside (section 4.2)."""
    return SymmetricTransformer(StackedHourglass(8, keypoints), beside)


# From the names of a stacked hourglass, which is what the paper starts from.
RENAMES = (
    *hourglass.RENAMES,
    (r"^(?=(stem|hourglasses|features|heads|returned_features|returned_maps)\.)", "pose."),
)

ORIGINAL = hourglass.ORIGINAL._replace(renames=RENAMES, head=rf"pose\.({hourglass.ORIGINAL.head})")
