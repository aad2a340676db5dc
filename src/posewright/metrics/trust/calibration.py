"""Whether scores mean what they say: reliability, expected calibration error, and the ROC of predicted visibility.

Guo et al., "On calibration of modern neural networks", ICML 2017, equations 2 to 5, with their 15 bins. Departures:
what comes true is not a class but a keypoint's being near enough, a person's OKS, or a keypoint's being seen; and
bins of equal counts (Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language
processing models", EMNLP 2015) stand beside those of equal width. First collect `Outcomes`, then ask them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from posewright.metrics.distance.distances import mean_of_known
from posewright.metrics.oks.matching import Flags, Places
from posewright.metrics.oks.similarity import Rules
from posewright.metrics.score import Protocol, Score, score_of
from posewright.metrics.trust.outcomes import Correct, Outcomes, keypoint_outcomes, person_outcomes, visibility_outcomes
from posewright.scene import Floats, Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

BINS = 15
"""How many bins Guo et al. use."""
Equal = Literal["width", "count"]
AT_ONCE, CELLS = 16, 1 << 22
"""How many resamples of an AUC are computed together, and how many numbers at most, which bounds the memory."""


class Reliability(NamedTuple):
    """Hold a reliability curve of M bins, scores in (low, high]: what was said, and how much of it came true.

    low, high, score (the mean), correct (the mean), amount: (M,); means are NaN in empty bins.
    """

    low: Floats
    high: Floats
    score: Floats
    correct: Floats
    amount: Places


class Roc(NamedTuple):
    """Hold an ROC curve: shares of the false and of the true ones with a score >= threshold, from (0, 0) to (1, 1).

    false, true, threshold: (N,), one point for every distinct score, after infinity. NaN where there are no such.
    """

    false: Floats
    true: Floats
    threshold: Floats


def keypoint_calibration(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    correct: Correct = "oks",
    threshold: float | None = None,
    bins: int = BINS,
    **rules: Unpack[Rules],
) -> Score:
    """Score how far the scores of keypoints are from the share of them that is near enough to the truth.

    See `calibration` for the numbers and `outcomes.keypoint_outcomes` for which keypoints count and when one is
    correct, and for what is raised.
    """
    return calibration(keypoint_outcomes(predicted, truth, correct, threshold, **rules), bins)


def person_calibration(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    threshold: float | None = None,
    bins: int = BINS,
    **rules: Unpack[Rules],
) -> Score:
    """Score how far the scores of people are from their OKS, or from the share of them that reach an OKS.

    See `calibration` for the numbers and `outcomes.person_outcomes` for who counts, and for what is raised.
    """
    return calibration(person_outcomes(predicted, truth, threshold, **rules), bins)


def visibility_auc(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score how well seen keypoints are told from hidden ones, by the area under the ROC curve.

    See `auc` for the numbers and `outcomes.visibility_outcomes` for what tells them apart, and for what is raised.
    """
    return auc(visibility_outcomes(predicted, truth, **rules))


def reliability(outcomes: Outcomes, bins: int = BINS, equal: Equal = "width") -> Reliability:
    """Return the curve of what came true over what was said, in bins of equal width or of equal counts.

    Equal scores share a bin, so that counts are equal only where scores are not.

    >>> outcomes = Outcomes.of(score=[0.2, 0.9, 0.9, 0.8], correct=[0, 1, 0, 1])
    >>> curve = reliability(outcomes, bins=2)
    >>> curve.score.round(3).tolist(), curve.correct.round(3).tolist(), curve.amount.tolist()
    ([0.2, 0.867], [0.0, 0.667], [1, 3])
    """
    edges = _edges(outcomes.score, bins, equal)
    place = _bin(outcomes.score, edges)
    count = np.bincount(place, minlength=bins)
    some = np.where(count, count, np.nan)
    score, correct = (np.bincount(place, values, bins) / some for values in (outcomes.score, outcomes.correct))
    return Reliability(edges[:-1], edges[1:], score, correct, count)


def calibration(outcomes: Outcomes, bins: int = BINS) -> Score:
    """Score how far scores are from what comes true: 0 is perfect.

        ECE = sum over bins of n_m / N |mean score_m - mean correct_m|,   MCE = the largest such difference

    "overconfidence", the mean score less the mean correct, negative where scores are too modest, comes first: it alone
    has an interval that holds. "ECE" and "MCE" have bins of equal width, "ECE_equal_counts" and "MCE_equal_counts" of
    equal counts. Chance alone keeps a bin's means apart, so ECE is too large where outcomes are few, and resamples add
    the same once more: "ECE_by_chance" is what perfect scores would have with the bins' variance between scenes, and
    "RMSCE" the root mean square of the differences without that variance (Kumar, Liang and Ma, "Verified uncertainty
    calibration", NeurIPS 2019, there of single outcomes). "ECE/left_knee" and "overconfidence/left_knee" are of one
    keypoint, "ECE/mean_of_keypoints" their plain mean; the pooled ECE is less where they err in different ways. NaN
    where there is no outcome. Under weights of scenes (`Score.again`) the bins' edges stay those of the data.
    """
    edges, equal_counts = (_edges(outcomes.score, bins, equal) for equal in ("width", "count"))
    widths, counts = _table(outcomes, edges), _table(outcomes, equal_counts)
    pooled, _ = _table(outcomes._replace(group=np.zeros_like(outcomes.group), names=()), edges)
    squares = pooled.multiply(pooled)

    def again(weights: Floats) -> dict[str, Floats]:
        gap, amount = _sums(widths, weights, bins)
        other_gap, other_amount = _sums(counts, weights, bins)
        numbers = {
            "overconfidence": _over(gap.sum((1, 2)), amount.sum((1, 2))),
            **_errors(gap.sum(1), amount.sum(1), ""),
            **_apart_from_chance(squares, weights, gap.sum(1), amount.sum(1)),
            **_errors(other_gap.sum(1), other_amount.sum(1), "_equal_counts"),
        }
        each = amount.sum(2)
        for g, name in enumerate(outcomes.names):
            numbers[f"overconfidence/{name}"] = _over(gap[:, g].sum(1), each[:, g])
            numbers[f"ECE/{name}"] = _over(np.abs(gap[:, g]).sum(1), each[:, g])
        if outcomes.names:
            numbers["ECE/mean_of_keypoints"] = mean_of_known(
                np.stack([numbers[f"ECE/{name}"] for name in outcomes.names], -1)
            )
        return numbers

    protocol: Protocol = {"metric": f"calibration of {outcomes.of_what}", "bins": bins, **outcomes.protocol}
    score = score_of(again, outcomes.scenes, protocol)
    return Score(score, protocol, again, [name for name in score if not name.startswith("overconfidence")])


def roc(outcomes: Outcomes) -> Roc:
    """Return the ROC curve of scores against what came true, which must be all or nothing.

    >>> roc(Outcomes.of(score=[0.9, 0.5, 0.5, 0.1], correct=[1, 1, 0, 0])).true.tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    true = _all_or_nothing(outcomes)
    threshold, place = np.unique(-outcomes.score, return_inverse=True)
    false_share, true_share = (
        np.append(0, np.cumsum(np.bincount(place[kind], minlength=len(threshold)))) / (kind.sum() or np.nan)
        for kind in (~true, true)
    )
    return Roc(false_share, true_share, np.append(np.inf, -threshold))


def auc(outcomes: Outcomes) -> Score:
    """Score by the area under the ROC curve: how often a true one's score is above a false one's, ties half.

    "AUC" is over all outcomes, "AUC/left_knee" of one keypoint, and "AUC/mean_of_keypoints" the plain mean of
    these, which the pooled one exceeds where it is rather keypoints than people that are told apart. 0.5 is
    chance; NaN where all came true or nothing did.
    Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006, section 7.
    """
    true = _all_or_nothing(outcomes)
    chosen = {"": np.ones(len(true), bool)}
    chosen |= {f"/{name}": outcomes.group == g for g, name in enumerate(outcomes.names)}
    tables = {f"AUC{name}": _ranking(outcomes, true, some) for name, some in chosen.items()}

    def again(weights: Floats) -> dict[str, Floats]:
        numbers = {name: _areas(*table, weights) for name, table in tables.items()}
        if outcomes.names:
            numbers["AUC/mean_of_keypoints"] = mean_of_known(
                np.stack([numbers[f"AUC/{k}"] for k in outcomes.names], -1)
            )
        return numbers

    protocol: Protocol = {
        "metric": f"ROC of {outcomes.of_what}",
        "true": int(true.sum()),
        "false": int((~true).sum()),
        **outcomes.protocol,
    }
    return score_of(again, outcomes.scenes, protocol)


def _edges(score: Floats, bins: int, equal: Equal) -> Floats:
    """Return the edges (M + 1,) of bins, which run from 0 to 1."""
    if bins < 1:
        raise ValueError(f"bins must be 1 or more, not {bins}")
    if equal not in ("width", "count"):
        raise ValueError(f"equal must be 'width' or 'count', not {equal!r}")
    steps = np.arange(bins + 1) / bins
    if equal == "count" and len(score):
        last = np.ceil(steps[1:-1] * len(score)).astype(int) - 1
        steps[1:-1] = np.sort(score)[np.maximum(last, 0)]
    return steps


def _bin(score: Floats, edges: Floats) -> Places:
    """Return the bins of scores, (low, high]; those outside of 0 to 1 are in the outermost."""
    return np.searchsorted(edges[1:-1], score)


def _table(outcomes: Outcomes, edges: Floats) -> list[Any]:
    """Return sparse (S, G M): what a scene adds to score less correct, and to the count, of every group's bins."""
    from scipy.sparse import csr_array  # takes a quarter of a second to import

    bins = len(edges) - 1
    cell = outcomes.group * bins + _bin(outcomes.score, edges)
    shape = (outcomes.scenes, max(len(outcomes.names), 1) * bins)
    return [
        csr_array((values, (outcomes.scene, cell)), shape=shape)
        for values in (outcomes.score - outcomes.correct, np.ones(len(cell)))
    ]


def _sums(table: list[Any], weights: Floats, bins: int) -> tuple[Floats, Floats]:
    """Return the two sums (B, G, M) of a table under weights (B, S)."""
    gap, amount = ((weights @ part).reshape(len(weights), -1, bins) for part in table)
    return gap, amount


def _errors(gap: Floats, amount: Floats, kind: str) -> dict[str, Floats]:
    far = np.abs(gap)
    largest = np.where(amount > 0, _over(far, amount), -np.inf).max(1)
    return {
        f"ECE{kind}": _over(far.sum(1), amount.sum(1)),
        f"MCE{kind}": np.where(np.isinf(largest), np.nan, largest),
    }


def _apart_from_chance(squares: Any, weights: Floats, gap: Floats, amount: Floats) -> dict[str, Floats]:
    """Return what chance alone gives for ECE, and the error that is left without it, of bins of equal width.

    squares: sparse (S, M), of what each scene adds to a bin's gap; gap, amount: (B, M), the latter of outcomes.
    """
    drawn = weights.sum(1, keepdims=True)
    spread = weights @ squares - _over(gap**2, np.broadcast_to(drawn, gap.shape))
    variance = np.maximum(spread, 0) * _over(drawn, drawn - 1)
    total = amount.sum(1)
    left = np.maximum(np.nan_to_num(_over(gap**2 - variance, amount)).sum(1), 0)
    return {
        "ECE_by_chance": _over(np.sqrt(2 / np.pi * variance).sum(1), total),
        "RMSCE": np.sqrt(_over(left, total)),
    }


def _over(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))


def _all_or_nothing(outcomes: Outcomes) -> Flags:
    true = outcomes.correct == 1
    if (outcomes.correct[~true] != 0).any():
        raise ValueError(f"{outcomes.of_what} are right in part; an ROC curve is of what is right or wrong")
    return true


def _ranking(outcomes: Outcomes, true: Flags, some: Flags) -> tuple[Any, Any]:
    """Return sparse (R, S): the true and the false ones of scenes, by runs of ascending scores.

    A run is of true ones alone, of false ones alone, or of one score that both have: inside it order does not matter.
    """
    scene, right = outcomes.scene[some], true[some]
    _, place = np.unique(outcomes.score[some], return_inverse=True)
    has = np.stack([np.bincount(place[kind], minlength=place.max(initial=-1) + 1) > 0 for kind in (right, ~right)])
    fresh = (has[:, 1:] != has[:, :-1]).any(0) | has[:, 1:].all(0)
    from scipy.sparse import csr_array

    run = np.append(0, np.cumsum(fresh))[place]
    shape = (int(run.max(initial=-1)) + 1, outcomes.scenes)
    ups, downs = (csr_array((np.ones(kind.sum()), (run[kind], scene[kind])), shape=shape) for kind in (right, ~right))
    return ups, downs


def _areas(true: Any, false: Any, weights: Floats) -> Floats:
    """Return the area under the curve (B,) under weights (B, S), some at a time."""
    step = int(np.clip(CELLS // max(true.shape[0], 1), 1, AT_ONCE))
    starts = range(0, len(weights), step)
    return np.concatenate([_area(true, false, weights[start : start + step].T) for start in starts])


def _area(true: Any, false: Any, weights: Floats) -> Floats:
    """Return the area under the curve (b,) under weights (S, b)."""
    columns = np.ascontiguousarray(weights)
    ups, downs = true @ columns, false @ columns
    below = np.cumsum(downs, axis=0) - downs / 2
    return _over((ups * below).sum(0), ups.sum(0) * downs.sum(0))
