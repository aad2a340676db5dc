"""From a network of posewright's to what estimates people with it."""

from __future__ import annotations

from collections.abc import Sequence

from posewright.codecs.codec import is_whole
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.runtimes.network import Network
from posewright.estimators.top_down import TopDown


def estimating(
    network: Network, flip: bool = False, batch: int = 8, scales: Sequence[float] = (1.0,)
) -> TopDown | BottomUp:
    """Return what estimates people with a network: bottom-up where its codec is of whole pictures.

    Raises ValueError for scales of a network that is shown one person at a time, or that `BottomUp` does not take.
    """
    if is_whole(network.codec):
        return BottomUp(network, network.codec, flip=flip, batch=batch, scales=tuple(scales))
    if tuple(scales) != (1.0,):
        raise ValueError("scales are for networks that look at whole pictures; this one is shown one person at a time")
    return TopDown(network, network.codec, flip=flip, batch=batch)
