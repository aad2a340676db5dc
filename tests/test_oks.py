"""OKS average precision: its similarity, its protocol, and what it refuses; another file sets it beside pycocotools."""

import numpy as np
import pytest

from posewright.columns import Columns, people_of
from posewright.metrics import oks_ap
from posewright.metrics.oks.similarity import gather_truths, oks, oks_sigmas
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, FLIC, H36M, LSP, SKELETONS, Skeleton


def person_of(xy=None, area=4000.0, score=None, box=(0.0, 0.0, 80.0, 80.0), count=17):
    keypoints = np.arange(2.0 * count).reshape(count, 2) if xy is None else xy
    return Person(keypoints, score=score, area=area, box=None if box is None else np.array(box))


def scene_of(*people, skeleton=COCO, id=None):
    return Scene("", skeleton, people, id=id)


def test_one_similarity_is_what_its_equation_says():
    truth, found = np.zeros((1, 1, 2)), np.array([[[3.0, 4.0]]])
    value = oks(truth, np.ones((1, 1), bool), np.array([100.0]), np.zeros((1, 4)), found, np.array([0.1]))
    np.testing.assert_allclose(value, [[np.exp(-25 / 0.04 / 100 / 2)]], rtol=1e-14)


def test_a_person_without_labels_is_compared_with_the_doubled_box():
    found = np.array([[[-10.0, 0.0]], [[-13.0, 24.0]]])
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    value = oks(np.full((1, 1, 2), np.nan), np.zeros((1, 1), bool), np.array([100.0]), box, found, np.array([0.1]))
    np.testing.assert_allclose(value[:, 0], [1.0, np.exp(-25 / 0.04 / 100 / 2)], rtol=1e-14)


def test_a_keypoint_that_is_not_predicted_is_a_miss():
    true = person_of()
    partly = true.keypoints.copy()
    partly[:5] = np.nan
    value = oks(true.keypoints[None], true.labelled[None], np.array([1e9]), true.box[None], partly[None], np.ones(17))
    np.testing.assert_allclose(value, 12 / 17, rtol=1e-9)


def test_the_box_stands_in_for_a_missing_area_and_the_protocol_says_so():
    truth = [scene_of(person_of(area=None), person_of())]
    predicted = [scene_of(person_of(score=0.5))]
    assert oks_ap(predicted, truth, box_area=0.5).protocol["area"] == "0.5 of the box's for 1 of 2 people"
    assert gather_truths(truth, COCO, box_area=0.5).area.tolist() == [3200.0, 4000.0]
    assert oks_ap(predicted, [scene_of(person_of())]).protocol["area"] == "annotated"


def test_the_protocol_counts_people_and_predictions():
    unlabelled = person_of(np.full((17, 2), np.nan))
    score = oks_ap([scene_of(*[person_of(score=0.5)] * 23), scene_of()], [scene_of(unlabelled, person_of())] * 2)
    counts = ("scenes", "people", "people_ignored", "predictions", "predictions_beyond_20_a_scene")
    assert [score.protocol[name] for name in counts] == [2, 2, 2, 20, 3]


def test_the_area_of_predictions_decides_which_false_ones_count():
    small, far = person_of(score=0.9), np.full((17, 2), 500.0)
    false = Person(far, score=0.95, box=np.array([0.0, 0.0, 50.0, 50.0]))
    scenes = [scene_of(false, small)], [scene_of(person_of())]
    assert oks_ap(*scenes)["APM"] == pytest.approx(1.0)
    assert oks_ap(*scenes, predicted_area="box")["APM"] == pytest.approx(0.5)
    assert oks_ap(*scenes)["AP"] == pytest.approx(0.5)


def test_scenes_are_taken_in_the_order_of_their_ids():
    truth = [scene_of(person_of(), id=i) for i in (1, 2)]
    predicted = [scene_of(person_of(score=0.5), id=1), scene_of(person_of(np.zeros((17, 2)), score=0.5), id=2)]
    assert oks_ap(predicted, truth) == oks_ap(predicted[::-1], truth[::-1])
    assert oks_ap(predicted, truth)["AP"] > 0.5 > oks_ap(predicted[::-1], _renamed(truth))["AP"] > 0


def test_scenes_in_columns_are_scored_alike():
    truth = [scene_of(person_of(), person_of(area=None)), scene_of(), scene_of(person_of())]
    predicted = [scene_of(person_of(score=0.5, area=None)), scene_of(person_of(score=0.7)), scene_of()]
    columns = [Columns([scene_of()] * 3, people_of(scenes, 17)) for scenes in (predicted, truth)]
    assert oks_ap(*columns) == oks_ap(predicted, truth)
    assert oks_ap(*columns).protocol == oks_ap(predicted, truth).protocol


def test_weights_are_those_of_the_scenes_as_they_were_given():
    truth = [scene_of(person_of(), id=i) for i in (3, 1, 2)]
    found = (np.arange(34.0).reshape(17, 2), np.full((17, 2), 900.0), np.arange(34.0).reshape(17, 2) + 2)
    predicted = [scene_of(person_of(xy, score=0.5), id=i) for i, xy in zip((3, 1, 2), found, strict=True)]
    again = oks_ap(predicted, truth).again(np.eye(3))
    for i in range(3):
        alone = oks_ap(predicted[i : i + 1], truth[i : i + 1])
        assert {name: values[i] for name, values in again.items()} == pytest.approx(alone)


def _renamed(scenes):
    return [scene_of(*scene.people) for scene in scenes]


@pytest.mark.parametrize("skeleton", [LSP, FLIC, H36M], ids=repr)
def test_sigmas_that_nobody_published_are_named_a_choice(skeleton):
    sigmas, source = oks_sigmas(skeleton)
    assert source.startswith("a choice")
    assert sigmas[skeleton.index("left_elbow")] == pytest.approx(0.072)
    people = [scene_of(person_of(score=0.5, count=len(skeleton)), skeleton=skeleton)]
    assert oks_ap(people, people).protocol["sigmas"] == source
    assert oks_ap(people, people, sigmas=np.ones(len(skeleton))).protocol["sigmas"] == "given by the caller"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("tail", "snout"), "0.1 for tail, snout"),
        (("tail", "nose"), "COCO's and CrowdPose's by name, 0.1 for tail"),
        (("spine", "paw"), "COCO's and CrowdPose's by name, spine as left_hip, 0.1 for paw"),
    ],
)
def test_a_keypoint_without_kin_has_a_sigma_that_is_told(names, said):
    sigmas, source = oks_sigmas(Skeleton("made_up", names, ()))
    assert source == f"a choice, none are published for made_up: {said}"
    assert sigmas[0] == pytest.approx(0.107 if names[0] == "spine" else 0.1)


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.01, 1e6, np.nan, np.inf])
def test_a_sigma_is_above_0_and_at_most_1(wrong):
    with pytest.raises(ValueError, match="sigmas must be 1 numbers above 0 and at most 1, one a keypoint of made_up"):
        oks_sigmas(Skeleton("made_up", ("tail",), ()), [wrong])


@pytest.mark.parametrize("skeleton", SKELETONS, ids=repr)
def test_every_skeleton_can_be_scored(skeleton):
    sigmas, source = oks_sigmas(skeleton)
    assert sigmas.shape == (len(skeleton),)
    assert (sigmas > 0).all()
    assert source == skeleton.sigmas_source or skeleton.sigmas is None


def test_what_cannot_be_scored_is_said_in_one_line():
    good, true = scene_of(person_of(score=0.5)), scene_of(person_of())
    for message, predicted, truth in (
        ("1 predicted scenes and 2 true ones", [good], [true, true]),
        ("no scene to score", [], []),
        ("scene 0: the prediction is of 1, the truth of 2", [scene_of(id=1)], [scene_of(id=2)]),
        ("scene 1: the prediction has the keypoints of lsp", [good, scene_of(skeleton=LSP)], [true, true]),
        ("scene 0: a person of the prediction has not 17 keypoints", [scene_of(person_of(count=3))], [true]),
        ("scene 0: a person has neither area nor box", [good], [scene_of(person_of(area=None, box=None))]),
        ("scene 0, person 0: score is None", [true], [true]),
        ("scene 0, person 0: score is nan", [scene_of(person_of(score=np.nan))], [true]),
    ):
        with pytest.raises(ValueError, match=message):
            oks_ap(predicted, truth)
    with pytest.raises(ValueError, match="17 numbers above 0 and at most 1"):
        oks_ap([good], [true], sigmas=[0.1])
    with pytest.raises(ValueError, match="has no box"):
        oks_ap([scene_of(person_of(score=0.5, box=None))], [true], predicted_area="box")
