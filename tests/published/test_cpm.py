"""Convolutional pose machines against the authors' prototxt: network at every stage, sizes, pooling, centre map."""

import numpy as np
import pytest
import torch

from posewright.codecs.cpm import Beliefs, belief_decode, belief_target
from posewright.models import cpm
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.report import renamed
from posewright.scene import Person
from posewright.skeleton import LSP


def test_answers_as_the_original_at_every_stage(reference, filled, waves):
    vector = reference("cpm")
    state = filled(vector)
    model = cpm.cpm().eval()
    report = load_into(model, state, cpm.RENAMES, size=(64, 64))
    assert (report.missing, report.unused, len(report.matched)) == ((), (), len(state))
    images, centre = waves(int(vector["input_seed"]), 368, 368), waves(int(vector["input_center_seed"]), 368, 368, 1)
    with torch.inference_mode():
        stages = model(torch.from_numpy(images), torch.from_numpy(centre))
    assert len(stages) == 6
    for number, stage in enumerate(stages, 1):
        expected = vector[f"output_stage{number}_sample"]
        assert stage.maps.shape == tuple(vector[f"output_stage{number}_shape"])
        error = np.abs(stage.maps.numpy().ravel()[vector[f"output_stage{number}_index"]] - expected).max()
        assert error < 3e-6 * np.abs(expected).max()


def test_is_as_large_as_the_original():
    model = cpm.cpm()
    assert (parameters(model), macs(model, (368, 368))) == (31_219_866, 175_437_729_280)


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        keys = list(cpm.cpm().state_dict())
    assert [renamed(key, cpm.RENAMES) for key in keys] == keys


def test_the_person_in_the_middle_is_meant():
    centre = cpm.centre_map(torch.zeros(2, 3, 65, 41))[0, 0]
    assert centre[32, 20] == centre.max() == 1
    assert torch.equal(centre, centre.flip(0, 1))
    assert centre[32, 20 - 21 + 1] == pytest.approx(np.exp(-(20**2) / (2 * 21**2)))
    model = cpm.ConvolutionalPoseMachine(3, stages=2).eval()
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        said, told = model(images)[-1].maps, model(images, cpm.centre_map(images))[-1].maps
        other = model(images, cpm.centre_map(images).roll(16, -1))[-1].maps
    assert torch.equal(said, told)
    assert not torch.equal(said, other)


def test_a_picture_of_any_multiple_of_8_has_an_eighth_of_its_resolution():
    model = cpm.ConvolutionalPoseMachine(3, stages=2).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 72, 104))[-1].maps.shape == (1, 4, 9, 13)


def test_a_gaussian_lies_around_the_exact_place_and_leaves_the_rest_to_the_background():
    maps, weights = belief_target([[19.5, 11.5], [200.0, 200.0]], [True, True], (6, 4))
    assert maps.shape == (3, 4, 6)
    assert maps[0, 1, 2] == 1
    assert maps[0, 1, 3] == pytest.approx(np.exp(-(8**2) / (2 * 7**2)))
    assert maps[0, 1, 5] == 0 < maps[0, 1, 4] == pytest.approx(np.exp(-(16**2) / (2 * 7**2)))
    assert not maps[1].any()
    np.testing.assert_array_equal(maps[2], 1 - maps[0])
    assert weights.tolist() == [1, 0, 1]


def test_enlarging_is_cubic_convolution_which_keeps_squares():
    """Keys's convolution with a = -1/2 is exact for polynomials of degree 2, away from the border."""
    y, x = np.mgrid[:8, :10]
    peak = (3.3, 4.45)
    maps = (100 - (y - peak[0]) ** 2 - (x - peak[1]) ** 2).astype(np.float32)[None, None]
    xy, values = belief_decode(maps, 8)
    expected = 8 * (np.array(peak[::-1]) + 0.5) - 0.5
    np.testing.assert_allclose(xy[0, 0], expected, atol=0.5)
    at = (xy[0, 0] + 0.5) / 8 - 0.5
    assert values[0, 0] == pytest.approx(100 - ((at - peak[::-1]) ** 2).sum(), abs=1e-4)


def test_the_background_is_asked_for():
    codec = Beliefs(LSP)
    fields = codec.encode([Person(np.full((14, 2), 100.0))])
    with pytest.raises(ValueError, match=r"\(P, 15, h, w\), lsp and the background, not \(1, 14, 46, 46\)"):
        codec.decode(fields._replace(maps=fields.maps[:, :14]))
