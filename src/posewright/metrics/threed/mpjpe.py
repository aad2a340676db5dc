"""MPJPE and its kin: the mean distance of keypoints in mm, as they are, scaled, or aligned."""

from __future__ import annotations

import numpy as np

from posewright.metrics.score import Score, score_of, share
from posewright.metrics.threed.alignment import least_squares_scale, procrustes
from posewright.metrics.threed.poses import Poses, paired_poses, placed, sequences_of, tables, unnamed
from posewright.scene import Floats

WORDS = {
    "MPJPE": "mean distance, roots together (Ionescu et al., Human3.6M, 2014: protocol 1)",
    "NMPJPE": "after the pose's least-squares scale (Rhodin et al. 2018)",
    "PMPJPE": "after scale, turn and shift by least squares, not mirrored (protocol 2)",
    "NMPJPE_epipolar": "after the scale of that alignment, without its turn: EpipolarPose's released code",
    "PMPJPE_epipolar": "after that alignment, roots together once more: EpipolarPose's released code",
}
"""What each number is, for the protocol."""
GROUPED = ("MPJPE", "NMPJPE", "PMPJPE")
"""What is told of each keypoint and action as well."""


def mpjpe(predicted: Poses, truth: Poses) -> Score:
    """Score poses by their keypoints' mean distance in mm: MPJPE, NMPJPE, PMPJPE, and EpipolarPose's own two.

    A pose's number is the mean over its keypoints, and a number the mean over poses; name/keypoint is the mean of one,
    name/action of poses of one action. A keypoint that the prediction lacks does not count, since nobody knows how far
    it is: `found` says what share of the true ones is there. Without known extrinsics MPJPE has no meaning.
    `Score.again` takes weights of sequences.
    """
    predicted, truth, said = paired_poses(predicted, truth)
    errors = joint_errors(predicted, truth)
    found = _ratio(placed(predicted.centred).sum(-1), placed(truth.xyz).sum(-1))
    keypoints = enumerate(truth.skeleton.keypoints)
    by_action = {name: _mean(errors[name]) for name in GROUPED}
    whole = {name: _mean(error) for name, error in errors.items()} | {"found": found}
    whole |= {f"{name}/{k}": errors[name][:, i] for i, k in keypoints for name in GROUPED}
    two = zip(tables(whole, unnamed(truth)), tables(by_action, truth), strict=True)
    parts, wholes = (one | other for one, other in two)

    def again(weights: Floats) -> dict[str, Floats]:
        return {name: share(weights, parts[name], wholes[name]) for name in parts}

    count = len(sequences_of(truth)[0])
    protocol = {"metric": "mpjpe", "unit": "mm", "scenes": count, "drawn": "sequences", **said, **WORDS}
    return score_of(again, count, protocol)


def joint_errors(predicted: Poses, truth: Poses) -> dict[str, Floats]:
    """Return the distance (N, K) mm of every keypoint by the name of its rule; poses are paired."""
    p, g = predicted.centred, truth.centred
    aligned = procrustes(p, g)
    root = Poses(aligned.points, truth.skeleton, truth.sequence, truth.action)
    return {
        "MPJPE": _apart(p, g),
        "NMPJPE": _apart(least_squares_scale(p, g)[:, None, None] * p, g),
        "PMPJPE": _apart(aligned.points, g),
        "NMPJPE_epipolar": _apart(aligned.scale[:, None, None] * p, g),
        "PMPJPE_epipolar": _apart(root.centred, g),
    }


def _apart(p: Floats, g: Floats) -> Floats:
    return np.asarray(np.linalg.norm(p - g, axis=-1))


def _mean(errors: Floats) -> Floats:
    """Return the mean (N,) over the keypoints that have a place, NaN where none has."""
    known = np.isfinite(errors)
    return _ratio(np.where(known, errors, 0.0).sum(-1), known.sum(-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 0, part / whole, np.nan))
