"""MultiPoseNet (Kocabas, Karagoz and Akbas 2018, arXiv:1807.04067): keypoints and silhouettes first, then boxes.

Chapter 2 of Kocabas's thesis. First step: 480x480 px of a picture around its crowd or its main person, +-40 degrees,
0.8 to 1.2 times, mirrored three times in ten; Adam at 1e-4, a tenth of it on plateaus. Second step, `_boxes`: the trunk
and all that is keypoints' stays as it is, from `--start` of the first step's checkpoint, and boxes are learnt on
pictures whose shorter side is 800 px; Adam at 1e-5. Two ablations of table 2.2 stand beside. How long the plateaus are
and how many pictures a step has are not said: those here are choices. Departure: pictures of one size, which is that of
COCO's most, go into one batch; what is higher than wide is shown smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from posewright.augment.picture_jitter import Crowd, Fitted, PictureJitter
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.estimators.bottom_up import fitted
from posewright.metrics import box_ap
from posewright.recipes.data import on_coco
from posewright.recipes.losses import keypoints_and_silhouettes, scores_and_boxes
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Scene
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1807.04067"
VALIDATION = "AP (val2017, PRN, own boxes)"
BOXES = "AP of boxes (val2017, people)"
OF_BOXES = r"box_(pyramid|head)\."
WIDE = (1088, 800)


def network(
    backbone: str = "r50", keypoints: int = len(COCO), intermediate: bool = True, concatenated: bool = True
) -> Any:
    """Build MultiPoseNet over r50, r101 or r101_dilated; see the model for its ablations."""
    from posewright.models import multiposenet

    return getattr(multiposenet, f"multiposenet_{backbone}")(keypoints, intermediate, concatenated)


def at_true_boxes(network: Any, truth: Sequence[Scene]) -> Iterator[Scene]:
    """Find keypoints as a network says, in the annotated boxes: what is judged before boxes are learnt.

    The answer's scores and corrections of anchors are replaced by those that the truth asks for.
    """
    codec = network.codec
    for scene in truth:
        crop = fitted(scene, codec.size)
        target = codec.encode([crop.people])
        said = network(crop.pixels[None])[-1]._replace(scores=target.scores, deltas=target.deltas)
        yield replace(scene, people=tuple(crop.back(codec.decode(said)[0])))


def keypoints_of(backbone: str, parameters: int, reported: dict[str, float], **ablation: bool) -> Recipe:
    """The first step."""
    name = "_".join([f"multiposenet_{backbone}", *(f"without_{part}" for part in ablation)])
    return on_coco(
        name,
        name.replace("multiposenet_r", "MultiPoseNet, R").replace("_", " "),
        MultiPoseNet(COCO),
        paper=PAPER,
        network=partial(network, backbone, **ablation),
        loss=keypoints_and_silhouettes,
        phases=(Phase(40, 1e-4), Phase(15, 1e-5), Phase(5, 1e-6)),
        jitter=PictureJitter(Crowd(), scale=(0.8, 1.2), turn=40.0, shift=0.0, mirror=0.3),
        batch=16,
        optimiser=Optimiser("adam", rates=((OF_BOXES, 0.0),)),
        apart=Apart(predicted=at_true_boxes),
        parameters=parameters,
        reported=reported,
    )


def boxes_after(first: Recipe, reported: dict[str, float]) -> Recipe:
    """The second step, on what the first one has learnt."""
    return replace(
        first,
        name=f"{first.name}_boxes",
        summary=f"{first.summary}: boxes, from the keypoints' checkpoint",
        codec=MultiPoseNet(COCO, WIDE),
        loss=scores_and_boxes,
        phases=(Phase(15, 1e-5), Phase(5, 1e-6)),
        jitter=PictureJitter(Fitted(), scale=(1.0, 1.0), turn=0.0, shift=0.0),
        batch=8,
        optimiser=Optimiser("adam", rates=((OF_BOXES, 1.0), (r"", 0.0))),
        apart=Apart(),
        metric=box_ap,
        reported=reported,
    )


multiposenet_r50_coco = keypoints_of("r50", 42_647_751, {VALIDATION: 0.623})
multiposenet_r101_coco = keypoints_of("r101", 61_639_879, {VALIDATION: 0.639})
multiposenet_r101_dilated_coco = keypoints_of("r101_dilated", 61_639_879, {VALIDATION: 0.643})
multiposenet_r101_without_intermediate_coco = keypoints_of("r101", 61_621_375, {VALIDATION: 0.613}, intermediate=False)
multiposenet_r101_without_concatenated_coco = keypoints_of("r101", 59_427_271, {VALIDATION: 0.621}, concatenated=False)
multiposenet_r50_coco_boxes = boxes_after(multiposenet_r50_coco, {BOXES: 0.513})
multiposenet_r101_coco_boxes = boxes_after(multiposenet_r101_coco, {BOXES: 0.525})
multiposenet_r101_dilated_coco_boxes = boxes_after(multiposenet_r101_dilated_coco, {})
