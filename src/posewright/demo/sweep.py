"""A first occlusion sweep: a black disc on one keypoint at a time, and what that costs this and the other keypoints."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.estimators.top_down import TopDown
from posewright.metrics.distance.distances import TORSO, distances
from posewright.occlusion import Occluder
from posewright.occlusion.fills import black
from posewright.occlusion.regions import KeypointDisc
from posewright.scene import Crop, Floats, Scene, each_person, take
from posewright.skeleton import Skeleton

RADII = (6, 10, 14, 18)
"""px on a crop 192 px wide, scaled to the network's: Pytel et al. 2020 (arXiv:2010.10451) attack with 6 to 18."""
REFERENCE_WIDTH = 192
THRESHOLD = 0.2
"""Of the torso's length, as in PCK@0.2."""
SMALLEST = 48.0
"""px of a box's longer side: smaller people tell more about the resolution than about the attack."""
DRAWS = 1000
"""How often the people are drawn anew for an interval."""

Hits = NDArray[np.bool_]
Interval = tuple[Floats, Floats, Floats]
"""A share, and the 2.5th and 97.5th percentile of it over people drawn anew."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """Hold which keypoints were found, of N people, without a disc and with one of R radii on each of K keypoints.

    asked (N, K): labelled, of people with a torso; clean (N, K); covered (R, K disc, N, K).
    """

    skeleton: Skeleton
    asked: Hits
    clean: Hits
    covered: Hits

    def itself(self, covered: Hits) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """(N, K) hits of the keypoint under the disc, and how many were asked for; covered (K disc, N, K)."""
        own = np.arange(len(self.skeleton))
        return (covered[own, :, own].T & self.asked).astype(int), self.asked.astype(int)

    def others(self, covered: Hits) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
        """(N, K disc) hits among the keypoints that are not under the disc, and how many were asked for.

        People who do not have the keypoint under the disc are not counted: nothing was covered.
        """
        asked = self.asked[None] & self.asked.T[:, :, None] & ~np.eye(len(self.skeleton), dtype=bool)[:, None]
        return (covered & asked).sum(2).T, asked.sum(2).T

    def without(self) -> Hits:
        """(K disc, N, K): the answers without a disc, as if there were one, to be compared with."""
        return np.broadcast_to(self.clean, self.covered.shape[1:])


def sweep(estimator: TopDown, crops: Sequence[Crop], track: Callable[[Iterable[Any], int], Iterable[Any]]) -> Sweep:
    """Cover one keypoint after the other with black discs of growing radius; track: shows how far it is."""
    skeleton = estimator.codec.skeleton
    truth = np.stack([crop.people[0].keypoints for crop in crops])
    a, b = (skeleton.index(name) for name in TORSO)
    torso = np.linalg.norm(truth[:, a] - truth[:, b], axis=-1)

    def near(shown: Sequence[Crop]) -> Hits:
        found = np.stack([answer.people[0].keypoints for answer in answers(estimator, shown)])
        return np.asarray(distances(found, truth, torso) <= THRESHOLD)

    names = skeleton.keypoints
    covered = np.zeros((len(RADII), len(names), *truth.shape[:2]), bool)
    attacks = [(row, column) for row in range(len(RADII)) for column in range(len(names))]
    for row, column in track(attacks, len(attacks)):
        covered[row, column] = near([disc(crop, names[column], RADII[row]) for crop in crops])
    asked = np.isfinite(truth).all(-1) & (torso > 0)[:, None]
    return Sweep(skeleton, asked, near(crops), covered)


def share(hits: NDArray[np.int_], asked: NDArray[np.int_], rng: np.random.Generator) -> Interval:
    """Return the share of hits (N, ...) of all people together, and its interval by drawing people anew.

    NaN where nothing was asked for.
    """
    drawn = rng.multinomial(len(hits), np.full(len(hits), 1 / len(hits)), DRAWS)
    drawn = np.concatenate([np.ones((1, len(hits)), int), drawn])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        shares = np.tensordot(drawn, hits, 1) / np.tensordot(drawn, asked, 1)
        low, high = np.nanpercentile(shares[1:], (2.5, 97.5), axis=0)
    return shares[0], low, high


def loss(
    clean: NDArray[np.int_], covered: NDArray[np.int_], asked: NDArray[np.int_], rng: np.random.Generator
) -> Interval:
    """Return how much the share of hits (N, ...) falls from clean to covered, in the same people, with its interval."""
    return share(clean - covered, asked, rng)


def crops_of(scenes: Sequence[Scene], estimator: TopDown, most: int) -> list[Crop]:
    """Cut out the first people who are large enough, at their true boxes, as the network was shown people."""
    cut = estimator.aim or estimator.network.aim
    padding = estimator.network.padding if estimator.padding is None else estimator.padding
    crops: list[Crop] = []
    for single in each_person(scenes):
        box = single.people[0].box
        if box is not None and max(box[2:] - box[:2]) >= SMALLEST and len(crops) < most:
            crops.append(
                take(single, cut((box[:2] + box[2:]) / 2, padding * (box[2:] - box[:2]), estimator.codec.size))
            )
    return crops


def disc(crop: Crop, keypoint: str, radius: float) -> Crop:
    """Cover a keypoint with a black disc; radius in px on a crop REFERENCE_WIDTH wide."""
    scaled = radius * crop.warp.size[0] / REFERENCE_WIDTH
    return Occluder(KeypointDisc(keypoint, scaled), black)(crop, np.random.default_rng(0))


def answers(estimator: TopDown, crops: Sequence[Crop]) -> list[Scene]:
    """Ask the network about crops; each answer is a scene of one person in crop px."""
    found = []
    for start in range(0, len(crops), estimator.batch):
        some = crops[start : start + estimator.batch]
        people = estimator.codec.decode(estimator.network(np.stack([crop.pixels for crop in some]))[-1])
        found += [Scene(c.pixels, c.skeleton, (person,)) for c, person in zip(some, people, strict=True)]
    return found
