"""Coarse-to-fine supervision and hard keypoints, as CPN, MSPN and RSN learn: levels, losses, learning by heart."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.augment.jitter import Jitter
from posewright.codecs.megvii import KERNELS, PEAK, Megvii
from posewright.datasets.synthetic import world
from posewright.estimators.runtimes.metadata import codec_from, described
from posewright.fields import Heatmaps, Levels
from posewright.losses.maps import cascaded, coarse_to_fine, hard_keypoints
from posewright.models.cpn import CPN
from posewright.models.mspn import MSPN, bottleneck
from posewright.models.resnet import ResNet
from posewright.models.rsn import RSN
from posewright.occlusion.presets import AUGMENTATIONS
from posewright.recipes import losses as named
from posewright.recipes import recipe_named
from posewright.recipes.recipe import Phase
from posewright.scene import ABSENT, HIDDEN, SEEN, Person
from posewright.skeleton import COCO
from posewright.train import Machine, prepared, steps
from posewright.train.loader import Batches
from posewright.warp import flipped

CODEC = Megvii(COCO, (64, 64), coarse=KERNELS[:-1])
CASCADE = Megvii(COCO, (64, 64), kernel=7, coarse=KERNELS[:-2])


def people_of(rng, count=3):
    """People of whom about a quarter of the keypoints is hidden, and another quarter absent."""
    people = []
    for _ in range(count):
        xy, visible = rng.uniform(5, 58, (17, 2)), rng.choice([ABSENT, HIDDEN, SEEN, SEEN], 17)
        xy[visible == ABSENT] = np.nan
        people.append(Person(xy, visible))
    return people


def target_of(codec, people):
    return Levels(*map(torch.from_numpy, codec.encode(people)))


def answers(target, rng, count):
    return [
        Heatmaps(torch.from_numpy(rng.normal(size=target.maps[:, 0].shape).astype(np.float32))) for _ in range(count)
    ]


def test_each_level_is_the_codec_of_its_kernel(rng):
    people = people_of(rng)
    levels = CODEC.encode(people)
    assert levels.maps.shape == (3, 5, 17, 16, 16)
    for level, kernel in enumerate(KERNELS):
        alone = replace(CODEC, coarse=(), kernel=kernel).encode(people)
        np.testing.assert_array_equal(levels.maps[:, level], alone.maps)
        np.testing.assert_array_equal(levels.weights, alone.weights)


def test_levels_say_what_is_seen_and_what_is_known(rng):
    people = people_of(rng)
    levels = CODEC.encode(people)
    visible = np.array([person.visible for person in people])
    np.testing.assert_array_equal(levels.seen, visible == SEEN)
    np.testing.assert_array_equal(levels.weights, visible != ABSENT)
    unsaid = CODEC.encode([Person(person.keypoints) for person in people])
    np.testing.assert_array_equal(unsaid.seen, unsaid.weights)
    assert all(array.dtype == np.float32 for array in levels)


def test_levels_are_read_at_the_finest_and_mirror_whole(rng):
    people = [Person(rng.integers(8, 56, (17, 2)).astype(float), rng.choice([HIDDEN, SEEN], 17)) for _ in range(8)]
    levels = CODEC.encode(people)
    found, alone = CODEC.decode(levels), replace(CODEC, coarse=()).decode(Heatmaps(levels.maps[:, -1]))
    for one, other, person in zip(found, alone, people, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        assert np.abs(one.keypoints - person.keypoints).max() <= Megvii.tolerance
    mirrored = CODEC.mirror(CODEC.encode([person.moved(flipped(CODEC.size), COCO) for person in people]))
    for ours, theirs in zip(mirrored, levels, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_levels_are_written_into_files_and_read_back():
    assert codec_from(json.loads(json.dumps(described(CODEC)))) == CODEC


def test_nobody_in_is_nobody_out():
    assert len(CODEC.encode([]).maps) == 0
    assert CODEC.decode(CODEC.encode([])) == []


def theirs_blank(maps, level, visible):
    """The authors' loss of a coarse unit, person by person: what is not seen has a target of 0."""
    costs = [np.mean((m - t * (v > 1)[:, None, None]) ** 2) for m, t, v in zip(maps, level, visible, strict=True)]
    return np.mean(costs)


def theirs_hard(maps, level, visible):
    """The authors' loss of the finest unit, person by person: the eight worst of the known keypoints."""
    costs = [np.mean((m - t) ** 2, (1, 2)) * (v > 0) for m, t, v in zip(maps, level, visible, strict=True)]
    return np.mean([np.sort(cost)[::-1][:8].mean() for cost in costs])


def in_numpy(stages, target, people):
    maps = [stage.maps.numpy().astype(np.float64) for stage in stages]
    return maps, target.maps.numpy().astype(np.float64), np.array([person.visible for person in people])


@pytest.mark.parametrize("pyramids", [1, 2, 3])
def test_pyramids_cost_what_the_authors_loop_says(pyramids, rng):
    target = target_of(CODEC, people := people_of(rng))
    stages = answers(target, rng, 4 * pyramids)
    maps, levels, visible = in_numpy(stages, target, people)
    wanted = 0.0
    for pyramid in range(pyramids):
        for unit in range(4):
            level = levels[:, unit + (pyramid == pyramids - 1)]
            one = maps[4 * pyramid + unit]
            wanted += theirs_hard(one, level, visible) if unit == 3 else theirs_blank(one, level, visible) / 4
    assert float(coarse_to_fine(stages, target)) == pytest.approx(wanted, rel=1e-5)


def test_a_cascade_costs_what_the_authors_loop_says(rng):
    target = target_of(CASCADE, people := people_of(rng))
    stages = answers(target, rng, 5)
    maps, levels, visible = in_numpy(stages, target, people)
    wanted = sum(theirs_blank(maps[n], levels[:, n], visible) / 4 for n in range(4)) / 2
    wanted += theirs_hard(maps[4], levels[:, 3], visible)
    assert float(cascaded(stages, target)) == pytest.approx(wanted, rel=1e-5)


def test_only_the_worst_keypoints_of_a_person_teach(rng):
    target = target_of(CODEC, people_of(rng))
    stage = Heatmaps(answers(target, rng, 1)[0].maps.requires_grad_())
    hard_keypoints([stage], target, hardest=4).backward()
    costs = target.weights * (stage.maps.detach() - target.maps[:, -1]).square().mean((-2, -1))
    taught = stage.maps.grad.flatten(-2).any(-1)
    for cost, learns in zip(costs, taught, strict=True):
        assert set(learns.nonzero().flatten().tolist()) == set(cost.topk(4).indices.tolist())


def test_all_keypoints_of_a_small_skeleton_are_hard(rng):
    maps, truth = (torch.from_numpy(rng.normal(size=(2, 5, 8, 8)).astype(np.float32)) for _ in range(2))
    target = Heatmaps(truth, torch.ones(2, 5))
    assert float(hard_keypoints([Heatmaps(maps)], target)) == pytest.approx(float((maps - truth).square().mean()))


@pytest.mark.parametrize(("loss", "codec", "count"), [(cascaded, CASCADE, 5), (coarse_to_fine, CODEC, 8)])
def test_what_is_hidden_is_learnt_by_the_finest_maps_alone(loss, codec, count, rng):
    """The others are told to leave its map blank, as the authors do it; what is unknown, the finest ignore."""
    people = people_of(rng, 2)
    target = target_of(codec, people)
    hidden = target.weights.bool() & ~target.seen.bool()
    assert hidden.any()
    blank = [Heatmaps(torch.zeros_like(target.maps[:, 0]).requires_grad_()) for _ in range(count)]
    loss(blank, target).backward()
    taught = [stage.maps.grad.flatten(-2).any(-1) for stage in blank]
    finest = {count - 1} if loss is cascaded else {3, 7}
    for number, learns in enumerate(taught):
        assert bool(learns[hidden].any()) == (number in finest)
        assert not learns[~target.weights.bool()].any()
    for stages in (answers(target, rng, count), [Heatmaps(s.maps.bfloat16()) for s in answers(target, rng, count)]):
        assert torch.equal(getattr(named, loss.__name__)(stages, target), loss(stages, target))
        assert loss(stages, target).dtype == torch.float32


def test_stages_that_are_no_pyramids_are_refused(rng):
    target = target_of(CODEC, people_of(rng))
    with pytest.raises(ValueError, match="5 stages are no pyramids of 4 units"):
        coarse_to_fine(answers(target, rng, 5), target)


def test_what_an_occlusion_hides_is_no_longer_seen_in_the_levels():
    scenes = world(2, seed=5, size=(128, 128), skeleton=COCO, people=(1, 1))
    occlusion = AUGMENTATIONS["huang_keypoint_aware"](scenes)
    plain, covered = (Batches(scenes, CODEC, Jitter(), 8, occlusion=o).batch(0, 0)[1] for o in (None, occlusion))
    np.testing.assert_array_equal(plain.weights, covered.weights)
    assert (covered.seen <= plain.seen).all()
    assert covered.seen.sum() < plain.seen.sum()


def small_cpn():
    return CPN(ResNet((1, 1, 1, 1)), len(COCO))


def small_mspn():
    return MSPN(bottleneck, (32, 64, 128, 256), (1, 1, 1, 1), 2, len(COCO))


def small_rsn():
    return RSN((1, 1, 1, 1), 1, len(COCO), refine=True)


@pytest.mark.parametrize(("name", "network"), [
    ("cpn_r50_coco", small_cpn),
    ("mspn_2_coco", small_mspn),
    ("rsn18_coco", small_rsn),
])  # fmt: skip
def test_one_picture_is_learnt_by_heart(name, network):
    """Places are learnt at once; to reach 255, the factors of the last normalisation need thousands of steps."""
    recipe = recipe_named(name)
    codec = replace(recipe.codec, size=(64, 64))
    scenes = world(1, seed=5, size=(128, 128), skeleton=COCO, people=(1, 1))
    still = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)
    recipe = replace(recipe, codec=codec, jitter=still, batch=2, network=network, phases=(Phase(30, 2e-3),))
    batches = Batches(scenes, codec, recipe.jitter, recipe.batch, 0, recipe.aim)
    state = prepared(recipe, 0, Machine(device="cpu"))
    losses = list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    pixels, target = batches.batch(0, 0)
    with torch.no_grad():
        answer = state.module(torch.from_numpy(pixels))[-1]
    (found, *_), (truth, *_) = (codec.decode(fields) for fields in (Heatmaps(answer.maps.numpy()), target))
    shown = target.weights[0] > 0
    assert shown.sum() > 8
    assert losses[-1] < losses[0]
    assert np.linalg.norm(found.keypoints - truth.keypoints, axis=-1)[shown].mean() < codec.stride / 2


@pytest.mark.parametrize("name", ["mspn_2_coco", "rsn50_4_coco_384x288"])
def test_rates_of_pyramids_rise_and_then_fall_in_a_straight_line(name):
    recipe, an_epoch = recipe_named(name), 100
    rates = np.array([recipe.rate_at(step, an_epoch) for step in range(recipe.epochs * an_epoch)])
    assert recipe.epochs == round(96_000 * 8 * 32 / 149_813)
    assert rates[2399] == rates[2400] == rates.max() == 5e-4
    np.testing.assert_allclose(np.diff(rates[:2400]), 5e-4 / 2400)
    np.testing.assert_allclose(np.diff(rates[2400:]), -5e-4 / (len(rates) - 2400))
    assert rates[-1] == pytest.approx(5e-4 / (len(rates) - 2400))


def test_rates_of_cpn_are_halved():
    recipe = recipe_named("cpn_r50_coco")
    epochs = [recipe.rate_at(step, 1) for step in range(recipe.epochs)]
    assert recipe.epochs == round(350 * 60_000 / 149_813)
    assert epochs == [5e-4 / 2 ** (epoch // 24) for epoch in range(140)]


def test_adam_shrinks_weights_as_part_of_the_gradient():
    recipe = replace(recipe_named("rsn18_coco"), network=small_rsn)
    assert recipe.optimiser.rule == "adam"
    assert type(prepared(recipe, 0, Machine(device="cpu")).optimiser) is torch.optim.Adam
    later = prepared(
        replace(recipe, optimiser=replace(recipe.optimiser, rule="adamw")), 0, Machine(device="cpu")
    ).optimiser
    assert type(later) is torch.optim.AdamW
    assert later.param_groups[0]["weight_decay"] == recipe.optimiser.weight_decay == 1e-5


@pytest.mark.parametrize(("name", "kernels"), [
    ("cpn_r50_coco", (15, 11, 9, 7)),
    ("cpn_r101_coco_384x288", (23, 17, 13, 9)),
    ("mspn_4_coco", KERNELS),
    ("rsn18_coco", KERNELS),
])  # fmt: skip
def test_levels_of_recipes_are_the_published(name, kernels):
    codec = recipe_named(name).codec
    assert (*codec.coarse, codec.kernel) == kernels
    person = Person(np.full((17, 2), 100.0))
    levels = codec.encode([person]).maps
    assert levels.shape[1] == len(kernels)
    assert levels.max() == PEAK
    assert (np.diff(levels.sum((0, 2, 3, 4))) < 0).all()
