"""Training: one plain loop, resumable to the bit.

What a step does is a function of the checkpoint and the step's number: batches are drawn by (seed, epoch,
number), weights, moments and the running average are stored whole. So a run that was killed continues as
if it had not been. Several processes (torchrun) take every n-th batch and average their gradients.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.distributed import barrier, destroy_process_group, init_process_group, is_initialized
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from posewright.estimate import TopDown
from posewright.evaluate import predict
from posewright.fields import Heatmaps
from posewright.loader import Batches, kept
from posewright.models.pixels import FromPixels
from posewright.recipe import Recipe
from posewright.scene import Scene, each_person

SAVE_EVERY = 300.0
"""Seconds between checkpoints within an epoch."""

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"),
           TimeRemainingColumn(elapsed_when_finished=True))  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """How the arithmetic runs; the recipe says what is computed."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes forward passes in bfloat16 where that is safe; on a processor with AVX512-BF16 1.6 times faster."""
    compile: bool = False
    workers: int = 1
    """Processes that draw batches, in each training process."""
    threads: int = 0
    """Threads of arithmetic; 0 leaves torch's choice."""
    keep: bool = False
    """Decode every person's crop once into a file: 11 times faster loading, 3 bytes a pixel of disk."""


MACHINE = Machine()


@dataclass
class State:
    """All that a step needs and changes."""

    module: FromPixels
    optimiser: torch.optim.AdamW
    average: dict[str, Tensor]
    step: int = 0

    def save(self, path: Path, **facts: Any) -> None:
        """Write a checkpoint of tensors and plain facts, atomically."""
        content = {
            "network": self.module.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            **facts,
        }
        partial = path.with_name(f".{path.name}.partial")
        torch.save(content, partial)
        os.replace(partial, path)

    def begin_with(self, weights: Mapping[str, Tensor]) -> None:
        """Take first weights from elsewhere; raises RuntimeError where names or shapes differ."""
        self.module.network.load_state_dict(weights)
        for name, value in self.module.network.state_dict().items():
            if name in self.average:
                self.average[name].copy_(value)

    def best(self) -> FromPixels:
        """Return the network to be judged: with the running average of the weights where there is one."""
        best = copy.deepcopy(self.module).eval()
        if self.average:
            best.network.load_state_dict(self.average)
        return best

    def restore(self, path: Path) -> dict[str, Any]:
        """Continue from a checkpoint; returns its facts."""
        content = torch.load(path, map_location="cpu", weights_only=True)
        self.module.network.load_state_dict(content.pop("network"))
        self.optimiser.load_state_dict(content.pop("optimiser"))
        self.average = {name: value.to(self.module.mean.device) for name, value in content.pop("average").items()}
        self.step = content.pop("step")
        return content


class _Drawn(Dataset[Any]):
    """Number the batches from the first step to the last, for the loader's processes."""

    def __init__(self, batches: Batches, rank: int, team: int) -> None:
        self.batches, self.rank, self.team = batches, rank, team
        self.steps = -(-len(batches) // team)

    def __getitem__(self, step: int) -> tuple[Any, Heatmaps]:
        epoch, place = divmod(step, self.steps)
        return self.batches.batch(epoch, place * self.team + self.rank)


def prepared(recipe: Recipe, seed: int, machine: Machine) -> State:
    """Build the network with its first weights, its optimiser and its running average."""
    torch.manual_seed(seed)
    module = FromPixels(recipe.network()).to(machine.device)
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.0, weight_decay=recipe.weight_decay, fused=True)
    average = {name: value.clone() for name, value in module.network.state_dict().items()} if recipe.average else {}
    return State(module, optimiser, average)


def steps(recipe: Recipe, batches: Batches, state: State, machine: Machine, rank: int = 0, team: int = 1) -> Iterator[float]:
    """Take the steps that are left, one an item; yields each step's loss."""
    drawn = _Drawn(batches, rank, team)
    last = recipe.epochs * drawn.steps
    loader = DataLoader(drawn, batch_size=None, sampler=range(state.step, last), num_workers=machine.workers,
                        prefetch_factor=4 if machine.workers else None)  # fmt: skip
    network: nn.Module = DistributedDataParallel(state.module) if team > 1 else state.module
    if machine.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    half = torch.autocast(machine.device, torch.bfloat16) if machine.precision == "bf16" else nullcontext()
    network.train()
    for pixels, target in loader:
        for group in state.optimiser.param_groups:
            group["lr"] = recipe.rate_at(state.step, drawn.steps)
        target = Heatmaps(*(field.to(machine.device) for field in target))
        with half:
            answer = network(pixels.to(machine.device))
        loss = recipe.loss(answer, target)
        loss.backward()
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.step += 1
        _average(state, recipe.average)
        yield float(loss.detach())


def train(
    recipe: Recipe,
    data: str,
    out: Path,
    seed: int = 0,
    resume: bool = False,
    start: Mapping[str, Tensor] | None = None,
    machine: Machine = MACHINE,
) -> Path:
    """Train a recipe on the scenes of `data`; returns the last checkpoint's path.

    out: folder of `last.pt` and of `log.jsonl` with one line an epoch. start: the first weights, for
    fine-tuning. Raises FileExistsError where `out` holds a checkpoint and `resume` does not say to go on
    from it, FileNotFoundError where it says so and there is none.
    """
    checkpoint = out / "last.pt"
    _check(checkpoint, resume)
    rank, team = _join_team(machine)
    if machine.threads:
        torch.set_num_threads(machine.threads)
    out.mkdir(parents=True, exist_ok=True)
    batches = Batches(_kept(recipe, data, out, rank, machine), recipe.codec, recipe.jitter, recipe.batch, seed, recipe.aim)
    truth = recipe.read(data, "test")
    state = prepared(recipe, seed, machine)
    if start is not None:
        state.begin_with(start)
    history: list[dict[str, float]] = state.restore(checkpoint)["history"] if resume else []
    _loop(recipe, batches, state, machine, (rank, team), checkpoint, history, truth)
    if team > 1:
        destroy_process_group()
    return checkpoint


def _loop(recipe: Recipe, batches: Batches, state: State, machine: Machine, place: tuple[int, int], checkpoint: Path,
          history: list[dict[str, float]], truth: list[Scene]) -> None:  # fmt: skip
    """Take all steps; the first process shows them, saves them, and judges every epoch."""
    epoch = -(-len(batches) // place[1])
    losses: list[float] = []
    saved = time.monotonic()
    with Progress(*COLUMNS, console=Console(stderr=True), disable=place[0] > 0) as progress:
        bar = progress.add_task(recipe.name, total=recipe.epochs * epoch, completed=state.step, loss=0.0)
        for loss in steps(recipe, batches, state, machine, *place):
            losses.append(loss)
            progress.update(bar, completed=state.step, loss=loss)
            if place[0] > 0:
                continue
            if state.step % epoch == 0:
                line = {"epoch": state.step // epoch, "loss": sum(losses) / len(losses)} | scores(recipe, state, truth)
                history.append(line)
                losses.clear()
                progress.console.print("  ".join(f"{name} {value:.4g}" for name, value in line.items() if "/" not in name))
            if state.step % epoch == 0 or time.monotonic() - saved > SAVE_EVERY:
                state.save(checkpoint, recipe=recipe.name, seed=batches.seed, history=history)
                _write_lines(checkpoint.with_name("log.jsonl"), history)
                saved = time.monotonic()


def scores(recipe: Recipe, state: State, truth: list[Scene]) -> dict[str, float]:
    """Judge the network at the annotated boxes, without flip test."""
    from posewright.runtimes.torch import network_of

    return recipe.metric(list(predict(TopDown(network_of(state.best(), recipe.codec), recipe.codec), truth)), truth)


def _check(checkpoint: Path, resume: bool) -> None:
    if checkpoint.exists() and not resume:
        raise FileExistsError(f"{checkpoint} exists: go on from it with --resume, or name another folder with --out")
    if resume and not checkpoint.exists():
        raise FileNotFoundError(f"{checkpoint}: no checkpoint to resume; leave --resume out to start anew")


def _join_team(machine: Machine) -> tuple[int, int]:
    """Join the processes that torchrun started; returns (rank, how many)."""
    team = int(os.environ.get("WORLD_SIZE", "1"))
    if team > 1:
        init_process_group("nccl" if machine.device.startswith("cuda") else "gloo")
    return int(os.environ.get("RANK", "0")), team


def _kept(recipe: Recipe, data: str, out: Path, rank: int, machine: Machine) -> list[Scene]:
    """List what to train on; where crops are kept, the first process writes them and the others wait."""
    scenes = each_person(recipe.read(data, "train"))
    if not machine.keep:
        return scenes
    if rank > 0:
        barrier()
    found = kept(scenes, out / "crops.npy", recipe.codec)
    if rank == 0 and is_initialized():
        barrier()
    return found


def _write_lines(path: Path, lines: list[dict[str, float]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.replace(partial, path)


@torch.no_grad()
def _average(state: State, decay: float) -> None:
    """Move the running average towards the weights; early on faster, so that it forgets the first weights."""
    if not decay:
        return
    keep = min(decay, (1 + state.step) / (10 + state.step))
    for name, value in state.module.network.state_dict().items():
        if value.is_floating_point():
            state.average[name].lerp_(value, 1 - keep)
        else:
            state.average[name].copy_(value)
