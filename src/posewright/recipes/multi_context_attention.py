"""Multi-context attention (Chu et al. 2017, arXiv:1702.07432): eight hourglasses that weigh where they look.

Schedule of the authors' README: RMSProp at 2.5e-4, divided by 10 after 100 and after 125 of 130 epochs of 3,000 steps
of 8 crops, which is 108, 135 and 140 epochs of MPII's 22,246 people. Views are scaled and turned as in the first
hourglass code, and each channel is multiplied by 0.8 to 1.2. Targets are those that the code draws, 1.75 map px wide in
a square of 7, and not 1 px. Their test code expects a seventeenth map, of the background, for which the training script
does not ask; it is left out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.hourglass import TorchGaussian
from posewright.recipes.data import on_mpii
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import MPII

JITTER = Jitter(scale=0.25, turn=30.0, turn_chance=0.4, half_body=0.0, tint=0.2)


def network(paper: bool = False) -> Any:
    """Build the network of eight stacks, the code's or the paper's."""
    from posewright.models.multi_context_attention import MultiContextAttention

    return MultiContextAttention(8, len(MPII), paper=paper)


multi_context_attention_8_mpii = on_mpii(
    "multi_context_attention_8",
    "8 hourglasses with holistic and part attention",
    TorchGaussian(MPII),
    paper="https://arxiv.org/abs/1702.07432",
    network=network,
    loss=mean_squared_error,
    phases=(Phase(108, 2.5e-4), Phase(27, 2.5e-5), Phase(5, 2.5e-6)),
    jitter=JITTER,
    aim=TorchGaussian.around,
    batch=8,
    optimiser=Optimiser("rmsprop"),
    parameters=58_312_088,
    reported={"PCKh@0.5 (MPII test, annotated centre and scale, flip, six scales, the paper's network)": 0.915},
)
multi_context_attention_8_paper_mpii = replace(
    multi_context_attention_8_mpii,
    name="multi_context_attention_8_paper_mpii",
    summary="8 hourglasses with holistic and part attention of many resolutions, MPII, 256x256",
    network=partial(network, paper=True),
    parameters=58_377_740,
)
"""The paper's attention of many resolutions; trained as the code's."""
