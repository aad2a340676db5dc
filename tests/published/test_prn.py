"""The pose residual network against the authors' own."""

import numpy as np
import torch

from posewright.models import prn
from posewright.models.report import renamed


def test_answers_as_the_authors(reference, filled, waves):
    """Theirs takes and gives the keypoints of a cell side by side."""
    vector = reference("prn")
    network = prn.prn_released().eval()
    network.load_state_dict({renamed(key, prn.RENAMES): value for key, value in filled(vector).items()})
    seeds = range(int(vector["input_seed"]), int(vector["input_seed"]) + int(vector["input_batch"]))
    cells = torch.from_numpy(np.concatenate([waves(seed, *vector["input_size"], 17) for seed in seeds]))
    with torch.inference_mode():
        said = {"output": network(cells)[-1].maps.permute(0, 2, 3, 1), "output_logits": network.logits(cells)}
    for name, values in said.items():
        assert values.shape == tuple(vector[f"{name}_shape"])
        expected = vector[f"{name}_sample"]
        error = np.abs(values.numpy().ravel()[vector[f"{name}_index"]] - expected).max()
        assert error < 3e-6 * np.abs(expected).max()


def test_renames_leave_our_own_names_alone():
    with torch.device("meta"):
        keys = list(prn.prn_released().state_dict())
    assert [renamed(key, prn.RENAMES) for key in keys] == keys
