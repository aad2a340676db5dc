"""Cameras that are late: by how much, to a fraction of a frame, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.epipolar import fundamental_from_cameras
from posewright.multiview.people import replace_lens
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views

Floats = NDArray[np.float64]

FURTHEST = 15
"""Frames by which a camera is looked for before and after."""
CAP = 9.0
"""No joint counts for more than this, in squared standard deviations."""
FEWEST = 60
"""Joints that two views must share at an offset."""
HALF = 3
"""Frames on each side of one that its velocity is taken from."""
VELOCITY_NOISE = 0.5 / (2 * sum(n * n for n in range(1, HALF + 1)))
"""The variance of a velocity over that of the distance of two views, of which it has one."""
STILL = 0.5
"""The share of the squared velocities that must be more than noise."""
FLAT = 1.0
"""Frames; a pair whose offset is less sure than this says nothing."""


class Offsets(NamedTuple):
    """By how many frames each camera is late: it shows at frame f what happened at f - late.

    late (V,) frames, 0 for most cameras; sigma (V,) frames; curve (V, 2 FURTHEST + 1) the mean capped squared distance
    from epipolar lines of each camera to the others as a function of how late it would be.
    """

    late: Floats
    sigma: Floats
    curve: Floats

    @property
    def steps(self) -> NDArray[np.int_]:
        """The offsets in frames at which the curve is given."""
        return np.arange(-FURTHEST, FURTHEST + 1)

    @property
    def sure(self) -> Floats:
        """(V,) frames, whole where the part of a frame is within three standard deviations, or a twentieth."""
        whole = np.round(self.late)
        return np.where(np.abs(self.late - whole) < np.maximum(3 * self.sigma, 0.05), whole, self.late)


def find_offsets(rig: Rig, views: Views) -> Offsets:
    """Find by how many frames cameras are late, by the epipolar distances of people's joints.

    For each pair of cameras one view is moved in time until the joints fit best: by whole frames first, then by the
    part of one that the joints' velocity makes of what is left; pairs are put together by least squares. The camera
    that most agree with is on time. People must have been matched, or be one. Raises ValueError where a camera's offset
    is not determined: somebody who stands still, or moves in the plane of two cameras alone, says nothing.
    """
    count = len(rig)
    xy = np.stack([replace_lens(rig, name, views.xy[v]) for v, name in enumerate(rig.cameras)])
    xy = xy.transpose(0, 1, 2, 3, 4).reshape(count, views.frames, -1, 2)
    P = [camera.matrix for camera in rig.cameras.values()]
    found: dict[tuple[int, int], list[float]] = {}
    curves = np.zeros((count, 2 * FURTHEST + 1))
    for a, b in combinations(range(count), 2):
        F = fundamental_from_cameras(P[a], P[b])
        curve, *found[a, b] = _pair(F, xy[a], xy[b])
        curves[b] += curve / (count - 1)
        curves[a] += curve[::-1] / (count - 1)
    return Offsets(*_solved(found, list(rig.cameras)), curves)


def shifted(views: Views, late: Floats) -> Views:
    """Move views in time: a camera that is late by 2.5 shows at f what it showed at f + 2.5, in between by lines.

    Frames that nothing was seen at, on either side, stay absent. Scores are the lower of the two.
    """
    xy, scores = views.xy.copy(), views.scores.copy()
    for v, by in enumerate(late):
        xy[v] = _at(views.xy[v], by)
        low = np.minimum(_at(views.scores[v], np.floor(by)), _at(views.scores[v], np.ceil(by)))
        scores[v] = np.where(np.isfinite(xy[v, ..., 0]), low, np.nan)
    moved = ", ".join(f"{name} {by:.2f}" for name, by in zip(views.cameras, late, strict=True) if by)
    return replace(views, xy=xy, scores=scores, notes=(*views.notes, f"moved in time, frames late: {moved or 'none'}"))


def _pair(F: Floats, one: Floats, two: Floats) -> tuple[Floats, float, float]:
    """Return the cost of each whole offset, how late view two is, and its standard deviation."""
    costs = []
    square = [_miss(F, one, _at(two, float(step))) ** 2 for step in range(-FURTHEST, FURTHEST + 1)]
    noise = max(float(np.sqrt(min(_median(s) for s in square) / 0.4549)), 0.3)
    for step in square:
        known = np.isfinite(step)
        costs.append(np.minimum(step[known] / noise**2, CAP).mean() if known.sum() >= FEWEST else CAP)
    whole = int(np.argmin(costs)) - FURTHEST
    here = _miss(F, one, _at(two, float(whole)))
    speed = _velocity(two)
    slope = _miss(F, one, _at(two + speed / 2, float(whole))) - _miss(F, one, _at(two - speed / 2, float(whole)))
    known = np.isfinite(here) & np.isfinite(slope) & (here**2 < CAP * noise**2)
    if known.sum() < FEWEST or abs(whole) == FURTHEST:
        return np.array(costs), float(whole), np.inf
    here, slope = _centred(here, known), _centred(slope, known)
    variance = float((here[known] ** 2).mean())
    moves = float((slope**2).sum())
    curvature = moves - known.sum() * variance * VELOCITY_NOISE
    if curvature <= STILL * moves:
        return np.array(costs), float(whole), np.inf
    part = float((slope * here).sum()) / curvature
    spread = float(np.sqrt(((here - part * slope)[known] ** 2).mean()))
    return np.array(costs), whole - part, max(spread, 1e-9) / np.sqrt(curvature)


def _centred(values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Take each joint's mean over time (F, K) out, 0 where unknown: a wrong calibration does that, time does not."""
    own = np.where(known, values, 0.0)
    mean = own.sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known, own - mean, 0.0)


def _velocity(xy: Floats) -> Floats:
    """Return px a frame (F, ...), by a line through seven frames; the middle one has no weight in it.

    So its noise is none of that of the frame itself. To read a view between its frames would average their noise,
    and halves of frames would look better than they are.
    """
    steps = range(1, HALF + 1)
    total = sum(n * (_moved(xy, n) - _moved(xy, -n)) for n in steps)
    return np.asarray(total / (2 * sum(n * n for n in steps)))


def _miss(F: Floats, one: Floats, two: Floats) -> Floats:
    """Return signed distances (F, K) px to first order: the root of Sampson's, with the side."""
    x1, x2 = (np.concatenate([x, np.ones((*x.shape[:-1], 1))], axis=-1) for x in (one, two))
    in2, in1 = x1 @ F.T, x2 @ F
    norm = np.sqrt((in1[..., :2] ** 2 + in2[..., :2] ** 2).sum(-1))
    return np.asarray((x2 * in2).sum(-1) / norm)


def _at(values: Floats, by: float) -> Floats:
    """Return values (F, ...) as they were `by` frames later, in between by straight lines; NaN outside."""
    whole = int(np.floor(by))
    part = by - whole
    first = _moved(values, whole)
    return first if part == 0 else (1 - part) * first + part * _moved(values, whole + 1)


def _moved(values: Floats, by: int) -> Floats:
    moved = np.full_like(values, np.nan)
    length = len(values)
    if abs(by) < length:
        moved[max(0, -by) : length - max(0, by)] = values[max(0, by) : length - max(0, -by)]
    return moved


def _median(square: Floats) -> float:
    known = square[np.isfinite(square)]
    return float(np.median(known)) if len(known) >= FEWEST else np.inf


def _solved(found: dict[tuple[int, int], list[float]], names: list[str]) -> tuple[Floats, Floats]:
    """Put pairs together: weighted least squares with the first camera on time, then the median one."""
    count = len(names)
    rows, right = [], []
    for (a, b), (by, spread) in found.items():
        if spread < FLAT:
            row = np.zeros(count)
            row[b], row[a] = 1 / spread, -1 / spread
            rows.append(row)
            right.append(by / spread)
    A = np.array(rows).reshape(-1, count)[:, 1:]
    if np.linalg.matrix_rank(A) < count - 1:
        lost = [names[n + 1] for n in range(count - 1) if not A[:, n].any()] or names
        raise ValueError(f"{', '.join(lost)}: nobody moves enough in it, and in the others, to tell its offset in time")
    weights = np.ones(len(A))
    for _ in range(10):
        scaled = A * weights[:, None]
        late = np.linalg.lstsq(scaled, np.array(right) * weights, rcond=None)[0]
        weights = 1 / np.sqrt(1 + np.abs(A @ late - right) / 3)
    covariance = np.linalg.inv(scaled.T @ scaled)
    whole = np.concatenate([[0.0], late])
    sigma = np.sqrt(np.concatenate([[covariance.diagonal().min()], covariance.diagonal()]))
    return whole - _middle(whole), sigma


def _middle(late: Floats) -> float:
    """Return the offset of the camera that most others agree with: the least sum of distances."""
    return float(late[np.abs(late[:, None] - late).sum(1).argmin()])
