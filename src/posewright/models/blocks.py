"""Blocks that three papers and more draw alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate


def enlarged(x: Tensor, to: Tensor) -> Tensor:
    """Enlarge x (B, C, h, w) linearly to the resolution of another tensor, corner pixels onto corner pixels.

    As CPN, MSPN, RSN and PyraNet do.
    """
    return interpolate(x, size=to.shape[-2:], mode="bilinear", align_corners=True)
