"""Caffe's weights (.caffemodel): protocol buffers, read as far as layers and the numbers in them."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Value = int | memoryview
WIRE = {0: "a number", 1: "8 bytes", 2: "a text or a message", 5: "4 bytes"}
LAYERS = {100: (1, 7), 2: (4, 6)}
"""In a net, the field of its layers: in each, the fields of its name and of its blobs. 2 is of files before 2014."""
SHAPE, DATA, DOUBLES, DIMENSIONS = 7, 5, 8, (1, 2, 3, 4)
"""A blob's fields: its shape, its numbers, or those as doubles; and in old files number, channels, height, width."""
LEAVES = ("weight", "bias")


def read_caffe(path: Path) -> dict[str, Tensor]:
    """Read a .caffemodel's layers as LAYER.weight and LAYER.bias.

    Convolutions are (outputs, inputs, h, w) there as here. Raises ValueError for a file that is cut off or none.
    Source: the message NetParameter of Caffe's caffe.proto.
    """
    state: dict[str, Tensor] = {}
    for field, layer in fields(memoryview(path.read_bytes())):
        if field not in LAYERS or not isinstance(layer, memoryview):
            continue
        said, held = LAYERS[field]
        parts = [(number, part) for number, part in fields(layer) if isinstance(part, memoryview)]
        name = next((bytes(part).decode() for number, part in parts if number == said), "")
        blobs = [blob(part, name) for number, part in parts if number == held]
        if len(blobs) > len(LEAVES):
            raise ValueError(f"layer {name} has {len(blobs)} arrays, where a weight and a bias are known")
        if name and f"{name}.weight" in state and blobs:
            raise ValueError(f"two layers are called {name}")
        state |= {f"{name}.{leaf}": values for leaf, values in zip(LEAVES, blobs, strict=False)}
    if not state:
        raise ValueError("no layer in it has weights")
    return state


def blob(message: memoryview, layer: str) -> Tensor:
    """Read an array; `layer` is for the error. Of an old file's four sides, those before a bias are 1 and left out."""
    shape: list[int] = []
    old: dict[int, int] = {}
    pieces: list[np.ndarray] = []
    for field, value in fields(message):
        if field in DIMENSIONS and isinstance(value, int):
            old[field] = value
        elif field == SHAPE and isinstance(value, memoryview):
            shape = [side for number, sides in fields(value) if number == 1 for side in whole(sides)]
        elif field in (DATA, DOUBLES) and isinstance(value, memoryview):
            pieces.append(np.frombuffer(value, "<f4" if field == DATA else "<f8").astype(np.float32))
    if old and not shape:
        shape = [old.get(field, 1) for field in DIMENSIONS]
        shape = shape[3:] if shape[:3] == [1, 1, 1] else shape
    values = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if len(values) != prod(shape) or not shape:
        raise ValueError(f"layer {layer} has {len(values)} numbers for a shape of {tuple(shape)}")
    return torch.from_numpy(values.reshape(shape))


def whole(value: Value) -> list[int]:
    """Return whole numbers, one or packed.

    >>> whole(memoryview(bytes([3, 0x96, 1])))
    [3, 150]
    """
    if isinstance(value, int):
        return [value]
    numbers, place = [], 0
    while place < len(value):
        number, place = varint(value, place)
        numbers.append(number)
    return numbers


def fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Go through a message's fields: their number, and a whole number or the bytes that they hold.

    Raises ValueError where a field goes beyond the message or is of no known kind.
    """
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        kind = key & 7
        if kind not in WIRE:
            raise ValueError(f"a field of kind {kind} at byte {place}, where {', '.join(map(str, WIRE))} are known")
        if kind == 0:
            value, place = varint(message, place)
            yield key >> 3, value
            continue
        length, place = varint(message, place) if kind == 2 else (8 if kind == 1 else 4, place)
        if length > len(message) - place:
            raise ValueError(f"a field of {length} bytes where {len(message) - place} are left")
        yield key >> 3, message[place : place + length]
        place += length


def varint(message: memoryview, place: int) -> tuple[int, int]:
    """Read a whole number, seven bits a byte, the least first; returns it and the place behind it."""
    number = 0
    for shift, byte in enumerate(message[place : place + 10]):
        number |= (byte & 127) << 7 * shift
        if byte < 128:
            return number, place + shift + 1
    raise ValueError(f"no end to the number at byte {place}")
