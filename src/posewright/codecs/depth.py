"""Depth: from mm of the world to what a crop can show of them, and back with a camera.

As EpipolarPose's code does for Human3.6M (arXiv:1903.02330): a square of 2 m stands around the root, at the root's
distance, and what a crop shows is that square. The same length is its depth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posewright.geometry import Camera
from posewright.scene import PADDING, Floats, Person, Scene
from posewright.skeleton import Skeleton

SIDE = 2000.0
"""mm that a crop shows, across, down and deep."""
ROOTS = ("pelvis", "root", "mid_hip")


def root_of(skeleton: Skeleton) -> int:
    """Return the place of the keypoint that depths are told from; raises ValueError for a skeleton without one.

    >>> from posewright.skeleton import MPII
    >>> root_of(MPII)
    6
    """
    for name in ROOTS:
        if name in skeleton.keypoints:
            return skeleton.index(name)
    raise ValueError(f"{skeleton.name} has no {' or '.join(ROOTS)} to tell depths from")


def with_depths(scene: Scene, side: float = SIDE) -> Scene:
    """Tell each person's depths and box by their `points3d` and the scene's camera; those without points are left out.

    The box is such that a crop, PADDING larger, shows `side` mm at the root's distance. Raises ValueError for a scene
    without camera.
    """
    if scene.camera is None:
        raise ValueError(f"scene {scene.id}: has no camera, so nobody knows how far its people are")
    root = root_of(scene.skeleton)
    people = [_seen(person, scene.camera, root, side) for person in scene.people if _rooted(person, scene.camera, root)]
    return replace(scene, people=tuple(people))


def lifted(person: Person, camera: Camera, distance: float, root: int) -> Floats:
    """Return the keypoints (K, 3) mm in the camera's frame, of a person with `depths`, whose root is so many mm away.

    The distance is along the camera's axis. Raises ValueError for a person without depths.
    """
    if person.depths is None:
        raise ValueError("the person has no depths: the network that found them does not tell any")
    z = distance * (1 + (person.depths - person.depths[root]) / _focal(camera))
    return np.concatenate([camera.rays(person.keypoints) * z[:, None], z[:, None]], -1)


def flat_lifted(person: Person, root: int, mm_per_px: float) -> Floats:
    """Return keypoints (K, 3) mm relative to the root where no camera is known: all lengths at one scale.

    This is weak perspective: x right, y down, z away, as if the person stood far off.
    """
    if person.depths is None:
        raise ValueError("the person has no depths: the network that found them does not tell any")
    xyz = np.concatenate([person.keypoints, person.depths[:, None]], -1)
    return np.asarray((xyz - xyz[root]) * mm_per_px)


def _rooted(person: Person, camera: Camera, root: int) -> bool:
    """Whether a person's root has a place before the camera."""
    return person.points3d is not None and bool(camera.view(person.points3d[root])[2] > 0)


def _seen(person: Person, camera: Camera, root: int, side: float) -> Person:
    assert person.points3d is not None
    z = camera.view(person.points3d)[:, 2]
    middle = camera.project(person.points3d[root])
    half = side / PADDING / 2 * np.array([camera.K[0, 0], camera.K[1, 1]]) / z[root]
    depths = (z - z[root]) * _focal(camera) / z[root]
    return replace(person, depths=depths, box=np.concatenate([middle - half, middle + half]))


def _focal(camera: Camera) -> float:
    """The focal length px, the root of both axes' product, so that a depth is as long as a length seen."""
    return float(np.sqrt(camera.K[0, 0] * camera.K[1, 1]))
