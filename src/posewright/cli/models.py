"""Lists: the recipes by name, and their networks with sizes as counted here beside those that were published."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from tyro.conf import arg

from posewright.text import cell

COLUMNS = (
    "recipe",
    "input, height x width",
    "parameters, M",
    "published",
    "GMACs",
    "published GFLOPs",
    "reported",
    "held to",
    "weights",
)
NOTE = "GFLOPs as printed: multiply-accumulates like our GMACs, but twice as many for EfficientPose and PyraNet."
WIDTH = 220
"""Columns of a table that goes into a file or another program."""


LEAST = 160
"""Columns below which a table would break its words."""


def list_recipes(
    models: Annotated[bool, arg(help="count every network, beside its published size, numbers and evidence")] = False,
) -> int:
    """List the recipes that `train` and `show` know by name, or with --models their networks."""
    from posewright.recipes import RECIPES

    if models:
        list_models()
        return 0
    for recipe in RECIPES:
        print(f"{recipe.name:34} {recipe.summary}")
    return 0


def list_models() -> None:
    """Print every network: counted and published size, input, reported numbers, the vector it equals, weights."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from posewright.recipes import RECIPES

    table = Table(*COLUMNS, box=SIMPLE, pad_edge=False)
    shown: Iterable[Any] = track(RECIPES, "counting", console=Console(stderr=True), transient=True)
    rows = [row(recipe) for recipe in shown]
    for one in rows:
        table.add_row(*map(cell, one))
    console = Console()
    wide = console if console.is_terminal else Console(width=WIDTH)
    wide.print(table if wide.width >= LEAST else blocks(rows), highlight=False)
    wide.print(NOTE, highlight=False)


def blocks(rows: Iterable[Sequence[str]]) -> Any:
    """Return the table for a narrow terminal: a network's name, and below it what is known, as a sentence."""
    from rich.console import Group
    from rich.padding import Padding

    found: list[Any] = []
    for name, *values in rows:
        known = ", ".join(
            f"{column} {value}" for column, value in zip(COLUMNS[1:], values, strict=True) if value != "-"
        )
        found += [f"[bold]{cell(name)}[/bold]", Padding(cell(known), (0, 0, 1, 4))]
    return Group(*found)


def row(recipe: Any) -> tuple[str, ...]:
    """Return what is known of a recipe's network, column by column; "-" where nobody says."""
    from posewright.recipes.data import shape
    from posewright.recipes.published import published

    said = published(recipe)
    reported = "; ".join(f"{name}: {value:g}" for name, value in recipe.reported.items()) or "-"
    counted = size(recipe)
    return (
        recipe.name, shape(recipe.codec), counted[0], said.parameters, counted[1], said.gflops,
        reported, said.held_to, said.weights,
    )  # fmt: skip


def size(recipe: Any) -> tuple[str, str]:
    """Return parameters in millions and GMACs, kept or counted; "-" where neither can be, without torch."""
    from posewright.recipes import sizes

    found = sizes.kept(recipe)
    if found is None and importlib.util.find_spec("torch") is None:
        return "-", "-"
    parameters, macs = found or sizes.counted(recipe)
    return f"{parameters / 1e6:.2f}", f"{macs / 1e9:.2f}"
