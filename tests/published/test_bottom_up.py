"""Networks that look at whole pictures, against the authors' own: the same weights and picture, the same answer."""

from functools import partial
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch

from posewright.models import associative_embedding, higher_hrnet, lightweight_openpose, openpose
from posewright.models.count import macs, parameters
from posewright.models.load import load_into, load_original
from posewright.models.report import renamed


class Published(NamedTuple):
    """A vector's network: how ours is built, its size, and the size (width, height) px that its products are of."""

    paper: ModuleType
    build: partial
    parameters: int
    macs: int
    size: tuple[int, int]


NETWORKS = {
    "ae_hourglass": Published(
        associative_embedding, partial(associative_embedding.associative_embedding), 138_893_840, 55_552_507_904, (256, 256)
    ),
    "higher_hrnet_w32": Published(
        higher_hrnet, partial(higher_hrnet.higher_hrnet_w32), 28_645_331, 46_203_404_288, (512, 512)
    ),
    "openpose_coco": Published(openpose, partial(openpose.openpose_coco), 52_311_446, 33_983_501_696, (184, 184)),
    "lightweight_openpose": Published(
        lightweight_openpose, partial(lightweight_openpose.lightweight_openpose), 4_091_698, 4_298_113_024, (256, 256)
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
        assert not (report.missing or report.unused or report.misfits)
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


def test_higher_hrnet_puts_its_answers_together_as_the_authors_do(reference):
    vector = reference("higher_hrnet_aggregate")
    coarse, fine = (torch.from_numpy(vector[f"input_w32_noproject_x1_{one}"].astype(np.float32)) for one in ("a0", "a1"))
    network = higher_hrnet.HigherHRNet.__new__(higher_hrnet.HigherHRNet)
    torch.nn.Module.__init__(network)
    network.keypoints = 17
    straight = network.aggregated(coarse, fine)
    flipped = network.aggregated(*(torch.from_numpy(vector[f"input_w32_noproject_x1_{one}"].astype(np.float32)) for one in ("f0", "f1")))
    print(straight, flipped)


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
