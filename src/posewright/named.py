"""What a name means: an estimator by whatever a user calls it, a file, a URL, a recipe."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from posewright import estimate
from posewright.estimate import TopDown
from posewright.recipe import Recipe
from posewright.recipes import RECIPES, recipe_named
from posewright.runtimes import Backend, metadata
from posewright.weights import fetch


def load(
    name: str | Path = "default",
    *,
    flip: bool = False,
    batch: int = 8,
    backend: Backend = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    threads: int | None = None,
    recipe: str | None = None,
) -> TopDown:
    """Load an estimator by name.

    name: "default", the network that comes with posewright; an exported network (.onnx); a training's
    checkpoint (.pt); a URL of either; or a recipe's name, which means its `runs/NAME/last.pt`. flip: average
    with the mirrored picture, at twice the cost. batch: crops a call. backend: auto is openvino where it is
    installed, else onnxruntime, and torch for a checkpoint. precision: bf16 needs openvino or torch. recipe:
    what a checkpoint
    is of where it does not say so itself, a name or my_file.py:my_recipe (the authors' and MMPose's files). Raises
    FileNotFoundError where there is no such file, ModelFileError or WeightsError where it is no network of
    posewright's, ValueError for a combination that there is not, ImportError where what runs it is not installed.

    >>> people = load()("photo.jpg")  # doctest: +SKIP
    """
    path = located(str(name))
    if path.suffix in (".pt", ".pth"):
        if backend not in ("auto", "torch"):
            raise ValueError(f"{path}: a checkpoint runs with torch; `posewright export` makes a file for {backend}")
        from posewright.export import checkpoint

        network = checkpoint.load(path, precision, recipe=recipe_by(recipe) if recipe else None)
        return TopDown(network, network.codec, flip=flip, batch=batch)
    build = maker(path) if backend == "torch" else None
    options: dict[str, Any] = {"backend": backend, "precision": precision, "threads": threads, "build": build}
    return estimate.load(path, flip=flip, batch=batch, **options)


def located(name: str) -> Path:
    """Return the file that a network's name means, fetched where it is a URL; raises FileNotFoundError."""
    if "://" in name:
        return fetch(name)
    if name == "default":
        path, hint = estimate.default_file(), "this installation lacks the embedded network"
    elif name in {recipe.name for recipe in RECIPES}:
        path, hint = Path("runs") / name / "last.pt", f"train {name} first, or name a checkpoint or an .onnx file"
    else:
        path, hint = Path(name), "name an .onnx file, a checkpoint (.pt), a URL, a recipe, or default"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {hint}")
    return path


def maker(path: Path) -> Callable[[], Any]:
    """Return what makes the module of an exported network: that of the recipe that its card names."""
    name = json.loads(metadata.read(path).get("card", "{}")).get("recipe")
    if not name:
        raise ValueError(f"{path}: its card names no recipe, so torch cannot build its network; use another backend")
    return recipe_by(name).network


def recipe_by(name: str) -> Recipe:
    """Find a recipe, also as my_file.py:my_recipe; a mistake in that file is a ValueError that names its line."""
    file = name.rpartition(":")[0]
    try:
        return recipe_named(name)
    except Exception as error:
        places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(file)]
        line = error.lineno if isinstance(error, SyntaxError) else places[-1] if places else None
        if not file.endswith(".py") or line is None:
            raise
        raise ValueError(f"{file}, line {line}: {type(error).__name__}: {error}") from None
