"""PDJ, the percentage of detected joints: PCK by the torso, told of a keypoint and its mirror image together.

Sapp and Taskar, "MODEC", CVPR 2013, and Toshev and Szegedy, "DeepPose", CVPR 2014, section 4.1, as
bearpaw/eval_pose computes it. Given in [0, 1], as every share here.
"""

from __future__ import annotations

from collections.abc import Sequence

from posewright.metrics.distance.distances import Normaliser, both_sides, measured
from posewright.metrics.distance.pck import Thresholds, near_score
from posewright.metrics.score import Score
from posewright.scene import Scene
from posewright.skeleton import Skeleton

HEADS = (("neck", "head_top"), ("nose", "neck"))
"""Keypoints without a side that count as each other's mirror image: LSP's and FLIC's."""


def pdj(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    threshold: Thresholds = 0.2,
    normalise: Normaliser = "torso",
) -> Score:
    """Score single people by the share of labelled keypoints within `threshold` (<=) of their torso.

    "PDJ@0.2/knee" is the mean of the left and the right knee's share, "PDJ@0.2/head" that of neck and head top
    (LSP), or of nose and neck (FLIC); other keypoints without a side stand alone. "PDJ@0.2" pools all, as PCK
    does. Several thresholds, people left out and errors: as `pck`.
    """
    found = measured(predicted, truth, normalise)
    groups = {f"/{name}": group for name, group in mirrored_groups(found.skeleton).items()}
    return near_score("PDJ", found, threshold, "<=", {"": found.skeleton.keypoints}, groups)


def mirrored_groups(skeleton: Skeleton) -> dict[str, Sequence[str]]:
    """Group keypoints with their mirror images, in the order of the skeleton.

    >>> from posewright.skeleton import LSP
    >>> [*mirrored_groups(LSP)]
    ['ankle', 'knee', 'hip', 'wrist', 'elbow', 'shoulder', 'head']
    """
    groups: dict[str, Sequence[str]] = {**both_sides(skeleton.keypoints)}
    if heads := [pair for pair in HEADS if set(pair) <= set(skeleton.keypoints)]:
        groups["head"] = heads[0]
    together = {name for group in groups.values() for name in group}
    groups |= {name: (name,) for name in skeleton.keypoints if name not in together}
    first = {name: min(skeleton.index(k) for k in group) for name, group in groups.items()}
    return {name: groups[name] for name in sorted(groups, key=first.__getitem__)}
