"""How far a score can be trusted: bootstrap intervals, and a paired test of two predictions on the same truth.

The unit that is drawn anew is the scene, by `Score.again`: scenes are taken to be independent of each other and
drawn from what the score is to speak of, while people of one picture are not independent and stay together.
Frames of one video are not independent either: `clustered` draws videos whole, where intervals of frames held the
truth in 8 to 67 % of simulated data and called equal estimators different in 23 to 80 %. Intervals speak of other
pictures, not of another training of the network. The bootstrap is that of Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, section 13.3; of two systems on one test set as in Koehn, "Statistical significance tests for machine
translation evaluation", EMNLP 2004, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from posewright.metrics.score import Again, Score
from posewright.metrics.trust import small_samples
from posewright.pieces import Share
from posewright.scene import Floats

T = TypeVar("T")
Track = Callable[[Iterable[Floats]], Iterable[Floats]]
"""Wraps an iteration to show its progress, as `rich.progress.track` does."""

WEIGHTS_AT_ONCE = 1 << 21
"""How many weights are held at a time: 16 MiB."""
MOST_DRAWS_AT_ONCE = 256
GROUPS = "groups of pictures, whole"
"""What the protocol says is drawn, where it is no single scenes."""


class Interval(NamedTuple):
    """Hold the ends of an interval; NaN where the number has no data."""

    low: float
    high: float


class Difference(NamedTuple):
    """Say how much better one score is than another, between which ends, and how likely by chance (two-sided)."""

    value: float
    low: float
    high: float
    p: float


def intervals(
    score: Score, draws: int = 10_000, level: float = 0.95, seed: int = 0, track: Track = iter, share: Share = map
) -> dict[str, Interval]:
    """Return an interval for every number of a score: percentiles of its values on scenes drawn with replacement.

    In `level` of all data sets the interval holds the number that endless data would give, nearly: its ends are
    expanded percentiles (`small_samples`), with which 92 to 95 % of simulated intervals of 20 to 300 scenes hold it,
    but 83 to 91 % where nearly everything is right, and it cannot know of scenes that the data do not have (a share of
    1 has the interval from 1 to 1). A number that the score names as biased has none. A draw in which a number has no
    data, NaN or COCO's -1, does not count for it; both ends are NaN where the score itself has none.

    track wraps the chunks of draws, to show progress. share: what computes them, as `pieces.shared` gives it for a
    cluster. The same seed gives the same draws, for any score of as
    many scenes. Raises ValueError where the score cannot be had again, does not tell how many scenes it is of, or
    draws or level make no sense.
    """
    values, of = _drawn([score], draws, level, seed, track, share)[0], _scenes(score)
    grouped = score.protocol.get("drawn") == GROUPS
    ends = {name: _ends(values[name], _known(score[name]), level, of, grouped) for name in score if name in values}
    return {name: Interval(np.nan, np.nan) if name in score.biased else both for name, both in ends.items()}


def compare(
    a: Score,
    b: Score,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
    track: Track = iter,
    share: Share = map,
) -> dict[str, Difference]:
    """Compare two predictions of the same scenes, number by number: a minus b, on the same draws for both.

        p = 2 (1 + min(#{a* <= b*}, #{a* >= b*})) / (draws + 1), at most 1

    That is the level at which the percentile interval of the difference begins to hold 0. Of fewer than 60 scenes, and
    where no draw lies beyond 0, p is that of Student's t with the draws' deviation (`small_samples.chance`): as the
    percentiles' it would be below 0.05 in 6 to 11 % of comparisons of equal estimators. It is 1 where the two
    predictions are the same. Scenes that both find
    easy or hard cancel out, which is why the interval is much narrower than those of a and b would suggest. Of
    many numbers that are compared, one in twenty has p < 0.05 by chance: name the one that matters beforehand,
    or ask `holm`.

    Assumes that both scores are of the same scenes in the same order. Numbers that only one of them has are left
    out. Otherwise, and in what is raised, as `intervals`; ValueError also where scenes or metrics are not the same.
    """
    _comparable(a, b)
    drawn_a, drawn_b = _drawn([a, b], draws, level, seed, track, share)
    of, grouped = _scenes(a), a.protocol.get("drawn") == GROUPS
    found = {}
    for name in (name for name in a if name in b and name in drawn_a and name in drawn_b):
        away = drawn_a[name] - drawn_b[name]
        value = _known(a[name]) - _known(b[name])
        found[name] = Difference(float(value), *_ends(away, value, level, of, grouped), _chance(away, value, of))
    return found


def clustered(score: Score, of: Sequence[Any]) -> Score:
    """Return a score whose scenes are drawn in groups: of (S,) which video, instant or subject each scene is of.

    Raises ValueError where it is not of as many scenes, or cannot be had again.
    """
    if len(of) != _scenes(score):
        raise ValueError(f"groups are of {len(of)} scenes, the score of {_scenes(score)}")
    names = {name: place for place, name in enumerate(dict.fromkeys(of))}
    place = np.array([names[name] for name in of])
    again = score.again
    assert again is not None
    told = {**score.protocol, "pictures": len(place), "scenes": len(names), "drawn": GROUPS}
    return Score(score, told, lambda weights: again(weights[:, place]), score.biased)


def holm(p: Sequence[float]) -> list[float]:
    """Return the p of numbers that are looked at together, so that one in twenty such looks finds any below 0.05.

    The smallest of m is multiplied by m, the next by m - 1 and so on, none below one before it, at most 1; NaN is
    not among the m and stays. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
    of Statistics 1979. Draws must be many times m, since 2 m / (draws + 1) is the least that can come out.

    >>> holm([0.02, 0.3, float("nan"), 0.01])
    [0.04, 0.3, nan, 0.03]
    """
    adjusted, most = list(p), 0.0
    order = sorted((i for i, value in enumerate(p) if not np.isnan(value)), key=p.__getitem__)
    for rank, i in enumerate(order):
        adjusted[i] = most = min(1.0, max(most, (len(order) - rank) * p[i]))
    return adjusted


def draw(scenes: int, draws: int, seed: int = 0) -> Iterator[Floats]:
    """Draw scenes with replacement, again and again: weights (B, S), in chunks that together hold `draws` rows.

    >>> [weights.shape for weights in draw(3, 300)]
    [(256, 3), (44, 3)]
    >>> next(draw(5, 2)).sum(axis=1)
    array([5., 5.])
    """
    rng = np.random.default_rng(seed)
    most = int(np.clip(WEIGHTS_AT_ONCE // scenes, 1, MOST_DRAWS_AT_ONCE))
    for start in range(0, draws, most):
        rows = min(most, draws - start)
        places = rng.integers(scenes, size=(rows, scenes)) + scenes * np.arange(rows)[:, None]
        yield np.bincount(places.ravel(), minlength=rows * scenes).reshape(rows, scenes).astype(np.float64)


def _drawn(
    scores: list[Score], draws: int, level: float, seed: int, track: Track, share: Share
) -> list[dict[str, Floats]]:
    """Return for every score its numbers (draws,) by name, NaN where a draw has no data."""
    if draws < 1:
        raise ValueError(f"draws must be 1 or more, not {draws}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    work = partial(_again, [again for score in scores if (again := score.again) is not None])
    chunks = zip(*share(work, track(draw(_scenes(scores[0]), draws, seed))), strict=True)
    return [{name: _known(np.concatenate([part[name] for part in some])) for name in some[0]} for some in chunks]


def _again(agains: Sequence[Again], weights: Floats) -> list[dict[str, Floats]]:
    return [again(weights) for again in agains]


def _scenes(score: Score) -> int:
    metric = score.protocol.get("metric", "the score")
    if score.again is None:
        raise ValueError(f"{metric}: its numbers cannot be had again from scenes drawn anew (Score.again is None)")
    scenes = score.protocol.get("scenes")
    if not isinstance(scenes, int) or scenes < 1:
        raise ValueError(f"{metric}: the protocol's scenes must be how many there are, not {scenes!r}")
    return scenes


def _comparable(a: Score, b: Score) -> None:
    if _scenes(a) != _scenes(b):
        raise ValueError(f"one score is of {_scenes(a)} scenes, the other of {_scenes(b)}; compare the same scenes")
    metrics = [score.protocol.get("metric") for score in (a, b)]
    if metrics[0] != metrics[1]:
        raise ValueError(f"one score is of {metrics[0]}, the other of {metrics[1]}; compare the same metric")
    if not a.keys() & b.keys():
        raise ValueError(f"the scores have no number in common: {', '.join(a)} and {', '.join(b)}")


def _known(value: Any) -> Any:
    """Put NaN where a number has no data: NaN already, or -1."""
    return np.where(np.equal(value, -1.0), np.nan, value)


def _ends(values: Floats, value: float, level: float, units: int, grouped: bool) -> Interval:
    some = values[~np.isnan(values)]
    if np.isnan(value) or not len(some):
        return Interval(np.nan, np.nan)
    found = small_samples.ends(some[:, None], np.array([value]), np.array([float(units)]), level, grouped)
    return Interval(*found[:, 0].tolist())


def _chance(away: Floats, value: float, units: int) -> float:
    some = away[~np.isnan(away)]
    if np.isnan(value) or not len(some):
        return float("nan")
    return float(small_samples.chance(some[:, None], np.array([value]), np.array([float(units)]))[0])
