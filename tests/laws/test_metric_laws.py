"""Laws that every metric keeps: what is perfect, what is nothing, and what must not matter."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.metrics import Score, aic_map, mpii_map, oks_ap, pck, pckh, pcp, pdj
from posewright.scene import Person, Scene
from posewright.skeleton import AIC, COCO, CROWDPOSE, LSP, MPII, POSETRACK
from posewright.skeleton.spelling import mirrored_name
from posewright.warp import Warp, flipped

SIZE = (640, 480)
SYMMETRIC = np.array(CROWDPOSE.sigmas)[CROWDPOSE.to(AIC)]
METRICS = {
    "oks_ap": (oks_ap, COCO, 3),
    "oks_ap_without_published_sigmas": (oks_ap, LSP, 3),
    "pck": (pck, LSP, 1),
    "pck_by_the_box": (lambda predicted, truth: pck(predicted, truth, normalise="box"), COCO, 1),
    "pck_along_a_curve": (lambda predicted, truth: pck(predicted, truth, [0.01, 0.03, 0.1], "box"), AIC, 1),
    "pckh": (pckh, MPII, 1),
    "pdj": (pdj, LSP, 1),
    "pcp": (pcp, LSP, 1),
    "pcp_loose": (lambda predicted, truth: pcp(predicted, truth, "loose"), MPII, 1),
    "pcp_average": (lambda predicted, truth: pcp(predicted, truth, "average"), COCO, 1),
    "mpii_map": (lambda predicted, truth: mpii_map(predicted, truth, "counted"), MPII, 2),
    "mpii_map_of_posetrack": (lambda predicted, truth: mpii_map(predicted, truth, "counted"), POSETRACK, 2),
    # AI Challenger's own sigmas differ between left and right, so that a mirror changes its numbers
    "aic_map": (lambda predicted, truth: aic_map(predicted, truth, SYMMETRIC), AIC, 3),
}
SIZED = ("APM", "APL", "ARM", "ARL")
"""Numbers of people of a given size, which a change of scale is allowed to change."""


@pytest.fixture(params=METRICS)
def case(request, rng):
    """A metric, and imperfect predictions of people whose sizes, labels and scores are all different."""
    metric, skeleton, count = METRICS[request.param]
    truth = [_scene(rng, skeleton, count) for _ in range(12)]
    return metric, [_guessed(rng, scene) for scene in truth], truth


def _scene(rng, skeleton, count):
    return Scene("", skeleton, tuple(_person(rng, skeleton) for _ in range(count)), SIZE)


def _person(rng, skeleton):
    """Draw a person whose torso is a rectangle: PCK measures one diagonal, and in a mirror the other."""
    keypoints = rng.uniform(0, SIZE, (len(skeleton), 2)) * rng.uniform(0.2, 1)
    visible = rng.choice([0, 1, 2], len(skeleton), p=[0.2, 0.3, 0.5]).astype(np.uint8)
    torso = [skeleton.index(f"{side}_{end}") for end in ("shoulder", "hip") for side in ("left", "right")]
    keypoints[torso] = rng.uniform(0, 200, 2) + np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * rng.uniform(30, 200, 2)
    visible[torso] = 2
    low, high = keypoints.min(0), keypoints.max(0)
    return Person(
        np.where(visible[:, None] > 0, keypoints, np.nan),
        visible,
        box=np.concatenate([low, high]),
        area=0.5 * float(np.prod(high - low)),
        head=np.concatenate([low, low + (high - low) * 0.2]),
    )


def _guessed(rng, scene):
    """Predict everybody, some of them badly, and a person who is not there with the worst score."""
    noise = rng.uniform(0, 30, len(scene.people))
    people = [
        Person(np.nan_to_num(p.keypoints, nan=50.0) + rng.normal(0, s, p.keypoints.shape), score=rng.uniform(0.5, 1))
        for p, s in zip(scene.people, noise, strict=True)
    ]
    stray = Person(rng.uniform(0, SIZE, (len(scene.skeleton), 2)), score=rng.uniform(0, 0.5))
    return replace(scene, people=(*people, stray))


def _moved(scenes, warp):
    return [replace(s, people=tuple(p.moved(warp, s.skeleton) for p in s.people)) for s in scenes]


def _assert_same(metric, predicted, truth, expected, except_for=()):
    found = metric(predicted, truth)
    assert found.keys() == expected.keys()
    for name in found.keys() - set(except_for):
        assert found[name] == pytest.approx(expected[name], abs=1e-12), name


def _renamed(score):
    """Exchange left and right in the names of numbers."""
    return {"/".join(mirrored_name(part) for part in name.split("/")): value for name, value in score.items()}


def test_predictions_of_this_test_are_neither_perfect_nor_useless(case):
    metric, predicted, truth = case
    assert all(
        0 < value < 1 for name, value in metric(predicted, truth).items() if "/" not in name and name not in SIZED
    )


def test_a_score_is_a_dict_of_numbers_that_carries_its_protocol(case):
    metric, predicted, truth = case
    score = metric(predicted, truth)
    assert isinstance(score, Score)
    assert all(type(value) is float for value in score.values())
    assert score.protocol["scenes"] == len(truth)
    assert all(type(value) in (str, int, float) for value in score.protocol.values())


def test_the_truth_as_prediction_is_perfect(case):
    metric, _, truth = case
    perfect = [replace(s, people=tuple(replace(p, score=0.5) for p in s.people)) for s in truth]
    values = [value for value in metric(perfect, truth).values() if value != -1.0]
    assert values
    assert values == pytest.approx([1.0] * len(values))


def test_no_prediction_scores_nothing(case):
    metric, predicted, truth = case
    empty = [replace(scene, people=()) for scene in predicted]
    values = metric(empty, truth)
    assert {value for value in values.values() if value >= 0} == {0.0}
    unknown = {name for name, value in values.items() if value == -1.0 or np.isnan(value)}
    assert all(name in SIZED or name.startswith("precision") for name in unknown), "nothing found has no precision"


def test_moving_both_changes_nothing(case):
    metric, predicted, truth = case
    shift = Warp(np.array([[1.0, 0, -321], [0, 1, 57], [0, 0, 1]]), SIZE)
    _assert_same(metric, _moved(predicted, shift), _moved(truth, shift), metric(predicted, truth))


def test_mirroring_both_exchanges_left_and_right_and_nothing_else(case):
    metric, predicted, truth = case
    expected = _renamed(metric(predicted, truth))
    _assert_same(metric, _moved(predicted, flipped(SIZE)), _moved(truth, flipped(SIZE)), expected)


def test_scaling_both_changes_nothing(case):
    metric, predicted, truth = case
    twice = Warp(np.diag([2.0, 2.0, 1.0]), (2 * SIZE[0], 2 * SIZE[1]))
    _assert_same(metric, _moved(predicted, twice), _moved(truth, twice), metric(predicted, truth), SIZED)


def test_the_order_of_scenes_and_people_changes_nothing(case, rng):
    metric, predicted, truth = case
    order = rng.permutation(len(truth))

    def shuffled(scenes):
        return [replace(scenes[i], people=tuple(reversed(scenes[i].people))) for i in order]

    _assert_same(metric, shuffled(predicted), shuffled(truth), metric(predicted, truth))


def test_naming_pictures_changes_nothing(case):
    metric, predicted, truth = case
    names = [f"im{i:05d}" for i in range(len(truth))]
    named = [[replace(s, id=n) for s, n in zip(scenes, names, strict=True)] for scenes in (predicted, truth)]
    _assert_same(metric, *named, metric(predicted, truth))
