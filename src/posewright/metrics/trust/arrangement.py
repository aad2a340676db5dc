"""Keypoints that lie where others should: another order, left and right exchanged, x and y exchanged.

Nobody's score shows it but by being near 0. People are joined by where they are, whatever their keypoints are called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from posewright.columns import People, ends
from posewright.geometry.boxes import overlap
from posewright.scene import Floats
from posewright.skeleton import Skeleton

MOST, FEWEST = 100, 10
"""True people who are looked at, and pairs with a predicted one from which on anything is said."""
TOGETHER = 0.5
"""Overlap of the boxes around keypoints from which on two people are one."""
BETTER, NEAR = 2.0, 0.2
"""How many times nearer keypoints must lie under other names, and how near, in sizes of a person."""
CHANGED = 3
"""Keypoints that must have other names."""


class Pairs(NamedTuple):
    """Hold predicted and true keypoints (N, K, 2) of people who are one, and their size (N,) px."""

    found: Floats
    true: Floats
    size: Floats


def arrangement(found: People, true: People, skeleton: Skeleton) -> Iterator[str]:
    """Say where keypoints fit far better under other names, or with x and y exchanged; nothing for too few people."""
    pairs = _pairs(found.keypoints, found, true)
    if len(pairs.size) * BETTER < MOST:
        turned = _pairs(found.keypoints[..., ::-1], found, true)
        if len(turned.size) >= FEWEST and len(turned.size) > BETTER * len(pairs.size) and _own(turned) < NEAR:
            yield (
                f"x and y of the predictions seem exchanged: {len(turned.size)} people lie where true ones are when "
                f"they are exchanged back, {len(pairs.size)} as they are"
            )
            return
    if len(pairs.size) < FEWEST:
        return
    away = _distances(pairs)
    known = np.asarray(np.isfinite(away).all(1))
    if not known.any() or (before := np.diagonal(away)[known].mean()) <= BETTER * away[known].min(1).mean():
        return
    from scipy.optimize import linear_sum_assignment  # takes long to import

    rows, columns = linear_sum_assignment(np.nan_to_num(away, nan=1e3))
    after = away[rows, columns][known[rows]].mean()
    changed = [(int(k), int(j)) for k, j in zip(rows, columns, strict=True) if k != j and known[k]]
    if len(changed) >= CHANGED and after < NEAR and before > BETTER * after:
        sides = all(skeleton.mirror[k] == j for k, j in changed)
        what = "left and right seem exchanged" if sides else "the keypoints seem to be in another order"
        names = ", ".join(f"{skeleton.keypoints[k]} where {skeleton.keypoints[j]} is" for k, j in changed[:CHANGED])
        yield f"{what} in the predictions, by {len(pairs.size)} people: {names}" + ", ..." * (len(changed) > CHANGED)


def _pairs(xy: Floats, found: People, true: People) -> Pairs:
    """Join true people, spread over the data, to the predicted one in their picture whose box overlaps most."""
    whole = np.flatnonzero(np.isfinite(true.keypoints).all(-1).sum(1) >= 0.5 * true.keypoints.shape[1])
    spread = np.linspace(0, max(len(whole) - 1, 0), min(MOST, len(whole))).astype(int)
    some = whole[spread[np.diff(spread, prepend=-1) > 0]]
    order = np.argsort(found.scene, kind="stable")
    first, last = (np.searchsorted(found.scene[order], true.scene[some], side) for side in ("left", "right"))
    near = np.concatenate([np.arange(0), *map(np.arange, first, last)])
    boxes, own, stops = _boxes(xy[order[near]]), _boxes(true.keypoints[some]), np.cumsum(last - first)
    rows = []
    for n, (t, a, end) in enumerate(zip(some.tolist(), first.tolist(), stops.tolist(), strict=True)):
        shared = overlap(boxes[end - (last[n] - a) : end], own[n])[:, 0] if last[n] > a else np.zeros(1)
        if shared.max() >= TOGETHER:
            rows.append((int(order[a + shared.argmax()]), t))
    predicted, known = np.array(rows, int).reshape(-1, 2).T
    box = _boxes(true.keypoints[known])
    return Pairs(xy[predicted], true.keypoints[known], np.sqrt(np.prod(box[:, 2:] - box[:, :2], axis=1)))


def _boxes(xy: Floats) -> Floats:
    """Return boxes (N, 4) around keypoints (N, K, 2), of no size at 0 where there are none."""
    there = np.isfinite(xy[..., 0]) & np.isfinite(xy[..., 1])
    box = np.concatenate(ends(np.where(there[..., None], xy, np.nan))).T
    return np.where(np.isfinite(box).all(1)[:, None], box, 0.0)


def _distances(pairs: Pairs) -> Floats:
    """Return the median distance (K, K) of each predicted keypoint from each true one, in people's sizes."""
    apart = np.linalg.norm(pairs.found[:, :, None] - pairs.true[:, None], axis=-1) / pairs.size[:, None, None]
    amount = np.isfinite(apart).sum(0)
    middle = np.stack([np.maximum(amount - 1, 0) // 2, amount // 2])
    ordered = np.sort(apart, axis=0)  # those that are not known come last
    median = np.take_along_axis(ordered, middle, axis=0).sum(0) / 2
    return np.where(amount >= FEWEST // 2, median, np.nan)


def _own(pairs: Pairs) -> float:
    return float(np.nanmedian(np.linalg.norm(pairs.found - pairs.true, axis=-1) / pairs.size[:, None]))
