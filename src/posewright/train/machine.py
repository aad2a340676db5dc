"""Machine: where and how the arithmetic of a training runs, and how many processes share it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import nn
from torch.distributed import destroy_process_group, init_process_group

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux says what a processor has."""
PATIENCE = timedelta(hours=6)
"""How long processes wait for each other: the first one judges every epoch alone."""


@dataclass(frozen=True)
class Machine:
    """How the arithmetic runs; the recipe says what is computed."""

    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16 computes forward passes in bfloat16 where that is safe. auto is bf16 where the device has its arithmetic and
    the network is faster in it, see `settled`; what it was is told, and stands in the checkpoint."""
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
        """Compute in bfloat16 where that is safe, or not, as `precision` says; auto that is not `settled` is fp32."""
        return torch.autocast(self.device.split(":")[0], torch.bfloat16) if self.precision == "bf16" else nullcontext()


MACHINE = Machine()


def settled(machine: Machine, network: nn.Module, then: str | None = None) -> Machine:
    """Return a machine that says fp32 or bf16 where it said auto; then: what a run that goes on has said.

    bf16 is for networks of whole convolutions, 1.7 to 1.95 times as fast in it on one processor: those with depthwise
    ones took from 1.15 times as long to .6 of the time, and coordinates that go through linear layers alone would lose
    digits. Both stay in fp32 unless bf16 is said.
    """
    if machine.precision != "auto":
        return machine
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    suits = bool(layers) and all(layer.groups == 1 for layer in layers)
    half = suits and has_bf16(machine.device) if then is None else then == "bf16"
    return replace(machine, precision="bf16" if half else "fp32")


def has_bf16(device: str) -> bool:
    """Tell whether a device has arithmetic of its own for bfloat16: a processor AVX512-BF16 or AMX."""
    if device.startswith("cuda"):
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    told = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # of torch.cpu, not in all versions
    if any(getattr(torch.cpu, name, bool)() for name in told):
        return True
    flags = CPUINFO.read_text(errors="replace").split() if CPUINFO.is_file() else []
    return "avx512_bf16" in flags or "amx_bf16" in flags


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
