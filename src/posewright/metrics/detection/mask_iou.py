"""Intersection over union of people's silhouettes, as PASCAL VOC scores segmentation.

Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge", IJCV, section 4.3, for the class person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posewright.columns import pictures_of
from posewright.metrics.score import Protocol, Score, named, paired, score_of, share
from posewright.scene import Floats, Scene

Mask = NDArray[np.bool_]


def mask_iou(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Score:
    """Score the pixels that are people: those of both, over those of either, of all pictures together.

    A picture's people count as one silhouette, the union of their masks. Pixels of crowds, and VOC's void borders,
    which its reader keeps as a crowd, do not count. "IoU_mean" is the mean with the background's, as VOC averages its
    classes. Raises ValueError where scenes do not pair, a person has no mask, or a mask has another size.
    """
    paired(predicted, truth)
    pairs = zip(pictures_of(predicted), pictures_of(truth), strict=True)
    counts = np.array([_counts(place, *pair) for place, pair in enumerate(pairs)])
    both, either, neither, not_both = counts.T

    def again(weights: Floats) -> dict[str, Floats]:
        person, background = share(weights, both, either), share(weights, neither, not_both)
        return {"IoU": person, "IoU_mean": (person + background) / 2}

    protocol: Protocol = {
        "metric": "PASCAL VOC intersection over union of the class person",
        "scenes": len(truth),
        "pixels": int((either + neither).sum()),
    }
    return score_of(again, len(truth), protocol)


def _counts(place: int, predicted: Scene, truth: Scene) -> tuple[int, int, int, int]:
    """Return how many pixels are people in both, in either, in neither, and not in both."""
    size = truth.size or predicted.size
    shape = (size[1], size[0]) if size is not None else _shape(predicted, truth)
    if shape is None:
        return 0, 0, 0, 0
    void = _union(place, "truth", truth, shape, crowds=True)
    found, true = _union(place, "prediction", predicted, shape), _union(place, "truth", truth, shape)
    counted = ~void | true
    both, either = int((found & true & counted).sum()), int(((found | true) & counted).sum())
    total = int(counted.sum())
    return both, either, total - either, total - both


def _shape(*scenes: Scene) -> tuple[int, ...] | None:
    masks = (person.mask for scene in scenes for person in scene.people if person.mask is not None)
    return next((mask.shape for mask in masks), None)


def _union(place: int, what: str, scene: Scene, shape: tuple[int, ...], crowds: bool = False) -> Mask:
    union = np.zeros(shape, bool)
    for person in scene.people:
        if person.crowd != crowds:
            continue
        if person.mask is None:
            if crowds:
                continue
            raise ValueError(f"{what}, {named(place, scene)}: a person has no mask; mask_iou needs them")
        if person.mask.shape != shape:
            raise ValueError(f"{what}, {named(place, scene)}: a mask is {person.mask.shape}, the picture {shape}")
        union |= person.mask
    return union
