"""Pairing: what must agree before anybody's predictions can be scored, keypoint by keypoint and person by person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.columns import Columns
from posewright.metrics.oks.similarity import oks, oks_sigmas
from posewright.metrics.score import Protocol, Score, paired
from posewright.scene import Floats, Person, Scene, box_around
from posewright.skeleton import Skeleton

SAME_BOX = 0.5
"""px that each side of two boxes may be apart for them to be the same: files round."""

Pairs = Iterator[tuple[int, int]]
"""Places of a true and a predicted person of one picture."""


class Singles(NamedTuple):
    """Hold one true person a scene, with the prediction that is theirs, or nobody.

    picture (P,): the place of the picture that each of them is in. protocol: how they were paired.
    """

    predicted: list[Scene]
    truth: list[Scene]
    picture: NDArray[np.intp]
    protocol: Protocol


def by_person(metric: Callable[..., Score]) -> Callable[..., Score]:
    """Let a metric of one person a scene score pictures of several, as `singles` pairs their people.

    `Score.again` takes weights of the pictures, not of the people, so that intervals resample pictures.
    """

    @wraps(metric)
    def score(predicted: Sequence[Scene], truth: Sequence[Scene], *args: Any, **options: Any) -> Score:
        found = singles(predicted, truth)
        alone = metric(found.predicted, found.truth, *args, **options)
        again = alone.again
        by_picture = None if again is None else lambda weights: again(weights[:, found.picture])
        return Score(alone, alone.protocol | found.protocol, by_picture)

    return score


def singles(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Singles:
    """Pair the predicted people of each picture with its true ones, who come out one a scene.

    Crowds and people without a labelled keypoint are not asked for. One rule holds for all pictures, the first
    that fits. Directly: no picture has more than one true and one predicted person. By box: every prediction has
    a box that is a true person's, within 0.5 px a side (what top-down estimators answer for annotated boxes); of
    several for one box that with the best score counts. By similarity: of all pairs in a picture that with the
    largest OKS first, none of 0; this choice favours the predictions, and the protocol says so. A true person
    without a prediction is a miss; predictions that are left over do not count.
    Raises ValueError where scenes do not pair.
    """
    skeleton = paired(predicted, truth)
    truth = list(truth)
    guesses = [scene.people for scene in predicted]
    rule, said = _rule(guesses, truth, skeleton)
    found, true, picture = [], [], []
    for place, (scene, some) in enumerate(zip(truth, guesses, strict=True)):
        whose = dict(rule(scene.people, some))
        for i in _asked(scene.people):
            true.append(replace(scene, people=(scene.people[i],)))
            found.append(replace(scene, people=(some[whose[i]],) if i in whose else ()))
            picture.append(place)
    missed = sum(not scene.people for scene in found)
    protocol: Protocol = {
        "pairing": said,
        "scenes": len(truth),
        "people_not_predicted": missed,
        "predictions_left_over": sum(map(len, guesses)) - len(found) + missed,
    }
    return Singles(found, true, np.array(picture, np.intp), protocol)


def _asked(people: Sequence[Person]) -> list[int]:
    return [i for i, person in enumerate(people) if not person.crowd and person.labelled.any()]


Rule = Callable[[Sequence[Person], Sequence[Person]], Pairs]


def _rule(guesses: Sequence[Sequence[Person]], truth: Sequence[Scene], skeleton: Skeleton) -> tuple[Rule, str]:
    """Return the first rule that fits all pictures, and what the protocol says of it."""
    both = [(scene.people, some) for scene, some in zip(truth, guesses, strict=True)]
    if all(len(people) <= 1 and len(some) <= 1 for people, some in both):
        return _directly, "directly, one person a picture"
    if all((_apart(people, some) <= SAME_BOX).any(0).all() for people, some in both):
        return _by_box, f"by box, which is the annotated one within {SAME_BOX:g} px a side"
    sigmas, source = oks_sigmas(skeleton)
    said = f"by similarity, the best OKS of a picture first (sigmas: {source}); this favours the predictions"
    return lambda people, some: _by_similarity(people, some, sigmas), said


def _directly(people: Sequence[Person], some: Sequence[Person]) -> Pairs:
    return zip(range(len(people)), range(len(some)), strict=False)


def _by_box(people: Sequence[Person], some: Sequence[Person]) -> Pairs:
    """Give each prediction the nearest box that is free: in their order, or the best first where there are more."""
    apart = _apart(people, some)
    order = np.arange(len(some))
    if len(some) > len(people):
        order = np.argsort([-np.inf if person.score is None else person.score for person in some], kind="stable")[::-1]
    for j in order.tolist():
        i = int(np.argmin(apart[:, j])) if len(people) else -1
        if i >= 0 and apart[i, j] <= SAME_BOX:
            apart[i] = np.inf
            yield i, j


def _apart(people: Sequence[Person], some: Sequence[Person]) -> Floats:
    """Return how far apart the boxes (P, D) of true and predicted people are, side by side; infinite without one."""
    true, found = ([np.full(4, np.nan) if p.box is None else p.box for p in side] for side in (people, some))
    sides = np.abs(np.reshape(true, (-1, 1, 4)) - np.reshape(found, (1, -1, 4))).max(-1)
    return np.asarray(np.nan_to_num(sides, nan=np.inf))


def _by_similarity(people: Sequence[Person], some: Sequence[Person], sigmas: Floats) -> Pairs:
    asked = _asked(people)
    if not asked or not some:
        return
    chosen = [people[i] for i in asked]
    xy = np.stack([person.keypoints for person in chosen])
    area = np.array([_area(person) for person in chosen])
    labelled = np.stack([person.labelled for person in chosen])
    close = oks(xy, labelled, area, np.zeros((len(chosen), 4)), np.stack([p.keypoints for p in some]), sigmas)
    while close.max() > 0:
        j, i = np.unravel_index(int(np.argmax(close)), close.shape)
        close[j], close[:, i] = 0.0, 0.0
        yield asked[int(i)], int(j)


def _area(person: Person) -> float:
    """Return a person's area px^2: as annotated, else the box's, else that of the box around their keypoints."""
    if person.area is not None:
        return person.area
    x0, y0, x1, y1 = box_around(person.keypoints) if person.box is None else person.box
    return float((x1 - x0) * (y1 - y0))


def shared_keypoints(
    predicted: Sequence[Scene], truth: Sequence[Scene], skeleton: Skeleton | None = None
) -> tuple[Sequence[Scene], Sequence[Scene], Protocol]:
    """Bring predictions and truth to the keypoints that both can say, by name and in the truth's order.

    A keypoint that the predictions' skeleton does not have is not asked for, instead of being a miss of
    everybody. skeleton: only its keypoints. Where that changes nothing, the scenes come back as they are.
    Returns the scenes and what the protocol says of this. Raises ValueError where nothing is shared.
    """
    if not truth or not predicted:
        return predicted, truth, {}
    theirs, ours = predicted[0].skeleton, truth[0].skeleton
    wanted = ours.keypoints if skeleton is None else skeleton.keypoints
    there = theirs.to(ours) >= 0
    shared = [name for name, known in zip(ours.keypoints, there, strict=True) if known and name in wanted]
    if not shared:
        raise ValueError(f"predictions of {theirs.name} and truth of {ours.name} share no keypoint by name")
    protocol: Protocol = {"pictures_without_prediction": _without_people(predicted)}
    if theirs.keypoints != ours.keypoints or len(shared) < len(ours):
        left_out = [name for name in ours.keypoints if name not in shared]
        protocol["predicted_keypoints"] = theirs.name
        protocol["keypoints_scored"] = ", ".join(shared)
        protocol["keypoints_left_out"] = ", ".join(left_out) or "none"
    own = ours.only(shared)
    return _in(predicted, own), _in(truth, own), protocol


def _without_people(scenes: Sequence[Scene]) -> int:
    if isinstance(scenes, Columns):
        return len(scenes) - int(np.count_nonzero(np.bincount(scenes.people.scene)))
    return sum(not scene.people for scene in scenes)


def _in(scenes: Sequence[Scene], skeleton: Skeleton) -> Sequence[Scene]:
    own = scenes[0].skeleton
    if own.keypoints == skeleton.keypoints:
        return scenes
    return [replace(s, skeleton=skeleton, people=tuple(p.to(own, skeleton) for p in s.people)) for s in scenes]
