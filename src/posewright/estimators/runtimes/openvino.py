"""OpenVINO: the fastest way to run an exported network on a processor, in fp32, bf16 or int8."""

from __future__ import annotations

import hashlib
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any, Literal

from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.checks import checked
from posewright.estimators.runtimes.network import Given, Network, described, fed, free_cores, rebuilt
from posewright.files import cache_folder, write_whole
from posewright.picture import Pixels

LARGEST = 1 << 30
"""Bytes that compiled networks may take in the cache, the last one apart: those used longest ago make room."""


def load(path: Path, precision: Literal["fp32", "bf16"] = "fp32", threads: int | None = None) -> Network:
    """Load an exported file; threads: of arithmetic, by default `free_cores()`.

    bf16 is at least twice as fast where the processor has it; elsewhere OpenVINO computes in fp32. It moves
    half of the compact network's confident keypoints by less than 0.1 px of the crop, nine in ten by less than
    0.3, and one in a hundred to another peak; its PCK stays (LSP-extended, 250 test pictures: 0.502 for 0.503).
    Threads may ask at once. One crop alone has a network compiled for it, several another; both are kept
    in the cache, and so compiled once.
    Raises ModelFileError where the file is no network of posewright's, ImportError where OpenVINO is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise ImportError('OpenVINO is not installed: pip install "posewright[openvino]"') from None
    facts, graph = checked(path)
    threads = threads or free_cores()
    options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
               "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision]}  # fmt: skip
    core = _core()
    of = f"{openvino.__version__} {graph.sha256}"

    @cache
    def compiled(alone: bool) -> Any:
        return _compiled(core, path, of, options, alone)

    try:
        first = compiled(True)
    except RuntimeError as error:
        raise metadata.ModelFileError(f"{path}: OpenVINO refuses it: {str(error).splitlines()[0]}") from None
    inputs = {one.any_name: [part.get_min_length() for part in one.partial_shape] for one in first.inputs}
    names = [next(name for name in output.names if name[0].isdigit()) for output in first.outputs]  # of its aliases
    lock, own = threading.Lock(), threading.local()

    def request(alone: bool) -> Any:
        """Return this thread's request, which holds one answer."""
        kept = own.__dict__.setdefault("requests", {})
        if alone not in kept:
            with lock:
                kept[alone] = compiled(alone).create_infer_request()
        return kept[alone]

    def run(pixels: Pixels, *given: Given) -> list[Any]:
        answers = request(len(pixels) == 1).infer(fed(inputs, pixels, given))
        return rebuilt(names, [answers[place].copy() for place in range(len(names))])

    backend = f"openvino {openvino.__version__.split('-')[0]}"
    told = precision if facts.precision == "fp32" else "int8" if precision == "fp32" else "int8, else bf16"
    return described(facts, run, backend=backend, precision=told, threads=threads, file=graph.sha256)


@cache
def _core() -> Any:
    """Return the process's one Core.

    Each sets up a stack for signals and puts the former one back when it goes; of two (OpenVINO 2026.4) the second to
    go puts back that of the first, which is no more, and the next signal that Python handles ends the process.
    """
    import openvino

    return openvino.Core()


def _compiled(core: Any, path: Path, of: str, options: dict[str, Any], alone: bool) -> Any:
    """Compile a network, or import the one that was: of the same file, OpenVINO, processor and options.

    alone: for one crop a call and no more, which is faster than for any number. Raises RuntimeError where OpenVINO
    refuses the network. A cache that cannot be written or read is none.
    """
    able = core.get_property("CPU", "FULL_DEVICE_NAME"), sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    name = hashlib.sha256(repr((of, able, options, alone)).encode()).hexdigest()
    kept = cache_folder() / "openvino" / f"{name}.blob"
    try:
        os.utime(kept)
        return core.import_model(kept.read_bytes(), "CPU", options)
    except (OSError, RuntimeError):
        model = core.read_model(str(path))
    if alone:
        model.reshape({one.any_name: [1, *list(one.partial_shape)[1:]] for one in model.inputs})
    compiled = core.compile_model(model, "CPU", options)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, compiled.export_model().getvalue())
        _make_room(kept.parent)
    except (OSError, RuntimeError):  # what it cannot export is compiled again
        pass
    return compiled


def _make_room(folder: Path) -> None:
    """Delete what was used longest ago, until the rest is small enough or one is left."""
    found = sorted(((one.stat(), one) for one in folder.glob("*.blob")), key=lambda pair: pair[0].st_mtime_ns)
    total = sum(stat.st_size for stat, _ in found)
    for stat, one in found[:-1]:
        if total <= LARGEST:
            break
        one.unlink(missing_ok=True)
        total -= stat.st_size
