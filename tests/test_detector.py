"""Detectors find the people that an estimator is asked about; the real package runs where it is installed."""

from types import SimpleNamespace

import numpy as np
import pytest

import posewright
from posewright.cli import main
from posewright.datasets.detections import Detected
from posewright.datasets.synthetic import world
from posewright.estimators.adapters.detector import Detecting, adapt, load
from posewright.picture import write
from posewright.skeleton import LSP


@pytest.fixture(scope="module")
def scene():
    return world(1, 4, skeleton=LSP, people=(1, 1))[0]


def test_people_are_looked_for_where_the_detector_says_and_ranked(scene):
    box = scene.people[0].box
    estimator = Detecting(posewright.load("default"), lambda pixels: [Detected(box, 0.5), Detected(box + 0.5, 0.8)])  # noqa: ARG005
    (person,) = estimator(scene)
    alone = posewright.load("default")(scene, [box + 0.5])[0]
    np.testing.assert_array_equal(person.keypoints, alone.keypoints)
    assert person.score == pytest.approx(0.8 * alone.scores[alone.scores > 0.2].mean())
    assert next(estimator.many([scene]))[0].score == person.score
    assert estimator(scene, [box])[0].score != person.score
    assert estimator.skeleton is LSP


def test_where_the_detector_finds_nobody_is_nobody(scene):
    assert Detecting(posewright.load("default"), lambda pixels: [])(scene) == []  # noqa: ARG005


def test_people_alone_are_taken_best_first_and_empty_boxes_left_out():
    torch = pytest.importorskip("torch")
    rows = torch.tensor([[0.0, 0, 9, 9], [1, 1, 5, 5], [2, 2, 2, 8], [3, 3, 8, 8]])
    said = {"boxes": rows, "scores": torch.tensor([0.6, 0.9, 0.9, 0.7]), "labels": torch.tensor([1, 0, 1, 1])}

    class Processor:
        def __call__(self, pixels, **options):
            assert options["input_data_format"] == "channels_last"
            return Inputs(pixel_values=pixels)

        def post_process_object_detection(self, outputs, threshold, target_sizes):
            assert (outputs, threshold, target_sizes) == ("outputs", 0.5, [(12, 16)])
            return [said]

    class Inputs(dict):
        def to(self, device):
            assert device == "cpu"
            return self

    class Model:
        config = SimpleNamespace(id2label={0: "dog", 1: "Person"}, name_or_path="tiny")
        device = "cpu"

        def __call__(self, pixel_values):
            assert pixel_values.shape == (12, 16, 3)
            return "outputs"

    found = adapt(Model(), Processor())(np.zeros((12, 16, 3), np.uint8))
    assert [(one.score, one.box.tolist()) for one in found] == [
        (pytest.approx(0.7), [3, 3, 8, 8]),
        (pytest.approx(0.6), [0, 0, 9, 9]),
    ]


def test_a_detector_of_no_people_is_refused():
    model = SimpleNamespace(config=SimpleNamespace(id2label={0: "dog"}, name_or_path="dogs"))
    with pytest.raises(ValueError, match="dogs: none of its labels is 'person'"):
        adapt(model, None)


def test_a_detector_from_disk_runs_whole(tmp_path, scene, capsys):
    transformers = pytest.importorskip("transformers")
    config = transformers.YolosConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=[64, 64],
        num_detection_tokens=5, id2label={0: "person"}, label2id={"person": 0}
    )  # fmt: skip
    transformers.YolosForObjectDetection(config).save_pretrained(tmp_path / "tiny")
    transformers.YolosImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "tiny")
    estimator = load(tmp_path / "tiny", posewright.load(), above=0.0)
    people = estimator(scene)
    assert people
    assert all(0 <= person.score <= 1 and person.box is not None for person in people)
    assert estimator.protocol()["detector package"] == "transformers"
    write(tmp_path / "one.png", scene.pixels())
    line = f"predict {tmp_path}/one.png --detector {tmp_path}/tiny --out {tmp_path}/out"
    assert main(line.split()) == 0
    assert (tmp_path / "out" / "predictions.json").exists()
    capsys.readouterr()
