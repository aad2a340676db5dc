"""Original: what a network's authors name, order and normalise otherwise, so that their weights load into ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from posewright.models.pixels import Normal
from posewright.models.report import Renames

Orders = Sequence[tuple[str, Sequence[int]]]
"""Patterns of a file's names, and where our outputs stand among theirs."""


class Source(NamedTuple):
    """Weights from one place: known by a name in their file, and how their networks see pictures.

    mark: a pattern that a name in such a file matches and none in others. blue_first: matches the file's names of
    convolutions that take blue first; ours take red first, so they are turned.
    """

    mark: str
    normal: Normal = Normal()
    blue_first: str | None = None


class Original(NamedTuple):
    """Say how the authors' files of a network are read: the `ORIGINAL` of a model's file.

    renames: from their names to ours, each pattern in turn. orders: where our outputs stand among theirs. head: a
    pattern of our names that depend on the keypoints, and so are left out for another skeleton. normal: what the
    authors' networks are shown. unbiased: a pattern of our biases that are 0 where a file has the layer's weight
    alone. sources: whose files differ from that; the first whose mark is in a file counts.
    """

    renames: Renames = ()
    orders: Orders = ()
    head: str = r"head\."
    normal: Normal = Normal()
    unbiased: str | None = None
    sources: tuple[Source, ...] = ()


def original_of(network: nn.Module) -> Original:
    """Return how the authors' files of a network are read, as its model's file says; else, plain names and ImageNet."""
    found = getattr(sys.modules[type(network).__module__], "ORIGINAL", None)
    return found if isinstance(found, Original) else Original()
