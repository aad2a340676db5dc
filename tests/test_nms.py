"""Suppressions: what is kept, in which order, what is left alone, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.geometry.boxes import box_nms, overlap
from posewright.metrics import oks_nms, pose_nms, rescored, soft_oks_nms
from posewright.metrics.oks.oks_nms import similarity_to
from posewright.scene import Person
from posewright.skeleton import COCO

SIGMAS = np.array(COCO.sigmas)
BOX = np.array([0.0, 0.0, 100.0, 200.0])
SHAPE = np.stack([6.0 * np.arange(17), 11.0 * np.arange(17)], 1)
FORMS = {
    "oks": lambda people: oks_nms(people, SIGMAS),
    "soft_oks": lambda people: soft_oks_nms(people, SIGMAS),
    "pose": pose_nms,
}


def person(x=0.0, score=0.5, identity=None, **fields):
    return replace(Person(SHAPE + x, scores=np.full(17, score), score=score, box=BOX + x, id=identity), **fields)


def many(rng, count=12):
    """Draw people, some of them beside each other, whose scores are all different."""
    places = rng.choice([0.0, 2.0, 300.0, 303.0, 600.0], count)
    return [
        person(x, s, i, keypoints=SHAPE + x + rng.normal(0, 1.0, (17, 2)))
        for i, (x, s) in enumerate(zip(places, rng.permutation(count) / count * 0.6 + 0.3, strict=True))
    ]


def frozen(people):
    """Make every array of people refuse to be changed."""
    for one in people:
        for array in (one.keypoints, one.scores, one.box):
            array.flags.writeable = False
    return people


@pytest.mark.parametrize("form", FORMS)
def test_suppression_changes_nobody_and_repeats_itself(form, rng):
    people = frozen(many(rng))
    first, second = FORMS[form](people), FORMS[form](people)
    assert [p.id for p in first] == [p.id for p in second]
    assert {p.id for p in first} <= {p.id for p in people}
    assert len({p.id for p in first}) == len(first)
    assert first[0].id == max(people, key=lambda p: p.score).id


@pytest.mark.parametrize("form", FORMS)
def test_nobody_and_one_person_stay_as_they_are(form):
    assert FORMS[form]([]) == []
    (kept,) = FORMS[form]([person(identity="one")])
    assert kept.id == "one"
    np.testing.assert_allclose(kept.keypoints, SHAPE, atol=1e-12)
    np.testing.assert_allclose(kept.scores, 0.5)


@pytest.mark.parametrize("form", ["oks", "pose"])
def test_of_two_alike_the_better_stays_and_of_equal_ones_the_first(form):
    assert [p.id for p in FORMS[form]([person(0, 0.5, "a"), person(0.1, 0.6, "b"), person(400, 0.4, "c")])] == [
        "b",
        "c",
    ]
    assert [p.id for p in FORMS[form]([person(0, 0.5, "a"), person(0.1, 0.5, "b")])] == ["a"]


@pytest.mark.parametrize("form", ["oks", "pose"])
def test_suppressing_twice_changes_nothing(form, rng):
    once = FORMS[form](many(rng))
    assert [p.id for p in FORMS[form](once)] == [p.id for p in once]


def test_no_two_who_are_kept_are_more_alike_than_the_threshold(rng):
    people = many(rng, 20)
    for threshold in (0.3, 0.6, 0.9):
        kept = oks_nms(people, SIGMAS, threshold)
        alike = np.array([similarity_to(p, kept, SIGMAS) for p in kept])
        assert (alike[~np.eye(len(kept), dtype=bool)] <= threshold).all()
        for gone in [p for p in people if p.id not in {q.id for q in kept}]:
            better = [q for q in kept if q.score > gone.score]
            assert (similarity_to(gone, better, SIGMAS) > threshold).any()


def test_soft_suppression_keeps_all_it_has_room_for_and_puts_look_alikes_last(rng):
    people = [person(0, 0.9, "a"), person(0.1, 0.8, "b"), person(400, 0.5, "c")]
    kept = soft_oks_nms(people, SIGMAS)
    assert [p.id for p in kept] == ["a", "c", "b"]
    assert [p.score for p in kept] == [0.9, 0.5, 0.8]
    assert [p.id for p in soft_oks_nms(people, SIGMAS, kept=2)] == ["a", "c"]
    assert len(soft_oks_nms(many(rng, 30), SIGMAS)) == 20


def test_a_fragment_suppresses_nobody_and_absent_keypoints_count_where_one_has_them():
    half = np.where(np.arange(17)[:, None] < 8, SHAPE, np.nan)
    fragment, whole = person(0, 0.9, "fragment", keypoints=half), person(0, 0.5, "whole")
    assert [p.id for p in oks_nms([fragment, whole], SIGMAS)] == ["fragment", "whole"]
    assert [p.id for p in oks_nms([fragment, replace(fragment, score=0.4)], SIGMAS)] == ["fragment"]
    nothing = person(0, 0.4, keypoints=np.full((17, 2), np.nan))
    assert len(oks_nms([nothing, nothing], SIGMAS)) == 2


def test_area_comes_before_the_box():
    near = [person(0, 0.9), person(9, 0.5)]
    assert len(oks_nms(near, SIGMAS)) == 2
    assert len(oks_nms([replace(p, area=1e6) for p in near], SIGMAS)) == 1


def test_rescoring_multiplies_the_box_by_its_sure_keypoints():
    scores = np.concatenate([[0.6, 0.8, 0.2], np.zeros(14)])
    once, never = rescored([person(score=0.5, scores=scores), person(score=0.5, scores=0.1 * np.ones(17))])
    assert once.score == pytest.approx(0.5 * 0.7)
    assert never.score == 0.0
    np.testing.assert_array_equal(once.scores, scores)


def test_pose_suppression_merges_by_score_what_is_near():
    better, other = person(0, 0.6), person(0, 0.3, keypoints=SHAPE + np.array([3.0, 0.0]))
    (merged,) = pose_nms([better, other])
    np.testing.assert_allclose(merged.keypoints, SHAPE + np.array([1.0, 0.0]))
    np.testing.assert_allclose(merged.scores, (0.6 * 0.6 + 0.3 * 0.3) / 0.9)
    assert merged.score == 0.6
    strayed = SHAPE.copy()
    strayed[0] += 50
    (merged,) = pose_nms([better, replace(other, keypoints=strayed)])
    np.testing.assert_allclose(merged.keypoints, SHAPE, atol=1e-12)
    assert merged.scores[0] == pytest.approx(0.6)


def test_pose_suppression_keeps_absent_keypoints_absent_and_scores_of_zero_apart():
    half = np.where(np.arange(17)[:, None] < 8, SHAPE, np.nan)
    visible = np.where(np.arange(17) < 8, 2, 0).astype(np.uint8)
    scores = np.where(np.arange(17) < 8, 0.9, 0.0)
    scores[0] = 0.0
    (merged,) = pose_nms([person(0, 0.9, keypoints=half, visible=visible, scores=scores), person(0, 0.3)])
    np.testing.assert_array_equal(merged.labelled, visible > 0)
    np.testing.assert_allclose(merged.keypoints[:8], SHAPE[:8], atol=1e-12)


def test_pose_suppression_drops_the_unsure_and_the_small():
    assert pose_nms([person(0, 0.29)]) == []
    area = 1.5**2 * float(np.prod(np.ptp(SHAPE, axis=0)))
    assert len(pose_nms([person(0, 0.9)], area * 0.999)) == 1
    assert pose_nms([person(0, 0.9)], area * 1.001) == []


def test_boxes_overlap_by_hand():
    np.testing.assert_allclose(overlap([[0, 0, 2, 2]], [[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2]]), [[1, 1 / 7, 0]])
    np.testing.assert_allclose(overlap([[0, 0, 1, 1]], [[1, 1, 2, 2]], pixel=1), [[1 / 7]])
    assert overlap(np.zeros((1, 4)), np.zeros((1, 4))).item() == 0.0


def test_boxes_are_kept_best_first_and_go_at_the_threshold():
    boxes = [[0, 0, 1, 2], [0, 0, 1, 1], [5, 5, 6, 6]]
    np.testing.assert_array_equal(box_nms(boxes, [0.5, 0.5, 0.9]), [2, 0])
    np.testing.assert_array_equal(box_nms(boxes, [0.5, 0.6, 0.9], 0.51), [2, 1, 0])
    assert len(box_nms([], [])) == 0
    with pytest.raises(ValueError, match="scores must be 3 numbers, one a box"):
        box_nms(boxes, [0.5])


def test_what_cannot_be_suppressed_is_said_in_one_line():
    bare = Person(SHAPE, area=1.0)
    for verb in (lambda p: oks_nms(p, SIGMAS), lambda p: soft_oks_nms(p, SIGMAS), rescored):
        with pytest.raises(ValueError, match=r"^person 1: score is None; suppression ranks by it$"):
            verb([person(), bare])
    with pytest.raises(ValueError, match=r"^person 0: has no area, nor a box with one"):
        oks_nms([replace(bare, score=0.5, area=None)], SIGMAS)
    with pytest.raises(ValueError, match=r"^person 0: has 17 keypoints, sigmas are of shape \(14,\)"):
        oks_nms([person()], SIGMAS[:14])
    with pytest.raises(ValueError, match="threshold must be an OKS"):
        soft_oks_nms([person()], SIGMAS, 0.0)
    with pytest.raises(ValueError, match=r"^person 0: has no scores of keypoints to rescore by"):
        rescored([person(scores=None)])
    with pytest.raises(ValueError, match="has no scores of keypoints, by which counted_above"):
        oks_nms([person(), person(scores=None)], SIGMAS, counted_above=0.2)
    with pytest.raises(ValueError, match=r"^person 0: has no box, by whose size"):
        pose_nms([replace(bare, score=0.5)])
    with pytest.raises(ValueError, match=r"^person 1: has keypoints without a score"):
        pose_nms([person(), person(scores=None)])
    with pytest.raises(ValueError, match=r"^person 1: has 3 keypoints, person 0 17"):
        pose_nms([person(), Person(SHAPE[:3], scores=np.ones(3), score=0.5, box=BOX)])
