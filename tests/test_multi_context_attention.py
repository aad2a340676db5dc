"""Multi-context attention, of which no output of the authors' is known.

It is held to the specification instead: the mean field against numbers worked out pixel by pixel, the whole network
against a second writing of it in plain functions, its size against a count by hand, which is also the published one.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import batch_norm, conv2d, interpolate, max_pool2d, relu

from posewright.models import multi_context_attention as paper
from posewright.models.count import macs, parameters
from posewright.models.hourglass import Hourglass
from posewright.models.multi_context_attention import Attention, HourglassResidual, MultiContextAttention, PartAttention
from posewright.recipes import recipe_named
from posewright.train import Machine, prepared


def lively(network: nn.Module) -> nn.Module:
    """Move statistics away from their first values, so that no layer passes what it gets."""
    torch.manual_seed(0)
    for name, value in network.state_dict().items():
        if "running_var" in name:
            value.uniform_(0.5, 1.5)
        elif "running_mean" in name:
            value.normal_(std=0.1)
    return network.eval()


def features(rng, width: int = 6, size: tuple[int, int] = (12, 9)) -> torch.Tensor:
    return torch.from_numpy(rng.normal(size=(2, width, *size)).astype(np.float32))


def sums_around(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Weigh each pixel's neighbourhood with a kernel; beyond the border there is nothing."""
    reach = len(kernel) // 2
    padded = np.pad(image, reach)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    return np.einsum("yxij,ij->yx", windows, kernel)


def test_attention_is_three_steps_of_the_mean_field(rng):
    torch.manual_seed(1)
    attention, x = Attention(6), features(rng)
    evidence = attention.evidence(x).detach().numpy().astype(np.float64)
    kernel, bias = (value.detach().numpy().astype(np.float64) for value in attention.neighbours.parameters())
    with torch.no_grad():
        weights, answer = attention.weights(x), attention(x)
    for u, found in zip(evidence[:, 0], weights[:, 0].numpy(), strict=True):
        q = u
        for _ in range(3):
            q = 1 / (1 + np.exp(-(sums_around(q, kernel[0, 0]) + bias[0] + u)))
        np.testing.assert_allclose(found, q, atol=1e-6)
    assert torch.equal(answer, x * weights)


def test_attention_weighs_all_channels_of_a_pixel_alike_and_amplifies_nothing(rng):
    attention, x = Attention(6), features(rng)
    with torch.no_grad():
        weights, answer = attention.weights(x), attention(x)
    assert weights.shape == (2, 1, 12, 9)
    assert ((weights > 0) & (weights < 1)).all()
    assert (answer.abs() <= x.abs()).all()
    assert ((answer == 0) | (answer.sign() == x.sign())).all()
    torch.testing.assert_close(answer / x, weights.expand_as(x))


def test_without_neighbours_attention_is_the_evidence_alone(rng):
    attention, x = Attention(6), features(rng)
    with torch.no_grad():
        for value in attention.neighbours.parameters():
            value.zero_()
        assert torch.equal(attention.weights(x), torch.sigmoid(attention.evidence(x)))


@pytest.mark.parametrize(("pull", "sign"), [(0.01, 1), (-0.01, -1)])
def test_neighbours_draw_attention_to_each_other_or_away(pull, sign):
    """A bright spot raises its surroundings where the kernel is positive, as far as three steps reach."""
    attention = Attention(1).double()
    with torch.no_grad():
        for value in attention.parameters():
            value.zero_()
        attention.evidence.weight[0, 0, 1, 1] = 1
        attention.neighbours.weight.fill_(pull)
        dark, spot = (torch.zeros(1, 1, 48, 48, dtype=torch.float64) for _ in range(2))
        spot[0, 0, 24, 24] = 4
        change = sign * (attention.weights(spot) - attention.weights(dark))[0, 0]
    assert change[24, 27] > 1e-3
    reached = change[24].abs() > 0
    assert reached.nonzero().flatten().tolist() == list(range(24 - 15, 24 + 16))
    if sign > 0:
        assert (change >= 0).all()


def test_attention_moves_with_what_it_attends_to(rng):
    attention, x = Attention(3), torch.zeros(1, 3, 64, 64)
    x[:, :, 26:36, 26:36] = features(rng, 3, (10, 10))[:1]
    with torch.no_grad():
        weights, moved = attention.weights(x), attention.weights(x.roll((5, -4), (2, 3)))
    inner = (..., slice(24, 40), slice(24, 40))  # borders differ: beyond them there is nothing
    torch.testing.assert_close(weights.roll((5, -4), (2, 3))[inner], moved[inner], atol=1e-6, rtol=0)


def test_the_three_steps_share_one_kernel():
    attention = Attention(256)
    assert parameters(attention) == (9 * 256 + 1) + (11 * 11 + 1)


def test_parts_look_where_each_of_them_likes(rng):
    heads, x = PartAttention(6, 3), features(rng)
    with torch.no_grad():
        maps = heads(x)
        for number, (attention, head) in enumerate(heads.parts):
            torch.testing.assert_close(maps[:, number], head(x * attention.weights(x))[:, 0])
        heads.parts[1][0].evidence.bias.add_(3)
        changed = (heads(x) != maps).flatten(2).any(-1).all(0)
    assert changed.tolist() == [False, True, False]


def seen_by(module: nn.Module, size: int = 32) -> tuple[int, int]:
    """Return (height, width) of what one pixel of a module's answer depends on."""
    x = torch.rand(1, 4, size, size, requires_grad=True)
    module(x)[0, :, size // 2, size // 2].sum().backward()
    rows, columns = x.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    return int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)


class Everywhere(nn.Module):
    """Average in place of the largest, so that every pixel that could count does."""

    def forward(self, x):
        return nn.functional.avg_pool2d(x, 2)


def test_an_hourglass_residual_sees_ten_pixels_and_its_residual_three():
    unit = HourglassResidual(4).eval()
    for layer in unit.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.uniform_(layer.weight, 0.1, 0.2)
            nn.init.uniform_(layer.bias, 0.1, 0.2)
    unit.wide[2] = Everywhere()
    assert seen_by(unit) == (10, 10)
    assert seen_by(unit.residual) == (3, 3)


def count_by_hand(stacks: int, keypoints: int) -> int:
    """Sum what the description's layers hold: a convolution has a bias, a normalisation two numbers a channel."""

    def conv(inputs, outputs, kernel=1):
        return kernel * kernel * inputs * outputs + outputs

    def lin(inputs, outputs, kernel=1):
        return conv(inputs, outputs, kernel) + 2 * outputs

    def res(i, o):
        h = o // 2
        return 2 * i + lin(i, h) + lin(h, h, 3) + conv(h, o) + (conv(i, o) if i != o else 0)

    wide = 2 * 256 + lin(256, 256, 3) + conv(256, 256, 3)
    unit = res(256, 256)
    units = [max(n - 2, 0) for n in (4, 3, 2, 1)]
    look = 4 * 3 * unit + unit + sum(units) * (unit + wide)
    stem = lin(3, 64, 7) + res(64, 64) * 2 + res(64, 128) + res(128, 128) * 2 + res(128, 256)
    total = stem + stacks * look + (stacks - 1) * (conv(keypoints, 256) + lin(256, 256))
    for number in range(stacks):
        c = 512 if number == stacks - 1 else 256
        attention = conv(c, 1, 3) + conv(1, 1, 11)
        maps = keypoints * (attention + conv(c, 1)) if number >= 4 else conv(c, keypoints)
        total += lin(256, c) + lin(c, c) + attention + maps
    return total


def test_is_as_large_as_described():
    with torch.device("meta"):
        model = paper.multi_context_attention_8()
        size = parameters(model), macs(model, (256, 256))
    assert size == (count_by_hand(8, 16), 63_863_619_584)
    assert size[0] == 58_312_088


def written_again(model: MultiContextAttention, images: torch.Tensor) -> list[torch.Tensor]:
    """Answer as the description says, in plain functions, with a model's weights in the order it holds them."""
    values = iter(value for name, value in model.state_dict().items() if "num_batches" not in name)
    parts = {"conv": 2, "norm": 4}

    def taken(layers: str) -> list[list[torch.Tensor]]:
        return [[next(values) for _ in range(parts[layer])] for layer in layers.split()]

    def conv(x, layer):
        return conv2d(x, *layer, padding=layer[0].shape[-1] // 2)

    def active(x, layer):
        scale, shift, mean, variance = layer
        return relu(batch_norm(x, mean, variance, scale, shift))

    def lin():
        convolve, norm = taken("conv norm")
        return lambda x: active(conv(x, convolve), norm)

    def res(projected=False):
        n1, c1, n2, c2, n3, c3 = taken("norm conv norm conv norm conv")
        skip = taken("conv")[0] if projected else None

        def apply(x):
            y = conv(active(conv(active(conv(active(x, n1), c1), n2), c2), n3), c3)
            return y + (x if skip is None else conv(x, skip))

        return apply

    def hru():
        narrow = res()
        n1, c1, n2, c2 = taken("norm conv norm conv")
        return lambda x: narrow(x) + twice(conv(active(conv(max_pool2d(active(x, n1), 2), c1), n2), c2))

    def twice(x):
        return interpolate(x, scale_factor=2)

    def look(n):
        up = [res(), *(hru() for _ in range(n - 2))]
        low = [res(), look(n - 1) if n > 1 else res(), res()]

        def apply(x):
            y = max_pool2d(x, 2)
            for f in low:
                y = f(y)
            for f in up:
                x = f(x)
            return x + twice(y)

        return apply

    def attend():
        u, k = taken("conv conv")

        def apply(x):
            evidence = conv(x, u)
            q = conv(evidence, k) + evidence
            q = conv(q.sigmoid(), k) + evidence
            q = conv(q.sigmoid(), k) + evidence
            return x * q.sigmoid()

        return apply

    def maps_of(parted):
        narrow, holistic = lin(), attend()
        if not parted:
            (convolve,) = taken("conv")
            return lambda x: conv(holistic(narrow(x)), convolve)
        each = [(attend(), taken("conv")[0]) for _ in range(14)]
        return lambda x: torch.cat([conv(look(holistic(narrow(x))), c) for look, c in each], 1)

    stem = [lin(), res(), (lambda x: max_pool2d(x, 2)), res(), res(projected=True), (lambda x: max_pool2d(x, 2))]
    stem += [res(), res(), res(projected=True)]
    stacks = len(model.hourglasses)
    looks = [look(4) for _ in range(stacks)]
    firsts = [lin() for _ in range(stacks)]
    heads = [maps_of(number >= 4) for number in range(stacks)]
    back = [lin() for _ in range(stacks - 1)]
    told = [taken("conv")[0] for _ in range(stacks - 1)]
    assert next(values, None) is None
    x, answers = images, []
    for f in stem:
        x = f(x)
    for number in range(stacks):
        first = firsts[number](looks[number](x))
        answers.append(heads[number](first))
        if number < stacks - 1:
            x = x + conv(answers[-1], told[number]) + back[number](first)
    return answers


def test_answers_as_the_description_says(rng):
    model = lively(MultiContextAttention(6, 14, width=16))
    images = torch.from_numpy(rng.normal(size=(2, 3, 128, 64)).astype(np.float32))
    with torch.no_grad():
        stages, expected = model(images), written_again(model, images)
    assert len(stages) == len(expected) == 6
    for stage, maps in zip(stages, expected, strict=True):
        assert stage.maps.shape == (2, 14, 32, 16)
        assert maps.std() > 1e-3
        torch.testing.assert_close(stage.maps, maps, atol=1e-6 * float(maps.abs().max()), rtol=1e-5)


def test_the_papers_attention_is_summed_over_the_resolutions(rng):
    """h1 = f x sum of the maps at 1, 1/2, 1/4 and 1/8 of the hourglass's resolution, each of what it answers there."""
    torch.manual_seed(2)
    look = lively(paper.hourglass(4, 8))
    seen = {}
    for level in (module for module in look.modules() if isinstance(module, Hourglass)):
        level.register_forward_hook(lambda _, __, answer: seen.setdefault(answer.shape[-1], answer))
    many, x = paper.ManyResolutions(look, 8).eval(), features(rng, 8, (32, 48))
    with torch.no_grad():
        answer = look(x)
        assert sorted(seen) == [6, 12, 24, 48]
        total = torch.zeros(2, 1, 32, 48)
        for times, attention in zip((1, 2, 4, 8), many.attentions, strict=True):
            total += attention.weights(seen[48 // times]).repeat_interleave(times, -1).repeat_interleave(times, -2)
        torch.testing.assert_close(many(x), answer * total)
    assert total.std() > 1e-4


def test_the_papers_first_stacks_have_a_second_holistic_attention():
    with torch.device("meta"):
        model = paper.multi_context_attention_8_paper()
        size = parameters(model)
    assert [isinstance(head[1], Attention) for head in model.heads] == [True] * 4 + [False] * 4
    assert [isinstance(head[2], PartAttention) for head in model.heads] == [False] * 4 + [True] * 4
    attention = [9 * width + 1 + 11 * 11 + 1 for width in (256, 512)]
    assert size == count_by_hand(8, 16) + 8 * 4 * attention[0] - 3 * attention[0] - attention[1]


def test_part_attention_begins_in_the_fifth_stack():
    heads = MultiContextAttention(8, 16, width=8).heads
    assert [isinstance(head[-1], PartAttention) for head in heads] == [False] * 4 + [True] * 4


@pytest.mark.parametrize("papers", [False, True])
def test_every_weight_learns(papers):
    torch.manual_seed(0)
    model = MultiContextAttention(5, 14, width=8, paper=papers)
    stages = model(torch.rand(2, 3, 64, 64))
    sum(stage.maps.square().mean() for stage in stages).backward()
    still = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert not [name for name in still if name.endswith("weight")]


def test_learns_at_the_authors_rates():
    """130 epochs of 3,000 steps of 8 crops, divided by 10 after 100 and 125 of them, in passes over 22,246 people."""
    recipe = recipe_named("multi_context_attention_8_mpii")
    passes = 3_000 * 8 / 22_246
    falls = [epoch for epoch in range(1, recipe.epochs) if recipe.rate_at(epoch, 1) < recipe.rate_at(epoch - 1, 1)]
    assert [*falls, recipe.epochs] == [round(epochs * passes) for epochs in (100, 125, 130)]
    assert [recipe.rate_at(epoch, 1) for epoch in (0, *falls)] == pytest.approx([2.5e-4, 2.5e-5, 2.5e-6])
    assert (recipe.batch, recipe.optimiser.rule) == (8, "rmsprop")


def test_its_optimiser_is_torchs_rmsprop_and_goes_on_where_it_was(tmp_path):
    recipe = replace(
        recipe_named("multi_context_attention_8_mpii"), network=lambda: MultiContextAttention(1, 16, width=8)
    )
    states = [prepared(recipe, seed, Machine(device="cpu")) for seed in (0, 1)]
    for state in states:
        (group,) = state.optimiser.param_groups
        assert type(state.optimiser) is torch.optim.RMSprop
        assert (group["alpha"], group["eps"], group["momentum"], group["weight_decay"]) == (0.99, 1e-8, 0, 0)
        group["lr"] = 1e-3

    def stepped(state):
        torch.manual_seed(5)
        pixels = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
        state.module(pixels)[-1].maps.square().mean().backward()
        state.optimiser.step()
        state.optimiser.zero_grad()
        return torch.cat([value.detach().flatten() for value in state.module.parameters()])

    stepped(states[0])
    states[0].save(tmp_path / "one.pt")
    states[1].restore(tmp_path / "one.pt")
    assert torch.equal(stepped(states[0]), stepped(states[1]))
