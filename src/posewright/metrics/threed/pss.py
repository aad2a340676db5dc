"""PSS, the pose structure score: is the predicted pose of the same kind as the true one?

Kocabas et al., "Self-supervised learning of 3D human pose using multi-view geometry", CVPR 2019 (arXiv:1903.02330,
section 3.4). Its code was not released; this is the paper's text. Poses lose their place and size, but not their turn:
centres and poses must be seen from the same kind of frame, a camera's by custom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.score import Score, score_of, share
from posewright.metrics.threed.poses import Poses, paired_poses, placed, sequences_of, tables
from posewright.scene import Floats
from posewright.skeleton import Skeleton

COUNTS = (50, 100)
STARTS, ROUNDS = 3, 300
"""Tries of k-means, of which the best counts, and rounds of each."""


@dataclass(frozen=True, eq=False)
class Centres:
    """Hold k kinds of pose for each k: centres (k, 3 K), each a pose without place and size, as means of such.

    made_of: what poses they were found in, in words, for the protocol.
    """

    skeleton: Skeleton
    centres: Mapping[int, Floats]
    made_of: str = "not said"

    def __post_init__(self) -> None:
        for k, centres in self.centres.items():
            if centres.shape != (k, 3 * len(self.skeleton)):
                raise ValueError(f"centres of k = {k} must be ({k}, {3 * len(self.skeleton)}), not {centres.shape}")

    @property
    def hash(self) -> str:
        """The sha256 of the keypoints' names and the numbers."""
        digest = sha256(",".join(self.skeleton.keypoints).encode())
        for _, centres in sorted(self.centres.items()):
            digest.update(np.ascontiguousarray(centres, np.float64).tobytes())
        return digest.hexdigest()


def pss(predicted: Poses, truth: Poses, centres: Centres) -> Score:
    """Score poses by the share of those that are nearest to the same centre as the true pose: PSS@k for each k.

        PSS = mean over poses of  [nearest(p / |p|) = nearest(g / |g|)]

    p, g: poses about their root; the distance is Euclid's, the centres are not scaled (equations 7 and 8; the second
    leaves out the scaling that the text demands). A pose that lacks a keypoint is of no kind: wrong where the
    prediction lacks it, left out where the truth does. name/action is of poses of one action. `Score.again` takes
    weights of sequences. Raises ValueError where the centres have a keypoint that poses lack.
    """
    names = centres.skeleton.keypoints
    lacking = [name for name in names for poses in (predicted, truth) if name not in poses.skeleton.keypoints]
    if lacking:
        raise ValueError(f"the centres have a {lacking[0]}, the poses have none; find centres in poses like these")
    predicted, truth, said = paired_poses(predicted.only(names), truth.only(names))
    values = {}
    for k, means in centres.centres.items():
        found, true = kinds_of(predicted, means), kinds_of(truth, means)
        values[f"PSS@{k}"] = np.where(true >= 0, (found == true).astype(float), np.nan)
    parts, wholes = tables(values, truth)

    def again(weights: Floats) -> dict[str, Floats]:
        return {name: share(weights, parts[name], wholes[name]) for name in parts}

    count = len(sequences_of(truth)[0])
    protocol = {"metric": "pss", "centres": centres.hash, "centres of": centres.made_of, "scenes": count,
                "drawn": "sequences", **said}  # fmt: skip
    return score_of(again, count, protocol)


def kinds_of(poses: Poses, means: Floats) -> NDArray[np.intp]:
    """Return the number (N,) of the centre that each pose is nearest to, -1 where it lacks a keypoint."""
    points = shapes(poses)
    known = placed(points)
    filled = np.where(known[:, None], points, 0.0)
    apart = (means**2).sum(-1) - 2 * filled @ means.T
    return np.where(known, apart.argmin(-1), -1)


def shapes(poses: Poses) -> Floats:
    """Return poses (N, 3 K) about their root, of length 1."""
    flat = poses.centred.reshape(len(poses), -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(flat / np.linalg.norm(flat, axis=-1, keepdims=True))


def find_centres(poses: Poses, counts: tuple[int, ...] = COUNTS, seed: int = 0, made_of: str = "not said") -> Centres:
    """Find kinds of pose by k-means, for each k, in poses that have all keypoints.

    The best of STARTS tries, each begun as k-means++ does. Raises ValueError where there are fewer poses than centres.
    """
    points = shapes(poses)
    points = points[placed(points)]
    if len(points) < max(counts):
        raise ValueError(f"{len(points)} whole poses, too few to find {max(counts)} kinds of them")
    found = {k: min((_lloyd(points, k, seed + n) for n in range(STARTS)), key=partial(_spread, points)) for k in counts}
    return Centres(poses.skeleton, found, made_of)


def _lloyd(points: Floats, k: int, seed: int) -> Floats:
    from scipy.cluster.vq import kmeans2  # takes a third of a second to import

    return np.asarray(kmeans2(points, k, iter=ROUNDS, minit="++", rng=seed)[0])


def _spread(points: Floats, means: Floats) -> float:
    """Return what k-means makes small, but for what does not depend on the means: squared distances to the nearest."""
    return float(((means**2).sum(-1) - 2 * points @ means.T).min(-1).sum())
