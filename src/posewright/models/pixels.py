"""The one rule for what goes into a network: pixels (B, H, W, 3) uint8, RGB, as they are in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from posewright.fields import Heatmaps

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normal(NamedTuple):
    """What is taken from red, green and blue, of values in 0..1, and what the rest is divided by."""

    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD


class FromPixels(nn.Module):
    """Normalise pixels with a mean and a deviation a channel (of values in 0..1), then ask the network.

    What else a network is told, it is given as it is; `given` says what that is, by name, and its shape but for
    the leading B. All of it may be left out.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(mean).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).reshape(3, 1, 1), persistent=False)

    @property
    def normal(self) -> Normal:
        """The mean and the deviation of values in 0..1."""
        return Normal(*((values.flatten().double() / 255).tolist() for values in (self.mean, self.std)))

    def see(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Normalise pixels otherwise from now on; `normal` of another `FromPixels` comes over to the bit."""
        for values, given in ((self.mean, mean), (self.std, std)):
            values.copy_(255 * torch.tensor(given, dtype=torch.float64).reshape(3, 1, 1))

    @property
    def given(self) -> dict[str, tuple[int, ...]]:
        """What the network may be told beside the pixels."""
        return getattr(self.network, "given", {})

    def forward(self, pixels: Tensor, *given: Tensor) -> list[Heatmaps]:
        images = pixels.permute(0, 3, 1, 2).to(self.mean.dtype)
        return self.network((images - self.mean) / self.std, *given)
