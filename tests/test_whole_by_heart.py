"""Learnt by heart: recipes of whole pictures, with narrow networks, come to find two people in one picture."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from posewright.augment.picture_jitter import Fitted, PictureJitter  # noqa: E402
from posewright.datasets.synthetic import world  # noqa: E402
from posewright.estimators.bottom_up import fitted  # noqa: E402
from posewright.estimators.of_network import estimating  # noqa: E402
from posewright.estimators.runtimes.torch import network_of  # noqa: E402
from posewright.models import (  # noqa: E402
    associative_embedding,
    deepercut,
    higher_hrnet,
    lightweight_openpose,
    multiposenet,
    openpose,
    resnet,
    simplepose,
)
from posewright.recipes import recipe_named  # noqa: E402
from posewright.recipes.multiposenet import at_true_boxes  # noqa: E402
from posewright.recipes.recipe import Optimiser, Phase  # noqa: E402
from posewright.train import Machine, prepared, steps  # noqa: E402
from posewright.train.pictures import PictureBatches  # noqa: E402

STILL = PictureJitter(Fitted(), scale=(1.0, 1.0), turn=0.0, shift=0.0, mirror=0.0)
ALONE = Machine(device="cpu", workers=0)


def wide_awake(network):
    """Draw weights as He et al. do: a narrow network of the authors' small ones takes long to come through."""
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return network


def by_heart(narrow, name, network, taken, rate, size, **codec):
    """Train a recipe on one picture of two people beside each other; return its network, the picture and the losses."""
    scene = world(8, seed=5, size=(128, 128), people=(2, 3))[7]
    recipe = recipe_named(name)
    recipe = replace(
        recipe, codec=replace(recipe.codec, size=(size, size), **codec), jitter=STILL, batch=1, network=network,
        optimiser=Optimiser("adam"), phases=(Phase(taken, rate, to=rate / 20),),
    )  # fmt: skip
    with narrow():
        state = prepared(recipe, 0, ALONE)
    batches = PictureBatches([scene], recipe.codec, STILL, 1)
    losses = list(steps(recipe, batches, state, ALONE))
    return network_of(state.module, recipe.codec), scene, losses


def away(people, true):
    """Return the smallest mean distance (px) of a person with most of the true one's keypoints."""
    known = [one for one in people if (one.labelled & true.labelled).sum() > len(true) / 2]
    return min((np.nanmean(np.linalg.norm(one.keypoints - true.keypoints, axis=-1)) for one in known), default=np.inf)


@pytest.mark.parametrize(
    ("name", "network", "taken", "rate", "size", "codec", "near", "pieces"),
    [
        ("higher_hrnet_w32_coco", lambda: higher_hrnet.HigherHRNet(8, 17), 130, 3e-3, 64, {}, 6.0, 0),
        ("openpose_coco", lambda: wide_awake(openpose.OpenPose(18, 19, stages=1)), 300, 4e-3, 128, {}, 4.0, 0),
        (
            "lightweight_openpose_coco",
            lambda: lightweight_openpose.LightweightOpenPose(18, 19),
            400,
            4e-3,
            96,
            {},
            8.0,
            0,
        ),
        ("simplepose_coco", lambda: simplepose.SimplePose(1, 18, 30), 110, 4e-3, 128, {}, 8.0, 3),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_two_people_are_learnt_by_heart(narrow, name, network, taken, rate, size, codec, near, pieces):
    """Both are found in the picture, without being told where they are, and nobody else but so many pieces of them.

    SimplePose's published grouping leaves pieces of two keypoints, and after 600 steps it still does.
    """
    network, scene, losses = by_heart(narrow, name, network, taken, rate, size, **codec)
    assert losses[-1] < losses[0] / 3
    people = estimating(network)(scene)
    assert len(scene.people) == 2
    assert max(away(people, true) for true in scene.people) < near
    assert sum(one.labelled.sum() > 2 / 3 * len(one) for one in people) == 2
    assert len(people) <= 2 + pieces


def test_tags_are_learnt_by_heart(narrow, monkeypatch):
    """Associative embedding, with tags that weigh fifty times as much: at their weight they take thousands of steps."""
    from posewright.losses import tags

    monkeypatch.setattr(tags, "GROUPING", 50 * tags.GROUPING)
    build = lambda: associative_embedding.AssociativeEmbedding(1, 17, width=32)  # noqa: E731
    network, scene, losses = by_heart(narrow, "associative_embedding_coco", build, 350, 2e-3, 64, sigma=1.5)
    assert losses[-1] < losses[0] / 3
    people = estimating(network)(scene)
    assert max(away(people, true) for true in scene.people) < 8
    assert len(people) == 2


def test_multiposenet_learns_keypoints_by_heart(narrow):
    """The highest place of a keypoint's map in a person's box is near that keypoint."""
    build = lambda: multiposenet.MultiPoseNet(resnet.ResNet((1, 1, 1, 1)), 17)  # noqa: E731
    network, scene, losses = by_heart(narrow, "multiposenet_r50_coco", build, 100, 2e-3, 128)
    assert losses[-1] < losses[0] / 3
    maps, misses = network(scene.pixels()[None])[-1].maps[0], []
    for person in scene.people:
        x0, y0, x1, y1 = (person.box / 4).astype(int)
        inside = maps[:, y0 : y1 + 1, x0 : x1 + 1]
        y, x = np.unravel_index(inside.reshape(17, -1).argmax(1), inside.shape[1:])
        places = 4 * np.stack([x + x0, y + y0], -1) + 1.5
        misses.append(np.linalg.norm(places - person.keypoints, axis=-1))
    assert np.median(misses) < 12  # of people 80 and 55 px high
    (found,) = at_true_boxes(network, [scene])
    assert len(found.people) == 2


def test_the_second_step_of_multiposenet_leaves_the_first_as_it_is(narrow):
    build = lambda: multiposenet.MultiPoseNet(resnet.ResNet((1, 1, 1, 1)), 17)  # noqa: E731
    recipe = recipe_named("multiposenet_r50_coco_boxes")
    recipe = replace(recipe, codec=replace(recipe.codec, size=(64, 64)), jitter=STILL, batch=1, network=build,
                     phases=(Phase(3, 1e-3),))  # fmt: skip
    with narrow():
        state = prepared(recipe, 0, ALONE)
    before = {name: value.clone() for name, value in state.module.network.state_dict().items()}
    list(steps(recipe, PictureBatches(world(1, 5, size=(64, 64)), recipe.codec, STILL, 1), state, ALONE))
    changed = {name for name, value in state.module.network.state_dict().items() if (value != before[name]).any()}
    assert changed
    assert all(name.startswith(("box_pyramid.", "box_head.")) for name in changed)


def test_parts_and_ways_are_learnt_by_heart(narrow):
    """Disks lie where DeeperCut's targets have them, and so do the ways; the programme is not asked."""
    build = lambda: deepercut.DeeperCut(resnet.ResNet((1, 1, 1, 1)), 17)  # noqa: E731
    network, scene, losses = by_heart(narrow, "deepercut_r50_coco", build, 40, 1e-3, 64)
    assert losses[-1] < losses[0] / 3
    crop = fitted(scene, network.codec.size)
    said, target = network(crop.pixels[None])[-1], network.codec.encode([crop.people])
    assert ((said.maps > 0) == (target.maps > 0.5)).mean() > 0.95
