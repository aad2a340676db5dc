"""Least: from which score on a box is a person, chosen on pictures that nobody learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from posewright.codecs.detection.ttfnet import TTFNet
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.runtimes.network import Network
from posewright.geometry.boxes import overlap
from posewright.scene import Floats, Scene

EMPTY = 0.95
"""The share of pictures without people in which nobody is to be found."""
RULE = (
    f"least score: of those at which nobody is found in {EMPTY:.0%} of the pictures without people, the one of the "
    "largest F1 of boxes that overlap a person by a half or more"
)
LOWEST = 0.05
GRID = np.arange(10, 80) / 100


def with_least(network: Network, codec: TTFNet, scenes: Sequence[Scene]) -> TTFNet:
    """Return the codec with the least score that `RULE` chooses on scenes with people and without.

    Where no score keeps enough pictures without people empty, the highest of the grid is taken.
    """
    finder = BottomUp(network, replace(codec, least=LOWEST))
    right, scores, people = [], [], 0
    highest: list[float] = []
    for scene, found in zip(scenes, finder.many(scenes), strict=True):
        true = np.array([one.box for one in scene.people if not one.crowd]).reshape(-1, 4)
        crowds = np.array([one.box for one in scene.people if one.crowd]).reshape(-1, 4)
        boxes, score = np.array([one.box for one in found]).reshape(-1, 4), np.array([one.score for one in found])
        hit = matched(boxes, true)
        counts = hit | (overlap(boxes, crowds).max(1, initial=0) < 0.3)
        right.append(hit[counts])
        scores.append(score[counts])
        people += len(true)
        if not scene.people:
            highest.append(score.max(initial=0.0))
    hits, all_scores = np.concatenate(right), np.concatenate(scores)
    f1 = np.array([2 * hits[all_scores >= t].sum() / ((all_scores >= t).sum() + people) for t in GRID])
    quiet = (np.array(highest)[:, None] < GRID).sum(0) >= EMPTY * len(highest)
    return replace(codec, least=float(GRID[np.where(quiet, f1, -1).argmax()] if quiet.any() else GRID[-1]))


def matched(boxes: Floats, true: Floats) -> np.ndarray:
    """Tell which boxes (N, 4), best first, are a true one (P, 4) each that no better box is: overlap of a half."""
    hit, left = np.zeros(len(boxes), bool), np.ones(len(true), bool)
    shared = overlap(boxes, true)
    for number in range(len(boxes) if len(true) else 0):
        best = np.where(left, shared[number], -1).argmax()
        if left[best] and shared[number, best] >= 0.5:
            hit[number], left[best] = True, False
    return hit
