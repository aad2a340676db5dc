"""Machine: where and how the arithmetic of a training runs, and how many processes share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple

import torch
from torch.distributed import destroy_process_group, init_process_group

PATIENCE = timedelta(hours=6)
"""How long processes wait for each other: the first one judges every epoch alone."""


@dataclass(frozen=True)
class Machine:
    """How the arithmetic runs; the recipe says what is computed."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16 computes forward passes in bfloat16 where that is safe; on a processor with AVX512-BF16 1.6 times faster."""
    compile: bool = False
    """Fuse the network's arithmetic with torch.compile: minutes to begin, faster afterwards."""
    workers: int = 1
    """Processes that draw batches, in each training process; 0 draws them in between."""
    threads: int = 0
    """Threads of arithmetic; 0 leaves torch's choice."""
    keep: bool = False
    """Decode every person's crop once into a file: 4 times faster loading, 3 bytes a pixel of disk."""
    save_every: float = 300.0
    """Seconds between checkpoints within an epoch."""

    def half(self) -> AbstractContextManager[object]:
        """Compute in bfloat16 where that is safe, or not, as `precision` says."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16) if self.precision == "bf16" else nullcontext()


MACHINE = Machine()


class Team(NamedTuple):
    """Say which of how many processes this one is."""

    rank: int = 0
    size: int = 1


@contextmanager
def team(machine: Machine) -> Iterator[Team]:
    """Join the processes that torchrun started, if it did, and part from them in the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    if machine.device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    init_process_group("nccl" if machine.device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield Team(int(os.environ["RANK"]), size)
    finally:
        destroy_process_group()
