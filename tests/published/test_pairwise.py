"""DeeperCut's pairwise terms against the authors' own, and how their regression is fitted."""

import numpy as np
import pytest
from scipy.optimize import minimize

from posewright.codecs.pairwise import Found, Logistic, apart, cost_of, features, fitted, joined, same, turn

KEYPOINTS = 4
WAY = np.array([20, 60])


@pytest.fixture
def vector(reference):
    return reference("deepcut_pairwise")


@pytest.fixture
def found(vector):
    return [
        Found(*(vector[f"input_{name}_{kind}"] for name in ("coord", "grid", "pairwise"))) for kind in range(KEYPOINTS)
    ]


@pytest.mark.parametrize("kind", range(KEYPOINTS))
def test_parts_of_one_kind_are_as_likely_the_same_as_for_the_authors(kind, vector, found):
    first, second = vector[f"output_index_{kind}_{kind}"].T
    expected = vector[f"output_prob_{kind}_{kind}"]
    np.testing.assert_allclose(same(found[kind].at)[first, second], expected, rtol=1e-6)


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)])
def test_parts_of_two_kinds_are_as_likely_one_persons_as_for_the_authors(pair, vector, found):
    name = f"{pair[0]}_{pair[1]}"
    regression = Logistic(vector[f"input_w_{name}"], vector[f"input_xmin_{name}"][0], vector[f"input_xmax_{name}"][0])
    likely = joined(found[pair[0]], found[pair[1]], pair, KEYPOINTS, regression)
    first, second = vector[f"output_index_{name}"].T
    np.testing.assert_allclose(likely[first, second], vector[f"output_prob_{name}"], rtol=1e-6)
    backward = features(found[pair[1]], found[pair[0]], pair[::-1], KEYPOINTS).swapaxes(0, 1)
    forward = features(found[pair[0]], found[pair[1]], pair, KEYPOINTS)
    np.testing.assert_allclose(backward[..., [2, 3, 0, 1, 6, 7, 4, 5]], forward)


def test_ways_are_compared_as_by_the_authors(vector):
    real, foretold = vector["input_delta_real"], vector["input_delta_predicted"]
    np.testing.assert_allclose(apart(real, foretold), vector["output_distance"], rtol=1e-6)
    np.testing.assert_allclose(turn(real, foretold), vector["output_angle"], rtol=1e-6, atol=1e-9)


def test_parts_cost_as_much_as_for_the_authors(vector):
    np.testing.assert_allclose(cost_of(vector["input_logit"]), vector["output_logit"], rtol=1e-6, atol=1e-12)


def test_a_regression_is_the_best_of_its_cost(rng):
    examples = rng.uniform(-3, 8, (400, 8))
    labels = examples[:, 0] + rng.normal(size=400) > 2
    regression = fitted(examples, labels)
    scaled = (examples - examples.min(0)) / np.ptp(examples, axis=0)
    signs = np.where(labels, 1, -1)

    def cost(weights):
        return weights @ weights / 2 + 1e-3 * np.log1p(np.exp(-signs * (scaled @ weights[:8] + weights[8]))).sum()

    slow = minimize(cost, np.zeros(9), method="BFGS", tol=1e-10).x
    np.testing.assert_allclose(regression.weights, slow, atol=1e-5)
    np.testing.assert_array_equal(regression.low, examples.min(0))


def test_a_regression_tells_people_apart(rng):
    """Ways that are foretold to a few px, against ways that are a person's of another."""
    at = rng.uniform(0, 500, (200, 2))
    ways = np.zeros((200, 12, 2))
    ways[:, 0], ways[:, 3] = (sign * WAY + rng.normal(size=(200, 2)) * 4 for sign in (1, -1))
    first, second = Found(at, at, ways), Found(at + WAY, at + WAY, ways)
    told = features(first, second, (0, 1), KEYPOINTS)
    right = told[np.arange(200), np.arange(200)]
    wrong = told[np.arange(200), np.roll(np.arange(200), 1)]
    regression = fitted(np.concatenate([right, wrong]), np.arange(400) < 200)
    likely = joined(first, second, (0, 1), KEYPOINTS, regression)
    assert (np.diag(likely) > likely[np.arange(200), np.roll(np.arange(200), 1)]).mean() > 0.97


def test_a_regression_of_one_kind_alone_is_refused(rng):
    with pytest.raises(
        ValueError, match=r"^7 pairs, all of one kind: a regression needs pairs of one person and of two$"
    ):
        fitted(rng.normal(size=(7, 8)), np.ones(7, bool))
