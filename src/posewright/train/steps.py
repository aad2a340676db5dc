"""Steps: what one step of training does, as a function of the state and the step's number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from posewright.recipes.recipe import Recipe
from posewright.train.loader import Batches
from posewright.train.machine import Machine, Team
from posewright.train.state import State

AHEAD = 4
"""Batches that each drawing process has ready."""


class Drawn(Dataset[Any]):
    """Number the batches from the first step of training to the last; this process's share of them."""

    def __init__(self, batches: Batches, team: Team) -> None:
        self.batches, self.team = batches, team
        self.steps = -(-len(batches) // team.size)
        """An epoch's, in each process."""

    def __getitem__(self, step: int) -> tuple[Any, Any] | Exception:
        """Return the batch of a step, or why there is none: raised here, an error would drown in a trace."""
        epoch, place = divmod(step, self.steps)
        try:
            return self.batches.batch(epoch, place * self.team.size + self.team.rank)
        except (ValueError, OSError) as error:
            return error


def steps(
    recipe: Recipe, batches: Batches, state: State, machine: Machine, rank: int = 0, team: int = 1
) -> Iterator[float]:
    """Take the steps that are left, one an item; yields each step's loss."""
    drawn = Drawn(batches, Team(rank, team))
    network = trained(state.module, machine, team)
    for told, target in _loaded(drawn, range(state.step, recipe.epochs * drawn.steps), machine):
        torch.manual_seed(_seed(batches.seed, state.step, rank))
        for group in state.optimiser.param_groups:
            group["lr"] = group.get("times", 1.0) * recipe.rate_at(state.step, drawn.steps)
        with machine.half():
            answer = network(*(one.to(machine.device) for one in ([told] if isinstance(told, Tensor) else told)))
        loss = recipe.loss(
            answer, type(target)(*(None if field is None else field.to(machine.device) for field in target))
        )
        loss.backward()
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=True)
        state.step += 1
        state.move_average(recipe.optimiser.average)
        yield float(loss.detach())


def trained(module: nn.Module, machine: Machine, team: int) -> nn.Module:
    """Return the module in the form that is called in training: shared by a team, compiled if wished.

    Normalisations whose weights do not learn keep their statistics too.
    """
    network: nn.Module = DistributedDataParallel(module) if team > 1 else module
    if machine.compile:
        network = torch.compile(network)  # type: ignore[assignment]
    network.train()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.affine and not layer.weight.requires_grad:
            layer.eval()
    return network


def _loaded(drawn: Drawn, numbers: range, machine: Machine) -> Iterator[tuple[Any, Any]]:
    """Let the loader's processes draw ahead; raises what hindered them."""
    ahead = AHEAD if machine.workers else None
    loader = DataLoader(drawn, batch_size=None, sampler=numbers, num_workers=machine.workers,
                        prefetch_factor=ahead, worker_init_fn=_alone)  # fmt: skip
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    loaded = iter(loader)
    cv2.setNumThreads(threads)
    for batch in loaded:
        if isinstance(batch, Exception):
            raise batch
        yield batch


def _alone(worker: int) -> None:  # noqa: ARG001
    """Let a loader's process draw on one thread: there are as many of them as cores to spare.

    A forked process must find OpenCV at one thread: it waits forever where it stops its parent's threads itself.
    """
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)


def _seed(*numbers: int) -> int:
    """Mix numbers into one seed, so that what a network draws by chance depends on the step alone."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
