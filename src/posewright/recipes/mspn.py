"""MSPN (Li et al. 2019, arXiv:1901.00148): pyramids one after another, held to ever finer targets.

Schedule of the authors' code: Adam at 5e-4 a device, up from a tenth of it over 2,400 steps (here from 0) and
straight down to 0 at 96,000 steps of 8 devices with 32 crops each, which are 164 epochs of COCO's 149,813 people.
Weights shrink by 1e-5. On several devices they multiply the rate by their number. The paper starts from ImageNet
weights, which `--start` takes.

Crops are the authors' (attribute.py and JointsDataset.py, the same for RSN): of people to be found 1.09 times as wide
as their box and 1.135 times as high; in training 0.84 times, each side grown by itself by up to .6 and .8 of that, and
0.75 to 1.25 times all of it. Half bodies are shown from four labelled keypoints on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from posewright.augment.jitter import HalfOfBox, Jitter
from posewright.codecs.megvii import KERNELS, Megvii
from posewright.recipes.data import on_coco
from posewright.recipes.losses import coarse_to_fine
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import COCO, Skeleton
from posewright.warp import Size

PHASES = (Phase(164, 5e-4, to=0.0, warmup=2400, straight=True),)
PADDING = (1.09, 1.135)
JITTER = Jitter(
    scale=0.25, turn=45.0, turn_chance=0.5, half_body=0.3, uniform=True, padding=1.05 * 0.8, stretch=(0.6, 0.8),
    half=HalfOfBox(),
)  # fmt: skip
LARGE_KERNELS = (23, 17, 13, 11, 7)
"""For 384x288, half as large again as for 256x192: what the authors took there is not published."""


def network(stages: int, keypoints: int) -> Any:
    """Build MSPN of one to four stages."""
    from posewright.models import mspn

    return mspn.mspn(stages, keypoints)


def codec(skeleton: Skeleton, size: Size = (192, 256)) -> Megvii:
    """The paper's targets, five of ever smaller blurs."""
    *coarse, kernel = LARGE_KERNELS if size[1] == 384 else KERNELS
    return Megvii(skeleton, size, kernel=kernel, coarse=tuple(coarse))


def pyramids(
    system: str,
    title: str,
    paper: str,
    build: Callable[[], Any],
    parameters: int,
    reported: dict[str, float],
    size: Size,
) -> Recipe:
    """The protocol that MSPN and RSN share, on COCO."""
    return on_coco(
        system,
        title,
        codec(COCO, size),
        paper=paper,
        network=build,
        loss=coarse_to_fine,
        phases=PHASES,
        jitter=JITTER,
        aim=Megvii.around,
        padding=PADDING,
        batch=32,
        optimiser=Optimiser("adam", 1e-5),
        parameters=parameters,
        reported=reported,
    )


VALIDATION, TEST = "AP (minival, detector boxes, flip)", "AP (test-dev, detector boxes, flip)"


def of_stages(stages: int, parameters: int, reported: dict[str, float], size: Size = (192, 256)) -> Recipe:
    """MSPN's own, of a number of stages."""
    build = partial(network, stages, len(COCO))
    title = f"MSPN of {stages} stage{'s' if stages > 1 else ''}"
    return pyramids(f"mspn_{stages}", title, "https://arxiv.org/abs/1901.00148", build, parameters, reported, size)


mspn_1_coco = of_stages(1, 25_141_708, {VALIDATION: 0.715})
mspn_2_coco = of_stages(2, 56_867_032, {VALIDATION: 0.745})
mspn_3_coco = of_stages(3, 88_592_356, {VALIDATION: 0.752})
mspn_4_coco = of_stages(4, 120_317_680, {VALIDATION: 0.759})
mspn_4_coco_384x288 = of_stages(4, 120_317_680, {VALIDATION: 0.769, TEST: 0.761}, (288, 384))
