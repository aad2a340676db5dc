"""Bodies of the synthetic world: a shape and a pose become keypoints in space and the solids that are seen.

Lengths are fractions of a person's height, after the segment lengths of Drillis and Contini as Winter,
"Biomechanics and Motor Control of Human Movement", Fig. 4.1, gives them; widths are by eye.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.datasets.synthetic.pose import SEGMENTS, Pose
from posewright.skeleton import COCO, Skeleton

Floats = NDArray[np.float64]

WORLD = Skeleton(
    "world",
    (*COCO.keypoints, "head_top", "neck", "upper_neck", "head_bottom", "thorax", "spine", "belly", "pelvis", "head"),
    (*(limb for limb in COCO.limbs if not set(limb) & {"left_shoulder", "right_shoulder"} or "elbow" in limb[1]),
     ("head_top", "upper_neck"), ("upper_neck", "thorax"), ("thorax", "spine"), ("spine", "pelvis"),
     ("thorax", "left_shoulder"), ("thorax", "right_shoulder"), ("pelvis", "left_hip"), ("pelvis", "right_hip")),
)  # fmt: skip
"""Every keypoint that the world knows: each skeleton of the house maps from it by name.

thorax is where the collarbones meet, upper_neck (and head_bottom) the base of the skull, neck halfway
between, pelvis the middle of the hips, spine the middle of the bending back, belly the navel, head the
middle of the head, head_top just below the crown.
"""

HEAD_PARTS = ("head", "hair", "tail", "nose_tip", "left_eyeball", "right_eyeball", "left_earlobe", "right_earlobe")
TRUNK_PARTS = ("pelvis", "abdomen", "chest", "shoulders", "neck")
PARTS = (*TRUNK_PARTS, *HEAD_PARTS, *SEGMENTS)
"""The solids of a body, in the order of its `Cones`."""


class Shape(NamedTuple):
    """Say how a body differs: height mm; girth, shoulders, hips, legs, head as factors around 1."""

    height: float
    girth: float
    shoulders: float
    hips: float
    legs: float
    head: float


class Cones(NamedTuple):
    """Hold solids: what a ball sweeps that goes from a to b while its radius goes from ra to rb.

    a, b (N, 3) mm; ra, rb (N,) mm; metric (N, 3, 3): lengths are sqrt(u' metric u), so that a ball may be an
    ellipsoid.
    """

    a: Floats
    b: Floats
    ra: Floats
    rb: Floats
    metric: Floats

    def moved(self, turn: Floats, shift: Floats) -> Cones:
        """Turn, then shift."""
        return self._replace(a=self.a @ turn.T + shift, b=self.b @ turn.T + shift, metric=turn @ self.metric @ turn.T)


class Body(NamedTuple):
    """Keypoints (K, 3) mm of WORLD, the solids as PARTS, and the frames of pelvis, chest, head that clothes follow."""

    keypoints: Floats
    cones: Cones
    shape: Shape
    frames: dict[str, Floats]


def random_shape(rng: np.random.Generator) -> Shape:
    """Draw a body: grown up mostly, a child sometimes, lean or heavy."""
    child = rng.random() < 0.12
    height = rng.uniform(1050, 1500) if child else np.clip(rng.normal(1710, 95), 1450, 2050)
    girth, shoulders, hips, legs = np.clip(rng.normal(1, [0.13, 0.05, 0.06, 0.035]), 0.75, 1.4)
    head = (1710 / height) ** 0.6 if child else np.clip(rng.normal(1, 0.03), 0.92, 1.08)
    return Shape(float(height), float(girth), float(shoulders), float(hips), float(legs), float(head))


def body(shape: Shape, pose: Pose) -> Body:
    """Put a pose on a shape; the pelvis is above the origin and the lowest solid `lift` above the floor."""
    points = _trunk(shape, pose)
    points |= _face(shape, pose, points["upper_neck"])
    points |= _limbs(shape, pose, points)
    cones = _solids(shape, pose, points)
    floor = float(min((cones.a[:, 2] - cones.ra).min(), (cones.b[:, 2] - cones.rb).min()))
    shift = np.array([0, 0, pose.lift * shape.height / 1710 - floor])
    keypoints = np.stack([points[name] for name in WORLD.keypoints]) + shift
    frames = {"pelvis": pose.pelvis, "chest": pose.chest, "head": pose.head}
    return Body(keypoints, cones.moved(np.eye(3), shift), shape, frames)


def _trunk(shape: Shape, pose: Pose) -> dict[str, Floats]:
    """Stack pelvis, spine, thorax and neck, and hang hips and shoulders on them; a raised arm lifts its shoulder."""
    tall, trunk = shape.height, shape.height * (2 - shape.legs)
    pelvis = np.zeros(3)
    spine = pelvis + pose.pelvis @ [0, 0, 0.14 * trunk]
    thorax = spine + pose.chest @ [0, 0, 0.155 * trunk]
    upper_neck = thorax + (0.5 * (pose.chest + pose.head)) @ [0, 0.008 * tall, 0.055 * tall]
    points = {
        "pelvis": pelvis,
        "spine": spine,
        "thorax": thorax,
        "upper_neck": upper_neck,
        "head_bottom": upper_neck,
        "neck": (thorax + upper_neck) / 2,
        "belly": pelvis + pose.pelvis @ [0, 0, 0.075 * trunk],
    }
    for side, sign in (("left", -1), ("right", 1)):
        points[f"{side}_hip"] = pelvis + pose.pelvis @ [sign * 0.052 * tall * shape.hips, 0, 0]
        arm = pose.chest.T @ pose.directions[SEGMENTS.index(f"{side}_upper_arm")]
        lift = 0.035 * max(arm[2] + 0.3, 0) - 0.014
        points[f"{side}_shoulder"] = thorax + pose.chest @ (
            np.array([sign * (0.112 - 0.3 * max(lift, 0)) * shape.shoulders, 0.02 * arm[1], lift]) * tall
        )
    return points


FACE = {
    "nose": (0, 0.058, -0.012), "left_eye": (-0.018, 0.047, 0.006), "right_eye": (0.018, 0.047, 0.006),
    "left_ear": (-0.043, -0.004, -0.006), "right_ear": (0.043, -0.004, -0.006),
    "head_top": (0, -0.004, 0.06), "head": (0, 0, 0),
}  # fmt: skip
"""Places in the head's frame, from its middle, in heights of a grown-up."""


def _face(shape: Shape, pose: Pose, upper_neck: Floats) -> dict[str, Floats]:
    size = shape.height * shape.head
    middle = upper_neck + pose.head @ (np.array([0, 0.012, 0.05]) * size)
    return {name: middle + pose.head @ (np.array(place) * size) for name, place in FACE.items()}


def _limbs(shape: Shape, pose: Pose, points: dict[str, Floats]) -> dict[str, Floats]:
    arms, legs = shape.height, shape.height * shape.legs
    found = {}
    for side in ("left", "right"):
        upper, fore, _, thigh, shank, _ = pose.directions[0 if side == "left" else 1 :: 2]
        found[f"{side}_elbow"] = points[f"{side}_shoulder"] + 0.172 * arms * upper
        found[f"{side}_wrist"] = found[f"{side}_elbow"] + 0.148 * arms * fore
        found[f"{side}_knee"] = points[f"{side}_hip"] + 0.245 * legs * thigh
        found[f"{side}_ankle"] = found[f"{side}_knee"] + 0.24 * legs * shank
    return found


def _solids(shape: Shape, pose: Pose, points: dict[str, Floats]) -> Cones:
    """Wrap the solids around the points, in the order of PARTS."""
    tall, thick, wide = shape.height, shape.height * shape.girth, shape.height * shape.girth * shape.hips
    pelvis, chest, head = pose.pelvis, pose.chest, pose.head
    across = 0.6 * (points["right_hip"] - points["left_hip"]) / 2
    hips = points["pelvis"] + pelvis @ [0, -0.008 * thick, 0.012 * tall]
    waist = hips + pelvis @ [0, 0.004 * tall, 0.035 * tall]
    spine, thorax, size = points["spine"], points["thorax"], tall * shape.head
    belly = 0.064 + 0.03 * max(shape.girth - 1, 0)
    girdle = 0.85 * (points["right_shoulder"] - points["left_shoulder"]) / 2
    top = (points["right_shoulder"] + points["left_shoulder"]) / 2
    ribs = thorax - chest @ [0, 0, 0.075 * tall]
    back = points["head"] + head @ [0, -0.05 * size, 0.02 * size]
    rows = {
        "pelvis": (hips - across, hips + across, 0.062 * wide, 0.062 * wide, _metric(pelvis, (1, 0.95, 1.1))),
        "abdomen": (waist, spine, 0.06 * wide, belly * thick + 0.008 * wide, _metric(pelvis, (1, 0.75, 1))),
        "chest": (spine, ribs, (belly + 0.01) * thick, 0.086 * thick * shape.shoulders, _metric(chest, (1, 0.68, 1))),
        "shoulders": (top - girdle, top + girdle, 0.036 * thick, 0.036 * thick, np.eye(3)),
        "neck": (thorax, points["upper_neck"], 0.036 * thick, 0.031 * thick, np.eye(3)),
        "head": _ball(points["head"], 0.066 * size, head, (0.68, 0.86, 1)),
        "hair": _ball(points["head"] + head @ [0, -0.012 * size, 0.006 * size], 0.066 * size, head, (0.71, 0.8, 0.96)),
        "tail": (back, back - head @ [0, 0.005 * size, 0.08 * size], 0.026 * size, 0.018 * size, np.eye(3)),
        "nose_tip": (points["nose"] + head @ [0, -0.012 * size, 0.018 * size], points["nose"], 0.005 * size,
                     0.009 * size, np.eye(3)),
    }  # fmt: skip
    for side in ("left", "right"):
        rows[f"{side}_eyeball"] = _ball(points[f"{side}_eye"], 0.008 * size, head, (1.2, 1, 0.8))
        rows[f"{side}_earlobe"] = _ball(points[f"{side}_ear"], 0.016 * size, head, (0.4, 0.7, 1))
        rows |= _limb_solids(shape, pose, points, side)
    columns = [np.array([rows[part][n] for part in PARTS]) for n in range(5)]
    return Cones(*columns)


def _limb_solids(shape: Shape, pose: Pose, points: dict[str, Floats], side: str) -> dict[str, tuple]:
    tall, thick, legs = shape.height, shape.height * shape.girth, shape.height * shape.legs
    hand, shank, foot = (pose.directions[SEGMENTS.index(f"{side}_{part}")] for part in ("hand", "shank", "foot"))
    shoulder, elbow, wrist, hip, knee, ankle = (
        points[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    )
    heel, toe = ankle + 0.018 * legs * shank - 0.018 * legs * foot, ankle + 0.024 * legs * shank + 0.085 * legs * foot
    eye = np.eye(3)
    return {
        f"{side}_upper_arm": (shoulder, elbow, 0.034 * thick, 0.0255 * thick, eye),
        f"{side}_forearm": (elbow, wrist, 0.026 * thick, 0.0175 * thick, eye),
        f"{side}_hand": (wrist + 0.012 * tall * hand, wrist + 0.065 * tall * hand, 0.02 * tall, 0.016 * tall, eye),
        f"{side}_thigh": (hip, knee, 0.056 * thick, 0.036 * thick, eye),
        f"{side}_shank": (knee, ankle, 0.036 * thick, 0.0225 * thick, eye),
        f"{side}_foot": (heel, toe, 0.024 * tall, 0.019 * tall, eye),
    }


def _metric(frame: Floats, stretch: ArrayLike) -> Floats:
    """Measure lengths (3, 3) so that a ball is stretched along the axes of a frame."""
    return (frame / np.square(stretch)) @ frame.T


def _ball(middle: Floats, radius: float, frame: Floats, stretch: ArrayLike) -> tuple:
    return middle, middle, radius, radius, _metric(frame, stretch)


def _near(*names: str) -> NDArray[np.intp]:
    return np.array([PARTS.index(name) for name in names])


def _adjoining(keypoint: str) -> NDArray[np.intp]:
    """Return the places in PARTS of the solids through whose surface a keypoint counts as seen."""
    side, _, joint = keypoint.partition("_")
    limb = {"shoulder": ("chest", "shoulders", f"{side}_upper_arm"), "elbow": (f"{side}_upper_arm", f"{side}_forearm"),
            "wrist": (f"{side}_forearm", f"{side}_hand"), "hip": ("pelvis", "abdomen", f"{side}_thigh"),
            "knee": (f"{side}_thigh", f"{side}_shank"), "ankle": (f"{side}_shank", f"{side}_foot")}  # fmt: skip
    if joint in limb and side in ("left", "right"):
        return _near(*limb[joint])
    trunk = {"neck": ("neck", "shoulders", "chest", "head", "hair"), "upper_neck": ("neck", *HEAD_PARTS),
             "head_bottom": ("neck", *HEAD_PARTS), "thorax": ("neck", "shoulders", "chest"),
             "pelvis": ("pelvis", "abdomen", "left_thigh", "right_thigh")}  # fmt: skip
    return _near(*trunk.get(keypoint, ("pelvis", "abdomen", "chest") if keypoint in ("spine", "belly") else HEAD_PARTS))


ADJOINING = np.zeros((len(WORLD), len(PARTS)), bool)
"""(K, parts) where a keypoint belongs to a solid."""
for _k, _name in enumerate(WORLD.keypoints):
    ADJOINING[_k, _adjoining(_name)] = True

_REACH = {"shoulder": 0.062, "elbow": 0.045, "wrist": 0.036, "hip": 0.095, "knee": 0.058, "ankle": 0.045,
          "eye": 0.03, "ear": 0.03, "nose": 0.03, "head_top": 0.055, "neck": 0.075, "upper_neck": 0.075,
          "head_bottom": 0.075, "thorax": 0.085, "spine": 0.11, "belly": 0.11, "pelvis": 0.11,
          "head": 0.08}  # fmt: skip
REACH = np.array([_REACH[name.removeprefix("left_").removeprefix("right_")] for name in WORLD.keypoints])
"""(K,) how deep below the seen surface a keypoint may lie and still count as seen, in heights at a girth of 1."""
