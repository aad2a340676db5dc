"""HRNet (Sun et al. 2019, arXiv:1902.09212): high resolution all the way.

Schedule of the paper, section 4.1: Adam at 1e-3, divided by 10 at 170 and 200 of 210 epochs, 32 crops a
device; it starts from ImageNet weights, which `--start` takes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.datasets import coco
from posewright.metrics import oks_ap
from posewright.recipe import Phase, Recipe
from posewright.recipes.losses import mean_squared_error
from posewright.skeleton import COCO


def network(width: int, keypoints: int) -> Any:
    """Build HRNet of a width, 32 or 48."""
    from posewright.models import hrnet

    return {32: hrnet.hrnet_w32, 48: hrnet.hrnet_w48}[width](keypoints)


def on_coco(width: int, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on COCO at 256x192 for one width."""
    return Recipe(
        name=f"hrnet_w{width}_coco",
        summary=f"HRNet-W{width}, COCO, 256x192",
        paper="https://arxiv.org/abs/1902.09212",
        read=coco.read,
        network=partial(network, width, len(COCO)),
        codec=Gaussian(COCO),
        loss=mean_squared_error,
        phases=(Phase(170, 1e-3), Phase(30, 1e-4), Phase(10, 1e-5)),
        metric=oks_ap,
        jitter=Jitter(),
        aim=Gaussian.around,
        batch=32,
        parameters=parameters,
        reported=reported,
        data=coco.TERMS,
        judged_on="val",
    )


hrnet_w32_coco = on_coco(32, 28_536_113, {"AP (val2017, detector boxes, flip)": 0.744})
hrnet_w48_coco = on_coco(48, 63_595_745, {"AP (val2017, detector boxes, flip)": 0.751})
