"""Search: for the place and the size of one occluder that harm an estimator's answer about one person most.

The search sees the estimator's answers and the true keypoints alone, no gradient: a grid of cells with the
largest occluder in each, anywhere in the cell, then a (4 + 8) evolution of the best by steps that shrink.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import read_arrays
from posewright.datasets.records import DataError
from posewright.files import whole
from posewright.occlusion.occluder import Alpha, Occluder
from posewright.occlusion.presets import ATTACKS, WIDTH
from posewright.robustness.answers.ask import Estimator, ask, covered
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.right import Flags
from posewright.scene import Crop, Floats

PARENTS, CHILDREN = 4, 8
SHRINKING = 0.75
"""How much smaller a generation's steps are than the last one's."""
FIRST_STEP, RESIZING = 0.5, 0.15
"""Deviations: of the first generation's steps, in cells, and of the logarithm of the radius, in all generations."""
SMALLEST = 0.4
"""Of the largest radius: a smaller occluder is not looked at."""

HELD_OUT = 8
"""Looks at each person beside the worst place that take no part in choosing it."""
AWAY = (0.02, 0.04)
"""By how much those are moved, of the root of the box's area, and resized, of the radius."""


@dataclass(frozen=True)
class Search:
    """Say what is searched for: an occluder's shape and fill, its largest size, what is to be lost, at what cost.

    radius: px of a disc on a crop 192 wide; a square has the same area. of: all keypoints, or the others, which
    the occluder does not cover. by: the mean similarity of keypoints to the truth (exp(-ln 2 (d / reach)^2): 1
    on it, a half where it just counts as right; OKS's for skeletons with sigmas), or the share of correct ones.
    looks: at each person, half of them for the grid; the clean one and those at keypoints come on top.
    """

    shape: Literal["disc", "square"] = "disc"
    fill: Literal["blackout", "meanout", "blur", "surroundings"] = "blackout"
    radius: float = 18.0
    of: Literal["all", "others"] = "all"
    by: Literal["similarity", "right"] = "similarity"
    looks: int = 96
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.radius < np.inf:
            raise ValueError(f"radius must be px above 0, not {self.radius:g}")
        if self.looks < 2:
            raise ValueError(f"looks must be 2 or more a person, not {self.looks}")


@dataclass(frozen=True)
class Spot:
    """Cover a disc, or the square of the same area, around (x, y) px of the crop; radius is the disc's, px of it."""

    x: float
    y: float
    radius: float
    shape: Literal["disc", "square"] = "disc"

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Alpha:  # noqa: ARG002
        rows, columns = np.ogrid[: crop.pixels.shape[0], : crop.pixels.shape[1]]
        if self.shape == "square":
            side = self.radius * sqrt(pi) / 2
            return ((abs(columns - self.x) <= side) & (abs(rows - self.y) <= side)).astype(np.float32)
        return ((columns - self.x) ** 2 + (rows - self.y) ** 2 <= self.radius**2).astype(np.float32)


class Looks(NamedTuple):
    """Hold T looks at a person: spots (T, 3) x, y, radius px of the crop, and what was said and covered in each.

    The grid's come first, then the evolution's, then K at the keypoints, of which the absent ones' spots are NaN.
    keypoints (T, K, 2) px, NaN where nothing was said; covered (T, K).
    """

    spots: Floats
    keypoints: Floats
    covered: NDArray[np.bool_]


def similarity(found: Floats, truth: Floats, reach: Floats) -> Floats:
    """Return exp(-ln 2 (d / reach)^2) for keypoints (..., K, 2); 0 where nothing was found or nothing is known."""
    away = ((found - truth) ** 2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.exp(-log(2) * away / reach**2))


def quality(search: Search, found: Floats, truth: Floats, reach: Floats) -> Floats:
    """Return how good keypoints (..., K, 2) are in the search's measure: similarity, or 1 where right."""
    close = similarity(found, truth, reach)
    return close if search.by == "similarity" else (close >= 0.5 - 1e-12).astype(np.float64)


def loss_of(search: Search, one: Subject, reach: Floats, clean: Floats, looks: Looks) -> Floats:
    """(T,) what each look at a person loses of the mean over their keypoints; clean (K, 2)."""
    counts = one.truth.labelled & (reach > 0)
    before = quality(search, clean, one.truth.keypoints, reach)
    lost = before - quality(search, looks.keypoints, one.truth.keypoints, reach)
    return np.asarray((lost * (counts & _counted(search, looks.covered))).sum(1) / counts.sum())


def _counted(search: Search, under: Flags) -> Flags:
    return np.ones_like(under) if search.of == "all" else ~under


def searched(estimator: Estimator, one: Subject, n: int, reach: Floats, clean: Floats, search: Search) -> Looks:
    """Search for the worst occluder of person n, and look at every keypoint; reach (K,), clean (K, 2) px."""
    rng = np.random.default_rng((search.seed, n))
    largest = search.radius * one.crop.pixels.shape[1] / WIDTH
    spots, cell = grid(one, largest, search.looks // 2, rng)
    found = _look(estimator, one, spots, n, search)
    step = FIRST_STEP
    while (left := search.looks - len(found.spots)) > 0:
        losses = loss_of(search, one, reach, clean, found)
        parents = found.spots[np.argsort(-losses, kind="stable")[:PARENTS]]
        children = _children(parents, min(CHILDREN, left), step, cell, largest, one.crop, rng)
        found = _joined(found, _look(estimator, one, children, n, search))
        step *= SHRINKING
    keypoints = np.column_stack([one.truth.keypoints, np.full(len(one.truth), largest)])
    return _joined(found, _look(estimator, one, keypoints, n, search))


def beside(estimator: Estimator, one: Subject, n: int, spot: Floats, search: Search) -> Looks:
    """Look HELD_OUT times at person n with the occluder beside a spot (3,), moved and resized by AWAY."""
    rng = np.random.default_rng((search.seed, n, 1))
    largest = search.radius * one.crop.pixels.shape[1] / WIDTH
    turn, far, grown = rng.uniform(0, 2 * pi, HELD_OUT), rng.uniform(*AWAY, HELD_OUT), rng.uniform(*AWAY, HELD_OUT)
    side = sqrt(np.prod(np.maximum(one.box[2:] - one.box[:2], 1)))
    spots = np.tile(spot, (HELD_OUT, 1))
    spots[:, :2] += side * far[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
    spots[:, 2] = np.minimum(spots[:, 2] * (1 + grown * rng.choice([-1, 1], HELD_OUT)), largest)
    return _look(estimator, one, spots, n, search)


def grid(one: Subject, radius: float, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return at most `count` spots (T, 3), one anywhere in each cell of a grid over the box, and a cell's size (2,)."""
    size = np.array(one.crop.pixels.shape[1::-1])
    low, high = np.maximum(one.box[:2], -0.5), np.minimum(one.box[2:], size - 0.5)
    low, high = (low, high) if (high > low).all() else (np.full(2, -0.5), size - 0.5)
    side = sqrt(np.prod(high - low) / count)
    columns = int(np.clip(round((high[0] - low[0]) / side), 1, count))
    rows = count // columns
    cell = (high - low) / (columns, rows)
    places = np.array([(x, y) for y in range(rows) for x in range(columns)])
    xy = low + cell * (places + rng.random(places.shape))
    return np.column_stack([xy, np.full(len(xy), radius)]), cell


def _children(
    parents: Floats, count: int, step: float, cell: Floats, largest: float, crop: Crop, rng: np.random.Generator
) -> Floats:
    """Return spots (count, 3) near their parents, within the crop and no larger than allowed."""
    born = parents[np.arange(count) % len(parents)].copy()
    born[:, :2] += step * cell * rng.standard_normal((count, 2))
    born[:, 2] *= np.exp(RESIZING * rng.standard_normal(count))
    born[:, :2] = np.clip(born[:, :2], 0, np.array(crop.pixels.shape[1::-1]) - 1)
    born[:, 2] = np.clip(born[:, 2], SMALLEST * largest, largest)
    return born


def _look(estimator: Estimator, one: Subject, spots: Floats, n: int, search: Search) -> Looks:
    """Ask about a person behind occluders at these spots; none is where a spot is NaN."""
    shape = (len(spots), len(one.truth))
    found = Looks(spots, np.full((*shape, 2), np.nan), np.zeros(shape, bool))
    there = np.flatnonzero(np.isfinite(spots).all(1))
    crops = []
    for t in there:
        x, y, radius = spots[t].tolist()
        hide = Occluder(Spot(x, y, radius, search.shape), ATTACKS[search.fill])
        crops.append(hide(one.crop, np.random.default_rng((search.seed, n))))
        found.covered[t] = covered(one, crops[-1])
    said = ask(estimator, [one] * len(crops), crops)
    for t, person in zip(there, said, strict=True):
        if person is not None:
            found.keypoints[t] = person.keypoints
    return found


def _joined(first: Looks, second: Looks) -> Looks:
    return Looks(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))


def write_looks(file: Path, looks: Looks) -> None:
    with whole(file) as unfinished:
        np.savez(unfinished, **looks._asdict())


def read_looks(file: Path) -> Looks:
    arrays = read_arrays(file)
    if arrays.keys() != set(Looks._fields):
        raise DataError(f"{file}: holds no looks at a person")
    return Looks(**arrays)
