"""Networks that look at whole pictures, against the authors' own: the same weights and picture, the same answer."""

import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from posewright.models import (
    associative_embedding,
    deepercut,
    higher_hrnet,
    lightweight_openpose,
    multiposenet,
    multiposenet_community,
    openpose,
    prn,
    simplepose,
)
from posewright.models.count import macs, parameters
from posewright.models.load import load_into, load_original
from posewright.models.pixels import Normal
from posewright.models.report import renamed

TWICE = 3 * (256 + 50) * 256 * 128**2
"""Products of SimplePose that the authors' code forms a second time: what the next stack's input and its finest scale
are both told."""


class Published(NamedTuple):
    """A vector's network: how ours is built, its size, and the size (width, height) px that its products are of."""

    paper: ModuleType
    build: Callable[[], torch.nn.Module]
    parameters: int
    macs: int
    size: tuple[int, int]


NETWORKS = {
    "ae_hourglass": Published(
        associative_embedding, associative_embedding.associative_embedding, 138_893_840, 55_552_507_904, (256, 256)
    ),
    "higher_hrnet_w32": Published(higher_hrnet, higher_hrnet.higher_hrnet_w32, 28_645_331, 46_203_404_288, (512, 512)),
    "openpose_coco": Published(openpose, openpose.openpose_coco, 52_311_446, 33_983_501_696, (184, 184)),
    "lightweight_openpose": Published(
        lightweight_openpose, lightweight_openpose.lightweight_openpose, 4_091_698, 4_298_113_024, (256, 256)
    ),
    "simplepose": Published(simplepose, simplepose.simplepose, 128_998_760, 268_543_721_472 - TWICE, (512, 512)),
    "multiposenet_r50": Published(
        multiposenet_community,
        multiposenet_community.multiposenet_community_r50,
        113_332_651,
        84_386_322_432,
        (480, 480),
    ),
}


def gained(vector, filled):
    """The original's state dict; every weight of two and more dimensions times the vector's gain, if it has one."""
    gain = np.float32(vector.get("input_gain", 1))
    return {name: value * gain if value.dim() > 1 else value for name, value in filled(vector).items()}


@pytest.fixture
def answers(reference, filled, waves):
    """Ask our network, with the original's weights, about the vector's picture: its stages, and the vector."""

    def ask(name):
        vector = reference(name)
        network = NETWORKS[name].build().eval()
        report = load_into(network, gained(vector, filled), NETWORKS[name].paper.RENAMES, size=(64, 64))
        assert report.missing == report.unused == ()
        with torch.inference_mode():
            return network(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"]))), vector

    return ask


def compare(answer, vector, name):
    expected = vector[f"output_{name}_sample"]
    assert answer.shape == tuple(vector[f"output_{name}_shape"])
    error = np.abs(answer.numpy().ravel()[vector[f"output_{name}_index"]] - expected).max()
    assert error < 3e-6 * np.abs(expected).max(), name


def test_associative_embedding_answers_as_the_original_at_every_stack(answers):
    """Half of the original's channels are neither learnt nor read, and so stand in no answer."""
    stages, vector = answers("ae_hourglass")
    assert len(stages) == 4
    for number, stage in enumerate(stages):
        said = torch.cat([stage.maps, stage.tags.flatten(1, 2)], 1)
        index = vector[f"output_stack{number}_index"]
        asked = index < said[0].numel()
        assert asked.sum() > 800
        expected = vector[f"output_stack{number}_sample"]
        error = np.abs(said.numpy().ravel()[index[asked]] - expected[asked]).max()
        assert error < 3e-6 * np.abs(expected).max()


def test_higher_hrnet_answers_as_the_original(answers):
    (coarse, fine, both), vector = answers("higher_hrnet_w32")
    compare(coarse.maps, vector, "0_heatmaps")
    compare(coarse.tags[:, 0], vector, "0_tags")
    compare(fine.maps, vector, "1")
    assert both.maps.shape == fine.maps.shape
    assert both.tags.shape == (1, *fine.maps.shape)


def test_higher_hrnets_answer_is_what_the_authors_group(reference):
    """Without projection: the mean of the picture's answer and its mirrored one's, and the tags of both."""
    vector = reference("higher_hrnet_aggregate")
    with torch.device("meta"):
        network = higher_hrnet.HigherHRNet(8, 17)
    answers = [
        network.aggregated(
            *(torch.from_numpy(vector[f"input_w32_noproject_x1_{way}{n}"].astype(np.float32)) for n in (0, 1))
        )
        for way in "af"
    ]
    mirror = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
    maps, tags = ([answers[0][n], answers[1][n].flip(-1)[..., mirror, :, :]] for n in (0, 1))
    found = {"heatmaps": sum(maps) / 2, "tags": torch.stack([one[:, 0] for one in tags], -1)}
    for name, values in found.items():
        assert values.shape == tuple(vector[f"output_w32_noproject_{name}_shape"])
        said = values.numpy().ravel()[vector[f"output_w32_noproject_{name}_index"]]
        np.testing.assert_allclose(said, vector[f"output_w32_noproject_{name}_sample"], rtol=0, atol=1e-6)


def test_openpose_answers_as_the_original(answers):
    """The port rectifies the last heatmaps, which the authors' model does not; the vector has both."""
    stages, vector = answers("openpose_coco")
    assert len(stages) == 6
    compare(stages[0].limbs, vector, "stage1_paf")
    compare(stages[0].maps, vector, "stage1_heatmap")
    compare(stages[2].limbs, vector, "stage3_paf")
    compare(stages[-1].limbs, vector, "paf")
    compare(stages[-1].maps, vector, "heatmap_before_relu")
    compare(stages[-1].maps.relu(), vector, "heatmap")


def test_lightweight_openpose_answers_as_the_original(answers):
    stages, vector = answers("lightweight_openpose")
    assert len(stages) == 2
    for number, stage in enumerate(stages):
        compare(stage.maps, vector, str(2 * number))
        compare(stage.limbs, vector, str(2 * number + 1))


def test_simplepose_answers_as_the_original_at_every_scale(reference, filled, waves):
    vector = reference("simplepose")
    network = simplepose.simplepose().eval()
    report = load_into(network, filled(vector), simplepose.RENAMES, size=(64, 64))
    assert report.missing == report.unused == ()
    for name in ("fill3", "fill4"):
        picture = waves(int(vector[f"input_{name}_seed"]), *vector[f"input_{name}_size"])
        with torch.inference_mode():
            stages = network(torch.from_numpy(picture))
        assert len(stages) == 20
        for number, stage in enumerate(stages):
            stack, coarseness = divmod(number, 5)
            compare(torch.cat([stage.limbs, stage.maps], 1), vector, f"{name}_stack{stack}_scale{4 - coarseness}")


def test_the_communitys_multiposenet_answers_as_the_original(reference, filled, waves):
    """Both pyramids, the levels' maps, the answer, scores and corrections, and the PRN in the same file."""
    vector = reference("multiposenet_r50")
    network = multiposenet_community.multiposenet_community_r50().eval()
    report = load_into(network, filled(vector), multiposenet_community.RENAMES, size=(64, 64))
    assert report.missing == report.unused == ()
    images = torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"]))
    cells = torch.from_numpy(waves(int(vector["input_prn_seed"]), 56, 36, 17))
    with torch.inference_mode():
        *levels, answer = network(images)
        features = network.backbone.pyramid(images)
        pyramids = network.keypoint_pyramid(features), network.box_pyramid(network.for_boxes(features))
        compare(network.prn(cells)[-1].maps.permute(0, 2, 3, 1), vector, "prn")
    for letter, first, pyramid in (("k", 2, pyramids[0]), ("p", 3, pyramids[1])):
        for number, level in enumerate(pyramid, first):
            compare(level, vector, f"{letter}{number}")
    for number, level in zip((5, 4, 3, 2), levels, strict=True):
        compare(level.maps, vector, f"intermediate_k{number}")
    assert answer.silhouettes is None
    compare(answer.maps, vector, "heatmap")
    compare(answer.scores[..., None], vector, "classification")
    compare(answer.deltas, vector, "regression")


@pytest.mark.parametrize(("build", "count"), [
    (higher_hrnet.higher_hrnet_w48, 63_827_139),
    (deepercut.deepercut_r101, 50_112_996),
    (deepercut.deepercut_r152, 65_756_644),
    (prn.prn, 70_224_352),
    (prn.prn_released, 71_273_952),
    (prn.prn_plain, 3_461_522),
    (prn.prn_without_residual, 35_129_312),
    (prn.prn_two_layers, 35_391_968),
    (multiposenet.multiposenet_r50, 42_647_751),
    (multiposenet.multiposenet_r101, 61_639_879),
    (multiposenet.multiposenet_r101_dilated, 61_639_879),
])  # fmt: skip
def test_has_as_many_parameters_as_its_layers_have(build, count):
    """HigherHRNet-W48's and the PRN's are published, 63.8 and 70.2 million; of the others no figure is known."""
    with torch.device("meta"):
        assert parameters(build()) == count


@pytest.mark.parametrize("name", NETWORKS)
def test_is_as_large_as_published(name):
    with torch.device("meta"):
        network = NETWORKS[name].build()
        assert (parameters(network), macs(network, NETWORKS[name].size)) == NETWORKS[name][2:4]


@pytest.mark.parametrize("name", NETWORKS)
def test_renames_leave_our_own_names_alone(name):
    with torch.device("meta"):
        keys = list(NETWORKS[name].build().state_dict())
    assert [renamed(key, NETWORKS[name].paper.RENAMES) for key in keys] == keys


@pytest.mark.parametrize(("name", "first", "seen"), [
    ("openpose_coco", "stem.0.weight", lambda rgb: rgb[:, ::-1] / 256 - 0.5),
    ("lightweight_openpose", "backbone.0.0.weight", lambda rgb: (rgb[:, ::-1] - 128) / 256),
])  # fmt: skip
def test_the_authors_files_see_pictures_as_they_did_for_them(name, first, seen, reference, filled, tmp_path):
    """RGB pixels here, and what the authors' code makes of them there, to their first convolution."""
    state = filled(reference(name))
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "original.pth")
    network = NETWORKS[name].build()
    report, normal = load_original(network, tmp_path / "original.pth", size=(64, 64))
    assert report.missing == report.unused == ()
    assert len(report.turned) == 1
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16)).astype(np.float64)
    theirs = next(value for value in state.values() if value.dim() == 4)
    mean, std = (np.array(values)[:, None, None] for values in normal)
    ours = conv2d(torch.from_numpy((pixels / 255 - mean) / std), network.get_parameter(first).detach().double())
    wanted = conv2d(torch.from_numpy(np.ascontiguousarray(seen(pixels))), theirs.double())
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "wrapped"), [
    ("ae_hourglass", "model.module.{}"),
    ("higher_hrnet_w32", "1.{}"),
    ("higher_hrnet_w32", "module.1.{}"),
    ("simplepose", "posenet.{}"),
])  # fmt: skip
def test_names_behind_wrappers_are_found(name, wrapped, reference):
    """As they stand in the files that the authors released."""
    renames = NETWORKS[name].paper.RENAMES
    with torch.device("meta"):
        own = set(NETWORKS[name].build().state_dict())
    found = {renamed(wrapped.format(key), renames) for key in json.loads(str(reference(name)["names"]))}
    assert found == own


def test_mmposes_names_of_higher_hrnet_are_found(reference):
    """The trunk's behind `backbone.`, all else behind `keypoint_head.` (ae_higher_resolution_head.py at cfd4d2ee)."""
    with torch.device("meta"):
        own = set(higher_hrnet.higher_hrnet_w32().state_dict())
    names = json.loads(str(reference("higher_hrnet_w32")["names"]))
    theirs = [f"{'keypoint_head' if re.match('(final|deconv)_layers', name) else 'backbone'}.{name}" for name in names]
    assert {renamed(name, higher_hrnet.RENAMES) for name in theirs} == own


def test_the_released_names_of_openpose_are_found(reference):
    """The published file and the Caffe model have no module's name before a layer's."""
    with torch.device("meta"):
        own = set(openpose.openpose_coco().state_dict())
    names = [key.partition(".")[2] for key in json.loads(str(reference("openpose_coco")["names"]))]
    assert {renamed(name, openpose.RENAMES) for name in names} == own


def test_imagenets_vgg_starts_openposes_stem():
    """torchvision's VGG-19; what the stem has no place for is named."""
    widths = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256),
              16: (256, 256), 19: (512, 256), 21: (512, 512), 23: (512, 512)}  # fmt: skip
    state = {f"features.{place}.weight": torch.full((*shape, 3, 3), 1e-3) for place, shape in widths.items()}
    state |= {f"features.{place}.bias": torch.zeros(shape[0]) for place, shape in widths.items()}
    network = openpose.openpose_coco()
    report, normal = load_original(network, state, partial=True, size=(64, 64))
    assert report.unused == ("features.23.weight", "features.23.bias")
    assert len(report.matched) == 20
    assert normal == Normal()
    assert torch.equal(network.stem[21].weight, state["features.21.weight"])
