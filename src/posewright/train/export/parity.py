"""Parity: do two networks say the same of the same pictures, those with hidden people among them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posewright.augment.jitter import Aim
from posewright.codecs.codec import Codec, is_whole
from posewright.datasets.synthetic import world
from posewright.estimators.runtimes.network import Given, Network
from posewright.picture import Pixels
from posewright.scene import Floats, Padding, Person, Scene, region, take, whole

CONFIDENT = 0.3
"""A keypoint is compared in px where the first network's score reaches this; others may jump between equal peaks."""


@dataclass(frozen=True)
class Drift:
    """Say how far two networks are apart: largest differences, and px of confident keypoints.

    fields: of any array, relative to its largest value; px_99: 99th percentile, None where no keypoint is
    confident; score: of any keypoint; people: of how many were found in a whole picture. Of whole pictures people are
    counted, and their scores compared, the best first, where as many were found; nobody's keypoints are.
    """

    pictures: int
    confident: int
    fields: float
    px_99: float | None
    px_max: float | None
    score: float
    people: int = 0

    def exceeds(self, bound: Bound) -> str | None:
        """Return what lies above the bound, in words, or None."""
        for name, found, allowed in (("fields", self.fields, bound.fields), ("px_99", self.px_99, bound.px),
                                     ("score", self.score, bound.score),
                                     ("people", self.people, bound.people)):  # fmt: skip
            if found is not None and found > allowed:
                return f"{name} is {found:.3g}, allowed is {allowed:.3g}"
        return None


@dataclass(frozen=True)
class Bound:
    """Say what drift is allowed; in fp32 the same arithmetic in another order is a thousand times below it."""

    px: float = 0.5
    score: float = 0.02
    fields: float = 1e-2
    people: int = 0


def drift(first: Network, second: Network, pixels: Pixels, *given: Given) -> Drift:
    """Compare two networks of one codec on crops (B, H, W, 3), and on what they are given beside them."""
    says, answers = first(pixels, *given), second(pixels, *given)
    apart = max(_relative(a, b) for one, other in zip(says, answers, strict=True)
                for a, b in zip(one, other, strict=True) if a is not None)  # fmt: skip
    people, others = first.codec.decode(says[-1]), second.codec.decode(answers[-1])
    if is_whole(first.codec):
        return _of_whole_pictures(people, others, apart)
    xy, scores = np.stack([p.keypoints for p in people]), np.stack([p.scores for p in people])
    other_xy, other_scores = np.stack([p.keypoints for p in others]), np.stack([p.scores for p in others])
    px = np.linalg.norm(xy - other_xy, axis=-1)[scores >= CONFIDENT]
    px_99, px_max = (float(np.percentile(px, 99)), float(px.max())) if len(px) else (None, None)
    return Drift(len(pixels), len(px), apart, px_99, px_max, float(np.abs(scores - other_scores).max()))


def _of_whole_pictures(pictures: Sequence[list[Person]], others: Sequence[list[Person]], fields: float) -> Drift:
    """Compare how many people each picture has, and the scores of pictures with as many."""
    counts = [(len(people), len(again)) for people, again in zip(pictures, others, strict=True)]
    scores = [
        abs(one - other)
        for people, again in zip(pictures, others, strict=True)
        if len(people) == len(again)
        for one, other in zip(_scores(people), _scores(again), strict=True)
    ]
    unlike = max(abs(one - other) for one, other in counts)
    return Drift(len(pictures), 0, fields, None, None, max(scores, default=0.0), unlike)


def _scores(people: Sequence[Person]) -> list[float]:
    return sorted((person.score or 0.0 for person in people), reverse=True)


def _relative(a: np.ndarray, b: np.ndarray) -> float:
    """A difference that is no number is infinite."""
    largest = np.abs(a - b).max() / max(float(np.abs(a).max()), 1e-12)
    return float(largest) if np.isfinite(largest) else float("inf")


def trial_pictures(codec: Codec, aim: Aim, padding: Padding, count: int = 16, seed: int = 0) -> Pixels:
    """Draw crops (count, H, W, 3) of the synthetic world, black disks and bars over every second one.

    Of a codec of whole pictures they are whole pictures, of up to 4 people.
    """
    rng = np.random.default_rng(seed)
    if is_whole(codec):
        pictures = [scene.pixels() for scene in world(count, seed, codec.size, codec.skeleton)]
    else:
        scenes = world(count, seed, skeleton=codec.skeleton, people=(1, 2))
        pictures = [take(scene, aim(*region(_box(scene), padding), codec.size)).pixels for scene in scenes]
    crops = []
    for number, pixels in enumerate(pictures):
        crops.append(_hidden(pixels, rng) if number % 2 else pixels)
    return np.stack(crops)


def _box(scene: Scene) -> Floats:
    box = scene.people[0].box
    return whole(scene.size or (256, 256)) if box is None else box


def _hidden(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Put a black disk and a black bar before a crop."""
    h, w = pixels.shape[:2]
    y, x = np.mgrid[:h, :w]
    (cx, bx), (cy, by) = rng.uniform(0.2, 0.8, 2) * w, rng.uniform(0.2, 0.8, 2) * h
    disk = np.hypot(x - cx, y - cy) < rng.uniform(0.1, 0.25) * w
    bar = (np.abs(x - bx) < 0.08 * w) & (np.abs(y - by) < 0.25 * h)
    return np.where((disk | bar)[..., None], 0, pixels).astype(np.uint8)
