"""Distances of single people: who is compared with whom, and in units of which length.

What PCK, PDJ, NME and EPE share. Every labelled keypoint is asked for, hidden ones too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.oks.matching import Flags
from posewright.metrics.score import Protocol, named, paired
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

TORSO = ("left_shoulder", "right_hip")
HEAD_SHARE = 0.6
"""Of the head box's diagonal, what MPII calls the head's size (SC_BIAS in its tool kit)."""

Normaliser = Literal["torso", "box", "head", "image"]
"""A length by name: the true left shoulder to the true right hip, and the
longer side of the true box for skeletons without these; the longer side of the true box; 0.6 of the true
head box's diagonal; the longer side of the picture."""


class Measured(NamedTuple):
    """Hold how far the keypoints of S people are from the truth, one person a scene.

    away (S, K) in units of the person's length, NaN where the keypoint is not asked for or not predicted;
    asked (S, K): labelled, of a person whose length is known. protocol says who was counted.
    """

    skeleton: Skeleton
    away: Floats
    asked: Flags
    protocol: Protocol


def measured(
    predicted: Sequence[Scene], truth: Sequence[Scene], normalise: Normaliser | ArrayLike = "torso"
) -> Measured:
    """Measure single people, one a scene, in units of a length of each.

    normalise: a length by name (`Normaliser`), or px: a number for all or (S,) for each. Who has no length, or
    none above 0, is left out and counted in the protocol. Of several predictions in a scene that with the best
    score counts, the first of equals. Raises ValueError where scenes do not pair, a true scene does not hold
    one person, or there is no such length.
    """
    skeleton = paired(predicted, truth)
    length_of, unit = _length(normalise, skeleton, len(truth))
    found, true = found_and_true(predicted, truth)
    length = np.array([length_of(place, scene) for place, scene in enumerate(truth)], np.float64)
    usable = length > 0
    protocol: Protocol = {
        "normalised_by": unit,
        "scenes": len(truth),
        "people": int(usable.sum()),
        "people_without_size": int((~usable).sum()),
        "people_not_predicted": sum(not scene.people for scene in predicted),
    }
    asked = np.isfinite(true).all(-1) & usable[:, None]
    return Measured(skeleton, distances(found, true, length), asked, protocol)


def distances(predicted: Floats, truth: Floats, length: Floats) -> Floats:
    """Return how far predicted keypoints (N, K, 2) are from the true ones, in units of each person's length (N,).

    (N, K); NaN where a keypoint is absent on either side or the length is NaN or 0.

    >>> distances(np.array([[[3.0, 4.0]]]), np.zeros((1, 1, 2)), np.array([10.0]))
    array([[0.5]])
    """
    away = predicted - truth
    usable = np.where(length > 0, length, np.nan)
    return np.asarray(np.sqrt(away[..., 0] ** 2 + away[..., 1] ** 2) / usable[:, None])


def found_and_true(predicted: Sequence[Scene], truth: Sequence[Scene]) -> tuple[Floats, Floats]:
    """Return the keypoints (S, K, 2) px that are predicted and the true ones, NaN where absent.

    Raises ValueError where a true scene does not hold one person.
    """
    true = [_only(place, scene).keypoints for place, scene in enumerate(truth)]
    return np.stack([_best(scene) for scene in predicted]), np.stack(true)


def mean_of_known(values: Floats) -> Floats:
    """Return the mean (B,) over the last axis of what is not NaN, NaN where all is.

    >>> mean_of_known(np.array([[1.0, np.nan], [np.nan, np.nan]]))
    array([ 1., nan])
    """
    known = np.isfinite(values)
    count = known.sum(-1)
    total = np.where(known, values, 0.0).sum(-1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))


def both_sides(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Join what is there on the left and on the right under the name without a side.

    >>> both_sides(["left_knee", "neck", "right_knee"])
    {'knee': ('left_knee', 'right_knee')}
    """
    stems = [name.removeprefix("left_") for name in names if name.startswith("left_")]
    return {stem: (f"left_{stem}", f"right_{stem}") for stem in stems if f"right_{stem}" in names}


Length = Callable[[int, Scene], float]
"""The length px of the one person of a scene and its place, NaN where there is none."""


def _length(normalise: Normaliser | ArrayLike, skeleton: Skeleton, scenes: int) -> tuple[Length, str]:
    """Return how long each person is, and what that length is called."""
    if not isinstance(normalise, str):
        return _given(normalise, scenes)
    by_name: dict[str, tuple[Length, str]] = {
        "torso": (lambda _, scene: _torso(scene, skeleton), "torso: " + " to ".join(TORSO)),
        "box": (lambda _, scene: _longer_side(scene.people[0].box), "longer side of the box"),
        "head": (lambda _, scene: _head_size(scene.people[0].head), f"{HEAD_SHARE:g} of the head box's diagonal"),
        "image": (lambda _, scene: _longer_side_of_picture(scene), "longer side of the picture"),
    }
    if normalise not in by_name:
        names = ", ".join(map(repr, by_name))
        raise ValueError(f"normalise must be one of {names}, a number or one a scene, not {normalise!r}")
    missing = [name for name in TORSO if name not in skeleton.keypoints]
    if normalise == "torso" and missing:
        length, unit = by_name["box"]
        return length, f"{unit}, as {skeleton.name} has no {' and no '.join(missing)}, so no torso"
    return by_name[normalise]


def _given(lengths: Any, scenes: int) -> tuple[Length, str]:
    given = np.asarray(lengths, np.float64)
    if given.shape not in ((), (scenes,)):
        raise ValueError(f"normalise must be a number or one for each of the {scenes} scenes, not {given.shape}")
    unit = "given for each person" if given.ndim else "px" if given == 1 else f"{float(given):g} px"
    each = np.broadcast_to(given, (scenes,))
    return lambda place, _: float(each[place]), unit


def _torso(scene: Scene, skeleton: Skeleton) -> float:
    start, end = scene.people[0].keypoints[[skeleton.index(name) for name in TORSO]]
    return float(np.hypot(*(start - end)))


def _longer_side(box: Floats | None) -> float:
    return float("nan") if box is None else float(max(box[2] - box[0], box[3] - box[1]))


def _longer_side_of_picture(scene: Scene) -> float:
    if isinstance(scene.image, np.ndarray):
        return float(max(scene.image.shape[:2]))
    return float("nan") if scene.size is None else float(max(scene.size))


def _head_size(head: Floats | None) -> float:
    return float("nan") if head is None else HEAD_SHARE * float(np.hypot(head[2] - head[0], head[3] - head[1]))


def _only(place: int, scene: Scene) -> Person:
    if len(scene.people) != 1:
        raise ValueError(
            f"truth, {named(place, scene)}: holds {len(scene.people)} people; this metric is of one person a scene "
            "(scene.each_person splits scenes)"
        )
    return scene.people[0]


def _best(scene: Scene) -> Floats:
    """Return the keypoints (K, 2) of the person with the best score; all NaN where nobody was found."""
    if not scene.people:
        return np.full((len(scene.skeleton), 2), np.nan)
    return max(scene.people, key=lambda person: -np.inf if person.score is None else person.score).keypoints
