"""What has arrived: whether a downloaded file is a whole file of weights, told without running anything in it."""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from codecs import utf_8_decode
from pathlib import Path

from posewright.estimators.runtimes.protobuf import spans
from posewright.files import opened
from posewright.models.report import WeightsError

PROTOBUF = (".onnx", ".caffemodel")
GRAPH = 7
"""The number of a ModelProto's graph."""
_ZIP, _HDF, _BEGINNING = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", 512


def why_not(path: Path, suffix: str) -> str:
    """Say why a file is no whole one of weights, "" where it is one as far as can be told; suffix is of its address."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        beginning = file.read(_BEGINNING)
        if not beginning:
            return "it is empty"
        if (text := _text(beginning)) is not None:
            return f"it is a text that begins {text[:40]!r}, as a page to log in at does, no weights"
        if suffix in PROTOBUF:
            try:
                there = {number for number, *_ in spans(file, 0, size)}
            except EOFError:
                there = set()
            if not there or (suffix == ".onnx" and GRAPH not in there):
                return f"it is no {suffix} file, or one that was cut off"
            return ""
        if suffix == ".safetensors":
            return _safetensors(beginning, size, path)
    if beginning.startswith(_ZIP):
        return "" if zipfile.is_zipfile(path) else "it is an archive that was cut off"
    if beginning.startswith(_HDF):
        return _hdf(path)
    return _pickled(path)


def _text(beginning: bytes) -> str | None:
    """Return the beginning as text where it is one."""
    try:
        text, _ = utf_8_decode(beginning)  # a letter cut in two at the end is left out
    except UnicodeDecodeError:
        return None
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else None


def _safetensors(beginning: bytes, size: int, path: Path) -> str:
    length = int.from_bytes(beginning[:8], "little")
    if length > size - 8:
        return "it is no .safetensors file, or one that was cut off"
    with path.open("rb") as file:
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            last = max(
                (entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
            return "it is no .safetensors file"
    return "" if size == 8 + length + last else "it is a .safetensors file that was cut off"


def _hdf(path: Path) -> str:
    if importlib.util.find_spec("h5py") is None:
        return ""
    import h5py

    try:
        h5py.File(path, "r").close()
    except OSError as error:
        return f"it is a damaged HDF5 file ({' '.join(str(error).split())[:80]})"
    return ""


def _pickled(path: Path) -> str:
    """Let torch's reader of numbers look at a file of its older form, whose end only reading it finds."""
    if importlib.util.find_spec("torch") is None:
        return ""
    from posewright.models.load import read

    try:
        read(path)
    except WeightsError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""
