"""Diagnosis of errors that are made by hand, on several skeletons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright.metrics.diagnosis.kinds import Kind, diagnose, kinds
from posewright.metrics.diagnosis.mistakes import mistakes
from posewright.metrics.diagnosis.repair import REPAIRS, repairs
from posewright.metrics.diagnosis.sensitivity import by_visible, sensitivity
from posewright.metrics.oks.similarity import oks_sigmas
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, LSP, MPII, Skeleton
from posewright.warp import Warp, flipped

SIZE = 100.0
AREA = SIZE**2


def person(skeleton, corner=(0.0, 0.0), **more):
    """Keypoints on a grid, each far from the others by any sigma."""
    place = np.arange(len(skeleton))
    xy = np.stack([place % 5, place // 5], axis=1) * 60.0 * SIZE / 100 + corner
    box = np.array([*xy.min(0), *xy.max(0)])
    return Person(xy, np.full(len(skeleton), 2, np.uint8), box=box, area=AREA, **more)


def scenes(skeleton, *people):
    return [Scene("", skeleton, tuple(group), id=i) for i, group in enumerate(people)]


def guess(true, moved=None, score=0.9):
    """Predict a person, with some keypoints moved to places (2,) px."""
    xy = true.keypoints.copy()
    for place, where in (moved or {}).items():
        xy[place] = where
    return Person(xy, score=score)


def beside(true, sigmas, place, similarity):
    """The place at which a keypoint has a similarity to the true one."""
    away = np.sqrt(-2 * np.log(similarity) * AREA) * 2 * sigmas[place]
    return true.keypoints[place] + [0.0, away]


@pytest.mark.parametrize("skeleton", [COCO, CROWDPOSE, MPII, LSP], ids=lambda s: s.name)
def test_errors_made_by_hand_are_called_by_their_names(skeleton):
    sigmas, _ = oks_sigmas(skeleton)
    one, two = person(skeleton), person(skeleton, (2000.0, 0.0))
    left, right, knee, wrist, elbow = (
        skeleton.index(n) for n in ("left_ankle", "right_ankle", "left_knee", "right_wrist", "right_elbow")
    )
    moved = {
        left: one.keypoints[right],
        knee: beside(one, sigmas, knee, 0.7),
        wrist: (5000.0, 5000.0),
        elbow: two.keypoints[elbow],
    }
    found = diagnose(scenes(skeleton, [guess(one, moved), guess(two)]), scenes(skeleton, [one, two]))
    expected = np.full((2, len(skeleton)), Kind.GOOD)
    expected[0, [left, knee, wrist, elbow]] = Kind.INVERSION, Kind.JITTER, Kind.MISS, Kind.SWAP
    np.testing.assert_array_equal(found.kind, expected)
    np.testing.assert_array_equal(found.truth, [0, 1])
    assert found.meant[0, [left, knee, wrist, elbow]].tolist() == [0, 0, -1, 1]
    assert found.closeness[0, knee] == pytest.approx(0.7)
    assert found.closeness[0, elbow] == 1


def test_another_s_other_side_is_a_swap_and_a_middle_keypoint_is_never_inverted():
    one, two = person(COCO), person(COCO, (2000.0, 0.0))
    left, right = COCO.index("left_ankle"), COCO.index("right_ankle")
    moved = {left: two.keypoints[right], 0: two.keypoints[0]}
    kind = diagnose(scenes(COCO, [guess(one, moved)]), scenes(COCO, [one, two])).kind
    assert kind[0, left] == kind[0, 0] == Kind.SWAP


@pytest.mark.parametrize(("similarity", "kind"), [(0.86, "GOOD"), (0.84, "JITTER"), (0.51, "JITTER"), (0.49, "MISS")])
def test_borders_are_the_paper_s(similarity, kind):
    true = person(COCO)
    moved = {0: beside(true, oks_sigmas(COCO)[0], 0, similarity)}
    assert diagnose(scenes(COCO, [guess(true, moved)]), scenes(COCO, [true])).kind[0, 0] == Kind[kind]


def test_what_is_not_labelled_is_not_diagnosed_and_nan_is_a_miss():
    true = person(COCO)
    labelled = np.arange(17) > 2
    partly = replace(
        true,
        keypoints=np.where(labelled[:, None], true.keypoints, np.nan),
        visible=np.where(labelled, 2, 0).astype(np.uint8),
    )
    found = diagnose(scenes(COCO, [guess(true, {5: np.nan})]), scenes(COCO, [partly]))
    assert (found.kind[0, :3] == Kind.UNLABELLED).all()
    assert found.kind[0, 5] == Kind.MISS
    assert (found.kind[0, [3, 4, *range(6, 17)]] == Kind.GOOD).all()


def test_a_person_seen_the_wrong_way_round_is_inverted():
    true = person(MPII)
    turned = Person(true.keypoints[MPII.mirror], score=0.9)
    score = kinds(scenes(MPII, [turned], [guess(true)]), scenes(MPII, [true], [true]))
    assert score["inverted_people"] == score["inverted_limbs"] == 0.5
    assert score["inversion"] == (MPII.mirror != np.arange(16)).sum() / 32
    true = person(COCO)
    legs = {k: true.keypoints[COCO.mirror[k]] for k in range(11, 17)}
    score = kinds(scenes(COCO, [guess(true, legs)]), scenes(COCO, [true]))
    sided = COCO.mirror != np.arange(17)
    limbs = [pair for pair in COCO.limb_indices if sided[pair].all()]
    turned = sum(all(k >= 11 for k in pair) for pair in limbs)
    assert score["inverted_limbs"] == pytest.approx(turned / len(limbs))
    assert score["inverted_people"] == 0


def test_a_perfect_prediction_has_nothing_to_repair():
    truth = scenes(LSP, [person(LSP), person(LSP, (2000.0, 0.0))], [person(LSP)], [])
    predicted = [replace(s, people=tuple(guess(p) for p in s.people)) for s in truth]
    score = kinds(predicted, truth)
    assert score["good"] == 1
    assert score["jitter"] == score["miss"] == score["swap"] == score["inversion"] == 0
    score = repairs(predicted, truth)
    assert all(score[f"gain/{name}"] == pytest.approx(0) for name in REPAIRS)
    score = mistakes(predicted, truth)
    assert score["false_positives"] == score["false_negatives"] == score["several"] == 0
    assert np.isnan(score["score_errors"])


def test_nobody_at_all_is_no_number_and_no_crash():
    for people in ([], [person(COCO)]):
        truth = scenes(COCO, people)
        score = repairs(scenes(COCO, []), truth)
        assert score["AP"] == (0 if people else -1)
        assert np.isnan(kinds(scenes(COCO, []), truth)["good"])
        assert len(diagnose(scenes(COCO, []), truth).kind) == 0
        assert np.isnan(mistakes(scenes(COCO, []), truth)["false_positives"])
        assert sensitivity(scenes(COCO, []), truth)["AP/overlap_below_0.1"] == (0 if people else -1)
    score = mistakes(scenes(COCO, [guess(person(COCO))]), scenes(COCO, []))
    assert score["false_positives"] == score["false_positives/background"] == 1


def test_mistakes_made_by_hand_are_counted():
    one, two, three = (person(COCO, (2000.0 * i, 0.0)) for i in range(3))
    sigmas = oks_sigmas(COCO)[0]
    worse = guess(one, {k: beside(one, sigmas, k, 0.8) for k in range(17)}, score=0.9)
    vague = guess(two, {k: beside(two, sigmas, k, 0.3) for k in range(17)}, score=0.6)
    nobody = guess(person(COCO, (0.0, 9000.0)), score=0.5)
    predicted = scenes(COCO, [worse, guess(one, score=0.7), vague, nobody])
    score = mistakes(predicted, scenes(COCO, [one, two, three]))
    assert score["several"] == pytest.approx(1 / 3)
    assert score["score_errors"] == 1
    assert [score[f"false_positives/{why}"] for why in ("background", "inaccurate", "duplicate")] == [0.25] * 3
    assert score["false_negatives"] == score["false_negatives/large"] == pytest.approx(2 / 3)
    assert score["false_negatives/visible_16_to_17"] == pytest.approx(2 / 3)
    assert np.isnan(score["false_negatives/medium"])
    equal = scenes(COCO, [replace(worse, score=0.7), guess(one, score=0.7)])
    assert mistakes(equal, scenes(COCO, [one]))["score_errors"] == 0
    with pytest.raises(ValueError, match="one of COCO's"):
        mistakes(predicted, scenes(COCO, [one, two, three]), threshold=0.42)


def test_a_better_score_for_the_better_prediction_is_what_the_repair_of_scores_gives():
    one = person(COCO)
    worse = guess(one, {k: beside(one, oks_sigmas(COCO)[0], k, 0.8) for k in range(17)}, score=0.9)
    score = repairs(scenes(COCO, [worse, guess(one, score=0.7)]), scenes(COCO, [one]))
    assert score["AP"] < 1
    assert score["AP/score"] == pytest.approx(1)


def test_people_are_divided_by_who_stands_near():
    one, near, far = person(COCO), person(COCO, (60.0, 0.0)), person(COCO, (2000.0, 0.0))
    truth = scenes(COCO, [one, near, far])
    score = sensitivity(scenes(COCO, [guess(one), guess(far)]), truth)
    assert score["AP/visible_16_to_17/neighbours_0"] == pytest.approx(1)
    assert score["AP/visible_16_to_17/neighbours_1_to_2"] == pytest.approx(51 / 101)
    assert score["AP/visible_1_to_5/neighbours_0"] == -1
    assert score["good/side_96_to_128"] == 1
    assert score.protocol["people/overlap_from_0.5"] == 2
    assert score.protocol["people/overlap_below_0.1"] == 1


@pytest.mark.parametrize("count", [1, 2, 5, 14, 17, 133])
def test_quarters_hold_everybody_once(count):
    parts = by_visible(np.arange(count + 1), count)
    assert len(parts) <= 5
    np.testing.assert_array_equal(np.sum(list(parts.values()), axis=0), np.ones(count + 1))


def crowd(seed, pictures=4, most=3):
    """A truth, and predictions of it with every kind of error, some twice and some of nobody."""
    rng = np.random.default_rng(seed)
    skeleton = (COCO, CROWDPOSE, MPII)[seed % 3]
    sigmas = oks_sigmas(skeleton)[0]
    truth, predicted = [], []
    for i in range(pictures):
        people = [person(skeleton, rng.uniform(0, 300, 2)) for _ in range(rng.integers(0, most + 1))]
        found = []
        for one in people:
            for _ in range(rng.integers(0, 3)):
                xy = one.keypoints + rng.normal(size=one.keypoints.shape) * sigmas[:, None] * SIZE
                for k in np.flatnonzero(rng.random(len(skeleton)) < 0.3):
                    other = people[rng.integers(len(people))].keypoints[rng.permutation(len(skeleton))[0]]
                    xy[k] = (one.keypoints[skeleton.mirror[k]], other, rng.uniform(0, 2000, 2))[rng.integers(3)]
                found.append(Person(xy, score=float(rng.random())))
        found += [guess(person(skeleton, (3000.0, 0.0)), score=float(rng.random()))] * int(rng.random() < 0.3)
        truth.append(Scene("", skeleton, tuple(people), id=i))
        predicted.append(Scene("", skeleton, tuple(found), id=i))
    return predicted, truth


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_weights_are_copies_of_scenes(seed):
    predicted, truth = crowd(seed)
    times = np.random.default_rng(seed).integers(0, 3, len(truth))
    if not times.any():
        times[0] = 1
    chosen = np.repeat(np.arange(len(truth)), times)
    again = [[replace(scenes[i], id=None) for i in chosen] for scenes in (predicted, truth)]
    for metric in (kinds, repairs, mistakes, sensitivity):
        weighted = metric(predicted, truth).again(times[None].astype(np.float64))
        for name, value in metric(*again).items():
            np.testing.assert_allclose(weighted[name][0], value, rtol=1e-9, atol=1e-12, err_msg=f"{metric} {name}")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_shares_are_shares_and_repairs_do_not_harm_people_who_stand_apart(seed):
    predicted, truth = crowd(seed, most=1)
    single = [replace(scene, people=scene.people[:1]) for scene in predicted]
    score = kinds(single, truth)
    if not np.isnan(score["good"]):
        assert sum(score[kind.name.lower()] for kind in Kind if kind >= 0) == pytest.approx(1)
    assert score["swap"] == 0 or np.isnan(score["swap"])
    score = repairs(single, truth)
    last = score["AP"]
    for name in REPAIRS:
        assert score[f"AP/{name}"] >= score["AP"] - 1e-12
        assert score[f"sequence/{name}"] >= last - 1e-12
        last = score[f"sequence/{name}"]
    # with the keypoints' order of left and right exchanged everywhere, nothing is another kind
    order = truth[0].skeleton.mirror
    other = [[_reordered(scene, order) for scene in scenes] for scenes in (single, truth)]
    np.testing.assert_array_equal(diagnose(*other).kind[:, order], diagnose(single, truth).kind)


def same(one, other, left_and_right=None):
    """Scores are equal, NaN where both are."""
    for name, value in one.items():
        start, *ends = name.split("/")
        mirrored = "/".join([start, *(left_and_right.get(e, e) if left_and_right else e for e in ends)])
        assert other[mirrored] == pytest.approx(value, abs=1e-9, nan_ok=True), name


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_moving_mirroring_and_shuffling_everything_changes_nothing(seed):
    predicted, truth = crowd(seed)
    skeleton = truth[0].skeleton
    shift = Warp(np.array([[1.0, 0, -321], [0, 1, 57], [0, 0, 1]]), (640, 480))
    order = np.random.default_rng(seed).permutation(len(truth))

    def moved(scenes, warp):
        return [replace(s, people=tuple(p.moved(warp, skeleton) for p in s.people)) for s in scenes]

    def shuffled(scenes):
        return [replace(scenes[i], people=scenes[i].people[::-1]) for i in order]

    for metric in (kinds, repairs, mistakes, sensitivity):
        score = metric(predicted, truth)
        same(score, metric(moved(predicted, shift), moved(truth, shift)))
        same(score, metric(shuffled(predicted), shuffled(truth)))
        if metric is not repairs:  # repaired keypoints go to the right of the true ones, wherever left is
            mirror = {k: skeleton.keypoints[m] for k, m in zip(skeleton.keypoints, skeleton.mirror, strict=True)}
            mirrored = (moved(scenes, flipped((640, 480))) for scenes in (predicted, truth))
            same(score, metric(*mirrored), mirror)


def _reordered(scene, order):
    old = scene.skeleton
    sigmas = tuple(np.array(old.sigmas)[order])
    skeleton = Skeleton(old.name, tuple(old.keypoints[k] for k in order), (), sigmas)
    people = tuple(
        replace(p, keypoints=p.keypoints[order], visible=None if p.visible is None else p.visible[order])
        for p in scene.people
    )
    return replace(scene, skeleton=skeleton, people=people)


def test_missed_people_repaired_alone_leave_false_positives_in():
    """Two of three are found behind a false positive: precision is 2/3 where only the found are asked for."""
    people = [person(COCO, (corner, 0.0)) for corner in (0.0, 3000.0, 6000.0)]
    nobody = guess(person(COCO, (0.0, 9000.0)), score=0.95)
    found = [guess(people[0]), guess(people[1], score=0.8)]
    score = repairs(scenes(COCO, [nobody, *found]), scenes(COCO, people))
    assert score["AP/false_negatives"] == pytest.approx(2 / 3)
    assert score["gain/false_negatives"] == pytest.approx(2 / 3 - score["AP"])
    assert score["sequence/false_negatives"] == 1
    alone = repairs(scenes(COCO, found), scenes(COCO, people))
    assert alone["AP/false_negatives"] == pytest.approx(1)
    lost = repairs(scenes(COCO, [nobody]), scenes(COCO, people))
    assert lost["AP/false_negatives"] == lost["gain/false_negatives"] == 0
