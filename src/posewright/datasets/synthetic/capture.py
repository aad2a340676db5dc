"""The synthetic world filmed: one recorded motion before fixed cameras, instant by instant, with exact truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic.body import WORLD, body, random_shape
from posewright.datasets.synthetic.draw import photograph
from posewright.datasets.synthetic.paint import dressed
from posewright.datasets.synthetic.pose import checked_motion, pose_of
from posewright.datasets.synthetic.stage import Stage, looking
from posewright.datasets.synthetic.things import gathered, random_thing
from posewright.geometry import Camera
from posewright.scene import Scene
from posewright.skeleton import Skeleton
from posewright.warp import Size

Floats = NDArray[np.float64]

DISTANCE, HEIGHT = (3200.0, 4200.0), (1100.0, 2400.0)
"""mm: how far from the middle, and how high, cameras of a ring stand; from and to."""
FIELD = 0.9
"""The picture's longer side over its focal length, twice the tangent of half its angle."""


def ring(views: int, size: Size, rng: np.random.Generator) -> list[Camera]:
    """Place so many pinhole cameras around the origin, evenly but for a little, looking at 900 mm above it.

    >>> [camera.project([[0, 0, 900]]).round(6).tolist() for camera in ring(2, (64, 64), np.random.default_rng(0))]
    [[[31.5, 31.5]], [[31.5, 31.5]]]
    """
    cameras = []
    focal = max(size) / FIELD
    K = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1]])
    for n in range(views):
        azimuth = 2 * np.pi * n / views + rng.uniform(-0.15, 0.15)
        distance, height = rng.uniform(*DISTANCE), rng.uniform(*HEIGHT) - 900.0
        R = looking(azimuth, float(np.arctan2(height, distance)), 0.0)
        cameras.append(Camera(K, R, np.array([0, 0, np.hypot(distance, height)]) - R @ [0, 0, 900.0]))
    return cameras


def filmed(
    motion: NDArray, cameras: Sequence[Camera], sizes: Sequence[Size], skeleton: Skeleton = WORLD, seed: int = 0
) -> Iterator[tuple[Scene, ...]]:
    """Yield each instant of a motion as cameras see it: one body, one dress, one light, things that stay.

    motion (F, 17, 3) mm, z up, in H36M's order: directions of its bones move a body drawn from the seed, whose own
    lengths it keeps; its path over the floor is kept too. Cameras must be pinholes; sizes are their pictures'.
    Raises ValueError for a motion of another shape, or a camera with a lens.
    """
    poses = checked_motion(motion)
    lens = [n for n, camera in enumerate(cameras) if camera.distortion.any()]
    if lens:
        raise ValueError(f"camera {lens[0]} has a lens; the world is drawn by pinholes")
    rng = np.random.default_rng([seed, 0])
    shape = random_shape(rng)
    first = body(shape, pose_of(poses[0]))
    paints = [dressed(rng, first.frames)]
    towards = np.array([1.0, 0.0])
    spots = [rng.uniform(1100, 1900) * np.array([np.cos(a), np.sin(a)]) for a in rng.uniform(0, 2 * np.pi, 2)]
    things = gathered([random_thing(rng, spot, towards) for spot in spots])
    light = np.array([0.4, 0.5, 1.0]) / np.linalg.norm([0.4, 0.5, 1.0])
    for f, joints in enumerate(poses):
        posed = body(shape, pose_of(joints))
        shift = np.array([*joints[0, :2], 0.0])
        moved = posed._replace(keypoints=posed.keypoints + shift, cones=posed.cones.moved(np.eye(3), shift))
        stage = Stage([moved], paints, things, light, 0.0)
        yield tuple(
            photograph(np.random.default_rng([seed, 1, v]), stage, camera, size, skeleton, f"{f:06d}-{v}")
            for v, (camera, size) in enumerate(zip(cameras, sizes, strict=True))
        )


STANDING = np.array([
    (0, 0, 950), (-130, 0, 940), (-130, 20, 500), (-130, 0, 80), (130, 0, 940), (130, 20, 500), (130, 0, 80),
    (0, 0, 1180), (0, 0, 1430), (0, 40, 1530), (0, 20, 1680), (180, 0, 1400), (330, 40, 1200), (330, 160, 1000),
    (-180, 0, 1400), (-330, 40, 1200), (-330, 160, 1000)], np.float64)  # fmt: skip
"""A person of 1.7 m who faces +y, mm, z up, in H36M's order."""
SWINGS = (((2, 3), 1, 180), ((5, 6), -1, 180), ((12, 13), 1, 150), ((15, 16), -1, 150))
"""Joints that swing forth and back, the first of two half as far: which, which way first, mm."""
CIRCLE, TURNING = 700.0, 0.8
"""mm and radians a second of the circle that the person walks."""


def walk(frames: int, fps: float = 30.0) -> Floats:
    """Return a made-up motion (F, 17, 3) mm, z up, in H36M's order: a walk in a circle with a waving left hand.

    >>> walk(2).shape
    (2, 17, 3)
    """
    time = np.arange(frames) / fps
    bodies = np.tile(STANDING, (frames, 1, 1))
    for joints, sign, reach in SWINGS:
        bodies[:, joints, 1] += sign * np.sin(2 * np.pi * time)[:, None] * np.array([reach / 2, reach])
    bodies[:, 13, 2] += 250 * (1 + np.sin(3 * np.pi * time))
    c, s = np.cos(TURNING * time), np.sin(TURNING * time)
    turn = np.zeros((frames, 3, 3))
    turn[:, 0, 0], turn[:, 1, 1], turn[:, 0, 1], turn[:, 1, 0], turn[:, 2, 2] = c, c, -s, s, 1
    return bodies @ turn.transpose(0, 2, 1) + CIRCLE * np.stack([c, s, 0 * c], axis=-1)[:, None]


def sequence(path: Path | str, number: int, count: int) -> tuple[Floats, str]:
    """Read `count` frames of sequence `number` of a motion file, moved to the middle of the floor; and its name.

    The npz holds `poses` (N, 17, 3), and `sequence_id` (N,) with `sequence_names` where it has several. Numbers
    beyond the last start again. Raises ValueError where there are no such poses, or fewer frames.
    """
    with np.load(path, allow_pickle=False) as file:
        if "poses" not in file.files:
            raise ValueError(f"{path}: has no array 'poses', only {', '.join(file.files)}")
        poses, name = checked_motion(file["poses"], str(path)), "motion"
        if "sequence_id" in file.files:
            ids = np.unique(file["sequence_id"])
            chosen = ids[number % len(ids)]
            poses = poses[file["sequence_id"] == chosen]
            name = str(file["sequence_names"][chosen]) if "sequence_names" in file.files else str(chosen)
    if len(poses) < count:
        raise ValueError(f"{path}: sequence {name} has {len(poses)} frames, not {count}")
    some = poses[:count]
    middle = (some[:, 0].min(0) + some[:, 0].max(0)) / 2
    return some - [middle[0], middle[1], 0.0], name
