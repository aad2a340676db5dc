"""EvoPose2D (McNally et al. 2020, arXiv:2011.08446): a network that was bred, in four sizes, and what it is bred by.

Schedule of the authors' code: Adam at 2.5e-4 for every 32 crops of a batch, rising over 5 epochs and then down a half
cosine to 0 at 200 epochs, L2 of 1e-5; no half bodies. Departures: the rate rises from 0, not from 2.5e-4; the half
cosine counts from the first step, theirs from the end of the rise, which is under 1 % of the rate; the L2 is on all
weights, where theirs leaves out normalisation, biases and channel-wise kernels.

All four start from nothing, as the authors' configurations of S, M and L do (LOAD_WEIGHTS false). The paper's .680 of
XS and .702 of S are of networks that start by the partial transfer from ImageNet's EfficientNet-B0: `train --start`
takes only what fits whole; `evolve` transfers, for a search's ancestor (`Search.start`).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.evopose import EvoPose
from posewright.recipes.data import on_coco
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import COCO
from posewright.warp import Size

PAPER = "https://arxiv.org/abs/2011.08446"
EPOCHS, WARM_EPOCHS = 200, 5
PEOPLE = 149_813
"""Of COCO's train split, that are learnt from."""
RATE = 2.5e-4
"""For every 32 crops of a batch."""


def network(size: str, keypoints: int) -> Any:
    """Build EvoPose2D of a size, "xs" to "l"."""
    from posewright.models import evopose2d

    sizes = {"xs": evopose2d.evopose2d_xs, "s": evopose2d.evopose2d_s, "m": evopose2d.evopose2d_m,
             "l": evopose2d.evopose2d_l}  # fmt: skip
    return sizes[size](keypoints)


def of_size(name: str, size: Size, stride: int, batch: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on COCO for one size, whose name tells that of its crops."""
    rate, warmup = RATE * batch / 32, WARM_EPOCHS * -(-PEOPLE // batch)
    recipe = on_coco(
        f"evopose2d_{name}",
        f"EvoPose2D-{name.upper()}",
        EvoPose(COCO, size, stride, sigma=2 * size[1] / stride / 64),
        paper=PAPER,
        network=partial(network, name, len(COCO)),
        loss=mean_squared_error,
        phases=(Phase(EPOCHS, rate, to=0.0, warmup=warmup),),
        jitter=Jitter(scale=0.3, turn=40.0, half_body=0.0),
        aim=EvoPose.around,
        batch=batch,
        optimiser=Optimiser("adam", 1e-5),
        parameters=parameters,
        reported=reported,
    )
    return replace(recipe, name=f"evopose2d_{name}_coco")


VALIDATION = "AP (val2017, detector boxes, flip)"
TRANSFERRED = f"{VALIDATION}, started by transfer from ImageNet's EfficientNet-B0"
TEST = "AP (test-dev2017, detector boxes, flip)"
evopose2d_xs_coco = of_size("xs", (192, 256), 4, 512, 2_496_239, {VALIDATION: 0.677, TRANSFERRED: 0.680})
evopose2d_s_coco = of_size("s", (192, 256), 2, 512, 2_496_239, {VALIDATION: 0.698, TRANSFERRED: 0.702})
evopose2d_m_coco = of_size("m", (288, 384), 2, 256, 7_256_105, {VALIDATION: 0.751})
evopose2d_l_coco = of_size("l", (384, 512), 2, 128, 14_566_883, {VALIDATION: 0.766, TEST: 0.757})
