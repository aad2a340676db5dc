"""Networks against the original authors' own: the same weights and input must give the same answer.

A vector names the original's parameters and their shapes. The weights themselves are drawn from each
parameter's name, so that they need not be stored.
"""

import json
import re

import numpy as np
import pytest
import torch

from posewright.models import hrnet, simple_baseline
from posewright.models.count import macs, parameters

NETWORKS = {
    "simple_baseline_r50": (simple_baseline.simple_baseline_r50, simple_baseline.RENAMES),
    "hrnet_w32": (hrnet.hrnet_w32, hrnet.RENAMES),
}
# parameters; multiply-accumulates of a picture of 192x256 (width, height)
SIZES = {
    simple_baseline.simple_baseline_r50: (33_999_697, 5_426_380_800),
    simple_baseline.simple_baseline_r101: (52_991_825, 9_062_842_368),
    simple_baseline.simple_baseline_r152: (68_635_473, 12_699_303_936),
    hrnet.hrnet_w32: (28_536_113, 7_645_003_776),
    hrnet.hrnet_w48: (63_595_745, 15_691_825_152),
}


def renamed(key: str, renames: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_as_the_original(name, reference, filled, waves):
    network, renames = NETWORKS[name]
    vector = reference(name)
    model = network().eval()
    model.load_state_dict({renamed(key, renames): value for key, value in filled(vector).items()})
    with torch.inference_mode():
        stages = model(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"])))
    assert len(stages) == 1
    answer = stages[-1].maps.numpy()
    assert answer.shape == tuple(vector["output_heatmaps_shape"])
    expected = vector["output_heatmaps_sample"]
    error = np.abs(answer.ravel()[vector["output_heatmaps_index"]] - expected).max()
    assert error < 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize("network", SIZES, ids=lambda network: network.__name__)
def test_is_as_large_as_published(network):
    model = network()
    assert (parameters(model), macs(model, (192, 256))) == SIZES[network]


@pytest.mark.parametrize(("network", "size", "gflops"), [
    (hrnet.hrnet_w32, (192, 256), 7.10),
    (hrnet.hrnet_w48, (192, 256), 14.6),
    (hrnet.hrnet_w48, (288, 384), 32.9),
])  # fmt: skip
def test_computes_as_much_as_the_paper_says(network, size, gflops):
    assert macs(network(), size) / 2**30 == pytest.approx(gflops, rel=0.005)


def test_w48_is_w32_with_wider_branches(reference):
    vector = reference("hrnet_w32")
    count = 0
    for name, shape in zip(*(json.loads(str(vector[key])) for key in ("names", "shapes")), strict=True):
        if name.split(".")[-1] in ("weight", "bias"):
            count += np.prod([_widened(name, axis, width) for axis, width in enumerate(shape)], dtype=int)
    assert parameters(hrnet.hrnet_w48()) == count


def _widened(name: str, axis: int, width: int) -> int:
    """Scale a width of HRNet-W32 to W48 where it belongs to a branch."""
    fixed = re.match(r"conv|bn|layer1", name) or (name.startswith("transition1") and axis == 1)
    joints = name.startswith("final_layer") and axis == 0
    return width if fixed or joints or width < 32 else width * 48 // 32


@pytest.mark.parametrize("name", NETWORKS)
def test_renames_leave_our_own_names_alone(name):
    network, renames = NETWORKS[name]
    with torch.device("meta"):
        keys = list(network().state_dict())
    assert [renamed(key, renames) for key in keys] == keys


@pytest.mark.parametrize("keypoints", [14, 16])
def test_maps_follow_the_skeleton_and_the_picture(keypoints):
    model = hrnet.hrnet_w32(keypoints).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 64, 96))[-1].maps.shape == (2, keypoints, 16, 24)


def test_counting_leaves_the_network_as_it_was():
    model = simple_baseline.simple_baseline_r50()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    macs(model, (64, 64))
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
