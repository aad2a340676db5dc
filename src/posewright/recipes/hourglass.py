"""Stacked hourglass (Newell et al. 2016, arXiv:1603.06937): look down and up again, and again.

Schedule of the authors' PyTorch code, which its README says does better than the paper's RMSProp at 2.5e-4: Adam
at 1e-3, divided by 5 at 100,000 of about 200,000 steps of 16 crops, which is 72 of 144 epochs of MPII's 22,246
people. The paper draws scale in 0.75 to 1.25 and turns within 30 degrees (section 3.3), here evenly as that code
does. It paints every second picture, the mirrored one, in HSV; here each channel gets a gain, as in their first code.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.hourglass import Hourglass
from posewright.recipes.data import on_lsp, on_mpii
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Phase, Recipe
from posewright.skeleton import LSP, MPII

PAPER = "https://arxiv.org/abs/1603.06937"
PHASES = (Phase(72, 1e-3), Phase(72, 2e-4))
JITTER = Jitter(scale=0.25, turn=30.0, turn_chance=1.0, half_body=0.0, colour=0.2, uniform=True)


def network(stacks: int, keypoints: int) -> Any:
    """Build the network of 2 or 8 hourglasses."""
    from posewright.models import hourglass

    return {2: hourglass.hourglass_2, 8: hourglass.hourglass_8}[stacks](keypoints)


def of_stacks(stacks: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on MPII at 256x256 for a number of stacks."""
    return on_mpii(
        f"hourglass_{stacks}",
        f"{stacks} stacked hourglasses",
        Hourglass(MPII),
        paper=PAPER,
        network=partial(network, stacks, len(MPII)),
        loss=mean_squared_error,
        phases=PHASES,
        jitter=JITTER,
        aim=Hourglass.around,
        batch=16,
        parameters=parameters,
        reported=reported,
    )


VALIDATION = "PCKh@0.5 (MPII validation, annotated centre and scale, flip, the authors' README since July 2020)"
TEST = "PCKh@0.5 (MPII test, flip, the paper's Table 2)"
hourglass_2_mpii = of_stacks(2, 6_570_400, {VALIDATION: 0.883})
hourglass_8_mpii = of_stacks(8, 25_434_112, {VALIDATION: 0.902, TEST: 0.909})
hourglass_2_lsp = on_lsp(hourglass_2_mpii, Hourglass(LSP), network=partial(network, 2, len(LSP)), parameters=6_568_860)
