"""FastPose against the authors' own: the same weights and input give the same maps, and it is as large."""

import numpy as np
import pytest
import torch

from posewright.models import fastpose
from posewright.models.count import macs, parameters
from posewright.models.load import load_into
from posewright.models.report import renamed


def test_answers_as_the_original(reference, filled, waves):
    vector = reference("fastpose")
    model = fastpose.fastpose_r50().eval()
    report = load_into(model, filled(vector), fastpose.RENAMES, size=(64, 64))
    assert not report.missing
    assert not report.unused
    with torch.inference_mode():
        (stage,) = model(torch.from_numpy(waves(int(vector["input_seed"]), *vector["input_size"])))
    expected = vector["output_heatmaps_sample"]
    assert stage.maps.shape == tuple(vector["output_heatmaps_shape"])
    error = np.abs(stage.maps.numpy().ravel()[vector["output_heatmaps_index"]] - expected).max()
    assert error < 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize(("network", "count", "products"), [
    (fastpose.fastpose_r50, 40_577_745, 5_886_967_808),
    (fastpose.fastpose_r101, 59_569_873, 9_523_429_376),
    (fastpose.fastpose_r152, 75_213_521, 13_159_890_944),
])  # fmt: skip
def test_is_as_large_as_the_original(network, count, products):
    """The first line is the vector's; the others follow from the same parts."""
    with torch.device("meta"):
        model = network()
        assert (parameters(model), macs(model, (192, 256))) == (count, products)


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        keys = list(fastpose.fastpose_r50().state_dict())
    assert [renamed(key, fastpose.RENAMES) for key in keys] == keys


def test_weights_of_a_plain_resnet_start_the_trunk():
    """ImageNet's have no squeezed weights, which stay as they are drawn."""
    from posewright.models import resnet

    with torch.device("meta"):
        theirs = list(resnet.resnet50().state_dict())
        ours = fastpose.fastpose_r50().state_dict()
    found = {renamed(key, fastpose.RENAMES) for key in theirs}
    assert found <= ours.keys()
    trunk = {key for key in ours if key.startswith("backbone.")}
    assert all(".third.2.weigh." in key for key in trunk - found)
