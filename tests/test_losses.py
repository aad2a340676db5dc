"""Losses: equal to their formulas written out, blind to what weighs nothing, lowest at the truth."""

import numpy as np
import pytest
import torch

from posewright.codecs.cpm import Beliefs
from posewright.codecs.distribution import Distribution
from posewright.codecs.gaussian import Gaussian
from posewright.codecs.jain import Windows
from posewright.fields import Heatmaps, Offsets
from posewright.losses.distributions import spatial_cross_entropy
from posewright.losses.maps import mean_squared_error, summed_squared_error
from posewright.losses.offsets import disks_and_offsets
from posewright.losses.windows import window_cross_entropy
from posewright.recipes import losses as named
from posewright.scene import Person
from posewright.skeleton import LSP

LOSSES = [(mean_squared_error, Gaussian(LSP, (64, 64))), (spatial_cross_entropy, Distribution(LSP, (64, 64)))]
both = pytest.mark.parametrize(("loss", "codec"), LOSSES, ids=["squares", "entropy"])


def target_of(codec, rng, people=3):
    """Targets of people of whom a keypoint in four or so is absent."""
    xy = rng.uniform(5, 58, (people, len(LSP), 2))
    xy[rng.random(xy.shape[:2]) < 0.25] = np.nan
    return Heatmaps(*map(torch.from_numpy, codec.encode([Person(one) for one in xy])))


def answers(target, rng, stages=1):
    shape = target.maps.shape
    return [Heatmaps(torch.from_numpy(rng.normal(size=shape).astype(np.float32))) for _ in range(stages)]


def test_squares_are_those_of_the_formula(rng):
    target = target_of(LOSSES[0][1], rng)
    stages = answers(target, rng, 2)
    maps, weights = target.maps.numpy(), target.weights.numpy()[..., None, None]
    wanted = sum(0.5 * np.mean((weights * (stage.maps.numpy() - maps)) ** 2, dtype=np.float64) for stage in stages)
    assert float(mean_squared_error(stages, target)) == pytest.approx(wanted, rel=1e-5)


def test_summed_squares_are_those_of_the_formula(rng):
    target = target_of(Beliefs(LSP, (64, 64)), rng)
    stages = answers(target, rng, 2)
    maps, weights = target.maps.numpy(), target.weights.numpy()[..., None, None]
    wanted = sum(np.sum((weights * (stage.maps.numpy() - maps)) ** 2, dtype=np.float64) for stage in stages) / 2 / 3
    assert float(summed_squared_error(stages, target)) == pytest.approx(wanted, rel=1e-5)


def test_a_positive_window_weighs_as_much_as_all_negative_ones(rng):
    target = target_of(Windows(LSP, (64, 64)), rng)
    (stage,) = answers(target, rng)
    likely = 1 / (1 + np.exp(-stage.maps.numpy().astype(np.float64)))
    yes = target.maps.numpy() > 0
    costs = [
        (-np.log(p[t]).mean() - np.log(1 - p[~t]).mean()) / 2 if t.any() else 0.0
        for p, t in zip(likely.reshape(-1, 16, 16), yes.reshape(-1, 16, 16), strict=True)
    ]
    later = Heatmaps(torch.full_like(stage.maps, torch.nan))
    assert float(window_cross_entropy([stage, later], target)) == pytest.approx(np.mean(costs), rel=1e-5)


def test_squares_are_those_of_the_authors_loop(rng):
    """JointsMSELoss: for each keypoint half the mean over batch and pixels, then the mean over keypoints."""
    target, (stage,) = (made := target_of(LOSSES[0][1], rng)), answers(made, rng)
    total = 0.0
    for k in range(len(LSP)):
        weight = target.weights[:, k, None].double()
        away = weight * (stage.maps[:, k].flatten(1).double() - target.maps[:, k].flatten(1).double())
        total += 0.5 * float((away**2).mean())
    assert float(mean_squared_error([stage], target)) == pytest.approx(total / len(LSP), rel=1e-5)


def test_entropy_is_that_of_the_formula(rng):
    target = target_of(LOSSES[1][1], rng)
    stages = answers(target, rng, 2)

    def softmax(maps):
        flat = maps.numpy().astype(np.float64).reshape(*maps.shape[:2], -1)
        powers = np.exp(flat - flat.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    truth, weights = softmax(target.maps), target.weights.numpy()
    each = [-(truth * np.log(softmax(stage.maps))).sum(-1) for stage in stages]
    wanted = sum((weights * one).sum() / weights.sum() for one in each)
    assert float(spatial_cross_entropy(stages, target)) == pytest.approx(wanted, rel=1e-5)


@both
def test_nothing_is_lower_than_the_truth(loss, codec, rng):
    target = target_of(codec, rng)
    truth = [Heatmaps(target.maps.clone().requires_grad_())]
    lowest = loss(truth, target)
    lowest.backward()
    assert float(truth[0].maps.grad.abs().max()) < 1e-6
    assert all(float(loss(answers(target, rng), target)) > float(lowest.detach()) for _ in range(5))


@both
def test_what_weighs_nothing_teaches_nothing(loss, codec, rng):
    target = target_of(codec, rng)
    stage = Heatmaps(answers(target, rng)[0].maps.requires_grad_())
    loss([stage], target).backward()
    unknown = target.weights == 0
    assert unknown.any()
    assert not stage.maps.grad[unknown].any()
    assert stage.maps.grad[~unknown].flatten(-2).any(-1).all()


@both
def test_a_batch_of_unknown_people_costs_nothing(loss, codec, rng):
    target = target_of(codec, rng)
    assert float(loss(answers(target, rng), target._replace(weights=torch.zeros_like(target.weights)))) == 0


@both
def test_half_precision_answers_are_compared_in_full(loss, codec, rng):
    target = target_of(codec, rng)
    (stage,) = answers(target, rng)
    half = Heatmaps(stage.maps.bfloat16())
    assert loss([half], target).dtype == torch.float32
    assert torch.equal(loss([half], target), loss([Heatmaps(half.maps.float())], target))


@both
def test_recipes_name_the_same_losses(loss, codec, rng):
    target = target_of(codec, rng)
    stages = answers(target, rng)
    assert torch.equal(getattr(named, loss.__name__)(stages, target), loss(stages, target))


def test_offsets_count_inside_the_true_disks_alone(rng):
    def fields(weights=None):
        return Offsets(*(torch.from_numpy(rng.random((2, 3, 8, 8), np.float32)) for _ in range(3)), weights)

    weights = torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    target = fields(weights)._replace(disks=torch.from_numpy(rng.integers(0, 2, (2, 3, 8, 8)).astype(np.float32)))
    stages = [fields(), fields()]
    wanted = 0.0
    for stage in stages:
        for person, keypoint in np.ndindex(2, 3):
            if weights[person, keypoint]:
                disk, x, y = (array[person, keypoint].numpy() for array in target[:3])
                found, along, down = (array[person, keypoint].numpy() for array in stage[:3])
                inside = disk == 1
                squares = ((found - disk) ** 2).sum() + sum(
                    ((one - true)[inside] ** 2).sum() for one, true in ((along, x), (down, y))
                )
                wanted += squares / 2 / (2 * 3 * 8 * 8)
    for loss in (disks_and_offsets, named.disks_and_offsets):
        assert float(loss(stages, target)) == pytest.approx(wanted, rel=1e-5)
