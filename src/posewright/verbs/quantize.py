"""Quantise: a network in int8 whose loss was measured on people that did not set its ranges, told, and bounded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from posewright import datasets
from posewright.estimators import runtimes
from posewright.estimators.runtimes import Backend, metadata
from posewright.files import write_whole
from posewright.report.results import Show, silent
from posewright.scene import Scene, each_person
from posewright.verbs.held_out import OCCLUDED, looks, occluded, parted
from posewright.verbs.load import located, other_named, recipe_by
from posewright.verbs.losses import Loss, asked, losses


class LossError(ValueError):
    """A network that loses more in int8 than is allowed."""


class Plan(NamedTuple):
    """Say how many people set the ranges and how many judge, what may be lost in points, and what draws them."""

    calibrating: int = 64
    judging: int = 500
    bound: float = 1.0
    draws: int = 2_000
    seed: int = 0


class Quantised(NamedTuple):
    """Say what was written: losses in `number`, people judged, CPU seconds a crop and bytes, both before and after."""

    number: str
    losses: list[Loss]
    people: int
    seconds: tuple[float, float]
    size: tuple[int, int]


def quantize(
    name: str | Path,
    data: str,
    out: Path,
    split: str = "val",
    plan: Plan = Plan(),  # noqa: B008
    *,
    recipe: str | None = None,
    backend: Backend = "auto",
    show: Show = silent,
) -> Quantised:
    """Write a network in int8 whose ranges come from some people of a data set, judged on others of it; see `Plan`.

    name: an exported network, a checkpoint, or a name that `load` knows. recipe: what a checkpoint is of, where it does
    not say so. Raises LossError where more is lost than the plan allows, on people clean or occluded: nothing is
    written then. Raises ValueError where people are too few, or the network is too bad on them for a loss to be seen,
    ModelFileError for what cannot be quantised, ImportError where onnx is not installed.

    >>> found = quantize("pose", "coco:DIR", Path("pose_int8.onnx"))  # doctest: +SKIP
    >>> [(loss.shown, loss.change.value) for loss in found.losses]  # doctest: +SKIP
    """
    _check(name, out, plan, backend)
    with tempfile.TemporaryDirectory() as folder:
        source = _exported(str(name), Path(folder), recipe)
        learning, judging = parted(datasets.read(data, split), plan.calibrating, plan.judging, plan.seed)
        told = f"{Path(data).name}, split {split}"
        model, about = _made(source, learning, told, plan, show)
        trial = Path(folder) / "int8.onnx"
        trial.write_bytes(metadata.sealed(model, about))
        networks = runtimes.load(source, backend), runtimes.load(trial, backend)
        heard = asked(networks, judging, plan.seed + 1, show)
        number, found = losses(networks, judging, heard, plan.draws, plan.seed)
        _refuse(out, number, found, plan.bound)
        about["card"]["int8"] |= _verdict(number, found, judging, plan) | {"backend": networks[1].protocol["backend"]}
        out.parent.mkdir(parents=True, exist_ok=True)
        write_whole(out, metadata.sealed(model, about))
        before, after = (float(np.median([s for one in heard for s in one.seconds[n]])) for n in (0, 1))
        sizes = source.stat().st_size, out.stat().st_size
    return Quantised(number, found, len(each_person(judging)), (before, after), sizes)


def _check(name: str | Path, out: Path, plan: Plan, backend: Backend) -> None:
    """Refuse what would otherwise fail only after the work is done."""
    if out.suffix != ".onnx" or out.is_dir():
        raise ValueError(f"{out}: must be the .onnx file to write")
    if min(plan.calibrating, plan.judging, plan.draws) < 1:
        raise ValueError("people to calibrate and to judge, and draws, must be 1 or more")
    if not 0 < plan.bound <= 100:
        raise ValueError(f"the bound must be above 0 points and at most 100, not {plan.bound:g}")
    if backend == "torch":
        raise ValueError("torch runs no file in int8; choose onnxruntime or openvino")
    if other_named(str(name)) is not None:
        raise ValueError(f"{name}: int8 is for networks of posewright's own")


def _exported(name: str, folder: Path, recipe: str | None) -> Path:
    """Return the exported file that a name means; a checkpoint is exported first, which needs torch."""
    path = located(name)
    if path.suffix.lower() == ".onnx":
        if recipe is not None:
            raise ValueError(f"{name}: says itself what it is; a recipe is for a checkpoint")
        return path
    from posewright.train.export.checkpoint import export_checkpoint

    export_checkpoint(path, folder / "fp32.onnx", recipe=None if recipe is None else recipe_by(recipe))
    return folder / "fp32.onnx"


def _made(source: Path, scenes: Sequence[Scene], told: str, plan: Plan, show: Show) -> tuple[Any, dict[str, Any]]:
    """Return the model in int8 and what its file says of itself, but for how it was judged."""
    from posewright.estimators.runtimes import int8

    facts, rng = metadata.facts(source), np.random.default_rng(plan.seed)
    if facts.precision != "fp32":
        raise metadata.ModelFileError(f"{source}: is in {facts.precision} already")
    shown = [
        [pixels]
        for look in looks(scenes, facts.codec, facts.aim, facts.padding)
        for pixels in (look.crop.pixels, occluded(look.crop, rng).pixels)
    ]
    model = int8.quantised(source, (pixels for (pixels,) in show("calibrating", len(shown), shown)))
    people = len(each_person(scenes))
    said = {
        "of": facts.weights,
        "method": int8.METHOD,
        "ranges": f"{len(shown)} pictures of {people} people of {told}: clean, and with {OCCLUDED}",
        "seed": plan.seed,
    }
    about: dict[str, Any] = {key: value for key, value in metadata.read(source).items() if key != "parity"}
    return model, about | {
        "precision": "int8",
        "weights": int8.hash_of(model),
        "state": dict.fromkeys(int8.names_of(model)),
        "card": facts.card | {"int8": said},
        "made": {"onnxruntime": onnxruntime.__version__},
    }


def _refuse(out: Path, number: str, found: Sequence[Loss], bound: float) -> None:
    """Raise LossError where a loss is above the bound in points, ValueError where none above it could be seen."""
    for loss in found:
        if not loss.before * 100 > bound:
            raise ValueError(
                f"{out}: not written, in fp32 the network has {number} {loss.before:.3f} on {loss.shown} people, so "
                f"that a loss of {bound:g} points could not be seen"
            )
        if not -100 * loss.change.value <= bound:
            raise LossError(
                f"{out}: not written, int8 loses {-100 * loss.change.value:.2f} points of {number} on {loss.shown} "
                f"people ({loss.before:.4f} to {loss.after:.4f}), allowed are {bound:g}"
            )


def _verdict(number: str, found: Sequence[Loss], scenes: Sequence[Scene], plan: Plan) -> dict[str, Any]:
    """Say what was lost, for the file's card."""
    rows = {
        loss.shown: f"{number} {loss.before:.4f} to {loss.after:.4f}, change {loss.change.value:+.4f} "
        f"[{loss.change.low:+.4f}, {loss.change.high:+.4f}]"
        for loss in found
    }
    judged = f"{len(each_person(scenes))} other people of other pictures, at their boxes, clean and so occluded"
    return {"judged": judged, **rows, "bound": f"{plan.bound:g} points"}
