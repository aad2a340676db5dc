"""Boxes xyxy: how much they overlap, and which to keep of those found."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def overlap(boxes: ArrayLike, others: ArrayLike, pixel: float = 0.0) -> Floats:
    """Return the intersection over the union (N, M) of boxes (N, 4) with others (M, 4); 0 where both are empty.

    pixel: what is added to every width and height; 1 for boxes whose corners are their first and last pixels.

    >>> overlap([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]])
    array([[0.33333333, 0.        ]])
    """
    one, other = _rows(boxes)[:, None], _rows(others)
    inner = np.minimum(one[..., 2:], other[..., 2:]) - np.maximum(one[..., :2], other[..., :2]) + pixel
    shared = np.maximum(inner, 0.0).prod(-1)
    union = _area(one, pixel) + _area(other, pixel) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0))


def box_nms(boxes: ArrayLike, scores: ArrayLike, threshold: float = 0.5, pixel: float = 0.0) -> NDArray[np.intp]:
    """Return the places of the boxes (N, 4) that overlap no better one, best score (N,) first.

    Again and again the best box (of equal ones the first listed) is kept, and all go that overlap it by `threshold`
    or more (>=). pixel: as in `overlap`; MultiPoseNet's code (LiMeng95/MultiPoseNet.pytorch, nms.c) counts 1, and 0.5
    is its threshold. Raises ValueError where there is not a score a box.
    """
    rows, score = _rows(boxes), np.asarray(scores, np.float64)
    if score.shape != (len(rows),) or not np.isfinite(score).all():
        raise ValueError(f"scores must be {len(rows)} numbers, one a box, not {score.shape} or NaN")
    order, kept = np.argsort(-score, kind="stable"), []
    x0, y0, x1, y1 = np.ascontiguousarray(rows[order].T)
    left = np.stack([x0, y0, x1 + pixel, y1 + pixel, (x1 - x0 + pixel) * (y1 - y0 + pixel)])
    while len(order):
        kept.append(order[0])
        apart = np.flatnonzero(_overlap_of_first(left) < threshold)
        order, left = order[apart], left.take(apart, axis=1)
    return np.array(kept, np.intp)


def _overlap_of_first(left: Floats) -> Floats:
    """Return the overlap (N,) of the first box with all; rows x0, y0, x1, y1, area (5, N). Infinite with itself."""
    first = left[:, :1]
    low, high = np.maximum(left[:2], first[:2]), np.minimum(left[2:4], first[2:4])
    inner = np.maximum(high - low, 0.0)
    shared = inner[0] * inner[1]
    union = left[4] + first[4] - shared
    found = np.divide(shared, union, out=np.zeros(len(shared)), where=union > 0)
    found[0] = np.inf
    return found


def _rows(boxes: ArrayLike) -> Floats:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _area(boxes: Floats, pixel: float) -> Floats:
    return np.asarray((boxes[..., 2:] - boxes[..., :2] + pixel).prod(-1))


def from_corners(box: Floats) -> Floats:
    """Return boxes (..., 4) xyxy px of which the file has x, y, x, y; they were read as x, y, width, height."""
    return np.concatenate([box[..., :2], box[..., 2:] - box[..., :2]], -1)


def from_centres(box: Floats) -> Floats:
    """Return boxes (..., 4) xyxy px of which the file has the centre's x and y; they were read as x, y, width, height.

    >>> from_centres(np.array([50.0, 40.0, 70.0, 50.0])).tolist()
    [40.0, 35.0, 60.0, 45.0]
    """
    half = (box[..., 2:] - box[..., :2]) / 2
    return np.concatenate([box[..., :2] - half, box[..., 2:] - half], -1)
