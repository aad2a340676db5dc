"""Graph: a torch network as one ONNX file that is both what a runtime loads and where fine-tuning starts.

Nothing is folded: every weight keeps its name in the state dict, BatchNorms stay BatchNorms, and a runtime
does the folding when it loads. Traced by torch's TorchScript exporter: it is the one that torch 2.4 to
2.13 share, it needs no more than `onnx`, and it writes no paths and no stack traces.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto
from torch import Tensor, nn

from posewright.models.pixels import FromPixels
from posewright.warp import Size

OPSET = 17
"""The operators' version: what ONNX Runtime 1.17 and OpenVINO 2024.1 know."""

WEIGHT = "network."
"""Begins the name of every weight that the state dict has."""


class ExportError(RuntimeError):
    """A network that cannot be exported, or whose exported file does not say what the network says."""


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and every part of it back into its own afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


class _Flat(nn.Module):
    """Answer with the arrays of all stages in a row, which is what a graph can say."""

    def __init__(self, module: FromPixels) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        return tuple(array for stage in self.module(pixels, *given) for array in stage if array is not None)


def graph_of(module: FromPixels, size: Size) -> ModelProto:
    """Trace a network in evaluation mode at a crop's size; the batch is free. Raises ExportError where that fails.

    Input `pixels` (B, H, W, 3) uint8, and what else the network is given; outputs are named "<stage>.<class>.<field>".
    """
    place = module.mean.device
    example = torch.zeros(2, size[1], size[0], 3, dtype=torch.uint8, device=place)
    given = tuple(torch.zeros(2, *shape, device=place) for shape in module.given.values())
    inputs = ["pixels", *module.given]
    with torch.no_grad():
        stages = module(example, *given)
    outputs = [
        f"{number}.{type(stage).__name__}.{name}"
        for number, stage in enumerate(stages)
        for name, array in zip(stage._fields, stage, strict=True)
        if array is not None
    ]
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own age, and each shape that is fixed
        try:
            torch.onnx.export(
                _Flat(module).eval(), (example, *given), file, dynamo=False, opset_version=OPSET,
                do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE, input_names=inputs,
                output_names=outputs, dynamic_axes={name: {0: "batch"} for name in [*inputs, *outputs]},
            )  # fmt: skip
        except (RuntimeError, TypeError) as error:
            raise ExportError(f"torch cannot export this network: {str(error).splitlines()[0]}") from error
    return _signed(_tidied(onnx.load_from_string(file.getvalue())), module)


def _tidied(model: ModelProto) -> ModelProto:
    """Give every weight its own array and its name in the state dict, and drop what only tells of the tracing.

    The exporter keeps one of several equal weights, and an Identity for each of the others.
    """
    graph = model.graph
    stored: dict[str, TensorProto] = {one.name: one for one in graph.initializer}
    copies = [node for node in graph.node if node.op_type == "Identity" and node.input[0] in stored]
    for node in copies:
        copy = graph.initializer.add()
        copy.CopyFrom(stored[node.input[0]])
        copy.name = node.output[0]
        graph.node.remove(node)
    renamed = {one.name: one.name.removeprefix("module.") for one in graph.initializer}
    for one in graph.initializer:
        one.name = renamed[one.name]
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.doc_string = ""
    del graph.value_info[:]
    graph.name = "posewright"
    graph.doc_string = model.doc_string = ""
    return model


def _signed(model: ModelProto, module: FromPixels) -> ModelProto:
    """Give zeros their signs back, which the exporter loses where it keeps one of several equal weights."""
    state = module.network.state_dict()
    for one in model.graph.initializer:
        value = state.get(one.name.removeprefix(WEIGHT))
        if value is not None and np.array_equal(value.cpu().numpy(), stored := onnx.numpy_helper.to_array(one)):
            own = np.ascontiguousarray(value.cpu().numpy())
            if own.tobytes() != stored.tobytes():
                one.CopyFrom(onnx.numpy_helper.from_array(own, one.name))
    return model


def halved(model: ModelProto) -> ModelProto:
    """Store weights of two axes and more in half precision, each with a cast behind it that runtimes fold.

    Their numbers must be those of `rounded`, so that nothing is lost here.
    """
    graph = model.graph
    for one in graph.initializer:
        if one.name.startswith(WEIGHT) and one.data_type == TensorProto.FLOAT and len(one.dims) > 1:
            array = onnx.numpy_helper.to_array(one).astype(np.float16)
            for node in graph.node:
                node.input[:] = [f"{name}.single" if name == one.name else name for name in node.input]
            cast = onnx.helper.make_node("Cast", [one.name], [f"{one.name}.single"], to=TensorProto.FLOAT)
            graph.node.insert(0, cast)
            one.CopyFrom(onnx.numpy_helper.from_array(array, one.name))
    return model


@torch.no_grad()
def rounded(module: FromPixels) -> FromPixels:
    """Return a copy of a network whose weights of two axes and more are numbers of half precision."""
    copied = copy.deepcopy(module)
    for value in copied.parameters():
        if value.dim() > 1:
            value.copy_(value.half().float())
    return copied


def state_of(module: FromPixels, model: ModelProto) -> dict[str, Any]:
    """List the state dict in its order: None for a weight that lies in the graph, else its type, shape and bytes."""
    stored = {one.name for one in model.graph.initializer}
    return {
        name: None if WEIGHT + name in stored else _bytes(value.cpu().numpy())
        for name, value in module.network.state_dict().items()
    }


def _bytes(array: np.ndarray) -> tuple[str, tuple[int, ...], str]:
    return array.dtype.str, array.shape, base64.b64encode(array.tobytes()).decode()


def hash_of(state: dict[str, Tensor]) -> str:
    """Return the sha256 of a state dict: of its names and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
