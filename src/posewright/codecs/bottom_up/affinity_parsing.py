"""Parsing part affinity fields: limbs are scored along the line between two peaks, and joined to people.

Cao et al. 2019, "OpenPose", arXiv:1812.08008, section 3.3, in the forms of pytorch-openpose (commit 5ee71dc, which
follows the authors' Python) and of lightweight OpenPose (commit d23c284).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.efficientpose import bell_taps
from posewright.codecs.maps import Floats, Maps

POINTS = 10
"""Places along a limb where its field is read."""
FIELD = 0.05
"""What a field along the limb must exceed at more than 8 of the places."""
CLOSE = 6.0
"""px within which lightweight OpenPose keeps the leftmost peak."""

Read = Callable[[Places | int, Places, Places], Floats]
"""(limb, or one a place (...), x, y (...)) px -> the limb's field there (..., 2)."""


class Peaks(NamedTuple):
    """Hold the peaks of one keypoint: x, y (N,) px and score (N,)."""

    x: NDArray[Any]
    y: NDArray[Any]
    score: Floats


class Connections(NamedTuple):
    """Hold the accepted connections of one limb: places of peaks at either end (N,), (N,), and score (N,)."""

    start: Places
    end: Places
    score: Floats


class Grouped(NamedTuple):
    """Hold people: peaks (P, K), numbered through all keypoints, -1 where absent; total (P,) score; parts (P,) had."""

    peaks: NDArray[np.int_]
    total: Floats
    parts: NDArray[np.int_]


def smoothed_peaks(maps: Maps, sigma: float = 3.0, least: float = 0.1) -> list[Peaks]:
    """Find peaks of maps (K, h, w), smoothed; their score is the map's own value. Form of pytorch-openpose.

    A pixel is a peak where it is no smaller than its four neighbours; outside the map is 0.
    """
    taps, found = bell_taps(sigma), []
    for one in maps:
        smooth = np.asarray(cv2.sepFilter2D(one, -1, taps, taps, borderType=cv2.BORDER_REFLECT), np.float32)
        y, x = np.nonzero(tops(smooth, strict=False) & (smooth > least))
        found.append(Peaks(x, y, one[y, x].astype(np.float64)))
    return found


def tops(values: NDArray[np.floating], strict: bool) -> NDArray[np.bool_]:
    """Tell which pixels of (..., h, w) are no smaller than their four neighbours (strict: larger); outside is 0."""
    edges = [(0, 0)] * (values.ndim - 2) + [(1, 1), (1, 1)]
    padded = np.pad(values, edges)
    beside = (padded[..., 1:-1, :-2], padded[..., 1:-1, 2:], padded[..., :-2, 1:-1], padded[..., 2:, 1:-1])
    around = np.maximum.reduce(beside)
    return values > around if strict else values >= around


def thinned_peaks(maps: Maps, least: float = 0.1) -> list[Peaks]:
    """Find peaks of maps (K, h, w) as lightweight OpenPose does: not smoothed, from the left, none near another."""
    found = []
    for one in maps:
        cut = np.where(one < least, 0, one)
        y, x = np.nonzero(tops(cut, strict=True))
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
        left = np.ones(len(x), bool)
        for i in range(len(x)):
            if left[i]:
                left[i + 1 :] &= np.hypot(x[i + 1 :] - x[i], y[i + 1 :] - y[i]) >= CLOSE
        found.append(Peaks(x[left], y[left], one[y[left], x[left]].astype(np.float64)))
    return found


def reader(fields: Maps) -> Read:
    """Read fields (2 L, h, w) at their pixels."""

    def read(limb: Places | int, x: Places, y: Places) -> Floats:
        return np.stack([fields[2 * limb, y, x], fields[2 * limb + 1, y, x]], -1).astype(np.float64)

    return read


def connect(peaks: Sequence[Peaks], limbs: Sequence[tuple[int, int]], read: Read, height: float) -> list[Connections]:
    """Join peaks (K) by limbs, the best score first, each peak once; form of pytorch-openpose.

        score = mean of field . unit vector, at ten places  +  min(height / 2 length - 1, 0)

    height px of the picture. The pairs of all limbs are scored in one array; those whose field fits at neither middle
    place are not looked at further.
    """
    counts = [(len(peaks[a].x), len(peaks[b].x)) for a, b in limbs]
    ends = [np.cumsum([0, *(n * m for n, m in counts)])[place] for place in (slice(-1), slice(1, None))]
    limb, start, way = _pairs(peaks, limbs)
    length = np.maximum(np.hypot(*way.T), 0.001)

    def along(some: Places, places: slice) -> Floats:
        steps = np.linspace(0, 1, POINTS)[places]
        at = np.round(start[some, None] + way[some, None] * steps[:, None]).astype(int)
        fields = read(limb[some, None], at[..., 0], at[..., 1])
        return (fields * way[some, None]).sum(-1) / length[some, None]

    middle = slice(POINTS // 2 - 1, POINTS // 2 + 1)
    some = np.flatnonzero(way.any(1))
    some = some[(along(some, middle) > FIELD).any(-1)]
    values = along(some, slice(None))
    score, likely = np.zeros(len(limb)), np.zeros(len(limb), bool)
    score[some] = values.mean(-1) + np.minimum(0.5 * height / length[some] - 1, 0)
    likely[some] = ((values > FIELD).sum(-1) > 0.8 * POINTS) & (score[some] > 0)
    return [
        one_to_one(score[first:last].reshape(count), likely[first:last].reshape(count))
        for first, last, count in zip(*ends, counts, strict=True)
    ]


def _pairs(peaks: Sequence[Peaks], limbs: Sequence[tuple[int, int]]) -> tuple[Places, Floats, Floats]:
    """Return the limb (N,) of every pair of peaks that it may join, row by row, its start and its way (N, 2) px."""
    xy = [np.stack([one.x, one.y], -1).astype(np.float64) for one in peaks]
    starts = [np.repeat(xy[a], len(xy[b]), axis=0) for a, b in limbs]
    ways = [np.tile(xy[b], (len(xy[a]), 1)) for a, b in limbs]
    start, end = (np.concatenate([*some, np.zeros((0, 2))]) for some in (starts, ways))
    return np.repeat(np.arange(len(limbs)), [len(some) for some in starts]), start, end - start


def connect_lightly(peaks: Sequence[Peaks], limbs: Sequence[tuple[int, int]], read: Read) -> list[Connections]:
    """Join peaks (K) by limbs as lightweight OpenPose does: the mean of the places that fit, in float32."""
    found = []
    for limb, (a, b) in enumerate(limbs):
        start, end = (np.stack([peaks[k].x, peaks[k].y], -1).astype(np.float32) for k in (a, b))
        way = end[None] - start[:, None]
        unit = way / (np.linalg.norm(way, axis=-1, keepdims=True) + np.float32(1e-6))
        step = way / np.float32(POINTS - 1)
        places = np.round(start[:, None, None] + step[:, :, None] * np.arange(POINTS, dtype=np.float32)[:, None])
        at = places.astype(int)
        along = (read(limb, at[..., 0], at[..., 1]) * unit[:, :, None]).sum(-1)
        fits = along > FIELD
        score = np.where(fits, along, 0).sum(-1) / (fits.sum(-1) + 1e-6)
        found.append(one_to_one(score, (score > 0) & (fits.sum(-1) > 0.8 * POINTS)))
    return found


def one_to_one(score: Floats, likely: NDArray[np.bool_]) -> Connections:
    """Accept likely pairs (N, M) by score, best first, of equals the first; each row and each column once."""
    rows, columns = np.nonzero(likely)
    order = np.argsort(-score[rows, columns], kind="stable")
    used_rows, used_columns = set(), set()
    accepted = []
    for i, j in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if i not in used_rows and j not in used_columns:
            used_rows.add(i)
            used_columns.add(j)
            accepted.append((i, j))
    start, end = np.array(accepted, int).reshape(-1, 2).T
    return Connections(start, end, score[start, end])


class _Row:
    """A person that is being put together: peaks by keypoint, -1 where absent, their total score and number."""

    __slots__ = ("count", "peaks", "total")

    def __init__(self, keypoints: int) -> None:
        self.peaks, self.total, self.count = [-1] * keypoints, 0.0, 0

    def add(self, keypoint: int, peak: int, score: float) -> None:
        self.peaks[keypoint] = peak
        self.total += score
        self.count += 1


def numbered(peaks: Sequence[Peaks]) -> tuple[list[int], list[float]]:
    """Return the number of each keypoint's first peak, and the scores of all peaks in turn."""
    first = np.concatenate([[0], np.cumsum([len(one.x) for one in peaks])]).astype(int).tolist()
    return first[:-1], np.concatenate([one.score for one in peaks]).tolist()


def assemble(
    peaks: Sequence[Peaks], limbs: Sequence[tuple[int, int]], found: Sequence[Connections], free: int = 2
) -> Grouped:
    """Put connections together to people, limb by limb; form of pytorch-openpose.

    The last `free` limbs open nobody. People of fewer than 4 keypoints, or with less than 0.4 a keypoint, are dropped.
    Departure: where a connection touches three people, which the original fails at, the first two count.
    """
    first, scores = numbered(peaks)
    rows: list[_Row] = []
    for limb, ((a, b), each) in enumerate(zip(limbs, found, strict=True)):
        for i, j, score in zip(each.start.tolist(), each.end.tolist(), each.score.tolist(), strict=True):
            start, end = first[a] + i, first[b] + j
            touched = [row for row in rows if row.peaks[a] == start or row.peaks[b] == end]
            if len(touched) >= 2 and not _share(*touched[:2]):
                _merge(rows, touched[0], touched[1], score)
            elif len(touched) >= 2 or (touched and touched[0].peaks[b] != end):
                touched[0].add(b, end, scores[end] + score)
            elif not touched and limb < len(limbs) - free:
                row = _Row(len(peaks))
                row.add(a, start, scores[start])
                row.add(b, end, scores[end] + score)
                rows.append(row)
    return _kept(rows, len(peaks), 4, 0.4)


def _share(one: _Row, other: _Row) -> bool:
    return any(p >= 0 and q >= 0 for p, q in zip(one.peaks, other.peaks, strict=True))


def _merge(rows: list[_Row], one: _Row, other: _Row, score: float) -> None:
    one.peaks = [max(p, q) for p, q in zip(one.peaks, other.peaks, strict=True)]
    one.total += other.total + score
    one.count += other.count
    rows.remove(other)


def assemble_lightly(
    peaks: Sequence[Peaks], limbs: Sequence[tuple[int, int]], found: Sequence[Connections], free: int = 2
) -> Grouped:
    """Put connections together to people as lightweight OpenPose does.

    The first limb opens a person a connection; the next join or open; the last `free` only fill what is absent, and do
    not count. People of fewer than 3 keypoints, or with less than 0.2 a keypoint, are dropped.
    """
    first, scores = numbered(peaks)
    rows: list[_Row] = []
    for limb, ((a, b), each) in enumerate(zip(limbs, found, strict=True)):
        for i, j, score in zip(each.start.tolist(), each.end.tolist(), each.score.tolist(), strict=True):
            start, end = first[a] + i, first[b] + j
            if limb >= len(limbs) - free:
                _fill(rows, (a, start), (b, end))
                continue
            joined = [row for row in rows if limb and row.peaks[a] == start]
            for row in joined:
                row.add(b, end, scores[end] + score)
            if not joined:
                row = _Row(len(peaks))
                row.add(a, start, scores[start])
                row.add(b, end, scores[end] + score)
                rows.append(row)
    return _kept(rows, len(peaks), 3, 0.2)


def _fill(rows: list[_Row], start: tuple[int, int], end: tuple[int, int]) -> None:
    for row in rows:
        for (k, peak), (other, absent) in ((start, end), (end, start)):
            if row.peaks[k] == peak and row.peaks[other] < 0:
                row.peaks[other] = absent


def _kept(rows: list[_Row], keypoints: int, fewest: int, least: float) -> Grouped:
    kept = [row for row in rows if row.count >= fewest and row.total / row.count >= least]
    peaks = np.array([row.peaks for row in kept], int).reshape(-1, keypoints)
    return Grouped(peaks, np.array([row.total for row in kept]), np.array([row.count for row in kept], int))
