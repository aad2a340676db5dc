"""Calibration: what a network says too loudly comes true afterwards, in the order that it was."""

import numpy as np
import pytest

from posewright.codecs.sightings import VisibleDistribution, logistic, logit
from posewright.estimators.runtimes import Network
from posewright.estimators.scenes import predict_scenes
from posewright.estimators.top_down import TopDown
from posewright.fields import Sightings
from posewright.metrics.trust.calibration import keypoint_calibration
from posewright.scene import ABSENT, SEEN, Person, Scene, whole
from posewright.skeleton import LSP
from posewright.train.export.calibrate import calibrated, platt

SIZE = (64, 64)


@pytest.mark.parametrize("line", [(2.0, -1.0), (0.5, 0.7)])
def test_the_two_numbers_undo_what_was_done(rng, line):
    true = rng.uniform(0.02, 0.98, 40_000)
    happened = rng.random(len(true)) < true
    slope, shift = platt(logistic((logit(true) - line[1]) / line[0]), happened)
    assert slope == pytest.approx(line[0], abs=0.05)
    assert shift == pytest.approx(line[1], abs=0.05)


def test_one_kind_alone_cannot_be_calibrated():
    with pytest.raises(ValueError, match="99 are true; calibration needs 100 of each kind"):
        platt(np.full(500, 0.5), np.arange(500) < 99)


def boasting(rng, count):
    """People who fill their pictures, and a network that is sure of all it says and wrong in three of ten."""
    codec = VisibleDistribution(LSP, SIZE)
    truth, answers = [], []
    for number in range(count):
        keypoints = rng.uniform(8, 55, (14, 2))
        keypoints[[LSP.index("left_shoulder"), LSP.index("right_hip")]] = (20, 10), (34, 50)
        hidden = rng.random(14) < 0.25
        hidden[[LSP.index("left_shoulder"), LSP.index("right_hip")]] = False
        own = np.where(hidden[:, None], np.nan, keypoints)
        person = Person(own, np.where(hidden, ABSENT, SEEN).astype(np.uint8), box=whole(SIZE))
        truth.append(Scene(np.zeros((64, 64, 3), np.uint8), LSP, (person,), SIZE, id=number))
        wrong = rng.random((14, 1)) < 0.3
        maps = codec.encode([Person(np.where(wrong, 63 - keypoints[:, ::-1], keypoints))]).maps[0]
        answers.append(Sightings(maps, np.where(hidden ^ (rng.random(14) < 0.2), -4.0, 4.0)))

    def network(codec):
        row = iter(answers)
        return Network(lambda pixels: [Sightings(*map(np.stack, zip(*(next(row)[:2] for _ in pixels), strict=True)))],
                       codec, padding=1.0)  # fmt: skip

    return codec, truth, network


def test_a_boaster_is_brought_down(rng):
    codec, truth, network = boasting(rng, 120)
    better = calibrated(network(codec), codec, truth)
    assert better.scored[0] < 1
    assert better.sighted[0] < 0.5
    plain, told = (list(predict_scenes(TopDown(network(one), one), truth)) for one in (codec, better))
    errors = [keypoint_calibration(found, truth, "torso")["ECE"] for found in (plain, told)]
    assert errors[0] > 0.2
    assert errors[1] < 0.05
    for one, other in zip(plain, told, strict=True):
        np.testing.assert_array_equal(one.people[0].keypoints, other.people[0].keypoints)
    seen = np.array([scene.people[0].seen for scene in told])
    labelled = np.array([scene.people[0].labelled for scene in truth])
    assert seen.mean() == pytest.approx(labelled.mean(), abs=0.01)
