"""Start: first weights for a training, from wherever there are some."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.checks import checked
from posewright.estimators.runtimes.torch import weights_of
from posewright.estimators.weights import SCHEMES, fetch
from posewright.models.load import load_into, load_original, read, shape, weights_in
from posewright.models.original import original_of
from posewright.models.pixels import Normal
from posewright.models.report import Renames, Report, WeightsError, compare
from posewright.recipes.recipe import Recipe
from posewright.skeleton import Skeleton
from posewright.train.facts import checked as facts_of
from posewright.train.state import is_checkpoint


class Start(NamedTuple):
    """First weights, by the network's names, and how pictures are normalised for them."""

    weights: Mapping[str, Tensor]
    normal: Normal


def first_weights(start: str, recipe: Recipe, report: Callable[[str], None] | None = None) -> Start:
    """Return what a file of weights has for a recipe's network, and how it sees pictures.

    start: an exported network (.onnx), a checkpoint of posewright's (its running average where it has one), or a
    checkpoint of the original authors' or MMPose's; a file or a URL. What fits goes in and the rest stays
    as the seed draws it; of a head for other keypoints, those with the same names go in where the file is
    posewright's, which names them, and else none. report: is told in words what was found
    (by default standard error). Raises WeightsError or ModelFileError where nothing fits or it is no such file.
    """
    path = fetch(start) if start.split("://")[0] in SCHEMES and "://" in start else Path(start)
    network = recipe.network()
    try:
        found, normal = _loaded(path, network, recipe)
    except WeightsError as error:
        raise WeightsError(f"{start}: {str(error).removeprefix('state dict: ').removeprefix(f'{path}: ')}") from None
    (report or _to_stderr)(str(replace(found, source=start)))
    state = network.state_dict()
    return Start({name: state[name] for name in (*found.matched, *found.zeros)}, normal)


def _loaded(path: Path, network: nn.Module, recipe: Recipe) -> tuple[Report, Normal]:
    """Put a file's weights into a network, all that fit, and say how pictures are normalised for them."""
    if path.suffix == ".onnx":
        facts, _ = checked(path)
        state, normal = weights_of(path, facts), Normal(**facts.normal)
        skeleton = facts.codec.skeleton
    else:
        content = read(path)
        if not is_checkpoint(content):
            state = weights_in(content, str(path))
            skip = _skipped(network, state, original_of(network).renames)
            return load_original(network, state, partial=True, skip=skip, size=recipe.codec.size)
        content = facts_of(content, path)
        state = weights_in(content["average"] or content["network"], str(path))
        normal = Normal(**content.get("normal", {}))
        skeleton = _skeleton_in(content, path) or recipe.codec.skeleton
    state = named_alike(state, skeleton, network, recipe.codec.skeleton)
    skip = _skipped(network, state, ())
    return load_into(network, state, partial=True, skip=skip, size=recipe.codec.size), normal


def _skeleton_in(content: Mapping[str, Any], path: Path) -> Skeleton | None:
    """Return the skeleton that a checkpoint's codec names, where it says one."""
    if not content.get("codec"):
        return None
    try:
        return metadata.codec_from(json.loads(content["codec"])).skeleton
    except ValueError as error:
        raise WeightsError(f"{path}: its codec cannot be made: {error}") from None


def named_alike(state: Mapping[str, Tensor], there: Skeleton, network: nn.Module, here: Skeleton) -> dict[str, Tensor]:
    """Return weights with a head for the keypoints of `here`, made of that for those of `there`.

    Of the head's parameters with a row a keypoint, the rows of the same names come over, and those of other
    keypoints stay the network's own.
    """
    order, own, head = there.to(here), network.state_dict(), original_of(network).head
    known = order >= 0
    found = dict(state)
    for name, value in state.items() if there.keypoints != here.keypoints and known.any() else ():
        mine = own.get(name)
        if mine is not None and re.match(head, name) and value.shape == (len(there), *mine.shape[1:]):
            found[name] = mine.clone()
            found[name][torch.from_numpy(known)] = value[order[known]]
    return found


def _skipped(network: nn.Module, source: Mapping[str, Any], renames: Renames) -> str | None:
    """Return the pattern of the head where it is all that does not fit."""
    head = original_of(network).head
    own = {name: shape(value) for name, value in network.state_dict().items()}
    found = compare("", own, {name: shape(value) for name, value in source.items()}, renames)
    others = [misfit for misfit in found.misfits if not re.match(head, misfit)]
    return head if found.misfits and not others else None


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)
