"""BlazePose (Bazarevsky et al. 2020, arXiv:2006.10204; Apache-2.0) by its files, as MediaPipe's graphs run them.

The landmark network sees an upright person in a square; 33 places (and 6 that aim the next view) come out in px of it,
from edge to edge, so half a pixel is taken off, each with logits of visibility and of presence, kept apart as in
`mediapipe`. With the detector's file beside it, people are found in the whole picture: each detection tells the hips'
middle and the end of a circle around the whole body, and the square is laid around that circle and turned with it.
"""

from __future__ import annotations

from math import atan2, hypot, pi
from pathlib import Path

import cv2
import numpy as np

from posewright.estimators.adapters.adapted import Adapted, Look, whole_picture
from posewright.estimators.adapters.answer import about, found, nobody
from posewright.estimators.adapters.graphs import Array, Graph
from posewright.estimators.adapters.graphs import load as graph_of
from posewright.estimators.adapters.skeletons import BLAZEPOSE_33
from posewright.estimators.estimator import BOXED
from posewright.geometry.boxes import overlap
from posewright.picture import Pixels
from posewright.scene import ABSENT, HIDDEN, PADDING, SEEN, Floats, Person, region, whole
from posewright.skeleton import COCO, Skeleton
from posewright.warp import Warp, around

SIDE, DETECTED = 256, 224
"""px of the squares that the landmark network and the detector see."""
VISIBLE, THERE = 0.5, 0.5
"""From which visibility on a keypoint is SEEN, and below which flag nobody is there."""
GRIDS = ((28, 2), (14, 2), (7, 6))
"""The detector's anchors: cells a side, and how many a cell."""
SUPPRESSED, CIRCLE = 0.3, 2.5
"""The overlap from which on detections are one person, and the square's side in radii of the body's circle."""
WINDOW, PEAK = 7, 0.5
"""Cells of the landmark maps, around a landmark, that its place is refined by, where their peak is as high."""


def load(files: str | Path, skeleton: Skeleton = COCO) -> Adapted:
    """Load the landmark network from an .onnx or .tflite file, or it and the detector from LANDMARKS,DETECTOR.

    Alone it looks at each box in a square 1.25 times as large as its longer side, the picture's border replicated
    (the whole picture where no box is given). With the detector boxes are given to people found in the whole picture.
    Raises FileNotFoundError, ImportError, or ValueError for files that are no such networks.
    """
    first, _, second = str(files).partition(",")
    landmarks = graph_of(first)
    if not {(1, 195), (1, 1)} <= set(landmarks.outputs):
        raise ValueError(f"{first}: no landmark network of BlazePose: its outputs are {landmarks.outputs}")
    said = about(
        landmarks.package, first, network="BlazePose landmarks", visible=f"hidden where visibility is below {VISIBLE}",
        scores="presence; a person's is the network's flag",
    )  # fmt: skip
    if not second:
        said |= {"cut": f"{PADDING} times in a square, the border replicated; the whole picture where none is given"}
        return Adapted(_at_boxes(landmarks), BLAZEPOSE_33, skeleton, said, BOXED)
    detector = graph_of(second)
    if (1, sum(n * n * each for n, each in GRIDS), 13) not in detector.outputs:
        raise ValueError(f"{second}: no detector of BlazePose: its outputs are {detector.outputs}")

    def everybody(pixels: Pixels) -> list[Person]:
        squares = [square(*points[:2]) for points in detected(detector, pixels)]
        return [one for warp in squares if (one := _landmarks(landmarks, pixels, warp)) is not None]

    theirs = {f"detector {key}": value for key, value in about(detector.package, second).items() if key != "scores"}
    cut = "people detected in the whole picture, turned upright; boxes get theirs by overlap"
    return Adapted(whole_picture(everybody, BLAZEPOSE_33), BLAZEPOSE_33, skeleton, said | theirs | {"cut": cut})


def _at_boxes(landmarks: Graph) -> Look:
    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        size = (pixels.shape[1], pixels.shape[0])
        asked = [region(whole(size), 1.0)] if boxes is None else [region(box, PADDING) for box in boxes]
        said = [_landmarks(landmarks, pixels, around(*place, (SIDE, SIDE))) for place in asked]
        return [nobody(BLAZEPOSE_33) if one is None else one for one in said]

    return look


def _landmarks(graph: Graph, pixels: Pixels, warp: Warp) -> Person | None:
    """Ask about the person in a square, in px of the picture; None where the flag says nobody."""
    seen = cv2.warpAffine(pixels, warp.matrix[:2], warp.size, borderMode=cv2.BORDER_REPLICATE)
    outputs = dict(zip(graph.outputs, graph.run(np.float32(seen[None]) / 255), strict=True))
    flag, rows = float(outputs[1, 1][0, 0]), outputs[1, 195].reshape(39, 5)[:33].astype(np.float64)
    if flag < THERE:
        return None
    places = rows[:, :2]
    if (1, 64, 64, 39) in outputs:
        places = refined(places, logistic(outputs[1, 64, 64, 39][0, ..., :33].astype(np.float64)))
    visibility, presence = logistic(rows[:, 3]), logistic(rows[:, 4])
    xy = warp.inverse((pixels.shape[1], pixels.shape[0])).points(places - 0.5)
    there = np.asarray(np.isfinite(xy).all(1))
    visible = np.where(there, np.where(visibility >= VISIBLE, SEEN, HIDDEN), ABSENT).astype(np.uint8)
    return found(xy, presence, there, flag, visible=visible)


def refined(places: Floats, maps: Floats) -> Floats:
    """Move places (K, 2), px from the square's edge, to the mean of their maps (h, w, K) around them where it peaks."""
    height, width, _ = maps.shape
    moved = places.copy()
    cell = (places / SIDE * (width, height)).astype(int)
    for k, (x, y) in enumerate(cell):
        left, top = max(x - WINDOW // 2, 0), max(y - WINDOW // 2, 0)
        near = maps[top : max(y + WINDOW // 2 + 1, 0), left : max(x + WINDOW // 2 + 1, 0), k]
        if 0 <= x < width and 0 <= y < height and near.max() >= PEAK:
            rows, columns = np.indices(near.shape)
            mean = ((columns + left) * near).sum() / near.sum(), ((rows + top) * near).sum() / near.sum()
            moved[k] = np.divide(mean, (width, height)) * SIDE
    return moved


def square(hips: Floats, end: Floats) -> Warp:
    """Lay the landmark network's square around the circle of a body, turned so that its end is straight above."""
    x, y = end - hips
    return around(hips, np.full(2, CIRCLE * hypot(x, y)), (SIDE, SIDE), -pi / 2 - atan2(y, x))


def detected(graph: Graph, pixels: Pixels) -> list[Floats]:
    """Return four points (4, 2) px of each person that the detector finds in a picture, the surest first."""
    warp = around(*region(whole((pixels.shape[1], pixels.shape[0])), 1.0), (DETECTED, DETECTED))
    seen = warp.image(pixels)[None].astype(np.float32) / 127.5 - 1
    outputs = dict(zip(graph.outputs, graph.run(seen), strict=True))
    rows = outputs[1, len(anchors()), 13][0].astype(np.float64)
    scores = logistic(rows[:, 0])
    sure = np.flatnonzero(scores >= THERE)
    places = rows[sure, 1:].reshape(-1, 6, 2) / DETECTED
    places[:, [0, 2, 3, 4, 5]] += anchors()[sure, None]
    back = warp.inverse((pixels.shape[1], pixels.shape[0]))
    return [back.points(one[2:] * DETECTED - 0.5) for one in merged(places, scores[sure])]


def merged(places: Floats, scores: Floats) -> list[Floats]:
    """Average detections (N, 6, 2), a centre, a size and four points, by score where they overlap the best left."""
    boxes = np.concatenate([places[:, 0] - places[:, 1] / 2, places[:, 0] + places[:, 1] / 2], 1)
    left, people = np.argsort(-scores, kind="stable"), []
    while len(left):
        same = overlap(boxes[left[:1]], boxes[left])[0] > SUPPRESSED
        same[0] = True
        some = left[same]
        people.append(np.average(places[some], axis=0, weights=scores[some]))
        left = left[~same]
    return people


def anchors() -> Floats:
    """(A, 2) the detector's anchors, shares of its square: the middles of cells, row by row."""
    grids = []
    for n, each in GRIDS:
        y, x = np.indices((n, n)).reshape(2, -1)
        grids.append(np.repeat((np.column_stack([x, y]) + 0.5) / n, each, axis=0))
    return np.concatenate(grids)


def logistic(values: Array) -> Floats:
    """Return logits as shares."""
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -60, 60))), np.float64)
