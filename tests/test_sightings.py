"""Sightings: place, score and visibility are three answers; the hidden have a place, the outside is not seen."""

import numpy as np
import pytest
import torch

from posewright.codecs.sightings import VisibleDistribution, logistic, logit
from posewright.fields import Sightings
from posewright.losses.distributions import spatial_cross_entropy
from posewright.losses.visibility import place_and_visibility
from posewright.metrics.trust.calibration import visibility_auc
from posewright.recipes import losses as named
from posewright.scene import ABSENT, HIDDEN, SEEN, Person, Scene
from posewright.skeleton import BODY

CODEC = VisibleDistribution(BODY, (64, 64))


def somebody(rng):
    """A person with every kind of keypoint: 0 hidden, 1 absent, 2 outside the crop, 3 doubtful, the rest seen."""
    keypoints = rng.uniform(6, 57, (len(BODY), 2))
    visible = np.full(len(BODY), SEEN, np.uint8)
    visible[0], visible[1] = HIDDEN, ABSENT
    keypoints[1], keypoints[2] = np.nan, (80, 20)
    scores = np.ones(len(BODY))
    scores[3] = 0.25
    return Person(keypoints, visible, scores)


def test_a_hidden_keypoint_has_a_place_and_one_outside_is_not_seen(rng):
    maps, seen, weights, known = CODEC.encode([somebody(rng)])
    np.testing.assert_array_equal(seen[0] > 0, [False, False, False, *[True] * 16])
    np.testing.assert_array_equal(weights[0], [1, 0, 0, 0.25, *[1] * 15])
    np.testing.assert_array_equal(known[0], [1, 0, 1, *[1] * 16])
    assert np.ptp(maps[0, 0]) > 0


def test_the_three_answers_are_read_apart(rng):
    truth = somebody(rng)
    (found,) = CODEC.decode(CODEC.encode([truth]))
    np.testing.assert_allclose(found.keypoints[3:], truth.keypoints[3:], atol=CODEC.tolerance)
    np.testing.assert_array_equal(found.visible[3:], truth.visible[3:])
    assert found.visible[0] == HIDDEN
    assert found.seen[0] < 0.01 < 0.99 < found.seen[5]
    assert found.scores[0] > 0.9


def test_calibration_moves_probabilities_and_not_places(rng):
    maps, seen = rng.normal(size=(2, 19, 16, 16)).astype(np.float32), rng.normal(size=(2, 19)).astype(np.float32)
    codec = VisibleDistribution(BODY, (64, 64), scored=(2.0, -1.0), sighted=(0.5, 1.0))
    for plain, told in zip(CODEC.decode(Sightings(maps, seen)), codec.decode(Sightings(maps, seen)), strict=True):
        np.testing.assert_array_equal(told.keypoints, plain.keypoints)
        np.testing.assert_allclose(logit(told.scores), 2 * logit(plain.scores) - 1, rtol=1e-6)
        np.testing.assert_allclose(logit(told.seen), 0.5 * logit(plain.seen) + 1, rtol=1e-6)
        assert told.score == pytest.approx(told.scores.mean())
    np.testing.assert_allclose(logistic(np.array([0.0, np.log(3)])), [0.5, 0.75])


def test_people_carry_what_is_seen_through_a_mirror_and_into_another_skeleton(rng):
    from posewright.skeleton import LSP
    from posewright.warp import flipped

    person = Person(rng.uniform(0, 63, (19, 2)), seen=np.arange(19) / 18)
    np.testing.assert_array_equal(person.moved(flipped((64, 64)), BODY).seen, person.seen[BODY.mirror])
    as_lsp = person.to(BODY, LSP)
    assert as_lsp.seen[LSP.index("neck")] == person.seen[BODY.index("neck")]
    with pytest.raises(ValueError, match="seen must be"):
        Person(person.keypoints, seen=np.zeros(3))


def test_the_loss_is_that_of_places_and_of_visibility(rng):
    target = Sightings(*map(torch.from_numpy, CODEC.encode([somebody(rng), somebody(rng)])))
    answer = Sightings(torch.randn(2, 19, 16, 16), torch.randn(2, 19))
    x, known = answer.seen.double().numpy(), target.known.numpy()
    truth = 1 / (1 + np.exp(-target.seen.double().numpy()))
    each = -(truth * np.log(1 / (1 + np.exp(-x))) + (1 - truth) * np.log(1 / (1 + np.exp(x))))
    wanted = (each * known).sum() / known.sum() + float(spatial_cross_entropy([answer], target))
    assert float(place_and_visibility([answer], target)) == pytest.approx(wanted, rel=1e-5)
    assert float(named.place_and_visibility([answer], target)) == pytest.approx(wanted, rel=1e-5)
    best = Sightings(target.maps, target.seen)
    assert float(place_and_visibility([best], target)) < wanted


def test_what_is_said_of_visibility_is_ranked_by_its_probability(rng):
    truth = Scene("a", BODY, (Person(rng.uniform(0, 63, (19, 2)), np.repeat([1, 2], [9, 10]).astype(np.uint8)),))
    said = np.concatenate([np.linspace(0.5, 0.6, 9), np.linspace(0.55, 0.9, 10)])
    found = Scene("a", BODY, (Person(truth.people[0].keypoints, np.full(19, SEEN, np.uint8), seen=said, score=1.0),))
    score = visibility_auc([found], [truth])
    wins = (said[9:, None] > said[:9]).mean() + (said[9:, None] == said[:9]).mean() / 2
    assert score["AUC"] == pytest.approx(wins)
    assert score.protocol["said_by"] == "predicted visibility"
