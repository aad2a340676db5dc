"""The embedded network: 19 keypoints of people in photographs, and which of them are seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.sightings import VisibleDistribution
from posewright.datasets import lsp, pseudo_labels
from posewright.datasets.synthetic import thing, world
from posewright.metrics.distance.pck import pck
from posewright.occlusion import Augmentation, fills, regions
from posewright.occlusion.choices import Anywhere, AwareDisc, Objects, OnePart
from posewright.recipes.compact import learnable
from posewright.recipes.losses import place_and_visibility
from posewright.recipes.occlusion import THINGS
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.scene import Scene, each_person, translated
from posewright.skeleton import BODY

TEACHER = "teacher_thunder.npz"
"""The teacher's labels, beside the pictures: MoveNet SinglePose Thunder's (Google, Apache-2.0), six looks fused."""
HELD, EVERY = 7, 18
"""Of the train split, every 18th picture from the eighth on is for choices and calibration, never learnt from."""
DRAWN = 1300
"""Pictures of the synthetic world among the training pictures; about one training person in four is drawn."""


def read(folder: Path, split: str) -> list[Scene]:
    """Read LSP-extended from a folder: "train", "validation" (a part of its train split that is set aside), "test".

    For training, the teacher's labels join and people of the synthetic world are added. Raises DataError.
    """
    if split == "test":
        return translated(lsp.read(Path(folder), split), BODY)
    scenes = translated(lsp.read(Path(folder), "train"), BODY)
    if split == "validation":
        return scenes[HELD::EVERY]
    del scenes[HELD::EVERY]
    drawn = each_person(world(DRAWN, seed=1, skeleton=BODY))
    teacher = pseudo_labels.read(Path(folder) / TEACHER, BODY)
    return [*pseudo_labels.taught(scenes, teacher), *(scene for scene in drawn if learnable(scene.people[0]))]


def hiding(scenes: Sequence[Scene]) -> Augmentation:  # noqa: ARG001
    """Hide something of about every other crop: things, discs, rectangles of noise, body parts; the targets stay."""
    things = Objects([thing(0, number) for number in range(THINGS)], count=(1, 2), scale=(0.2, 0.8))
    noise = Anywhere(regions.RandomRectangle(), fills.noise)
    return Augmentation((things, AwareDisc(), noise, OnePart(fills.mean)), chance=0.15)


def network(keypoints: int = len(BODY)) -> Any:
    """Build the network, by default for 19 keypoints."""
    from posewright.models.pose import pose

    return pose(keypoints)


pose = Recipe(
    name="pose",
    summary="the embedded network, over EfficientNet-Lite0: 3.6 M parameters, 160x160, 19 keypoints, visibility",
    paper="none: posewright's own, see models/pose.py and codecs/sightings.py",
    read=read,
    network=network,
    codec=VisibleDistribution(BODY, (160, 160)),
    loss=place_and_visibility,
    phases=(
        Phase(8, 1.5e-3, warmup=300, size=(96, 96)),
        Phase(14, 1.5e-3, size=(128, 128)),
        Phase(8, 1.5e-3, to=1e-5),
        Phase(13, 1.2e-3, to=1e-5, warmup=100),
    ),
    metric=pck,
    jitter=Jitter(scale=0.35, turn=40.0, half_body=0.3, shift=0.05, colour=0.2),
    occlusion=hiding,
    batch=32,
    optimiser=Optimiser(weight_decay=0.01, rates=((r"trunk\.(stem|block[12])", 0.0), (r"trunk\.", 0.5)), average=0.999),
    parameters=3_579_705,
    data="LSP-extended, train split without every 18th picture (Johnson and Everingham 2011; pictures for research "
    "only); labels of MoveNet SinglePose Thunder (Google, Apache-2.0) for the same pictures; 1,300 pictures of "
    "posewright's synthetic world; begun from EfficientNet-Lite0's weights for ImageNet (Apache-2.0)",
    judged_on="validation",
)
