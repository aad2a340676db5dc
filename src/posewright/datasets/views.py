"""Views: pictures of people whose place in space is known, and what joins those of one instant.

A scene's id is "sequence/camera/frame": what comes before the last two parts names the sequence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from posewright.datasets.arrays import array_of
from posewright.datasets.records import Floats, Record
from posewright.geometry import Camera
from posewright.metrics.threed.poses import Poses
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import Skeleton
from posewright.warp import Size

MILLIMETRES = 1000.0
HALF = 100.0
"""px of half a box a unit of the `scale` of these files: HRNet's, where a person is 200 px high."""
APART = 64
"""Frames of which the test set takes one (Human3.6M's protocol 1 as integral pose and EpipolarPose have it)."""


def instants(scenes: Sequence[Scene]) -> list[tuple[Scene, ...]]:
    """Join the views of one instant, by sequence and frame, in the order in which these first appear."""
    groups: dict[tuple[str, str], list[Scene]] = defaultdict(list)
    for scene in scenes:
        sequence, _, frame = parts(scene)
        groups[sequence, frame].append(scene)
    return [tuple(group) for group in groups.values()]


def parts(scene: Scene) -> tuple[str, str, str]:
    """Return sequence, camera and frame of a scene; raises ValueError for an id that does not name them."""
    named = str(scene.id).rsplit("/", 2)
    if len(named) != 3:
        raise ValueError(f"scene {scene.id}: does not name its sequence, camera and frame")
    return named[0], named[1], named[2]


def sparse(scenes: Sequence[Scene], apart: int = APART) -> list[Scene]:
    """Return of each camera's frames of a sequence the first in every `apart`, also where the file skips some."""
    kept: dict[tuple[str, str], set[int]] = defaultdict(set)
    first: dict[tuple[str, str], int] = {}
    chosen = []
    for scene in scenes:
        sequence, camera, frame = parts(scene)
        video = sequence, camera
        number = int(frame)
        block = (number - first.setdefault(video, number)) // apart
        if block not in kept[video]:
            kept[video].add(block)
            chosen.append(scene)
    return chosen


def poses_of(scenes: Sequence[Scene], like: Sequence[Scene] | None = None) -> Poses:
    """Return the people's points in the frames of their scenes' cameras, for metrics of poses in space.

    like: scenes whose people are meant, place by place; one who is not found is NaN. Sequences and actions are by the
    scenes' ids. Raises ValueError for a person without `points3d`.
    """
    rows: list[Floats] = []
    names: list[str] = []
    for scene, meant in zip(scenes, like or scenes, strict=True):
        found = list(scene.people)
        for place in range(len(meant.people)):
            if place >= len(found):
                rows.append(np.full((len(scene.skeleton), 3), np.nan))
            else:
                points = found[place].points3d
                if points is None:
                    raise ValueError(f"scene {scene.id}: a person has no points in space")
                rows.append(points if scene.camera is None else scene.camera.view(points))
            names.append(parts(scene)[0])
    skeleton = scenes[0].skeleton
    actions = [action_of(name) for name in names]
    xyz = np.array(rows).reshape(-1, len(skeleton), 3)
    return Poses(xyz, skeleton, np.array(names, np.str_), np.array(actions, np.str_))


def action_of(sequence: str) -> str:
    """Return what is done in a sequence, as far as its name tells: its second part, without the number of the take.

    >>> action_of("S9/Walking 1"), action_of("TS1")
    ('Walking', '')
    """
    _, _, what = sequence.partition("/")
    return what.rstrip("0123456789").rstrip(" _")


def camera_of(record: Record, R: Floats, t: Floats, lens: bool) -> Camera:
    """Return a camera of f, c and, with `lens`, k and p as Human3.6M's files have them; R and t as it is."""
    f, c = (_column(record, key, 2) for key in ("f", "c"))
    K = np.array([[f[0], 0, c[0]], [0, f[1], c[1]], [0, 0, 1]])
    if not lens:
        return Camera(K, R, t)
    k, p = _column(record, "k", 3), _column(record, "p", 2)
    return Camera(K, R, t, np.array([k[0], k[1], p[0], p[1], k[2]]), "h36m")


def _column(record: Record, key: str, count: int) -> Floats:
    """Return numbers that a file writes as a column, [[1], [2]], or as a row."""
    value = np.asarray(record.get(key), np.float64).ravel()
    if value.shape != (count,) or not np.isfinite(value).all():
        raise record.wrong(key, f"must be {count} numbers, not {len(value)}")
    return value


def column(record: Record, key: str) -> Floats:
    """Return three numbers that a file writes as a column or as a row."""
    return _column(record, key, 3)


def turn(record: Record, key: str) -> Floats:
    """Return a rotation (3, 3) of a file; raises DataError for what is none."""
    R = record.rows(key, 3, 3)
    if np.abs(R @ R.T - np.eye(3)).max() > 1e-3 or np.linalg.det(R) < 0:
        raise record.wrong(key, "is no rotation")
    return R


def size_of(record: Record) -> Size:
    """Return the (width, height) px of a camera's pictures."""
    return record.whole("w", 1), record.whole("h", 1)


def rows_of(arrays: Mapping[str, np.ndarray], where: str, skeleton: Skeleton) -> Iterator[tuple[str, Person, Floats]]:
    """Yield name, person in px, and points (K, 3) mm in the camera's frame, from arrays in MMPose's form.

    `imgname` (N,), `center` (N, 2), `scale` (N,), `part` (N, K, 3) px and whether known, `S` (N, K, 4) m and whether
    known. Raises DataError.
    """
    names = array_of(arrays, "imgname", where, (None,), text=True)
    count, keypoints = len(names), len(skeleton)
    part = array_of(arrays, "part", where, (count, keypoints, 3))
    points = array_of(arrays, "S", where, (count, keypoints, 4))
    center, scale = array_of(arrays, "center", where, (count, 2)), array_of(arrays, "scale", where, (count,))
    for n, name in enumerate(names):
        known = part[n, :, 2] > 0
        half = np.array([HALF, HALF]) * scale[n]
        box = np.concatenate([center[n] - half, center[n] + half])
        visible = np.where(known, SEEN, 0).astype(np.uint8)
        person = Person(np.where(known[:, None], part[n, :, :2], np.nan), visible, box=box)
        space = np.where(points[n, :, 3:] > 0, points[n, :, :3] * MILLIMETRES, np.nan)
        yield str(name), person, space
