"""Stages of the synthetic world: who stands where, among which things, under which light, before which cameras."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic.body import Body, body, random_shape
from posewright.datasets.synthetic.paint import Paint, dressed
from posewright.datasets.synthetic.pose import motion_pose, random_pose
from posewright.datasets.synthetic.things import Thing, gathered, random_thing
from posewright.geometry import Camera
from posewright.warp import Size

Floats = NDArray[np.float64]


class Stage(NamedTuple):
    """One instant: bodies and their paint, things, the direction (3,) of the light and where the first camera looks."""

    bodies: list[Body]
    paints: list[Paint]
    things: Thing
    light: Floats
    azimuth: float


def random_stage(rng: np.random.Generator, people: tuple[int, int], motion: NDArray | None) -> Stage:
    """Draw an instant with so many people (from, to), in random poses or in those of a motion."""
    count = int(rng.integers(people[0], people[1] + 1))
    azimuth = rng.uniform(0, 2 * np.pi)
    places = _places(rng, count)
    bodies, paints = [], []
    for place in places:
        pose = random_pose(rng) if motion is None else motion_pose(motion[rng.integers(len(motion))], rng)
        posed = body(random_shape(rng), pose)
        shift = np.array([*place, 0.0])
        bodies.append(posed._replace(keypoints=posed.keypoints + shift, cones=posed.cones.moved(np.eye(3), shift)))
        paints.append(dressed(rng, posed.frames))
    light = rng.normal(0, 1, 3) + np.array([np.cos(azimuth), np.sin(azimuth), 1.2])
    return Stage(bodies, paints, _things(rng, azimuth), light / np.linalg.norm(light), float(azimuth))


def _places(rng: np.random.Generator, count: int) -> list[Floats]:
    """Draw places (2,) mm on the floor, not two people in one."""
    places: list[Floats] = []
    radius = 200.0 + 260.0 * count
    while len(places) < count:
        place = rng.uniform(-1, 1, 2) * radius
        if all(np.linalg.norm(place - other) > 420 for other in places):
            places.append(place if count > 1 else place * 0)
        radius *= 1.03
    return places


def _things(rng: np.random.Generator, azimuth: float) -> Thing:
    """Draw things before and behind the people, as the first camera sees them."""
    towards = np.array([np.cos(azimuth), np.sin(azimuth)])
    across = np.array([-towards[1], towards[0]])
    things = []
    for _ in range(rng.choice(3, p=[0.35, 0.4, 0.25])):
        place = towards * rng.uniform(450, 1500) + across * rng.normal(0, 380)
        things.append(random_thing(rng, place, towards))
    for _ in range(rng.integers(0, 4)):
        place = -towards * rng.uniform(700, 4000) + across * rng.normal(0, 1500)
        things.append(random_thing(rng, place, towards))
    return gathered(things)


def random_camera(rng: np.random.Generator, stage: Stage, size: Size, around: float) -> Camera:
    """Draw a pinhole camera that looks at the people: lens, height, roll and distance vary, some get cut off.

    around: radians between this camera and the first one.
    """
    everybody = np.concatenate([b.keypoints for b in stage.bodies])
    points = stage.bodies[0].keypoints if rng.random() < 0.35 else everybody
    target = (points.min(0) + points.max(0)) / 2
    azimuth, elevation = (
        stage.azimuth + around,
        np.deg2rad(rng.uniform(-3, 14) if rng.random() < 0.7 else rng.uniform(8, 42)),
    )
    roll = np.deg2rad(rng.normal(0, 3) if rng.random() < 0.8 else rng.uniform(-25, 25))
    half = np.tan(np.deg2rad(rng.uniform(22, 68)) / 2)
    fill = rng.uniform(0.62, 1.08)
    R = looking(azimuth, elevation, roll)
    spread = (points - target) @ R.T
    tangent = half * np.array(size) / max(size) * fill
    distance = max((np.abs(spread[:, :2]) / tangent - spread[:, 2:]).max(), 900 - ((everybody - target) @ R[2]).min())
    focal = max(size) / 2 / half
    shift = rng.normal(0, 0.04, 2) * size
    K = np.array([[focal, 0, (size[0] - 1) / 2 + shift[0]], [0, focal, (size[1] - 1) / 2 + shift[1]], [0, 0, 1]])
    return Camera(K, R, np.array([0, 0, distance]) - R @ target)


def looking(azimuth: float, elevation: float, roll: float) -> Floats:
    """Return R of a camera that stands at an azimuth and elevation and looks back at the middle."""
    ahead = -np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.cross(ahead, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(ahead, right)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * right + s * down, c * down - s * right, ahead])
