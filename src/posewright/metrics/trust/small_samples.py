"""Small samples: ends of intervals and p of bootstrap draws, honest where few units were drawn.

A percentile interval of n units is too narrow, by the factor sqrt(1 - 1/n) and by what a normal quantile is less than
Student's. Its ends are moved outwards to the levels Phi(-sqrt(n / (n - 1)) t) ("expanded percentiles", Hesterberg,
"What teachers should know about the bootstrap", The American Statistician 2015, section 5). Of fewer than CLUSTERS
groups of pictures the interval is value +- t sqrt(n / (n - 1)) sd, and below NORMAL units p is that of the same t.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from posewright.scene import Floats

NORMAL = 60
"""Units below which p is of a t."""
CLUSTERS = 20
"""Groups below which an interval is of a t."""


def ends(
    drawn: Floats,
    value: Floats,
    units: Floats,
    level: float = 0.95,
    grouped: bool = False,
    rows: Floats | None = None,
) -> Floats:
    """(2, M) the ends of the intervals of numbers (M,) with draws (B, M), of so many units (M,) each.

    Draws without data (NaN) do not count; without any, or where the number has none, the ends are NaN. rows: the draws
    of every number in order, as `ordered` gives them for this level or a lower one, where they are at hand.
    """
    known = np.isfinite(drawn).sum(0)
    far, levels = _levels(units, level)
    rows = ordered(drawn, units, level) if rows is None else rows
    place = levels * np.maximum(known - 1, 0)
    below = np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    columns = np.arange(drawn.shape[1])
    low, high = rows[below, columns], rows[above, columns]
    found = low + (high - low) * (place - below)
    if grouped:
        few = (units < CLUSTERS) & (known > 0)
        reach = far * spread(drawn)
        found = np.where(few, np.array([value - reach, value + reach]), found)
    return np.where((known > 0) & np.isfinite(value), found, np.nan)


def ordered(drawn: Floats, units: Floats, level: float) -> Floats:
    """(B, M) draws in order, NaN last, as far as `ends` at this level or a higher one looks; between, in any order."""
    rows = np.array(drawn.T, order="C")  # a copy, even of one column
    place = _levels(units, level)[1] * (len(drawn) - 1)
    low, high = int(np.nanmax(place[0], initial=0)) + 1, int(np.nanmin(place[1], initial=len(drawn) - 1))
    if not 2 * low < high or np.isnan(drawn).any():
        rows.sort(axis=1)
    else:
        rows.partition((low, high), axis=1)
        rows[:, : low + 1].sort(axis=1)
        rows[:, high:].sort(axis=1)
    return rows.T


def _levels(units: Floats, level: float) -> tuple[Floats, Floats]:
    """(M,) how many deviations a normal interval would reach, and (2, M) the levels of the ends."""
    from scipy.special import ndtr  # scipy takes half a second to import

    far = wider(units, level) * _normal(level)
    return far, np.clip(ndtr(np.array([-far, far])), 0.0, 1.0)


def chance(
    drawn: Floats, value: Floats, units: Floats, changed: Floats | None = None, sd: Floats | None = None
) -> Floats:
    """(M,) p, two-sided, that numbers differ from 0: the level at which the interval begins to hold it.

    Of NORMAL units and more 2 (1 + min(#{d* <= 0}, #{d* >= 0})) / (draws + 1); where no draw lies beyond 0, and below
    NORMAL, that of |d| / (sqrt(n / (n - 1)) sd) by Student's t. changed (M,): units that are not 0, of which k leave p
    at 2^(1 - k) at least, the sign test's. sd: the draws' `spread`, where it is at hand. NaN where no draw has data.
    """
    from scipy.special import stdtr

    known = np.isfinite(drawn).sum(0)
    few = np.minimum((drawn <= 0).sum(0), (drawn >= 0).sum(0))
    counted = np.minimum(1.0, 2 * (1 + few) / (known + 1))
    sd, freedom = spread(drawn) if sd is None else sd, np.maximum(units - 1, 1e-9)
    with np.errstate(invalid="ignore", divide="ignore"):
        far = abs(value) / (sd * np.sqrt(np.maximum(units, 1 + 1e-9) / freedom))
    by_t = np.where(sd > 0, 2 * stdtr(freedom, -np.nan_to_num(far)), np.where(value == 0, 1.0, 0.0))
    small = units < NORMAL
    found = np.where(small, by_t, np.where(few == 0, np.minimum(counted, by_t), counted))
    if changed is None:
        found = np.where(sd > 0, found, counted)
    else:
        found = np.maximum(found, np.where(np.isfinite(changed), 2.0 ** (1 - np.nan_to_num(changed)), 0.0))
    return np.where((known > 0) & np.isfinite(value), np.minimum(found, 1.0), np.nan)


def spread(drawn: Floats) -> Floats:
    """(M,) the standard deviation of draws (B, M); 0 where there are none, or where they differ by rounding alone."""
    known = np.isfinite(drawn)
    count = np.maximum(known.sum(0), 1)
    if known.all():
        away = drawn - drawn.sum(0) / count
    else:
        mean = np.where(known, drawn, 0.0).sum(0) / count
        away = np.where(known, drawn - mean, 0.0)
    sd = np.sqrt((away**2).sum(0) / count)
    return np.where(sd > 1e-12, sd, 0.0)


def wider(units: Floats, level: float) -> Floats:
    """(M,) by how much wider than a normal interval one of so many units is: sqrt(n / (n - 1)) t / z."""
    from scipy.special import stdtrit  # what scipy.stats asks, which takes three quarters of a second to import

    least = np.maximum(units, 1 + 1e-9)
    return np.asarray(np.sqrt(least / (least - 1)) * stdtrit(least - 1, (1 + level) / 2) / _normal(level))


def _normal(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
