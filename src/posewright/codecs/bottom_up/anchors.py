"""Anchors: boxes of many shapes all over a picture, which RetinaNet corrects to boxes of people.

Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002, by the code that MultiPoseNet's community
took (yhenon/pytorch-retinanet at 0348a9d, as in LiMeng95/MultiPoseNet.pytorch at 7b548fc).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.codecs.maps import Floats
from posewright.geometry.boxes import box_nms, overlap
from posewright.warp import Size

LEVELS = range(3, 8)
RATIOS = (0.5, 1.0, 2.0)
SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
"""Of corrections: x, y, log width, log height."""
POSITIVE, NEGATIVE = 0.5, 0.4
"""Overlaps from which on an anchor is a person, and below which it is none."""

Boxes32 = NDArray[np.float32]


class Targets(NamedTuple):
    """Hold what anchors are to say: scores (N,) in {0, 1}, deltas (N, 4), weights (N,)."""

    scores: Boxes32
    deltas: Boxes32
    weights: Boxes32


def shapes(level: int) -> Floats:
    """Return the nine boxes (9, 4) xyxy px of a level around (0, 0), ratio by ratio."""
    side = 2 ** (level + 2) * np.array(SCALES)
    width = np.sqrt(side**2 / np.array(RATIOS)[:, None])
    height = width * np.array(RATIOS)[:, None]
    half = np.stack([width, height], -1).reshape(-1, 2) / 2
    return np.concatenate([-half, half], 1)


@lru_cache(maxsize=16)
def anchors(size: Size) -> Boxes32:
    """Return the anchors (N, 4) xyxy px of a picture of `size`: level by level, rows, columns, shapes. Read-only."""
    levels = []
    for level in LEVELS:
        stride = 2**level
        x, y = ((np.arange(-(-side // stride)) + 0.5) * stride for side in size)
        middle = np.stack(np.broadcast_arrays(x, y[:, None], x, y[:, None]), -1)
        levels.append((middle[:, :, None] + shapes(level)).reshape(-1, 4))
    boxes = np.concatenate(levels).astype(np.float32)
    boxes.setflags(write=False)
    return boxes


def decode_boxes(boxes: Boxes32, deltas: Boxes32, size: Size | None = None) -> Boxes32:
    """Correct boxes (N, 4) xyxy px by deltas (N, 4); of a picture's `size`, cut to 0 from below and it from above."""
    extent = boxes[:, 2:] - boxes[:, :2]
    middle = boxes[:, :2] + extent / 2
    step = deltas * np.array(DEVIATIONS, np.float32)
    middle, half = middle + step[:, :2] * extent, np.exp(step[:, 2:]) * extent / 2
    low, high = middle - half, middle + half
    if size is not None:
        low, high = np.maximum(low, 0), np.minimum(high, np.array(size, np.float32))
    return np.concatenate([low, high], 1)


def encode_boxes(boxes: Floats, targets: Floats) -> Boxes32:
    """Return the deltas (N, 4) from boxes (N, 4) to targets (N, 4), xyxy px; targets count as at least 1 px wide."""
    extent, wanted = boxes[:, 2:] - boxes[:, :2], targets[:, 2:] - targets[:, :2]
    step = (targets[:, :2] + wanted / 2 - boxes[:, :2] - extent / 2) / extent
    deltas = np.concatenate([step, np.log(np.maximum(wanted, 1) / extent)], 1) / DEVIATIONS
    return np.asarray(deltas, np.float32)


def anchor_targets(size: Size, people: Floats, open_boxes: Floats) -> Targets:
    """Return what the anchors of a picture of `size` are to say of people's boxes (P, 4) xyxy px.

    Anchors that overlap a person by 0.4 to 0.5 are left open, and so are those of which half lies in one of the open
    boxes (Q, 4), as of crowds, and all of a picture without people.
    """
    boxes = anchors(size).astype(np.float64)
    scores, deltas = np.zeros(len(boxes), np.float32), np.zeros((len(boxes), 4), np.float32)
    if not len(people):
        return Targets(scores, deltas, np.zeros_like(scores))
    shared = overlap(boxes, people)
    nearest = shared.argmax(1)
    best = shared[np.arange(len(boxes)), nearest]
    positive = best >= POSITIVE
    scores[positive] = 1
    deltas[positive] = encode_boxes(boxes[positive], people[nearest[positive]])
    weights = (positive | (best < NEGATIVE)).astype(np.float32)
    for box in open_boxes:
        inner = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
        covered = np.maximum(inner, 0).prod(1) >= 0.5 * (boxes[:, 2:] - boxes[:, :2]).prod(1)
        weights[covered & ~positive] = 0
    return Targets(scores, deltas, weights)


def found_boxes(
    scores: Boxes32, deltas: Boxes32, size: Size, least: float = 0.05, threshold: float = 0.3, most: int = 1000
) -> tuple[Boxes32, Boxes32]:
    """Return boxes (N, 4) xyxy px of people in a picture of `size`, and their scores (N,), best first.

    Of those above `least`, the best `most` go through non-maximum suppression at `threshold`: MultiPoseNet's thesis
    has 0.3, the community's code 0.5.
    """
    likely = np.flatnonzero(scores > least)
    likely = likely[np.argsort(-scores[likely], kind="stable")[:most]]
    boxes = decode_boxes(anchors(size)[likely], deltas[likely], size)
    sound = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    likely, boxes = likely[sound], boxes[sound]
    kept = box_nms(boxes, scores[likely], threshold, pixel=1)
    return boxes[kept], scores[likely[kept]]
