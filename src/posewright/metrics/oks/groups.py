"""Groups of keypoints or people, each scored by COCO's rules: a filter on the truth, then average precision.

A group of keypoints leaves the others unlabelled: a person without any of the group is ignored, as one without
keypoints is in COCO, and compared by the box, doubled about its centre. A group of people ignores the others:
neither to be found nor wrong to find. A prediction that matches nobody counts against the group of the person
whom it resembles most, so that a near miss of one group is no invention of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from posewright.columns import columns_of, people_of
from posewright.metrics.oks.compared import Compared, matches
from posewright.metrics.oks.matching import KEPT, RANGES, Flags, Matches, Places, pairs, summary
from posewright.metrics.oks.similarity import (
    PREDICTED_AREAS,
    PredictedArea,
    Predictions,
    Truths,
    area_source,
    gather_predictions,
    gather_truths,
    oks_sigmas,
    order_of,
    similarities,
    taken,
)
from posewright.metrics.score import Protocol, Score, paired
from posewright.metrics.trust.resampling import again_of
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

T = TypeVar("T")
NUMBERS = ("AP", "AP50", "AP75", "AR")
"""What is told of every group, of COCO's ten numbers."""


class Problem(NamedTuple):
    """Hold what COCO's average precision is made from: images in the order of their ids.

    scenes: the true ones as they were given, order (S,) which of them stands where; protocol: what holds for
    every group; compared: what all groups share.
    """

    skeleton: Skeleton
    scenes: Sequence[Scene]
    order: Places
    truths: Truths
    predictions: Predictions
    sigmas: Floats
    protocol: Protocol
    compared: Compared

    @property
    def people(self) -> list[Person]:
        """The true people, place by place as in `truths`."""
        return [person for place in self.order for person in self.scenes[place].people]

    @property
    def rows(self) -> Places:
        """(P,) where the true people are listed by their scenes."""
        places = people_of(self.scenes, len(self.skeleton)).scene
        return np.argsort(np.argsort(self.order)[places], kind="stable")

    def matches(self, ranges: int = len(RANGES)) -> Matches:
        """Match the predictions to the people who count; images are the scenes' places as they were given.

        ranges: only in the first so many of RANGES, where the others are not asked for.
        """
        own = self.compared
        if self.truths is own.truths and self.predictions is own.predictions and self.sigmas is own.sigmas:
            found = own.whole
            found = found._replace(
                person=found.person[:ranges], ignored=found.ignored[:ranges], counted=found.counted[:, :ranges]
            )
        else:
            found = matches(self.truths, self.predictions, self.sigmas, own.images, own, ranges)
        return found._replace(image=self.order[found.image], counted=found.counted[np.argsort(self.order)])


_Kept = dict[tuple[Any, ...], tuple[Sequence[Scene], Sequence[Scene], Problem]]
_GATHERED: ContextVar[_Kept | None] = ContextVar("_GATHERED", default=None)


@contextmanager
def gathered_once() -> Iterator[None]:
    """Let the metrics that are asked inside share one problem where they ask the same of the same scenes."""
    known = _GATHERED.get()
    before = _GATHERED.set({} if known is None else known)
    try:
        yield
    finally:
        _GATHERED.reset(before)


def gather(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    sigmas: ArrayLike | None = None,
    *,
    box_area: float = 1.0,
    counted_by: Sequence[str] | None = None,
    predicted_area: PredictedArea = "own",
) -> Problem:
    """Collect scenes into one problem to divide; arguments and errors as of `oks_ap`."""
    known = _GATHERED.get()
    given = None if sigmas is None else tuple(np.ravel(sigmas).tolist())
    counting = None if counted_by is None else tuple(counted_by)
    key = id(predicted), id(truth), given, box_area, counting, predicted_area
    if known is None:
        return _gathered(predicted, truth, sigmas, box_area, counted_by, predicted_area)
    if key not in known:  # the scenes are kept as well, for an id is theirs only as long as they live
        known[key] = predicted, truth, _gathered(predicted, truth, sigmas, box_area, counted_by, predicted_area)
    return known[key][-1]


def _gathered(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    sigmas: ArrayLike | None,
    box_area: float,
    counted_by: Sequence[str] | None,
    predicted_area: PredictedArea,
) -> Problem:
    skeleton = paired(predicted, truth)
    scales, source = oks_sigmas(skeleton, sigmas)
    order, known = np.array(order_of(truth)), columns_of(truth, len(skeleton))
    truths = taken(order, gather_truths(known, skeleton, box_area, counted_by))
    predictions = taken(order, gather_predictions(predicted, len(skeleton), predicted_area))
    to_be_found = int((~truths.ignored).sum())
    beyond = int(np.maximum(np.bincount(predictions.image) - KEPT, 0).sum())
    protocol: Protocol = {
        "sigmas": source,
        "thresholds": "0.50:0.05:0.95",
        "area": area_source(known, len(skeleton), box_area),
        "predicted_area": PREDICTED_AREAS[predicted_area],
        "people_counted_by": "any keypoint" if counted_by is None else ", ".join(counted_by),
        "scenes": len(truth),
        "people": to_be_found,
        "people_ignored": len(truths.area) - to_be_found,
        "predictions": len(predictions.score) - beyond,
        f"predictions_beyond_{KEPT}_a_scene": beyond,
    }
    shared = Compared(truths, predictions, scales, len(order))
    return Problem(skeleton, truth, order, truths, predictions, scales, protocol, shared)


def with_keypoints(problem: Problem, kept: Flags) -> Problem:
    """Keep of every person the keypoints (P, K) or (K,) that are in the group; who has none of them is ignored."""
    truths = problem.truths
    labelled = truths.labelled & kept
    return problem._replace(
        truths=truths._replace(labelled=labelled, ignored=truths.excluded | ~labelled.any(1)),
        protocol=problem.protocol | {"people_counted_by": "any keypoint of the group"},
    )


def with_people(problem: Problem, kept: Flags, predictions: Flags | None = None) -> Problem:
    """Keep the people (P,) of the group and ignore the others.

    predictions (D,): those that count against the group where they match nobody; None for all.
    """
    truths, found = problem.truths, problem.predictions
    if predictions is not None:
        found = found._replace(area=np.where(predictions, found.area, np.inf))
    return problem._replace(truths=truths._replace(ignored=truths.ignored | ~kept), predictions=found)


def with_scenes(problem: Problem, kept: Flags) -> Problem:
    """Keep the people and the predictions of the scenes (S,) of the group, in the problem's order."""
    return with_people(problem, kept[problem.truths.image], kept[problem.predictions.image])


def divided(problem: Problem, parts: Mapping[str, Flags]) -> dict[str, Problem]:
    """Divide people (P,) into groups by name, and the predictions that match nobody by whom they resemble most.

    Where nobody counts in a picture, or the prediction resembles nobody, it counts against every group.
    """
    near = nearest(problem)
    return {name: with_people(problem, kept, np.append(kept, True)[near]) for name, kept in parts.items()}


def nearest(problem: Problem) -> Places:
    """Return for every prediction (D,) the place of the person who counts with the largest OKS, -1 if it is 0."""
    truths, predictions = problem.truths, problem.predictions
    near = np.full(len(predictions.image), -1, np.intp)
    counted = np.flatnonzero(~truths.ignored)
    guess, place = pairs(predictions.image, truths.image[counted])
    if len(guess):
        similar = similarities(truths, predictions.keypoints, problem.sigmas, guess, counted[place])
        starts = np.flatnonzero(np.diff(guess, prepend=-1))
        best = np.maximum.reduceat(similar, starts)
        first = np.where(similar == np.repeat(best, np.diff(starts, append=len(guess))), place, len(counted))
        near[guess[starts]] = np.where(best > 0, counted[np.minimum.reduceat(first, starts)], -1)
    return near


def between(values: Floats, borders: Sequence[float]) -> list[Flags]:
    """Divide values (N,) at ascending borders, each the first value of what follows; NaN is in no part.

    >>> [flags.tolist() for flags in between(np.array([0.1, 0.2, np.nan]), [0.2])]
    [[True, False, False], [False, True, False]]
    """
    ends = [-np.inf, *borders, np.inf]
    return [(values >= low) & (values < high) for low, high in pairwise(ends)]


def spans(borders: Sequence[float]) -> list[str]:
    """Name the parts that `between` makes.

    >>> spans([0.1, 0.5])
    ['below_0.1', '0.1_to_0.5', 'from_0.5']
    """
    inner = [f"{low:g}_to_{high:g}" for low, high in pairwise(borders)]
    return [f"below_{borders[0]:g}", *inner, f"from_{borders[-1]:g}"]


def score_groups(
    metric: str, groups: Mapping[str, Problem], protocol: Mapping[str, str | int | float], *, joint: str = "/"
) -> Score:
    """Score every group: "AP/left_knee" and the like, the number's name and the group's with `joint` between.

    A number is -1 where the group has nobody to be found; the protocol counts the people of each.
    """
    first = next(iter(groups.values()))
    found = {name: group.matches(ranges=1) for name, group in groups.items()}
    each = {name: again_of(matched, ranges=1) for name, matched in found.items()}

    def named(numbers: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
        return {f"{number}{joint}{name}": numbers[name][number] for number in NUMBERS for name in numbers}

    def again(weights: Floats) -> dict[str, Floats]:
        return named({name: of_group(weights) for name, of_group in each.items()})

    people = {f"people/{name}": int(matched.counted[:, 0].sum()) for name, matched in found.items()}
    values = named({name: summary(matched) for name, matched in found.items()})
    return Score(values, {"metric": metric, **first.protocol, **protocol, **people}, again)
