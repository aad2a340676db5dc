"""Grouping by boxes: which of the peaks in a box are its person's, as a Pose Residual Network tells.

Kocabas, Karagoz and Akbas 2018, "MultiPoseNet", arXiv:1807.04067, section 3.4, by the authors' code
(pose-residual-network-pytorch, commit c721006). Whatever takes the peaks in a box, drawn on a grid of 36x56, to how
likely each cell is the person's keypoint may do it: the network, or the two naive baselines of the paper.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from posewright.codecs.bottom_up.whole import Places, one_person
from posewright.codecs.maps import Floats, Maps, bells
from posewright.scene import Person

GRID = (36, 56)
"""(width, height) of the grid laid over a box."""
MARGIN = 0.21
"""How much of its size a box grows on every side."""
WINDOW = 7
"""Cells around a peak's, along each axis, that are added up to its score."""

Respond = Callable[[Places], Maps]
"""Peaks in the cells of boxes (N, K, 56, 36), -1 where none is -> how likely each cell is the person's keypoint."""


class LoosePeaks(NamedTuple):
    """Hold peaks of a picture: xy (N, 2) px, kind (N,) which keypoint, score (N,)."""

    xy: Floats
    kind: Places
    score: Floats


def cells(xy: Floats, box: Floats, whole_origin: bool = True) -> tuple[Places, Places]:
    """Return row and column (N,) of the cells of a box xyxy px that places (N, 2) px lie in.

    What lies beyond goes to the border. As in the authors' code, a place beyond the last column and above the first
    row, or below the last row and before the first column, is counted from the far end: rows and columns wrap.
    whole_origin: the box's corner is cut to a whole px first, as for training.
    """
    origin = np.trunc(box[:2]) if whole_origin else box[:2]
    steps = np.array(GRID) / np.ceil(box[2:] - box[:2])
    column, row = ((xy - origin) * steps).astype(int).T
    right, below = column >= GRID[0], row >= GRID[1]
    across = np.where(right, GRID[0] - 1, np.where(~below & (column < 0), 0, column))
    down = np.where(below, GRID[1] - 1, np.where(~right & (row < 0), 0, row))
    return np.clip(down, -GRID[1], None) % GRID[1], np.clip(across, -GRID[0], None) % GRID[0]


def in_reach(xy: Floats, box: Floats) -> NDArray[np.bool_]:
    """Tell which places (N, 2) lie inside a box xyxy px grown by MARGIN."""
    grown = MARGIN * (box[2:] - box[:2])
    return np.asarray(((xy > box[:2] - grown) & (xy < box[2:] + grown)).all(1))


def drawn_in_box(peaks: LoosePeaks, box: Floats, keypoints: int, whole_origin: bool = True) -> Places:
    """Return the numbers (K, 56, 36) of the peaks in the cells of a box xyxy px, -1 where none is; later ones win."""
    marks = np.full((keypoints, GRID[1], GRID[0]), -1)
    near = np.flatnonzero(in_reach(peaks.xy, box))
    rows, columns = cells(peaks.xy[near], box, whole_origin)
    for number, kind, row, column in zip(near, peaks.kind[near], rows, columns, strict=True):
        marks[kind, row, column] = number
    return marks


@lru_cache(maxsize=8)
def blur(length: int, sigma: float, mode: str = "nearest") -> Maps:
    """Return the matrix (length, length) that blurs a column of cells with a Gaussian of sigma cells. Read-only."""
    matrix = scipy.ndimage.gaussian_filter1d(np.eye(length), sigma, axis=0, mode=mode).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def blurred(marks: Places) -> Maps:
    """Return marks (..., K, 56, 36) as Gaussians of 1 cell, the border repeated: what the network is shown."""
    return np.asarray(blur(GRID[1], 1) @ (marks >= 0).astype(np.float32) @ blur(GRID[0], 1).T)


def own_cells(xy: Floats, labelled: NDArray[np.bool_], box: Floats) -> NDArray[np.bool_]:
    """Return the cells (K, 56, 36) of a box in which a person's keypoints (K, 2) px are."""
    marks = np.zeros((len(xy), GRID[1], GRID[0]), bool)
    kinds = np.flatnonzero(labelled)
    rows, columns = cells(xy[kinds], box)
    marks[kinds, rows, columns] = True
    return marks


def label(own: NDArray[np.bool_]) -> Maps:
    """Return a person's own cells (..., K, 56, 36) as Gaussians of 2 cells, 0 beyond the box: what is to be said."""
    return np.asarray(blur(GRID[1], 2, "constant") @ own.astype(np.float32) @ blur(GRID[0], 2, "constant").T)


def maximum(marks: Places) -> Maps:
    """Keep the highest value of every channel alone (the paper's baseline Max): a Gaussian of 1 cell is put there."""
    drawn = blurred(marks)
    flat = drawn.reshape(*drawn.shape[:-2], -1)
    row, column = np.divmod(flat.argmax(-1), drawn.shape[-1])
    places = np.stack([column, row], -1).astype(np.float64)
    return bells(places, flat.max(-1), (drawn.shape[-1], drawn.shape[-2]), 1.0)


def unary(prior: Maps) -> Respond:
    """Return the baseline UCR of a prior (K, 56, 36), how often each cell is the keypoint: y = x prior, elementwise."""
    return lambda marks: np.asarray(blurred(marks) * prior, np.float32)


def prior_of(labels: Maps) -> Maps:
    """Return the mean of labels (N, K, 56, 36), each channel's largest value 1: what UCR learns."""
    mean = labels.mean(0)
    return np.asarray(mean / np.maximum(mean.max((-2, -1), keepdims=True), 1e-12), np.float32)


def assign(boxes: Floats, peaks: LoosePeaks, keypoints: int, respond: Respond) -> tuple[Places, Floats]:
    """Give boxes (N, 4) xyxy px their peaks: numbers (N, K), -1 where none, and places (N, K, 2) px, NaN where none.

    A peak's score in a box is what `respond` says in 15x15 cells around it. A box takes the best peak whose best box
    it is, or which its best box can spare most. A peak may thus be given to two boxes. As in the authors' code: where
    there is a keypoint that no box has a peak of, boxes without one have the place where `respond` is largest.
    """
    marks = np.array([drawn_in_box(peaks, box, keypoints, whole_origin=False) for box in boxes])
    marks = marks.reshape(len(boxes), keypoints, GRID[1], GRID[0])
    taken = np.full((len(boxes), keypoints), -1)
    places = np.full((len(boxes), keypoints, 2), np.nan)
    if not len(boxes):
        return taken, places
    said = np.asarray(respond(marks), np.float64)
    total = window_sums(said)
    for k in range(keypoints):
        box, row, column = np.nonzero(marks[:, k] >= 0)
        numbers, which = np.unique(marks[box, k, row, column], return_inverse=True)
        scores = np.zeros((len(boxes), len(numbers)))
        scores[box, which] = total[box, k, row, column]
        for place, choice in enumerate(choose(scores)):
            if choice >= 0:
                taken[place, k] = numbers[choice]
                places[place, k] = peaks.xy[numbers[choice]]
    _fill(boxes, marks, said, places)
    return taken, places


def people_in(boxes: Floats, sure: Floats, peaks: LoosePeaks, keypoints: int, respond: Respond) -> list[Person]:
    """Return a person a box (N, 4) xyxy px, in their order: the peaks that `assign` gives it, the others absent.

    sure (N,) of the boxes. A person's score is the box's times the mean of the peaks', absent ones counted as 0.
    Departure: a keypoint without a peak is absent, where the authors' code may guess a place for it.
    """
    taken, places = assign(boxes, peaks, keypoints, respond)
    values = np.append(peaks.score, 0.0)[taken]
    return [
        one_person(np.where(value[:, None] > 0, xy, np.nan), value, score * value.mean(), box)
        for xy, value, box, score in zip(places, values, boxes, sure.tolist(), strict=True)
    ]


def window_sums(said: Floats) -> Floats:
    """Return the sums of (..., 56, 36) over 15x15 cells around each, cut at the border."""
    reach = [(0, 0)] * (said.ndim - 2)
    padded = np.pad(said, [*reach, (WINDOW + 1, WINDOW), (WINDOW + 1, WINDOW)]).cumsum(-1).cumsum(-2)
    side = 2 * WINDOW + 1
    near, far = padded[..., :-side, :], padded[..., side:, :]
    return np.asarray(far[..., side:] - far[..., :-side] - near[..., side:] + near[..., :-side])


def choose(scores: Floats) -> list[int]:
    """Return which of the peaks each box takes, -1 for none; scores (boxes, peaks), 0 where a peak is not in a box."""
    if not scores.shape[1]:
        return [-1] * len(scores)
    best_box, least_peak = scores.argmax(0), scores.argmin(1)
    chosen = []
    for box, row in enumerate(scores):
        order = [peak for peak in np.argsort(-row, kind="stable").tolist() if row[peak] > 0]
        fits = (peak for peak in order if best_box[peak] == box or least_peak[best_box[peak]] == peak)
        chosen.append(next(fits, -1))
    return chosen


def _fill(boxes: Floats, marks: Places, said: Floats, places: Floats) -> None:
    there = (marks >= 0).any((-2, -1))
    if there.any(0).all():
        return
    for box, k in np.argwhere(~there):
        row, column = np.divmod(said[box, k].argmax(), GRID[0])
        extent = np.ceil(boxes[box, 2:] - boxes[box, :2])
        places[box, k] = np.array([column, row]) * extent / GRID + boxes[box, :2]
