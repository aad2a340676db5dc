"""PyraNet against its original: the same weights and input give the same maps, pooling included."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import fractional_max_pool2d

from posewright.codecs.hourglass import Hourglass
from posewright.models import pyranet
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.original import original_of
from posewright.models.pixels import FromPixels
from posewright.models.pyramid_residual import (
    OFFSET,
    PRM_A,
    PRM_B,
    PRM_C,
    PRM_D,
    FractionalPool,
    Level,
    PyramidResidual,
    starts,
)
from posewright.models.report import renamed
from posewright.recipes import recipe_named
from posewright.skeleton import LSP
from posewright.train import export

FORMS = [PRM_A, PRM_B, PRM_C, PRM_D]
forms = pytest.mark.parametrize("form", FORMS, ids="ABCD")


def test_answers_as_the_original_at_every_stack(reference, filled, waves):
    vector = reference("pyranet")
    model = pyranet.pyranet_2().eval()
    report = load_into(model, filled(vector), pyranet.RENAMES, size=(64, 64))
    assert not report.missing
    assert not report.unused
    with torch.inference_mode():
        stages = model(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"])))
    assert len(stages) == 2
    for number, stage in enumerate(stages):
        expected = vector[f"output_stack{number}_sample"]
        assert stage.maps.shape == tuple(vector[f"output_stack{number}_shape"])
        error = np.abs(stage.maps.numpy().ravel()[vector[f"output_stack{number}_index"]] - expected).max()
        assert error < 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("stacks", "form", "count", "products"),
    [
        (2, PRM_B, 7_286_464, 7_321_415_180),
        (1, PRM_A, 3_996_136, 5_017_520_108),
        (8, PRM_B, 28_131_832, 22_829_322_956),
        (1, PRM_C, 3_905_140, 4_921_182_188),
        (1, PRM_D, 3_812_236, 5_006_213_120),
    ],
)
def test_is_as_large_as_the_original(stacks, form, count, products):
    """Two stacks of B are the vector's figures; eight are published as 26.9 M and 45.9 / 2 G. Of A, C and D no
    figures are known: theirs are what they were when the forms were drawn.
    """
    with torch.device("meta"):
        model = pyranet.PyraNet(stacks, 16, form)
        assert (parameters(model), macs(model, (256, 256))) == (count, products)


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        keys = list(pyranet.pyranet_8().state_dict())
    assert [renamed(key, pyranet.RENAMES) for key in keys] == keys


def test_the_head_is_all_that_differs_for_other_keypoints():
    with torch.device("meta"):
        ours, others = pyranet.pyranet_2().state_dict(), pyranet.pyranet_2(14).state_dict()
    differing = {key for key in ours if ours[key].shape != others[key].shape}
    heads = {key for key in ours if re.match(pyranet.ORIGINAL.head, key)}
    assert differing == heads - {"returned_maps.0.bias"}


def test_pools_to_as_many_pixels_as_the_original(reference):
    recorded = json.loads(str(reference("pyranet")["meta"]))["fractional_pool_input_ratio_output"]
    levels = [Level(1, level).pool.eval() for level in range(1, 5)]
    for length, ratio, left in recorded:
        (pool,) = (pool for pool in levels if abs(pool.ratio - ratio) < 1e-5)
        assert pool(torch.zeros(1, 1, length, length)).shape[-2:] == (left, left)
    assert len(recorded) == 16


@pytest.mark.parametrize("size", [(2, 3), (5, 4), (16, 12), (53, 64), (128, 96)])
def test_pools_as_torch_does_with_the_offset_fixed(size, rng):
    x = torch.from_numpy(rng.normal(size=(2, 3, *size)).astype(np.float32))
    for level in range(1, 5):
        pool = Level(1, level).pool.eval()
        samples = torch.full((2, 3, 2), OFFSET)
        wanted = fractional_max_pool2d(x, 2, output_ratio=(pool.ratio, pool.ratio), _random_samples=samples)
        assert torch.equal(pool(x), wanted)
        assert torch.equal(pool(x), pool(x))


def test_windows_reach_from_end_to_end_in_order():
    for length in range(3, 130):
        for windows in range(1, length):
            begin = starts(length, windows)
            assert len(begin) == windows
            assert begin[-1] == length - 2
            assert windows == 1 or begin[0] == 0
            assert all(a <= b for a, b in pairwise(begin))


def test_pooling_is_by_chance_only_while_it_learns(rng):
    x = torch.from_numpy(rng.permutation(4 * 20 * 20).reshape(1, 4, 20, 20).astype(np.float32))
    pool = FractionalPool(0.7)
    torch.manual_seed(0)
    drawn = [pool(x) for _ in range(8)]
    torch.manual_seed(0)
    assert torch.equal(pool(x), drawn[0])
    assert len({tuple(one.flatten().tolist()) for one in drawn}) > 1
    assert all(one.shape == (1, 4, 14, 14) and torch.isin(one, x).all() for one in drawn)


def block(form, **options):
    """Build a module with some life in its statistics."""
    torch.manual_seed(0)
    built = PyramidResidual(36, 36, form, **options)
    for name, value in built.state_dict().items():
        if "running_var" in name:
            value.uniform_(0.5, 1.5)
        elif "running_mean" in name:
            value.normal_(std=0.1)
    return built.eval()


def test_a_is_b_with_a_first_layer_for_each_scale(rng):
    a, b = block(PRM_A), block(PRM_B)
    a.load_state_dict({name: b.state_dict()[re.sub(r"narrow\.\d", "narrow.0", name)] for name in a.state_dict()})
    x = torch.from_numpy(rng.normal(size=(2, 36, 16, 16)).astype(np.float32))
    with torch.inference_mode():
        assert torch.equal(a(x), b(x))
        a.pyramid.narrow[2][2].weight.mul_(2)
        assert not torch.equal(a(x), b(x))


@forms
def test_a_pyramid_is_the_sum_of_its_scales_or_their_row(form, rng):
    built = block(form)
    x = torch.from_numpy(rng.normal(size=(2, 36, 16, 12)).astype(np.float32))
    pyramid = built.pyramid
    with torch.inference_mode():
        scales = [level(pyramid.narrow[i if form == PRM_A else 0](x)) for i, level in enumerate(pyramid.levels)]
        row, total = torch.cat(scales, 1), scales[0] + scales[1] + scales[2] + scales[3]
        expected = pyramid.widen(row if form == PRM_C else total)
        assert torch.equal(pyramid(x), expected)
        assert torch.allclose(built(x), x + built.third(built.local(x) + expected), atol=1e-6)
    assert all(scale.shape == (2, 4, 16, 12) for scale in scales)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_dilated_levels_see_as_far_as_they_are_dilated(level):
    x = torch.zeros(1, 4, 21, 21, requires_grad=True)
    block(PRM_D).pyramid.levels[level - 1](x)[0, :, 10, 10].sum().backward()
    seen = x.grad.abs().sum((0, 1)).nonzero()
    assert sorted(set(seen[:, 0].tolist())) == sorted(set(seen[:, 1].tolist())) == [10 - level, 10, 10 + level]


def test_shortcuts_pass_on_unless_the_width_changes_or_they_are_told_not_to():
    assert isinstance(PyramidResidual(36, 36).shortcut, nn.Identity)
    assert [type(layer) for layer in PyramidResidual(36, 36, projected=True).shortcut] == [
        nn.BatchNorm2d,
        nn.ReLU,
        nn.Conv2d,
    ]
    model = pyranet.PyraNet(1, 16, width=36)
    looks = [module for module in model.modules() if type(module).__name__ == "Hourglass"]
    assert len(looks) == 4
    for look in looks:
        assert isinstance(look.beside.shortcut, nn.Identity)
        assert isinstance(look.before.shortcut, nn.Identity)
        assert not isinstance(look.after.shortcut, nn.Identity)
    pyramids = [[isinstance(b, PyramidResidual) for b in (look.beside, look.before, look.after)] for look in looks]
    assert pyramids == [[True] * 3, [True] * 3, [True, False, False], [False] * 3]


@forms
def test_weights_start_as_wide_as_the_branches_allow(form):
    """Var w = 4 / (C_i n_i + C_o n_o), with the branches counted by what a layer is for."""
    torch.manual_seed(0)
    model = pyranet.PyraNet(1, 16, form, width=72)
    modules = dict(model.named_modules())
    checked = set()
    for name, layer in modules.items():
        if not isinstance(layer, nn.Conv2d):
            continue
        entering, leaving = 1, 1
        if ".pyramid.narrow." in name:
            leaving = 1 if form == PRM_A else 4
        elif ".pyramid.widen." in name:
            entering = 1 if form == PRM_C else 4
        elif ".third." in name and isinstance(modules[name[: name.index(".third.")]], PyramidResidual):
            entering = 2
        area = layer.weight[0, 0].numel()
        expected = 4 / (area * (entering * layer.in_channels + leaving * layer.out_channels))
        spread = float(layer.weight.detach().square().mean()) / expected
        assert abs(spread - 1) < 5 * (2 / layer.weight.numel()) ** 0.5, name
        assert not layer.bias.any()
        checked.add((entering, leaving))
    assert (
        checked
        == {
            PRM_A: {(1, 1), (2, 1), (4, 1)},
            PRM_B: {(1, 1), (2, 1), (4, 1), (1, 4)},
            PRM_C: {(1, 1), (2, 1), (1, 4)},
            PRM_D: {(1, 1), (2, 1), (4, 1), (1, 4)},
        }[form]
    )


@forms
def test_every_weight_learns(form):
    torch.manual_seed(0)
    model = pyranet.PyraNet(2, 14, form, width=36)
    stages = model(torch.rand(2, 3, 64, 64))
    sum(stage.maps.square().mean() for stage in stages).backward()
    still = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not [name for name in still if name.endswith("weight")]


def test_an_exported_network_pools_as_it_does(tmp_path, rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    network = pyranet.PyraNet(1, 14, width=36)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(4, 3, 64, 64))
    network.eval()
    export.onnx(network, Hourglass(LSP, size=(64, 64)), {"data": "none"}, tmp_path / "pyranet.onnx")
    pixels = rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / "pyranet.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: pixels})
    with torch.inference_mode():
        expected = FromPixels(network, *original_of(network).normal)(torch.from_numpy(pixels))[0].maps.numpy()
    np.testing.assert_allclose(answer, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "batch", "drops"), [("pyranet_2_mpii", 6, (2.5e-4, 250)), ("pyranet_8_mpii", 16, (6.7e-4, 250))]
)
def test_learns_at_the_authors_rates(name, batch, drops):
    """Divided by 10 from the 150th, 170th and 200th epoch on, counted from 1."""
    recipe, (rate, epochs) = recipe_named(name), drops
    found = [recipe.rate_at(epoch * 5, 5) for epoch in range(epochs)]
    wanted = [rate / 10 ** sum(epoch >= drop for drop in (150, 170, 200)) for epoch in range(1, epochs + 1)]
    assert found == pytest.approx(wanted)
    assert (recipe.epochs, recipe.batch, recipe.optimiser.rule) == (epochs, batch, "rmsprop")
