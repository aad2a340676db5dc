"""Answers: the numbers of other people's networks as people, and what the protocol says of a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.files import sha256_of
from posewright.geometry.boxes import overlap
from posewright.picture import Pixels
from posewright.scene import Floats, Person, box_around
from posewright.skeleton import Skeleton


def found(
    keypoints: NDArray[Any],
    scores: NDArray[Any] | None = None,
    there: NDArray[np.bool_] | None = None,
    score: float | None = None,
    **rest: Any,
) -> Person:
    """Make a person of a network's numbers: keypoints (K, 2) px, scores (K,) as they are.

    Scores are clipped into [0, 1]. A keypoint that is not `there` (K,), by default one whose score is not above 0, or
    that is no finite number, is absent and its score 0. score: by default the mean over those that are there.
    """
    xy, own = np.array(keypoints, np.float64), None if scores is None else np.array(scores, np.float64)
    here = np.isfinite(xy).all(axis=1)
    if there is not None:
        here &= there
    elif own is not None:
        here &= own > 0
    xy[~here] = np.nan
    if own is not None:
        own = np.where(here, np.clip(np.nan_to_num(own), 0, 1), 0.0)
        if score is None:
            score = float(own[here].mean()) if here.any() else 0.0
    return Person(xy, scores=own, score=None if score is None else float(np.clip(score, 0, 1)), **rest)


def nobody(skeleton: Skeleton) -> Person:
    """Return the answer for a box in which nobody was found: every keypoint absent, every score 0."""
    return found(np.full((len(skeleton), 2), np.nan), np.zeros(len(skeleton)))


def one_a_box(people: Sequence[Person], boxes: Sequence[Floats], skeleton: Skeleton) -> list[Person]:
    """Give each box (4,) xyxy px its person by overlap, no person twice; the box is then the person's.

    The pairs are those with the largest sum of overlaps (intersection over union); a box that nobody overlaps is
    answered with nobody.
    """
    from scipy.optimize import linear_sum_assignment

    there = [(person, extent) for person in people if (extent := _extent(person)) is not None]
    answers = [nobody(skeleton) for _ in boxes]
    if boxes and there:
        shared = overlap(boxes, [extent for _, extent in there])
        for place, one in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
            if shared[place, one] > 0:
                answers[place] = there[one][0]
    return [replace(person, box=np.array(box, np.float64)) for person, box in zip(answers, boxes, strict=True)]


def _extent(person: Person) -> Floats | None:
    """The person's box, or else that around the keypoints, half a px wider so that it has an area."""
    if person.box is not None:
        return person.box
    if not person.labelled.any():
        return None
    return box_around(person.keypoints) + np.array([-0.5, -0.5, 0.5, 0.5])


def about(package: str, weights: str | Path | None = None, **said: Any) -> dict[str, Any]:
    """Name a package with its version, and weights with their file's hash where it is one."""
    from importlib.metadata import PackageNotFoundError, version  # takes long to import

    try:
        number = version(package)
    except PackageNotFoundError:
        number = "not installed as a package"
    named: dict[str, Any] = {"package": package, "version": number}
    if weights is not None:
        named["weights"] = str(weights)
        if Path(weights).is_file():
            named["weights sha256"] = sha256_of(Path(weights))
    return named | {"scores": "clipped into [0, 1]; a person's is the mean of the keypoints found"} | said


def array(values: Any) -> Floats:
    """Return numbers of any library, on any device, as float64."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float64)


def swapped(pixels: Pixels) -> Pixels:
    """Return the picture with red and blue changed round."""
    return np.ascontiguousarray(pixels[..., ::-1])
