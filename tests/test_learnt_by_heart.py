"""Learnt by heart: recipes of many families, at a small size, come to answer one picture rightly."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.augment.jitter import Jitter
from posewright.codecs.udp import offsets_from
from posewright.datasets.synthetic import world
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
from posewright.recipes import recipe_named
from posewright.recipes.jain import tree
from posewright.recipes.recipe import Phase
from posewright.skeleton import LSP
from posewright.train import Machine, prepared, steps
from posewright.train.loader import Batches

STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)


def still(recipe, size, count=1):
    """Leave out all chance: one view of some drawn people, at a small size."""
    codec = replace(recipe.codec, size=size)
    scenes = world(count, seed=5, size=(128, 128), skeleton=codec.skeleton, people=(1, 1))
    recipe = replace(recipe, codec=codec, jitter=STILL, batch=2, optimiser=replace(recipe.optimiser, average=0.0))
    return recipe, Batches(scenes, codec, recipe.jitter, recipe.batch, 0, recipe.aim)


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
        ("hrnet_w32_coco_udp", narrow_hrnet_with_offsets, 100, 1e-3),
        ("hourglass_2_lsp", narrow_hourglass, 40, 2e-3),
        ("multi_context_attention_8_mpii", narrow_attention, 40, 1e-3),
        ("pyranet_2_mpii", narrow_pyranet, 150, 2e-3),
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
