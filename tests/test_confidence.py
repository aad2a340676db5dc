"""Numbers under weights against data that are really repeated, and intervals against what chance makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm
from scipy.stats import t as student

from posewright.metrics.oks.matching import RECALLS, Matches, summary
from posewright.metrics.score import Score, score_of, share
from posewright.metrics.trust import small_samples
from posewright.metrics.trust.confidence import compare, draw, holm, intervals
from posewright.metrics.trust.resampling import _needed, again_of, resampled


@st.composite
def matches(draw):
    """Draw matches of a few images: equal scores in different images, ignored ones, images without anybody."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, count = draw(st.integers(1, 6)), draw(st.integers(0, 40))
    hits, dropped = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0])), draw(st.sampled_from([0.0, 0.4, 1.0]))
    image = np.sort(rng.integers(images, size=count))
    score = rng.permutation(count) / max(count, 1)
    if draw(st.booleans()):
        rank = np.arange(count) - np.searchsorted(image, image)
        score = 1.0 - rank / 40
    person = np.where(rng.random((3, 10, count)) < hits, 0, -1)
    ignored = rng.random((3, 10, count)) < dropped
    true = (person >= 0) & ~ignored
    most = np.stack([[true[a, :, image == i].sum(0).max(initial=0) for a in range(3)] for i in range(images)])
    return Matches(image, score, person, ignored, most + rng.integers(0, 3, most.shape) * draw(st.booleans()))


def repeated(found: Matches, times: np.ndarray) -> Matches:
    """Put image i into the data times[i] times, all its copies as images of their own, side by side."""
    name = np.repeat(np.arange(len(times)), times)
    pieces = [np.flatnonzero(found.image == i) for i in name]
    copies = np.concatenate([*pieces, np.zeros(0, int)]).astype(int)
    image = np.repeat(np.arange(len(name)), [len(piece) for piece in pieces]).astype(int)
    return Matches(
        image, found.score[copies], found.person[..., copies], found.ignored[..., copies], found.counted[name]
    )


@given(matches(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=150)
def test_weights_are_the_same_as_images_that_are_really_repeated(found, seed):
    times = np.random.default_rng(seed).integers(0, 4, (5, len(found.counted)))
    times[0] = 1
    numbers = resampled(found, times.astype(float))
    for row, weights in enumerate(times):
        expected = summary(repeated(found, weights))
        assert list(numbers) == list(expected)
        for name, value in expected.items():
            assert numbers[name][row] == pytest.approx(value, rel=0, abs=1e-12), (name, weights)


@given(matches())
@settings(deadline=None, max_examples=30)
def test_only_the_proportions_of_weights_matter_and_chunks_leave_no_trace(found):
    weights = np.random.default_rng(0).integers(0, 4, (70, len(found.counted))).astype(float)
    again = again_of(found)
    whole, scaled = again(weights), again(weights * 0.375)
    for name, values in whole.items():
        np.testing.assert_allclose(scaled[name], values, rtol=0, atol=1e-12)
        np.testing.assert_allclose(again(weights[41:42])[name], values[41:42], rtol=0, atol=1e-15)


def shares(hits: np.ndarray, metric: str = "share") -> Score:
    """Score scenes of (S, N) hits by the share of all hits."""
    whole = np.full(len(hits), hits.shape[1])
    part = hits.sum(1)
    return score_of(lambda w: {metric: share(w, part, whole)}, len(hits), {"metric": metric, "scenes": len(hits)})


def test_a_share_of_independent_hits_has_the_binomial_interval():
    hits = np.arange(400)[:, None] < 280
    low, high = intervals(shares(hits), draws=40_000)["share"]
    expected = binom(400, 0.7).ppf([0.025, 0.975]) / 400
    np.testing.assert_allclose([low, high], expected, atol=1 / 400)
    wide = intervals(shares(hits), draws=40_000, level=0.99)["share"]
    np.testing.assert_allclose(wide, binom(400, 0.7).ppf([0.005, 0.995]) / 400, atol=1 / 400)


def test_the_interval_holds_the_truth_as_often_as_it_says_only_if_people_stay_in_their_scenes(rng):
    """Scenes are easy or hard for all of their 10 people alike, so that drawing people would be far too sure."""
    inside = {"scenes": 0, "people": 0}
    for trial in range(300):
        ease = rng.beta(2, 2, 60)[:, None]
        hits = rng.random((60, 10)) < ease
        for unit, table in (("scenes", hits), ("people", hits.reshape(-1, 1))):
            low, high = intervals(shares(table), draws=400, level=0.9, seed=trial)["share"]
            inside[unit] += low <= 0.5 <= high
    assert abs(inside["scenes"] / 300 - 0.9) < 3.5 * np.sqrt(0.9 * 0.1 / 300) + 1 / 60
    assert inside["people"] / 300 < 0.75


def test_draws_are_those_of_the_seed_alone(monkeypatch):
    weights = np.concatenate(list(draw(37, 600, seed=3)))
    assert weights.shape == (600, 37)
    assert (weights.sum(1) == 37).all()
    monkeypatch.setattr("posewright.metrics.trust.confidence.WEIGHTS_AT_ONCE", 37 * 7)
    np.testing.assert_array_equal(np.concatenate(list(draw(37, 600, seed=3))), weights)
    assert (np.concatenate(list(draw(37, 600, seed=4))) != weights).any()
    np.testing.assert_allclose(weights.var(0).mean(), 1 - 1 / 37, rtol=0.05)


def test_numbers_without_data_have_no_interval_and_draws_without_data_do_not_count():
    def again(weights):
        first = weights[:, 0]
        return {
            "AP": np.where(first > 0, 0.25, -1.0),
            "PCK": np.where(first > 0, 0.5, np.nan),
            "APL": np.full(len(weights), -1.0),
            "none": np.full(len(weights), np.nan),
        }

    found = intervals(score_of(again, 3, {"scenes": 3}), draws=500)
    assert found["AP"] == (0.25, 0.25)
    assert found["PCK"] == (0.5, 0.5)
    assert np.isnan([*found["APL"], *found["none"]]).all()
    same = compare(*[score_of(again, 3, {"scenes": 3})] * 2, draws=500)
    assert same["AP"] == (0.0, 0.0, 0.0, 1.0)
    assert np.isnan(same["APL"]).all()


def test_a_pair_is_told_apart_by_what_its_scenes_have_in_common(rng):
    hard = rng.random((300, 1)) < 0.5
    a = hard | (rng.random((300, 1)) < 0.2)
    apart = compare(shares(a), shares(hard), draws=5000)["share"]
    assert apart.value == pytest.approx(a.mean() - hard.mean(), abs=1e-15)
    assert 0 < apart.low < apart.value < apart.high
    assert apart.p < 2 / 5001, "no draw lies beyond 0: the tail is Student's, so that many comparisons can be corrected"
    back = compare(shares(hard), shares(a), draws=5000)["share"]
    np.testing.assert_allclose(back, (-apart.value, -apart.high, -apart.low, apart.p), atol=1e-14)
    shuffled = compare(shares(rng.permutation(a)), shares(hard), draws=5000)["share"]
    assert shuffled.high - shuffled.low > 2 * (apart.high - apart.low)


def test_chance_is_found_as_often_as_p_says_where_nothing_is_different(rng):
    p = [
        compare(shares(rng.random((80, 1)) < 0.6), shares(rng.random((80, 1)) < 0.6), draws=400, seed=trial)["share"].p
        for trial in range(400)
    ]
    for level in (0.05, 0.2, 0.5):
        found = np.mean(np.array(p) <= level)
        assert abs(found - level) < 3.5 * np.sqrt(level * (1 - level) / 400) + 0.01


def test_looking_at_many_numbers_finds_none_that_is_chance_but_one_time_in_twenty(rng):
    looks = rng.random((2000, 20))
    assert np.mean(looks.min(1) < 0.05) > 0.6
    found = np.array([holm(look.tolist()) for look in looks])
    assert abs(np.mean(found.min(1) < 0.05) - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / 2000)
    assert (found >= looks).all()
    np.testing.assert_allclose(found.min(1), np.minimum(1, 20 * looks.min(1)), rtol=1e-15)
    assert holm([0.2, 0.9, 0.8]) == pytest.approx([0.6, 1, 1])


def test_intervals_of_average_precision_are_those_of_repeating_and_scoring_anew(rng):
    image = np.repeat(np.arange(20), 4)
    person = np.where(rng.random((3, 10, 80)) < 0.6, 0, -1)
    found = Matches(image, rng.random(80), person, rng.random((3, 10, 80)) < 0.1, np.full((20, 3), 4))
    score = Score(summary(found), {"scenes": 20}, again_of(found))
    ends = intervals(score, draws=60, seed=5)
    plain = [summary(repeated(found, weights.astype(int))) for chunk in draw(20, 60, 5) for weights in chunk]
    for name, interval in ends.items():
        level = norm.cdf(student.ppf(0.025, 19) * np.sqrt(20 / 19))  # expanded percentiles, of 20 scenes
        expected = np.quantile([numbers[name] for numbers in plain], [level, 1 - level])
        np.testing.assert_allclose(interval, expected, rtol=0, atol=1e-12)


def test_progress_is_shown_in_chunks():
    seen = []
    intervals(shares(np.ones((5, 1), bool)), draws=700, track=lambda chunks: (seen.append(len(c)) or c for c in chunks))
    assert sum(seen) == 700
    assert len(seen) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: Score(s, s.protocol), "cannot be had again"),
        (lambda s: Score(s, {"metric": "share"}, s.again), "protocol's scenes"),
    ],
)
def test_scores_that_cannot_be_had_again_are_refused(change, message):
    score = shares(np.ones((4, 1), bool))
    with pytest.raises(ValueError, match=message):
        intervals(change(score))
    with pytest.raises(ValueError, match=message):
        compare(score, change(score))


def test_scores_that_do_not_belong_together_are_refused():
    score = shares(np.ones((4, 1), bool))
    with pytest.raises(ValueError, match="of 4 scenes, the other of 5"):
        compare(score, shares(np.ones((5, 1), bool)))
    with pytest.raises(ValueError, match="of share, the other of rate"):
        compare(score, shares(np.ones((4, 1), bool), "rate"))
    with pytest.raises(ValueError, match="draws must be"):
        intervals(score, draws=0)
    with pytest.raises(ValueError, match="level must be"):
        intervals(score, level=95)


def test_as_few_true_positives_are_asked_for_as_reach_each_recall():
    people = np.arange(12_000.0)
    needed = _needed(people)
    some = np.maximum(people, 1.0)[:, None]
    assert (needed / some >= RECALLS).all()
    assert ((needed - 1) / some < RECALLS).all()


@given(matches(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_whole_weights_give_the_same_bits_as_they_do_beside_a_share(found, seed):
    weights = np.random.default_rng(seed).integers(0, 3, (9, len(found.counted))).astype(float)
    weights[:3] = 0
    weights[1, 0] = weights[2, :2] = 1
    whole = resampled(found, weights)
    beside = resampled(found, np.vstack([weights, np.full((1, weights.shape[1]), 0.5)]))
    assert all((whole[name] == beside[name][:-1]).all() for name in whole)
    many = resampled(found, np.vstack([weights, np.full((1, weights.shape[1]), 3_000.0)]))
    assert all((whole[name] == many[name][:-1]).all() for name in whole)


def test_more_true_positives_than_people_reach_every_recall():
    found = Matches(np.array([0, 0, 1]), np.array([0.9, 0.8, 0.7]), np.zeros((1, 10, 3), int),
                    np.zeros((1, 10, 3), bool), np.array([[1], [1]]))  # fmt: skip
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    numbers = again_of(found, ranges=1)(weights)
    assert (numbers["AP"] == 1).all()
    np.testing.assert_allclose(numbers["AR"], [1.5, 2.0, 1.0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 4), st.booleans())
@settings(deadline=None, max_examples=60)
def test_draws_are_put_in_order_as_far_as_ends_look_and_are_left_as_they_were(seed, count, numbers, known):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 30, (count, numbers)) / 7
    if not known:
        drawn[rng.random(drawn.shape) < 0.2] = np.nan
    before, value, units = drawn.copy(), drawn[0], rng.uniform(2, 300, numbers)
    for level in (0.5, 0.9, 0.95):
        rows = small_samples.ordered(drawn, units, level)
        for higher in (level, 0.95):
            np.testing.assert_array_equal(
                small_samples.ends(drawn, value, units, higher, rows=rows),
                small_samples.ends(drawn, value, units, higher, rows=np.sort(before, axis=0)),
            )
        np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(before, axis=0))
    np.testing.assert_array_equal(drawn, before)
