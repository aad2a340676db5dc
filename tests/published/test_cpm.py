"""Convolutional pose machines against the authors' prototxt: network at every stage, sizes, pooling, centre map."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.codecs.cpm import Beliefs, belief_decode, belief_target
from posewright.models import cpm
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.report import renamed
from posewright.recipes import recipe_named
from posewright.recipes.cpm import LSP_PARTS, MPII_PARTS
from posewright.scene import Person
from posewright.skeleton import COCO, LSP, MPII
from posewright.train import first_weights
from posewright.train.export import checkpoint as checkpoints
from posewright.train.export import onnx


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


def test_the_authors_weights_answer_as_they_did_for_them(reference, filled, tmp_path):
    """Blue first, values / 256 - 1/2; both convolutions that look at the picture are turned to take red first."""
    state = filled(reference("cpm"))
    torch.save(state, tmp_path / "a.pth")
    recipe = replace(recipe_named("cpm_mpii"), codec=Beliefs(MPII_PARTS, size=(72, 64)))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 72, 3), dtype=np.uint8)
    found = checkpoints.load(tmp_path / "a.pth", recipe=recipe)(pixels)[-1].maps
    network = cpm.cpm().eval()
    load_into(network, state, cpm.RENAMES, size=(64, 64))
    with torch.inference_mode():
        seen = torch.from_numpy(pixels[..., ::-1].copy()).permute(0, 3, 1, 2) / 256 - 0.5
        wanted = network(seen)[-1].maps.numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_the_authors_order_of_parts_is_kept():
    """part_str of their configuration: head, neck, right arm, left arm, right leg, left leg."""
    for parts in (MPII_PARTS, LSP_PARTS):
        assert parts.keypoints[0] == "head_top"
        assert parts.keypoints[1].endswith("neck")
        assert parts.keypoints[2:5] == ("right_shoulder", "right_elbow", "right_wrist")
        assert parts.keypoints[5:8] == ("left_shoulder", "left_elbow", "left_wrist")
        assert parts.keypoints[8:] == (
            "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"
        )  # fmt: skip
        assert parts.limbs
    assert MPII_PARTS.sigmas[2] == MPII.sigmas[MPII.index("right_shoulder")]


def test_weights_of_another_skeleton_start_all_but_what_answers_for_it(reference, filled, tmp_path):
    torch.save(filled(reference("cpm")), tmp_path / "a.pth")
    recipe = replace(recipe_named("cpm_mpii"), network=lambda: cpm.cpm(17), codec=Beliefs(COCO, size=(64, 64)))
    weights = first_weights(str(tmp_path / "a.pth"), recipe, report=str).weights
    assert "own_features.0.weight" in weights
    assert "context.0.2.weight" in weights
    assert not {"heads.0.weight", "heads.5.bias", "context.3.0.weight"} & weights.keys()


def test_what_is_exported_says_the_same(tmp_path):
    """`onnx` compares the file with torch and raises ExportError where they differ."""
    network = cpm.ConvolutionalPoseMachine(14, stages=2, width=8).eval()
    onnx(network, Beliefs(LSP, size=(72, 64)), {}, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").stat().st_size > 1000


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
