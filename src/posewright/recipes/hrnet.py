"""HRNet (Sun et al. 2019, arXiv:1902.09212): high resolution all the way.

Schedule of the paper, section 4.1: Adam at 1e-3, divided by 10 at 170 and 200 of 210 epochs, 32 crops a
device, 24 of the widest at 384x288; it starts from ImageNet weights, which `--start` takes. The Gaussians are as wide
as the crops are high: sigma is 2 map px at 256, 3 at 384.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.recipes.data import on_coco, on_mpii
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Phase, Recipe
from posewright.skeleton import COCO, MPII
from posewright.warp import Size

PAPER = "https://arxiv.org/abs/1902.09212"
PHASES = (Phase(170, 1e-3), Phase(30, 1e-4), Phase(10, 1e-5))
PARAMETERS = {32: 28_536_113, 48: 63_595_745}


def network(width: int, keypoints: int) -> Any:
    """Build HRNet of a width, 32 or 48."""
    from posewright.models import hrnet

    return {32: hrnet.hrnet_w32, 48: hrnet.hrnet_w48}[width](keypoints)


def of_width(width: int, reported: dict[str, float], size: Size = (192, 256)) -> Recipe:
    """The paper's protocol on COCO for one width and size."""
    return on_coco(
        f"hrnet_w{width}",
        f"HRNet-W{width}",
        Gaussian(COCO, size, sigma=size[1] / 128),
        paper=PAPER,
        network=partial(network, width, len(COCO)),
        loss=mean_squared_error,
        phases=PHASES,
        aim=Gaussian.around,
        parameters=PARAMETERS[width],
        reported=reported,
    )


VALIDATION, TEST = "AP (val2017, detector boxes, flip)", "AP (test-dev2017, detector boxes, flip)"
hrnet_w32_coco = of_width(32, {VALIDATION: 0.744})
hrnet_w48_coco = of_width(48, {VALIDATION: 0.751})
hrnet_w32_coco_384x288 = of_width(32, {VALIDATION: 0.758, TEST: 0.749}, (288, 384))
hrnet_w48_coco_384x288 = replace(of_width(48, {VALIDATION: 0.763, TEST: 0.755}, (288, 384)), batch=24)

hrnet_w32_mpii = on_mpii(
    "hrnet_w32",
    "HRNet-W32",
    Gaussian(MPII, (256, 256)),
    paper=PAPER,
    network=partial(network, 32, len(MPII)),
    loss=mean_squared_error,
    phases=PHASES,
    jitter=Jitter(scale=0.25, turn=30.0, half_body=0.0),
    aim=Gaussian.around,
    parameters=28_536_080,
    reported={"PCKh@0.5 (MPII validation, annotated centre and scale, flip)": 0.903},
)
