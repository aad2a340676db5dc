"""Export: a trained network as one ONNX file that says everything about itself, compared before it is written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_format
import torch
from numpy.typing import NDArray
from torch import nn

from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec
from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes import onnx as onnxruntime
from posewright.estimators.runtimes.torch import network_of, weights_of
from posewright.models.original import original_of
from posewright.models.pixels import FromPixels
from posewright.picture import Pixels
from posewright.scene import PADDING, Padding
from posewright.train.export.graph import ExportError, evaluating, graph_of, halved, hash_of, rounded, state_of
from posewright.train.export.parity import Bound, Drift, drift, trial_pictures
from posewright.warp import around

__all__ = ["Bound", "Drift", "ExportError", "drift", "onnx", "weights_of"]


def onnx(
    model: nn.Module,
    codec: Codec,
    card: dict[str, Any],
    path: Path,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    aim: Aim = around,
    padding: Padding = PADDING,
    bound: Bound = Bound(),  # noqa: B008
    pictures: Pixels | None = None,
    half: bool = False,
) -> Drift:
    """Write a network as an ONNX file with its codec, card and weights' hash, and return how far it drifts.

    model: images (B, 3, H, W) normalised with mean and std (of values in 0..1; by default those of the model's file),
    or a `FromPixels`, which knows its own. card: JSON values. aim, padding: how crops were cut in training. pictures
    (B, H, W, 3): what the file is compared with torch on, by default 16 of the synthetic world, half of them with
    black shapes over them. half: round the weights to half precision and store them so, in half the space; the
    arithmetic stays single. Raises ExportError above the bound, or where the file does not give the weights back to
    the bit; then nothing is written.
    """
    path = Path(path)
    own = original_of(model).normal
    module = model if isinstance(model, FromPixels) else FromPixels(model, mean or own.mean, std or own.std)
    if half:
        module = rounded(module)
    with evaluating(module):
        return _export(module, codec, card, path, (aim, padding), bound, pictures, half)


def _export(
    module: FromPixels,
    codec: Codec,
    card: dict[str, Any],
    path: Path,
    view: tuple[Aim, Padding],
    bound: Bound,
    pictures: Pixels | None,
    half: bool,
) -> Drift:
    exported = graph_of(module, codec.size)
    exported = halved(exported) if half else exported
    state = module.network.state_dict()
    about = {
        "format": metadata.FORMAT,
        "codec": metadata.described(codec),
        "view": {"aim": metadata.named(view[0]), "padding": view[1]},
        "normal": {name: (getattr(module, name).flatten().double() / 255).tolist() for name in ("mean", "std")},
        "card": card,
        "weights": hash_of(state),
        "state": state_of(module, exported),
        "made": {"torch": torch.__version__, "onnx": onnx_format.__version__},
    }
    trial = trial_pictures(codec, *view) if pictures is None else pictures
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        partial = Path(folder) / "partial.onnx"
        partial.write_bytes(metadata.sealed(exported, about))
        found = drift(network_of(module, codec), onnxruntime.load(partial), trial, *_trial_given(module, codec, trial))
        _check(path, found, bound, state, weights_of(partial))
        partial.write_bytes(metadata.sealed(exported, about | {"parity": asdict(found)}))
        os.replace(partial, path)
    return found


def _trial_given(module: FromPixels, codec: Codec, trial: Pixels) -> list[NDArray[np.float32]]:
    """Draw what a network is told beside the pictures that it is compared on: places in them."""
    rng = np.random.default_rng(0)
    return [(rng.random((len(trial), *shape)) * min(codec.size)).astype(np.float32) for shape in module.given.values()]


def _check(
    path: Path, found: Drift, bound: Bound, state: dict[str, torch.Tensor], stored: dict[str, torch.Tensor]
) -> None:
    above = found.exceeds(bound)
    if above:
        raise ExportError(f"{path}: not written, the exported network differs from torch's: {above}; {found}")
    for name, value in state.items():
        if not torch.equal(value.cpu(), stored[name]):
            raise ExportError(f"{path}: not written, the file does not give {name} back as it was")
