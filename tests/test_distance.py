"""Laws of the distance metrics: weights are repetitions, thresholds only add, the picture's size does not matter."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright.metrics import auc, epe, nme, pck, pckh, pcp, pdj
from posewright.metrics.distance.distances import distances, measured
from posewright.scene import Person, Scene
from posewright.skeleton import LSP, MPII
from posewright.warp import Warp

METRICS = {
    "pck": pck,
    "pck_curve": partial(pck, threshold=[0.0, 0.1, 0.3]),
    "pck_by_the_box": partial(pck, normalise="box"),
    "pck_by_the_picture": partial(pck, normalise="image", threshold=0.05),
    "pck_below": partial(pck, rule="<"),
    "pckh": pckh,
    "pdj": pdj,
    "pcp_strict": pcp,
    "pcp_loose": partial(pcp, rule="loose"),
    "pcp_average": partial(pcp, rule="average"),
    "nme": nme,
    "nme_by_the_head": partial(nme, normalise="head"),
    "epe": epe,
    "auc": partial(auc, normalise=60.0),
}
IN_PX = ("epe", "auc")
seeds = st.integers(0, 2**32 - 1)


def world(seed, scenes=5, skeleton=MPII):
    """People of whom much is missing, and predictions on whole pixels, so that some are on thresholds."""
    rng = np.random.default_rng(seed)
    truth = [Scene("", skeleton, (someone(rng, skeleton),), (64, 48)) for _ in range(scenes)]
    return [guessed(rng, scene) for scene in truth], truth


def someone(rng, skeleton):
    keypoints = rng.integers(0, 60, (len(skeleton), 2)).astype(float)
    keypoints[rng.random(len(skeleton)) < 0.2] = np.nan
    box, head = (rng.integers(1, 40, 4).cumsum().astype(float) for _ in range(2))
    return Person(keypoints, box=box if rng.random() < 0.8 else None, head=head if rng.random() < 0.8 else None)


def guessed(rng, scene):
    people = []
    for score in rng.random(rng.integers(0, 3)):
        keypoints = scene.people[0].keypoints + rng.integers(-8, 9, (len(scene.skeleton), 2))
        keypoints[rng.random(len(keypoints)) < 0.1] = np.nan
        people.append(Person(keypoints, score=score))
    return replace(scene, people=tuple(people))


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=25, deadline=None)
@given(seed=seeds, counts=st.lists(st.integers(0, 3), min_size=5, max_size=5).filter(any))
def test_weights_are_how_often_a_scene_counts(name, seed, counts):
    metric, (predicted, truth) = METRICS[name], world(seed)
    score = metric(predicted, truth)
    numbers = score.again(np.array([counts, np.ones(5)], float))
    assert numbers.keys() == score.keys()
    for key, value in score.items():
        assert numbers[key].shape == (2,)
        assert numbers[key][1] == pytest.approx(value, rel=1e-12, nan_ok=True)
    often = np.repeat(np.arange(5), counts)
    repeated = metric([predicted[i] for i in often], [truth[i] for i in often])
    assert repeated.keys() <= numbers.keys()
    for key, value in repeated.items():
        assert numbers[key][0] == pytest.approx(value, rel=1e-12, nan_ok=True), key
    assert all(np.isnan(numbers[key][0]) for key in numbers.keys() - repeated.keys())


@settings(max_examples=50, deadline=None)
@given(seed=seeds, low=st.floats(0, 2), more=st.floats(0.001, 2), rule=st.sampled_from(["<=", "<"]))
def test_a_larger_threshold_never_loses_a_keypoint(seed, low, more, rule):
    predicted, truth = world(seed, skeleton=LSP)
    few, many = (pck(predicted, truth, t, rule=rule) for t in (low, low + more))
    for one, other in zip(few.values(), many.values(), strict=True):
        assert not one > other
    strict, other = (pck(predicted, truth, low, rule=rule) for rule in ("<", "<="))
    assert not any(a > b for a, b in zip(strict.values(), other.values(), strict=True))


@pytest.mark.parametrize("name", [name for name in METRICS if name not in IN_PX])
@settings(max_examples=20, deadline=None)
@given(seed=seeds, power=st.integers(-3, 3))
def test_the_size_of_the_picture_does_not_matter(name, seed, power):
    metric, (predicted, truth) = METRICS[name], world(seed)
    times = 2.0**power
    warp = Warp(np.diag([times, times, 1.0]), (int(64 * times), int(48 * times)))

    def scaled(scenes):
        return [replace(s, people=tuple(p.moved(warp, MPII) for p in s.people), size=warp.size) for s in scenes]

    assert metric(scaled(predicted), scaled(truth)) == pytest.approx(metric(predicted, truth), rel=1e-12, nan_ok=True)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_px_are_px_and_lengths_can_be_given(seed):
    predicted, truth = world(seed)
    found = epe(predicted, truth)
    assert nme(predicted, truth, 7.0)["NME"] == pytest.approx(found["EPE"] / 7, rel=1e-12, nan_ok=True)
    by_box = measured(predicted, truth, "box")
    side = [np.nan if p.box is None else max(p.box[2] - p.box[0], p.box[3] - p.box[1]) for s in truth for p in s.people]
    np.testing.assert_array_equal(measured(predicted, truth, side).away, by_box.away)
    assert measured(predicted, truth, side).protocol["normalised_by"] == "given for each person"


def test_who_has_no_length_is_left_out_and_said():
    person = Person(np.zeros((14, 2)), box=np.array([0.0, 0, 0, 0]))
    scenes = [Scene("", LSP, (person,)), Scene(np.zeros((30, 40, 3), np.uint8), LSP, (person,))]
    assert measured(scenes, scenes, "box").protocol["people_without_size"] == 2
    found = measured([scenes[0], Scene("", LSP)], scenes, "image")
    assert found.protocol == {
        "normalised_by": "longer side of the picture", "scenes": 2, "people": 1,
        "people_without_size": 1, "people_not_predicted": 1,
    }  # fmt: skip
    assert found.asked.tolist() == [[False] * 14, [True] * 14]
    away = Person(np.full((14, 2), 8.0), score=1.0)
    by_picture = pck([Scene("", LSP, (away,))] * 2, scenes, np.hypot(8, 8) / 40, "image")
    assert [*by_picture.values()] == [1.0] * len(by_picture)


def test_distances_of_nothing_are_unknown():
    away = distances(np.full((2, 1, 2), 3.0), np.array([[[0.0, np.nan]], [[0.0, 0.0]]]), np.array([1.0, 0.0]))
    assert np.isnan(away).all()


@pytest.mark.parametrize("lengths", [[1.0], [[1.0, 2.0]]])
def test_lengths_that_fit_nobody_are_refused(lengths):
    predicted, truth = world(0, 2)
    with pytest.raises(ValueError, match="one for each of the 2 scenes"):
        nme(predicted, truth, lengths)
