"""MoveNet (Google 2021, "Next-generation pose detection with MoveNet and TensorFlow.js"; Apache-2.0), by its file.

Lightning and Thunder answer COCO's 17 keypoints of one person in a square; MultiPose those of up to six people in a
whole picture, with their boxes. Both give places as shares of their square, from edge to edge, y before x, so half a
pixel is taken off, and one score a keypoint, which is no probability of being right.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.estimators.adapters.adapted import Adapted, each_crop, whole_picture
from posewright.estimators.adapters.answer import about, found
from posewright.estimators.adapters.graphs import Array, Graph
from posewright.estimators.adapters.graphs import load as graph_of
from posewright.estimators.estimator import View
from posewright.picture import Pixels
from posewright.scene import Floats, Person
from posewright.skeleton import COCO, Skeleton
from posewright.warp import Warp

SINGLE, SEVERAL = (1, 1, 17, 3), (56,)
"""The outputs of the networks for one person, and the last axis of that for several."""
SIDE = 256
"""px of the longer side of a picture as MultiPose is shown it; its publishers' own."""
SOMEBODY = 0.1
"""A row of MultiPose below this score is nobody."""


def load(file: str | Path, skeleton: Skeleton = COCO) -> Adapted:
    """Load Lightning, Thunder or MultiPose from an .onnx or .tflite file; which one it is its outputs tell.

    One person is shown in a square 1.25 times as large as the longer side of their box, black outside the picture
    (the whole picture where no box is given); MultiPose looks at the whole picture once and gives each box its person.
    Raises FileNotFoundError, ImportError, or ValueError for a file that is no MoveNet.
    """
    graph = graph_of(file)
    if graph.outputs[0] == SINGLE and graph.shape[1] is not None:
        side = graph.shape[1]
        view = View((side, side))
        look = each_crop(lambda pixels: [_single(graph, pixels)], view)
        said = about(graph.package, file, network="MoveNet, one person", crop=[side, side], padding=view.padding)
        return Adapted(look, COCO, skeleton, said, view)
    if graph.outputs[0][-1:] == SEVERAL:
        look = whole_picture(lambda pixels: _several(graph, pixels))
        said = about(graph.package, file, network="MoveNet MultiPose", cut=f"the whole picture, its longer side {SIDE}")
        return Adapted(look, COCO, skeleton, said | {"scores": "as they are", "somebody from": SOMEBODY})
    raise ValueError(f"{file}: no MoveNet: its output is {list(graph.outputs[0])}, not (1, 1, 17, 3) or (1, 6, 56)")


def _single(graph: Graph, pixels: Pixels) -> Person:
    """Ask about the person in a square (side, side, 3)."""
    (rows,) = graph.run(pixels[None].astype(graph.kind))[0][0]
    return found(_places(rows, len(pixels)), rows[:, 2])


def _several(graph: Graph, pixels: Pixels) -> list[Person]:
    """Ask about everybody in a picture, which is scaled into the top left of a black square."""
    scale = SIDE / max(pixels.shape[:2])
    middle = (scale - 1) / 2
    warp = Warp(np.array([[scale, 0, middle], [0, scale, middle], [0, 0, 1.0]]), (SIDE, SIDE))
    rows = graph.run(warp.image(pixels)[None].astype(graph.kind))[0][0]
    back = warp.inverse((pixels.shape[1], pixels.shape[0]))
    people = []
    for row in rows[rows[:, 55] >= SOMEBODY]:
        corners = back.points(_places(row[51:55].reshape(2, 2), SIDE)).ravel()
        keypoints = row[:51].reshape(17, 3)
        person = found(back.points(_places(keypoints, SIDE)), keypoints[:, 2], score=float(row[55]))
        people.append(replace(person, box=corners) if (corners[2:] > corners[:2]).all() else person)
    return people


def _places(rows: Array, side: int) -> Floats:
    """Return shares y, x of a square (N, 2 or more) as x, y px."""
    return np.asarray(rows[:, 1::-1].astype(np.float64) * side - 0.5)
