"""Average precision by groups of keypoints and people: what must hold for any scenes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright.metrics import (
    ap_by_cause,
    ap_by_crowding,
    ap_by_hidden,
    ap_by_keypoint,
    ap_by_size,
    ap_by_truncation,
    ap_by_visibility,
    crowd_index,
    crowdpose_ap,
    oks_ap,
    sigma_band,
)
from posewright.metrics.oks.crowding import largest_overlap
from posewright.metrics.oks.groups import NUMBERS, gather, nearest
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause, Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, LSP

SIZE = (320, 240)


def world(seed, pictures=6, skeleton=COCO):
    """Return predicted and true scenes: people near and far, hidden, cut, crowds, inventions, equal scores."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for identity in rng.permutation(pictures).tolist():
        people = [true_person(rng, len(skeleton)) for _ in range(rng.integers(0, 5))]
        found = [predicted_person(rng, person, len(skeleton)) for person in people for _ in range(rng.integers(0, 3))]
        found += [predicted_person(rng, None, len(skeleton)) for _ in range(rng.integers(0, 2))]
        truth.append(Scene("", skeleton, tuple(people), SIZE, id=identity))
        predicted.append(Scene("", skeleton, tuple(found), id=identity))
    return predicted, truth


def true_person(rng, count):
    middle, reach = rng.uniform((0, 0), SIZE), rng.uniform(10, 120)
    xy = middle + rng.uniform(-reach, reach, (count, 2))
    visible = rng.choice([ABSENT, HIDDEN, SEEN], count, p=rng.dirichlet([1, 1, 1])).astype(np.uint8)
    cause = np.where(visible == HIDDEN, rng.integers(1, 5, count), Cause.SEEN).astype(np.uint8)
    box = np.concatenate([xy.min(0), xy.max(0)])
    area = float(np.prod(box[2:] - box[:2]) / 2)
    keypoints = np.where(visible[:, None] > 0, xy, np.nan)
    return Person(keypoints, visible, box=box, area=area, cause=cause, crowd=bool(rng.random() < 0.1))


def predicted_person(rng, person, count):
    known = np.nan if person is None else person.keypoints
    xy = np.where(np.isfinite(known), known, rng.uniform((0, 0), SIZE, (count, 2)))
    return Person(xy + rng.normal(0, rng.uniform(0, 8), (count, 2)), score=float(rng.integers(1, 6) / 5))


def kept(truth, keep):
    """Return the scenes with only the keypoints that `keep(person)` (K,) names."""

    def masked(person):
        flags = keep(person)
        visible = np.where(flags, person.visible, ABSENT).astype(np.uint8)
        return replace(person, keypoints=np.where(flags[:, None], person.keypoints, np.nan), visible=visible)

    return [replace(scene, people=tuple(masked(person) for person in scene.people)) for scene in truth]


def of_group(score, group):
    return {number: score[group.format(number)] for number in NUMBERS}


def assert_same(score, group, whole):
    assert of_group(score, group) == {number: whole[number] for number in NUMBERS}


worlds = st.integers(0, 2**32 - 1).map(world)


@settings(max_examples=30, deadline=None)
@given(worlds)
def test_a_group_of_keypoints_is_coco_on_truth_without_the_others(scenes):
    predicted, truth = scenes
    seen = ap_by_visibility(predicted, truth)
    assert_same(seen, "{}_vis", oks_ap(predicted, kept(truth, lambda person: person.visible == SEEN)))
    assert_same(seen, "{}_invis", oks_ap(predicted, kept(truth, lambda person: person.visible == HIDDEN)))
    cause = ap_by_cause(predicted, truth)
    for why in Cause:
        alone = kept(truth, lambda person, why=why: person.cause == why)
        assert_same(cause, f"{{}}/{why.name.lower()}", oks_ap(predicted, alone))
    each = ap_by_keypoint(predicted, truth)
    for k in (0, 16):
        alone = kept(truth, lambda _, k=k: np.arange(17) == k)
        assert_same(each, f"{{}}/{COCO.keypoints[k]}", oks_ap(predicted, alone))


@settings(max_examples=30, deadline=None)
@given(worlds)
def test_groups_that_hold_everybody_or_a_range_are_coco_s_own_numbers(scenes):
    predicted, truth = scenes
    whole = oks_ap(predicted, truth)
    size = ap_by_size(predicted, truth, bins=1)
    assert (size["AP/medium"], size["AP/large"]) == (whole["APM"], whole["APL"])
    assert (size["AR/medium"], size["AR/large"]) == (whole["ARM"], whole["ARL"])
    assert_same(size, "{}/area_1_of_1", whole)
    assert_same(sigma_band(predicted, truth), "{}/sigmas_x1", whole)


@settings(max_examples=30, deadline=None)
@given(worlds)
def test_the_parts_of_a_division_hold_everybody_once(scenes):
    predicted, truth = scenes
    people = oks_ap(predicted, truth).protocol["people"]
    for score in (
        ap_by_size(predicted, truth, bins=3),
        ap_by_hidden(predicted, truth),
        ap_by_truncation(predicted, truth),
        ap_by_crowding(predicted, truth),
        ap_by_crowding(predicted, truth, measure="index"),
    ):
        parts = {name: n for name, n in score.protocol.items() if name.startswith("people/")}
        sizes = [parts.pop(f"people/{name}", 0) for name in ("medium", "large")]
        assert sum(parts.values()) == people
        assert sum(sizes) <= people
        assert {name.partition("/")[2] for name in score} - {"medium", "large"} == {n[7:] for n in parts}


def every_score(predicted, truth):
    return (
        ap_by_visibility(predicted, truth),
        ap_by_keypoint(predicted, truth),
        ap_by_cause(predicted, truth),
        ap_by_hidden(predicted, truth),
        ap_by_size(predicted, truth, bins=1),
        ap_by_truncation(predicted, truth),
        ap_by_crowding(predicted, truth),
        ap_by_crowding(predicted, truth, measure="index"),
        sigma_band(predicted, truth),
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_weights_of_scenes_give_what_scoring_some_of_the_scenes_gives(seed):
    predicted, truth = world(seed)
    some = np.random.default_rng(seed).random(len(truth)) < 0.6
    some[0] = True
    chosen = [[scene for scene, take in zip(scenes, some, strict=True) if take] for scenes in (predicted, truth)]
    for whole, part in zip(every_score(predicted, truth), every_score(*chosen), strict=True):
        again = whole.again(np.stack([np.ones(len(truth)), some]).astype(float))
        assert again.keys() == whole.keys()
        for name, values in again.items():
            np.testing.assert_allclose(values, [whole[name], part[name]], rtol=1e-12)


def test_a_near_miss_counts_against_its_own_group_alone():
    """Somebody is found badly; somebody else, of another group, exactly. The second group must be perfect."""
    rng = np.random.default_rng(3)
    xy = rng.uniform(20, 60, (17, 2))
    box = np.array([20.0, 20, 60, 60])
    hidden = Person(xy, np.full(17, HIDDEN, np.uint8), box=box, area=800.0)
    seen = Person(xy + 150, np.full(17, SEEN, np.uint8), box=box + 150, area=800.0)
    truth = [Scene("", COCO, (hidden, seen), SIZE)]
    predicted = [Scene("", COCO, (Person(xy + 6, score=0.9), Person(xy + 150, score=0.5)))]
    score = ap_by_hidden(predicted, truth)
    assert score["AP/hidden_none"] == pytest.approx(1)
    assert score["AP/hidden_most"] < 0.5
    assert nearest(gather(predicted, truth)).tolist() == [0, 1]
    invented = Person(xy - 1e6, score=1.0)
    predicted = [replace(predicted[0], people=(*predicted[0].people, invented))]
    assert nearest(gather(predicted, truth)).tolist() == [0, 1, -1]
    assert ap_by_hidden(predicted, truth)["AP/hidden_none"] == pytest.approx(0.5)


def test_levels_of_crowdpose_are_its_pictures_alone():
    predicted, truth = world(5, pictures=12, skeleton=CROWDPOSE)
    index = np.linspace(0, 1.1, 12)
    score = crowdpose_ap(predicted, truth, crowd_index=index)
    for name, low, high in (("easy", 0, 0.2), ("medium", 0.2, 0.8), ("hard", 0.8, 9)):
        places = np.flatnonzero((index >= low) & (index < high))
        alone = crowdpose_ap(
            [predicted[i] for i in places], [truth[i] for i in places], crowd_index=[index[i] for i in places]
        )
        assert score[f"AP/{name}"] == alone["AP"] == alone[f"AP/{name}"]
        assert score.protocol[f"scenes/{name}"] == len(places)
    by_index = ap_by_crowding(
        predicted,
        [replace(s, people=tuple(replace(p, area=None) for p in s.people)) for s in truth],
        measure="index",
        borders=(0.2, 0.8),
        crowd_index=index,
        box_area=0.53,
        counted_by=CROWDPOSE.keypoints[:12],
    )
    assert by_index["AP/index_below_0.2"] == score["AP/easy"]
    assert by_index["AP/index_from_0.8"] == score["AP/hard"]
    weights = np.random.default_rng(0).integers(0, 3, (4, 12)).astype(float)
    again = score.again(weights)
    assert again.keys() == score.keys()
    only_easy = score.again((index < 0.2).astype(float)[None])
    assert only_easy["AP"] == only_easy["AP/easy"] == pytest.approx(score["AP/easy"])
    assert only_easy["AP/hard"] == -1
    assert "evaluator's levels" in score.protocol["levels"]


def test_crowd_index_counts_strangers_in_the_box():
    def person(*corner, visible=2):
        xy = np.array(corner) + np.arange(14)[:, None] * [1.0, 1.0]
        return Person(xy, np.full(14, visible, np.uint8), box=np.array([*corner, corner[0] + 13, corner[1] + 13.0]))

    alone, near = person(0.0, 0.0), person(7.0, 7.0)
    assert crowd_index(Scene("", CROWDPOSE, (alone,))) == 0
    assert crowd_index(Scene("", CROWDPOSE)) == 0
    assert crowd_index(Scene("", CROWDPOSE, (alone, near))) == pytest.approx(0.5)
    assert crowd_index(Scene("", CROWDPOSE, (alone, near, near))) == pytest.approx((14 + 21 + 21) / 14 / 3)
    crowd = replace(near, crowd=True)
    assert crowd_index(Scene("", CROWDPOSE, (alone, crowd))) == pytest.approx(0.5)
    head = np.where(np.arange(14) >= 9, near.visible, 0).astype(np.uint8)
    few = replace(near, visible=head, keypoints=np.where(head[:, None] > 0, near.keypoints, np.nan))
    assert crowd_index(Scene("", CROWDPOSE, (few,))) == 0
    assert crowd_index(Scene("", CROWDPOSE, (few, alone))) == 0


def test_overlap_is_with_the_nearest_other_person_of_the_picture():
    truth = [
        Scene("", COCO, tuple(boxed(*box) for box in ((0, 0, 10, 10), (5, 0, 15, 10), (100, 100, 110, 110)))),
        Scene("", COCO, (boxed(0, 0, 10, 10), replace(boxed(0, 0, 10, 10), crowd=True))),
        Scene("", COCO, (replace(boxed(0, 0, 10, 10), box=None),)),
    ]
    problem = gather([Scene("", COCO)] * 3, truth)
    np.testing.assert_allclose(largest_overlap(problem.truths), [1 / 3, 1 / 3, 0, 0, 1, np.nan])


def boxed(x0, y0, x1, y1):
    return Person(np.full((17, 2), np.nan), np.zeros(17, np.uint8), box=np.array([x0, y0, x1, y1], float), area=1.0)


def test_truncated_is_who_is_cut_by_the_edge():
    inside = np.full((17, 2), 50.0)
    whole = Person(inside, box=np.array([40.0, 40, 60, 60]), area=99.0)
    touching = replace(whole, box=np.array([300.0, 40, 319.5, 60]))
    beyond = replace(whole, keypoints=inside - [60, 0])
    truth = [Scene("", COCO, (whole, touching, beyond), SIZE)]
    score = ap_by_truncation([Scene("", COCO)], truth)
    assert (score.protocol["people/truncated"], score.protocol["people/whole"]) == (2, 1)
    assert score.protocol["people_with_keypoints_outside"] == 1
    assert score.protocol["people_touching_the_edge"] == 1


@pytest.mark.parametrize(
    ("metric", "people", "message"),
    [
        (ap_by_visibility, (Person(np.zeros((14, 2)), area=1.0),), "no person has `visible`"),
        (ap_by_hidden, (Person(np.zeros((14, 2)), area=1.0),), "no person has `visible`"),
        (ap_by_cause, (Person(np.zeros((14, 2)), area=1.0),), "no person has `cause`"),
        (ap_by_truncation, (Person(np.zeros((14, 2)), area=1.0),), "scene 0 .7.: has no size"),
        (ap_by_keypoint, (Person(np.zeros((14, 2))),), "neither area nor box"),
    ],
)
def test_truth_that_does_not_tell_is_refused_in_one_line(metric, people, message):
    with pytest.raises(ValueError, match=message) as error:
        metric([Scene("", LSP)], [Scene("", LSP, people, id=7)])
    assert "\n" not in str(error.value)


def test_choices_that_there_are_not_are_refused():
    predicted, truth = world(1)
    with pytest.raises(ValueError, match="levels must be"):
        crowdpose_ap(predicted, truth, "both")
    with pytest.raises(ValueError, match="measure must be"):
        ap_by_crowding(predicted, truth, measure="density")
    with pytest.raises(ValueError, match="2 crowd indices for 6 scenes"):
        ap_by_crowding(predicted, truth, measure="index", crowd_index=[0.1, 0.2])
    with pytest.raises(ValueError, match="bins must be"):
        ap_by_size(predicted, truth, bins=0)


def test_nobody_at_all_is_minus_one_and_not_an_error():
    truth = [Scene("", COCO, (boxed(0, 0, 10, 10),), SIZE)]
    for score in (
        ap_by_keypoint([Scene("", COCO)], truth),
        ap_by_size([Scene("", COCO)], truth),
        ap_by_truncation([Scene("", COCO)], truth),
        ap_by_crowding([Scene("", COCO)], truth),
        ap_by_visibility([Scene("", COCO)], truth),
    ):
        assert set(score.values()) == {-1.0}
        assert all((value == -1).all() for value in score.again(np.ones((2, 1))).values())
