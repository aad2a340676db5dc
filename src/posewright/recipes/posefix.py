"""PoseFix (Moon et al. 2019, arXiv:1812.03595): poses made wrong on purpose, to learn how to right them.

Schedule of the authors' released code: Adam at 5e-4, divided by 10 at 90 and 120 of 140 epochs, 16 crops a device on
two devices, here 32; decay 1e-5. It starts from ImageNet weights, which `--start` takes. Keypoints that are not
labelled they take from another estimator's answer on the training set; here they stay absent. Every epoch is judged
by poses made wrong from the truth and then refined, since there is no estimator: a number for comparing epochs, and no
other. The network is told poses, so `TopDown` alone makes nothing of it: `refine.Refined` does. The authors suppress
people found twice among the refined poses, by OKS above 0.9; here that is a step of its own, `metrics.oks.oks_nms`,
which no recipe takes by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.augment.synthesis import Synthesis, synthesised, with_neighbours
from posewright.codecs.posefix import FourPixels
from posewright.estimators.refine import refine
from posewright.recipes.data import on_coco
from posewright.recipes.losses import cross_entropy_and_place
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Scene
from posewright.skeleton import COCO
from posewright.warp import Size


def network(depth: int, height: int, keypoints: int) -> Any:
    """Build the network over a ResNet of 50, 101 or 152 layers, for crops of a height."""
    from posewright.models import posefix

    return {50: posefix.posefix_r50, 101: posefix.posefix_r101, 152: posefix.posefix_r152}[depth](keypoints, height)


def refined(network: Any, truth: Sequence[Scene]) -> Iterator[Scene]:
    """Refine poses that are made wrong from the truth, always the same ones."""
    return refine(network, synthesised(truth))


def over_resnet(depth: int, size: Size, parameters: int, reported: dict[str, float]) -> Recipe:
    """The paper's protocol on COCO for one depth and size."""
    return on_coco(
        f"posefix_r{depth}",
        f"PoseFix over ResNet-{depth}",
        FourPixels(COCO, size),
        paper="https://arxiv.org/abs/1812.03595",
        network=partial(network, depth, size[1], len(COCO)),
        loss=cross_entropy_and_place,
        phases=(Phase(90, 5e-4), Phase(30, 5e-5), Phase(20, 5e-6)),
        jitter=Jitter(scale=0.3, turn=40.0, half_body=0.0),
        apart=Apart(each=with_neighbours, given=Synthesis(), predicted=refined),
        aim=FourPixels.around,
        batch=32,
        optimiser=Optimiser("adam", 1e-5),
        parameters=parameters,
        reported=reported,
    )


posefix_r50_coco = over_resnet(50, (192, 256), 34_053_009, {})
posefix_r152_coco_384x288 = over_resnet(152, (288, 384), 68_688_785, {
    "AP (test-dev2017, refining SimpleBaseline-R152's poses)": 0.736,
    "AP (test-dev2017, refining HRNet-W48's poses)": 0.767,
})  # fmt: skip
