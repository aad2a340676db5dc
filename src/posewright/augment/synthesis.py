"""Synthesis: poses that are wrong as estimators are wrong, made from true ones.

Moon, Chang and Lee, "PoseFix: Model-agnostic general human pose refinement network", CVPR 2019 (arXiv:1812.03595),
section 3 and supplement, after the errors that Ronchi and Perona tell apart (arXiv:1707.05388; `metrics.diagnosis`): a
keypoint is good, jitters around its true place, is inverted (on the person's other side), swapped (a neighbour's) or
missed. How often follows what it is, how much of the person is labelled and how crowded it is; how far, in terms of
keypoint similarity, s = exp(-d^2 / (2 area (2 sigma)^2)). The numbers are those of the authors' code (commit 5556364).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.geometry.boxes import overlap
from posewright.scene import Crop, Floats, Person, Scene, each_person
from posewright.skeleton import Skeleton
from posewright.skeleton.spelling import mirrored_name

GOOD_FROM, NEAR_FROM, MISSED_FROM = 0.85, 0.5, 0.1
"""Similarities down to which a keypoint is good, is near a true one, and is missed at the farthest."""
TRIES = 500
"""Places drawn around each true one, of which those are taken that are nearer to no other."""
NEIGHBOUR_FROM = 0.1
"""From which overlap of their boxes on people are neighbours."""


class Rates(NamedTuple):
    """How often a keypoint is wrong, by the person's labelled keypoints or by how crowded it is.

    jitter: up to 10, above; miss: up to 5, up to 10, above; inversion; swap: not crowded, crowded.
    """

    jitter: tuple[float, float]
    miss: tuple[float, float, float]
    inversion: float
    swap: tuple[float, float]


FACE, UPPER, LOWER = (0.01, (0.01, 0.02)), (0.03, (0.06, 0.15)), (0.06, (0.03, 0.10))
RATES = {
    "nose": Rates((0.15, 0.10), (0.15, 0.10, 0.02), *FACE),
    "eye": Rates((0.20, 0.15), (0.15, 0.10, 0.02), *FACE),
    "ear": Rates((0.20, 0.15), (0.15, 0.10, 0.02), *FACE),
    "shoulder": Rates((0.20, 0.15), (0.20, 0.13, 0.05), *UPPER),
    "elbow": Rates((0.20, 0.15), (0.25, 0.15, 0.10), *UPPER),
    "wrist": Rates((0.20, 0.15), (0.25, 0.15, 0.10), *UPPER),
    "hip": Rates((0.25, 0.20), (0.25, 0.15, 0.10), *LOWER),
    "knee": Rates((0.15, 0.10), (0.25, 0.15, 0.10), *LOWER),
    "ankle": Rates((0.15, 0.10), (0.20, 0.13, 0.05), *LOWER),
}
"""By a keypoint's name without its side."""
OTHERS = RATES["shoulder"]
"""For keypoints that COCO does not have: our choice."""


class Around(NamedTuple):
    """Where a keypoint may be put: true (2,); by mistake mirrored (M, 2), swapped (S, 2), swapped_mirrored (T, 2)."""

    true: Floats
    mirrored: Floats
    swapped: Floats
    swapped_mirrored: Floats


class Reach(NamedTuple):
    """Distances in px at which a keypoint is no longer good, no longer near, and missed at the farthest."""

    good: float
    near: float
    missed: float


def synthesise(
    keypoints: ArrayLike,
    area: float,
    skeleton: Skeleton,
    rng: np.random.Generator,
    neighbours: ArrayLike = (),
    estimated: ArrayLike | None = None,
    sigmas: ArrayLike | None = None,
) -> Floats:
    """Make a wrong pose (K, 2) px of a true one, NaN where a keypoint is absent.

    area: of the person's box, px^2; neighbours (N, K, 2): people whose boxes overlap; estimated (K, 2): what an
    estimator says, put in place of keypoints that are absent (and is then made wrong like them); sigmas (K,): the
    skeleton's by default. Raises ValueError for a skeleton without.

    As in the authors' code, the other side stands where it has been put already, where it comes first in the order.
    """
    true = np.asarray(keypoints, np.float64)
    others = np.asarray(neighbours, np.float64).reshape(-1, *true.shape)
    reaches = [_reach(sigma, area) for sigma in _sigmas(skeleton, sigmas)]
    labelled = int(np.isfinite(true).all(-1).sum())
    crowded = (labelled <= 10 and len(others) > 0) or (labelled <= 15 and len(others) >= 3)
    start = true if estimated is None else np.where(np.isfinite(true), true, np.asarray(estimated, np.float64))
    made = start.copy()
    for k in np.flatnonzero(np.isfinite(start).all(-1)):
        other = skeleton.mirror[k]
        opposite = [other] if other != k else []
        mirrored = made[[place for place in opposite if np.isfinite(true[place]).all()]]
        swaps = others[:, opposite].reshape(-1, 2)
        around = Around(start[k], _known(mirrored), _known(others[:, k]), _known(swaps))
        rates = RATES.get(_sideless(skeleton.keypoints[k]), OTHERS)
        made[k] = _wrong(around, reaches[k], _chances(rates, labelled, crowded), rng)
    return made


def _chances(rates: Rates, labelled: int, crowded: bool) -> dict[Callable[..., Floats], float]:
    """Return how probable each kind is."""
    chances = {
        _jitter: rates.jitter[labelled > 10],
        _miss: rates.miss[(labelled > 5) + (labelled > 10)],
        _inversion: rates.inversion,
        _swap: rates.swap[crowded],
    }
    return {_good: 1 - sum(chances.values()), **chances}


def _wrong(
    around: Around, reach: Reach, chances: dict[Callable[..., Floats], float], rng: np.random.Generator
) -> Floats:
    """Draw a kind and a place (2,) of that kind; a kind that there is no place for gives way to the others."""
    kinds, weights = list(chances), np.array(list(chances.values()))
    for one in np.argsort(rng.exponential(size=len(kinds)) / weights):
        places = kinds[one](around, reach, rng)
        if len(places):
            return places[rng.integers(len(places))]
    return np.full(2, np.nan)


def _good(around: Around, reach: Reach, rng: np.random.Generator) -> Floats:
    return _ring(around.true, 0, reach.good, _but_true(around), rng, TRIES // 4)


def _jitter(around: Around, reach: Reach, rng: np.random.Generator) -> Floats:
    return _ring(around.true, reach.good, reach.near, _but_true(around), rng)


def _inversion(around: Around, reach: Reach, rng: np.random.Generator) -> Floats:
    others = np.concatenate([around.true[None], around.swapped, around.swapped_mirrored])
    return _rings(around.mirrored, 0, reach.near, others, rng)


def _swap(around: Around, reach: Reach, rng: np.random.Generator) -> Floats:
    own = np.concatenate([around.true[None], around.mirrored])
    return _rings(np.concatenate([around.swapped, around.swapped_mirrored]), 0, reach.near, own, rng)


def _miss(around: Around, reach: Reach, rng: np.random.Generator) -> Floats:
    """Lie near nothing, but around something: a quarter as often around others' places as around the own."""
    sources = np.concatenate([around.true[None], _but_true(around)])
    places = []
    for number, source in enumerate(sources):
        found = _ring(source, reach.near, reach.missed, np.delete(sources, number, 0), rng, 4 * TRIES, reach.near)
        places.append(found[: len(found) // 4] if number else found)
    return np.concatenate(places)


def _rings(centres: Floats, inner: float, outer: float, others: Floats, rng: np.random.Generator) -> Floats:
    return np.concatenate([np.empty((0, 2)), *(_ring(centre, inner, outer, others, rng) for centre in centres)])


def _ring(
    centre: Floats,
    inner: float,
    outer: float,
    others: Floats,
    rng: np.random.Generator,
    tries: int = TRIES,
    clear: float | None = None,
) -> Floats:
    """Draw places (N, 2) in a ring, evenly in angle and radius, that are nearer to its centre than to others (M, 2).

    clear: px that they must be away from the others instead.
    """
    angle, radius = rng.uniform(0, 2 * np.pi, tries), rng.uniform(inner, outer, tries)
    places = centre[:, None] + radius * np.array([np.cos(angle), np.sin(angle)])
    away = np.sqrt(np.square(places - others[..., None]).sum(1))
    return places.T[(away > (radius if clear is None else clear)).all(0)]


def _but_true(around: Around) -> Floats:
    return np.concatenate([around.swapped, around.mirrored, around.swapped_mirrored])


def _reach(sigma: float, area: float) -> Reach:
    """Return the distances of the three similarities: d = sqrt(-2 area (2 sigma)^2 ln s)."""
    return Reach(
        *(float(np.sqrt(-2 * area * (2 * sigma) ** 2 * np.log(s))) for s in (GOOD_FROM, NEAR_FROM, MISSED_FROM))
    )


def _sigmas(skeleton: Skeleton, given: ArrayLike | None) -> Floats:
    if given is None and skeleton.sigmas is None:
        raise ValueError(f"nobody published sigmas for {skeleton.name}, by which errors are measured; give sigmas")
    return np.asarray(skeleton.sigmas if given is None else given, np.float64)


def _known(places: Floats) -> Floats:
    return places[np.isfinite(places).all(-1)]


def _sideless(name: str) -> str:
    return name.split("_", 1)[1] if mirrored_name(name) != name else name


def with_neighbours(scenes: Sequence[Scene]) -> list[Scene]:
    """Make one scene of every person with a keypoint, the person first and the neighbours behind; crowds are left out.

    `area` becomes that of the box, by which PoseFix measures. Raises ValueError for a person without a box.
    """
    found = []
    for scene in scenes:
        singles = each_person([scene])
        boxes = np.array([_box(single) for single in singles]).reshape(-1, 4)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(-1).tolist()
        people = [replace(single.people[0], area=area) for single, area in zip(singles, areas, strict=True)]
        for number, near in enumerate(overlap(boxes, boxes) >= NEIGHBOUR_FROM):
            others = [people[other] for other in np.flatnonzero(near) if other != number]
            found.append(replace(scene, people=(people[number], *others)))
    return found


def synthesised(scenes: Sequence[Scene], seed: int = 0) -> list[Scene]:
    """Predict everybody with a keypoint wrongly, as if by an estimator that is sure of all: scores are 1."""
    rng = np.random.default_rng(seed)
    return [replace(s, people=tuple(_predicted(one, rng) for one in with_neighbours([s]))) for s in scenes]


def _predicted(single: Scene, rng: np.random.Generator) -> Person:
    person, *others = single.people
    made = synthesise(person.keypoints, person.area or 0.0, single.skeleton, rng, [p.keypoints for p in others])
    return Person(made, scores=np.ones(len(made)), score=1.0, box=person.box, id=person.id)


def _box(single: Scene) -> Floats:
    box = single.people[0].box
    if box is None:
        raise ValueError(f"scene {single.id}: person {single.people[0].id} has no box, by which errors are measured")
    return box


@dataclass(frozen=True)
class Synthesis:
    """Say of crops what an estimator may have said: a wrong pose of the first person in each, (B, K, 2) px.

    sigmas (K,): of the skeleton by default. The crops are of scenes that `with_neighbours` has made.
    """

    sigmas: tuple[float, ...] | None = None

    def __call__(self, crops: Sequence[Crop], rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw the poses; keypoints outside a crop are taken for absent."""
        return np.array([self._pose(crop, rng) for crop in crops], np.float32)

    def _pose(self, crop: Crop, rng: np.random.Generator) -> Floats:
        person, *others = (_inside(person, crop) for person in crop.people)
        area = crop.people[0].area
        if area is None:
            raise ValueError("a person without area: let `with_neighbours` make the scenes")
        return synthesise(person, area, crop.skeleton, rng, others, sigmas=self.sigmas)


def _inside(person: Person, crop: Crop) -> Floats:
    """Return keypoints (K, 2), NaN where they are outside a crop."""
    height, width = crop.pixels.shape[:2]
    xy = person.keypoints
    return np.where(((xy >= -0.5) & (xy <= (width - 0.5, height - 0.5))).all(-1, keepdims=True), xy, np.nan)
