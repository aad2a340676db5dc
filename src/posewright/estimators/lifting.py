"""Lifting: people in one picture, in space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from posewright.codecs.depth import SIDE, flat_lifted, lifted, root_of, with_depths
from posewright.estimators.estimator import Boxes, Estimator, Image
from posewright.estimators.of_network import estimating
from posewright.scene import PADDING, Floats, Person, Scene


def lift(estimator: Estimator, image: Image, boxes: Boxes | None = None) -> list[Person]:
    """Estimate people with `points3d` mm relative to the root: x right, y down, z away from the viewer.

    Nobody knows how large a person in a picture is: a crop is taken to show 2 m, as in training, so sizes are as good
    as that is; proportions and turns do not depend on it. Raises ValueError for an estimator that tells no depths.
    """
    root = root_of(estimator.skeleton)
    return [
        replace(person, points3d=flat_lifted(person, root, _mm_per_px(person))) for person in estimator(image, boxes)
    ]


def lift_scenes(estimator: Estimator, truth: Sequence[Scene]) -> Iterator[Scene]:
    """Estimate the people of scenes with cameras in space, each at the true distance of their root.

    So do the authors: what is judged is the pose, which one picture can tell, not how far it is. `points3d` come out in
    the world of each camera. Raises ValueError for a scene without camera, or people without `points3d`.
    """
    aimed = [with_depths(scene) for scene in truth]
    boxes = [[person.box for person in scene.people] for scene in aimed]
    root = root_of(estimator.skeleton)
    for scene, people in zip(aimed, estimator.many(aimed, boxes), strict=True):
        found = tuple(_placed(one, true, scene, root) for one, true in zip(people, scene.people, strict=True))
        yield replace(scene, skeleton=estimator.skeleton, people=found)


def judged_lift(network: Any, truth: Sequence[Scene]) -> Iterator[Scene]:
    """Estimate by a network in training, as `lift_scenes` does."""
    return lift_scenes(estimating(network), truth)


def _placed(person: Person, true: Person, scene: Scene, root: int) -> Person:
    assert scene.camera is not None
    assert true.points3d is not None
    distance = scene.camera.view(true.points3d[root_of(scene.skeleton)])[2]
    return replace(person, points3d=_in_world(lifted(person, scene.camera, float(distance), root), scene))


def _in_world(points: Floats, scene: Scene) -> Floats:
    assert scene.camera is not None
    return np.asarray((points - scene.camera.t) @ scene.camera.R)


def _mm_per_px(person: Person) -> float:
    if person.box is None:
        raise ValueError("the person has no box, so nobody knows what their crop showed")
    return float(SIDE / (PADDING * max(person.box[2:] - person.box[:2])))
