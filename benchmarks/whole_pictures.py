"""Train three bottom-up families a little while on the synthetic world's groups, side by side, and score them.

Each keeps its recipe's targets, loss, view and jitter; networks are narrow, pictures 192x192 of 2 to 4 people, all
learn by Adam at 1e-3 with a running average, from random weights, 8 pictures a step, the same number of crops.
MultiPoseNet learns its two steps at once, keypoints weighing 100 times, and OpenPose is shown the first person of each
picture.

    python benchmarks/whole_pictures.py draw DATA
    posewright train benchmarks/whole_pictures.py:higher_hrnet --data DATA --out RUNS/higher_hrnet --resume
    python benchmarks/whole_pictures.py score DATA RUNS       # of higher_hrnet, openpose and multiposenet
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from posewright.augment.picture_jitter import Fitted, PictureJitter
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.metrics import oks_ap
from posewright.recipes import recipe_named
from posewright.recipes.losses import keypoints_and_silhouettes, scores_and_boxes
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Scene
from posewright.skeleton import COCO

SIZE = (128, 128)
PEOPLE = (2, 3)
PICTURES = {"train": 4000, "val": 40, "test": 300}
SEEDS = {"train": 71, "val": 72, "test": 73}
EPOCHS = 8
NAMES = ("higher_hrnet", "openpose", "multiposenet")
KEYPOINTS = 100.0
"""What MultiPoseNet's maps weigh beside its boxes."""
JITTER = PictureJitter(Fitted(), scale=(0.8, 1.2), turn=20.0, shift=0.0)


def draw(folder: Path) -> None:
    """Draw every split into COCO's format, once."""
    for split, count in PICTURES.items():
        if not (folder / split / "annotations.json").exists():
            coco.write(world(count, SEEDS[split], SIZE, people=PEOPLE), folder / split)


def read(folder: Path, split: str) -> list[Scene]:
    """Read a split as it was drawn, with everybody's silhouettes."""
    return coco.read(folder / split, split, masks="later")


def narrow_higher_hrnet() -> Any:
    """Build HigherHRNet-W8."""
    from posewright.models.higher_hrnet import HigherHRNet

    return HigherHRNet(8, len(COCO))


def narrow_openpose() -> Any:
    """Build OpenPose of three stages, a quarter as wide."""
    from posewright.models import openpose

    vgg = tuple(width // 4 for width in openpose.VGG)
    with patch.multiple(openpose, VGG=vgg, WIDTH=openpose.WIDTH // 4):
        return openpose.OpenPose(18, 19, stages=3)


def narrow_multiposenet() -> Any:
    """Build MultiPoseNet over a ResNet of one block a stage, its pyramids a quarter as wide."""
    from posewright.models import feature_pyramid, multiposenet, retinanet
    from posewright.models.resnet import ResNet

    with ExitStack() as stack:
        for paper in (feature_pyramid, retinanet, multiposenet):
            stack.enter_context(patch.object(paper, "WIDTH", 64))
        stack.enter_context(patch.object(multiposenet, "NARROW", 32))
        return multiposenet.MultiPoseNet(ResNet((1, 1, 1, 1)), len(COCO))


def both_steps(stages: Any, target: Any) -> Any:
    """Add up MultiPoseNet's two losses."""
    return KEYPOINTS * keypoints_and_silhouettes(stages, target) + scores_and_boxes(stages, target)


def short(title: str, name: str, network: Callable[[], Any], **said: Any) -> Recipe:
    """Cut a recipe down."""
    recipe = recipe_named(name)
    codec: Any = recipe.codec
    return replace(recipe, name=title, summary=f"narrow {name}, synthetic groups", network=network, read=read, batch=8,
                   codec=replace(codec, size=SIZE), phases=(Phase(EPOCHS, 2e-3, to=1e-5, warmup=100),),
                   jitter=JITTER, apart=Apart(), metric=oks_ap, judged_on="val",
                   optimiser=Optimiser("adam", average=0.995), **said)  # fmt: skip


higher_hrnet = short("higher_hrnet", "higher_hrnet_w32_coco", narrow_higher_hrnet)
openpose = short("openpose", "openpose_coco", narrow_openpose)
multiposenet = short("multiposenet", "multiposenet_r50_coco", narrow_multiposenet, loss=both_steps)


def score(folder: Path, runs: Path) -> None:
    """Find everybody in the unseen pictures by each run's last checkpoint; write results, and say how to score them."""
    from posewright.estimators.of_network import estimating
    from posewright.estimators.scenes import found_in
    from posewright.recipes import recipe_named
    from posewright.train.export import checkpoint
    from posewright.train.state import read_checkpoint

    truth = read(folder, "test")
    for name in NAMES:
        file = runs / name / "last.pt"
        steps = read_checkpoint(file)["step"]
        network = checkpoint.load(file, recipe=recipe_named(f"{__file__}:{name}"))
        found = list(found_in(estimating(network), truth))
        coco.write_results(found, runs / f"{name}.json")
        print(json.dumps({"network": name, "crops": 8 * steps, "AP": oks_ap(found, truth)["AP"]}))
    print(
        f"posewright score {' '.join(str(runs / f'{name}.json') for name in NAMES)} --truth coco:{folder / 'test'} "
        "--metric oks_ap,ap_by_crowding,ap_by_cause"
    )


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    {"draw": draw, "score": score}[verb](*map(Path, rest))  # type: ignore[operator]
