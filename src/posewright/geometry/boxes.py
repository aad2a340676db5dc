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
    left, kept = np.argsort(-score, kind="stable"), []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap(rows[left[:1]], rows[left[1:]], pixel)[0] < threshold]
    return np.array(kept, np.intp)


def _rows(boxes: ArrayLike) -> Floats:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _area(boxes: Floats, pixel: float) -> Floats:
    return np.asarray((boxes[..., 2:] - boxes[..., :2] + pixel).prod(-1))
