"""Part detectors in a sliding window (Jain et al., ICLR 2014, arXiv:1312.7302): the field's first step.

    picture -> contrast normalised -> a window of 64x64 px at every fourth px, for each keypoint a network:
    window -> 5x5 -> pool -> 5x5 -> pool -> 5x5 -> 500 -> 100 -> "is it in the middle?"
               16            32            32
    maps -> head to hands and feet: a keypoint is likely where its limb puts it -> maps

A reconstruction: no code and no weights are published, and no vector holds it. The window, contrast
normalisation, ReLU, three convolutions, two poolings, three fully connected layers with dropout, a network for
each part and a prior p_a ~ p_a^lambda prod_b (p_a|b * p_b) are the paper's. The 5x5 kernels and the widths are
reported at second hand. Left open are the normalisation's window and the border of the picture: they are choices
here, as is lambda. Departures: left and right have networks of their own, where the paper has one for both; and
the prior goes once from the root to the ends of the skeleton's limbs, where the paper has face, shoulder, elbow
and wrist.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from posewright.fields import Heatmaps

WINDOW, STRIDE = 64, 4
WIDTHS = (16, 32, 32, 500, 100)
Tree = Sequence[tuple[int, int]]
"""(parent, child) by the keypoints' places, every parent before its children."""


class ContrastNormalisation(nn.Module):
    """Take off the local mean, divide by the local deviation where that is above its mean (Jarrett et al. 2009).

    x (B, 3, H, W), each channel on its own, with a Gaussian window; the border is reflected.
    """

    window: Tensor

    def __init__(self, size: int = 9, sigma: float = 2.0) -> None:
        super().__init__()
        line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * sigma**2))
        square = line[:, None] * line
        self.register_buffer("window", (square / square.sum()).repeat(3, 1, 1, 1), persistent=False)

    def mean(self, x: Tensor) -> Tensor:
        """Average around every pixel."""
        reach = self.window.shape[-1] // 2
        return conv2d(pad(x, (reach,) * 4, mode="reflect"), self.window, groups=3)

    def forward(self, x: Tensor) -> Tensor:
        x = x - self.mean(x)
        deviation = self.mean(x.square()).clamp(min=0).sqrt()
        return x / torch.maximum(deviation, deviation.mean((-2, -1), keepdim=True)).clamp(min=1e-4)


def detector(widths: Sequence[int] = WIDTHS) -> nn.Sequential:
    """Look at windows (..., 64, 64), at all of a picture at once; the fully connected layers are convolutions."""
    first, second, third, wide, narrow = widths
    return nn.Sequential(
        *(nn.Conv2d(3, first, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(first, second, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(second, third, 5), nn.ReLU(inplace=True)),
        *(nn.Conv2d(third, wide, 9), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        *(nn.Conv2d(wide, narrow, 1), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        nn.Conv2d(narrow, 1, 1),
    )


class SpatialPrior(nn.Module):
    """Weigh each keypoint's map by where its parent's map and their limb put it; maps (B, K, h, w) in [0, 1].

        q_a = p_a^lambda m / max m,   m(x) = sum over y of  prior(y - x) q_parent(y) + floor

    prior (L, 2r + 1, 2r + 1): how often the parent lies a step (dy, dx) from the child, row r + dy, in map px.
    It is counted, not learnt (`counted`); until then all steps are equal, which changes nothing in maps within r.
    """

    prior: Tensor

    def __init__(self, tree: Tree, reach: int, power: float = 1.0, floor: float = 1e-6) -> None:
        super().__init__()
        self.tree, self.power, self.floor = tuple(tree), power, floor
        self.register_buffer("prior", torch.ones(len(self.tree), 2 * reach + 1, 2 * reach + 1))

    def forward(self, maps: Tensor) -> Tensor:
        reach = self.prior.shape[-1] // 2
        likely = [one.clamp(min=1e-6) ** self.power for one in torch.split(maps, 1, 1)]
        for (parent, child), steps in zip(self.tree, self.prior, strict=True):
            message = conv2d(likely[parent], steps[None, None], padding=reach) + self.floor
            likely[child] = likely[child] * message / message.amax((-2, -1), keepdim=True)
        return torch.cat(likely, 1)


class PartDetectors(nn.Module):
    """Return what each keypoint's detector says of every window, and what the spatial prior makes of it.

    images (B, 3, H, W), H and W multiples of 4; two stages of `Heatmaps` (B, K, H/4, W/4): logits, and values in
    [0, 1]. Windows that hang over the border see 0 there. Weights start as PyTorch draws them.
    """

    def __init__(self, keypoints: int, tree: Tree, reach: int = 63, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.normalise = ContrastNormalisation()
        self.detectors = nn.ModuleList(detector(widths) for _ in range(keypoints))
        self.spatial = SpatialPrior(tree, reach)

    def forward(self, images: Tensor) -> list[Heatmaps]:
        border = (WINDOW - STRIDE) // 2
        seen = pad(self.normalise(images), (border,) * 4)
        logits = torch.cat([detector(seen) for detector in self.detectors], 1)
        return [Heatmaps(logits), Heatmaps(self.spatial(logits.float().sigmoid()))]


def counted(keypoints: NDArray[np.float64], tree: Tree, reach: int = 63, stride: int = STRIDE) -> Tensor:
    """Count the prior of `SpatialPrior` from people's keypoints (N, K, 2) in crop px, NaN where absent.

    The histogram of steps from child to parent in map px, smoothed with a Gaussian of 1 map px; a limb that nobody
    has is left even.
    """
    side = 2 * reach + 1
    parents, children = ([edge[end] for edge in tree] for end in (0, 1))
    steps = np.rint((keypoints[:, parents] - keypoints[:, children]) / stride + reach)
    counts = np.zeros((len(tree), side, side), np.float32)
    known = np.isfinite(steps).all(-1) & ((steps >= 0) & (steps < side)).all(-1)
    _, limbs = np.nonzero(known)
    columns, rows = steps[known].astype(np.intp).T
    np.add.at(counts, (limbs, rows, columns), 1)
    bell = torch.exp(-(torch.arange(-3.0, 4.0) ** 2) / 2)
    smooth = conv2d(torch.from_numpy(counts)[:, None], (bell[:, None] * bell)[None, None], padding=3)[:, 0]
    totals = smooth.sum((-2, -1), keepdim=True)
    return torch.where(totals > 0, smooth / totals.clamp(min=1e-9), torch.ones_like(smooth))


def part_detectors(keypoints: int, tree: Tree) -> PartDetectors:
    """The published size, a detector of 1.4 M parameters a keypoint."""
    return PartDetectors(keypoints, tree)
