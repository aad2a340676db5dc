"""PCK and PCKh by hand: who counts, what is a miss, and which mean is which."""

import math
from dataclasses import replace

import numpy as np
import pytest

from posewright.metrics import pck, pckh
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, LSP, MPII, Skeleton


def person(skeleton=LSP, **fields):
    """A person with 10 px between left shoulder and right hip."""
    keypoints = np.tile([100.0, 200.0], (len(skeleton), 1))
    keypoints[skeleton.index("right_hip")] += [6.0, 8.0]
    return Person(keypoints, **fields)


def shifted(one, skeleton=LSP, score=None, **by):
    """The person with some keypoints moved to the right by px; NaN takes them away."""
    keypoints = one.keypoints.copy()
    for name, px in by.items():
        keypoints[skeleton.index(name), 0] += px
    return Person(keypoints, score=score)


def scene(*people, skeleton=LSP):
    return Scene("", skeleton, people)


def test_a_keypoint_on_the_threshold_counts_and_one_beyond_does_not():
    true = person()
    score = pck([scene(shifted(true, left_knee=2.0, right_knee=2.001))], [scene(true)])
    assert score["PCK@0.2/left_knee"] == 1.0
    assert score["PCK@0.2/right_knee"] == 0.0
    assert score["PCK@0.2"] == score["PCK@0.2/mean_of_keypoints"] == 13 / 14


def test_the_pooled_share_and_the_mean_of_keypoints_are_two_numbers():
    full = person()
    partly = shifted(full, left_knee=np.nan)
    truth = [scene(full), scene(partly)]
    score = pck([scene(full), scene(shifted(full, neck=9.0))], truth)
    assert score["PCK@0.2"] == 26 / 27
    assert score["PCK@0.2/mean_of_keypoints"] == pytest.approx((13 + 1 / 2) / 14)
    assert score.protocol["keypoints"] == 27


def test_only_the_best_prediction_counts_and_none_is_a_miss_everywhere():
    true = person()
    good, bad = shifted(true, score=0.9), shifted(true, neck=99.0, score=0.1)
    score = pck([scene(bad, good), scene()], [scene(true), scene(true)])
    assert score["PCK@0.2"] == 0.5
    assert score.protocol["people_not_predicted"] == 1
    assert pck([scene(replace(bad, score=None), good)], [scene(true)])["PCK@0.2"] == 1.0


def test_people_without_a_torso_are_left_out_and_counted():
    true = person()
    predicted = [scene(shifted(true, neck=99.0)), scene(true)]
    score = pck(predicted, [scene(shifted(true, right_hip=np.nan)), scene(true)])
    assert score["PCK@0.2"] == 1.0
    assert (score.protocol["people"], score.protocol["people_without_size"]) == (1, 1)
    nobody = pck(predicted[:1], [scene(shifted(true, right_hip=np.nan))])
    assert math.isnan(nobody["PCK@0.2"])
    assert nobody.keys() == {"PCK@0.2", "PCK@0.2/mean_of_keypoints"}


def test_the_box_measures_by_its_longer_side():
    true = person(box=np.array([0.0, 0.0, 10.0, 40.0]))
    predicted = [scene(shifted(true, neck=8.0, left_knee=8.1))]
    score = pck(predicted, [scene(true)], normalise="box")
    assert score["PCK@0.2/neck"] == 1.0
    assert score["PCK@0.2/left_knee"] == 0.0
    assert pck(predicted, [scene(person())], normalise="box").protocol["people_without_size"] == 1


def test_pckh_measures_by_the_head_and_leaves_pelvis_and_thorax_out_of_its_means():
    true = person(MPII, head=np.array([0.0, 0.0, 30.0, 40.0]))
    moved = shifted(true, MPII, pelvis=99.0)
    score = pckh([scene(moved, skeleton=MPII)], [scene(true, skeleton=MPII)])
    assert score["PCKh@0.5"] == score["PCKh@0.5/mean_of_keypoints"] == 1.0
    assert score["PCKh@0.5/pelvis"] == 0.0
    edge = shifted(true, MPII, left_knee=15.0, right_knee=15.001)
    score = pckh([scene(edge, skeleton=MPII)], [scene(true, skeleton=MPII)])
    assert (score["PCKh@0.5/left_knee"], score["PCKh@0.5/right_knee"]) == (1.0, 0.0)
    assert score["PCKh@0.5"] == 13 / 14


@pytest.mark.parametrize("names", [COCO.keypoints[:5], ("tail", "snout"), ("left_shoulder", "right_paw")])
def test_without_a_torso_the_longer_side_of_the_box_is_the_unit(names):
    own = Skeleton("own", names, ())
    true = Person(np.zeros((len(own), 2)), box=np.array([0.0, 0, 30, 50]))
    near, far = (replace(true, keypoints=np.full((len(own), 2), [by, 0.0])) for by in (10.0, 10.01))
    for found, value in ((near, 1.0), (far, 0.0)):
        score = pck([scene(found, skeleton=own)], [scene(true, skeleton=own)])
        assert score["PCK@0.2"] == value
        assert str(score.protocol["normalised_by"]).startswith("longer side of the box, as own has no ")


def test_what_cannot_be_scored_is_said_in_one_line():
    true = person()
    with pytest.raises(ValueError, match="scene 0: holds 2 people"):
        pck([scene(true)], [scene(true, true)])
    with pytest.raises(ValueError, match="'torso', 'box', 'head', 'image'"):
        pck([scene(true)], [scene(true)], normalise="hand")
