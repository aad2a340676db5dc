"""3D PCK: the share of keypoints within 150 mm, and its mean over thresholds."""

from __future__ import annotations

import numpy as np

from posewright.metrics.score import Score, score_of, share
from posewright.metrics.threed.mpjpe import joint_errors
from posewright.metrics.threed.poses import Flags, Poses, paired_poses, placed, sequences_of, summed
from posewright.scene import Floats

WITHIN = 150.0
"""mm, half a head (Mehta et al., 3DV 2017, arXiv:1611.09813, section 5)."""
THRESHOLDS = np.linspace(0.0, WITHIN, 31)
"""mm, of the area under the curve."""
RULES = {"": "MPJPE", "N": "NMPJPE", "P": "PMPJPE"}
"""What precedes PCK and AUC, and the distance that it is of."""


def pck3d(predicted: Poses, truth: Poses, within: float = WITHIN) -> Score:
    """Score poses by the share of keypoints whose distance is below `within` mm: PCK, NPCK, PPCK; and AUC, NAUC, PAUC.

    Distances are those of `mpjpe`: as they are, scaled, aligned. All keypoints together, those that the prediction
    lacks being wrong. AUC is the mean over the thresholds 0, 5 ... 150 mm. name/keypoint is the share of one,
    name/action of poses of one action. Shares in [0, 1]. `Score.again` takes weights of sequences.
    """
    predicted, truth, said = paired_poses(predicted, truth)
    names, numbers = sequences_of(truth)
    asked = placed(truth.xyz)
    errors = joint_errors(predicted, truth)
    parts: dict[str, Floats] = {}
    wholes: dict[str, Floats] = {}
    for prefix, rule in RULES.items():
        right = {f"{prefix}PCK": (errors[rule] < within).astype(float), f"{prefix}AUC": _area(errors[rule])}
        for name, value in right.items():
            for key, chosen in _groups(name, truth).items():
                parts[key] = summed(np.where(asked & chosen, value, np.nan), numbers, len(names)).sum(-1)
                wholes[key] = summed((asked & chosen).astype(float), numbers, len(names)).sum(-1)

    def again(weights: Floats) -> dict[str, Floats]:
        return {name: share(weights, parts[name], wholes[name]) for name in parts}

    protocol = {"metric": "pck3d", "within": f"{within:g} mm, strictly", "thresholds": "0, 5 ... 150 mm",
                "scenes": len(names), "drawn": "sequences", **said}  # fmt: skip
    return score_of(again, len(names), protocol)


def _groups(name: str, truth: Poses) -> dict[str, Flags]:
    """Return by the number's name which keypoints (N, K) of which poses it is of."""
    every = np.ones(truth.xyz.shape[:2], bool)
    by_keypoint = {
        f"{name}/{k}": every & (np.arange(len(truth.skeleton)) == i) for i, k in enumerate(truth.skeleton.keypoints)
    }
    by_action = {f"{name}/{a}": every & (truth.action == a)[:, None] for a in np.unique(truth.action) if a}
    return {name: every, **by_keypoint, **by_action}


def _area(errors: Floats) -> Floats:
    """(N, K) the share of thresholds that lie above each error."""
    return np.asarray((errors[..., None] < THRESHOLDS).mean(-1))
