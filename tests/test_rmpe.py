"""RMPE: what is moved comes back, the branch beside teaches the locator alone, and a person off the middle is found."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from posewright.augment.jitter import Jitter
from posewright.codecs.centred import Centred
from posewright.codecs.hourglass import Hourglass
from posewright.datasets.synthetic import world
from posewright.estimators import runtimes
from posewright.estimators.runtimes.torch import network_of
from posewright.fields import Heatmaps, Twofold
from posewright.losses.maps import centred_and_back, mean_squared_error
from posewright.models import hourglass, sstn
from posewright.models.count import macs, parameters
from posewright.models.hourglass import StackedHourglass
from posewright.models.load import load_into
from posewright.models.pixels import FromPixels
from posewright.models.report import renamed
from posewright.models.sstn import STAYING, SymmetricTransformer, inverted, sampled
from posewright.recipes.recipe import Phase
from posewright.recipes.rmpe import rmpe_mpii, rmpe_proposals_mpii
from posewright.scene import Person, each_person
from posewright.skeleton import COCO, MPII
from posewright.train import Machine, export, prepared, steps
from posewright.train.loader import Batches

STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0, padding=1.3)


def thetas(count=8):
    """Draw moves that can be undone."""
    generator = torch.Generator().manual_seed(3)
    return torch.tensor(STAYING).reshape(2, 3) + 0.2 * torch.randn(count, 2, 3, generator=generator)


def blob(x, y, size=(64, 48), sigma=5.0):
    width, height = size
    return torch.exp(
        -((torch.arange(width) - x) ** 2 + (torch.arange(height)[:, None] - y) ** 2) / (2 * sigma**2)
    ).reshape(1, 1, height, width)


class Passing(nn.Module):
    """A pose network that takes what is bright for the keypoint."""

    def forward(self, images):
        return [Heatmaps(images[:, :1])]


def narrow(keypoints=16):
    torch.manual_seed(0)
    return SymmetricTransformer(StackedHourglass(1, keypoints, width=32))


def test_the_way_back_undoes_the_way():
    theta = thetas().double()
    back = inverted(theta)
    squares = [
        torch.cat([one, torch.tensor([[0, 0, 1.0]]).double().expand(len(one), 1, 3)], 1) for one in (theta, back)
    ]
    product = squares[0] @ squares[1]
    assert torch.allclose(product, torch.eye(3).double().expand_as(product), atol=1e-12)
    flat = torch.tensor([[[1.0, 1, 0], [1, 1, 0]]])
    assert inverted(flat).isfinite().all()


def test_who_stays_is_looked_at_as_they_are():
    x = torch.rand(2, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(sampled(x, torch.tensor(STAYING).reshape(1, 2, 3).expand(2, 2, 3)), x, atol=1e-5)


def test_a_place_in_the_centred_picture_is_where_theta_says():
    """By 8 px of 64 to the right and by -6 of 48 down: what was at (40, 12) is then at (32, 18)."""
    theta = torch.tensor([[[1.0, 0, 8 / 32], [0, 1.0, -6 / 24]]])
    shown = (..., slice(8, None), slice(56))
    assert torch.allclose(sampled(blob(40, 12), theta)[shown], blob(32, 18)[shown], atol=1e-3)
    half = torch.tensor([[[0.5, 0, 0], [0, 0.5, 0]]])
    larger = sampled(blob(31.5, 23.5), half)
    assert torch.allclose(larger, blob(31.5, 23.5, sigma=10.0), atol=1e-2)


def test_picture_and_maps_move_alike():
    """A blob moved at full resolution and one moved at a quarter of it stay on each other."""
    theta = thetas(1)
    fine, coarse = sampled(blob(33.5, 25.5), theta), sampled(blob(8, 6, (16, 12), 1.25), theta)
    pooled = nn.functional.avg_pool2d(fine, 4)
    assert (pooled - coarse).abs().max() < 0.06
    assert coarse.max() > 0.8


def test_maps_come_back_to_where_they_were():
    theta = thetas(4)
    x = blob(30, 20).expand(4, 1, 48, 64)
    assert (sampled(sampled(x, theta), inverted(theta)) - x).abs().max() < 0.05


def test_at_first_it_answers_as_the_network_inside():
    model = narrow().eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        (ours,), (theirs,) = model(images), model.pose(images)
    assert torch.allclose(ours.maps, theirs.maps, atol=1e-4 * float(theirs.maps.abs().max()))


def test_the_branch_beside_teaches_the_locator_alone():
    model = narrow().train()
    nn.init.normal_(model.locator.head.weight, std=1e-3)
    beside, *stages = model(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert len(stages) == 1
    beside.maps.square().sum().backward()
    assert all(weight.grad is None for weight in model.pose.parameters())
    assert all(weight.grad.abs().max() > 0 for weight in model.locator.trunk[0].parameters())
    assert model.pose.stem[1].num_batches_tracked == 1


def test_beside_are_the_maps_before_they_are_put_back():
    model = SymmetricTransformer(Passing()).train()
    with torch.no_grad():
        model.locator.head.bias[2] += 0.25
    images = blob(40, 24).expand(2, 3, 48, 64)
    beside, last = model(images)
    assert torch.allclose(beside.maps[0], blob(32, 24)[0], atol=1e-2)
    assert torch.allclose(last.maps, images[:, :1], atol=0.03)
    assert len(model.eval()(images)) == 1


def test_the_locator_learns_to_bring_people_to_the_middle():
    torch.manual_seed(0)
    model = SymmetricTransformer(Passing()).train()
    model.locator.trunk = nn.Sequential(nn.Conv2d(3, 512, 16, 16), nn.ReLU())
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    places = [(20, 14), (44, 34), (40, 12), (24, 30)]
    images = torch.cat([blob(x, y, sigma=8.0) for x, y in places]).expand(4, 3, 48, 64)
    target = Twofold(images[:, :1], blob(31.5, 23.5, sigma=8.0).expand(4, 1, 48, 64), torch.ones(4, 1))
    for _ in range(150):
        optimiser.zero_grad()
        centred_and_back(model(images), target).backward()
        optimiser.step()
    with torch.no_grad():
        beside, last = model(images)
    middle = beside.maps.flatten(-2).argmax(-1)[:, 0].numpy()
    off = np.hypot(middle % 64 - 31.5, middle // 64 - 23.5)
    assert off.max() < 3
    assert (last.maps - images[:, :1]).abs().max() < 0.2


def test_the_loss_is_that_of_both_targets():
    rng = torch.Generator().manual_seed(0)
    maps, centred, *answers = (torch.rand(2, 3, 4, 5, generator=rng) for _ in range(6))
    weights = torch.tensor([[1.0, 0, 1], [1, 1, 1]])
    target = Twofold(maps, centred, weights)
    stages = [Heatmaps(answer) for answer in answers]
    wanted = mean_squared_error(stages[2:], Heatmaps(maps, weights))
    assert torch.allclose(
        centred_and_back(stages, target), wanted + mean_squared_error(stages[:2], Heatmaps(centred, weights))
    )
    centred[0, 2] = 0
    less = mean_squared_error(stages[:2], Heatmaps(centred, torch.tensor([[1.0, 0, 0], [1, 1, 1]])))
    assert torch.allclose(centred_and_back(stages, target), wanted + less)


def test_centred_targets_are_those_of_the_crop_of_the_true_box(rng):
    codec, plain = Centred(COCO, (64, 96)), Hourglass(COCO, (64, 96))
    xy = rng.uniform((4, 4), (40, 60), (17, 2))
    box = np.array([3.0, 2, 43, 64])
    target = codec.encode([Person(xy, box=box), Person(xy)])
    factor = min(64 / (1.3 * 40), 96 / (1.3 * 62))
    moved = plain.encode([Person(np.array([31.5, 47.5]) + factor * (xy - (23, 33))), Person(xy)])
    np.testing.assert_array_equal(target.maps, plain.encode([Person(xy)] * 2).maps)
    np.testing.assert_array_equal(target.centred, moved.maps)


def test_cut_people_are_asked_for_as_they_are_shown(rng):
    """Whose own box is longer than the crop, so that a piece of them was cut, is exempt."""
    codec = Centred(COCO, (64, 64))
    xy = rng.uniform((4, 4), (60, 60), (17, 2))
    cut, shown = (codec.encode([Person(xy, box=np.array(box))]) for box in ((0.0, -5, 40, 70), (0.0, 2, 40, 60)))
    np.testing.assert_array_equal(cut.centred, cut.maps)
    assert np.abs(shown.centred - shown.maps).max() > 0.5


def test_every_cut_of_the_recipe_is_exempt_and_shows_the_person_ungrown(rng):
    scene = each_person(world(1, 1, size=(96, 96), skeleton=MPII, people=(1, 1)))[0]
    person, jitter = scene.people[0], replace(rmpe_mpii.jitter, mirror=0.0)
    longest = (person.box[2:] - person.box[:2]).max()
    views = {
        cut: [
            replace(jitter, proposal=replace(jitter.proposal, cut=cut))(person, MPII, (256, 256), rng, Centred.around)
            for _ in range(200)
        ]
        for cut in (0.0, 1.0)
    }
    shown = {cut: np.array([256 / (longest * warp.scale) for warp in warps]) for cut, warps in views.items()}
    assert shown[1.0].max() <= 1  # in sides of the true box
    assert np.median(shown[0.0]) == pytest.approx(1.3, abs=0.1)
    assert np.quantile(shown[0.0], 0.05) > 1


def test_a_frozen_branch_stays_and_teaches():
    torch.manual_seed(0)
    branch = sstn.frozen(StackedHourglass(2, 16, width=32))
    model = SymmetricTransformer(StackedHourglass(1, 16, width=32), branch).train()
    nn.init.normal_(model.locator.head.weight, std=1e-3)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    stages = model(images)
    assert len(stages) == 3
    maps, centred = (torch.rand(2, 16, 16, 16) for _ in range(2))
    target = Twofold(maps, centred, torch.ones(2, 16))
    loss = centred_and_back(stages, target, beside=2)
    wanted = mean_squared_error(stages[:2], Heatmaps(centred, target.weights))
    assert torch.allclose(loss, wanted + mean_squared_error(stages[2:], Heatmaps(maps, target.weights)))
    wanted.backward()
    kinds = [(layer, layer.weight.grad is not None) for layer in branch.modules() if hasattr(layer, "weight")]
    assert not any(learns for layer, learns in kinds if isinstance(layer, nn.Conv2d))
    assert any(learns for layer, learns in kinds if isinstance(layer, nn.BatchNorm2d))
    assert all(weight.grad is None for weight in model.pose.parameters())
    assert model.locator.head.bias.grad.abs().max() > 0
    assert len(model.eval()(images)) == 1


def test_boxes_reach_the_targets():
    """A crop that is aimed beside the person has another centred target than maps."""
    recipe = replace(rmpe_mpii, codec=replace(rmpe_mpii.codec, size=(64, 64)))
    scenes = each_person(world(2, 1, size=(96, 96), skeleton=MPII, people=(1, 1)))
    centred = Batches(scenes, recipe.codec, STILL, 2, 0, recipe.aim).batch(0, 0)[1]
    assert np.abs(centred.maps - centred.centred).mean() < 1e-2
    off = replace(STILL, proposal=lambda person, *_: np.add(person.box, (12, 0, 12, 0)))
    beside = Batches(scenes, recipe.codec, off, 2, 0, recipe.aim).batch(0, 0)[1]
    shift = _columns(beside.centred) - _columns(beside.maps)
    known = np.isfinite(shift)
    assert known.sum() > 8
    assert (shift[known] > 0).all()


def _columns(maps):
    """Return the column (P, K) of each map's largest pixel, NaN where it is empty."""
    place = maps.reshape(*maps.shape[:2], -1).argmax(-1) % maps.shape[-1]
    return np.where(maps.max((-2, -1)) > 0, place, np.nan)


def test_is_a_hourglass_of_eight_stacks_and_a_resnet_of_18_layers():
    with torch.device("meta"):
        model = sstn.sstn_hourglass_8()
        inside = StackedHourglass(8, 16)
        assert parameters(model.pose) == parameters(inside)
        assert parameters(model.locator) == 11_176_512 + 6 * 513  # ImageNet's ResNet-18 without its classes
        assert macs(model, (256, 256)) == macs(inside, (256, 256)) + macs(model.locator, (256, 256))
        assert parameters(model) == rmpe_mpii.parameters


def test_a_hourglass_starts_it():
    with torch.device("meta"):
        ours = narrow().state_dict()
    theirs = StackedHourglass(1, 16, width=32)
    report = load_into(narrow(), theirs.state_dict(), sstn.RENAMES, partial=True, size=(64, 64))
    assert not report.unused
    assert all(name.startswith("locator.") for name in report.missing)
    assert [renamed(name, sstn.RENAMES) for name in ours] == list(ours)
    assert sstn.ORIGINAL.normal == hourglass.ORIGINAL.normal


def test_one_picture_is_learnt_by_heart_in_both_halves():
    """The hourglass alone, then the transformer around it at the published 5e-5."""
    machine, small = Machine(device="cpu", workers=0), partial(StackedHourglass, 1, 16, width=64)
    scenes = world(1, seed=5, size=(128, 128), skeleton=MPII, people=(1, 1))
    alone, recipe = (
        replace(each, codec=replace(each.codec, size=(64, 64)), jitter=STILL, batch=2, phases=phases, network=build)
        for each, phases, build in (
            (rmpe_proposals_mpii, (Phase(60, 1e-3), Phase(30, 1e-4)), small),
            (rmpe_mpii, (Phase(40, 5e-5),), lambda: SymmetricTransformer(small())),
        )
    )
    first = prepared(alone, 0, machine)
    list(steps(alone, Batches(scenes, alone.codec, STILL, 2, 0, alone.aim), first, machine))
    batches = Batches(scenes, recipe.codec, STILL, 2, 0, recipe.aim)
    state = prepared(recipe, 0, machine)
    state.begin_with({f"pose.{name}": value for name, value in first.module.network.state_dict().items()})
    losses = list(steps(recipe, batches, state, machine))
    pixels, target = batches.batch(0, 0)
    shown = target.weights[0] > 0
    wanted = recipe.codec.decode(target)[0].keypoints[shown]
    with torch.no_grad():
        answer = state.module(torch.from_numpy(pixels))[-1]
    found = recipe.codec.decode(Heatmaps(answer.maps.numpy()))[0].keypoints[shown]
    assert losses[-1] < losses[0]
    assert shown.sum() > 8
    assert np.linalg.norm(found - wanted, axis=-1).mean() < recipe.codec.stride / 2


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_the_exported_file_moves_people_too(tmp_path, backend):
    pytest.importorskip(backend)
    model = narrow()
    nn.init.normal_(model.locator.head.weight, std=3e-2)
    codec = replace(rmpe_mpii.codec, size=(64, 64))
    module = FromPixels(model.eval(), *sstn.ORIGINAL.normal)
    export.onnx(module, codec, {}, tmp_path / "tiny.onnx", aim=codec.around)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    wanted = network_of(module, codec)(pixels)[-1].maps
    found = runtimes.load(tmp_path / "tiny.onnx", backend)(pixels)[-1].maps
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * np.abs(wanted).max())


def test_learns_at_the_authors_rates():
    """8,000 steps of 5 crops an epoch: 20 and 10 of the hourglasses alone, 20 and 10 with the transformer."""
    passes = 8_000 * 5 / 22_246
    locator = ((r"locator\.", 0.01),)  # ours
    for recipe, rate, rates in ((rmpe_proposals_mpii, (2.5e-4, 5e-5), ()), (rmpe_mpii, (5e-5, 1e-5), locator)):
        assert [(phase.epochs, phase.rate) for phase in recipe.phases] == [
            (round(epochs * passes), value) for epochs, value in zip((20, 10), rate, strict=True)
        ]
        assert (recipe.batch, recipe.optimiser.rule, recipe.optimiser.rates) == (5, "rmsprop", rates)
        assert (recipe.codec.size, recipe.padding, recipe.jitter.padding) == ((256, 256), 1.3, 1.0)
        assert (recipe.jitter.proposal.cut, recipe.jitter.proposal.grown, recipe.jitter.tint) == (0.3, 1.3, 0.4)
