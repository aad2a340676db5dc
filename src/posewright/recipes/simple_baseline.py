"""SimpleBaseline (Xiao et al. 2018, arXiv:1804.06208): a ResNet and three deconvolutions.

Schedule of the authors' released code: Adam at 1e-3, divided by 10 at 90 and 120 of 140 epochs, 32 crops a
device; the paper starts from ImageNet weights, which `--start` takes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.datasets import coco, lsp
from posewright.metrics import oks_ap, pck
from posewright.recipe import Phase, Recipe
from posewright.recipes.losses import mean_squared_error
from posewright.skeleton import COCO, LSP

PAPER = "https://arxiv.org/abs/1804.06208"
PHASES = (Phase(90, 1e-3), Phase(30, 1e-4), Phase(20, 1e-5))
JITTER = Jitter(scale=0.3, turn=40.0, half_body=0.0)


def network(depth: int, keypoints: int) -> Any:
    """Build the network over a ResNet of 50, 101 or 152 layers."""
    from posewright.models import simple_baseline

    sizes = {50: simple_baseline.simple_baseline_r50, 101: simple_baseline.simple_baseline_r101,
             152: simple_baseline.simple_baseline_r152}  # fmt: skip
    return sizes[depth](keypoints)


def on_coco(depth: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on COCO at 256x192 for one depth."""
    return Recipe(
        name=f"simple_baseline_r{depth}_coco",
        summary=f"SimpleBaseline over ResNet-{depth}, COCO, 256x192",
        paper=PAPER,
        read=coco.read,
        network=partial(network, depth, len(COCO)),
        codec=Gaussian(COCO),
        loss=mean_squared_error,
        phases=PHASES,
        metric=oks_ap,
        jitter=JITTER,
        aim=Gaussian.around,
        batch=32,
        parameters=parameters,
        reported=reported,
        data=coco.TERMS,
        judged_on="val",
    )


simple_baseline_r50_coco = on_coco(50, 33_999_697, {"AP (val2017, detector boxes, flip)": 0.704})
simple_baseline_r101_coco = on_coco(101, 52_991_825, {"AP (val2017, detector boxes, flip)": 0.714})
simple_baseline_r152_coco = on_coco(152, 68_635_473, {"AP (val2017, detector boxes, flip)": 0.720})

simple_baseline_r50_lsp = Recipe(
    name="simple_baseline_r50_lsp",
    summary="SimpleBaseline over ResNet-50, LSP-extended, 256x256; no published number",
    paper=PAPER,
    read=lsp.read,
    network=partial(network, 50, len(LSP)),
    codec=Gaussian(LSP, size=(256, 256)),
    loss=mean_squared_error,
    phases=PHASES,
    metric=pck,
    jitter=JITTER,
    aim=Gaussian.around,
    batch=32,
    parameters=33_998_926,
    data="LSP-extended, train split (Johnson and Everingham 2011; pictures for research only)",
)
