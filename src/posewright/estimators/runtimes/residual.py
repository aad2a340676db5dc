"""Pose residual networks by the file: what tells whose keypoints the peaks in a box are.

An exported file holds the first layer with the blur of its input folded in: a peak adds one row of a table. That is
exact, and spares drawing and multiplying what is nearly all zeros.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from posewright.codecs.bottom_up.residual_grouping import GRID, Respond, blurred
from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.maps import Maps
from posewright.estimators.runtimes.metadata import ModelFileError
from posewright.estimators.runtimes.network import free_cores
from posewright.estimators.runtimes.onnx import ERRORS_ONLY

PROPERTY = "posewright.prn"
"""Names the property of a file that says, as JSON, what its network is."""
CELLS = GRID[0] * GRID[1]
BATCH = 32
"""Boxes a call."""


class Responder(NamedTuple):
    """Hold what answers for peaks in boxes, and the names of the keypoints that it knows, () where it does not say."""

    respond: Respond
    keypoints: tuple[str, ...]


def load(path: Path, keypoints: int, threads: int | None = None) -> Responder:
    """Load a network of so many keypoints: an exported file (.onnx), a checkpoint of `train_prn`, or the authors'.

    Raises ModelFileError or WeightsError where the file is none, ImportError where a checkpoint finds no torch.
    """
    if path.suffix.lower() != ".onnx":
        from posewright.models.load import read
        from posewright.models.prn import loaded

        return torch_responder(*loaded(read(path), keypoints, path))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; name an exported network (.onnx) or a checkpoint (.pt)")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or free_cores()
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        said = json.loads(session.get_modelmeta().custom_metadata_map[PROPERTY])
        names = tuple(said["keypoints"])
    except KeyError:
        raise ModelFileError(f"{path}: no pose residual network that posewright exported") from None
    except Exception as error:
        raise ModelFileError(f"{path}: ONNX Runtime refuses it: {str(error).splitlines()[0]}") from None
    if len(names) != keypoints:
        raise ModelFileError(f"{path}: knows {len(names)} keypoints, not {keypoints}")
    return Responder(lambda marks: _asked(session, marks), names)


def _asked(session: Any, marks: Places) -> Maps:
    """Ask a session; without the residual connection a network is not shown the peaks drawn."""
    shown = any(one.name == "shown" for one in session.get_inputs())
    found = []
    for some in np.array_split(marks, -(-len(marks) // BATCH) or 1):
        given = {"cells": cells_of(some)} | ({"shown": blurred(some)} if shown else {})
        found.append(session.run(None, given)[0])
    return np.concatenate(found)


def cells_of(marks: Places) -> Places:
    """Return the cells (N, M) of marks (N, K, 56, 36), counted through; behind a box's last stands their number.

    >>> marks = np.full((1, 2, 56, 36), -1)
    >>> marks[0, 1, 0, 3] = 5
    >>> cells_of(marks)
    array([[2019]])
    """
    flat = marks.reshape(len(marks), -1) >= 0
    box, cell = np.nonzero(flat)
    count = np.bincount(box, minlength=len(marks))
    found = np.full((len(marks), max(int(count.max(initial=0)), 1)), flat.shape[1])
    found[box, np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)] = cell
    return found


def torch_responder(network: Any, keypoints: tuple[str, ...]) -> Responder:
    """Answer by a torch module of `models.prn`."""
    import torch

    def respond(marks: Places) -> Maps:
        with torch.inference_mode():
            return np.asarray(network.eval()(torch.from_numpy(blurred(marks)))[-1].maps)

    return Responder(respond, keypoints)
