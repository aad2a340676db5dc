"""EvoPose2D against the authors' own: networks, sizes, mutation and weight transfer."""

import numpy as np
import pytest
import torch

from posewright.models import evopose2d
from posewright.models.count import macs, numbers, parameters
from posewright.models.evopose2d import ANCESTOR, BRED, EvoPose2D, genotype
from posewright.models.load import load_into
from posewright.models.report import renamed
from posewright.train.evolve.space import mutated, size
from posewright.train.evolve.transfer import inherited, transferred

# name: (width, height); parameters; with the statistics of normalisation; MACs; "GFLOPs" as published
SIZES = {
    "xs": ((192, 256), 2_496_239, 2_531_199, 462_372_800, 0.47),
    "s": ((192, 256), 2_496_239, 2_531_199, 1_064_085_440, 1.07),
    "m": ((288, 384), 7_256_105, 7_341_609, 5_550_593_216, 5.59),
    "l": ((384, 512), 14_566_883, 14_709_587, 17_591_425_152, 17.7),
}


def built(name):
    return getattr(evopose2d, f"evopose2d_{name}")()


def original(vector, filled):
    """The originals' kernels are multiplied, for their answers would not depend on the picture."""
    return {key: value * float(vector["input_gain"]) if value.dim() == 4 else value
            for key, value in filled(vector).items()}  # fmt: skip


@pytest.mark.parametrize("name", ["xs", "s"])
def test_answers_as_the_original(name, reference, filled, waves):
    vector = reference(f"evopose2d_{name}")
    model = built(name).eval()
    report = load_into(model, original(vector, filled), evopose2d.RENAMES)
    assert not report.missing
    assert not report.unused
    for number in (3, 4):
        picture = waves(int(vector[f"input_fill{number}_seed"]), *vector[f"input_fill{number}_size"])
        with torch.inference_mode():
            answer = model(torch.from_numpy(picture))[-1].maps.numpy()
        assert answer.shape == tuple(vector[f"output_fill{number}_shape"])
        expected = vector[f"output_fill{number}_sample"]
        error = np.abs(answer.ravel()[vector[f"output_fill{number}_index"]] - expected).max()
        assert error < 3e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", SIZES)
def test_is_as_large_as_published(name):
    picture, learnt, all_numbers, products, published = SIZES[name]
    model = built(name)
    assert parameters(model) == learnt
    assert numbers(model) == all_numbers
    assert macs(model, picture) == products
    assert products / 1e9 == pytest.approx(published, rel=0.02)


def test_renames_leave_our_own_names_alone():
    for name in SIZES:
        keys = list(built(name).state_dict())
        assert [renamed(key, evopose2d.RENAMES) for key in keys] == keys


def test_odd_pictures_are_padded_as_tensorflow_does():
    """The first strided convolution of a row of 7 px sees 1 px before and 1 behind it, of 8 px none before."""
    layer = evopose2d.EvoPose2D(ANCESTOR, 1).stem[0]
    layer.weight.data.fill_(1.0)
    for length, seen in ((7, [4, 6, 6, 4]), (8, [6, 6, 6, 4])):
        columns = layer(torch.ones(1, 3, 9, length))[0, 0, 1]
        assert (columns / 4.5).round().tolist() == seen


def test_mutates_as_the_original(reference):
    vector = reference("evopose2d_mutations")
    parent = genotype(vector["input_genotype"])
    assert parent == ANCESTOR
    for seed, expected in zip(vector["input_seeds"], vector["output_mutants"], strict=True):
        assert mutated(parent, np.random.RandomState(seed), {parent}) == genotype(expected)


def test_what_is_known_is_not_drawn_again():
    known = {ANCESTOR}
    while len(known) < 40:
        known.add(mutated(ANCESTOR, np.random.RandomState(7), known))
    assert all(sum(a != b for a, b in zip(one, ANCESTOR, strict=True)) <= 1 for one in known)


def test_the_bred_network_is_in_the_space():
    """A walk of mutations stays within the rules that the published genotypes follow."""
    rng, walker = np.random.RandomState(3), BRED
    strides = set()
    for _ in range(2000):
        walker = mutated(walker, rng)
        assert all(m.kernel in (3, 5) and 1 <= m.repeats <= 4 for m in walker)
        assert all(1 <= m.width <= old.width for m, old in zip(walker, ANCESTOR, strict=True))
        strides.add(tuple(m.stride for m in walker))
        assert evopose2d.output_stride(walker) in (2, 4)
    assert strides == {(1, 2, 2, 2, *last) for last in [(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)]}
    assert size() == 2**7 * 4**7 * 2 * 3 * 5 * 10 * 14 * 24 * 40 * 2**3


def test_transfers_as_the_original(reference):
    """Keras' (k, k, in, out) and, channel by channel, (k, k, C, 1) are our kernels turned round."""
    vector = reference("evopose2d_transfer")
    cases = [key.removeprefix("output_") for key in vector if key.startswith("output_")]
    assert len(cases) == 36
    for number in cases:
        parent, child, expected = (
            torch.from_numpy(vector[key].T if vector[key].ndim == 1 else turned(vector[key]))
            for key in (f"input_{number}_parent", f"input_{number}_child", f"output_{number}")
        )
        assert torch.equal(transferred(parent, child), expected)


def turned(kernel):
    """Keras' layout to PyTorch's."""
    return np.ascontiguousarray(kernel.transpose(2, 3, 0, 1) if kernel.shape[3] == 1 else kernel.transpose(3, 2, 0, 1))


def test_a_child_of_the_same_genes_is_its_parent():
    parent, child = (EvoPose2D(BRED, 5, width=0.25).state_dict() for _ in range(2))
    assert all(torch.equal(value, parent[name]) for name, value in inherited(child, parent).items())


def test_a_repeat_more_takes_after_the_last_block():
    parent = EvoPose2D(ANCESTOR, 5, width=0.25).state_dict()
    more = tuple(m._replace(repeats=2) if n == 6 else m for n, m in enumerate(ANCESTOR))
    child = EvoPose2D(more, 5, width=0.25).state_dict()
    state = inherited(child, parent)
    before, after = "blocks.block7a.project.0.weight", "blocks.block7b.project.0.weight"
    assert torch.equal(state[before], parent[before])
    rows, columns = parent[before].shape[:2]
    assert child[after].shape[1] > columns
    assert torch.equal(state[after][:rows, :columns], parent[before])
    assert torch.equal(state[after][:, columns:], child[after][:, columns:])


def test_the_authors_layers_load_as_keras_keeps_them(reference, filled, tmp_path):
    state = filled(reference("evopose2d_xs"))
    leaves = {"running_mean": "moving_mean", "running_var": "moving_variance"}
    arrays = {}
    for name, value in state.items():
        layer, leaf = name.split(".")
        own = {"weight": "gamma", "bias": "beta"} if layer.endswith("bn") else {"weight": "kernel"}
        own |= {"weight": "depthwise_kernel"} if layer.endswith("dwconv") else {}
        axes = (2, 3, 0, 1) if layer.endswith("dwconv") else (2, 3, 1, 0)
        arrays[f"{layer}/{(leaves | own).get(leaf, leaf)}"] = (
            value.numpy().transpose(axes) if value.dim() == 4 else value.numpy()
        )
    np.savez(tmp_path / "xs.npz", **arrays)
    ours, theirs = built("xs"), built("xs")
    assert not load_into(ours, tmp_path / "xs.npz", evopose2d.RENAMES).missing
    load_into(theirs, state, evopose2d.RENAMES)
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())
