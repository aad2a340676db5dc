"""Mosaics to batches: every picture that is learnt from is composed of several, anew each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from posewright.scene import Scene
from posewright.train.loader import Batches, shuffled
from posewright.warp import Size

Compose = Callable[[int, Size, np.random.Generator], Scene]
"""(place among the scenes, size, rng) -> a picture of that size that shows the scene."""


@dataclass(frozen=True, eq=False)
class MosaicBatches(Batches):
    """Draw batches of composed pictures: pixels (B, H, W, 3) uint8 and the codec's fields."""

    compose: Compose | None = None

    def batch(self, epoch: int, number: int) -> tuple[Any, Any]:
        """Return batch `number` of an epoch."""
        assert self.compose is not None
        codec = self._codec(epoch)
        chosen = np.take(shuffled(self, epoch), range(number * self.size, (number + 1) * self.size), mode="wrap")
        rng = self._rng(epoch, number)
        scenes = [self.compose(index, codec.size, rng) for index in chosen.tolist()]
        return np.stack([scene.pixels() for scene in scenes]), codec.encode([scene.people for scene in scenes])
