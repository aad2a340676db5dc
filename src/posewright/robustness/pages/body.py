"""Body coordinates: a place beside one person's limb, carried over to the same limb of an upright figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.metrics.distance.distances import TORSO
from posewright.scene import Floats
from posewright.skeleton import Skeleton

_RIGHT = {
    "shoulder": (-0.40, -1.0), "elbow": (-0.60, -0.42), "wrist": (-0.72, 0.12), "hip": (-0.24, 0.0),
    "knee": (-0.29, 0.85), "ankle": (-0.32, 1.65), "eye": (-0.10, -1.50), "ear": (-0.20, -1.46),
}  # fmt: skip
_MIDDLE = {
    "nose": (0.0, -1.42), "head_top": (0.0, -1.75), "head": (0.0, -1.5), "neck": (0.0, -1.08), "thorax": (0.0, -1.0),
    "upper_neck": (0.0, -1.2), "head_bottom": (0.0, -1.15), "pelvis": (0.0, 0.0), "spine": (0.0, -0.5),
    "belly": (0.0, -0.35),
}  # fmt: skip
FIGURE = {
    **_MIDDLE,
    **{f"right_{name}": at for name, at in _RIGHT.items()},
    **{f"left_{name}": (-x, y) for name, (x, y) in _RIGHT.items()},
}
"""Where the keypoints of an upright figure are, seen from the front, in lengths of its torso; y grows downwards."""


def limbs_of(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Return the limbs that the figure has, as places in the keypoint order."""
    known = [name in FIGURE for name in skeleton.keypoints]
    return [(int(a), int(b)) for a, b in skeleton.limb_indices if known[a] and known[b]]


def on_figure(place: Floats, keypoints: Floats, skeleton: Skeleton) -> Floats:
    """Carry a place (2,) px over to the figure: along the nearest limb as far, and beside it as far in torso lengths.

    keypoints (K, 2) px, NaN where absent. NaN where no limb of the figure is labelled, or the torso is not. What is
    left and right of a limb changes places for a person who is seen from the back.
    """
    scale = _torso(np.array([FIGURE.get(k, (np.nan, np.nan)) for k in skeleton.keypoints]), skeleton)
    scale /= _torso(keypoints, skeleton)
    found, nearest = np.full(2, np.nan), np.inf
    for a, b in limbs_of(skeleton):
        along, beyond, beside = _beside(place, keypoints[a], keypoints[b])
        away = np.hypot(beyond, beside)
        if away < nearest and np.isfinite(scale):
            nearest = away
            start, end = (np.array(FIGURE[skeleton.keypoints[k]]) for k in (a, b))
            axis = (end - start) / np.hypot(*(end - start))
            normal = np.array([-axis[1], axis[0]]) * _facing(keypoints, skeleton)
            found = start + along * (end - start) + scale * (beyond * axis + beside * normal)
    return found


def _torso(keypoints: Floats, skeleton: Skeleton) -> float:
    if not set(TORSO) <= set(skeleton.keypoints):
        return float("nan")
    length = float(np.hypot(*np.subtract(*keypoints[[skeleton.index(name) for name in TORSO]])))
    return length if length > 0 else float("nan")


def _beside(place: Floats, start: Floats, end: Floats) -> tuple[float, float, float]:
    """Return how far along a limb a place is, 0 to 1, and how far beyond its end and beside it, px."""
    length = float(np.hypot(*(end - start)))
    axis = (end - start) / length if length > 0 else np.full(2, np.nan)
    ahead, beside = float((place - start) @ axis), float((place - start) @ np.array([-axis[1], axis[0]]))
    within = float(np.clip(ahead, 0, length))
    return (within / length if length > 0 else 0.0), ahead - within, beside


def _facing(keypoints: Floats, skeleton: Skeleton) -> float:
    """Return 1 for a person who is seen from the front, as the figure is, -1 from the back; 1 where that is unclear."""
    names = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    if not set(names) <= set(skeleton.keypoints):
        return 1.0
    a, b, c, d = (keypoints[skeleton.index(name)] for name in names)
    (x, y), (u, v) = a - b, (a + b - c - d) / 2
    return -1.0 if x * v - y * u > 0 else 1.0


def density(places: Sequence[Floats], x: Floats, y: Floats, width: float = 0.16) -> Floats:
    """(len(y), len(x)) how densely places (2,) lie on the figure, each a Gaussian of that width; NaN left out."""
    found = np.zeros((len(y), len(x)))
    for place in places:
        if np.isfinite(place).all():
            found += np.exp(-((x[None] - place[0]) ** 2 + (y[:, None] - place[1]) ** 2) / (2 * width**2))
    return found
