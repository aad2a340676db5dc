"""Least: from which score on a box is a person, chosen on pictures of nobody that nobody learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posewright.codecs.detection.ttfnet import TTFNet
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.runtimes.network import Network
from posewright.scene import Scene

EMPTY = 0.9
"""The share of pictures without people in which nobody is to be found."""
RULE = f"least score: the lowest at which nobody is found in {EMPTY:.0%} of the pictures without people"
GRID = np.arange(10, 80) / 100


def with_least(network: Network, codec: TTFNet, scenes: Sequence[Scene]) -> TTFNet:
    """Return the codec with the least score that `RULE` chooses on the scenes without people.

    A lower score finds more people, so the lowest that is quiet enough is the best. The highest of the grid is taken
    where none is, and the codec's own stays where every scene has people.
    """
    nobody = [scene for scene in scenes if not scene.people]
    if not nobody:
        return codec
    finder = BottomUp(network, replace(codec, least=float(GRID[0])))
    highest = [max((one.score or 0.0 for one in found), default=0.0) for found in finder.many(nobody)]
    quiet = (np.array(highest)[:, None] < GRID).mean(0) >= EMPTY
    return replace(codec, least=float(GRID[quiet.argmax()] if quiet.any() else GRID[-1]))
