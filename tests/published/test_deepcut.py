"""DeepCut's programme against optima found by enumeration."""

from itertools import product

import numpy as np
import pytest

from posewright.codecs.bottom_up.partition_programme import EPSILON, Known, costs
from posewright.codecs.bottom_up.subset_partition import solve


def same_partition(ours, theirs):
    """Whether two numberings of clusters put the same candidates together."""
    return ((ours[:, None] == ours[None]) == (theirs[:, None] == theirs[None])).all()


@pytest.mark.parametrize("case", range(6))
def test_optimum(reference, case):
    vector = reference("deepcut_ilp")
    found = solve(vector[f"input_{case}_unary"], vector[f"input_{case}_pairwise"])
    label = vector[f"output_{case}_label"]
    np.testing.assert_array_equal(found.label, label)
    active = label >= 0
    assert same_partition(found.cluster[active], vector[f"output_{case}_cluster"][active])
    assert found.cost == pytest.approx(float(vector[f"output_{case}_objective"]), abs=1e-9)
    assert found.proven


def partitions(items):
    """Yield all ways to put items into clusters."""
    if not items:
        yield {}
        return
    head, *rest = items
    for others in partitions(rest):
        for cluster in range(max(others.values(), default=-1) + 2):
            yield {**others, head: cluster}


def enumerated(unary, pairwise):
    """Return the least cost of all labels and clusters."""
    count, labels = unary.shape
    best = 0.0
    for label in product(range(-1, labels), repeat=count):
        active = [d for d in range(count) if label[d] >= 0]
        if any(unary[d, label[d]] <= EPSILON for d in active):
            continue
        own = sum(costs(unary[d, label[d]]) for d in active)
        for cluster in partitions(active):
            pairs = [(d, e) for d in active for e in active if d < e and cluster[d] == cluster[e]]
            likely = [pairwise[d, e, label[d], label[e]] for d, e in pairs]
            if min(likely, default=1) > EPSILON:
                best = min(best, own + sum(costs(p) for p in likely))
    return best


def test_optimum_of_random_programmes(rng):
    for _ in range(12):
        unary = rng.beta(0.6, 0.6, (4, 2))
        pairwise = rng.beta(0.4, 0.4, (4, 4, 2, 2))
        found = solve(unary, pairwise)
        assert found.proven
        assert found.cost == pytest.approx(enumerated(unary, pairwise), abs=1e-6)


def test_what_is_settled_stays(rng):
    unary = rng.uniform(0.2, 0.9, (5, 2))
    pairwise = rng.uniform(0.05, 0.95, (5, 5, 2, 2))
    found = solve(unary, pairwise, Known(np.array([1, 1, 0]), np.array([0, 1, 0])))
    assert found.label[:3].tolist() == [1, 1, 0]
    assert same_partition(found.cluster[:3], np.array([0, 1, 0]))


def test_a_search_out_of_time_answers_with_a_gap(rng):
    unary, pairwise = rng.uniform(0.4, 0.9, (7, 2)), rng.uniform(0.02, 0.98, (7, 7, 2, 2))
    best = solve(unary, pairwise)
    hurried = solve(unary, pairwise, limit_s=0)
    assert best.proven
    assert not hurried.proven
    assert best.cost - 1e-9 <= hurried.cost < 0
    assert hurried.bound <= best.cost


def test_nobody():
    found = solve(np.zeros((0, 3)), np.zeros((0, 0, 3, 3)))
    assert len(found.label) == 0
    assert found.proven
    found = solve(np.full((3, 2), 0.001), np.full((3, 3, 2, 2), 0.5))
    assert (found.label == -1).all()
    assert found.cost == 0
