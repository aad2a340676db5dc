"""Evaluation: predict to disk, score from disk, with the protocol beside the numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.scenes import predict_scenes
from posewright.metrics.customary import metric_for
from posewright.metrics.score import Score
from posewright.scene import Person, Scene, each_person, translated
from posewright.skeleton import COCO, CROWDPOSE, LSP, MPII
from posewright.verbs import score as scoring
from posewright.verbs.evaluate import evaluate


class Oracle:
    """Answers with the truth of the person whose box it is asked about, `off` px beside it."""

    batch = 8
    skeleton = LSP

    def __init__(self, off=0.0):
        self.off = off

    def many(self, scenes, boxes):
        for scene, some in zip(scenes, boxes, strict=True):
            yield [self.answer(scene, box) for box in some]

    def answer(self, scene, box):
        (person,) = (p for p in scene.people if p.box is box)
        return Person(person.keypoints + self.off, scores=np.ones(len(person)), score=0.9)


@pytest.fixture(scope="module")
def truth():
    return world(6, 1, skeleton=LSP)


def test_a_perfect_estimator_scores_one_and_the_files_say_so(tmp_path, truth):
    numbers = evaluate(Oracle(), truth, tmp_path, protocol={"data": "world"}, draws=20).scores["pck"]
    assert numbers["PCK@0.2"] == 1.0
    written = json.loads((tmp_path / "scores.json").read_text())
    told = written["files"][0]["metrics"]["pck"]
    assert told["scores"]["PCK@0.2"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert told["protocol"]["data"] == "world"
    assert told["protocol"]["metric"] == "PCK"
    assert {"python", "numpy", "posewright", "onnxruntime"} <= written["versions"].keys()
    names = ["predictions.json", "protocol.json", "report.html", "scores.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize("known", [COCO, CROWDPOSE, LSP])
@pytest.mark.parametrize("asked", [COCO, CROWDPOSE, LSP])
def test_score_says_of_the_file_what_evaluate_said(tmp_path, known, asked):
    """Whatever keypoints the network knows and the truth has: the same numbers, intervals and warnings."""
    coco.write(world(4, 3, skeleton=asked), tmp_path / "data")
    scenes = coco.read(tmp_path / "data", "val")

    class Knowing(Oracle):
        skeleton = known

    found = evaluate(Knowing(off=3.0), scenes, tmp_path / "out", draws=20)
    again = scoring.score_file(tmp_path / "out" / "predictions.json", scenes, scoring.chosen(None, scenes), draws=20)
    assert again.scores == found.scores
    np.testing.assert_equal(again.intervals, found.intervals)
    assert again.warnings == found.warnings


def test_a_poor_estimator_scores_less(tmp_path, truth):
    far = evaluate(Oracle(off=500.0), truth, tmp_path, "pck", draws=0).scores["pck"]
    assert far["PCK@0.2"] == 0.0


def test_the_file_of_predictions_can_be_scored_by_itself(tmp_path, truth):
    evaluate(Oracle(), truth, tmp_path, draws=0)
    again = scoring.score_file(tmp_path / "predictions.json", truth, ["oks_ap"], draws=0)
    assert again.scores["oks_ap"]["AP"] == pytest.approx(1.0)


def test_people_are_asked_for_in_order_without_crowds_and_the_unlabelled(truth):
    scene = next(scene for scene in truth if len(scene.people) > 1)
    nobody = Person(np.full((len(LSP), 2), np.nan), box=np.array([0.0, 0, 9, 9]))
    mixed = replace(
        scene, people=(nobody, replace(scene.people[0], box=np.array([1.0, 2, 30, 40]), crowd=True), *scene.people)
    )
    (guess,) = predict_scenes(Oracle(), [mixed])
    assert len(guess.people) == len(scene.people)
    np.testing.assert_array_equal(guess.people[0].keypoints, scene.people[0].keypoints)


def test_people_of_one_picture_are_scored_each_against_the_answer_at_their_box(truth, tmp_path):
    scene = next(scene for scene in truth if len(each_person([scene])) > 1)
    numbers = evaluate(Oracle(), [scene], tmp_path, "pck", draws=0).scores["pck"]
    assert numbers["PCK@0.2"] == 1.0
    assert isinstance(numbers, Score)
    assert numbers.protocol["people"] == len(each_person([scene]))
    assert numbers.protocol["pairing"].startswith("by box")


def test_nobody_to_score_is_an_error_before_anything_is_written(tmp_path):
    empty = [Scene(np.zeros((8, 8, 3), np.uint8), LSP, id=1)]
    with pytest.raises(ValueError, match="nobody in these scenes is labelled"):
        evaluate(Oracle(), empty, tmp_path / "out", "pck")
    assert not (tmp_path / "out").exists()


def test_a_person_without_a_box_is_named(truth):
    scene = next(scene for scene in truth if scene.people)
    one = scene.people[0]
    point = np.where(np.isnan(one.keypoints), np.nan, 5.0)
    boxless = replace(scene, people=(replace(one, keypoints=point, box=None, id=31),))
    with pytest.raises(
        ValueError, match=rf"scene {scene.id}: person 31: has no box, and all its keypoints are one place"
    ):
        list(predict_scenes(Oracle(), [boxless]))


@pytest.mark.parametrize(("skeleton", "name"), [(LSP, "PCK@0.2"), (COCO, "AP"), (CROWDPOSE, "AP")])
def test_the_customary_metric_of_a_skeleton(skeleton, name):
    scenes = world(3, 2, skeleton=skeleton)
    predicted = list(predict_scenes(Oracle(), scenes))
    assert name in metric_for(scenes)(predicted, scenes)


def test_mpii_is_scored_by_the_head():
    person = Person(np.full((16, 2), 5.0), np.full(16, 2, np.uint8), head=np.array([0.0, 0, 10, 10]))
    scene = Scene(np.zeros((8, 8, 3), np.uint8), MPII, (person,), id=1)
    assert metric_for([scene])([scene], [scene])["PCKh@0.5"] == 1.0


def test_scenes_in_the_words_of_another_skeleton_keep_what_both_know():
    (scene,) = translated(world(1, 3, skeleton=COCO), CROWDPOSE)
    assert scene.skeleton is CROWDPOSE
    assert all(len(person) == len(CROWDPOSE) for person in scene.people)
    assert all(np.isnan(person.keypoints[CROWDPOSE.index("neck")]).all() for person in scene.people)


def test_predictions_are_coco_results(tmp_path, truth):
    evaluate(Oracle(), truth, tmp_path, "pck", draws=0)
    results = json.loads((tmp_path / "predictions.json").read_text())
    assert len(results) == len(each_person(truth))
    assert {"image_id", "category_id", "keypoints", "score"} <= results[0].keys()
    assert len(coco.read_results(tmp_path / "predictions.json", truth)) == len(truth)
