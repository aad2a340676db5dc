"""PCP by hand: three readings of one sentence, what is left out and what is wrong."""

import math

import numpy as np
import pytest

from posewright.metrics import pcp
from posewright.metrics.distance.pcp import STICKS, correct, sticks_of
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, LSP, MPII, Skeleton

ARM = Skeleton("arm", ("left_shoulder", "left_elbow", "right_shoulder", "right_elbow"), ())
RULES = ("strict", "loose", "average")
STICK = np.array([[0.0, 0.0], [0.0, 10.0]])


def scene(*rows):
    people = () if not rows else (Person(np.array(rows, float)),)
    return Scene("", ARM, people)


def verdicts(*ends):
    return [bool(correct(np.array(ends, float), STICK, rule)) for rule in RULES]


def test_an_end_on_the_border_is_right_but_not_loosely():
    assert verdicts([5, 0], [5, 10]) == [True, False, True]
    assert verdicts([4.9, 0], [4.9, 10]) == [True, True, True]


def test_one_good_end_makes_up_for_a_bad_one_unless_strict():
    assert verdicts([0, 0], [9, 10]) == [False, True, True]


def test_ends_that_changed_places_are_right_only_loosely():
    assert verdicts([0, 10], [0, 0]) == [False, True, False]


def test_loosely_each_direction_is_measured_alone():
    assert verdicts([4, 4], [4, 14]) == [False, True, False]


def test_a_true_stick_without_length_is_never_right_but_on_average_where_it_is_met():
    point = np.zeros((2, 2))
    assert [bool(correct(point, point, rule)) for rule in RULES] == [False, False, True]
    assert not any(correct(point + 1, point, rule) for rule in RULES)


def test_sticks_are_pooled_named_and_joined_over_both_sides():
    true = scene([0, 0], [0, 10], [20, 0], [20, 10])
    wrong = scene([0, 0], [0, 10], [20, 0], [20, 16])
    score = pcp([wrong, scene()], [true, scene([0, 0], [0, 10], [20, 0], [np.nan, np.nan])])
    assert score == {
        "PCP_strict@0.5": 1 / 3,
        "PCP_strict@0.5/left_upper_arm": 0.5,
        "PCP_strict@0.5/right_upper_arm": 0.0,
        "PCP_strict@0.5/upper_arm": 0.25,
    }
    assert score.protocol["sticks"] == 3
    assert score.protocol["sticks_not_labelled"] == 1
    assert score.protocol["people_not_predicted"] == 1
    assert pcp([wrong], [true], "loose", threshold=0.2)["PCP_loose@0.2"] == 0.5


def test_a_stick_of_which_an_end_is_not_predicted_is_wrong():
    true = scene([0, 0], [0, 10], [20, 0], [20, 10])
    half = scene([0, 0], [np.nan, np.nan], [20, 0], [20, 10])
    assert [pcp([half], [true], rule)[f"PCP_{rule}@0.5"] for rule in RULES] == [0.5] * 3


def test_nothing_labelled_is_no_number():
    nobody = scene(*[[np.nan, np.nan]] * 4)
    score = pcp([scene()], [nobody])
    assert score.keys() == {"PCP_strict@0.5"}
    assert math.isnan(score["PCP_strict@0.5"])


def test_a_skeleton_has_the_sticks_that_its_keypoints_make():
    assert sticks_of(LSP) == STICKS
    assert STICKS.keys() - sticks_of(COCO).keys() == {"head"}


def test_a_middle_can_be_an_end():
    sticks = {"trunk": (("left_hip", "right_hip"), "upper_neck")}
    keypoints = np.full((len(MPII), 2), np.nan)
    for name, place in (("left_hip", (0, 0)), ("right_hip", (8, 0)), ("upper_neck", (4, 20))):
        keypoints[MPII.index(name)] = place
    truth = [Scene("", MPII, (Person(keypoints),))]
    keypoints = keypoints.copy()
    keypoints[MPII.index("left_hip")] = [20, 0]
    assert pcp([Scene("", MPII, (Person(keypoints),))], truth, sticks=sticks)["PCP_strict@0.5/trunk"] == 1.0
    keypoints[MPII.index("left_hip")] = [20.1, 0]
    assert pcp([Scene("", MPII, (Person(keypoints),))], truth, sticks=sticks)["PCP_strict@0.5/trunk"] == 0.0


def test_what_cannot_be_asked_is_said_in_one_line():
    true = scene(*np.eye(4)[:, :2])
    with pytest.raises(ValueError, match="'strict', 'loose' or 'average', not 'lax'"):
        pcp([true], [true], "lax")
    with pytest.raises(ValueError, match="stick tail: arm has no tip; it has left_shoulder"):
        pcp([true], [true], sticks={"tail": ("left_elbow", "tip")})
    with pytest.raises(ValueError, match="scene 0: holds 0 people"):
        pcp([true], [scene()])
    dots = Skeleton("dots", ("a", "b"), ())
    with pytest.raises(ValueError, match="dots has no stick of"):
        pcp([Scene("", dots)], [Scene("", dots)])
