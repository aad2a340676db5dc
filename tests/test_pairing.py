"""Whose prediction a prediction is, and which keypoints both sides can say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright.metrics import by_person, oks_ap, pck, shared_keypoints, singles
from posewright.metrics.score import Score, score_of, share
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, LSP, Skeleton

PLAIN = Skeleton("plain", ("left_shoulder", "right_hip", "tail"), ())


def person(x, y=0.0, size=40.0, *, box=True, skeleton=LSP, **more):
    """Someone whose keypoints lie on a circle about x, y."""
    angle = np.linspace(0, 2 * np.pi, len(skeleton), endpoint=False)
    xy = np.array([x, y]) + size / 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    frame = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2]) if box else None
    return Person(xy, box=frame, **more)


def scene(*people, name=1, skeleton=LSP):
    return Scene("a.jpg", skeleton, tuple(people), id=name)


def told(*people, **more):
    return scene(*(replace(p, visible=np.full(len(p), SEEN, np.uint8)) for p in people), **more)


def test_one_person_a_picture_is_paired_directly_however_far():
    found = singles([scene(person(900.0)), scene(name=2)], [told(person(0.0)), told(person(5.0), name=2)])
    assert [len(s.people) for s in found.predicted] == [1, 0]
    assert found.picture.tolist() == [0, 1]
    assert found.protocol == {
        "pairing": "directly, one person a picture", "scenes": 2, "people_not_predicted": 1,
        "predictions_left_over": 0,
    }  # fmt: skip


def test_boxes_that_are_the_annotated_ones_decide_even_against_the_keypoints():
    true = told(person(0.0), person(100.0))
    swapped = scene(replace(person(100.0), box=true.people[0].box + 0.4), replace(person(0.0), box=true.people[1].box))
    found = singles([swapped], [true])
    assert found.protocol["pairing"].startswith("by box")
    assert [s.people[0].keypoints[0, 0] for s in found.predicted] == [120.0, 20.0]
    assert by_person(pck)([swapped], [true])["PCK@0.2"] == 0.0


def test_of_several_for_one_box_the_best_score_counts():
    true = told(person(0.0), person(100.0))
    weak, strong = (replace(person(x), box=true.people[0].box, score=s) for x, s in ((3.0, 0.2), (1.0, 0.9)))
    found = singles([scene(weak, strong, replace(person(100.0), score=0.1))], [true])
    assert found.predicted[0].people == (strong,)
    assert found.protocol["predictions_left_over"] == 1


def test_a_box_of_a_crowd_is_nobodys():
    true = told(replace(person(0.0), crowd=True), person(100.0))
    found = singles([scene(person(0.0), person(100.0))], [true])
    assert [s.people[0].keypoints[0, 0] for s in found.predicted] == [120.0]
    assert found.protocol["predictions_left_over"] == 1


def test_other_boxes_leave_it_to_similarity():
    true = told(person(0.0), person(100.0), person(2000.0))
    found = singles([scene(person(103.0, box=False), person(-2.0), person(1.0))], [true])
    assert [s.people[0].keypoints[0, 0] if s.people else None for s in found.predicted] == [21.0, 123.0, None]
    assert "favours the predictions" in found.protocol["pairing"]
    assert (found.protocol["people_not_predicted"], found.protocol["predictions_left_over"]) == (1, 1)


def test_the_most_similar_pair_of_all_comes_first():
    true = told(person(0.0), person(10.0))
    found = singles([scene(person(8.0, box=False), person(9.9, box=False))], [true])
    assert [s.people[0].keypoints[0, 0] for s in found.predicted] == [28.0, pytest.approx(29.9)]


def test_without_published_sigmas_people_are_told_apart_all_the_same():
    true = told(person(0.0, skeleton=PLAIN), person(90.0, skeleton=PLAIN), skeleton=PLAIN)
    found = singles([scene(person(91.0, skeleton=PLAIN, box=False), skeleton=PLAIN)], [true])
    assert [len(s.people) for s in found.predicted] == [0, 1]
    assert "0.1 for tail" in found.protocol["pairing"]


def test_the_unlabelled_are_not_asked_for_and_a_miss_is_a_miss():
    nobody = Person(np.full((14, 2), np.nan), np.zeros(14, np.uint8), box=np.array([0.0, 0, 9, 9]))
    score = by_person(pck)([scene(person(0.0))], [scene(nobody, *told(person(0.0), person(300.0)).people)])
    assert score["PCK@0.2"] == 0.5
    assert (score.protocol["people"], score.protocol["people_not_predicted"]) == (2, 1)


def test_pictures_that_do_not_pair_are_refused():
    with pytest.raises(ValueError, match="paired by position"):
        singles([scene(name=1)], [told(person(0.0), name=2)])


def hits(predicted, truth):
    """A metric of one person a scene with `again`: the share of keypoints that are exact."""
    near = np.array([
        float((p.people[0].keypoints == t.people[0].keypoints).all(-1).sum()) if p.people else 0.0
        for p, t in zip(predicted, truth, strict=True)
    ])  # fmt: skip
    return score_of(lambda w: {"hits": share(w, near, np.full(len(near), 14.0))}, len(near), {})


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), max_size=3), min_size=1, max_size=5), st.integers(0, 9))
def test_weights_are_of_pictures_and_repeat_all_their_people(pictures, seed):
    truth = [told(*(person(200.0 * i) for i in range(len(row))), name=n) for n, row in enumerate(pictures)]
    predicted = [
        scene(*(person(200.0 * i + (0 if right else 1)) for i, right in enumerate(row)), name=n)
        for n, row in enumerate(pictures)
    ]
    score = by_person(hits)(predicted, truth)
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(pictures))).astype(float)
    total = np.array([[len(row), sum(row)] for row in pictures]).T @ weights.T
    expected = np.divide(total[1], total[0], out=np.full(3, np.nan), where=total[0] > 0)
    np.testing.assert_allclose(score.again(weights)["hits"], expected)


def test_a_metric_that_cannot_be_had_again_stays_so_and_keeps_its_name():
    def plain(predicted, truth):
        return Score({"people": float(len(truth)), "found": float(len(predicted))}, {})

    wrapped = by_person(plain)
    assert wrapped.__name__ == "plain"
    assert wrapped([scene(person(0.0))], [told(person(0.0), person(9.0))])["people"] == 2.0
    assert wrapped([scene()], [told(person(0.0))]).again is None


def test_what_both_can_say_is_scored_and_the_rest_is_left_out():
    true = [told(person(0.0, skeleton=COCO), skeleton=COCO)]
    same = [scene(replace(person(0.0, skeleton=COCO).to(COCO, CROWDPOSE), score=1.0), skeleton=CROWDPOSE)]
    predicted, truth, said = shared_keypoints(same, true)
    assert predicted[0].skeleton.keypoints == truth[0].skeleton.keypoints == COCO.keypoints[5:]
    assert oks_ap(predicted, truth)["AP"] == pytest.approx(1.0)
    assert said["keypoints_left_out"] == "nose, left_eye, right_eye, left_ear, right_ear"
    assert said["predicted_keypoints"] == "crowdpose"
    assert truth[0].skeleton.sigmas == COCO.sigmas[5:]


def test_equal_skeletons_come_back_as_they_are():
    true, found = [told(person(0.0))], [scene()]
    predicted, truth, said = shared_keypoints(found, true)
    assert predicted is found
    assert truth is true
    assert said == {"pictures_without_prediction": 1}


def test_some_keypoints_may_be_asked_for_alone():
    predicted, truth, said = shared_keypoints([scene(person(0.0))], [told(person(0.0))], COCO)
    assert truth[0].skeleton.keypoints == predicted[0].skeleton.keypoints == LSP.keypoints[:12]
    assert said["keypoints_left_out"] == "neck, head_top"


def test_nothing_in_common_is_an_error():
    other = Skeleton("hand", ("thumb",), ())
    with pytest.raises(ValueError, match="predictions of hand and truth of lsp share no keypoint by name"):
        shared_keypoints([scene(person(0.0, skeleton=other), skeleton=other)], [told(person(0.0))])
