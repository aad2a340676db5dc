"""From a network of posewright's to what estimates people with it."""

from __future__ import annotations

from posewright.codecs.codec import is_whole
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.runtimes.network import Network
from posewright.estimators.top_down import TopDown


def estimating(network: Network, flip: bool = False, batch: int = 8) -> TopDown | BottomUp:
    """Return what estimates people with a network: bottom-up where its codec is of whole pictures."""
    kind = BottomUp if is_whole(network.codec) else TopDown
    return kind(network, network.codec, flip=flip, batch=batch)
