"""Whole scenes: an estimator asked about the people of scenes, at the boxes annotated or detected for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from posewright.datasets.detections import Detected, ranked
from posewright.estimators.estimator import Estimator
from posewright.scene import Floats, Scene, boxed, each_person


def predict_scenes(
    estimator: Estimator, scenes: Sequence[Scene], detected: Sequence[Sequence[Detected]] | None = None
) -> Iterator[Scene]:
    """Estimate people at the boxes annotated for them, in their order; crowds and the unlabelled are left out.

    Each answer keeps the box that it was asked for, by which it is scored against the right person. A person without
    a box, or with one without area, is looked for around the keypoints. detected: the boxes of each scene to look at
    instead, by `ranked`. Raises ValueError where a person's keypoints are one place.
    """
    boxes = [
        [_box(single) for single in each_person([scene])] if detected is None else [one.box for one in detected[place]]
        for place, scene in enumerate(scenes)
    ]
    for place, people in enumerate(estimator.many(scenes, boxes)):
        found = [replace(p, box=box) for p, box in zip(people, boxes[place], strict=True)]
        kept = found if detected is None else ranked(found, detected[place], estimator.skeleton)
        yield replace(scenes[place], people=tuple(kept))


def found_in(estimator: Estimator, scenes: Sequence[Scene]) -> Iterator[Scene]:
    """Estimate everybody in each scene's picture, without being told where anybody is."""
    for scene, people in zip(scenes, estimator.many(scenes), strict=True):
        yield replace(scene, people=tuple(people))


def _box(single: Scene) -> Floats:
    try:
        return boxed(single.people[0])
    except ValueError as error:
        raise ValueError(f"scene {single.id}: {error}, so there is nowhere to look") from None
