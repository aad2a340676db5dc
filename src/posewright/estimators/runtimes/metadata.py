"""Metadata: what an exported file says about its network, written as JSON and read back without trust.

A codec is named as `posewright.codecs.distribution:Distribution` with its fields; only dataclasses inside
posewright.codecs may be named, so that reading a stranger's file runs nothing of theirs.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

from posewright.codecs.codec import Codec
from posewright.skeleton import SKELETONS, Skeleton

FORMAT = 1
"""The version of what is written; a file of a later one is refused."""

PREFIX = "posewright."
"""Begins the name of every property."""

NAMES = re.compile(r"(posewright\.codecs(?:\.[a-z_]\w*)+|posewright\.warp):([A-Za-z]\w*(?:\.[a-z]\w*)?)")
"""What a file may name: module and object, or module and class and its function."""


class ModelFileError(ValueError):
    """A file that should be an exported network and is none; the message names the file and the reason."""


def described(codec: Codec) -> dict[str, Any]:
    """Return a codec as JSON values; raises TypeError where it is no dataclass of such values."""
    if not is_dataclass(codec):
        raise TypeError(f"codec {codec!r} is no dataclass, so it cannot be written down")
    values = {field.name: getattr(codec, field.name) for field in fields(codec) if field.init}
    values = {name: skeleton_described(v) if isinstance(v, Skeleton) else v for name, v in values.items()}
    json.dumps(values)
    return {"codec": named(type(codec)), **values}


def codec_from(values: dict[str, Any]) -> Codec:
    """Return the codec that `described` wrote; raises ValueError for anything else.

    >>> from posewright.codecs.distribution import Distribution
    >>> from posewright.skeleton import LSP
    >>> codec_from(described(Distribution(LSP, sigma=2.0))) == Distribution(LSP, sigma=2.0)
    True
    """
    made = found(str(values.get("codec")))
    if not (isinstance(made, type) and is_dataclass(made)):
        raise ValueError(f"{values.get('codec')} is no codec")
    known = {field.name for field in fields(made) if field.init}
    arguments = {name: _tuples(value) for name, value in values.items() if name != "codec"}
    if set(arguments) - known:
        raise ValueError(f"{values['codec']} has no field {', '.join(sorted(set(arguments) - known))}")
    if isinstance(values.get("skeleton"), dict):
        arguments["skeleton"] = skeleton_from(values["skeleton"])
    try:
        codec: Any = made(**arguments)
    except TypeError as error:
        raise ValueError(f"{values['codec']}: {error}") from None
    return codec


def skeleton_described(skeleton: Skeleton) -> dict[str, Any]:
    """Return a skeleton in full, so that a file needs no list of skeletons beside it."""
    said = {field.name: getattr(skeleton, field.name) for field in fields(skeleton)}
    return said if skeleton.sides is not None else {name: value for name, value in said.items() if name != "sides"}


def skeleton_from(values: dict[str, Any]) -> Skeleton:
    """Return the skeleton that `skeleton_described` wrote, the library's own where it is the same in all."""
    values = {name: _tuples(value) for name, value in values.items()}
    for skeleton in SKELETONS:
        if skeleton_described(skeleton) == values:
            return skeleton
    try:
        return Skeleton(**values)
    except TypeError as error:
        raise ValueError(f"no skeleton: {error}") from None


def named(thing: Callable[..., Any]) -> str:
    """Name a codec's class or an aim's function; raises ValueError where a file may not name it."""
    name = f"{thing.__module__}:{thing.__qualname__}"
    if found(name) is not thing:
        raise ValueError(f"{name} lies outside posewright.codecs, so a file cannot name it")
    return name


def found(name: str) -> Callable[..., Any]:
    """Return what `named` named; raises ValueError for anything outside posewright.codecs and posewright.warp."""
    match = NAMES.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} names nothing inside posewright.codecs")
    try:
        thing: Any = importlib.import_module(match[1])
        for attribute in match[2].split("."):
            thing = getattr(thing, attribute)
    except (ImportError, AttributeError):
        raise ValueError(f"{name!r} names nothing in this version of posewright") from None
    if getattr(thing, "__module__", "") != match[1] or not (is_dataclass(thing) or thing.__name__ == "around"):
        raise ValueError(f"{name!r} names neither a codec nor a way to aim")
    return thing


def read(path: Path) -> dict[str, str]:
    """Return what posewright wrote into an ONNX file, without reading its weights.

    An ONNX file is a protobuf message ModelProto; its field 14 holds pairs of a key (1) and a value (2).
    Raises ModelFileError where the file is none, was not exported by posewright, or by a later version.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            pairs = [dict(_fields(file, start, end)) for number, start, end in _spans(file, 0, size) if number == 14]
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from None
    except (EOFError, UnicodeDecodeError):
        raise ModelFileError(f"{path}: no ONNX file, or one that ends too early") from None
    said = {
        pair.get(1, "").removeprefix(PREFIX): pair.get(2, "") for pair in pairs if pair.get(1, "").startswith(PREFIX)
    }
    if not said.get("format", "").isdecimal():
        raise ModelFileError(f"{path}: not exported by posewright, it says nothing of its codec")
    if int(said["format"]) > FORMAT:
        raise ModelFileError(f"{path}: of format {said['format']}; this version of posewright reads {FORMAT}")
    return said


def _spans(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Walk a protobuf message between two places: yields a field's number and where its bytes lie."""
    while start < end:
        file.seek(start)
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if kind == 0:
            _varint(file)
            start = file.tell()
            continue
        length = {1: 8, 5: 4}.get(kind, -1) if kind != 2 else _varint(file)
        first = file.tell()
        start = first + length
        if length < 0 or start > end or number == 0:
            raise EOFError
        if kind == 2:
            yield number, first, start


def _fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, str]]:
    for number, first, last in list(_spans(file, start, end)):
        file.seek(first)
        yield number, file.read(last - first).decode()


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise EOFError


def _tuples(value: Any) -> Any:
    """Turn JSON's lists back into tuples."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
