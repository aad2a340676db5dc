"""State: all that a training step needs and changes, kept in a checkpoint and taken up from there."""

from __future__ import annotations

import copy
import errno
import io
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posewright.files import whole
from posewright.models.load import read
from posewright.models.original import original_of
from posewright.models.pixels import FromPixels, Normal
from posewright.models.report import listed
from posewright.recipes.recipe import Recipe
from posewright.train.facts import checked
from posewright.train.machine import Machine

PARTS = ("network", "optimiser", "average", "step")
"""What every checkpoint holds, beside the facts."""


def is_checkpoint(content: Any) -> bool:
    """Tell a checkpoint of posewright's training from whatever else a file of weights may hold."""
    return isinstance(content, Mapping) and content.keys() >= {*PARTS}


class CheckpointError(ValueError):
    """A file that should be a checkpoint to go on from and is none; the message names the file and the reason."""


class Full(io.FileIO):
    """A file to write to that keeps the error by which it took no more, as of a full disk."""

    error: OSError | None = None

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")

    def write(self, data: Any) -> int:
        """Write all of the data."""
        left = memoryview(data).cast("B")
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
            raise
        return memoryview(data).nbytes


@dataclass
class State:
    """Hold network, moments, running average of the weights ({} where the recipe has none), and steps taken."""

    module: FromPixels
    optimiser: torch.optim.Optimizer
    average: dict[str, Tensor]
    step: int = 0

    def save(self, path: Path, **facts: Any) -> None:
        """Write a checkpoint of tensors and plain facts, atomically."""
        content = {
            "network": self.module.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "normal": self.module.normal._asdict(),
            **facts,
        }
        with whole(path) as partial, Full(partial) as file:
            try:
                torch.save(content, file)
            except RuntimeError:  # torch's own words for a file that takes no more
                raise file.error or OSError(errno.EIO, os.strerror(errno.EIO)) from None

    def restore(self, path: Path) -> dict[str, Any]:
        """Continue from a checkpoint; returns its facts. Raises WeightsError or CheckpointError."""
        content = read_checkpoint(path)
        if content["average"].keys() != self.average.keys():
            raise CheckpointError(f"{path}: its running average is not that of this recipe's weights")
        try:
            self.module.network.load_state_dict(content.pop("network"))
            self.optimiser.load_state_dict(content.pop("optimiser"))
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{path}: holds another network than this recipe's: {reason}") from None
        for name, value in content.pop("average").items():
            self.average[name].copy_(value)
        self.module.see(*Normal(**content.pop("normal", {})))
        self.step = content.pop("step")
        return content

    def begin_with(self, weights: Mapping[str, Tensor], normal: Normal | None = None) -> None:
        """Take first weights from elsewhere, all or some, and see pictures as they do.

        Raises ValueError for names or shapes that are not here.
        """
        own = self.module.network.state_dict()
        strange = [name for name, value in weights.items() if name not in own or own[name].shape != value.shape]
        if strange:
            raise ValueError(f"first weights that do not fit this recipe's network: {listed(strange)}")
        self.module.network.load_state_dict({**own, **weights})
        if normal is not None:
            self.module.see(*normal)
        for name, value in self.average.items():
            value.copy_(own[name])

    @torch.no_grad()
    def move_average(self, decay: float) -> None:
        """Move the running average towards the weights; early on faster, so that it forgets the first weights."""
        keep = min(decay, (1 + self.step) / (10 + self.step))
        for name, value in self.module.network.state_dict().items() if self.average else ():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - keep)
            else:
                self.average[name].copy_(value)

    def best(self) -> FromPixels:
        """Return the network to be judged: with the running average of the weights where there is one."""
        best = copy.deepcopy(self.module).eval()
        if self.average:
            best.network.load_state_dict(self.average)
        return best


def prepared(recipe: Recipe, seed: int, machine: Machine) -> State:
    """Build the network with its first weights, its optimiser and its running average."""
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True
    network = recipe.network()
    module = FromPixels(network, *original_of(network).normal).to(machine.device)
    module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = optimiser_of(recipe, module.network)
    average = (
        {name: value.clone() for name, value in module.network.state_dict().items()} if recipe.optimiser.average else {}
    )
    return State(module, optimiser, average)


def optimiser_of(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser, with a group of parameters for each of the recipe's rates; a group says its `times`."""
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        times = next((times for pattern, times in recipe.optimiser.rates if re.match(pattern, name)), 1.0)
        parameter.requires_grad_(parameter.requires_grad and times > 0)
        groups.setdefault(times, []).append(parameter)
    optimisers: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adamw": partial(torch.optim.AdamW, fused=True),
        "adam": partial(torch.optim.Adam, fused=True),
        "momentum": partial(torch.optim.SGD, momentum=0.9, fused=True),
        "rmsprop": torch.optim.RMSprop,
    }
    steered = [{"params": members, "times": times} for times, members in groups.items()]
    return optimisers[recipe.optimiser.rule](steered, lr=0.0, weight_decay=recipe.optimiser.weight_decay)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's parts and facts; raises WeightsError or CheckpointError where it is none of ours."""
    content = read(path)
    lacking = [part for part in PARTS if not isinstance(content, dict) or part not in content]
    if lacking:
        raise CheckpointError(f"{path}: no checkpoint of a training by posewright, it lacks {', '.join(lacking)}")
    return checked(content, path)
