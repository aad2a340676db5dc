"""Part detectors: a picture at once is its windows one by one; the prior is counted from people and moves answers."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from posewright import train as training
from posewright.datasets.synthetic import world
from posewright.models import jain
from posewright.models.count import macs, parameters
from posewright.recipes.jain import jain_lsp, prior, tree
from posewright.recipes.recipe import Apart, Phase
from posewright.scene import each_person
from posewright.skeleton import LSP, MPII
from posewright.train.export import onnx


def narrow():
    return jain.PartDetectors(len(LSP), tree(LSP), reach=15, widths=(2, 2, 2, 4, 4))


def test_a_picture_at_once_is_its_windows_one_by_one():
    """Map px (x, y) is the window whose middle is crop px 4 (x + 1/2) - 1/2."""
    network = jain.PartDetectors(2, [(0, 1)], reach=3).eval()
    images = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(images)[0].maps
        normal = network.normalise(images)
        assert logits.shape == (1, 2, 24, 32)
        for x, y in ((8, 8), (15, 12), (22, 14)):
            left, top = 4 * x + 2 - 32, 4 * y + 2 - 32
            window = normal[..., top : top + 64, left : left + 64]
            for keypoint, detector in enumerate(network.detectors):
                alone = detector(window)
                assert alone.shape == (1, 1, 1, 1)
                assert float(alone) == pytest.approx(float(logits[0, keypoint, y, x]), rel=1e-4, abs=1e-6)


def test_contrast_is_normalised_whatever_the_light():
    normalise = jain.ContrastNormalisation()
    images = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    seen = normalise(images)
    torch.testing.assert_close(normalise(7 * images + 3), seen, rtol=1e-3, atol=1e-3)
    assert float(normalise.mean(seen)[..., 6:-6, 6:-6].abs().max()) < 0.5
    assert not normalise(torch.full((1, 3, 20, 20), 5.0)).abs().gt(0.1).any()


def test_the_published_size():
    network = jain.part_detectors(14, tree(LSP))
    assert parameters(network.detectors[0]) == 1_386_381
    assert parameters(network) == 14 * 1_386_381
    window = 60**2 * 16 * 75 + 26**2 * 32 * 400 + 9**2 * 32 * 800 + 32 * 81 * 500 + 500 * 100 + 100
    assert macs(jain.PartDetectors(1, []).detectors[0], (64, 64)) == window


def test_the_tree_spans_the_skeleton_from_the_head():
    for skeleton in (LSP, MPII):
        edges = tree(skeleton)
        assert sorted(child for _, child in edges) == sorted({*range(len(skeleton))} - {skeleton.index("head_top")})
        limbs = {frozenset(limb) for limb in skeleton.limb_indices.tolist()}
        assert all(frozenset(edge) in limbs for edge in edges)
        seen = {skeleton.index("head_top")}
        for parent, child in edges:
            assert parent in seen
            seen.add(child)


def test_an_even_prior_changes_nothing_but_the_floor():
    maps = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(jain.SpatialPrior([(0, 1), (1, 2)], reach=10)(maps), maps)


def test_a_counted_prior_chooses_the_candidate_where_the_limb_puts_it():
    steps = np.array([[40.0, 20.0], [44.0, 20.0], [40.0, 24.0], [40.0, 20.0], [np.nan, 3.0]])
    keypoints = np.stack([np.full((5, 2), 100.0), 100 + steps], 1)
    network = jain.SpatialPrior([(0, 1)], reach=15)
    network.prior.copy_(jain.counted(keypoints, [(0, 1)], reach=15))
    likeliest = np.unravel_index(network.prior[0].numpy().argmax(), (31, 31))
    assert likeliest == (15 - 5, 15 - 10)  # back from (40, 20) px, which are 10 columns and 5 rows
    assert float(network.prior.sum()) == pytest.approx(1)
    maps = torch.full((1, 2, 20, 30), 0.01)
    maps[0, 0, 8, 6] = 0.9
    maps[0, 1, 13, 16], maps[0, 1, 3, 20] = 0.4, 0.8
    answer = network(maps)
    assert torch.equal(answer[0, 0], maps[0, 0])
    assert np.unravel_index(answer[0, 1].numpy().argmax(), (20, 30)) == (13, 16)
    assert float(answer[0, 1].max()) == pytest.approx(0.4, rel=0.05)


def test_a_limb_that_nobody_has_is_left_even():
    assert torch.equal(jain.counted(np.full((3, 2, 2), np.nan), [(0, 1)], reach=2), torch.ones(1, 5, 5))


def test_training_begins_with_the_prior_of_its_people(tmp_path):
    scenes = each_person(world(8, seed=2, size=(160, 160), skeleton=LSP, people=(1, 1)))
    counted = prior((64, 64), scenes)["spatial.prior"]
    assert counted.shape == (13, 31, 31)
    assert torch.isfinite(counted).all()
    limb = tree(LSP).index((LSP.index("left_hip"), LSP.index("left_knee")))
    steps = torch.arange(-15, 16)
    assert float((counted[limb].sum(1) * steps).sum()) < -0.5  # the hip is above the knee
    assert abs(float((counted[limb].sum(0) * steps).sum())) < 2
    recipe = replace(
        jain_lsp,
        read=lambda *_: scenes,
        network=narrow,
        codec=replace(jain_lsp.codec, size=(64, 64)),
        apart=Apart(counted=partial(prior, (64, 64))),
        phases=(Phase(1, 1e-3),),
        batch=4,
    )
    checkpoint = training.train(
        recipe, ".", tmp_path, machine=training.Machine(device="cpu", precision="fp32", workers=0, threads=1)
    )
    state = torch.load(checkpoint, weights_only=True)["network"]
    assert torch.equal(state["spatial.prior"], counted)


def test_what_is_exported_says_the_same(tmp_path):
    """`onnx` compares the file with torch and raises ExportError where they differ."""
    onnx(narrow().eval(), replace(jain_lsp.codec, size=(64, 64)), {}, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").stat().st_size > 1000
