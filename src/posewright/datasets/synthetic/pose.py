"""Poses of the synthetic world: three frames for the trunk, one direction for each segment of a limb.

A pose says nothing about lengths, so that one pose fits every body. World axes: x, y on the floor, z up,
mm. A body's own frame has the columns right, forward, up.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Range = tuple[float, float]

SEGMENTS = tuple(
    f"{side}_{segment}"
    for segment in ("upper_arm", "forearm", "hand", "thigh", "shank", "foot")
    for side in ("left", "right")
)
"""The order of `Pose.directions`."""

LIMITS: dict[str, Range] = {
    "spine": (-30, 75), "lean": (-30, 30), "twist": (-45, 45), "nod": (-45, 45), "shake": (-70, 70), "tilt": (-30, 30),
    "hip": (-30, 130), "spread": (-20, 75), "turnout": (-30, 45), "knee": (0, 150), "sole": (-45, 25),
    "shoulder": (-60, 185), "raise": (-15, 175), "roll": (-80, 80), "elbow": (0, 150),
}  # fmt: skip
"""Degrees that a joint reaches; 0 is a person who stands with hanging arms."""


class Pose(NamedTuple):
    """Turn a body's parts: pelvis, chest, head (3, 3) `world_from_part`; directions (12, 3) as SEGMENTS.

    lift: mm between the floor and the lowest point of the body.
    """

    pelvis: Floats
    chest: Floats
    head: Floats
    directions: Floats
    lift: float


class Activity(NamedTuple):
    """Ranges in degrees from which a pose is drawn; every side of the body draws its own.

    swing: how far legs and arms go apart, forth on one side and back on the other. pitch: the whole body
    turns forward about its hips, 90 lies face down, 180 is upside down. steady: the hips undo the pitch, so
    that the legs stay on the floor. Fixed joints that no range names stay within 10 degrees of 0.
    """

    weight: float
    pitch: Range = (-5, 8)
    cant: Range = (-6, 6)
    steady: bool = False
    swing: Range = (0, 0)
    spine: Range = (-5, 12)
    hip: Range = (-5, 12)
    spread: Range = (0, 12)
    knee: Range = (0, 15)
    shoulder: Range = (-20, 35)
    raises: Range = (3, 30)
    elbow: Range = (0, 60)
    lift: Range = (0, 0)


ACTIVITIES = {
    "stand": Activity(2, shoulder=(-20, 40), elbow=(0, 110)),
    "walk": Activity(2, swing=(10, 32), hip=(-5, 15), knee=(5, 45), spine=(0, 12)),
    "run": Activity(2, pitch=(0, 20), swing=(25, 60), hip=(0, 25), knee=(10, 110), elbow=(50, 120), lift=(0, 120)),
    "sit": Activity(1.5, hip=(70, 110), knee=(55, 115), spread=(0, 30), shoulder=(0, 70), elbow=(10, 100),
                    lift=(200, 450)),
    "bend": Activity(1.5, pitch=(20, 85), steady=True, spine=(10, 55), knee=(0, 45), shoulder=(0, 120)),
    "squat": Activity(1, pitch=(5, 35), hip=(80, 125), knee=(90, 140), spread=(5, 45), shoulder=(0, 110)),
    "reach": Activity(2, shoulder=(60, 180), raises=(0, 60), elbow=(0, 50), hip=(-10, 25), knee=(0, 35)),
    "spread": Activity(1, shoulder=(-20, 40), raises=(45, 160), elbow=(0, 90), spread=(5, 45), knee=(0, 30)),
    "jump": Activity(1.5, pitch=(-20, 25), hip=(-20, 90), spread=(0, 50), knee=(0, 120), shoulder=(-30, 175),
                     raises=(0, 100), elbow=(0, 100), lift=(80, 600)),
    "kick": Activity(1.5, pitch=(-30, 15), cant=(-25, 25), swing=(25, 70), hip=(0, 30), spread=(0, 40),
                     knee=(0, 60), shoulder=(-40, 90), raises=(10, 100), elbow=(10, 110), lift=(0, 150)),
    "lunge": Activity(1.5, pitch=(-5, 45), cant=(-20, 20), swing=(35, 60), hip=(10, 40), knee=(10, 95),
                      shoulder=(-30, 150), raises=(0, 110), elbow=(0, 110)),
    "lie": Activity(1, pitch=(75, 105), hip=(-10, 60), knee=(0, 90), spread=(0, 35), shoulder=(-20, 170),
                    raises=(0, 90)),
    "lie back": Activity(1, pitch=(-105, -70), hip=(-5, 95), knee=(0, 110), spread=(0, 35), shoulder=(-10, 175),
                         raises=(5, 90)),
    "handstand": Activity(1, pitch=(150, 210), cant=(-15, 15), hip=(-20, 80), spread=(0, 70), knee=(0, 100),
                          shoulder=(150, 182), raises=(0, 25), elbow=(0, 40)),
    "tumble": Activity(2, pitch=(-180, 180), cant=(-70, 70), spine=(-25, 60), hip=(-20, 125), spread=(-5, 65),
                       knee=(0, 140), shoulder=(-40, 180), raises=(0, 130), elbow=(0, 130), lift=(50, 700)),
}  # fmt: skip


def _turn(axis: int, degrees: float) -> Floats:
    """Rotate about x, y or z (0, 1, 2), right-handed."""
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[i, i] = turn[j, j] = c
    turn[i, j], turn[j, i] = -s, s
    return turn


def _draw(rng: np.random.Generator, joint: str, span: Range = (-10, 10), shift: float = 0.0) -> float:
    """Draw a joint's angle from a span, moved by a shift, inside what the joint allows."""
    low, high = LIMITS[joint]
    return float(min(max(rng.uniform(*span) + shift, low), high))


def random_pose(rng: np.random.Generator, activity: str | None = None) -> Pose:
    """Draw a pose of a random activity, facing anywhere; raises KeyError for an unknown activity."""
    weights = np.array([a.weight for a in ACTIVITIES.values()])
    kind = ACTIVITIES[activity or str(rng.choice(list(ACTIVITIES), p=weights / weights.sum()))]
    pitch, heading = rng.uniform(*kind.pitch), rng.uniform(-180, 180)
    pelvis = _turn(2, heading) @ _turn(0, -pitch) @ _turn(1, rng.uniform(*kind.cant))
    bend = _turn(0, -_draw(rng, "spine", kind.spine)) @ _turn(1, _draw(rng, "lean", (-15, 15)))
    chest = pelvis @ bend @ _turn(2, _draw(rng, "twist", (-25, 25)))
    look = _turn(2, _draw(rng, "shake", (-55, 55))) @ _turn(0, _draw(rng, "nod", (-30, 30)))
    head = chest @ look @ _turn(1, _draw(rng, "tilt", (-15, 15)))
    swing = rng.uniform(*kind.swing) * rng.choice([-1, 1])
    legs = {side: _leg(rng, kind, pelvis, side, side * swing + kind.steady * pitch) for side in (-1, 1)}
    arms = {side: _clear_arm(rng, kind, chest, side, -side * swing) for side in (-1, 1)}
    rows = [limb[side][n] for limb in (arms, legs) for n in range(3) for side in (-1, 1)]
    return Pose(pelvis, chest, head, np.array(rows), float(rng.uniform(*kind.lift)))


def _leg(rng: np.random.Generator, kind: Activity, pelvis: Floats, side: int, shift: float) -> Floats:
    """Draw thigh, shank and foot (3, 3), a row each; side -1 is left, +1 right."""
    hip = _turn(0, _draw(rng, "hip", kind.hip, shift)) @ _turn(1, -side * _draw(rng, "spread", kind.spread))
    thigh = pelvis @ hip @ _turn(2, -side * _draw(rng, "turnout", (-10, 25)))
    shank = thigh @ _turn(0, -_draw(rng, "knee", kind.knee))
    foot = shank @ _turn(0, _draw(rng, "sole", (-35, 15)))
    return np.stack([-thigh[:, 2], -shank[:, 2], foot[:, 1]])


def _clear_arm(rng: np.random.Generator, kind: Activity, chest: Floats, side: int, shift: float) -> Floats:
    """Draw upper arm, forearm and hand (3, 3), again while elbow or wrist would be inside the trunk or head."""
    for _ in range(8):
        arm = _arm(rng, kind, side, shift)
        elbow = np.array([side * 0.11, 0, 0]) + 0.186 * arm[0]
        path = np.stack([elbow, elbow + 0.08 * arm[1], elbow + 0.16 * arm[1], elbow + 0.2 * arm[1]])
        trunk = (path[:, 0] / 0.11) ** 2 + (path[:, 1] / 0.085) ** 2 > 1
        clear = np.where(path[:, 2] > 0.03, np.hypot(path[:, 0], path[:, 1]) > 0.075, trunk)
        if clear.all():
            break
    return arm @ chest.T


def _arm(rng: np.random.Generator, kind: Activity, side: int, shift: float) -> Floats:
    raised = _turn(1, -side * _draw(rng, "raise", kind.raises))
    upper = (
        _turn(0, _draw(rng, "shoulder", kind.shoulder, shift)) @ raised @ _turn(2, side * _draw(rng, "roll", (-50, 70)))
    )
    fore = upper @ _turn(0, _draw(rng, "elbow", kind.elbow))
    hand = fore @ _turn(0, rng.uniform(-25, 35))
    return np.stack([-upper[:, 2], -fore[:, 2], -hand[:, 2]])


@lru_cache(maxsize=4)
def read_motion(path: str | Path) -> Floats:
    """Read `poses` (N, 17, 3) mm, z up, in H36M's order, from an npz file.

    Raises ValueError that names the file where there are no such poses.
    """
    with np.load(path, allow_pickle=False) as file:
        if "poses" not in file.files:
            raise ValueError(f"{path}: has no array 'poses', only {', '.join(file.files)}")
        return checked_motion(file["poses"], str(path))


def checked_motion(poses: NDArray, source: str = "motion") -> Floats:
    """Return poses as float64 (N, 17, 3); raises ValueError for another shape or for none."""
    if poses.ndim != 3 or poses.shape[1:] != (17, 3) or not len(poses):
        raise ValueError(f"{source}: poses must be (N, 17, 3) mm in H36M's order, not {poses.shape}")
    return poses.astype(np.float64)


def motion_pose(joints: Floats, rng: np.random.Generator) -> Pose:
    """Read a pose off joints (17, 3) mm in H36M's order, z up; turn it anywhere and mirror half of them.

    Bones give directions; feet and hands, which such joints do not tell, follow the shin and the forearm.
    The lowest ankle tells how far a jump is off the floor.
    """
    if rng.random() < 0.5:
        joints = joints[[0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]] * [-1, 1, 1]
    return pose_of(joints @ _turn(2, rng.uniform(-180, 180)).T, rng.uniform(-30, 30))


def pose_of(joints: Floats, glance: float = 0.0) -> Pose:
    """Read a pose off joints (17, 3) mm in H36M's order, z up, as they are; the head turns by `glance` degrees."""
    pelvis = _frame(joints[1] - joints[4], joints[7] - joints[0])
    chest = _frame(joints[14] - joints[11], joints[8] - joints[7])
    head = _frame(chest[:, 0], joints[10] - joints[8]) @ _turn(2, glance)
    ends = [(11, 12), (14, 15), (12, 13), (15, 16), (12, 13), (15, 16), (4, 5), (1, 2), (5, 6), (2, 3)]
    bones = np.array([joints[b] - joints[a] for a, b in ends])
    shanks = bones[-2:] / np.linalg.norm(bones[-2:], axis=-1, keepdims=True)
    toes = pelvis[:, 1] - (shanks @ pelvis[:, 1])[:, None] * shanks + 0.2 * shanks
    directions = np.concatenate([bones, toes])
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    return Pose(pelvis, chest, head, directions, float(max(joints[[3, 6], 2].min() - 160, 0)))


def _frame(right: Floats, up: Floats) -> Floats:
    """Build a body part's frame (3, 3) from its way to the right and its way up, which need not be square."""
    up = up / np.linalg.norm(up)
    forward = np.cross(up, right)
    forward /= np.linalg.norm(forward)
    return np.stack([np.cross(forward, up), forward, up], axis=1)
