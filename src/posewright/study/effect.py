"""Effects: a change of a share, with what drawing the pictures anew makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from posewright.metrics.score import share
from posewright.scene import Floats

DRAWS = 10_000
LEVELS = (2.5, 5.0, 95.0, 97.5)
"""Percentiles: the outer two are the interval, the inner two decide on equivalence (two one-sided tests at 5 %)."""
MARGIN = 0.02
"""A change within this of 0 is called none."""
AT_ONCE = 1 << 22
"""Numbers in memory at a time."""


class Effect(NamedTuple):
    """Hold a number with its 95 % interval and the 90 % one that equivalence is judged by; NaN without data.

    asked: how many keypoints it rests on.
    """

    value: float
    low: float
    high: float
    low90: float
    high90: float
    asked: float

    def verdict(self, margin: float = MARGIN) -> str:
        """Say what a change comes to: "none" within the margin, "worse", "better", or "undecided"."""
        if not np.isfinite(self.value):
            return "no data"
        if -margin < self.low90 and self.high90 < margin:
            return "none"
        if self.high < 0:
            return "worse"
        return "better" if self.low > 0 else "undecided"


def effects(part: Floats, whole: Floats, draws: int = DRAWS, seed: int = 0) -> list[Effect]:
    """Return the share that `part` (S, M) is of `whole` (S, M), in all scenes together: M effects.

    The intervals are percentiles over `draws` bootstrap samples of the S scenes, the same for all M.
    """
    columns = max(1, AT_ONCE // draws)
    found: list[Effect] = []
    for start in range(0, part.shape[1], columns):
        some = np.s_[:, start : start + columns]
        value = share(np.ones((1, len(part))), part[some], whole[some])[0]
        drawn = np.concatenate([share(w, part[some], whole[some]) for w in weights(len(part), draws, seed)])
        bounds = _percentiles(drawn)
        low, low90, high90, high = bounds
        found += [
            Effect(*map(float, row)) for row in zip(value, low, high, low90, high90, whole[some].sum(0), strict=True)
        ]
    return found


def weights(scenes: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield how often each scene is drawn (B, S), some draws at a time; a seed always gives the same."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, 1000):
        count = min(1000, draws - start)
        yield rng.multinomial(scenes, np.full(scenes, 1 / scenes), count).astype(np.float64)


def _percentiles(drawn: Floats) -> Floats:
    """(4, M) LEVELS of every column; draws without data are left out, and columns without any are NaN."""
    bounds = np.percentile(drawn, LEVELS, axis=0)
    for column in np.flatnonzero(np.isnan(bounds).any(0)):
        known = drawn[np.isfinite(drawn[:, column]), column]
        bounds[:, column] = np.percentile(known, LEVELS) if len(known) else np.nan
    return np.asarray(bounds)
