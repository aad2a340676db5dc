"""Log: what is known of a training, kept in its checkpoint, and enough to use that by itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from posewright.estimators.runtimes import metadata
from posewright.metrics.score import versions
from posewright.occlusion import described
from posewright.recipes.recipe import Recipe
from posewright.train.loader import Batches
from posewright.train.machine import Team
from posewright.train.state import CheckpointError

FIXED = ("recipe", "seed", "codec", "occlusion", "people", "steps", "processes")
"""Facts that must be the same for a training to go on: they decide what a step's number means."""


@dataclass
class Log:
    """Hold plain facts, one line of scores an epoch, and the losses since the last line."""

    facts: dict[str, Any]
    history: list[dict[str, float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return all of it, for a checkpoint."""
        return {**self.facts, "history": self.history, "losses": self.losses}

    def go_on(self, checkpoint: Path, told: dict[str, Any]) -> None:
        """Take up a checkpoint's log; raises CheckpointError where it belongs to another training."""
        told = {"occlusion": None, **told}
        for name in FIXED:
            then, now = told.get(name, self.facts[name]), self.facts[name]
            if then != now:
                raise CheckpointError(
                    f"{checkpoint}: was trained with {name} {then}, not {now}; go on with the same, "
                    "or begin in another folder with --out and --start"
                )
        self.history, self.losses = told["history"], told.get("losses", [])

    def end_epoch(self, epoch: int, scores: dict[str, float]) -> dict[str, float]:
        """Add an epoch's line and return it."""
        line = {"epoch": epoch, "loss": sum(self.losses) / len(self.losses)}
        line |= {name: float(value) for name, value in scores.items()}
        self.history.append(line)
        self.losses.clear()
        return line


def about(recipe: Recipe, data: str, batches: Batches, place: Team, precision: str) -> dict[str, Any]:
    """Say what is trained, in plain values.

    codec and view stand as an exported file has them, or None where a codec of yours cannot be written down.
    """
    codec: str | None
    view: str | None
    try:
        codec = json.dumps(metadata.described(recipe.codec))
        view = json.dumps({"aim": metadata.named(recipe.aim), "padding": recipe.padding})
    except (TypeError, ValueError):
        codec, view = None, None
    return {
        "recipe": recipe.name,
        "source": recipe.source,
        "codec": codec,
        "view": view,
        "jitter": asdict(recipe.jitter),
        "occlusion": batches.occlusion and described(batches.occlusion),
        "phases": [asdict(phase) for phase in recipe.phases],
        "settings": {
            "batch": recipe.batch,
            "optimiser": recipe.optimiser.rule,
            "weight_decay": recipe.optimiser.weight_decay,
            "average": recipe.optimiser.average,
        },
        "data": data,
        "seed": batches.seed,
        "people": len(batches.scenes),
        "steps": -(-len(batches) // place.size),
        "processes": place.size,
        "precision": precision,
        "versions": versions() | {"torch": str(torch.__version__)},
    }
