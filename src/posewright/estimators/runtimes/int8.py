"""int8: an exported network with weights and activations of 8 bits, by ONNX Runtime's static quantisation.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018:
a real number is scale x (whole number - zero point). The file keeps floats between pairs of QuantizeLinear and
DequantizeLinear, which ONNX Runtime and OpenVINO both turn into whole numbers. BatchNorms are folded into convolutions
first; a weight has a scale for each channel that leaves, an activation one of all values that calibration saw, 0 among
them. What looks at the pixels first and what answers stays in single precision, and so does all behind that.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from posewright.estimators.runtimes.graph import WEIGHT
from posewright.estimators.runtimes.metadata import ModelFileError
from posewright.estimators.runtimes.onnx import ERRORS_ONLY
from posewright.picture import Pixels

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul")
BETWEEN = ("Add", "Clip", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Concat")
"""What is done in whole numbers between multiplications, so that nothing turns back to floats there."""
METHOD = (
    "static, QDQ: weights int8 by channel, activations uint8 from least to largest; the first and the last layers fp32"
)
DONE = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells ONNX Runtime that BatchNorms are folded already, which it would else remind of."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hand crops (H, W, 3) to the calibration one by one."""

    def __init__(self, crops: Iterable[Pixels]) -> None:
        self.crops = iter(crops)

    def get_next(self) -> dict[str, Pixels] | None:
        crop = next(self.crops, None)
        return None if crop is None else {"pixels": crop[None]}


def quantised(source: Path, crops: Iterable[Pixels]) -> onnx.ModelProto:
    """Return an exported network in int8, its ranges those that crops (H, W, 3) of the codec's size call for.

    Raises ModelFileError where it is told something beside the pixels, or has no layer between the first and the last.
    """
    with tempfile.TemporaryDirectory() as folder:
        fused, small = Path(folder) / "fused.onnx", Path(folder) / "small.onnx"
        model = _fused(source, fused)
        given = [one.name for one in model.graph.input]
        if given != ["pixels"]:
            raise ModelFileError(f"{source}: is told more than pixels, {', '.join(given[1:])}, which int8 is not for")
        kept = kept_single(model)
        if all(node.name in kept for node in model.graph.node if node.op_type in MULTIPLYING):
            raise ModelFileError(f"{source}: has no layer between its first and its last, so nothing would be in int8")
        quantize_static(
            fused, small, _Reader(crops), quant_format=QuantFormat.QDQ, op_types_to_quantize=[*MULTIPLYING, *BETWEEN],
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(kept), calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        return _tidied(onnx.load(str(small)))


def kept_single(model: onnx.ModelProto) -> set[str]:
    """Name the nodes that stay in single precision: the first and last that multiply, all before and all behind.

    A network with an answer at each of several stages has a last layer at each.
    """
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            users[name].append(node)
    answers = {one.name for one in graph.output}
    before: dict[str, bool] = {}
    outside: dict[str, bool] = {}
    bare: dict[str, bool] = {}
    for node in graph.node:  # in the order in which they are computed
        above = [maker[name] for name in node.input if name in maker]
        before[node.name] = any(before[one.name] or one.op_type in MULTIPLYING for one in above)
    for node in reversed(graph.node):
        below = [one for name in node.output for one in users[name]]
        plain = [one for one in below if one.op_type not in MULTIPLYING]
        bare[node.name] = any(name in answers for name in node.output) or any(bare[one.name] for one in plain)
        outside[node.name] = len(plain) == len(below) and all(outside[one.name] for one in plain)
    return {
        node.name
        for node in graph.node
        if not before[node.name] or (bare if node.op_type in MULTIPLYING else outside)[node.name]
    }


def hash_of(model: onnx.ModelProto) -> str:
    """Return the sha256 of what a graph stores, names and bytes in the names' order, as `graph.graph_of` checks it."""
    digest = hashlib.sha256()
    for name, one in sorted((one.name.removeprefix(WEIGHT), one) for one in model.graph.initializer):
        digest.update(name.encode())
        digest.update(one.raw_data)
    return digest.hexdigest()


def names_of(model: onnx.ModelProto) -> Iterator[str]:
    """Name what a graph stores, without the beginning that all names have."""
    return (one.name.removeprefix(WEIGHT) for one in model.graph.initializer)


def _fused(source: Path, path: Path) -> onnx.ModelProto:
    """Fold what is constant and BatchNorms into what stands before them; also written to a path."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = ERRORS_ONLY
    try:
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelFileError(f"{source}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from None
    model = onnx.load(str(path))
    for place, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}.{place}"
    onnx.helper.set_model_props(model, DONE)
    onnx.save(model, str(path))
    return model


def _tidied(model: onnx.ModelProto) -> onnx.ModelProto:
    """Let names of all that is stored begin alike, and its bytes lie where `graph.graph_of` looks for them."""
    graph = model.graph
    renamed = {one.name: WEIGHT + one.name.removeprefix(WEIGHT) for one in graph.initializer}
    for one in graph.initializer:
        array: NDArray[Any] = onnx.numpy_helper.to_array(one)
        one.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(array), renamed[one.name]))
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.doc_string = ""
    del graph.value_info[:]
    used = {node.domain for node in graph.node}
    kept = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    graph.name, graph.doc_string, model.doc_string = "posewright", "", ""
    return model
