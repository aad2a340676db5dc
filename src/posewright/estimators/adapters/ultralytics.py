"""Anything that answers as ultralytics' pose networks do; that package is AGPL-3.0 and is neither needed nor imported.

The interface is its documented one: called with BGR pixels (H, W, 3), it returns results, one a picture, whose
`keypoints.xy` is (P, K, 2) px, `keypoints.conf` (P, K) or None, `boxes.xyxy` (P, 4) px and `boxes.conf` (P,).
Coordinates are taken as they are: they follow the labels it was trained on, which for COCO count pixels from 0 on. A
keypoint at exactly (0, 0) is how it writes an absent one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from posewright.estimators.adapters.adapted import Adapted, whole_picture
from posewright.estimators.adapters.answer import about, array, found, swapped
from posewright.picture import Pixels
from posewright.scene import Person
from posewright.skeleton import COCO, Skeleton


def adapt(
    predict: Callable[[Pixels], Any],
    weights: str | Path | None = None,
    skeleton: Skeleton = COCO,
    own: Skeleton = COCO,
    package: str = "ultralytics",
) -> Adapted:
    """Make an estimator of what returns such results, as `partial(YOLO("my-pose.pt"), verbose=False)` does.

    own: the network's keypoints. weights, package: what the protocol names. A person's score is the detection's
    where there is one. Boxes are answered from the whole picture's people, by overlap.
    """
    said = about(
        package,
        weights,
        scores="clipped into [0, 1]; a person's is that of the detection",
        cut="the whole picture's people, by overlap",
    )

    def find(pixels: Pixels) -> list[Person]:
        results = predict(swapped(pixels))
        return _people(results[0] if isinstance(results, (list, tuple)) else results)

    return Adapted(whole_picture(find, own), own, skeleton, said)


def _people(result: Any) -> list[Person]:
    if result.keypoints is None or not array(result.keypoints.xy).size:
        return []
    xy = array(result.keypoints.xy)
    scores = None if result.keypoints.conf is None else array(result.keypoints.conf)
    boxes, sure = (None, None) if result.boxes is None else (array(result.boxes.xyxy), array(result.boxes.conf))
    return [
        found(
            keypoints,
            None if scores is None else scores[i],
            there=(keypoints != 0).any(axis=1),
            score=None if sure is None else float(sure[i]),
            box=None if boxes is None else boxes[i],
        )
        for i, keypoints in enumerate(np.asarray(xy))
    ]
