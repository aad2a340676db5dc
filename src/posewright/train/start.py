"""Start: first weights for a training, from wherever there are some."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from posewright.models.load import load_into, read, shape, weights_in
from posewright.models.report import Renames, WeightsError, compare
from posewright.recipe import Recipe
from posewright.runtimes.torch import weights_of
from posewright.weights import SCHEMES, fetch

HEAD = r"head\."
"""Names what answers for the keypoints, and so differs where the skeleton does; a model's file may say otherwise."""


def first_weights(start: str, recipe: Recipe, report: Callable[[str], None] | None = None) -> dict[str, Tensor]:
    """Return what a file of weights has for a recipe's network, by the network's names.

    start: an exported network (.onnx), a checkpoint of posewright's (its running average where it has one), or a
    checkpoint of the original authors' or MMPose's; a file or a URL. What fits goes in and the rest stays
    as the seed draws it; a head for other keypoints is left out. report: is told in words what was found
    (by default standard error). Raises WeightsError or ModelFileError where nothing fits or it is no such file.
    """
    path = fetch(start) if start.split("://")[0] in SCHEMES and "://" in start else Path(start)
    network = recipe.network()
    source, renames = _weights(path, network)
    skip = _skipped(network, source, renames)
    try:
        orders = getattr(sys.modules[type(network).__module__], "ORDERS", ())
        found = load_into(network, source, renames, orders, partial=True, skip=skip, size=recipe.codec.size)
    except WeightsError as error:
        raise WeightsError(f"{start}: {str(error).removeprefix('state dict: ')}") from None
    (report or _to_stderr)(str(replace(found, source=start)))
    state = network.state_dict()
    return {name: state[name] for name in found.matched}


def _weights(path: Path, network: nn.Module) -> tuple[dict[str, Tensor], Renames]:
    """Read a file of weights, and say how its names become the network's."""
    if path.suffix == ".onnx":
        return weights_of(path), ()
    content = read(path)
    if isinstance(content, Mapping) and {"network", "average", "step"} <= content.keys():
        return weights_in(content["average"] or content["network"], str(path)), ()
    return weights_in(content, str(path)), getattr(sys.modules[type(network).__module__], "RENAMES", ())


def _skipped(network: nn.Module, source: Mapping[str, Any], renames: Renames) -> str | None:
    """Return the pattern of the head where it is all that does not fit."""
    head = getattr(sys.modules[type(network).__module__], "HEAD", HEAD)
    own = {name: shape(value) for name, value in network.state_dict().items()}
    found = compare("", own, {name: shape(value) for name, value in source.items()}, renames)
    others = [misfit for misfit in found.misfits if not re.match(head, misfit)]
    return head if found.misfits and not others else None


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)
