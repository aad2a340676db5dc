"""Checkpoint: from what training leaves behind to a network that can be used, and to the file that is handed on."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from posewright.codecs.codec import is_whole
from posewright.codecs.detection.ttfnet import TTFNet
from posewright.codecs.sightings import VisibleDistribution
from posewright.estimators.bottom_up import fitted
from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.network import Network
from posewright.estimators.runtimes.torch import Precision, network_of
from posewright.models.load import load_original, read
from posewright.models.pixels import FromPixels
from posewright.models.report import WeightsError
from posewright.picture import Pixels
from posewright.recipes import recipe_named
from posewright.recipes.own import folder_of, read_as, with_skeleton
from posewright.recipes.recipe import Recipe
from posewright.scene import each_person, region, take
from posewright.train.export import least, onnx
from posewright.train.export.calibrate import RULE, calibrated
from posewright.train.export.graph import hash_of
from posewright.train.export.least import with_least
from posewright.train.export.parity import Drift, trial_pictures
from posewright.train.facts import checked
from posewright.train.state import is_checkpoint

TRIALS = 16
"""Real crops that an export is compared on, beside as many synthetic ones."""


class Trained(NamedTuple):
    """A network with its weights, the recipe that it belongs to, and its card."""

    recipe: Recipe
    module: FromPixels
    card: dict[str, Any]


def load(path: Path, precision: Precision = "fp32", device: str = "cpu", recipe: Recipe | None = None) -> Network:
    """Return the network of a checkpoint, as `trained_in` finds it; raises as that does."""
    found = trained_in(path, recipe)
    module = found.module.to(device)
    protocol = {"weights": hash_of(module.network.state_dict()), "checkpoint": Path(path).name}
    said = {"protocol": protocol, "card": found.card}
    return network_of(module, found.recipe.codec, precision, aim=found.recipe.aim, padding=found.recipe.padding, **said)


def export_checkpoint(
    checkpoint: Path, out: Path, data: str | None = None, recipe: Recipe | None = None, half: bool = False
) -> Drift:
    """Write a checkpoint's network as an ONNX file that says everything about itself; returns its drift.

    data: a folder of the recipe's data, or as `recipes.own.read_as` takes it; people of it are then among the pictures
    that file and torch are compared on, a network that tells probabilities is calibrated on the split that its epochs
    were judged on, and a detector's least score is chosen there.
    half: as in `onnx`. Raises as `trained_in` and `calibrated` do, and ExportError where the exported network says
    something else.
    """
    recipe, module, card = trained_in(checkpoint, recipe)
    pictures = trial_pictures(recipe.codec, recipe.aim, recipe.padding)
    codec, aim, padding = recipe.codec, recipe.aim, recipe.padding
    if data:
        recipe, data = read_as(recipe, data), folder_of(data)
        pictures = np.concatenate([pictures, _crops(recipe, data)])
    if data and isinstance(codec, VisibleDistribution):
        judged = recipe.scenes(data, recipe.judged_on)
        codec = calibrated(network_of(module, codec, aim=aim, padding=padding), codec, judged)
        card |= {"calibration": f"{RULE}; on the {recipe.judged_on} split"}
    if data and isinstance(codec, TTFNet):
        codec = with_least(network_of(module, codec), codec, recipe.scenes(data, recipe.judged_on))
        card |= {"threshold": f"{least.RULE}; on the {recipe.judged_on} split"}
    return onnx(module, codec, card, out, aim=aim, padding=padding, pictures=pictures, half=half)


def trained_in(path: Path, recipe: Recipe | None = None) -> Trained:
    """Read a training's checkpoint (its running average of the weights where it has one), or somebody else's.

    recipe: needed where the checkpoint's own stands in a file of its own, since a checkpoint may come from a
    stranger and never says which code to run; and for the original authors' and MMPose's files, which do
    not say what network they are of. Raises WeightsError for a file that is no checkpoint or does not fit its
    recipe, KeyError where that is unknown.
    """
    path = Path(path)
    content = read(path)
    if is_checkpoint(content) and "recipe" in content:
        content = checked(content, path)
        recipe = recipe_of(content, path, recipe)
        return Trained(recipe, module_of(content, recipe, path), card_of(content, recipe))
    if recipe is None:
        raise WeightsError(
            f"{path}: no checkpoint of a training by posewright; for one of the original authors' or MMPose's "
            "say which network it is of, with --recipe NAME"
        )
    return foreign(path, recipe)


def foreign(path: Path, recipe: Recipe) -> Trained:
    """Load the original authors' or MMPose's weights into a recipe's network, and report what fitted.

    Raises WeightsError where they do not fit.
    """
    network = recipe.network()
    report, normal = load_original(network, path, size=recipe.codec.size)
    print(report, file=sys.stderr)
    card = {"recipe": recipe.name, "summary": recipe.summary, "paper": recipe.paper, "data": "as its authors say",
            "weights_from": path.name, "reported": recipe.reported, "scores": {}}  # fmt: skip
    return Trained(recipe, FromPixels(network, *normal).eval(), card)


def recipe_of(content: dict[str, Any], path: Path, given: Recipe | None = None) -> Recipe:
    """Return the recipe of a checkpoint, the one given or one of the library's, with its own codec and padding."""
    source = content.get("source")
    if given is None and source:
        raise WeightsError(f"{path}: trained by {source}, which is run only where you name it, with --recipe {source}")
    recipe = given or recipe_named(content["recipe"])
    if recipe.name != content["recipe"]:
        raise WeightsError(f"{path}: trained by the recipe {content['recipe']}, not by {recipe.name}")
    if content.get("codec") is None:
        return recipe
    try:
        codec = metadata.codec_from(json.loads(content["codec"]))
        if given is None and len(codec.skeleton) != len(recipe.codec.skeleton):
            recipe = with_skeleton(recipe, codec.skeleton)
        view = json.loads(content["view"]) if content.get("view") else {"padding": recipe.padding}
        return replace(recipe, codec=codec, padding=metadata.padding_from(view.get("padding")))
    except ValueError as error:
        raise WeightsError(f"{path}: its codec cannot be made: {error}") from None


def module_of(content: dict[str, Any], recipe: Recipe, path: Path) -> FromPixels:
    """Build a recipe's network with a checkpoint's weights."""
    network = recipe.network()
    try:
        network.load_state_dict(content["average"] or content["network"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: does not fit the network of {recipe.name}: {reason}") from None
    module = FromPixels(network)
    if "normal" in content:
        module.see(**content["normal"])
    return module.eval()


def card_of(content: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Say where a network comes from: recipe, data, seed, length of training, scores and how they were measured."""
    history = content.get("history") or [{}]
    scores = {name: value for name, value in history[-1].items() if name not in ("epoch", "loss")}
    return {
        "recipe": recipe.name,
        "summary": recipe.summary,
        "paper": recipe.paper,
        "data": recipe.data,
        **({"occlusion": content["occlusion"]} if content.get("occlusion") else {}),
        "seed": content.get("seed"),
        "epochs": history[-1].get("epoch", 0),
        "epochs_of_recipe": recipe.epochs,
        "steps": content["step"],
        "averaged": bool(content["average"]),
        "scores": scores,
        "protocol": f"{recipe.judged_on} split, {_looked_at(recipe)}, no flip test, by torch",
        "trained_with": content.get("versions", {}),
    }


def _looked_at(recipe: Recipe) -> str:
    """Say where people were looked for when the network was judged."""
    if recipe.apart.predicted:
        return f"as {recipe.name} says"
    return "whole pictures" if is_whole(recipe.codec) else f"annotated boxes, padding {recipe.padding}"


def _crops(recipe: Recipe, data: str) -> Pixels:
    """Cut out the first people of the split that the recipe is judged on, or take its first pictures whole."""
    if is_whole(recipe.codec):
        scenes = recipe.scenes(data, recipe.judged_on)[:TRIALS]
        return np.stack([fitted(scene, recipe.codec.size).pixels for scene in scenes])
    crops: list[Pixels] = []
    for scene in each_person(recipe.scenes(data, recipe.judged_on)):
        box = scene.people[0].box
        if box is not None and len(crops) < TRIALS:
            crops.append(take(scene, recipe.aim(*region(box, recipe.padding), recipe.codec.size)).pixels)
    if not crops:
        raise ValueError(f"{data}: nobody in the {recipe.judged_on} split has a box, so there is no crop to compare on")
    return np.stack(crops)
