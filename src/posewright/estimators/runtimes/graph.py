"""The graph of an exported file, as far as it is checked before anything runs: inputs, outputs, and the weights' hash.

Field numbers are those of onnx.proto: ModelProto.graph 7; GraphProto.initializer 5, input 11, output 12; ValueInfoProto
name 1, type 2, in it tensor_type 1 with elem_type 1, shape 2, dim 1, dim_value 1; TensorProto data_type 2, name 8,
float_data 4, int64_data 7, raw_data 9.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from posewright.estimators.runtimes.metadata import ModelFileError
from posewright.estimators.runtimes.protobuf import Span, numbers, spans, varint, walked

BYTES = 2
"""TensorProto's code of uint8."""
HALF = 10
"""TensorProto's code of float16."""
WEIGHT = "network."
"""Begins the names of the weights in the graph."""
Shape = tuple[int, ...]
"""Lengths of the axes, 0 for one that is free, as that of the batch."""


class Value(NamedTuple):
    """Say of an input or output what kind of number it holds, by TensorProto's code, and its shape."""

    kind: int
    shape: Shape


class Graph(NamedTuple):
    """Say what goes into a graph and comes out, by name; the hash is that of the whole file."""

    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    sha256: str


def graph_of(path: Path, weights: str, state: Mapping[str, Any]) -> Graph:
    """Read a file's graph; state: the network's state dict as the file lists it, None for what lies in the graph.

    Raises ModelFileError where the file holds no graph, or its weights have another hash than `weights`.
    """
    data = path.read_bytes()
    file = io.BytesIO(data)
    try:
        graph = _one(file, (0, len(data)), 7)
        fields = list(spans(file, *graph))
        inputs = dict(_value(file, (a, b)) for number, a, b in fields if number == 11)
        outputs = dict(_value(file, (a, b)) for number, a, b in fields if number == 12)
        stored = dict(_named(file, (a, b)) for number, a, b in fields if number == 5)
        found = _hash(data, stored, state)
    except (EOFError, UnicodeDecodeError, struct.error):
        raise ModelFileError(f"{path}: no ONNX file, or one that ends too early") from None
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ModelFileError(f"{path}: its weights are not those that its metadata name") from None
    if found != weights:
        raise ModelFileError(f"{path}: its weights are not those that its metadata name: their hash is {found[:16]}...")
    return Graph(inputs, outputs, hashlib.sha256(data).hexdigest())


def _hash(data: bytes, stored: Mapping[str, Span], state: Mapping[str, Any]) -> str:
    """Return the sha256 of a state dict as `train.export.graph.hash_of` does: names and bytes, in the names' order."""
    digest = hashlib.sha256()
    for name, rest in sorted(state.items()):
        digest.update(name.encode())
        digest.update(_content(data, stored[WEIGHT + name]) if rest is None else base64.b64decode(rest[2]))
    return digest.hexdigest()


def _content(data: bytes, tensor: Span) -> bytes | memoryview:
    """Return a tensor's bytes, whichever field they stand in; numbers of half precision as single ones."""
    file = io.BytesIO(data)
    fields = list(walked(file, *tensor))
    half = any((field.number, field.kind, field.value) == (2, 0, HALF) for field in fields)
    for number, kind, first, last, _ in fields:
        if kind == 2 and number in (4, 9):
            values = memoryview(data)[first:last]
            return np.frombuffer(values, "<f2").astype("<f4").tobytes() if half else values
        if kind == 2 and number == 7:
            return b"".join(struct.pack("<Q", value) for value in _packed(file, first, last))
    return b""


def _packed(file: BinaryIO, start: int, end: int) -> Iterator[int]:
    file.seek(start)
    data, at = file.read(end - start), 0
    while at < len(data):
        value, at = varint(data, at)
        yield value & (1 << 64) - 1


def _named(file: BinaryIO, tensor: Span) -> tuple[str, Span]:
    start, end = _one(file, tensor, 8)
    file.seek(start)
    return file.read(end - start).decode(), tensor


def _value(file: BinaryIO, value: Span) -> tuple[str, Value]:
    start, end = _one(file, value, 1)
    file.seek(start)
    name = file.read(end - start).decode()
    tensor = _one(file, _one(file, value, 2), 1)
    kind = next((number for field, number in numbers(file, *tensor) if field == 1), 0)
    shape = [(a, b) for number, a, b in spans(file, *tensor) if number == 2]
    axes = [(a, b) for one in shape for number, a, b in spans(file, *one) if number == 1]
    return name, Value(kind, tuple(next((n for f, n in numbers(file, *axis) if f == 1), 0) for axis in axes))


def _one(file: BinaryIO, message: Span, number: int) -> Span:
    found = next(((a, b) for field, a, b in spans(file, *message) if field == number), None)
    if found is None:
        raise EOFError
    return found
