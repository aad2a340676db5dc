"""Fills: what an occluder shows."""

from __future__ import annotations

import numpy as np

from posewright.occlusion.occluder import Alpha
from posewright.picture import Pixels


def black(pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Show black (Pytel et al. 2020, "blackout")."""
    return np.zeros_like(pixels)
