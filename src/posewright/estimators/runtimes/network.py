"""Network: one rule for whatever runs the arithmetic, pixels (B, H, W, 3) uint8 in, list of fields out.

A network may be told something beside the pixels, as the poses that it is to refine: arrays (B, ...) behind them. What
it is not told is NaN, not known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright import fields as kinds
from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec
from posewright.estimators.runtimes import metadata
from posewright.picture import Pixels
from posewright.scene import PADDING, Padding
from posewright.warp import Warp, around

Given = NDArray[np.float32]
Run = Callable[..., list[Any]]
"""(pixels, *given) -> one `Fields` a stage."""


@dataclass(frozen=True, eq=False)
class Network:
    """Ask a trained network: pixels (B, H, W, 3) uint8 RGB, at the codec's size, to one `Fields` a stage.

    The last stage is the answer. codec reads it; aim and padding say how its crops were cut in training;
    card tells where it comes from (data and its terms, protocol, seed, scores); protocol what runs it
    (backend, precision, threads, the weights' hash). Normalising the pixels is the network's own work. cut: what cuts
    crops (N, h, w, 3) out of a picture where the network runs, in place of `Warp.image` one by one.
    """

    run: Run
    codec: Codec
    card: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    aim: Aim = around
    padding: Padding = PADDING
    cut: Callable[[Pixels, Sequence[Warp]], Pixels] | None = None

    def __call__(self, pixels: Pixels, *given: Given) -> list[Any]:
        width, height = self.codec.size
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (height, width, 3):
            raise ValueError(f"pixels must be (B, {height}, {width}, 3) uint8, not {pixels.shape} {pixels.dtype}")
        return self.run(pixels, *given)


def described(facts: metadata.Facts, run: Run, cut: Any = None, **protocol: Any) -> Network:
    """Return the network that the metadata of an exported file describe; protocol: what runs it."""
    told = protocol | {"weights": facts.weights}
    return Network(run, facts.codec, facts.card, told, facts.aim, facts.padding, cut)


def fed(inputs: Mapping[str, Sequence[Any]], pixels: Pixels, given: Sequence[Given]) -> dict[str, NDArray[Any]]:
    """Name what a graph is fed: `inputs` are its names and shapes, `pixels` the first; NaN where nothing is given.

    >>> fed({"pixels": ("batch", 2, 2, 3), "poses": ("batch", 2)}, np.zeros((1, 2, 2, 3), np.uint8), ())["poses"]
    array([[nan, nan]], dtype=float32)
    """
    told: dict[str, NDArray[Any]] = dict(zip(inputs, (pixels, *given), strict=False))
    for name, shape in inputs.items():
        told.setdefault(name, np.full((len(pixels), *shape[1:]), np.nan, np.float32))
    return told


def rebuilt(names: Sequence[str], arrays: Sequence[Any]) -> list[Any]:
    """Make fields of arrays that are named "<stage>.<class>.<field>".

    >>> rebuilt(["0.Heatmaps.maps"], [7])
    [Heatmaps(maps=7, weights=None)]
    """
    stages: dict[int, tuple[str, dict[str, Any]]] = {}
    for name, array in zip(names, arrays, strict=True):
        stage, kind, key = name.split(".")
        stages.setdefault(int(stage), (kind, {}))[1][key] = array
    return [getattr(kinds, kind)(**values) for _, (kind, values) in sorted(stages.items())]


def free_cores() -> int:
    """Count the cores that this process may use, less those that were busy in the last minute; at least 1.

    OMP_NUM_THREADS, by which Ray and others say how many a process is given, is the most.

    Threads beyond the free cores make a network slower, up to a hundredfold where they spin.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    given = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores - busy, int(given) if given.isdecimal() else cores))
