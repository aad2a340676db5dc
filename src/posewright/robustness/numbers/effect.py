"""Effects: a change of a share, with what drawing the pictures anew makes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from posewright.metrics.score import share
from posewright.metrics.trust.confidence import draw
from posewright.scene import Floats

DRAWS = 10_000
LEVELS = (2.5, 5.0, 95.0, 97.5)
"""Percentiles: the outer two are the interval, the inner two decide on equivalence (two one-sided tests at 5 %)."""
MARGIN = 0.02
"""A change within this of 0 is called none."""
LEAST = 3
"""Of what is asked, times the margin, for a change to be called none."""
AT_ONCE = 1 << 22
"""Numbers in memory at a time."""

Pair = tuple[Floats, Floats]


class Effect(NamedTuple):
    """Hold a number with its 95 % interval and the 90 % one that equivalence is judged by; NaN without data.

    asked: how many keypoints it is of. p: the level at which the interval begins to hold 0, two-sided.
    """

    value: float
    low: float
    high: float
    low90: float
    high90: float
    asked: float
    p: float = float("nan")

    def verdict(self, margin: float = MARGIN) -> str:
        """Say what a change comes to: "none" within the margin, "lower", "higher", or "undecided"; "no data".

        none: the 90 % interval lies within the margin, and there is enough to tell: where not one of n changed, up
        to 3 / n still may (the rule of three), of which a bootstrap knows nothing.
        """
        if not np.isfinite(self.value):
            return "no data"
        if -margin < self.low90 and self.high90 < margin and self.asked * margin >= LEAST:
            return "none"
        if self.high < 0:
            return "lower"
        return "higher" if self.low > 0 else "undecided"


def effects(part: Floats, whole: Floats, draws: int = DRAWS, seed: int = 0) -> list[Effect]:
    """Return the share that `part` (S, M) is of `whole` (S, M), in all scenes together: M effects."""
    columns = max(1, AT_ONCE // draws)
    found: list[Effect] = []
    for start in range(0, part.shape[1], columns):
        some = np.s_[:, start : start + columns]
        again = partial(share, part=part[some], whole=whole[some])
        found += effects_of(again, whole[some].sum(0), len(part), draws, seed)
    return found


def differences(first: Pair, second: Pair, draws: int = DRAWS, seed: int = 0) -> list[Effect]:
    """Return how much larger the first pair's share is than the second's: M effects; each pair is a part and a whole.

    asked is the smaller of the two counts.
    """

    def again(drawn: Floats) -> Floats:
        return share(drawn, *first) - share(drawn, *second)

    asked = np.minimum(first[1].sum(0), second[1].sum(0))
    return effects_of(again, asked, len(first[0]), draws, seed)


def effects_of(
    again: Callable[[Floats], Floats], asked: Floats, scenes: int, draws: int = DRAWS, seed: int = 0
) -> list[Effect]:
    """Return the effects of a function of the scenes' weights (B, S) that gives (B, M) numbers, as `Score.again` does.

    The intervals are percentiles over `draws` bootstrap samples of the scenes, the same for all M, and the same as
    `confidence.compare` takes. asked (M,).
    """
    value = again(np.ones((1, scenes)))[0]
    drawn = np.concatenate([again(some) for some in draw(scenes, draws, seed)])
    low, low90, high90, high = _percentiles(np.ascontiguousarray(drawn.T))
    rows = zip(value, low, high, low90, high90, asked, _levels(drawn), strict=True)
    return [Effect(*map(float, row)) for row in rows]


def _levels(drawn: Floats) -> Floats:
    """(M,) p of each column of (draws, M) as `confidence.compare` has it; NaN where no draw has data."""
    known = np.isfinite(drawn).sum(0)
    few = np.minimum((drawn <= 0).sum(0), (drawn >= 0).sum(0))
    return np.where(known > 0, np.minimum(1.0, 2 * (1 + few) / (known + 1)), np.nan)


def _percentiles(drawn: Floats) -> Floats:
    """(4, M) LEVELS of every row (M, draws); draws without data are left out, and rows without any are NaN."""
    bounds = np.percentile(drawn, LEVELS, axis=1)
    for row in np.flatnonzero(np.isnan(bounds).any(0)):
        known = drawn[row, np.isfinite(drawn[row])]
        bounds[:, row] = np.percentile(known, LEVELS) if len(known) else np.nan
    return np.asarray(bounds)
