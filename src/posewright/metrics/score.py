"""Scores: numbers with the protocol that they were measured by, and the pairing that every metric starts from."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.columns import pictures_of
from posewright.scene import Floats, Scene
from posewright.skeleton import Skeleton

Protocol = dict[str, str | int | float]
"""How a number was measured: what was counted and left out, and every choice that was made."""
Again = Callable[[Floats], dict[str, Floats]]
"""Numbers (B,) by name, from weights (B, S) of the scenes."""


class Score(dict[str, float]):
    """Map names to numbers, and carry the protocol that they were measured by.

    again: takes weights (B, S), how often each of the S scenes counts, and returns (B,) numbers by name, from
    what every scene contributes and without matching anything anew. With weights of 1 they are the score's own.
    None where a number cannot be had that way. biased: names of numbers whose resamples are no interval, such as an
    expected calibration error, to which a bootstrap adds the same noise once more.

    >>> score = Score({"AP": 0.5}, {"sigmas": "COCO"})
    >>> score["AP"], score.protocol["sigmas"]
    (0.5, 'COCO')
    """

    def __init__(
        self,
        values: Mapping[str, float],
        protocol: Mapping[str, str | int | float],
        again: Again | None = None,
        biased: Collection[str] = (),
    ) -> None:
        super().__init__(values)
        self.biased = frozenset(biased)
        self.protocol: Protocol = dict(protocol)
        self.again = again

    def __repr__(self) -> str:
        return f"Score({super().__repr__()}, {self.protocol!r})"


def score_of(again: Again, scenes: int, protocol: Mapping[str, str | int | float]) -> Score:
    """Score by a function of the scenes' weights: the numbers are its values where every scene counts once."""
    return Score({name: float(value[0]) for name, value in again(np.ones((1, scenes))).items()}, protocol, again)


def share(weights: Floats, part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return the share that `part` is of `whole` under weights (B, S) of scenes; NaN where there is no whole.

    part, whole (S,) or (S, N) per scene; (B,) or (B, N).

    >>> share(np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([1, 0]), np.array([2, 2]))
    array([0.25, 0.5 ])
    """
    amount = weights @ whole
    return np.asarray(np.divide(weights @ part, amount, out=np.full(amount.shape, np.nan), where=amount > 0))


def paired(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Skeleton:
    """Check that two lists of scenes show the same pictures, place by place, and return their skeleton.

    Raises ValueError where there is no scene, lengths differ, two scenes of a place have different ids, or
    keypoints are not the same everywhere.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} predicted scenes and {len(truth)} true ones; they are paired by position")
    if not truth:
        raise ValueError("there is no scene to score")
    predicted, truth = pictures_of(predicted), pictures_of(truth)
    skeleton = truth[0].skeleton
    for place, (guess, true) in enumerate(zip(predicted, truth, strict=True)):
        if guess.id is not None and true.id is not None and guess.id != true.id:
            raise ValueError(
                f"scene {place}: the prediction is of {guess.id!r}, the truth of {true.id!r}; "
                "scenes are paired by position"
            )
        for kind, scene in (("truth", true), ("prediction", guess)):
            if scene.skeleton.keypoints != skeleton.keypoints:
                raise ValueError(
                    f"{named(place, scene)}: the {kind} has the keypoints of {scene.skeleton.name}, the first truth "
                    f"those of {skeleton.name}; map people with Person.to first"
                )
            if any(len(person) != len(skeleton) for person in scene.people):
                raise ValueError(f"{named(place, scene)}: a person of the {kind} has not {len(skeleton)} keypoints")
    return skeleton


def named(place: int, scene: Scene) -> str:
    """Name a scene in an error: its place, and its id where it has one."""
    return f"scene {place}" if scene.id is None else f"scene {place} ({scene.id})"


def versions() -> dict[str, str]:
    """Name the software that a number was made with."""
    packages = ("posewright", "numpy", "opencv-python-headless", "onnxruntime")
    return {"python": platform.python_version()} | {name: _version(name) for name in packages}


@cache
def _version(package: str) -> str:
    """Return a package's version; where its files lie without its metadata, nobody knows it."""
    from importlib.metadata import PackageNotFoundError, version  # takes long to import

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
