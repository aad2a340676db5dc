"""Calibration and ROC against sums written out, scipy's rank statistic, and predictions whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from posewright.metrics.oks.similarity import oks
from posewright.metrics.trust.calibration import (
    auc,
    calibration,
    keypoint_calibration,
    person_calibration,
    reliability,
    roc,
    visibility_auc,
)
from posewright.metrics.trust.confidence import Interval, intervals
from posewright.metrics.trust.outcomes import Outcomes, couples, keypoint_outcomes, person_outcomes, visibility_outcomes
from posewright.report import scores, tables
from posewright.scene import HIDDEN, SEEN, Person, Scene
from posewright.skeleton import COCO, LSP

COUNT = len(COCO)


@st.composite
def statements(draw):
    """Draw scores, often equal and on the edges of bins, with outcomes in a few scenes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 60))
    score = rng.integers(0, 11, size) / 10 if draw(st.booleans()) else rng.random(size)
    correct = rng.random(size) < draw(st.sampled_from([0.0, 0.3, 0.9, 1.0]))
    return Outcomes.of(score, correct, rng.integers(0, 7, size))


def written_out(outcomes, bins):
    """ECE and MCE by Guo et al., equations 3 and 5, a bin at a time."""
    far, sizes = [], []
    for m in range(1, bins + 1):
        inside = (outcomes.score > (m - 1) / bins) & (outcomes.score <= m / bins)
        inside |= (outcomes.score == 0) & (m == 1)
        if inside.any():
            far.append(abs(outcomes.correct[inside].mean() - outcomes.score[inside].mean()))
            sizes.append(inside.sum())
    return np.dot(far, sizes) / sum(sizes), max(far)


def chosen(outcomes, times):
    """Put scene i into the data times[i] times."""
    rows = np.concatenate([np.flatnonzero(outcomes.scene == s) for s, n in enumerate(times) for _ in range(n)] or [[]])
    rows = rows.astype(int)
    return Outcomes.of(outcomes.score[rows], outcomes.correct[rows])


@given(statements(), st.sampled_from([1, 2, 10, 15]))
@settings(deadline=None)
def test_calibration_error_is_the_sum_over_bins(outcomes, bins):
    score = calibration(outcomes, bins)
    assert (score["ECE"], score["MCE"]) == pytest.approx(written_out(outcomes, bins), abs=1e-12)
    assert score["overconfidence"] == pytest.approx(outcomes.score.mean() - outcomes.correct.mean(), abs=1e-12)
    for kind, equal in (("", "width"), ("_equal_counts", "count")):
        curve = reliability(outcomes, bins, equal)
        far = np.abs(curve.score - curve.correct)
        assert curve.amount.sum() == len(outcomes.score)
        assert score[f"ECE{kind}"] == pytest.approx(np.nansum(far * curve.amount) / curve.amount.sum(), abs=1e-12)
        assert score[f"MCE{kind}"] == pytest.approx(np.nanmax(far), abs=1e-12)


def test_bins_of_equal_counts_have_equal_counts_and_keep_equal_scores_together(rng):
    curve = reliability(Outcomes.of(rng.random(60) ** 3, np.ones(60)), 15, "count")
    assert curve.amount.tolist() == [4] * 15
    assert (np.diff(curve.score) > 0).all()
    tied = reliability(Outcomes.of([0.5] * 9 + [0.7], [1] * 5 + [0] * 5), 5, "count")
    assert tied.amount[tied.amount > 0].tolist() == [9, 1]


@given(statements())
@settings(deadline=None)
def test_area_is_the_rank_statistic_and_the_curve_s_own(outcomes):
    true = outcomes.correct == 1
    score = auc(outcomes)
    curve = roc(outcomes)
    if true.all() or not true.any():
        assert np.isnan(score["AUC"])
        assert np.isnan([*curve.false, *curve.true]).any()
        return
    statistic = mannwhitneyu(outcomes.score[true], outcomes.score[~true]).statistic
    assert score["AUC"] == pytest.approx(statistic / (true.sum() * (~true).sum()), abs=1e-12)
    steps = np.diff(curve.false) * (curve.true[1:] + curve.true[:-1]) / 2
    assert score["AUC"] == pytest.approx(steps.sum(), abs=1e-12)
    assert (curve.false[[0, -1]].tolist(), curve.true[[0, -1]].tolist()) == ([0, 1], [0, 1])
    for false_share, true_share, threshold in zip(*curve, strict=True):
        assert true_share == (outcomes.score[true] >= threshold).mean()
        assert false_share == (outcomes.score[~true] >= threshold).mean()


def test_areas_are_the_same_however_many_resamples_are_computed_together(rng, monkeypatch):
    outcomes = Outcomes.of(rng.integers(0, 40, 300) / 40, rng.random(300) < 0.6, np.sort(rng.integers(0, 20, 300)))
    weights = rng.integers(0, 4, (50, 20)).astype(float)
    expected = auc(outcomes).again(weights)["AUC"]
    assert len(set(expected)) > 40
    monkeypatch.setattr("posewright.metrics.trust.calibration.CELLS", 70)
    np.testing.assert_array_equal(auc(outcomes).again(weights)["AUC"], expected)


@given(statements(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_weights_are_the_same_as_scenes_that_are_really_repeated(outcomes, seed):
    times = np.random.default_rng(seed).integers(0, 4, (40, outcomes.scenes))
    errors, areas = calibration(outcomes).again(times.astype(float)), auc(outcomes).again(times.astype(float))
    for row, weights in enumerate(times[[0, 7, 39]]):
        repeated = chosen(outcomes, weights)
        expected = calibration(repeated)
        found = {name: values[[0, 7, 39][row]] for name, values in (errors | areas).items()}
        for name in ("ECE", "MCE", "overconfidence"):
            assert found[name] == pytest.approx(expected[name], abs=1e-12, nan_ok=True)
        assert found["AUC"] == pytest.approx(auc(repeated)["AUC"], abs=1e-12, nan_ok=True)


def test_scores_that_are_probabilities_are_calibrated_and_powers_of_them_are_not(rng):
    chance = rng.random(40_000)
    correct = rng.random(40_000) < chance
    assert calibration(Outcomes.of(chance, correct))["ECE"] < 0.01
    modest = calibration(Outcomes.of(chance**2, correct))
    assert modest["ECE"] == pytest.approx(1 / 2 - 1 / 3, abs=0.01)
    assert modest["overconfidence"] == pytest.approx(1 / 3 - 1 / 2, abs=0.01)
    low, high = intervals(calibration(Outcomes.of(chance[:400] ** 2, correct[:400])), draws=500)["overconfidence"]
    assert low < 1 / 3 - 1 / 2 < high


def simulated(rng, scenes, wrong=0.0, each=17):
    """Outcomes of so many scenes whose scores are right by `wrong` too little."""
    score = rng.uniform(wrong, 1, scenes * each)
    return Outcomes.of(score, rng.random(len(score)) < score - wrong, np.repeat(np.arange(scenes), each))


def test_chance_is_told_beside_the_calibration_error():
    """Of 340 outcomes of perfect scores ECE is what chance gives, and half of it at most is left without."""
    found = [calibration(simulated(np.random.default_rng(seed), 20)) for seed in range(200)]
    mean = {name: np.mean([score[name] for score in found]) for name in ("ECE", "ECE_by_chance", "RMSCE")}
    assert mean["ECE"] > 0.05
    assert mean["ECE_by_chance"] == pytest.approx(mean["ECE"], rel=0.1)
    assert mean["RMSCE"] < mean["ECE"] / 2 + 0.005


@pytest.mark.parametrize(("scenes", "near"), [(20, 0.025), (100, 0.01)])
def test_the_error_without_chance_is_the_true_one(scenes, near):
    found = [calibration(simulated(np.random.default_rng(seed), scenes, 0.08))["RMSCE"] for seed in range(100)]
    assert np.mean(found) == pytest.approx(0.08, abs=near)


def test_the_error_without_chance_is_that_of_sums_by_scene(rng):
    """Written out for one bin: the squared sum less its variance between scenes."""
    outcomes = simulated(rng, 9, 0.3)
    by_scene = np.array([(outcomes.score - outcomes.correct)[outcomes.scene == s].sum() for s in range(9)])
    total, variance = by_scene.sum(), 9 * by_scene.var(ddof=1)
    score = calibration(outcomes, bins=1)
    assert score["RMSCE"] == pytest.approx(np.sqrt(total**2 - variance) / len(outcomes.score))
    assert score["ECE_by_chance"] == pytest.approx(np.sqrt(2 / np.pi * variance) / len(outcomes.score))


def test_calibration_errors_have_no_interval_and_overconfidence_has(rng):
    found = intervals(calibration(simulated(rng, 30)), draws=200)
    assert np.isnan([*found["ECE"], *found["MCE"], *found["RMSCE"]]).all()
    assert np.isfinite(found["overconfidence"]).all()
    assert next(iter(found)) == "overconfidence"


def person(shift=0.0, **fields):
    """A person of 100 px whose keypoints all lie `shift` px (K,) to the right of where they should."""
    xy = POSE + np.stack([np.broadcast_to(shift, COUNT), np.zeros(COUNT)], 1)
    return Person(xy, area=100.0**2, box=np.array([0.0, 0, 100, 100]), **fields)


POSE = np.random.default_rng(1).uniform(0, 100, (COUNT, 2))


def test_keypoints_are_correct_within_the_threshold_and_counted_where_labelled_and_predicted():
    visible = np.full(COUNT, SEEN, np.uint8)
    visible[3] = 0
    true = replace(person(), keypoints=np.where(visible[:, None] > 0, POSE, np.nan), visible=visible)
    shift = np.where(np.arange(COUNT) < 8, 0.0, 60.0)
    guess = person(shift, scores=np.linspace(0.1, 0.9, COUNT), score=0.5)
    guess.keypoints[5] = np.nan
    truth, predicted = [Scene("", COCO, (true,))], [Scene("", COCO, (guess,))]

    asked = [k for k in range(COUNT) if k not in (3, 5)]
    for correct in ("oks", "box"):
        found = keypoint_outcomes(predicted, truth, correct)
        assert found.group.tolist() == asked
        assert found.score.tolist() == guess.scores[asked].tolist()
        assert found.correct.tolist() == [float(k < 8) for k in asked]
        assert found.names == COCO.keypoints
    score = keypoint_calibration(predicted, truth)
    assert score["ECE/nose"] == pytest.approx(0.9)
    assert score["ECE/mean_of_keypoints"] == pytest.approx(np.nanmean([score[f"ECE/{k}"] for k in COCO.keypoints]))
    assert score["overconfidence/right_ankle"] == pytest.approx(0.9)
    assert np.isnan(score["ECE/left_ear"])
    assert score.protocol["keypoints"] == 15
    assert score.protocol["scores_outside_0_to_1"] == 0


def test_a_keypoint_s_similarity_is_that_of_a_person_with_this_keypoint_alone(rng):
    truth, predicted = crowded(rng)
    found = couples(predicted, truth)
    for threshold in (0.3, 0.6, 0.9):
        outcomes = keypoint_outcomes(predicted, truth, threshold=threshold)
        expected = []
        for guess, true in zip(found.predicted, found.truth, strict=True):
            xy, p = true.people[0].keypoints, true.people[0]
            for k in np.flatnonzero(p.labelled):
                alone = np.arange(COUNT)[None] == k
                value = oks(xy[None], alone, np.array([p.area]), p.box[None], guess.people[0].keypoints[None],
                            np.array(COCO.sigmas))  # fmt: skip
                expected.append(float(value[0, 0] >= threshold))
        assert outcomes.correct.tolist() == expected
        assert 0 < np.mean(expected) < 1


def crowded(rng, scenes=12):
    """Three people a scene, far apart, found well or badly in another order, with one found twice and one invented."""
    truth, predicted = [], []
    for i in range(scenes):
        people, guesses = [], []
        for p in range(3):
            visible = rng.choice([0, HIDDEN, SEEN], COUNT).astype(np.uint8)
            visible[0] = SEEN
            true = POSE + 300 * p
            people.append(Person(np.where(visible[:, None] > 0, true, np.nan), visible, area=100.0**2,
                                 box=np.array([0, 0, 100, 100]) + 300.0 * p))  # fmt: skip
            noise = rng.normal(0, 6, (COUNT, 2))
            guesses.append(Person(true + noise, scores=rng.random(COUNT), score=float(rng.uniform(0.5, 1))))
        guesses.append(replace(guesses[0], score=0.1))
        guesses.append(replace(guesses[0], keypoints=POSE - 900, score=0.2))
        truth.append(Scene("", COCO, tuple(people), id=scenes - i))
        predicted.append(Scene("", COCO, tuple(guesses[j] for j in rng.permutation(5)), id=scenes - i))
    return truth, predicted


def test_people_are_paired_by_similarity_and_those_found_twice_or_invented_are_wrong(rng):
    truth, predicted = crowded(rng)
    outcomes = person_outcomes(predicted, truth)
    guesses = [(s, person) for s, scene in enumerate(predicted) for person in scene.people]
    assert outcomes.scene.tolist() == [s for s, _ in guesses]
    assert outcomes.score.tolist() == [person.score for _, person in guesses]
    for (s, guess), value in zip(guesses, outcomes.correct, strict=True):
        people = truth[s].people
        similar = oks(np.stack([p.keypoints for p in people]), np.stack([p.labelled for p in people]),
                      np.array([p.area for p in people]), np.stack([p.box for p in people]), guess.keypoints[None],
                      np.array(COCO.sigmas))  # fmt: skip
        assert value == pytest.approx(similar.max() if guess.score >= 0.5 else 0.0, abs=1e-12)
    at = person_outcomes(predicted, truth, threshold=0.75)
    assert at.correct.tolist() == (outcomes.correct >= 0.75).astype(float).tolist()
    assert 0 < at.correct.mean() < 1
    score = person_calibration(predicted, truth)
    assert score["ECE"] == pytest.approx(written_out(outcomes, 15)[0], abs=1e-12)
    assert score.protocol["scenes"] == len(truth)


def test_predictions_that_match_a_crowd_are_left_out(rng):
    truth, predicted = crowded(rng)
    truth = [replace(s, people=(replace(s.people[0], crowd=True), *s.people[1:])) for s in truth]
    score = person_calibration(predicted, truth)
    assert score.protocol["predictions_left_out"] == 2 * len(truth)
    assert score.protocol["predictions"] == 3 * len(truth)
    assert couples(predicted, truth).protocol["people_not_paired"] == len(truth)


def test_of_one_person_a_scene_the_best_scored_counts():
    far, near = person(200.0, score=0.9, scores=np.ones(COUNT)), person(score=0.3, scores=np.ones(COUNT))
    truth = [Scene("", COCO, (person(),))] * 2
    outcomes = keypoint_outcomes([Scene("", COCO, (near, far)), Scene("", COCO)], truth)
    assert outcomes.correct.tolist() == [0.0] * COUNT
    assert outcomes.protocol["people_not_paired"] == 1
    assert outcomes.scenes == 2


def test_visibility_is_told_by_its_own_word_or_by_scores_as_a_stand_in(rng):
    truth, predicted = crowded(rng)
    seen = [np.concatenate([p.visible[p.visible > 0] == SEEN for p in s.people]) for s in truth]
    standing_in = visibility_outcomes(predicted, truth)
    assert "stand-in" in standing_in.protocol["said_by"]
    assert standing_in.correct.sum() == np.concatenate(seen).sum()
    assert len(standing_in.correct) == len(np.concatenate(seen))
    assert visibility_auc(predicted, truth)["AUC"] == pytest.approx(0.5, abs=0.15)

    told = [replace(guess, people=tuple(_with_visibility(g, s.people, rng) for g in guess.people))
            for guess, s in zip(predicted, truth, strict=True)]  # fmt: skip
    outcomes = visibility_outcomes(told, truth)
    assert outcomes.of_what == "predicted visibility"
    right = outcomes.correct == 1
    caught, wrong = (outcomes.score[right] == 1).mean(), (outcomes.score[~right] == 1).mean()
    score = visibility_auc(told, truth)
    assert score["AUC"] == pytest.approx((1 + caught - wrong) / 2, abs=1e-12)
    assert score["AUC"] > 0.7
    each = [value for name, value in score.items() if name.startswith("AUC/") and "mean" not in name]
    assert score["AUC/mean_of_keypoints"] == pytest.approx(np.nanmean(each), abs=1e-12)
    ends = intervals(score, draws=100)["AUC"]
    assert ends.low < score["AUC"] < ends.high


def _with_visibility(guess, people, rng):
    """Say of a prediction what its nearest true person's visibility is, wrong one time in five."""
    near = min(people, key=lambda p: abs(np.nanmean(p.keypoints - guess.keypoints)))
    word = np.where(near.visible == HIDDEN, HIDDEN, SEEN)
    return replace(guess, visible=np.where(rng.random(COUNT) < 0.2, HIDDEN + SEEN - word, word).astype(np.uint8))


def test_nothing_predicted_is_nothing_to_calibrate(rng):
    truth, predicted = crowded(rng)
    empty = [replace(scene, people=()) for scene in predicted]
    for score in (
        keypoint_calibration(empty, truth),
        keypoint_calibration(empty, truth, "torso"),
        person_calibration(empty, truth),
        visibility_auc(empty, truth),
    ):
        assert np.isnan(list(score.values())).all()
        assert score.protocol["scenes"] == len(truth)


def test_bad_input_is_named(rng):
    truth, predicted = crowded(rng)
    silent = [replace(s, people=tuple(replace(p, scores=None) for p in s.people)) for s in predicted]
    with pytest.raises(ValueError, match=r"prediction, scene 0 \(12\): a person has no keypoint scores"):
        keypoint_calibration(silent, truth)
    unknown = [replace(s, people=tuple(replace(p, visible=None) for p in s.people)) for s in truth]
    with pytest.raises(ValueError, match=r"truth, scene 0 \(12\): a person has no visibility"):
        visibility_auc(predicted, unknown)
    nan = [replace(s, people=tuple(replace(p, scores=np.full(COUNT, np.nan)) for p in s.people)) for s in predicted]
    with pytest.raises(ValueError, match="keypoint scores is nan"):
        keypoint_calibration(nan, truth)
    with pytest.raises(ValueError, match="correct must be one of"):
        keypoint_calibration(predicted, truth, "near")
    with pytest.raises(ValueError, match="right in part"):
        auc(person_outcomes(predicted, truth))
    with pytest.raises(ValueError, match="bins must be"):
        reliability(Outcomes.of([0.5], [1]), 0)
    with pytest.raises(ValueError, match="equally long"):
        Outcomes.of([0.5, 0.6], [1])
    with pytest.raises(ValueError, match="paired by position"):
        person_calibration(predicted[1:], truth)


def test_data_without_sigmas_or_areas_can_be_asked_by_the_torso(rng):
    xy = rng.uniform(0, 100, (len(LSP), 2))
    true = Scene("", LSP, (Person(xy, np.full(len(LSP), SEEN, np.uint8)),))
    guess = Scene("", LSP, (Person(xy + 0.01, scores=np.full(len(LSP), 0.75), score=1.0),))
    score = keypoint_calibration([guess], [true], "torso")
    assert score["ECE"] == pytest.approx(0.25)
    assert score["overconfidence"] == pytest.approx(-0.25)


def test_the_page_leads_with_overconfidence_and_speaks_of_no_interval_that_there_is_not(rng):
    truth, predicted = crowded(rng)
    score = keypoint_calibration(predicted, truth)
    assert tables.firsts(score)[:2] == ["overconfidence", f"overconfidence/{COCO.keypoints[0]}"]
    heading = scores._finding("keypoint_calibration", score, intervals(score, draws=50))
    assert heading.startswith("overconfidence is ")
    none = {name: Interval(np.nan, np.nan) for name in score}
    assert "overlap" not in scores._finding("keypoint_calibration", score, none)
