"""How large every recipe's network is: counted once and kept in `sizes.json`, which a test counts again.

`python -m posewright.recipes.sizes` counts what is new or changed and writes the file.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from posewright.recipes.recipe import Recipe

FILE = Path(__file__).with_name("sizes.json")


class Size(NamedTuple):
    """Hold how many numbers of a network training changes, and its multiply-accumulates for one picture."""

    parameters: int
    macs: int


def kept(recipe: Recipe) -> Size | None:
    """Return the size of the network of a recipe of the library; None for others, whose networks must be counted."""
    found = _all().get(recipe.name) if recipe.source is None else None
    return None if found is None else Size(*found)


def counted(recipe: Recipe) -> Size:
    """Count a recipe's network; no weight is drawn and nothing is computed."""
    import torch

    from posewright.models.count import macs, parameters

    with torch.device("meta"):
        network = recipe.network()
    return Size(parameters(network), macs(network, recipe.codec.size))


@cache
def _all() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def main() -> None:
    """Count every network of the library and write the file."""
    from posewright.recipes import RECIPES

    rows = ",\n".join(f'"{recipe.name}": {json.dumps(counted(recipe))}' for recipe in RECIPES)
    FILE.write_text(f"{{\n{rows}\n}}\n")


if __name__ == "__main__":
    main()
