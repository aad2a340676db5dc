"""Training: one plain loop, resumable to the bit.

What a step does is a function of the checkpoint and the step's number: batches are drawn by (seed, epoch,
number), weights, moments and the running average are stored whole. So a run that was killed continues as
if it had not been. Several processes (torchrun) take every n-th batch and average their gradients.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.distributed import barrier

from posewright.estimators.runtimes.torch import network_of
from posewright.estimators.scenes import predict_scenes
from posewright.estimators.top_down import TopDown
from posewright.files import write_whole
from posewright.recipes.recipe import Recipe
from posewright.scene import Scene
from posewright.train.loader import Batches, kept
from posewright.train.log import Log, about
from posewright.train.machine import MACHINE, Machine, Team, team
from posewright.train.start import Start, first_weights
from posewright.train.state import CheckpointError, State, prepared
from posewright.train.steps import steps

__all__ = [
    "MACHINE",
    "CheckpointError",
    "Machine",
    "Start",
    "State",
    "first_weights",
    "prepared",
    "scores",
    "steps",
    "train",
]

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("loss {task.fields[loss]:.4g}"),
    TimeRemainingColumn(elapsed_when_finished=True),
)


def train(
    recipe: Recipe,
    data: str,
    out: Path,
    seed: int = 0,
    resume: bool = False,
    start: Start | None = None,
    machine: Machine = MACHINE,
) -> Path:
    """Train a recipe on the scenes of `data`; returns the last checkpoint's path.

    out: folder of `last.pt` and of `log.jsonl` with one line an epoch. start: the first weights, all or
    some, for fine-tuning, and how they see pictures. Raises FileExistsError where `out` holds a checkpoint and
    `resume` does not say to go on from it, FileNotFoundError where it says so and there is none, WeightsError or
    CheckpointError where it is damaged or belongs to another training.
    """
    checkpoint = out / "last.pt"
    _check(checkpoint, resume)
    if machine.threads:
        torch.set_num_threads(machine.threads)
    out.mkdir(parents=True, exist_ok=True)
    with team(machine) as place:
        scenes = _scenes(recipe, data, out, place, machine)
        occlusion = recipe.occlusion and recipe.occlusion(scenes)
        batches = Batches(
            scenes, recipe.codec, recipe.jitter, recipe.batch, seed, recipe.aim, occlusion, recipe.occluded,
            recipe.jitters, recipe.apart.given
        )  # fmt: skip
        state = prepared(recipe, seed, machine)
        if recipe.apart.counted:
            state.begin_with(recipe.apart.counted(scenes))
        if start is not None:
            state.begin_with(*start)
        log = Log(about(recipe, data, batches, place))
        if resume:
            log.go_on(checkpoint, state.restore(checkpoint))
        taken = steps(recipe, batches, state, machine, *place)
        if place.rank > 0:
            deque(taken, maxlen=0)
        else:
            _lead(taken, recipe, state, recipe.read(Path(data), recipe.judged_on), log, checkpoint, machine.save_every)
    return checkpoint


def _lead(
    taken: Iterable[float],
    recipe: Recipe,
    state: State,
    truth: list[Scene],
    log: Log,
    checkpoint: Path,
    save_every: float,
) -> None:
    """Show the steps as they are taken, judge every epoch, and save."""
    epoch, saved = log.facts["steps"], time.monotonic()
    with Progress(*COLUMNS, console=Console(stderr=True)) as progress:
        bar = progress.add_task(recipe.name, total=recipe.epochs * epoch, completed=state.step, loss=0.0)
        for loss in taken:
            log.losses.append(loss)
            progress.update(bar, completed=state.step, loss=loss)
            ended = state.step % epoch == 0
            if ended:
                line = log.end_epoch(state.step // epoch, scores(recipe, state, truth))
                progress.console.print("  ".join(f"{key} {value:.4g}" for key, value in line.items() if "/" not in key))
            if ended or time.monotonic() - saved > save_every:
                state.save(checkpoint, **log.told())
                _write_lines(checkpoint.with_name("log.jsonl"), log.history)
                saved = time.monotonic()


def scores(recipe: Recipe, state: State, truth: list[Scene]) -> dict[str, float]:
    """Judge the network at the annotated boxes, without flip test, or as the recipe says."""
    network = network_of(state.best(), recipe.codec, aim=recipe.aim)
    found = (
        recipe.apart.predicted(network, truth)
        if recipe.apart.predicted
        else predict_scenes(TopDown(network, recipe.codec), truth)
    )
    return recipe.metric(list(found), truth)


def _check(checkpoint: Path, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"{checkpoint} exists: go on from it with --resume, or name another folder with --out")
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: no checkpoint to resume; leave --resume out to start anew")


def _scenes(recipe: Recipe, data: str, out: Path, place: Team, machine: Machine) -> list[Scene]:
    """List what to train on; where crops are kept, the first process writes them and the others wait."""
    scenes = recipe.apart.each(recipe.read(Path(data), "train"))
    if not scenes:
        raise ValueError(f"{data}: nobody in the train split is labelled, so there is nothing to learn from")
    if not machine.keep:
        return scenes
    if place.rank > 0:
        barrier()
    found = kept(scenes, out / "crops.npy", recipe.codec, each=list)
    if place.rank == 0 and place.size > 1:
        barrier()
    return found


def _write_lines(path: Path, lines: list[dict[str, float]]) -> None:
    write_whole(path, "".join(json.dumps(line) + "\n" for line in lines).encode())
