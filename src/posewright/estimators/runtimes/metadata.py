"""Metadata: what an exported file says about its network, written as JSON and read back without trust.

A codec is named as `posewright.codecs.distribution:Distribution` with its fields; only dataclasses inside
posewright.codecs may be named, so that reading a stranger's file runs nothing of theirs.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from posewright.codecs.codec import Codec
from posewright.estimators.runtimes import protobuf
from posewright.files import opened
from posewright.scene import Padding
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
    """Return a codec as JSON values; raises TypeError where it is no dataclass of such values.

    A function, as MultiPoseNet's `respond`, is left out where it is the default; another one, and what DeeperCut fitted
    to data, cannot be written down.
    """
    if not is_dataclass(codec):
        raise TypeError(f"codec {codec!r} is no dataclass, so it cannot be written down")
    values = {field.name: (getattr(codec, field.name), field.default) for field in fields(codec) if field.init}
    values = {name: value for name, (value, usual) in values.items() if not (callable(value) and value is usual)}
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
    known = {field.name: field.default for field in fields(made) if field.init}
    strange = sorted(values.keys() - known.keys() - {"codec"})
    if strange:
        raise ValueError(f"{values['codec']} has no field {', '.join(strange)}")
    arguments = {name: _field(value, known[name]) for name, value in values.items() if name != "codec"}
    try:
        codec: Any = made(**arguments)
    except TypeError as error:
        raise ValueError(f"{values['codec']}: {error}") from None
    return codec


def _field(value: Any, default: Any) -> Any:
    """Return a codec's field as it was: a skeleton, a NamedTuple like the default, or a value; else ValueError."""
    if isinstance(value, dict) and value:
        skeleton = skeleton_from(value)
        usual = isinstance(default, Skeleton) and skeleton_described(default) == skeleton_described(skeleton)
        return default if usual else skeleton
    if not hasattr(default, "_fields"):
        return _tuples(value)
    if isinstance(value, list):
        value = [*value, *default[len(value) :]]  # an earlier version knew of fewer
    if not isinstance(value, list) or [_kind(one) for one in value] != [_kind(one) for one in default]:
        raise ValueError(f"{type(default).__name__} must be {list(default)} or values of the same types, not {value!r}")
    return type(default)(*value)


def _kind(value: Any) -> type:
    """The type of a JSON value; a whole number may stand for any."""
    return float if type(value) is int else type(value)


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
        with opened(path) as file:
            size = path.stat().st_size
            pairs = [protobuf.texts(file, a, b) for number, a, b in protobuf.spans(file, 0, size) if number == 14]
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


class Facts(NamedTuple):
    """Hold what an exported file says of its network, each fact of the kind that it should be.

    normal: mean and deviation of red, green and blue in 0..1; state: the state dict's entries, None for a weight that
    lies in the graph; parity: how far the file was from torch, where it says so; precision: in what it computes,
    int8 where `posewright quantize` made it, whose state is all that its graph stores.
    """

    codec: Codec
    aim: Callable[..., Any]
    padding: Padding
    normal: dict[str, list[float]]
    card: dict[str, Any]
    weights: str
    state: dict[str, Any]
    parity: dict[str, Any]
    precision: str = "fp32"


def padding_from(value: Any) -> Padding:
    """Read a padding as JSON has it, one number or two; raises ValueError for anything else.

    >>> padding_from(1.25), padding_from([1.09, 1.135])
    (1.25, (1.09, 1.135))
    """
    numbers = value if isinstance(value, list) and len(value) == 2 else [value]
    for number in numbers:
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 < number < 100:
            raise ValueError(f"must be a number above 0, or two, not {value!r}")
    return (float(numbers[0]), float(numbers[1])) if numbers is value else float(value)


def facts(path: Path) -> Facts:
    """Read and check what an exported file says of its network; raises ModelFileError that names file and fact."""
    said = read(path)
    view, normal = _object(path, said, "view"), _object(path, said, "normal")
    aim = view.get("aim")
    try:
        padding = padding_from(view.get("padding"))
    except ValueError as error:
        raise ModelFileError(f"{path}: its view: padding: {error}") from None
    if not isinstance(aim, str):
        raise ModelFileError(f"{path}: its view: aim: must name a function, not {aim!r}")
    if normal.keys() != {"mean", "std"} or not all(map(_colours, normal.values())) or min(normal["std"]) <= 0:
        raise ModelFileError(f"{path}: its normal must be a mean and a deviation above 0 of three numbers each")
    weights = said.get("weights", "")
    if not re.fullmatch(r"[0-9a-f]{64}", weights):
        raise ModelFileError(f"{path}: its weights must be a SHA-256 in hexadecimal, not {weights[:80]!r}")
    precision = said.get("precision", "fp32")
    if precision not in ("fp32", "int8"):
        raise ModelFileError(f"{path}: its precision must be fp32 or int8, not {precision[:80]!r}")
    try:
        codec = codec_from(_object(path, said, "codec"))
        return Facts(codec, found(aim), padding, normal, _object(path, said, "card"), weights,
                     _object(path, said, "state"), _object(path, said, "parity", "{}"), precision)  # fmt: skip
    except ModelFileError:
        raise
    except Exception as error:  # a codec's own checks, which fields of any kind come to
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(f"{path}: its codec cannot be made: {reason or type(error).__name__}") from None


def sealed(model: Any, about: Mapping[str, Any]) -> bytes:
    """Return an ONNX model's bytes with what it says of itself, text or JSON values by name."""
    from onnx import helper

    del model.metadata_props[:]
    said = {PREFIX + name: value if isinstance(value, str) else json.dumps(value) for name, value in about.items()}
    helper.set_model_props(model, said)
    model.producer_name, model.producer_version = "posewright", ""
    data: bytes = model.SerializeToString()
    return data


def _object(path: Path, said: Mapping[str, str], name: str, default: str = "null") -> dict[str, Any]:
    try:
        value = json.loads(said.get(name, default))
    except (ValueError, RecursionError):
        raise ModelFileError(f"{path}: its {name} is no JSON") from None
    if not isinstance(value, dict):
        raise ModelFileError(f"{path}: its {name} must be an object {{...}}, not {str(value)[:40]}")
    return value


def _colours(value: Any) -> bool:
    """Tell whether a value is three finite numbers."""
    return isinstance(value, list) and len(value) == 3 and all(
        type(one) in (int, float) and math.isfinite(one) for one in value
    )  # fmt: skip


def _tuples(value: Any) -> Any:
    """Turn JSON's lists back into tuples."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value
