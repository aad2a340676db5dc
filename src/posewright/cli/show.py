"""Show: what a recipe is made of, or what the card of an exported network says."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from posewright.codecs.codec import is_whole
from posewright.estimators.embedded import EMBEDDED
from posewright.estimators.runtimes import metadata
from posewright.occlusion import described
from posewright.recipes.published import published
from posewright.recipes.recipe import Phase, Recipe
from posewright.skeleton import Skeleton
from posewright.text import cell
from posewright.verbs import load as named

Row = tuple[str, str]
MOST_PARTS = 50
"""Rows in which a network is shown, where it can be."""


def show_it(name: str) -> None:
    """Print a recipe, or an exported network's card; of an embedded one both."""
    if name.endswith(".onnx"):
        _print(Path(name).name, card_rows(named.located(name)))
        return
    recipe = named.recipe_by(name)
    _print(recipe.name, recipe_rows(recipe))
    if importlib.util.find_spec("torch") is not None:
        _print("the network, part by part: what leaves each, and its parameters", parts_of(recipe))
    if name in EMBEDDED:
        _print("the embedded network", card_rows(named.located(name)))


def recipe_rows(recipe: Recipe) -> Iterator[Row]:
    """Say what a recipe is made of, part by part."""
    skeleton = recipe.codec.skeleton
    yield "", recipe.summary
    yield "paper", recipe.paper
    yield "data", recipe.data
    yield "network", _network(recipe)
    yield "codec", f"{type(recipe.codec).__name__}: {_values(recipe.codec)}"
    yield "skeleton", f"{skeleton.name}, {len(skeleton)} keypoints: {', '.join(skeleton.keypoints)}".replace("_", " ")
    yield "loss", _loss(recipe.loss)
    yield "phases", "\n".join(_phase(phase, recipe) for phase in recipe.phases)
    shown = "pictures" if is_whole(recipe.codec) else "crops"
    yield "batch", f"{recipe.batch} {shown}, weight decay {recipe.optimiser.weight_decay:g}{_averaged(recipe)}"
    yield "jitter", _values(recipe.jitter)
    yield "occlusion", described(recipe.occlusion(())) if recipe.occlusion else ""
    yield "metric", recipe.metric.__name__.replace("_", " ")
    yield "reported", "\n".join(f"{name}: {value:g}" for name, value in recipe.reported.items()) or "nothing"


def card_rows(path: Path) -> Iterator[Row]:
    """Say what an exported network says of itself; raises ModelFileError where the file is none."""
    facts = metadata.facts(path)
    for key, value in facts.card.items():
        yield key.replace("_", " "), _told(value)
    pictures, score = facts.parity.get("pictures"), facts.parity.get("score")
    if isinstance(pictures, int) and isinstance(score, int | float):
        yield "export", f"like torch on {pictures} pictures, score apart by {score:.2g} at most"
    yield "weights", f"{path.stat().st_size / 1e6:.1f} MB, SHA-256 {facts.weights[:16]}..."


def _network(recipe: Recipe) -> str:
    """Count the network where torch is installed, and set what is published beside it."""
    said = published(recipe)
    paper = "" if said.parameters == "-" else f" ({said.parameters} M published)"
    flops = "" if said.gflops == "-" else f" ({said.gflops} GFLOPs published)"
    if importlib.util.find_spec("torch") is None:
        return f'needs torch to be counted{paper}: pip install "posewright[train]"'
    import torch

    from posewright.models.count import macs, parameters

    with torch.device("meta"):
        network = recipe.network()
    width, height = recipe.codec.size
    computed = f"{macs(network, recipe.codec.size) / 1e9:.2f} GMACs at {width}x{height}{flops}"
    counted = f"{parameters(network):,} parameters{paper}, {computed}"
    return f"{type(network).__name__}: {counted}; held to {said.held_to}; weights: {said.weights}"


def parts_of(recipe: Recipe) -> Iterator[Row]:
    """Say which parts a network has, in the order in which they are called, and what leaves each."""
    import torch

    from posewright.models.outline import outline

    with torch.device("meta"):
        network = recipe.network()
    outlines = [outline(network, recipe.codec.size, depth) for depth in (4, 3, 2)]
    for part in next((parts for parts in outlines if len(parts) <= MOST_PARTS), outlines[-1]):
        leaving = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(part.shapes))
        again = f", {part.times} times" if part.times > 1 else ""
        yield "  " * part.depth + part.name, f"{part.kind}  {leaving}  {part.parameters:,}{again}"


def _loss(loss: Any) -> str:
    """Name a loss in words, whatever it is told beforehand."""
    function = getattr(loss, "func", loss)
    return str(getattr(function, "name", None) or function.__name__).replace("_", " ")


def _phase(phase: Phase, recipe: Recipe) -> str:
    rate = f"at {phase.rate:g}" if phase.to is None else f"from {phase.rate:g} down to {phase.to:g}"
    warmup = f", after a warm-up of {phase.warmup} steps" if phase.warmup else ""
    clear = ", without occlusion" if recipe.occlusion and not phase.occluded else ""
    return f"{phase.epochs} epochs {rate}{warmup}{clear}"


def _averaged(recipe: Recipe) -> str:
    return f", weights averaged with decay {recipe.optimiser.average:g}" if recipe.optimiser.average else ""


def _values(part: Any) -> str:
    """Return a dataclass' fields in words, its skeleton left out."""
    values = {field.name.replace("_", " "): getattr(part, field.name) for field in fields(part)}
    return ", ".join(f"{n} {_told(v)}" for n, v in values.items() if not (v is None or isinstance(v, Skeleton)))


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_told(each)}" for key, each in value.items() if "/" not in str(key))
    if isinstance(value, tuple | list):
        return "x".join(map(_told, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print(title: str, rows: Iterator[Row]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text:
            table.add_row(cell(name), cell(text))
    console = Console(highlight=False)
    console.print(f"[bold]{cell(title)}[/bold]")
    console.print(table)
    console.print()
