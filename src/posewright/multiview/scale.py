"""How large the world is, where cameras were placed by people: from a height, a bone, or a distance of cameras."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from posewright.geometry.solve import Floats
from posewright.multiview.calibrate import Placed
from posewright.multiview.rig import Rig
from posewright.skeleton import Skeleton

STATURE = {"shank": 0.246, "thigh": 0.245, "trunk": 0.288}
"""Shares of a person's height: knee to ankle, hip to knee, hip to shoulder (Drillis and Contini 1966, after Winter,
"Biomechanics and Motor Control of Human Movement", Fig. 4.1); people differ by some per cent."""
FEWEST = 20
"""Frames in which what is measured must be seen."""


def scaled(placed: Placed, skeleton: Skeleton, how: str) -> tuple[Placed, str]:
    """Return the calibration in mm, by what is known to be so many metres long, and a sentence that says how.

    how: `height=1.78`, `bone=left_hip,left_knee=0.44` or `cameras=cam_1,cam_2=3.20`. The median over frames is taken.
    Raises ValueError where that cannot be measured.
    """
    kind, _, rest = how.partition("=")
    names, _, number = rest.rpartition("=")
    try:
        metres = float(number)
    except ValueError:
        metres = 0.0
    if kind not in ("height", "bone", "cameras") or not 0 < metres < 1000 or (kind == "height") == bool(names):
        raise ValueError(f"--scale must be height=1.78, bone=JOINT,JOINT=0.44 or cameras=NAME,NAME=3.2, not {how!r}")
    if kind == "cameras":
        one, other = (placed.rig.only([name]).cameras[name].center for name in _two(names))
        own, spread = float(np.linalg.norm(one - other)), 0.0
    else:
        lengths = _height(placed.points, skeleton) if kind == "height" else _bone(placed.points, skeleton, *_two(names))
        known = lengths[np.isfinite(lengths)]
        if len(known) < FEWEST:
            raise ValueError(f"--scale {how}: seen whole in {len(known)} frames; {FEWEST} or more are needed")
        own, spread = float(np.median(known)), float(1.2533 * known.std() / np.sqrt(len(known)) / np.median(known))
    factor = 1000 * metres / own
    cameras = {name: replace(c, t=c.t * factor) for name, c in placed.rig.cameras.items()}
    said = f"scale from {how}, known to {100 * spread:.2g} % by its spread over frames"
    if kind == "height":
        said += "; a body's proportions differ by some per cent more"
    rig = replace(placed.rig, cameras=cameras, notes=(*placed.rig.notes, said))
    return placed._replace(rig=rig, places=placed.places * factor, points=placed.points * factor), said


def upright(placed: Placed, skeleton: Skeleton) -> tuple[Placed, str]:
    """Turn the world so that z is up and 0 is the floor: people stand on their feet more often than not.

    Up is the median way from the ankles to the shoulders, the floor the lowest twentieth of the ankles, the origin the
    middle of all ankles on it. A skeleton without these joints stays as it is. Returns what was done in words.
    """
    names = ("left_ankle", "right_ankle", "left_shoulder", "right_shoulder")
    if not set(names) <= set(skeleton.keypoints):
        return placed, "the world is the first camera's frame: up is not known"
    joints = [placed.points[:, skeleton.index(name)] for name in names]
    whole = np.isfinite(np.stack(joints)).all((0, 2))
    if whole.sum() < FEWEST:
        return placed, "the world is the first camera's frame: nobody is seen whole often enough to tell what is up"
    feet, shoulders = (joints[0] + joints[1]) / 2, (joints[2] + joints[3]) / 2
    up = np.median((shoulders - feet)[whole], axis=0)
    up /= np.linalg.norm(up)
    ahead = np.cross(placed.rig.cameras[next(iter(placed.rig.cameras))].R[0], up)
    ahead /= np.linalg.norm(ahead)
    turn = np.stack([np.cross(ahead, up), ahead, up])
    ankles = np.concatenate([j[np.isfinite(j).all(-1)] for j in joints[:2]]) @ turn.T
    origin = np.array([*np.median(ankles[:, :2], axis=0), np.percentile(ankles[:, 2], 5)])
    rig = placed.rig
    cameras = {n: replace(c, R=c.R @ turn.T, t=c.t + c.R @ turn.T @ origin) for n, c in rig.cameras.items()}
    said = "z is up as people stand; 0 is where their lowest ankles are"
    moved = Rig(cameras, rig.sizes, "z", (*rig.notes, said))
    return placed._replace(rig=moved, points=placed.points @ turn.T - origin), said


def _two(names: str) -> tuple[str, str]:
    parts = names.split(",")
    if len(parts) != 2:
        raise ValueError(f"--scale: two names with a comma between are needed, not {names!r}")
    return parts[0], parts[1]


def _bone(points: Floats, skeleton: Skeleton, one: str, other: str) -> Floats:
    try:
        return np.asarray(np.linalg.norm(points[:, skeleton.index(one)] - points[:, skeleton.index(other)], axis=-1))
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None


def _height(points: Floats, skeleton: Skeleton) -> Floats:
    """Return heights (2F,) from shank, thigh and trunk of either side."""
    sides = []
    for side in ("left", "right"):
        chain = [f"{side}_{joint}" for joint in ("ankle", "knee", "hip", "shoulder")]
        sides.append(sum(_bone(points, skeleton, a, b) for a, b in pairwise(chain)))
    return np.concatenate(sides) / sum(STATURE.values())
