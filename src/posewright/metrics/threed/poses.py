"""Poses in space as metrics take them: many in one array, each of one sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.score import Protocol
from posewright.scene import Floats
from posewright.skeleton import Skeleton

Flags = NDArray[np.bool_]

ROOTS = ("pelvis", "root", "mid_hip")
HIPS = ("left_hip", "right_hip")


@dataclass(frozen=True, eq=False)
class Poses:
    """Hold N poses xyz (N, K, 3) mm, NaN where a keypoint has no place.

    sequence, action (N,): names of what each was cut from and of what is done in it, "" where unnamed says. Frames of
    one sequence are not independent, so intervals and tests are over sequences. Raises ValueError where shapes
    disagree.
    """

    xyz: Floats
    skeleton: Skeleton
    sequence: NDArray[np.str_]
    action: NDArray[np.str_]

    def __post_init__(self) -> None:
        count = len(self.xyz)
        if self.xyz.shape != (count, len(self.skeleton), 3):
            raise ValueError(
                f"poses must be (N, {len(self.skeleton)}, 3) for {self.skeleton.name}, not {self.xyz.shape}"
            )
        for name in ("sequence", "action"):
            if getattr(self, name).shape != (count,):
                raise ValueError(f"poses: {name} must be ({count},), not {getattr(self, name).shape}")

    def __len__(self) -> int:
        return len(self.xyz)

    @cached_property
    def root(self) -> Floats:
        """(N, 3) the pelvis, or the middle of the hips; raises ValueError for a skeleton that has neither."""
        for name in ROOTS:
            if name in self.skeleton.keypoints:
                return np.asarray(self.xyz[:, self.skeleton.index(name)])
        if not set(HIPS) <= set(self.skeleton.keypoints):
            raise ValueError(f"{self.skeleton.name} has neither a {' or '.join(ROOTS)} nor two hips to centre poses on")
        return np.asarray(self.xyz[:, [self.skeleton.index(hip) for hip in HIPS]].mean(1))

    @property
    def centred(self) -> Floats:
        """(N, K, 3) mm from the root."""
        return np.asarray(self.xyz - self.root[:, None])

    def only(self, keypoints: tuple[str, ...]) -> Poses:
        """Return the poses with some of their keypoints, in the order of `keypoints`."""
        places = [self.skeleton.index(name) for name in keypoints]
        limbs = tuple(limb for limb in self.skeleton.limbs if set(limb) <= set(keypoints))
        skeleton = Skeleton(self.skeleton.name, keypoints, limbs)
        return replace(self, xyz=self.xyz[:, places], skeleton=skeleton)


def placed(*points: Floats) -> Flags:
    """Tell which keypoints (N, K) of points (N, K, D) have a place, in all of those given."""
    return np.logical_and.reduce([np.isfinite(some).all(-1) for some in points])


def one_sequence(xyz: Floats, skeleton: Skeleton) -> Poses:
    """Return poses (N, K, 3) of which unnamed says what they were cut from: all of one sequence."""
    nothing = np.full(len(xyz), "")
    return Poses(np.asarray(xyz, np.float64), skeleton, nothing, nothing)


def unnamed(poses: Poses) -> Poses:
    """Return the poses with no word on what is done in them."""
    return replace(poses, action=np.full(len(poses), ""))


def paired_poses(predicted: Poses, truth: Poses) -> tuple[Poses, Poses, Protocol]:
    """Return predicted and true poses in the keypoints that both have, place by place, and what to say of that.

    Sequence and action are the truth's. Poses that have no true root are left out; a predicted one without a root, or
    with none of its keypoints, counts as not found. Raises ValueError where counts differ or nothing is left.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} predicted poses and {len(truth)} true ones; they are paired by position")
    shared = tuple(name for name in truth.skeleton.keypoints if name in predicted.skeleton.keypoints)
    if not shared:
        raise ValueError(f"{predicted.skeleton.name} and {truth.skeleton.name} have no keypoint in common")
    truth, predicted = truth.only(shared), predicted.only(shared)
    rooted = np.isfinite(truth.root).all(-1)
    if not rooted.any():
        raise ValueError("no true pose has a root to be centred on, so there is nothing to score")
    chosen = [replace(poses, xyz=poses.xyz[rooted], sequence=truth.sequence[rooted], action=truth.action[rooted])
              for poses in (predicted, truth)]  # fmt: skip
    left_out = f"{(~rooted).sum()} without a true root"
    protocol: Protocol = {"poses": int(rooted.sum()), "left out": left_out, "keypoints": ", ".join(shared)}
    return chosen[0], chosen[1], protocol


def sequences_of(truth: Poses) -> tuple[NDArray[np.str_], NDArray[np.intp]]:
    """Return the names (S,) of the sequences, and the number (N,) of each pose's."""
    names, numbers = np.unique(truth.sequence, return_inverse=True)
    return names, np.asarray(numbers, np.intp)


def summed(values: Floats, numbers: NDArray[np.intp], count: int) -> Floats:
    """Add up values (N,), or (N, M), by sequence: (S,) or (S, M); NaN counts nothing."""
    filled = np.where(np.isfinite(values), values, 0.0)
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, numbers, filled)
    return total


def tables(values: Mapping[str, Floats], truth: Poses) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return by name what numbers (N,) add up to in each sequence (S,), and how many of them there are.

    A number of all poses keeps its name; of an action it is name/action.
    """
    names, numbers = sequences_of(truth)
    parts, wholes = {}, {}
    actions = [action for action in np.unique(truth.action) if action]
    for name, value in values.items():
        groups = {name: np.ones(len(value), bool)} | {f"{name}/{a}": truth.action == a for a in actions}
        for key, chosen in groups.items():
            counted = np.where(chosen, value, np.nan)
            parts[key] = summed(counted, numbers, len(names))
            wholes[key] = summed(np.where(np.isfinite(counted), 1.0, np.nan), numbers, len(names))
    return parts, wholes
