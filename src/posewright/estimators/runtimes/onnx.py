"""ONNX Runtime: the core's own way to run an exported network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.checks import checked
from posewright.estimators.runtimes.network import Given, Network, described, fed, free_cores, rebuilt
from posewright.picture import Pixels

ERRORS_ONLY = 3
"""ONNX Runtime's severity below which it stays silent."""
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def load(path: Path, threads: int | None = None) -> Network:
    """Load an exported file; threads: of arithmetic, by default `free_cores()`, and they sleep between calls.

    It runs on a GPU where ONNX Runtime has CUDA (the package onnxruntime-gpu) and finds one; its protocol says so.
    Raises ModelFileError where the file is no network of posewright's.
    """
    facts, graph = checked(path)
    threads = threads or free_cores()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = [one for one in (CUDA, CPU) if one in onnxruntime.get_available_providers()]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        raise metadata.ModelFileError(f"{path}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from None
    inputs = {one.name: one.shape for one in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]

    def run(pixels: Pixels, *given: Given) -> list[Any]:
        return rebuilt(names, session.run(None, fed(inputs, pixels, given)))

    backend = f"onnxruntime {onnxruntime.__version__}"
    on = {"device": "cuda"} if CUDA in session.get_providers() else {}
    return described(facts, run, backend=backend, precision=facts.precision, threads=threads, file=graph.sha256, **on)
