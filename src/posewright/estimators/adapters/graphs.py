"""Graphs: a network of others by its file, ONNX or TFLite, run as arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.estimators.runtimes.network import free_cores

Array = NDArray[Any]


class Graph(NamedTuple):
    """Hold a network of one input: run gives its outputs, in their order, for an input (1, H, W, 3).

    shape: the input's, None where a side may have any length; kind: of its numbers; outputs: how many numbers each
    output has along its axes; package: what runs it.
    """

    run: Callable[[Array], list[Array]]
    shape: tuple[int | None, ...]
    kind: np.dtype[Any]
    outputs: list[tuple[int | None, ...]]
    package: str


def load(file: str | Path) -> Graph:
    """Load a network from an .onnx or a .tflite file.

    Raises FileNotFoundError where there is no such file, ImportError where what runs a .tflite is not installed,
    ValueError for a file of another ending, or one that is no such network.
    """
    path = Path(file)
    if path.suffix.lower() not in (".onnx", ".tflite"):
        raise ValueError(f"{file}: name a network as .onnx or .tflite")
    if not path.is_file():
        raise FileNotFoundError(f"{file}: no such file; name a network as .onnx or .tflite")
    graph = _onnx(path) if path.suffix.lower() == ".onnx" else _tflite(path)
    if len(graph.shape) != 4 or graph.shape[3] != 3:
        raise ValueError(f"{file}: takes {list(graph.shape)}, not one picture (1, height, width, 3)")
    return graph


def _onnx(path: Path) -> Graph:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = free_cores(), 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ValueError(f"{path}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from None
    (one, *_), given = session.get_inputs(), session.get_outputs()
    kind = np.dtype({"tensor(int32)": np.int32, "tensor(uint8)": np.uint8}.get(one.type, np.float32))
    return Graph(
        lambda array: [np.asarray(out) for out in session.run(None, {one.name: array})],
        _shape(one.shape), kind, [_shape(out.shape) for out in given], "onnxruntime",
    )  # fmt: skip


def _tflite(path: Path) -> Graph:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ImportError(f"{path}: ai-edge-litert is not installed: pip install ai-edge-litert") from error
    try:
        interpreter = Interpreter(model_path=str(path), num_threads=free_cores())
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{path}: LiteRT refuses it: {str(error).splitlines()[0]}") from None
    (one, *_), given = interpreter.get_input_details(), interpreter.get_output_details()

    def run(array: Array) -> list[Array]:
        if tuple(interpreter.get_input_details()[0]["shape"]) != array.shape:
            interpreter.resize_tensor_input(one["index"], array.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(one["index"], array)
        interpreter.invoke()
        return [np.array(interpreter.get_tensor(out["index"])) for out in given]

    shapes = [_shape(out.get("shape_signature", out["shape"])) for out in (one, *given)]
    return Graph(run, shapes[0], np.dtype(one["dtype"]), shapes[1:], "ai-edge-litert")


def _shape(sides: Any) -> tuple[int | None, ...]:
    """Return the lengths of axes, None where the file leaves one open."""
    return tuple(int(side) if isinstance(side, int | np.integer) and side > 0 else None for side in sides)
