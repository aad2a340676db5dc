"""Stacked hourglass (Newell et al. 2016, arXiv:1603.06937): look down and up again, and again.

Schedule of the authors' PyTorch code, which its README says does better than the paper's RMSProp at 2.5e-4: Adam
at 1e-3, divided by 5 at 100,000 of about 200,000 steps of 16 crops, which is 72 of 144 epochs of MPII's 22,246
people. The paper draws scale in 0.75 to 1.25 and turns within 30 degrees (section 3.3), here evenly as that code
does. It paints every second picture, the mirrored one, in HSV; here each channel gets a gain, as in their first code.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment import Jitter
from posewright.codecs.hourglass import Hourglass
from posewright.datasets import lsp, mpii
from posewright.metrics import pck, pckh
from posewright.recipe import Phase, Recipe
from posewright.recipes.losses import mean_squared_error
from posewright.skeleton import LSP, MPII

PAPER = "https://arxiv.org/abs/1603.06937"
PHASES = (Phase(72, 1e-3), Phase(72, 2e-4))
JITTER = Jitter(scale=0.25, turn=30.0, turn_chance=1.0, half_body=0.0, colour=0.2, uniform=True)


def network(stacks: int, keypoints: int) -> Any:
    """Build the network of 2 or 8 hourglasses."""
    from posewright.models import hourglass

    return {2: hourglass.hourglass_2, 8: hourglass.hourglass_8}[stacks](keypoints)


def on_mpii(stacks: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on MPII at 256x256 for a number of stacks."""
    return Recipe(
        name=f"hourglass_{stacks}_mpii",
        summary=f"{stacks} stacked hourglasses, MPII, 256x256",
        paper=PAPER,
        read=mpii.read,
        network=partial(network, stacks, len(MPII)),
        codec=Hourglass(MPII),
        loss=mean_squared_error,
        phases=PHASES,
        metric=pckh,
        jitter=JITTER,
        aim=Hourglass.around,
        batch=16,
        parameters=parameters,
        reported=reported,
        data=mpii.TERMS,
        judged_on="valid",
    )


VALIDATION = "PCKh@0.5 (MPII validation, annotated centre and scale, flip, the authors' README)"
hourglass_2_mpii = on_mpii(2, 6_570_400, {VALIDATION: 0.885})
hourglass_8_mpii = on_mpii(8, 25_434_112, {VALIDATION: 0.901, "PCKh@0.5 (MPII test, flip, the paper's Table 2)": 0.909})

hourglass_2_lsp = Recipe(
    name="hourglass_2_lsp",
    summary="2 stacked hourglasses, LSP-extended, 256x256; no published number",
    paper=PAPER,
    read=lsp.read,
    network=partial(network, 2, len(LSP)),
    codec=Hourglass(LSP),
    loss=mean_squared_error,
    phases=PHASES,
    metric=pck,
    jitter=JITTER,
    aim=Hourglass.around,
    batch=16,
    parameters=6_568_860,
    data="LSP-extended, train split (Johnson and Everingham 2011; pictures for research only)",
)
