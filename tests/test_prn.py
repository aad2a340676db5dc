"""The pose residual network, in the thesis's form and in the released one."""

import io
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

from posewright.models import prn  # noqa: E402

KEYPOINTS = 5


@pytest.mark.parametrize("build", [
    lambda: prn.prn(KEYPOINTS, 8), lambda: prn.prn_two_layers(KEYPOINTS, 8), lambda: prn.ReleasedPRN(KEYPOINTS, 8),
], ids=["thesis", "two layers", "released"])  # fmt: skip
def test_an_exported_prn_says_the_same(build):
    network = build().eval()
    file, cells = io.BytesIO(), torch.rand(3, KEYPOINTS, 56, 36, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Flat(network).eval(), (cells[:2],), file, dynamo=False, opset_version=17,
                          input_names=["cells"], dynamic_axes={"cells": {0: "batch"}})  # fmt: skip
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        wanted = network(cells)[-1].maps
    np.testing.assert_allclose(session.run(None, {"cells": cells.numpy()})[0], wanted, rtol=1e-5, atol=1e-9)
    operators = {node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node}
    assert operators <= {"Transpose", "Flatten", "Gemm", "Relu", "Add", "Reshape", "Softmax", "Constant"}


class Flat(nn.Module):
    """Answer with an array alone, which is what a graph can say."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, cells):
        return self.network(cells)[-1].maps


def test_a_prns_maps_are_shares_of_a_keypoint_or_of_the_whole_box():
    cells = torch.rand(2, KEYPOINTS, 56, 36)
    with torch.inference_mode():
        thesis, released = (
            network.eval()(cells)[-1].maps for network in (prn.prn(KEYPOINTS, 8), prn.ReleasedPRN(KEYPOINTS, 8))
        )
    np.testing.assert_allclose(thesis.sum((-2, -1)), 1, rtol=1e-5)
    np.testing.assert_allclose(released.sum((-3, -2, -1)), 1, rtol=1e-5)


def test_a_prn_adds_to_what_it_is_shown_unless_told_not_to():
    """With weights of 0 the answer is what was shown, or knows nothing."""
    cells = torch.rand(1, KEYPOINTS, 56, 36)
    for network, wanted in (
        (prn.prn(KEYPOINTS, 8), cells.flatten(2).softmax(-1).reshape(cells.shape)),
        (prn.prn_without_residual(KEYPOINTS, 8), torch.full(cells.shape, 1 / (56 * 36))),
        (prn.ReleasedPRN(KEYPOINTS, 8), cells.flatten().softmax(-1).reshape(cells.shape)),
    ):
        for value in network.parameters():
            nn.init.zeros_(value)
        with torch.inference_mode():
            np.testing.assert_allclose(network(cells)[-1].maps, wanted, rtol=1e-5)


def test_a_prn_of_fewer_nodes_or_without_dropout_is_of_table_2_3():
    assert isinstance(prn.prn_plain().hidden[2], nn.Dropout)
    assert prn.prn_plain(KEYPOINTS).hidden[2].p == 0
    assert prn.prn(KEYPOINTS).hidden[2].p == 0.5
    assert [layer.out_features for layer in prn.prn_two_layers(KEYPOINTS).hidden if isinstance(layer, nn.Linear)] == [
        512,
        512,
    ]
    assert not prn.prn_two_layers(KEYPOINTS, 8).residual
