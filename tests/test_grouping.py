"""Grouping on pictures of the synthetic world, where people stand before each other, and what it may not say."""

from itertools import islice

import numpy as np
import pytest

from posewright.codecs.bottom_up.anchors import anchor_targets
from posewright.codecs.bottom_up.associative_embedding import RULES, AssociativeEmbedding
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.codecs.bottom_up.residual_grouping import GRID, blurred, label, own_cells, prior_of, unary
from posewright.codecs.bottom_up.simplepose_grouping import LEAST, POINTS, SHARE, connect
from posewright.codecs.bottom_up.tag_grouping import Rules
from posewright.datasets import synthetic
from posewright.fields import Tags
from posewright.scene import Person
from posewright.skeleton import COCO

SIZE = (512, 384)


@pytest.fixture(scope="module")
def crowds():
    """Pictures of four who stand before each other: those that the published rules group wrongly."""
    return list(islice(synthetic.scenes(0, 10, size=SIZE, people=(4, 4)), 4))


def wrong(found, true):
    """Return how many keypoints of people are none of the person's whose most they are."""
    count = 0
    for one in found:
        away = np.linalg.norm(np.where(np.isnan(true), 1e9, true) - one.keypoints, axis=-1)
        near = np.where(one.labelled, away, 1e9) < 6
        count += int(one.labelled.sum() - near.sum(1).max())
    return count


@pytest.mark.parametrize("kind", [AssociativeEmbedding, HigherHRNet])
def test_tags_group_people_before_each_other_and_nobody_is_added(kind, crowds):
    codec = kind(COCO, size=SIZE)
    answer = codec.perfect(codec.encode([scene.people for scene in crowds]))
    for found, scene in zip(codec.decode(answer), crowds, strict=True):
        true = np.array([person.keypoints for person in scene.people if person.labelled.any()])
        assert len(found) == len(true)
        assert wrong(found, true) == 0


def test_the_published_rules_tell_limbs_of_others(crowds):
    """What the departure is for: on the same maps the authors' rules add people and join limbs across them."""
    codec = HigherHRNet(COCO, size=SIZE, rules=Rules(published=True))
    answer = codec.perfect(codec.encode([scene.people for scene in crowds]))
    found = codec.decode(answer)
    assert sum(map(len, found)) > sum(person.labelled.any() for scene in crowds for person in scene.people)


def test_what_is_filled_in_is_told_as_sure_as_the_heatmap_is(rng):
    """A left wrist of 0.08 is no peak; pose-ae-train tells it with 1."""
    people = [Person(rng.uniform(60, 200, (17, 2)))]
    codec = AssociativeEmbedding(COCO, size=(256, 256))
    answer = codec.perfect(codec.encode([people]))
    wrist = COCO.keypoints.index("left_wrist")
    maps = answer.maps.copy()
    maps[0, wrist] *= 0.08
    (person,) = codec.decode(Tags(maps, answer.tags))[0]
    assert 0 < person.scores[wrist] <= 0.08
    assert np.abs(person.keypoints[wrist] - people[0].keypoints[wrist]).max() <= codec.tolerance
    slipped = AssociativeEmbedding(COCO, size=(256, 256), rules=RULES._replace(slipped=True))
    assert slipped.decode(Tags(maps, answer.tags))[0][0].scores[wrist] == 1


def plainly_connected(peaks, limbs, bands, height):
    """SimplePose's rule pair by pair, as the authors' code goes."""
    found = []
    for limb, (a, b) in enumerate(limbs):
        pairs = []
        for i, start in enumerate(peaks[a]):
            for j, end in enumerate(peaks[b]):
                length = np.hypot(*(end[:2] - start[:2]))
                if length == 0:
                    continue
                count = min(round(length + 1), POINTS)
                x, y = (np.round(np.linspace(start[k], end[k], count)).astype(int) for k in (0, 1))
                values = bands[limb, y, x]
                score = values.mean() + min(0.5 * height / length - 1, 0)
                if (values > LEAST).sum() >= SHARE * count and score > 0:
                    pairs.append((0.5 * score + 0.25 * (start[2] + end[2]), i, j, score, length))
        chosen = []
        for _, i, j, score, length in sorted(pairs, key=lambda pair: -pair[0]):
            if all(i != one[0] and j != one[1] for one in chosen):
                chosen.append((i, j, score, length))
        found.append(chosen)
    return found


def test_simplepose_connects_as_pair_by_pair(rng):
    peaks = [np.column_stack([rng.uniform(0, 63, (9, 2)), rng.uniform(0.1, 1, 9)]) for _ in range(4)]
    peaks[1][0, :2] = peaks[0][0, :2]
    peaks[1][1, :2] = peaks[0][1, :2] + 0.3
    limbs, bands = [(0, 1), (1, 2), (3, 0)], rng.uniform(0, 1, (3, 64, 64)).astype(np.float32)
    ours, plain = connect(peaks, limbs, bands, 64), plainly_connected(peaks, limbs, bands, 64)
    for (a, b), some, others in zip(limbs, ours, plain, strict=True):
        assert len(some) == len(others) > 3
        for (start, end, *numbers), (i, j, *wanted) in zip(some, others, strict=True):
            assert (start - 9 * a, end - 9 * b) == (i, j)
            np.testing.assert_allclose(numbers, wanted, rtol=1e-6)


@pytest.mark.parametrize(("width", "height", "found"), [(12, 24, False), (20, 40, True)])
def test_people_smaller_than_half_of_the_smallest_anchor_have_none(width, height, found):
    corners = np.array([(x, y, x + width, y + height) for x in range(100, 108) for y in range(100, 108)], float)
    said = [anchor_targets(SIZE, box[None], np.zeros((0, 4))).scores.any() for box in corners]
    assert any(said) == found
    if found:
        xy = np.linspace(corners[0, :2] + 1, corners[0, 2:] - 1, 17)
        codec = MultiPoseNet(COCO, size=SIZE)
        assert len(codec.decode(codec.encode([[Person(xy, box=corners[0])]]))[0]) == 1


def test_the_prior_of_ucr_is_where_keypoints_use_to_be():
    """Of three people two have the keypoint in one cell and one in another."""
    box = np.array([0.0, 0, *GRID])
    places = [(8, 10), (8, 10), (30, 50)]
    labels = np.array([label(own_cells(np.array([place], float), np.array([True]), box)) for place in places])
    prior = prior_of(labels)
    assert prior.shape == (1, 56, 36)
    assert prior.max() == 1
    assert prior[0, 10, 8] == 1
    assert prior[0, 50, 30] == pytest.approx(0.5, rel=1e-5)
    assert prior[0, 30, 20] == pytest.approx(0, abs=1e-6)
    marks = np.full((1, 1, 56, 36), -1)
    marks[0, 0, 10, 8], marks[0, 0, 50, 30] = 0, 1
    said = unary(prior)(marks)
    np.testing.assert_allclose(said, blurred(marks) * prior, rtol=1e-6)
    assert said[0, 0, 10, 8] == pytest.approx(2 * said[0, 0, 50, 30], rel=1e-4)
    assert not np.isnan(prior_of(np.zeros((2, 1, 56, 36), np.float32))).any()
