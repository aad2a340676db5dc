"""Scores: numbers with the protocol that they were measured by, and the pairing that every metric starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posewright.scene import Scene
from posewright.skeleton import Skeleton

Protocol = dict[str, str | int | float]
"""How a number was measured: what was counted and left out, and every choice that was made."""


class Score(dict[str, float]):
    """Map names to numbers, and carry the protocol that they were measured by.

    >>> score = Score({"AP": 0.5}, {"sigmas": "COCO"})
    >>> score["AP"], score.protocol["sigmas"]
    (0.5, 'COCO')
    """

    def __init__(self, values: Mapping[str, float], protocol: Mapping[str, str | int | float]) -> None:
        super().__init__(values)
        self.protocol: Protocol = dict(protocol)

    def __repr__(self) -> str:
        return f"Score({super().__repr__()}, {self.protocol!r})"


def paired(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Skeleton:
    """Check that two lists of scenes show the same pictures, place by place, and return their skeleton.

    Raises ValueError where there is no scene, lengths differ, two scenes of a place have different ids, or
    keypoints are not the same everywhere.
    """
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} predicted scenes and {len(truth)} true ones; they are paired by position")
    if not truth:
        raise ValueError("there is no scene to score")
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
