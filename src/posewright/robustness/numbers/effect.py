"""Effects: a change of a share, with what drawing the pictures anew makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from posewright.metrics.score import share
from posewright.metrics.trust import small_samples
from posewright.metrics.trust.confidence import draw
from posewright.robustness.attacks.aside import let_go
from posewright.scene import Floats

DRAWS = 10_000
MARGIN = 0.02
"""A change within this of 0 is called none."""
LEAST = 3
"""Of the pictures, times the margin, for a change to be called none."""
CHANGED, OR_CHANGED = 6, 10
"""Pictures that must have changed for a change to be called clear, and that are enough to call one none."""
AT_ONCE = 1 << 22
"""Numbers in memory at a time."""

Pair = tuple[Floats, Floats]
NAN = float("nan")


class Effect(NamedTuple):
    """Hold a number with its 95 % interval and the 90 % one that equivalence is judged by; NaN without data.

    asked: how many keypoints it is of. p: the level at which the interval begins to hold 0, two-sided. pictures: how
    many pictures of equal weight would tell as much, (sum w)^2 / sum w^2; changed: in how many anything changed, or in
    groups of pictures where these are drawn. low_all, high_all: the interval that holds together with those of all
    numbers that it was measured beside, for whatever is quoted as the largest of them.
    """

    value: float
    low: float
    high: float
    low90: float
    high90: float
    asked: float
    p: float = NAN
    pictures: float = NAN
    changed: float = NAN
    low_all: float = NAN
    high_all: float = NAN

    def verdict(self, margin: float = MARGIN) -> str:
        """Say what a change comes to: "none" or "small" within the margin, "lower", "higher", "undecided"; "no data".

        none: the 90 % interval lies within the margin, and there are enough pictures to tell: where not one of n
        changed, up to 3 / n still may (the rule of three), of which a bootstrap knows nothing. small: that, and the
        95 % interval leaves 0. What leaves 0 is clear where at least CHANGED pictures changed: that five of five
        change to one side comes about by chance in 1 of 16 cases.
        """
        if not np.isfinite(self.value):
            return "no data"
        clear = (self.high < 0 or self.low > 0) and not self.changed < CHANGED
        known = np.isfinite(self.pictures)
        enough = (self.pictures if known else self.asked) * margin >= LEAST or self.changed >= OR_CHANGED
        if -margin < self.low90 and self.high90 < margin and enough:
            return "small" if clear else "none"
        if not clear:
            return "undecided"
        return "lower" if self.high < 0 else "higher"


class Sample(NamedTuple):
    """Say of M numbers what they rest on: asked (M,) keypoints, pictures (M,) and changed (M,) as of `Effect`."""

    asked: Floats
    pictures: Floats
    changed: Floats


def sample_of(part: Floats, whole: Floats) -> Sample:
    """Return what shares rest on; part and whole (S, M) of every scene."""
    total, square = whole.sum(0), (whole**2).sum(0)
    pictures = np.divide(total**2, square, out=np.zeros(len(total)), where=square > 0)
    return Sample(total, pictures, (part != 0).sum(0).astype(np.float64))


def effects(
    part: Floats,
    whole: Floats,
    draws: int = DRAWS,
    seed: int = 0,
    families: Sequence[object] | None = None,
    grouped: bool = False,
) -> list[Effect]:
    """Return the share that `part` (S, M) is of `whole` (S, M), in all scenes together: M effects.

    families (M,): numbers of one are looked at together, by default each alone; grouped: scenes are groups of pictures.
    """
    return effects_of_rows(part.T, whole.T, draws, seed, families, grouped)


def effects_of_rows(
    parts: Sequence[Floats] | Floats,
    wholes: Sequence[Floats] | Floats,
    draws: int = DRAWS,
    seed: int = 0,
    families: Sequence[object] | None = None,
    grouped: bool = False,
) -> list[Effect]:
    """Return `effects` of M rows (S,) each, which may lie in files (`aside`): memory holds a lot of them at a time."""
    if not len(parts):
        return []
    names = list(range(len(parts))) if families is None else list(families)
    found: dict[int, Effect] = {}
    for places in _together(names, max(1, AT_ONCE // max(draws, len(parts[0])))):
        part, whole = (np.array([rows[place] for place in places]).T for rows in (parts, wholes))
        let_go(rows[place] for rows in (parts, wholes) for place in places)
        again = partial(share, part=part, whole=whole)
        of = [names[place] for place in places]
        some = effects_of(again, sample_of(part, whole), len(part), draws, seed, of, grouped)
        found |= dict(zip(places, some, strict=True))
    return [found[place] for place in range(len(parts))]


def _together(names: Sequence[object], most: int) -> list[list[int]]:
    """Put numbers into lots of about `most`, none of a family apart from the others."""
    families: dict[object, list[int]] = {}
    for place, name in enumerate(names):
        families.setdefault(name, []).append(place)
    lots: list[list[int]] = []
    for places in families.values():
        if not lots or len(lots[-1]) + len(places) > most:
            lots.append([])
        lots[-1] += places
    return lots


def differences(first: Pair, second: Pair, draws: int = DRAWS, seed: int = 0, grouped: bool = False) -> list[Effect]:
    """Return how much larger the first pair's share is than the second's: M effects; each pair is a part and a whole.

    asked and pictures are the smaller of the two; changed counts scenes in which the two shares are made otherwise.
    """

    def again(drawn: Floats) -> Floats:
        return share(drawn, *first) - share(drawn, *second)

    a, b = sample_of(*first), sample_of(*second)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.nan_to_num(first[0] / first[1].sum(0)) - np.nan_to_num(second[0] / second[1].sum(0))
    changed = (abs(apart) > 1e-12).sum(0).astype(np.float64)
    sample = Sample(np.minimum(a.asked, b.asked), np.minimum(a.pictures, b.pictures), changed)
    return effects_of(again, sample, len(first[0]), draws, seed, grouped=grouped)


def effects_of(
    again: Callable[[Floats], Floats],
    sample: Sample,
    scenes: int,
    draws: int = DRAWS,
    seed: int = 0,
    families: Sequence[object] | None = None,
    grouped: bool = False,
) -> list[Effect]:
    """Return the effects of a function of the scenes' weights (B, S) that gives (B, M) numbers, as `Score.again` does.

    The intervals are of `draws` bootstrap samples of the scenes, the same for all M, as `small_samples` takes them and
    `confidence.compare`. Those for whatever is largest are by the 95 % quantile of max |d* - d| / sd over a family.
    """
    value = again(np.ones((1, scenes)))[0]
    drawn = np.concatenate([again(some) for some in _weights(scenes, draws, seed)])
    return told(value, drawn, sample, scenes, families, grouped)


def _weights(scenes: int, draws: int, seed: int) -> Iterable[Floats]:
    """Draw weights as `confidence.draw` does; what was drawn last is kept, where it is not much."""
    return _kept(scenes, draws, seed) if scenes * draws <= AT_ONCE else draw(scenes, draws, seed)


@lru_cache(maxsize=1)
def _kept(scenes: int, draws: int, seed: int) -> list[Floats]:
    return list(draw(scenes, draws, seed))


def told(
    value: Floats,
    drawn: Floats,
    sample: Sample,
    scenes: int,
    families: Sequence[object] | None = None,
    grouped: bool = False,
) -> list[Effect]:
    """Return the effects of numbers (M,) that are drawn (B, M) already; see `effects_of`."""
    units = np.where(np.isfinite(sample.pictures), sample.pictures, scenes)
    rows, spread = small_samples.ordered(drawn, units, 0.90), small_samples.spread(drawn)
    low, high = small_samples.ends(drawn, value, units, 0.95, grouped, rows)
    low90, high90 = small_samples.ends(drawn, value, units, 0.90, grouped, rows)
    p = small_samples.chance(drawn, value, units, sample.changed, spread)
    both = np.array([low, high])
    if families is not None:
        both = _simultaneous(drawn, value, spread, small_samples.wider(units, 0.95), families, (low, high))
    columns = zip(value, low, high, low90, high90, sample.asked, p, sample.pictures, sample.changed, *both, strict=True)
    return [Effect(*map(float, row)) for row in columns]


def _simultaneous(
    drawn: Floats, value: Floats, spread: Floats, wider: Floats, families: Sequence[object], own: Pair
) -> Floats:
    """(2, M) the ends of intervals that hold together with those of their family; alone, they are their own."""
    ends = np.array(own)
    members: dict[object, list[int]] = {}
    for c, name in enumerate(families):
        members.setdefault(name, [])
        if spread[c] > 0:
            members[name].append(c)
    for columns in members.values():
        if len(columns) > 1:
            away = np.nan_to_num(abs(drawn[:, columns] - value[columns]) / spread[columns])
            reach = np.quantile(away.max(1), 0.95) * spread[columns] * wider[columns]
            ends[:, columns] = value[columns] - reach, value[columns] + reach
    return ends
