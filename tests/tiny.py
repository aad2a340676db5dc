"""A recipe that trains in a second, as a stranger would write one; run as a program, it trains and tells its weights.

TINY_DIES_AT=n in the environment kills the process in the middle of its n-th step, as `kill -9` would.
"""

import os
import signal
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

from posewright.codecs.distribution import Distribution
from posewright.datasets.synthetic import world
from posewright.recipes import default
from posewright.recipes.losses import spatial_cross_entropy
from posewright.recipes.recipe import Phase
from posewright.skeleton import LSP

BUILT = []
STEPS = count(1)


def read(_folder, split):
    """Draw 10 people to learn from and 3 to be judged on."""
    return world({"train": 10, "test": 3}[split], seed=len(split), size=(96, 96), skeleton=LSP, people=(1, 1))


def network():
    from posewright.models.compact import Compact

    BUILT.append(Compact(len(LSP), widths=(4, 8, 8, 8), depths=(1, 1, 1)))
    return BUILT[-1]


def loss(stages, target):
    if next(STEPS) == int(os.environ.get("TINY_DIES_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)
    return spatial_cross_entropy(stages, target)


tiny = replace(
    default,
    name="tiny",
    summary="nothing to show, quickly",
    read=read,
    network=network,
    codec=Distribution(LSP, (64, 64)),
    loss=loss,
    phases=(Phase(2, 1e-2, warmup=2), Phase(1, 1e-2, to=1e-4)),
    batch=4,
)


if __name__ == "__main__":
    import torch

    from posewright.cli import main

    code = main(["train", f"{__file__}:tiny", "--data", ".", *sys.argv[1:]])
    if code == 0:
        weights = dict(sys.modules["tiny"].BUILT[0].named_parameters())
        out = Path(sys.argv[sys.argv.index("--out") + 1])
        torch.save(weights, out / f"weights_of_rank_{os.environ.get('RANK', '0')}.pt")
    sys.exit(code)
