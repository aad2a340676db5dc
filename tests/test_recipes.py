"""Every recipe: its network has the published size and fits its codec, and its schedule is the paper's."""

import re
from functools import cache

import numpy as np
import pytest
import torch

from posewright.codecs.codec import is_whole
from posewright.models.count import macs, parameters
from posewright.models.original import original_of
from posewright.recipes import RECIPES, recipe_named, sizes
from posewright.scene import Person

each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


@cache
def shapes_only(name):
    """Build a recipe's network, whose weights have shapes and no numbers, once for all tests."""
    with torch.device("meta"):
        return recipe_named(name).network()


@cache
def answered(name):
    """Count what a recipe's network multiplies, and keep the shapes that it answers, by one look for all tests."""
    network, answers = shapes_only(name), []
    hook = network.register_forward_hook(lambda *told: answers.append(told[-1][-1]))
    count = macs(network, recipe_named(name).codec.size)
    hook.remove()
    return count, answers[0]


def test_names_are_unique_and_found():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    assert all(recipe_named(recipe.name) is recipe for recipe in RECIPES)
    with pytest.raises(KeyError, match="posewright list"):
        recipe_named("hrnet_w33")


@each
def test_parameters_are_the_papers(recipe):
    assert parameters(shapes_only(recipe.name)) == recipe.parameters


@each
def test_kept_sizes_are_those_that_are_counted(recipe):
    assert sizes.kept(recipe) == (parameters(shapes_only(recipe.name)), answered(recipe.name)[0])


@each
def test_answers_have_the_targets_shape(recipe):
    answer = answered(recipe.name)[1]
    nobody = Person(np.full((len(recipe.codec.skeleton), 2), np.nan))
    whole = is_whole(recipe.codec)
    target = recipe.codec.encode([[nobody]] if whole else [nobody])
    if hasattr(recipe.codec, "perfect") and whole:
        target = recipe.codec.perfect(target)
    assert answer[0].shape == (1, *target[0].shape[1 - answer[0].dim() :])


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("hourglass_2_lsp", "hourglass_2_mpii"),
        ("cpn_r50_lsp", "cpn_r50_coco"),
        ("simple_baseline_r50_lsp", "simple_baseline_r50_coco"),
        ("hrnet_w32_mpii", "hrnet_w32_coco"),
        ("rsn18_lsp", "rsn18_coco"),
        ("efficientpose_rt_lsp", "efficientpose_rt_mpii"),
    ],
)
def test_only_the_head_hangs_on_the_skeleton(name, other):
    """`--start` leaves out what the model's file calls its head, and must find all that does not fit there."""
    network, there = shapes_only(name), shapes_only(other).state_dict()
    head = original_of(network).head
    differing = [key for key, value in network.state_dict().items() if value.shape != there[key].shape]
    assert differing
    assert [key for key in differing if not re.match(head, key)] == []


@pytest.mark.parametrize(
    ("name", "drops"),
    [
        ("hrnet_w32_coco", (170, 200, 210)),
        ("hrnet_w48_coco", (170, 200, 210)),
        ("simple_baseline_r50_coco", (90, 120, 140)),
        ("simple_baseline_r152_coco", (90, 120, 140)),
    ],
)
def test_rates_fall_at_the_published_epochs(name, drops):
    recipe, an_epoch = recipe_named(name), 7
    rates = [recipe.rate_at(step, an_epoch) for step in range(drops[2] * an_epoch)]
    first, second = drops[0] * an_epoch, drops[1] * an_epoch
    assert rates == [1e-3] * first + [1e-4] * (second - first) + [1e-5] * (len(rates) - second)
    with pytest.raises(ValueError, match="no phase is left"):
        recipe.rate_at(len(rates), an_epoch)


def test_the_default_warms_up_and_glides_down():
    recipe, an_epoch = recipe_named("default"), 291
    rates = np.array([recipe.rate_at(step, an_epoch) for step in range(recipe.epochs * an_epoch)])
    glide = recipe.phases[0].epochs * an_epoch
    assert rates[0] == pytest.approx(2e-3 / 300)
    assert (np.diff(rates[:300]) > 0).all()
    assert (rates[300:glide] == 2e-3).all()
    assert (np.diff(rates[glide:]) < 0).all()
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)


def test_a_strangers_recipe_is_found_in_his_file(tmp_path):
    file = tmp_path / "my_file.py"
    file.write_text(
        "from dataclasses import replace\n"
        "from posewright.recipes import default\n"
        "mine = replace(default, name='mine')\n"
    )
    recipe = recipe_named(f"{file}:mine")
    assert recipe.name == "mine"
    assert recipe_named(recipe.source).name == "mine"
    for name, reason in ((f"{file}:yours", "has no recipe"), (f"{tmp_path}/no.py:mine", "no such file")):
        with pytest.raises(KeyError, match=reason):
            recipe_named(name)
