"""Pose: published weights find their place, resting blocks stay as they are, fast gradients are the gradients."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from posewright.codecs.distribution import Distribution
from posewright.datasets.synthetic import world
from posewright.models.efficientnet import Same, tapped
from posewright.models.load import load_original
from posewright.models.pose import BLOCKS, PARTS, TAPS, pose
from posewright.recipes import recipe_named
from posewright.recipes.recipe import Phase
from posewright.scene import each_person
from posewright.skeleton import BODY
from posewright.train import Machine, prepared, steps
from posewright.train.loader import Batches


def published(network):
    """Return the trunk's weights under the names of their publishers, and the head of a classifier."""
    theirs = {"trunk.stem.0": "_conv_stem", "trunk.stem.1": "_bn0"}
    theirs |= {
        f"trunk.block{block}.{ours}": f"_blocks.{number}.{name}"
        for number, block in enumerate(BLOCKS)
        for name, ours in PARTS.items()
    }
    state = {}
    for name, value in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if layer in theirs and kind != "num_batches_tracked":
            state[f"{theirs[layer]}.{kind}"] = value
    return state | {"_fc.weight": torch.zeros(1000, 1280)}


def test_published_weights_of_the_trunk_are_taken_whole():
    torch.manual_seed(0)
    source, network = pose(), pose()
    state = published(source)
    report, normal = load_original(network, state, partial=True, size=(64, 64))
    assert len(report.matched) == 240 == len(state) - 1
    assert report.unused == ("_fc.weight",)
    for name, value in source.trunk.state_dict().items():
        assert torch.equal(network.trunk.state_dict()[name], value), name
    assert normal.mean == pytest.approx((127 / 255,) * 3)
    assert normal.std == pytest.approx((128 / 255,) * 3)


def test_the_trunk_is_tapped_at_the_four_resolutions():
    with torch.device("meta"):
        found = tapped(pose().trunk, TAPS, torch.zeros(1, 3, 96, 64))
    assert [tuple(one.shape[1:]) for one in found] == [(24, 24, 16), (40, 12, 8), (112, 6, 4), (320, 3, 2)]
    assert TAPS[0] == "block2b"


def test_visibility_does_not_teach_the_maps():
    network = pose().eval()
    (answer,) = network(torch.randn(1, 3, 64, 64))
    assert (answer.maps.shape, answer.seen.shape) == ((1, 19, 16, 16), (1, 19))
    answer.seen.sum().backward()
    assert network.head.weight.grad is None
    assert network.sight.there.weight.grad.abs().sum() > 0
    assert network.sight.whole.weight.grad.abs().sum() > 0
    assert all(weight.grad is not None for weight in network.coarse.parameters())


def test_blocks_at_rest_keep_weights_and_statistics():
    recipe = replace(recipe_named("pose"), batch=4, phases=(Phase(1, 1e-3, size=(64, 64)),), occlusion=None)
    people = each_person(world(3, seed=5, size=(96, 96), skeleton=BODY))[:4]
    batches = Batches(people, recipe.codec, recipe.jitter, 4, 0, codecs=recipe.codecs)
    state = prepared(recipe, 0, Machine(device="cpu"))
    before = {name: value.clone() for name, value in state.module.network.state_dict().items()}
    assert len([*steps(recipe, batches, state, Machine(device="cpu", workers=0))]) == 1
    after = state.module.network.state_dict()
    moved = {name.split(".")[1] for name in before if name.startswith("trunk") and not before[name].equal(after[name])}
    assert moved == {f"block{name}" for name in BLOCKS[3:]}


def test_a_phase_may_show_smaller_crops():
    recipe = replace(recipe_named("pose"), phases=(Phase(2, 1e-3, size=(64, 96)), Phase(1, 1e-4)))
    assert [codec.size for codec in recipe.codecs] == [(64, 96), (64, 96), (160, 160)]
    people = each_person(world(1, seed=5, size=(96, 96), skeleton=BODY))[:2]
    batches = Batches(people, recipe.codec, recipe.jitter, 2, codecs=recipe.codecs)
    assert [batches.batch(epoch, 0)[0].shape for epoch in (1, 2)] == [(2, 96, 64, 3), (2, 160, 160, 3)]
    assert batches.batch(0, 0)[1].maps.shape == (2, 19, 24, 16)
    assert isinstance(batches.codec, Distribution)


@pytest.mark.parametrize(("kernel", "stride", "side"), [(3, 1, 10), (3, 2, 9), (5, 2, 10), (5, 1, 7)])
def test_depthwise_gradients_in_bfloat16_are_the_gradients(kernel, stride, side):
    torch.manual_seed(0)
    layer, x = Same(8, 8, kernel, stride, groups=8), torch.randn(2, 8, side, side, requires_grad=True)
    answer = layer(x)
    back = torch.randn_like(answer)
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x)
    assert half.dtype == torch.bfloat16
    for found, wanted in zip(
        torch.autograd.grad(half, (x, layer.weight), back.bfloat16()),
        torch.autograd.grad(answer, (x, layer.weight), back), strict=True,
    ):  # fmt: skip
        assert (found.float() - wanted).abs().max() < 0.02 * wanted.abs().max()
    assert isinstance(layer, nn.Conv2d)
