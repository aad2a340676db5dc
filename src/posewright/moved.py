"""Moved modules: files that people wrote for version 0.1.0's layout go on importing what they need."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "adapters": "estimators.adapters",
    "boxes": "datasets.detections",
    "estimate": "estimators.top_down",
    "evolve": "train.evolve",
    "export": "train.export",
    "gallery": "report.gallery",
    "inputs": "datasets.inputs",
    "loader": "train.loader",
    "named": "verbs.load",
    "page": "report.page",
    "proposals": "augment.proposals",
    "recipe": "recipes.recipe",
    "refine": "estimators.refine",
    "runtimes": "estimators.runtimes",
    "scoring": "verbs.score",
    "synthesis": "augment.synthesis",
    "weights": "estimators.weights",
}
"""Where a module of the root went, with all inside it; names that are functions of posewright now are left out."""


class Moved:
    """Find modules of posewright under the names that they had."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:  # noqa: ARG002
        root, _, inner = name.partition(".")
        loader: Any = self
        return (
            ModuleSpec(name, loader, is_package=True) if root == "posewright" and inner.split(".")[0] in MOVED else None
        )

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make the module."""

    def exec_module(self, module: ModuleType) -> None:
        first, _, rest = module.__name__.removeprefix("posewright.").partition(".")
        new = ".".join(filter(None, ("posewright", MOVED[first], rest)))
        real = import_module(new)
        module.__getattr__ = lambda name: getattr(real, name)  # type: ignore[method-assign]


def install() -> None:
    """Let the names that modules had be found, after all others."""
    if not any(isinstance(finder, Moved) for finder in sys.meta_path):
        sys.meta_path.append(Moved())
