"""Export of a pose residual network: one ONNX file, its first layer folded, and the others in 8 bits if asked for."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from posewright.codecs.bottom_up.residual_grouping import GRID, blur, blurred
from posewright.estimators.runtimes.residual import PROPERTY, cells_of, load
from posewright.files import whole
from posewright.models.prn import PRN
from posewright.train.export.graph import OPSET, ExportError

ALLOWED = {False: 1e-5, True: 0.05}
"""How far the file may be from torch, as a share of the largest answer; True: in whole numbers."""


class Folded(nn.Module):
    """Answer as a PRN does: `cells` (P, M) of peaks, counted through K x 56 x 36; `shown` (P, K, 56, 36) blurred."""

    def __init__(self, network: PRN) -> None:
        super().__init__()
        first: Any = network.hidden[0]
        self.network, self.table = network, nn.Parameter(table(first, network.keypoints))
        self.bias, self.rest = first.bias, network.hidden[1:]

    def forward(self, cells: Tensor, shown: Tensor) -> Tensor:
        """Return maps (P, K, 56, 36)."""
        hidden = self.rest(self.table[cells].sum(1) + self.bias)
        return self.network.told(self.network.out(hidden), shown.permute(0, 2, 3, 1).flatten(1))


@torch.no_grad()
def table(first: nn.Linear, keypoints: int) -> Tensor:
    """Return what a peak in each cell adds to the nodes (K h w + 1, nodes); the last row, for no peak, adds nothing."""
    weight = first.weight.reshape(first.out_features, GRID[1], GRID[0], keypoints)
    down, across = (torch.from_numpy(np.array(blur(side, 1))) for side in (GRID[1], GRID[0]))
    rows = torch.einsum("nrck,ry,cx->kyxn", weight, down, across).reshape(-1, first.out_features)
    return torch.cat([rows, torch.zeros(1, first.out_features)])


def export_prn(network: PRN, keypoints: tuple[str, ...], out: Path, int8: bool = False) -> float:
    """Write a network as an ONNX file; returns how far it is from torch, as a share of the largest answer.

    int8: all layers but the first in 8 bits a weight. Raises ExportError where the file says something else than torch.
    """
    network.eval()
    marks = _trial(network.keypoints)
    given = torch.from_numpy(cells_of(marks)), torch.from_numpy(blurred(marks))
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Folded(network).eval(), given, file, dynamo=False, opset_version=OPSET, input_names=["cells", "shown"],
            dynamic_axes={"cells": {0: "boxes", 1: "peaks"}, "shown": {0: "boxes"}},
        )  # fmt: skip
    model = onnx.load_from_string(file.getvalue())
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        if int8:
            plain, small = Path(folder) / "plain.onnx", Path(folder) / "small.onnx"
            onnx.save(model, str(plain))
            quantize_dynamic(plain, small, ["MatMul", "Gemm"], per_channel=True, weight_type=QuantType.QInt8)
            model = onnx.load(str(small))
        said = json.dumps({"keypoints": list(keypoints), "nodes": network.hidden[0].out_features, "int8": int8})
        onnx.helper.set_model_props(model, {PROPERTY: said})
        trial = Path(folder) / "trial.onnx"
        onnx.save(model, str(trial))
        with torch.inference_mode():
            wanted = network(given[1])[-1].maps.numpy()
        drift = float(np.abs(load(trial, network.keypoints).respond(marks) - wanted).max() / wanted.max())
        if not drift <= ALLOWED[int8]:
            raise ExportError(f"{out}: says something else than torch, by {drift:.2g} of the largest answer")
        with whole(out) as partial:
            partial.write_bytes(trial.read_bytes())
    return drift


def _trial(keypoints: int) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
    """Draw peaks in eight boxes, the first empty."""
    rng = np.random.default_rng(0)
    marks = np.full((8, keypoints, GRID[1], GRID[0]), -1)
    for box in range(1, 8):
        for k in range(keypoints):
            marks[box, k, rng.integers(0, GRID[1], box), rng.integers(0, GRID[0], box)] = 0
    return marks
