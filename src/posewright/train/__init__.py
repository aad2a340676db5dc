"""Training: one plain loop, resumable to the bit.

What a step does is a function of the checkpoint and the step's number: batches are drawn by (seed, epoch,
number), weights, moments and the running average are stored whole. So a run that was killed continues as
if it had not been. Several processes (torchrun) take every n-th batch and average their gradients.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.distributed import barrier

from posewright.augment.picture_jitter import PictureJitter
from posewright.codecs.codec import is_whole
from posewright.datasets.records import say
from posewright.estimators.of_network import estimating
from posewright.estimators.runtimes.torch import network_of
from posewright.estimators.scenes import found_in, predict_scenes
from posewright.files import write_whole
from posewright.metrics.trust.plausibility import implausible_labels
from posewright.models.report import listed
from posewright.recipes.own import joined
from posewright.recipes.recipe import Recipe
from posewright.scene import Scene, each_person
from posewright.train.loader import Batches, kept
from posewright.train.log import Log, about
from posewright.train.machine import MACHINE, Machine, Team, settled, team
from posewright.train.mosaics import MosaicBatches
from posewright.train.pictures import PictureBatches, learnable
from posewright.train.start import Start, first_weights
from posewright.train.state import CheckpointError, State, prepared
from posewright.train.steps import steps

__all__ = [
    "MACHINE",
    "CheckpointError",
    "LossError",
    "Machine",
    "Start",
    "State",
    "first_weights",
    "prepared",
    "scores",
    "steps",
    "train",
]


class LossError(ValueError):
    """A loss that is not finite; the message names the step, the rate and the batch."""


LOOKED = 100
"""How many pictures of a split are looked at before the first step."""
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
    CheckpointError where it is damaged or belongs to another training, ValueError before the first step where the
    data has not the recipe's keypoints, a mirror's sides cannot be told or the metric cannot judge the data, and
    LossError at the first loss that is not finite: `last.pt` then stays the last finite one.
    """
    checkpoint = out / "last.pt"
    _check(checkpoint, resume)
    if machine.threads:
        torch.set_num_threads(machine.threads)
    out.mkdir(parents=True, exist_ok=True)
    with team(machine) as place:
        refuse_doubtful(recipe)
        refuse_unfit(recipe, machine)
        scenes = _scenes(recipe, data, out, place, machine)
        occlusion = recipe.occlusion and recipe.occlusion(scenes)
        composed = recipe.apart.composed and recipe.apart.composed(scenes, Path(data))
        drawn = (
            partial(MosaicBatches, compose=composed)
            if composed
            else PictureBatches
            if is_whole(recipe.codec)
            else Batches
        )
        batches = drawn(
            scenes, recipe.codec, recipe.jitter, recipe.batch, seed, recipe.aim, occlusion, recipe.occluded,
            recipe.jitters, recipe.apart.given, recipe.codecs
        )  # fmt: skip
        state = prepared(recipe, seed, machine)
        if recipe.apart.counted:
            state.begin_with(recipe.apart.counted(scenes))
        if start is not None:
            state.begin_with(*start)
        told = state.restore(checkpoint) if resume else {}
        machine = settled(machine, state.module, told.get("precision", "fp32") if resume else None)
        log = Log(about(recipe, data, batches, place, machine.precision))
        if resume:
            log.go_on(checkpoint, told)
        if place.rank == 0:
            _tell(f"trained in {machine.precision} on {machine.device}; --machine.precision says otherwise")
        taken = steps(recipe, batches, state, machine, *place)
        if place.rank > 0:
            deque(taken, maxlen=0)
        else:
            _lead(taken, recipe, state, _judged_on(recipe, data), log, checkpoint, machine.save_every)
    return checkpoint


def _tell(line: str) -> None:
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def _lead(
    taken: Iterable[float],
    recipe: Recipe,
    state: State,
    truth: list[Scene],
    log: Log,
    checkpoint: Path,
    save_every: float,
) -> None:
    """Show the steps as they are taken, judge every epoch, and save; an epoch that was not judged yet is at first."""
    epoch, saved = log.facts["steps"], time.monotonic()

    def judge() -> None:
        line = log.end_epoch(state.step // epoch, scores(recipe, state, truth))
        progress.console.print("  ".join(f"{key} {value:.4g}" for key, value in line.items() if "/" not in key))

    def save() -> None:
        _save(state, checkpoint, log)
        _write_lines(checkpoint.with_name("log.jsonl"), log.history)

    with Progress(*COLUMNS, console=Console(stderr=True)) as progress:
        bar = progress.add_task(recipe.name, total=recipe.epochs * epoch, completed=state.step, loss=0.0)
        if state.step and state.step % epoch == 0:  # a run that ended here may have ended while it judged
            if log.losses:
                judge()
                save()
            _write_lines(checkpoint.with_name("log.jsonl"), log.history)
        for loss in taken:
            if not isfinite(loss):
                raise LossError(_diverged(recipe, state, loss, epoch, checkpoint))
            log.losses.append(loss)
            progress.update(bar, completed=state.step, loss=loss)
            ended = state.step % epoch == 0
            if ended:
                _save(state, checkpoint, log)
                judge()
            if ended or time.monotonic() - saved > save_every:
                save()
                saved = time.monotonic()


def scores(recipe: Recipe, state: State, truth: list[Scene]) -> dict[str, float]:
    """Judge the network at annotated boxes, or by whole pictures without any, or as the recipe says; no flip test."""
    network = network_of(state.best(), recipe.codec, aim=recipe.aim, padding=recipe.padding)
    if recipe.apart.predicted:
        found = recipe.apart.predicted(network, truth)
    else:
        found = (found_in if is_whole(recipe.codec) else predict_scenes)(estimating(network), truth)
    return recipe.metric(list(found), truth)


def _save(state: State, checkpoint: Path, log: Log) -> None:
    """Save a checkpoint; raises LossError, and leaves the one before, where weights are not finite."""
    wrong = [name for name, value in state.module.network.state_dict().items() if not value.isfinite().all()]
    if wrong:
        raise LossError(f"after step {state.step} weights are not finite ({listed(wrong)}); {checkpoint} is as before")
    state.save(checkpoint, **log.told())


def _judged_on(recipe: Recipe, data: str) -> list[Scene]:
    """List what every epoch is judged on; raises ValueError where the metric cannot judge it, before any step."""
    truth = joined(recipe.scenes(data, recipe.judged_on), recipe.codec.skeleton, f"{data}, {recipe.judged_on}")
    doubt(truth, f"{data}, {recipe.judged_on}")
    try:
        recipe.metric([_as_predicted(scene) for scene in truth], truth)
    except ValueError as error:
        raise ValueError(f"{data}, {recipe.judged_on}: {recipe.name}'s metric cannot judge it: {error}") from None
    return truth


def doubt(scenes: Sequence[Scene], what: str) -> None:
    """Warn of what in labels can hardly be meant; raises PictureError where pictures are not of the size that they say.

    Of LOOKED pictures, spread over all, the header is read; where labels do not tell sizes, it tells.
    """
    some = list(scenes[:: max(1, len(scenes) // LOOKED)])
    sized = [scene.with_size() for scene in some]
    untold = any(scene.size is None for scene in scenes)
    for line in implausible_labels(sized if untold else scenes):
        say(f"{what}: {line}")


def _as_predicted(scene: Scene) -> Scene:
    """Return the truth as its own prediction."""
    return replace(scene, people=tuple(replace(p, score=1.0, crowd=False) for p in scene.people if not p.crowd))


def refuse_doubtful(recipe: Recipe) -> None:
    """Raise ValueError where views are mirrored and keypoints' names do not tell which ones change places."""
    doubtful = recipe.codec.skeleton.doubtful
    if doubtful and any(jitter.mirror > 0 for jitter in recipe.jitters):
        raise ValueError(
            f"views are mirrored, and the names do not tell what a mirror shows in place of {', '.join(doubtful[:6])}"
            f"{' ...' if len(doubtful) > 6 else ''}: name sides as left_ear and right_ear, say --sides ear1:ear2 or "
            "--sides none, or do not mirror with --jitter.mirror 0"
        )


def refuse_unfit(recipe: Recipe, machine: Machine) -> None:
    """Raise ValueError where the recipe's codec is of whole pictures, and its jitter or the machine is of crops."""
    whole = is_whole(recipe.codec)
    if any(isinstance(jitter, PictureJitter) != whole for jitter in recipe.jitters):
        wanted, what = ("PictureJitter", "whole pictures") if whole else ("Jitter", "crops of one person")
        raise ValueError(f"{recipe.name}: its codec is of {what}, so its jitter must be a {wanted}")
    if whole and machine.keep:
        raise ValueError(
            f"{recipe.name}: learns from whole pictures, of which no crops can be kept: leave out --machine.keep"
        )


def _diverged(recipe: Recipe, state: State, loss: float, steps: int, checkpoint: Path) -> str:
    """Say where a loss stopped being a number, and what is left."""
    step = state.step - 1
    kept = f"{checkpoint} is the last finite one" if checkpoint.exists() else "there is no checkpoint yet"
    return (
        f"the loss is {loss} at step {step + 1} (epoch {step // steps + 1}, batch {step % steps + 1} of {steps}, "
        f"rate {recipe.rate_at(step, steps):g}); {kept}; a lower rate may help, or look at that batch's data"
    )


def _check(checkpoint: Path, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"{checkpoint} exists: go on from it with --resume, or name another folder with --out")
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: no checkpoint to resume; leave --resume out to start anew")


def _scenes(recipe: Recipe, data: str, out: Path, place: Team, machine: Machine) -> list[Scene]:
    """List what to train on; where crops are kept, the first process writes them and the others wait."""
    each = recipe.apart.each or (learnable if is_whole(recipe.codec) else each_person)
    labelled = joined(recipe.scenes(data, "train"), recipe.codec.skeleton, data)
    scenes = each(labelled)
    if not scenes:
        raise ValueError(f"{data}: nobody in the train split is labelled, so there is nothing to learn from")
    if place.rank == 0:
        doubt(labelled, f"{data}, train")
    if not machine.keep:
        return scenes
    if place.rank > 0:
        barrier()
    found = kept(scenes, out / "crops.npy", recipe.codec, each=list)
    if place.rank == 0 and place.size > 1:
        barrier()
    return found


def _write_lines(path: Path, lines: list[dict[str, float]]) -> None:
    write_whole(
        path,
        "".join(
            json.dumps({k: v if isfinite(v) else None for k, v in line.items()}, allow_nan=False) + "\n"
            for line in lines
        ).encode(),
    )
