"""Trust in numbers of poses: over sequences, never over frames, which are not independent of each other.

Frames drawn one by one give intervals that hold the truth in 8 to 67 of 100 cases instead of 95. From twenty sequences
on they are drawn anew, as pictures are (`trust.confidence`); below, Student's t over the numbers of each
sequence, every one counting the same, holds it in 92 to 95 of 100.
"""

from __future__ import annotations

import numpy as np

from posewright.metrics.score import Score
from posewright.metrics.trust.confidence import Difference, Interval, Track, compare, intervals
from posewright.scene import Floats

FEW = 20
"""Sequences below which Student's t takes the place of drawing anew."""


def of_each(score: Score) -> dict[str, Floats]:
    """Return every number (S,) of each sequence by itself, NaN where it has no data."""
    if score.again is None:
        raise ValueError(f"{score.protocol.get('metric')}: its numbers cannot be had of each sequence")
    return score.again(np.eye(int(score.protocol["scenes"])))


def over_sequences(
    score: Score, draws: int = 10_000, level: float = 0.95, seed: int = 0, track: Track = iter
) -> dict[str, Interval]:
    """Return an interval for every number of a score: by `intervals`, or below FEW sequences by Student's t.

        mean_s +- t sd_s / sqrt(S)

    Those are of the mean over sequences. What counts is how many sequences have data for the number, as an action that
    is done in three of thirty. With one, both ends are NaN: it says nothing of others.
    """
    each = of_each(score)
    many = any(_count(values) >= FEW for values in each.values())
    drawn = intervals(score, draws, level, seed, track) if many else {}
    few = {name: Interval(*_student(values, level)) for name, values in each.items()}
    return {name: drawn[name] if _count(each[name]) >= FEW else few[name] for name in score}


def paired_over_sequences(
    a: Score, b: Score, draws: int = 10_000, level: float = 0.95, seed: int = 0, track: Track = iter
) -> dict[str, Difference]:
    """Compare two predictions of the same poses, a minus b: by `compare`, or below FEW sequences by a paired t test.

    value is the mean over sequences then. Raises ValueError where the scores are not of the same sequences.
    """
    if a.protocol["scenes"] != b.protocol["scenes"] or a.protocol["metric"] != b.protocol["metric"]:
        raise ValueError("the two scores are not of the same metric and the same sequences")
    first, second = of_each(a), of_each(b)
    away = {name: first[name] - second[name] for name in a if name in b}
    many = any(_count(values) >= FEW for values in away.values())
    drawn = compare(a, b, draws, level, seed, track) if many else {}
    return {name: drawn[name] if _count(values) >= FEW else _difference(values, level) for name, values in away.items()}


def method_of(score: Score) -> str:
    """Say how the intervals of a score were made."""
    count = int(score.protocol["scenes"])
    if count >= FEW:
        return f"{count} sequences drawn with replacement; of what rests on fewer than {FEW}, Student's t over them"
    return f"Student's t over {count} sequences" if count > 1 else "none: one sequence says nothing of others"


def _count(values: Floats) -> int:
    return int(np.isfinite(values).sum())


def _difference(away: Floats, level: float) -> Difference:
    known = away[np.isfinite(away)]
    return Difference(float(known.mean()) if len(known) else float("nan"), *_student(away, level), _chance(known))


def _student(values: Floats, level: float) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    from scipy import stats  # takes a second to import

    reach = stats.t.ppf((1 + level) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known))
    return float(known.mean() - reach), float(known.mean() + reach)


def _chance(away: Floats) -> float:
    """Return the p of a paired t test, two-sided; 1 where nothing differs."""
    if len(away) < 2:
        return float("nan")
    if not away.any():
        return 1.0
    from scipy import stats

    spread = away.std(ddof=1)
    return float(2 * stats.t.sf(abs(away.mean()) * np.sqrt(len(away)) / spread, len(away) - 1)) if spread else 0.0
