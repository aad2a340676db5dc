"""MPII's and AI Challenger's mAP: small problems whose answer is known, weights of scenes, and what they refuse."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from posewright.metrics import aic_map, mpii_map
from posewright.scene import Person, Scene
from posewright.skeleton import AIC, COCO, MPII, POSETRACK

HEAD = np.array([0.0, 0.0, 60.0, 80.0])
"""A head box whose size is 60 px, so that 30 px are near."""


def shape(skeleton, x=0.0):
    return np.stack([x + 40.0 * np.arange(len(skeleton)), 7.0 * np.arange(len(skeleton))], 1)


def true(skeleton, x=0.0, **fields):
    xy = shape(skeleton, x)
    box = np.concatenate([xy.min(0), xy.max(0)])
    return Person(xy, np.full(len(skeleton), 2, np.uint8), **{"head": HEAD, "box": box, **fields})


def found(skeleton, x=0.0, score=0.5):
    return Person(shape(skeleton, x), scores=np.full(len(skeleton), score))


def scene(skeleton, *people, identity=None):
    return Scene("", skeleton, people, id=identity)


def drawn(rng, skeleton, scenes=9):
    """Draw scenes of one to three people, and predictions of them that are good, poor, missing or of nobody."""
    truth, predicted = [], []
    for _ in range(scenes):
        places = 1000.0 * np.arange(rng.integers(1, 4))
        guessed = [*places[rng.random(len(places)) < 0.7], 7000.0][: rng.integers(0, 4)]
        truth.append(scene(skeleton, *(labelled_in_part(rng, true(skeleton, x)) for x in places)))
        predicted.append(scene(skeleton, *(blurred(rng, found(skeleton, x)) for x in guessed)))
    return predicted, truth


def labelled_in_part(rng, person):
    visible = rng.choice([0, 1, 2], len(person), p=[0.2, 0.3, 0.5]).astype(np.uint8)
    keypoints = np.where(visible[:, None] > 0, person.keypoints, np.nan)
    return replace(person, keypoints=keypoints, visible=visible, head=person.head * rng.uniform(0.5, 1.5))


def blurred(rng, person):
    noise = rng.normal(0, rng.uniform(1, 40), person.keypoints.shape)
    return replace(person, keypoints=person.keypoints + noise, scores=rng.random(len(person)))


METRICS = {
    "mpii": (mpii_map, MPII),
    "poseval": (lambda predicted, truth: mpii_map(predicted, truth, "counted"), POSETRACK),
    "aic": (aic_map, AIC),
}


@pytest.mark.parametrize("name", METRICS)
def test_weights_of_scenes_give_the_score_of_a_list_with_each_scene_as_often(name, rng):
    metric, skeleton = METRICS[name]
    predicted, truth = drawn(rng, skeleton)
    score = metric(predicted, truth)
    weights = np.stack([np.bincount(rng.integers(0, len(truth), len(truth)), minlength=len(truth)) for _ in range(20)])
    again = score.again(weights.astype(np.float64))
    assert again.keys() == score.keys()
    for row, counts in enumerate(weights):
        some = np.repeat(np.arange(len(truth)), counts)
        expected = metric([predicted[i] for i in some], [truth[i] for i in some])
        assert {key: value[row] for key, value in again.items()} == pytest.approx(expected, nan_ok=True)


def test_many_weights_are_laid_out_a_few_at_a_time(rng, monkeypatch):
    predicted, truth = drawn(rng, MPII)
    score, weights = mpii_map(predicted, truth), rng.integers(0, 3, (50, len(truth))).astype(np.float64)
    expected = score.again(weights)
    monkeypatch.setattr(sys.modules["posewright.metrics.distance.mpii_map"], "WEIGHTS_AT_ONCE", 40)
    for name, value in score.again(weights).items():
        np.testing.assert_array_equal(value, expected[name])


def exact_area(scores, positive, count):
    """The area under the precision of PASCAL VOC 2010, step by step."""
    ranked = [positive[i] for i in np.argsort(-np.array(scores), kind="stable")]
    points = [(sum(ranked[:n]) / count, sum(ranked[:n]) / n) for n in range(1, len(ranked) + 1)]
    area, before = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(precision for _, precision in points[i:])
        before = recall
    return area


def test_average_precision_is_the_exact_area_of_voc(rng):
    for _ in range(20):
        hits, scores = rng.random(12) < 0.6, rng.permutation(12) / 12
        truth = [scene(MPII, true(MPII)) for _ in hits]
        predicted = [
            scene(MPII, replace(found(MPII, score=s), keypoints=shape(MPII) + far))
            for s, far in zip(scores, np.where(hits, 3.0, 22.0), strict=True)
        ]
        assert mpii_map(predicted, truth)["mAP"] == pytest.approx(exact_area(scores, hits, 12))


def test_a_keypoint_at_half_the_heads_size_is_near_and_one_beyond_is_not():
    truth = [scene(MPII, true(MPII))]
    assert mpii_map([scene(MPII, found(MPII, 30.0))], truth)["mAP"] == 1.0
    assert mpii_map([scene(MPII, found(MPII, 30.001))], truth)["mAP"] == 0.0


def test_the_first_of_equal_predictions_takes_the_person_and_the_other_is_wrong():
    truth = [scene(MPII, true(MPII))]
    score = mpii_map([scene(MPII, found(MPII, 0.0, 0.4), found(MPII, 0.0, 0.9))], truth)
    assert (score["mAP"], score["precision"], score["recall"]) == (0.5, 0.5, 1.0)


def test_who_loses_their_first_choice_gets_no_second():
    truth = [scene(MPII, true(MPII), true(MPII, 25.0))]
    score = mpii_map([scene(MPII, found(MPII, -3.0), found(MPII, 1.0))], truth)
    assert score["recall"] == 0.5


def test_a_predicted_keypoint_that_is_not_labelled_is_wrong_and_an_absent_one_is_no_detection():
    k = MPII.index("left_knee")
    half = np.where((np.arange(16) == k)[:, None], np.nan, shape(MPII))
    visible = np.where(np.arange(16) == k, 0, 2).astype(np.uint8)
    truth = [scene(MPII, true(MPII)), scene(MPII, replace(true(MPII), keypoints=half, visible=visible))]
    both = [scene(MPII, found(MPII, score=0.5)), scene(MPII, found(MPII, score=0.9))]
    assert mpii_map(both, truth)["AP/left_knee"] == 0.5
    without = [both[0], scene(MPII, replace(found(MPII), keypoints=half))]
    assert mpii_map(without, truth)["AP/left_knee"] == 1.0


def test_a_picture_without_predictions_counts_for_poseval_alone():
    truth = [scene(MPII, true(MPII)), scene(MPII, true(MPII))]
    predicted = [scene(MPII, found(MPII)), scene(MPII)]
    assert mpii_map(predicted, truth)["mAP"] == 1.0
    assert mpii_map(predicted, truth, "counted")["mAP"] == 0.5


def test_nothing_to_find_and_nothing_found_are_no_numbers():
    nobody = mpii_map([scene(MPII)], [scene(MPII, true(MPII))])
    assert np.isnan(list(nobody.values())).all()
    missed = mpii_map([scene(MPII)], [scene(MPII, true(MPII))], "counted")
    assert (missed["mAP"], missed["recall"]) == (0.0, 0.0)
    assert np.isnan(missed["precision"])
    assert np.isnan(aic_map([scene(AIC)], [scene(AIC)])["mAP"])


def test_a_person_without_own_scores_of_keypoints_is_ranked_by_the_persons():
    truth = [scene(MPII, true(MPII)), scene(MPII, true(MPII))]
    wrong, right = replace(found(MPII, 500.0), scores=None, score=0.1), replace(found(MPII), scores=None, score=0.9)
    assert mpii_map([scene(MPII, wrong), scene(MPII, right)], truth)["mAP"] == 0.5
    wrong = replace(wrong, score=0.95)
    assert mpii_map([scene(MPII, wrong), scene(MPII, right)], truth)["mAP"] == 0.25


def test_ai_challenger_charges_for_everybody_too_many_and_lets_one_serve_two():
    twins = scene(AIC, true(AIC), true(AIC))
    assert aic_map([scene(AIC, found(AIC))], [twins])["mAP"] == 1.0
    alone = scene(AIC, true(AIC))
    assert aic_map([scene(AIC, found(AIC), found(AIC, 900.0))], [alone])["mAP"] == 0.5
    assert aic_map([scene(AIC)], [alone])["mAP"] == 0.0


def test_ai_challenger_counts_what_is_seen():
    far = shape(AIC)
    far[0] += 500
    hidden = replace(true(AIC), visible=np.array([1] + [2] * 13, np.uint8))
    predicted = [scene(AIC, replace(found(AIC), keypoints=far))]
    assert aic_map(predicted, [scene(AIC, hidden)])["mAP"] == 1.0
    assert aic_map(predicted, [scene(AIC, true(AIC))])["mAP"] == 0.9  # 13 of 14 are above .9, not above .95
    unseen = replace(true(AIC), visible=np.ones(14, np.uint8))
    score = aic_map(predicted, [scene(AIC, unseen)])
    assert (score["mAP"], score.protocol["people_of_whom_nothing_is_seen"]) == (0.0, 1)


def test_crowds_are_left_out_and_counted():
    for metric, skeleton in ((mpii_map, MPII), (aic_map, AIC)):
        crowd = true(skeleton, 900.0, crowd=True)
        score = metric([scene(skeleton, found(skeleton))], [scene(skeleton, true(skeleton), crowd)])
        assert score["mAP"] == 1.0
        assert (score.protocol["people"], score.protocol["crowds_left_out"]) == (1, 1)


def test_keypoints_that_count_are_the_programs_own():
    score = mpii_map([scene(POSETRACK, found(POSETRACK))], [scene(POSETRACK, true(POSETRACK))])
    assert score.protocol["keypoints"] == 15
    assert not any("ear" in name for name in score)
    with pytest.raises(ValueError, match=r"mpii has no nose; there are right_ankle"):
        mpii_map([scene(MPII)], [scene(MPII)], keypoints=["nose"])
    with pytest.raises(ValueError, match="every name once, and at least one"):
        mpii_map([scene(MPII)], [scene(MPII)], keypoints=[])


def test_what_cannot_be_scored_is_said_in_one_line():
    truth = [scene(MPII, true(MPII), identity="a")]
    unscored = scene(MPII, Person(shape(MPII)), identity="a")
    with pytest.raises(ValueError, match=r"^prediction, scene 0 \(a\), person 0: has keypoints without a score"):
        mpii_map([unscored], truth)
    for head, word in ((None, "no"), (np.zeros(4), "an empty")):
        with pytest.raises(ValueError, match=rf"^truth, scene 0: a person with keypoints has {word} head box"):
            mpii_map([scene(MPII)], [scene(MPII, true(MPII, head=head))])
    with pytest.raises(ValueError, match="must be skipped or counted, not 'ignored'"):
        mpii_map([scene(MPII)], [scene(MPII)], "ignored")
    with pytest.raises(ValueError, match=r"^truth, scene 0: a person has no box"):
        aic_map([scene(AIC)], [scene(AIC, true(AIC, box=None))])
    with pytest.raises(ValueError, match="map people with"):
        aic_map([scene(COCO)], [scene(AIC)])
