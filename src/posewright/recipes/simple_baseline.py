"""SimpleBaseline (Xiao et al. 2018, arXiv:1804.06208): a ResNet and three deconvolutions.

Schedule of the authors' released code: Adam at 1e-3, divided by 10 at 90 and 120 of 140 epochs, 32 crops a
device; the paper starts from ImageNet weights, which `--start` takes. Gaussians as in `hrnet`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.gaussian import Gaussian
from posewright.recipes.data import on_coco, on_lsp
from posewright.recipes.losses import mean_squared_error
from posewright.recipes.recipe import Phase, Recipe
from posewright.skeleton import COCO, LSP
from posewright.warp import Size

PARAMETERS = {50: 33_999_697, 101: 52_991_825, 152: 68_635_473}


def network(depth: int, keypoints: int) -> Any:
    """Build the network over a ResNet of 50, 101 or 152 layers."""
    from posewright.models import simple_baseline

    sizes = {50: simple_baseline.simple_baseline_r50, 101: simple_baseline.simple_baseline_r101,
             152: simple_baseline.simple_baseline_r152}  # fmt: skip
    return sizes[depth](keypoints)


def over_resnet(depth: int, reported: dict[str, float], size: Size = (192, 256)) -> Recipe:
    """The paper's protocol on COCO for one depth and size."""
    return on_coco(
        f"simple_baseline_r{depth}",
        f"SimpleBaseline over ResNet-{depth}",
        Gaussian(COCO, size, sigma=size[1] / 128),
        paper="https://arxiv.org/abs/1804.06208",
        network=partial(network, depth, len(COCO)),
        loss=mean_squared_error,
        phases=(Phase(90, 1e-3), Phase(30, 1e-4), Phase(20, 1e-5)),
        jitter=Jitter(scale=0.3, turn=40.0, half_body=0.0),
        aim=Gaussian.around,
        parameters=PARAMETERS[depth],
        reported=reported,
    )


VALIDATION, TEST = "AP (val2017, detector boxes, flip)", "AP (test-dev2017, detector boxes, flip)"
simple_baseline_r50_coco = over_resnet(50, {VALIDATION: 0.704})
simple_baseline_r101_coco = over_resnet(101, {VALIDATION: 0.714})
simple_baseline_r152_coco = over_resnet(152, {VALIDATION: 0.720})
simple_baseline_r50_coco_384x288 = over_resnet(50, {VALIDATION: 0.722}, (288, 384))
simple_baseline_r101_coco_384x288 = over_resnet(101, {VALIDATION: 0.736}, (288, 384))
simple_baseline_r152_coco_384x288 = over_resnet(152, {VALIDATION: 0.743, TEST: 0.737}, (288, 384))
simple_baseline_r50_lsp = on_lsp(
    simple_baseline_r50_coco, Gaussian(LSP, (256, 256)), network=partial(network, 50, len(LSP)), parameters=33_998_926
)
