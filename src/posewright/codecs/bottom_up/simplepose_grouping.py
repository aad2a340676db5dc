"""Grouping by limbs that are heatmaps: people grow limb by limb, and a more certain limb may replace another.

Li, Su and Wang 2020, arXiv:1911.10529, section 3.4, by the authors' code (Improved-Body-Parts, commit 0fa17df).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.codecs.bottom_up.affinity_parsing import one_to_one
from posewright.codecs.maps import Floats, Maps

LEAST = 0.1
"""What a peak must reach, and a limb's map along it must exceed."""
SHARE, POINTS = 0.8, 20
"""How many of at most so many places along a limb must exceed it."""
LONGER = 16.0
"""A limb must be shorter than so many times the person's longest."""
TOLERANCE = 0.7
"""Two people are joined by a limb that is so sure beside the least sure of both."""
REACH = 2
"""px around a peak whose centroid it is moved to."""
PAIRS = 20_000
"""Pairs of peaks whose limbs are read at once."""


@dataclass
class _Grown:
    """A person who grows: peaks by keypoint, -1 where absent, and how sure the limb is that brought each."""

    peaks: list[int]
    sure: list[float]
    total: float = 0.0
    count: int = 0
    longest: float = 0.0


Connection = tuple[int, int, float, float]
"""Numbers of two peaks, score, and length px."""


def find_peaks(maps: Maps) -> list[Floats]:
    """Find peaks (N, 3) x, y px and score of each of maps (K, h, w), in reading order.

    A peak is moved to the centroid of the 5x5 px around it, and its score becomes their mean; not so at the border. As
    in the authors' code, the centroid's x is weighed by rows and its y by columns. Departure: it stays within those px,
    which in maps with negative values theirs does not.
    """
    found = []
    for one in maps:
        highest = cv2.dilate(one, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REFLECT)
        y, x = np.nonzero((one == highest) & (one >= LEAST))
        rows = np.stack([x, y, one[y, x]], -1).astype(np.float64)
        h, w = one.shape
        inner = np.flatnonzero((x >= REACH) & (x < w - REACH) & (y >= REACH) & (y < h - REACH))
        steps = np.arange(-REACH, REACH + 1)
        near = one[y[inner, None, None] + steps[:, None], x[inner, None, None] + steps].astype(np.float64)
        weight = np.maximum(near.sum((1, 2)), 1e-9)
        down, across = (near * steps[:, None]).sum((1, 2)) / weight, (near * steps).sum((1, 2)) / weight
        moved = np.clip(np.stack([down, across], -1), -REACH, REACH)
        rows[inner] = np.column_stack([rows[inner, :2] + moved, near.mean((1, 2))])
        found.append(rows)
    return found


def connect(
    peaks: Sequence[Floats], limbs: Sequence[tuple[int, int]], bands: Maps, height: float
) -> list[list[Connection]]:
    """Join peaks by limbs, the best first, each peak once a limb; bands (L, h, w), height px of the picture.

    score = mean of the limb's map along it + min(height / 2 length - 1, 0); the best is by half of it and a quarter of
    either peak's.
    """
    first = np.concatenate([[0], np.cumsum([len(one) for one in peaks])])
    found = []
    for limb, (a, b) in enumerate(limbs):
        start, end = peaks[a], peaks[b]
        length = np.sqrt(((end[None, :, :2] - start[:, None, :2]) ** 2).sum(-1))
        score, likely = np.zeros(length.shape), np.zeros(length.shape, bool)
        i, j = np.nonzero(length > 0)
        for some in np.array_split(np.arange(len(i)), -(-len(i) // PAIRS) or 1):
            of = i[some], j[some]
            score[of], likely[of] = _along(start[of[0]], end[of[1]], length[of], bands[limb], height)
        rank = 0.5 * score + 0.25 * start[:, None, 2] + 0.25 * end[None, :, 2]
        pairs = one_to_one(rank, likely)
        found.append(
            [
                (int(first[a] + i), int(first[b] + j), float(score[i, j]), float(length[i, j]))
                for i, j in zip(pairs.start, pairs.end, strict=True)
            ]
        )
    return found


def _along(start: Floats, end: Floats, length: Floats, band: Maps, height: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return scores (N,) of limbs from start to end (N, 3), of `length`, and whether their band (h, w) bears them."""
    count = np.minimum(np.round(length + 1).astype(int), POINTS)
    place = np.arange(POINTS)
    inside = place < count[:, None]
    step = (end[:, :2] - start[:, :2]) / np.maximum(count - 1, 1)[:, None]
    at = start[:, None, :2] + place[:, None] * step[:, None]
    at = np.where((place == count[:, None] - 1)[..., None] & (count > 1)[:, None, None], end[:, None, :2], at)
    x, y = np.moveaxis(np.round(np.where(inside[..., None], at, 0)).astype(int), -1, 0)
    values = np.where(inside, band[y, x], 0)
    score = values.sum(1, dtype=np.float64) / count + np.minimum(0.5 * height / length - 1, 0)
    return score, ((values > LEAST).sum(1) >= SHARE * count) & (score > 0)


def grow(
    peaks: Sequence[Floats], limbs: Sequence[tuple[int, int]], found: Sequence[Sequence[Connection]]
) -> tuple[NDArray[np.int_], Floats]:
    """Put connections together to people: peaks (P, K), -1 where absent, and total scores (P,)."""
    scores = np.concatenate([one[:, 2] for one in peaks]).tolist()
    people: list[_Grown] = []
    for (a, b), each in zip(limbs, found, strict=True):
        for start, end, score, length in each:
            touched = [one for one in people if one.peaks[a] == start or one.peaks[b] == end][:2]
            if not touched:
                people.append(_opened(len(peaks), (a, start), (b, end), score, length, scores))
            elif len(touched) == 1:
                _extend(touched[0], b, end, score, length, scores)
            elif _merged(touched[0], touched[1], score, length):
                people.remove(touched[1])
    kept = [one for one in people if one.count >= 2 and one.total / one.count >= 0.45]
    rows = np.array([one.peaks for one in kept], int).reshape(-1, len(peaks))
    return rows, np.array([one.total for one in kept])


def _opened(
    keypoints: int, start: tuple[int, int], end: tuple[int, int], score: float, length: float, scores: list[float]
) -> _Grown:
    person = _Grown([-1] * keypoints, [-1.0] * keypoints, score, 2, length)
    for k, peak in (start, end):
        person.peaks[k], person.sure[k] = peak, score
        person.total += scores[peak]
    return person


def _extend(person: _Grown, k: int, peak: int, score: float, length: float, scores: list[float]) -> None:
    """Give a person a limb's second end, where it is free or the limb is surer than what brought the one there."""
    before = person.peaks[k]
    if before != peak and LONGER * person.longest <= length:
        return
    if before >= 0:
        if person.sure[k] > score or (before != peak and person.sure[k] == score):
            return
        person.total -= scores[before] + person.sure[k]
    else:
        person.count += 1
    person.peaks[k], person.sure[k] = peak, score
    person.total += scores[peak] + score
    person.longest = max(person.longest, length)


def _merged(one: _Grown, other: _Grown, score: float, length: float) -> bool:
    """Join two people without a keypoint in common, where the limb between them is sure and short enough."""
    if any(p >= 0 and q >= 0 for p, q in zip(one.peaks, other.peaks, strict=True)):
        return False
    least = min(
        sure for person in (one, other) for peak, sure in zip(person.peaks, person.sure, strict=True) if peak >= 0
    )
    if score < TOLERANCE * least or LONGER * one.longest <= length:
        return False
    for k, peak in enumerate(other.peaks):
        if peak >= 0:
            one.peaks[k], one.sure[k] = peak, other.sure[k]
    one.total += other.total + score
    one.count += other.count
    one.longest = max(one.longest, length)
    return True
