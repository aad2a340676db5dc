"""CPN (Chen et al. 2018, arXiv:1711.07319): the easy keypoints first, then the hard ones.

Schedule of the authors' TensorFlow code: Adam at 5e-4, halved every 3.6 million crops, 24 epochs of COCO's 149,813
people; its README judges after 21 million. Weights shrink by 1e-5, 32 crops a device, 24 at 384x288. The paper starts
from ImageNet weights, which `--start` takes. Of four crops of a person they mirror one and turn two, and never both;
here the two are drawn apart, with the same chances. Crops are 1.2 times as wide as the box and 1.3 times as high, in
training times an even draw of 0.7 to 1.35 that is cut at 1.25, since they cut out that much and then only shrink.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.megvii import Megvii
from posewright.recipes.data import on_coco, on_lsp
from posewright.recipes.losses import cascaded
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import COCO, LSP, Skeleton
from posewright.warp import Size

PAPER = "https://arxiv.org/abs/1711.07319"
PHASES = (*(Phase(24, 5e-4 / 2**halvings) for halvings in range(5)), Phase(20, 5e-4 / 2**5))
PADDING = (1.2, 1.3)
JITTER = Jitter(
    scale=(0.7, 1.35), largest=1.25, turn=45.0, turn_chance=0.5, mirror=0.25, half_body=0.0, uniform=True,
    padding=PADDING,
)  # fmt: skip
BATCHES = {(192, 256): 32, (288, 384): 24}
KERNELS = {(192, 256): (15, 11, 9, 7), (256, 256): (15, 11, 9, 7), (288, 384): (23, 17, 13, 9)}
"""Sides of the targets' blurs by the size of the crop, from the coarsest feature to the finest; 256x256 is ours."""
SMOOTH = 21
"""Side of the answer's blur."""


def network(depth: int, keypoints: int) -> Any:
    """Build the network over a ResNet of 50, 101 or 152 layers."""
    from posewright.models import cpn

    return {50: cpn.cpn_r50, 101: cpn.cpn_r101, 152: cpn.cpn_r152}[depth](keypoints)


def codec(skeleton: Skeleton, size: Size) -> Megvii:
    """The paper's targets, four of ever smaller blurs, and its decode."""
    *coarse, kernel = KERNELS[size]
    return Megvii(skeleton, size, kernel=kernel, smooth=SMOOTH, coarse=tuple(coarse))


def over_resnet(depth: int, size: Size, parameters: int, ap: float) -> Recipe:
    """The paper's protocol on COCO for one depth and size; ap: of the authors' code."""
    return on_coco(
        f"cpn_r{depth}",
        f"CPN over ResNet-{depth}",
        codec(COCO, size),
        paper=PAPER,
        network=partial(network, depth, len(COCO)),
        loss=cascaded,
        phases=PHASES,
        jitter=JITTER,
        aim=Megvii.around,
        padding=PADDING,
        batch=BATCHES[size],
        optimiser=Optimiser("adam", 1e-5),
        parameters=parameters,
        reported={"AP (minival, detector boxes of 55.3 person AP, flip, the authors' code)": ap},
    )


cpn_r50_coco = over_resnet(50, (192, 256), 27_406_826, 0.697)
cpn_r50_coco_384x288 = over_resnet(50, (288, 384), 27_406_826, 0.723)
cpn_r101_coco_384x288 = over_resnet(101, (288, 384), 46_398_954, 0.729)
cpn_r50_lsp = on_lsp(
    cpn_r50_coco, codec(LSP, (256, 256)), network=partial(network, 50, len(LSP)), parameters=27_372_236
)
