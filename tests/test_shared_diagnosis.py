"""What metrics of one diagnosis share is what each would find alone, to the last bit."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from posewright.columns import Columns, people_of
from posewright.metrics.diagnosis.kinds import AREAS, everybody, similarity
from posewright.metrics.diagnosis.repair import KEYPOINTS, Stages, best_scores, repaired, repairs, stages
from posewright.metrics.diagnosis.sensitivity import sensitivity, visible_keypoints
from posewright.metrics.oks.groups import gather, gathered_once, nearest
from posewright.metrics.oks.similarity import oks
from posewright.metrics.trust.outcomes import keypoint_outcomes, person_outcomes, visibility_outcomes
from posewright.scene import Person, Scene
from posewright.skeleton import COCO

COUNT = len(COCO)


def one(rng, middle, told=True, **more):
    """A person of some 90 px about a place, of whom some keypoints are absent."""
    xy = middle + rng.normal(0, 25, (COUNT, 2))
    visible = rng.integers(0, 3, COUNT).astype(np.uint8) * (rng.random() < 0.9)
    xy[visible == 0] = np.nan
    box = np.concatenate([middle - 45, middle + 45])
    return Person(xy, visible if told else None, box=box, area=float(rng.uniform(900, 12_000)), **more)


@pytest.fixture
def both(rng):
    """Predictions and truth of pictures whose ids stand in another order than they are listed."""
    predicted, truth = [], []
    for number in rng.permutation(12).tolist():
        people = tuple(one(rng, rng.uniform(0, 120, 2), crowd=rng.random() < 0.1) for _ in range(rng.integers(0, 5)))
        guesses = [(p, np.nan_to_num(p.keypoints, nan=40.0)) for p in people for _ in range(rng.integers(0, 4))]
        found = tuple(
            Person(xy + rng.normal(0, 4, xy.shape), p.visible * 0 + 2, rng.random(COUNT), float(rng.integers(1, 9)) / 9)
            for p, xy in guesses
        )
        truth.append(Scene("", COCO, people, (160, 160), id=number))
        predicted.append(Scene("", COCO, found, (160, 160), id=number))
    return predicted, truth


def in_columns(scenes):
    return Columns([Scene("", COCO, (), s.size, id=s.id) for s in scenes], people_of(scenes, COUNT))


@pytest.mark.parametrize("outcomes", [keypoint_outcomes, person_outcomes, visibility_outcomes])
def test_outcomes_of_columns_are_those_of_scenes(both, outcomes):
    found, expected = outcomes(*map(in_columns, both)), outcomes(*both)
    assert len(found.score) > 20
    assert found.protocol == expected.protocol
    for name in ("scene", "group", "score", "correct"):
        assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def test_metrics_that_share_a_problem_say_what_they_say_alone(both):
    alone = [metric(*both) for metric in (repairs, sensitivity)]
    with gathered_once():
        assert everybody(*both) is everybody(*both)
        with gathered_once():
            assert gather(*both) is gather(*both)
            together = [metric(*both) for metric in (repairs, sensitivity)]
    assert everybody(*both) is not everybody(*both)
    for one_alone, shared in zip(alone, together, strict=True):
        np.testing.assert_equal(dict(shared), dict(one_alone))


def test_only_who_is_moved_by_a_repair_is_compared_anew(both, monkeypatch):
    people = everybody(*both)
    seen = []

    def kept(_people, alike, score, counts):
        seen.append(alike)
        return (score, counts)

    monkeypatch.setattr("posewright.metrics.diagnosis.repair._match", kept)
    monkeypatch.setattr("posewright.metrics.diagnosis.repair.without_false_positives", lambda ranges: ranges)
    stages(people)
    xy = people.predictions.keypoints
    alike = [
        similarity(people, repaired(people, found, kind, xy)) for kind in KEYPOINTS.values() for found in people.kinds
    ]
    area = len(AREAS)
    for place in range(len(KEYPOINTS)):
        for a in range(area):
            assert_array_equal(seen[area + 2 * area * place + a], alike[area * place + a])
    assert not np.array_equal(alike[0], people.alike)


def test_a_range_that_is_asked_for_alone_is_matched_as_beside_the_others(both):
    people = everybody(*both)
    whole, first = stages(people), stages(people, areas=[0])
    for part in Stages._fields:
        for name, ranges in getattr(first, part).items():
            for found, expected in zip(ranges[0], getattr(whole, part)[name][0], strict=True):
                assert_array_equal(found, expected, err_msg=name)


def test_best_scores_are_those_of_all_pairs_at_once(both):
    people = everybody(*both)
    xy, scene, rank = people.predictions.keypoints.copy(), people.predictions.image, people.rank
    xy[0, 3] = np.nan
    best = np.linspace(0.1, 0.9, len(rank))
    extent = np.nan_to_num(np.fmax.reduce(xy, axis=1) - np.fmin.reduce(xy, axis=1)).prod(1)
    area = (extent[:, None] + extent)[..., None] / 2 + np.spacing(1)
    away = ((xy[:, None] - xy) ** 2).sum(-1) / (people.sigmas * 2) ** 2
    fade = np.exp(-(np.fmax(np.exp(-away / area / 2), 0.0).mean(-1) ** 2) / 0.5)
    expected, left = np.zeros(len(rank)), best.copy()
    for image in np.unique(scene):
        some = np.flatnonzero(scene == image).tolist()
        while some:
            top = max(some, key=lambda row: (left[row], -rank[row]))
            expected[top] = left[top]
            some.remove(top)
            left[some] *= fade[top, some]
    assert_array_equal(best_scores(people, [best], xy)[0], expected)


def test_whom_a_prediction_resembles_most_is_found_as_picture_by_picture(both):
    problem = gather(*both)
    truths, predictions, expected = problem.truths, problem.predictions, []
    counted = np.flatnonzero(~truths.ignored)
    for row, image in enumerate(predictions.image):
        some = counted[truths.image[counted] == image]
        found = -1
        if len(some):
            similar = oks(
                truths.keypoints[some], truths.labelled[some], truths.area[some], truths.box[some],
                predictions.keypoints[row : row + 1], problem.sigmas,
            )[0]  # fmt: skip
            found = some[similar.argmax()] if similar.max() > 0 else -1
        expected.append(found)
    assert len(set(expected)) > 10
    assert_array_equal(nearest(problem), expected)


@pytest.mark.parametrize("told", ["all", "some", "none"])
def test_seen_keypoints_are_counted_in_the_order_of_the_problem(rng, told):
    tells = {"all": lambda _: True, "some": lambda i: i % 2 == 0, "none": lambda _: False}[told]
    scenes = [Scene("", COCO, tuple(one(rng, np.zeros(2), tells(i)) for _ in range(3)), id=9 - i) for i in range(4)]
    order = np.array([3, 2, 1, 0])
    people = [person for place in order for person in scenes[place].people]
    expected = [int((p.labelled if p.visible is None else p.visible == 2).sum()) for p in people]
    assert_array_equal(visible_keypoints(scenes, order, COUNT), expected)
    if told != "some":
        assert_array_equal(visible_keypoints(in_columns(scenes), order, COUNT), expected)
