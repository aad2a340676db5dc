"""PyraNet (Yang et al. 2017, arXiv:1708.01101): stacked hourglasses of pyramid residual modules.

Schedule of the authors' code and scripts: RMSProp, divided by 10 from the 150th, the 170th and the 200th epoch on;
two stacks with 6 crops a step at 2.5e-4 for 250 epochs. For eight there is no script: the README's sample of that name
sets two stacks (16 crops at 6.7e-4, 200 epochs), and its number is of a model of epoch 250. Here eight take the
sample's rate and crops, and that model's epochs. Views and targets as in multi-context attention, whose authors share
the code.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.codecs.hourglass import TorchGaussian
from posewright.recipes.data import on_mpii
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.multi_context_attention import JITTER
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import MPII


def network(stacks: int) -> Any:
    """Build the network of 2 or 8 stacks."""
    from posewright.models import pyranet

    return {2: pyranet.pyranet_2, 8: pyranet.pyranet_8}[stacks](len(MPII))


def of_stacks(stacks: int, rate: float, batch: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on MPII at 256x256 for a number of stacks."""
    return on_mpii(
        f"pyranet_{stacks}",
        f"{stacks} hourglasses of pyramid residual modules",
        TorchGaussian(MPII),
        paper="https://arxiv.org/abs/1708.01101",
        network=partial(network, stacks),
        loss=mean_squared_error,
        phases=(Phase(149, rate), Phase(20, rate / 10), Phase(30, rate / 100), Phase(51, rate / 1000)),
        jitter=JITTER,
        aim=TorchGaussian.around,
        batch=batch,
        optimiser=Optimiser("rmsprop"),
        parameters=parameters,
        reported=reported,
    )


pyranet_2_mpii = of_stacks(2, 2.5e-4, 6, 7_286_464, {})
pyranet_8_mpii = of_stacks(8, 6.7e-4, 16, 28_131_832, {
    "PCKh@0.5 (MPII validation, flip, several scales, the authors' README, epoch 250)": 0.9027,
    "PCKh@0.5 (MPII test, annotated centre and scale, flip, several scales)": 0.920,
})  # fmt: skip
