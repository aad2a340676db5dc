"""Stacked hourglass against the authors' own: network, targets, sizes."""

import re

import numpy as np
import pytest
import torch

from posewright.codecs.hourglass import TorchGaussian, hourglass_decode, hourglass_target
from posewright.models import hourglass
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.report import renamed
from posewright.recipes import recipe_named
from posewright.scene import Person
from posewright.skeleton import MPII
from posewright.train.export import checkpoint as checkpoints

UNUSED = re.compile(r".*\.skip_layer\.conv\.(weight|bias)")


def test_answers_as_the_original_at_every_stack(reference, filled, waves):
    vector = reference("hourglass")
    model = hourglass.hourglass_2().eval()
    report = load_into(model, filled(vector), hourglass.RENAMES, size=(64, 64))
    assert not report.missing
    with torch.inference_mode():
        stages = model(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"])))
    assert len(stages) == 2
    for number, stage in enumerate(stages):
        expected = vector[f"output_stack{number}_sample"]
        assert stage.maps.shape == tuple(vector[f"output_stack{number}_shape"])
        error = np.abs(stage.maps.numpy().ravel()[vector[f"output_stack{number}_index"]] - expected).max()
        assert error < 3e-6 * np.abs(expected).max()


def test_only_weights_that_nothing_asks_for_are_left_out(reference, filled):
    state = filled(reference("hourglass"))
    own = hourglass.hourglass_2().state_dict()
    unused = {key: value for key, value in state.items() if renamed(key, hourglass.RENAMES) not in own}
    assert all(UNUSED.fullmatch(key) for key in unused)
    assert all(value.shape[0] == value.shape[1] for value in unused.values() if value.ndim == 4)
    assert sum(value.numel() for value in unused.values()) == 8_429_088 - 6_570_400
    assert len(own) + len(unused) == len(state)


def test_names_behind_wrappers_are_found(reference, filled):
    state = {f"model.module.{key}": value for key, value in filled(reference("hourglass")).items()}
    assert not load_into(hourglass.hourglass_2(), state, hourglass.RENAMES, size=(64, 64)).missing


def test_the_authors_files_answer_as_they_did_for_them(reference, filled, tmp_path):
    """Values in 0..1, red first, as they are."""
    state = filled(reference("hourglass"))
    torch.save({"state_dict": {f"model.module.{key}": value for key, value in state.items()}}, tmp_path / "a.pth")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
    found = checkpoints.load(tmp_path / "a.pth", recipe=recipe_named("hourglass_2_mpii"))(pixels)[-1].maps
    network = hourglass.hourglass_2().eval()
    load_into(network, state, hourglass.RENAMES, size=(64, 64))
    with torch.inference_mode():
        wanted = network(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)[-1].maps.numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        keys = list(hourglass.hourglass_8().state_dict())
    assert [renamed(key, hourglass.RENAMES) for key in keys] == keys


@pytest.mark.parametrize(("stacks", "count", "products"), [
    (1, 3_426_448, 5_150_343_168),
    (2, 6_570_400, 8_334_606_336),
    (8, 25_434_112, 27_440_185_344),
])  # fmt: skip
def test_is_as_large_as_the_original(stacks, count, products):
    """Two are the vector's figures; eight are published as 25.6 M and 26.2 G of a network with fewer biases."""
    model = hourglass.StackedHourglass(stacks, 16)
    assert (parameters(model), macs(model, (256, 256))) == (count, products)


@pytest.mark.parametrize(("output", "sigma"), [("ae_heatmaps", 1), ("heatmaps_sigma_2", 2), ("heatmaps_sigma_3", 3)])
def test_targets_are_the_authors(reference, output, sigma):
    """Associative embedding's, which are drawn alike and hold the people of a picture in one map."""
    vector = reference("ae_targets")
    joints = vector["input_joints"]
    maps, _ = hourglass_target(joints[..., :2], joints[..., 2] > 0, (64, 64), sigma)
    np.testing.assert_allclose(maps.max(0), vector[f"output_{output}"], rtol=0, atol=1e-7)


def test_decode_moves_a_quarter_toward_the_larger_neighbour_but_not_at_the_border():
    maps = np.zeros((4, 5, 6), np.float32)
    maps[0, 2, 3], maps[0, 2, 4], maps[0, 1, 3] = 1, 0.5, 0.5
    maps[1, 2, 3] = 1
    maps[2, 0, 3], maps[2, 0, 4] = 1, 0.5
    maps[3, 1, 1], maps[3, 1, 0] = 1, 0.5
    xy, scores = hourglass_decode(maps)
    np.testing.assert_array_equal(xy, [[3.25, 1.75], [3, 2], [3, 0], [0.75, 1]])
    np.testing.assert_array_equal(scores, 1)


def test_torchs_gaussian_of_seven_is_a_square_that_ends_high():
    """image.gaussian(7) is exp(-((i - 4) / 1.75)^2 / 2) for i of 1 to 7 along each axis."""
    person = Person(np.full((len(MPII), 2), 130.0))
    maps = TorchGaussian(MPII).encode([person]).maps[0, 0]
    line = np.exp(-(((np.arange(1, 8) - 4) / 1.75) ** 2) / 2)
    expected = np.zeros((64, 64))
    expected[29:36, 29:36] = line[:, None] * line
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    assert maps[32, 35] == pytest.approx(0.23, abs=0.005)
