"""DeeperCut (Insafutdinov et al. 2016, arXiv:1605.03170): parts with ways to each other, grouped by a programme.

By the authors' later code for COCO (pose-tensorflow, models/coco at de78d07): pictures at 0.85 to 1.15 of their own
size and mirrored, one a step; momentum at 2e-2 up to 450,000 steps, 2e-3 to 750,000, 5e-4 to 1,050,000, 2e-4 to
1,550,000 and 5e-5 to 1,800,000, of which an epoch is taken to have 60,000; it starts from ImageNet's ResNet, which
`--start` takes. Choices: the first 10,000 steps, at 5e-3 in the code, rise to the rate; views are of 640x640 px, which
holds most of COCO's pictures whole; a stage of the programme has a second. The paper's own numbers are of MPII and LSP:
mAP .595 on MPII's groups, PCK .901 on LSP.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment.picture_jitter import Middle, PictureJitter
from posewright.codecs.bottom_up.deepercut import DeeperCut
from posewright.recipes.data import on_coco
from posewright.recipes.losses import parts_and_ways
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1605.03170"
PHASES = (Phase(7, 2e-2, warmup=10_000), Phase(5, 2e-3), Phase(5, 5e-4), Phase(8, 2e-4), Phase(5, 5e-5))


def network(depth: int, keypoints: int) -> Any:
    """Build DeeperCut over a ResNet of 50, 101 or 152 layers."""
    from posewright.models import deepercut

    return getattr(deepercut, f"deepercut_r{depth}")(keypoints)


def of_depth(depth: int, parameters: int) -> Recipe:
    """The same on COCO for one depth."""
    return on_coco(
        f"deepercut_r{depth}",
        f"DeeperCut, ResNet-{depth}",
        DeeperCut(COCO, (640, 640), limit_s=1.0),
        paper=PAPER,
        network=partial(network, depth, len(COCO)),
        loss=parts_and_ways,
        phases=PHASES,
        jitter=PictureJitter(Middle(), scale=(1.0, 1.0), zoom=(0.85, 1.15), turn=0.0, shift=0.0),
        batch=1,
        optimiser=Optimiser("momentum", weight_decay=1e-4),
        parameters=parameters,
    )


deepercut_r50_coco = of_depth(50, 34_475_667)
deepercut_r101_coco = of_depth(101, 53_624_484)
deepercut_r152_coco = of_depth(152, 69_268_132)
