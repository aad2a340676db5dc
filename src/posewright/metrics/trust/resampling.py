"""Average precision under weights of the images: what a bootstrap needs, without matching anything anew.

An image of weight 2 counts as if it were in the data twice. Its matches are the same both times, so precision
and recall follow from sums of weights along the ranking. Three facts make ten thousand resamples a matter of
seconds, and none is an approximation:

- precision rises with every true positive and falls with every false one, so that only its values at the ends
  of runs of true positives can be the best at some recall: false and true ones up to there are one *run*;
- the weights of a run are a row of a sparse matrix times the weights of the images;
- of the precision's running maximum only the values at COCO's 101 recalls are asked for, so that maxima
  between neighbouring recalls come first, and a maximum over 101 numbers is what is left to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.metrics.oks.matching import RANGES, RECALLS, THRESHOLDS, Flags, Matches
from posewright.metrics.score import Again
from posewright.scene import Floats

AT_ONCE, CELLS = 64, 1 << 15
"""How many resamples are computed together, and how many numbers if that allows more: few enough for the cache."""
SMALL, WHOLE = np.iinfo(np.uint16).max, np.iinfo(np.int32).max
"""Where no run can weigh more than SMALL, and no ranking more than WHOLE, weights are summed in 16 and 32 bits, exactly
and several times as fast."""


FEW, ALONE, FEW_PEOPLE = 400, 256, 2000
"""Up to about so many runs, fewer where resamples are few, it is quicker to say of each how many recalls it reaches
than to look for every recall among them, where a table can say it of every number of people."""


class Recalls(NamedTuple):
    """Say of b resamples which of RECALLS so many true positives reach, by whole numbers.

    needed (b, 101): the fewest true positives that reach each. reached (U, P): how many recalls are reached by 0, 1, 2
    ... true positives, in any of the U numbers of people that there are, None where sums of weights may not fit 16 bits
    or people are many; row (b,): which of them is a resample's.
    """

    needed: NDArray[np.int32]
    reached: NDArray[np.uint8] | None = None
    row: NDArray[np.intp] = np.zeros(0, np.intp)


class Runs(NamedTuple):
    """Hold one ranking at one threshold and area range, as runs of false positives and the true ones after them.

    true, scored: sparse (R, I), how many true positives, and how many that are not ignored, a run has of an image.
    What comes after the last true positive changes nothing and is left out.
    """

    true: Any
    scored: Any


def again_of(matches: Matches, ranges: int = len(RANGES)) -> Again:
    """Return the function that gives COCO's ten numbers of these matches under weights of their images.

    It prepares itself at its first call, and lets the matches go; see `resampled` for what it returns. ranges: only
    the first so many of RANGES, which takes as much less time; the numbers of the others are NaN.
    """

    kept = [matches._replace(person=matches.person[:ranges], ignored=matches.ignored[:ranges])]
    counted = matches.counted
    known: dict[tuple[int, int], Runs] = {}
    most: list[tuple[int, int]] = []  # no cache of functools: what holds one cannot be sent to another process

    def runs() -> dict[tuple[int, int], Runs]:
        if not known:
            known.update(_all_runs(kept.pop()))  # which are let go, for they are larger than their runs
        return known

    def most_of() -> tuple[int, int]:
        if not most:
            each = [one.scored.sum(1, dtype=np.int64) for one in runs().values()]
            most.append((max(int(sums.max(initial=0)) for sums in each), max(int(sums.sum()) for sums in each)))
        return most[0]

    def small(weights: Floats) -> tuple[bool, bool]:
        (longest, whole), heaviest = most_of(), weights.max(initial=0)
        fits = heaviest * longest <= SMALL and heaviest * whole <= WHOLE
        fits = bool(fits and (weights == np.floor(weights)).all())
        return fits, fits and bool(heaviest * whole <= SMALL)

    def again(weights: Floats) -> dict[str, Floats]:
        people = weights @ counted
        precision, recall = np.full((2, len(RANGES), len(THRESHOLDS), len(weights)), np.nan)
        asked = sorted({a for a, _ in runs()})
        longest = 1 + max(one.true.shape[0] for one in runs().values())
        step = max(AT_ONCE, CELLS // longest)
        fits, few = small(weights)
        kind = np.uint16 if fits else np.float64
        room = np.empty(min(step, len(weights)) * longest)
        for chunk in (slice(start, start + step) for start in range(0, len(weights), step)):
            columns: NDArray[Any] = np.ascontiguousarray(weights[chunk].T, kind)
            recalls = {a: _recalls(people[chunk, a], few) for a in asked}
            for (a, t), one in runs().items():
                precision[a, t, chunk], recall[a, t, chunk] = _average(one, columns, people[chunk, a], recalls[a], room)
        return _ten_numbers(precision, recall)

    return again


def resampled(matches: Matches, weights: Floats) -> dict[str, Floats]:
    """Return COCO's ten numbers (B,) by name, as if image i stood weights[b, i] times in the data.

    weights (B, I), not negative; they need not be whole. -1 where nobody is counted, as in `matching.summary`,
    whose numbers these are where every weight is 1, and which they equal up to rounding where images are
    really repeated. Copies of a prediction stand together in the ranking. Only where predictions of one image
    have equal scores does a list of repeated images order them otherwise (first copy's, second copy's, ...);
    the order among equal scores carries no meaning either way.
    """
    return again_of(matches)(weights)


def _all_runs(matches: Matches) -> dict[tuple[int, int], Runs]:
    """Cut the rankings into runs, by the places of area range and threshold."""
    order = matches.by_score()
    found, scored = matches.person[..., order] >= 0, ~matches.ignored[..., order]
    image, images = matches.image[order].astype(np.int32), len(matches.counted)
    return {at: _runs(found[at], scored[at], image, images) for at in np.ndindex(*found.shape[:2])}


def _runs(found: Flags, scored: Flags, image: Any, images: int) -> Runs:
    from scipy.sparse import csr_array  # a quarter of a second, for those alone who draw anew

    places = np.flatnonzero(scored)
    true, image = found[places], image[places]
    begins = np.flatnonzero(true[:-1] & ~true[1:]) + 1  # runs are in order, so that rows need no sorting
    hits = np.flatnonzero(true)
    count = int(np.searchsorted(begins, hits[-1], side="right")) + 1 if len(hits) else 0
    ends = np.append(begins, len(true))[:count]
    matrices = []
    for some, stop in ((hits, np.searchsorted(hits, ends)), (np.arange(ends[-1] if count else 0), ends)):
        starts = np.append(0, stop).astype(np.int32)
        ones = np.ones(starts[-1], np.uint16)
        matrices.append(csr_array((ones, image[some], starts), shape=(count, images)))
    return Runs(*matrices)


def _needed(people: Floats) -> NDArray[np.int32]:
    """Return the fewest true positives (b, 101), whole numbers, whose share of so many people (b,) reaches RECALLS."""
    some = np.maximum(people, 1.0)[:, None]
    fewest = np.ceil(RECALLS * some) - 1
    for _ in range(2):  # the product is rounded, and so is the share
        fewest += fewest / some < RECALLS
    return fewest.astype(np.int32)


def _recalls(people: Floats, few: bool) -> Recalls:
    """Return what reaches RECALLS of so many people (b,)."""
    if not few or people.max(initial=0) > FEW_PEOPLE:
        return Recalls(_needed(people))
    known, row = np.unique(people, return_inverse=True)
    needed, width = _needed(known), int(known[-1]) + 1
    places = np.minimum(needed, width - 1) + width * np.arange(len(known))[:, None]
    first = np.bincount(places.ravel(), minlength=len(known) * width).reshape(len(known), width)
    return Recalls(needed[row], np.cumsum(first, axis=1).astype(np.uint8), row)


def _average(
    runs: Runs, weights: NDArray[Any], people: Floats, recalls: Recalls, room: Floats
) -> tuple[Floats, Floats]:
    """Return the mean precision over RECALLS and the final recall (b,) under weights (I, b); -1 where no people.

    recalls: of no use where weights are no whole numbers. room: to compute in, for new memory takes as long as what is
    done in it.
    """
    count, resamples = runs.true.shape[0], len(people)
    if not count:
        return np.where(people > 0, 0.0, -1.0), np.where(people > 0, 0.0, -1.0)
    some = np.where(people > 0, people, np.nan)
    if recalls.reached is not None and count * (1 + ALONE / resamples) <= FEW:
        average, last = _of_few(runs.true @ weights, runs.scored @ weights, recalls.reached, recalls.row)
        return np.where(people > 0, average, -1.0), np.where(people > 0, last / some, -1.0)
    true, scored = (_running(matrix @ weights) for matrix in runs)
    precision = room[: resamples * (count + 1)].reshape(resamples, count + 1)
    head = _uncertain(scored)
    np.divide(true[:, :head], scored[:, :head] + np.spacing(1), out=precision[:, :head])
    np.divide(true[:, head:], scored[:, head:], out=precision[:, head:-1])
    precision[:, -1] = 0.0
    place = np.empty((resamples, len(RECALLS)), np.intp)
    if weights.dtype == np.uint16:
        for b, row in enumerate(true):
            place[b] = row.searchsorted(recalls.needed[b])
    else:
        for b, row in enumerate(true / some[:, None]):
            place[b] = row.searchsorted(RECALLS)
    place += (count + 1) * np.arange(resamples)[:, None]
    best = np.maximum.reduceat(precision.ravel(), place.ravel()).reshape(place.shape)
    average = np.maximum.accumulate(best[:, ::-1], axis=1).mean(axis=1)
    return np.where(people > 0, average, -1.0), np.where(people > 0, true[:, -1] / some, -1.0)


def _of_few(
    true: NDArray[Any], scored: NDArray[Any], reached: NDArray[np.uint8], row: NDArray[np.intp]
) -> tuple[Floats, NDArray[Any]]:
    """Return the mean precision over RECALLS, and how many are found (b,), of steps (R, b) of few runs.

    Row by row for all resamples at once; a run's precision then stands for as many of RECALLS as it is the first to
    reach.
    """
    count, resamples = true.shape
    for sums in (true, scored):
        for run in range(1, count):
            np.add(sums[run - 1], sums[run], out=sums[run])
    precision = np.empty((count + 1, resamples))
    head = _uncertain(scored.T)
    np.divide(true[:head], scored[:head] + np.spacing(1), out=precision[:head])
    np.divide(true[head:], scored[head:], out=precision[head:-1], dtype=np.float64)
    precision[-1] = 0.0
    for run in range(count - 1, -1, -1):
        np.maximum(precision[run], precision[run + 1], out=precision[run])
    most = reached.shape[1] - 1
    found = np.minimum(true, most) if true[-1].max() > most else true
    so_far = reached.ravel().take(found + (most + 1) * row)
    times = np.empty((resamples, count + 1), np.intp)
    times[:, -1] = so_far[0]
    np.subtract(so_far[:0:-1].T, so_far[-2::-1].T, out=times[:, 1:-1])
    np.subtract(len(RECALLS), so_far[-1], out=times[:, 0])
    best = np.repeat(precision[::-1].T.ravel(), times.ravel())
    return best.reshape(resamples, len(RECALLS)).mean(axis=1), true[-1]


def _uncertain(scored: NDArray[Any]) -> int:
    """Return how many columns of running sums (b, R) COCO's eps may change, a little: all below 2; all of shares."""
    count = scored.shape[1]
    if scored.dtype == np.float64:
        return count
    head = 1
    while head < count and scored[:, head].min(initial=2) < 2:
        head *= 2
    return min(head, count)


def _running(steps: NDArray[Any]) -> NDArray[Any]:
    """Return running sums (b, R) of steps (R, b), whole numbers where these are; along rows, not across them."""
    whole = np.int32 if steps.dtype == np.uint16 else np.float64
    return np.cumsum(cv2.transpose(steps), axis=1, dtype=whole)  # numpy takes five times as long to turn it


def _ten_numbers(precision: Floats, recall: Floats) -> dict[str, Floats]:
    """Name the means over thresholds of values (A, T, B), as `matching.summary` does."""

    def numbers() -> Iterator[tuple[str, Floats]]:
        for name, values in (("AP", precision), ("AR", recall)):
            yield name, values[0].mean(0)
            yield f"{name}50", values[0, 0]
            yield f"{name}75", values[0, 5]
            yield f"{name}M", values[1].mean(0)
            yield f"{name}L", values[2].mean(0)

    return dict(numbers())
