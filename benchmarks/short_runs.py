"""Train five families a little while on real people, side by side: `posewright train benchmarks/short_runs.py:NAME`.

Each keeps its recipe's targets, loss, jitter, optimiser, batch and first learning rate. What is cut: 128x128 crops, the
first 2,500 people of LSP-extended's train split, 8 epochs, the schedule pressed into them. From random weights: what a
family learns in 20,000 crops, not how good it gets. One core took 14 minutes for RSN-18, 33 for the hourglasses and 38
for EfficientPose:

    posewright train benchmarks/short_runs.py:hourglass --data lsp:DIR --machine.keep --machine.precision bf16
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from posewright.datasets import lsp
from posewright.recipes import recipe_named
from posewright.recipes.recipe import Phase, Recipe
from posewright.scene import Scene

PEOPLE = 2500
SIZE = (128, 128)


def first(root: Path, split: str) -> list[Scene]:
    """Read the first people of the train split, or all of another."""
    return lsp.read(root, split)[: PEOPLE if split == "train" else None]


def short(name: str, *phases: Phase) -> Recipe:
    """Cut a recipe of LSP-extended down."""
    recipe = recipe_named(name)
    title = name.removesuffix("_lsp")
    return replace(recipe, name=f"short_{title}", summary=f"{title}, {PEOPLE} people, {SIZE[0]}x{SIZE[1]}", read=first,
                   codec=replace(recipe.codec, size=SIZE), phases=phases)  # fmt: skip


simple_baseline = short("simple_baseline_r50_lsp", Phase(5, 1e-3), Phase(2, 1e-4), Phase(1, 1e-5))
hourglass = short("hourglass_2_lsp", Phase(6, 1e-3), Phase(2, 2e-4))
cpn = short("cpn_r50_lsp", Phase(4, 5e-4), Phase(2, 2.5e-4), Phase(1, 1.25e-4), Phase(1, 6.25e-5))
rsn18 = short("rsn18_lsp", Phase(8, 5e-4, to=0.0, warmup=16, straight=True))
efficientpose_rt = short("efficientpose_rt_lsp", Phase(8, 1e-3, to=1e-5, warmup=16))
