"""Proposals: boxes such as a detector finds around people, drawn for training from where the truth is.

Fang et al., "RMPE: Regional multi-person pose estimation", ICCV 2017 (arXiv:1612.00137), section 3.3, the
pose-guided proposals generator: how a detector errs hangs on the pose, P(offset | pose), and poses are taken for
the nearest of a few atomic ones. `fitted` learns it from true and detected boxes; AlphaPose, which came later, leaves
the pose out (`ALPHAPOSE`). Either is a `Jitter`'s proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.boxes import overlap
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

ATOMS, GAUSSIANS = 8, 3
"""Atomic poses, and Gaussians for each: the paper does not say how many."""
FOUND_FROM = 0.5
"""From which overlap on a detected box is taken to mean a person: the paper does not say."""
LEAST_SIDE = 2.0
"""px that a proposed box is wide and high at least, as in AlphaPose."""
ROUNDS = 100
RIDGE = 1e-6
"""Added to variances of offsets, so that a Gaussian of few boxes has a density."""


@dataclass(frozen=True)
class SideBySide:
    """Move each side of a box by itself, or cut a smaller box of the same shape out of it.

    means, deviations: of the moves of x0, y0, x1, y1, in widths and heights of the box; cut: probability of a cut
    box, whose size is drawn evenly from 1 - cut to 1. grown: how much larger than the person's box the one is whose
    sides move, and in whose near corner room is left for a cut one, which is of the person's own size.
    """

    means: tuple[float, float, float, float]
    deviations: tuple[float, float, float, float]
    cut: float
    grown: float = 1.0

    def __call__(self, person: Person, skeleton: Skeleton, rng: np.random.Generator) -> Floats:  # noqa: ARG002
        """Draw a box (4,) px around a person; raises ValueError for one without box."""
        box, sides = _box(person)
        box = box + (self.grown - 1) / 2 * np.array([-1, -1, 1, 1]) * sides
        share = rng.random()
        if share > 1 - self.cut:
            corner = box[:2] + rng.random(2) * (1 - share) * sides[:2]
            return np.concatenate([corner, corner + share * sides[:2]])
        return _proper(box + rng.normal(self.means, self.deviations) * sides)


ALPHAPOSE = SideBySide((-0.0142, 0.0043, 0.0154, -0.0013), (0.1158, 0.068, 0.1337, 0.0711), cut=0.15)
"""AlphaPose's numbers (addDPG of commit c60106d); its boxes end where the picture does, these do not."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """A sum of Gaussians: shares (G,), means (G, D), spreads (G, D, D), which are covariances."""

    shares: Floats
    means: Floats
    spreads: Floats

    def density(self, points: Floats) -> Floats:
        """Return the logarithm of each Gaussian's share of the density at points (N, D): (N, G)."""
        away = points[:, None] - self.means
        squared = np.einsum("ngi,gij,ngj->ng", away, np.linalg.inv(self.spreads), away)
        volume = np.linalg.slogdet(2 * np.pi * self.spreads)[1]
        return np.asarray(np.log(self.shares) - (squared + volume) / 2)

    def drawn(self, rng: np.random.Generator) -> Floats:
        """Draw one point (D,)."""
        one = rng.choice(len(self.shares), p=self.shares)
        return rng.multivariate_normal(self.means[one], self.spreads[one])


@dataclass(frozen=True, eq=False)
class PoseGuided:
    """Move the sides of a box as a detector does for people of that pose.

    atoms (A, K, 2): atomic poses, as `aligned` has them; mixtures: of the moves of x0, y0, x1, y1, in widths and
    heights of the box, one for each atom and a last one for people whose torso is not labelled.
    """

    atoms: Floats
    mixtures: tuple[Mixture, ...]

    def __call__(self, person: Person, skeleton: Skeleton, rng: np.random.Generator) -> Floats:
        """Draw a box (4,) px around a person; raises ValueError for one without box."""
        box, sides = _box(person)
        atom = nearest(aligned([person.keypoints], skeleton), self.atoms)[0]
        return _proper(box + self.mixtures[atom].drawn(rng) * sides)


def fitted(
    truth: Sequence[Scene],
    detected: Sequence[Scene],
    rng: np.random.Generator,
    atoms: int = ATOMS,
    gaussians: int = GAUSSIANS,
) -> PoseGuided:
    """Learn how a detector's boxes lie around people of each pose; scenes are paired by position.

    A person is taken to be detected by the box of largest overlap, from FOUND_FROM on. Raises ValueError where nobody
    is detected.
    """
    pairs = [pair for scene, found in zip(truth, detected, strict=True) for pair in _pairs(scene, found)]
    if not pairs:
        raise ValueError(f"no detected box overlaps a true one by {FOUND_FROM}, so there is nothing to learn from")
    poses = aligned([person.keypoints for person, _ in pairs], truth[0].skeleton)
    moves = np.array([(found - _box(person)[0]) / _box(person)[1] for person, found in pairs])
    centres = atomic(poses, atoms, rng)
    belongs = nearest(poses, centres)
    everybody = mixture(moves, gaussians, rng)
    mixtures = [
        mixture(mine, gaussians, rng) if len(mine := moves[belongs == atom]) > gaussians else everybody
        for atom in range(len(centres))
    ]
    return PoseGuided(centres, (*mixtures, everybody))


def aligned(poses: Sequence[Floats] | Floats, skeleton: Skeleton) -> Floats:
    """Move poses (N, K, 2) so that the hips' middle is at 0 and the torso 1 long; NaN where a torso is not labelled."""
    xy = np.array(poses, np.float64)
    ends = [[skeleton.index(f"{side}_{name}") for side in ("left", "right")] for name in ("hip", "shoulder")]
    hips, shoulders = (xy[:, pair].mean(1, keepdims=True) for pair in ends)
    torso = np.linalg.norm(shoulders - hips, axis=-1, keepdims=True)
    return np.asarray((xy - hips) / np.where(torso > 0, torso, np.nan))


def atomic(poses: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Return the atomic poses (A, K, 2), at most `count`: centres of k-means over aligned poses (N, K, 2)."""
    poses = poses[np.isfinite(poses).any((1, 2))]
    centres = poses[rng.permutation(len(poses))[:count]]
    for _ in range(ROUNDS):
        belongs = nearest(poses, centres)
        moved = np.stack([_mean(poses[belongs == atom], centre) for atom, centre in enumerate(centres)])
        if np.array_equal(moved, centres, equal_nan=True):
            break
        centres = moved
    return centres


def nearest(poses: Floats, atoms: Floats) -> NDArray[np.intp]:
    """Return the place (N,) of the atom nearest to each aligned pose, by the keypoints that both have; -1 for none."""
    if not len(atoms):
        return np.full(len(poses), -1)
    squared = ((poses[:, None] - atoms) ** 2).sum(-1)
    shared = np.isfinite(squared)
    count = shared.sum(-1)
    away = np.where(shared, squared, 0).sum(-1) / np.maximum(count, 1)
    away = np.where(count > 0, away, np.inf)
    return np.where(np.isfinite(away).any(-1), away.argmin(-1), -1)


def mixture(points: Floats, gaussians: int, rng: np.random.Generator) -> Mixture:
    """Fit Gaussians to points (N, D) by expectation maximisation, from randomly chosen points on."""
    count = min(gaussians, len(points))
    ridge = RIDGE * np.eye(points.shape[1])
    spread = np.cov(points.T, bias=True).reshape(ridge.shape) + ridge
    chosen = points[rng.permutation(len(points))[:count]]
    found = Mixture(np.full(count, 1 / count), chosen, np.repeat(spread[None], count, 0))
    for _ in range(ROUNDS):
        density = found.density(points)
        belongs = np.exp(density - np.logaddexp.reduce(density, axis=1, keepdims=True))
        total = belongs.sum(0) + 1e-12
        means = belongs.T @ points / total[:, None]
        away = points[:, None] - means
        spreads = np.einsum("ng,ngi,ngj->gij", belongs, away, away) / total[:, None, None] + ridge
        found = Mixture(total / total.sum(), means, spreads)
    return found


def _mean(poses: Floats, before: Floats) -> Floats:
    """The mean (K, 2) of the poses that have a keypoint; as before where none has."""
    known = np.isfinite(poses)
    total = np.where(known, poses, 0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), before)


def _pairs(scene: Scene, found: Scene) -> list[tuple[Person, Floats]]:
    people = [person for person in scene.people if person.box is not None and not person.crowd]
    boxes = [person.box for person in found.people if person.box is not None]
    if not people or not boxes:
        return []
    shared = overlap([_box(person)[0] for person in people], boxes)
    best = shared.argmax(1)
    sure = shared.max(1) >= FOUND_FROM
    return [(person, boxes[one]) for person, one, is_sure in zip(people, best, sure, strict=True) if is_sure]


def _box(person: Person) -> tuple[Floats, Floats]:
    """Return a person's box (4,) and its width, height, width and height."""
    if person.box is None:
        raise ValueError(f"person {person.id}: has no box that a detector's could lie around")
    return person.box, np.tile(person.box[2:] - person.box[:2], 2)


def _proper(box: Floats) -> Floats:
    """Push the far corner of a box away from the near one where it is not LEAST_SIDE beyond."""
    return np.concatenate([box[:2], np.maximum(box[2:], box[:2] + LEAST_SIDE)])
