"""The first edition of the embedded network: a small one for people in photographs and in the synthetic world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.distribution import Distribution
from posewright.datasets import lsp
from posewright.datasets.synthetic import world
from posewright.metrics.distance.pck import pck
from posewright.recipes.losses import spatial_cross_entropy
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.scene import SEEN, Person, Scene, each_person
from posewright.skeleton import LSP

DRAWN = 1300
"""Pictures of the synthetic world among the training pictures; about one training person in four is drawn."""
SMALLEST = 40.0
"""px of the longer side below which a drawn person is too small to learn from, and so is left out."""


def read(folder: Path, split: str) -> list[Scene]:
    """Read LSP-extended from a folder, and for training, add people of the synthetic world."""
    scenes = lsp.read(Path(folder), split)
    if split != "train":
        return scenes
    drawn = each_person(world(DRAWN, seed=1, skeleton=LSP))
    return [*scenes, *(scene for scene in drawn if learnable(scene.people[0]))]


def learnable(person: Person) -> bool:
    """Whether a drawn person is large enough and more seen than hidden."""
    if person.box is None or person.visible is None:
        return False
    return max(person.box[2:] - person.box[:2]) >= SMALLEST and (person.visible == SEEN).sum() * 2 > len(person)


def network(keypoints: int = len(LSP)) -> Any:
    """Build the small hourglass, by default for 14 keypoints."""
    from posewright.models.compact import compact

    return compact(keypoints)


default = Recipe(
    name="default",
    summary="the embedded network's first edition: 2.8 M parameters, 128x128, LSP-extended and the synthetic world",
    paper="none: posewright's own, see models/compact.py and codecs/distribution.py",
    read=read,
    network=network,
    codec=Distribution(LSP),
    loss=spatial_cross_entropy,
    phases=(Phase(34, 2e-3, warmup=300), Phase(20, 2e-3, to=1e-5)),
    metric=pck,
    jitter=Jitter(scale=0.3, turn=40.0, half_body=0.1, shift=0.05, colour=0.2),
    batch=32,
    optimiser=Optimiser(weight_decay=0.01, average=0.999),
    parameters=2_785_966,
    data="LSP-extended, train split (Johnson and Everingham 2011; pictures for research only), and 1,300 pictures of "
    "posewright's synthetic world",
)
