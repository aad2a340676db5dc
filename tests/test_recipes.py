"""Every recipe: its network has the published size and fits its codec, its schedule is the paper's, and it learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.augment import Jitter
from posewright.codecs.udp import offsets_from
from posewright.datasets.synthetic import world
from posewright.loader import Batches
from posewright.models.count import parameters
from posewright.models.cpm import ConvolutionalPoseMachine
from posewright.models.fastpose import FastPose
from posewright.models.hourglass import StackedHourglass
from posewright.models.hrnet import HRNet
from posewright.models.jain import PartDetectors
from posewright.models.multi_context_attention import MultiContextAttention
from posewright.models.pyramid_residual import FractionalPool, Level
from posewright.models.pyranet import PyraNet
from posewright.models.resnet import ResNet
from posewright.models.simple_baseline import SimpleBaseline
from posewright.recipe import Phase
from posewright.recipes import RECIPES, recipe_named
from posewright.recipes.jain import tree
from posewright.scene import Person
from posewright.skeleton import LSP
from posewright.train import Machine, prepared, steps

STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)
each = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


def shapes_only(recipe):
    """Build a network whose weights have shapes and no numbers."""
    with torch.device("meta"):
        return recipe.network()


def still(recipe, size, count=1):
    """Leave out all chance: one view of some drawn people, at a small size."""
    codec = replace(recipe.codec, size=size)
    scenes = world(count, seed=5, size=(128, 128), skeleton=codec.skeleton, people=(1, 1))
    recipe = replace(recipe, codec=codec, jitter=STILL, batch=2, average=0.0)
    return recipe, Batches(scenes, codec, recipe.jitter, recipe.batch, 0, recipe.aim)


def test_names_are_unique_and_found():
    assert len({recipe.name for recipe in RECIPES}) == len(RECIPES)
    assert all(recipe_named(recipe.name) is recipe for recipe in RECIPES)
    with pytest.raises(KeyError, match="there are default"):
        recipe_named("hrnet_w33")


@each
def test_parameters_are_the_papers(recipe):
    assert parameters(shapes_only(recipe)) == recipe.parameters


@each
def test_answers_have_the_targets_shape(recipe):
    width, height = recipe.codec.size
    answer = shapes_only(recipe)(torch.zeros(2, 3, height, width, device="meta"))[-1]
    nobody = Person(np.full((len(recipe.codec.skeleton), 2), np.nan))
    target = recipe.codec.encode([nobody, nobody])
    assert answer[0].shape == (2, *target[0].shape[-3:])


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


def narrow_hrnet():
    return HRNet(16, 17)


def narrow_hrnet_with_offsets():
    return HRNet(16, 3 * 17, offsets_from)


def narrow_hourglass():
    return StackedHourglass(2, 14, width=64)


def narrow_machine():
    """A fifth as wide, so with larger weights at first, the largest where pixels of -1/2 to 1/2 come in.

    The authors' would take long to come through.
    """
    network = ConvolutionalPoseMachine(14, stages=2, width=24)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.14 if module.in_channels == 3 else 0.035)
    return network


def narrow_detectors():
    return PartDetectors(14, tree(LSP), 15, widths=(8, 8, 8, 32, 16))


def shallow_fastpose():
    return FastPose(ResNet((1, 1, 1, 1)), 17)


def narrow_attention():
    return MultiContextAttention(2, 16, width=32)


class StillPool(FractionalPool):
    """Pool in training as elsewhere: on the small maps here, windows drawn by chance move a keypoint too far."""

    def train(self, mode: bool = True):  # noqa: ARG002
        return super().train(False)


def narrow_pyranet():
    network = PyraNet(2, 16, width=64)
    for module in network.modules():
        if isinstance(module, Level):
            module.pool = StillPool(module.pool.ratio)
    return network


def shallow_baseline():
    return SimpleBaseline(ResNet((1, 1, 1, 1)), 14)


@pytest.mark.parametrize(
    ("name", "network", "taken", "rate"),
    [
        ("default", None, 40, 2e-3),
        ("simple_baseline_r50_lsp", shallow_baseline, 30, 1e-3),
        ("fastpose_r50_coco", shallow_fastpose, 40, 1e-3),
        ("hrnet_w32_coco", narrow_hrnet, 30, 1e-3),
        ("hrnet_w32_coco_128x96_dark", narrow_hrnet, 30, 1e-3),
        ("hrnet_w32_coco_udp", narrow_hrnet_with_offsets, 40, 1e-3),
        ("hourglass_2_lsp", narrow_hourglass, 40, 2e-3),
        ("multi_context_attention_8_mpii", narrow_attention, 40, 1e-3),
        ("pyranet_2_mpii", narrow_pyranet, 60, 2e-3),
        ("cpm_lsp", narrow_machine, 60, 2e-4),
        ("jain_lsp", narrow_detectors, 60, 1e-3),
    ],
)
def test_one_picture_is_learnt_by_heart(name, network, taken, rate):
    recipe, batches = still(recipe_named(name), (64, 64))
    recipe = replace(recipe, phases=(Phase(taken, rate),), network=network or recipe.network)
    state = prepared(recipe, 0, Machine(device="cpu"))
    losses = list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    pixels, target = batches.batch(0, 0)
    shown = target.weights[0, : len(recipe.codec.skeleton)] > 0
    truth = recipe.codec.decode(target)[0].keypoints[shown]
    with torch.no_grad():
        answer = state.module(torch.from_numpy(pixels))[-1]
    fields = type(answer)(*(None if array is None else array.numpy() for array in answer))
    found = recipe.codec.decode(fields)[0].keypoints[shown]
    assert losses[-1] < losses[0]
    assert len(truth) > 8
    assert np.linalg.norm(found - truth, axis=-1).mean() < recipe.codec.stride / 2


def test_parameters_learn_at_the_rates_of_their_names():
    recipe, batches = still(recipe_named("cpm_lsp"), (64, 64))
    recipe = replace(recipe, phases=(Phase(1, 1e-4),), network=narrow_machine)
    state = prepared(recipe, 0, Machine(device="cpu"))
    names = {id(parameter): name for name, parameter in state.module.network.named_parameters()}
    list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    groups = state.optimiser.param_groups
    rates = {names[id(one)]: group["lr"] for group in groups for one in group["params"]}
    assert rates.keys() == set(names.values())
    assert sum(len(group["params"]) for group in groups) == len(rates)
    assert {name: rates[name] / 1e-4 for name in ("heads.0.bias", "own_features.3.weight", "features.0.bias")} == (
        pytest.approx({"heads.0.bias": 10, "own_features.3.weight": 5, "features.0.bias": 2})
    )
    assert rates["context.0.0.weight"] == rates["heads.1.weight"] == pytest.approx(1e-4)
    assert all(group["momentum"] == 0.9 and group["weight_decay"] == 5e-4 for group in groups)


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
