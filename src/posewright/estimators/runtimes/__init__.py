"""Runtimes: whatever runs a trained network, behind one callable."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from posewright.estimators.runtimes.metadata import ModelFileError
from posewright.estimators.runtimes.network import Network, free_cores

__all__ = ["ModelFileError", "Network", "free_cores", "load"]

Backend = Literal["auto", "onnxruntime", "openvino", "torch"]


def load(
    path: str | Path,
    backend: Backend = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: int | None = None,
    build: Callable[[], Any] | None = None,
) -> Network:
    """Load an exported network.

    backend: auto is onnxruntime where that has CUDA, else openvino where it is installed, else onnxruntime. precision:
    bf16 needs openvino or torch. threads: by default `free_cores()`. build: for torch only, what makes the module
    (`Recipe.network`).
    Raises ModelFileError where the file is no network of posewright's, ImportError where the backend is not
    installed, ValueError for a combination that there is not.
    """
    path = Path(path)
    if backend == "auto":
        there = importlib.util.find_spec("openvino") and (precision == "bf16" or not _has_cuda())
        backend = "openvino" if there else "onnxruntime"
    if backend == "openvino":
        from posewright.estimators.runtimes import openvino

        return openvino.load(path, precision, threads)
    if backend == "torch":
        return _torch(path, precision, build)
    if backend != "onnxruntime":
        raise ValueError(f"no backend {backend!r}; there are auto, onnxruntime, openvino and torch")
    if precision != "fp32":
        raise ValueError(f"onnxruntime computes in fp32, not {precision}: choose openvino or torch")
    from posewright.estimators.runtimes import onnx

    return onnx.load(path, threads)


def _has_cuda() -> bool:
    """Tell whether ONNX Runtime was built with CUDA, without importing it: a tenth of a second for who uses another."""
    found = importlib.util.find_spec("onnxruntime")
    capi = Path(found.origin).parent / "capi" if found is not None and found.origin else None
    return capi is not None and any(capi.glob("*onnxruntime_providers_cuda*"))


def _torch(path: Path, precision: Literal["fp32", "bf16"], build: Callable[[], Any] | None) -> Network:
    if build is None:
        raise ValueError("torch needs to know what makes the network: build=recipe.network")
    if importlib.util.find_spec("torch") is None:
        raise ImportError('torch is not installed: pip install "posewright[train]"')
    from posewright.estimators.runtimes import torch

    return torch.load(path, build, precision, torch.device())
