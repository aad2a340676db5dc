"""Labels on disk: what geometry said of a data set's people, to learn from instead of what its makers measured.

An .npz of `scene` (N,) ids, `xyz` (N, K, 3) mm in the frame of each scene's own camera, `weights` (N, K) in [0, 1],
`keypoints` (K,) and `made_by`, in words.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets.arrays import array_of, read_arrays
from posewright.datasets.records import DataError
from posewright.files import write_whole
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import Skeleton


def write_labels(path: Path, scenes: Sequence[Scene], made_by: str) -> Path:
    """Write the first person's `points3d` and scores of scenes in their cameras' own frames; returns the path."""
    if not scenes:
        raise ValueError(f"{path}: nothing was labelled, so there is nothing to write")
    people = [scene.people[0] for scene in scenes]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        scene=np.array([str(scene.id) for scene in scenes]),
        xyz=np.array([person.points3d for person in people], np.float32),
        weights=np.array([person.scores for person in people], np.float32),
        keypoints=np.array(scenes[0].skeleton.keypoints),
        made_by=np.array(made_by),
    )
    write_whole(path, buffer.getvalue())
    return path


def with_labels(scenes: Sequence[Scene], path: Path, skeleton: Skeleton) -> list[Scene]:
    """Return the scenes that a file has labels for, with these instead of what was measured.

    The world becomes each camera's own frame. skeleton: what the labels' keypoints are. Raises DataError where the file
    is none, its keypoints are others, or it labels none of these scenes.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; make it with posewright label DATA --model FILE --out {path}")
    arrays = read_arrays(path)
    ids = array_of(arrays, "scene", str(path), (None,), text=True)
    names = tuple(map(str, array_of(arrays, "keypoints", str(path), (None,), text=True)))
    if names != skeleton.keypoints:
        raise DataError(f"{path}: labels {len(names)} keypoints, {names[0]} ...; wanted are those of {skeleton.name}")
    shape = (len(ids), len(names))
    xyz, weights = arrays.get("xyz"), array_of(arrays, "weights", str(path), shape)
    if xyz is None or xyz.shape != (*shape, 3):
        raise DataError(f"{path}: xyz: must be {(*shape, 3)}, in the order of scene and keypoints")
    places = {str(name): n for n, name in enumerate(ids)}
    found = [
        _taught(s, xyz[places[str(s.id)]], weights[places[str(s.id)]], skeleton) for s in scenes if str(s.id) in places
    ]
    if not found:
        raise DataError(f"{path}: labels none of the scenes; its first is {ids[0] if len(ids) else 'not there'}")
    return found


def _taught(scene: Scene, xyz: np.ndarray, weights: np.ndarray, skeleton: Skeleton) -> Scene:
    if scene.camera is None:
        raise ValueError(f"scene {scene.id}: has no camera, so its labels have no place in the picture")
    camera = replace(scene.camera, R=np.eye(3), t=np.zeros(3))
    points = xyz.astype(np.float64)
    px = camera.project(points)
    known = np.logical_and.reduce(np.isfinite(px), axis=-1)
    person = Person(np.where(known[:, None], px, np.nan), np.where(known, SEEN, 0).astype(np.uint8), points3d=points,
                    scores=np.where(known, weights, 0.0).astype(np.float64), id=scene.people[0].id)  # fmt: skip
    return replace(scene, skeleton=skeleton, people=(person,), camera=camera)
