"""The same people in several views: who is whom at an instant, and over time; "nobody here" is an answer too."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.epipolar import fundamental_from_cameras, sampson
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

FEWEST_JOINTS = 4
"""Joints that two views of a person must both show to be compared."""
CAP = 12.0
"""No joint counts for more than this, in squared standard deviations."""
CHANCE = 1.8
"""What the mean capped distance of joints, halved, must stay below for two views to show one person."""
MEDIAN_OF_CHI2 = 0.4549
RIGHT_SHARE = 1 / 3
"""At least this share of people are taken to be shown by another view as well."""
LEAST_PX = 0.5


def match_people(rig: Rig, views: Views, sigma: float | None = None) -> Views:
    """Give people of all views the same place where they are the same person at an instant.

    For each pair of people in two views the distances of their joints from each other's epipolar lines are
    averaged; what the average leaves below chance is an affinity. The two groups of the largest summed affinity are
    joined again and again, never two people of one view, until no sum is positive: so that views must agree in a
    circle, not only in pairs. All frames at once. Who is left alone is `unmatched`. sigma px: the detections' noise;
    None takes it from the best pairs. Places are arbitrary until `track_people` orders them in time.
    """
    affinity = affinities(rig, views, sigma)
    groups = joined(affinity)
    return _placed(views, groups)


def affinities(rig: Rig, views: Views, sigma: float | None = None) -> Floats:
    """Return (F, VP, VP) how much speaks for two people of two views being one; -inf within a view, 0 unknown."""
    count, people = len(rig), views.people
    pinholes = [replace_lens(rig, name, views.xy[v]) for v, name in enumerate(rig.cameras)]
    matrices = [camera.matrix for camera in rig.cameras.values()]
    apart = {}
    for a, b in combinations(range(count), 2):
        F = fundamental_from_cameras(matrices[a], matrices[b])
        apart[a, b] = sampson(F, pinholes[a][:, :, None], pinholes[b][:, None])
    noise = sigma or _noise(apart)
    whole = np.zeros((views.frames, count * people, count * people))
    for (a, b), square in apart.items():
        known = np.isfinite(square)
        shared = known.sum(-1)
        capped = np.minimum(np.where(known, square, 0.0) / noise**2, CAP)
        mean = np.where(known, capped, 0.0).sum(-1) / np.maximum(shared, 1)
        value = np.where(shared >= FEWEST_JOINTS, CHANCE - mean / 2, 0.0)
        rows, columns = slice(a * people, (a + 1) * people), slice(b * people, (b + 1) * people)
        whole[:, rows, columns] = value
        whole[:, columns, rows] = value.transpose(0, 2, 1)
    for v in range(count):
        rows = slice(v * people, (v + 1) * people)
        whole[:, rows, rows] = -np.inf
    return whole


def replace_lens(rig: Rig, name: str, xy: Floats) -> Floats:
    """Return pixels (..., 2) as the camera would show them without its lens."""
    camera = rig.cameras[name]
    return np.asarray(camera.rays(xy) @ camera.K[:2, :2].T + camera.K[:2, 2])


def joined(affinity: Floats) -> Places:
    """Return (F, N) the group of each of N people, numbered by its first member.

    affinity (F, N, N), symmetric. Greedy: the two groups with the largest sum are joined while it is positive.
    """
    frames, count, _ = affinity.shape
    sums = np.where(np.eye(count, dtype=bool), -np.inf, affinity)
    group = np.tile(np.arange(count), (frames, 1))
    going = np.arange(frames)
    for _ in range(count - 1):
        flat = sums[going].reshape(len(going), -1)
        best = flat.argmax(-1)
        positive = flat[np.arange(len(going)), best] > 0
        going, best = going[positive], best[positive]
        if not len(going):
            break
        first, second = np.sort(np.stack(np.divmod(best, count)), axis=0)
        merged = sums[going, first] + sums[going, second]
        sums[going, first] = merged
        sums[going, :, first] = merged
        sums[going, first, first] = -np.inf
        sums[going, second] = -np.inf
        sums[going, :, second] = -np.inf
        own = group[going]
        group[going] = np.where(own == second[:, None], first[:, None], own)
    return group


def _noise(apart: dict[tuple[int, int], Floats]) -> float:
    """Return px, from each person's best partner in another view: of these the third that fits best."""
    best = []
    for square in apart.values():
        enough = np.isfinite(square).sum(-1) >= FEWEST_JOINTS
        middle = np.nanmedian(np.where(enough[..., None], square, np.inf), axis=-1)
        nearest = np.where(np.isfinite(middle), middle, np.inf).min(-1)
        best.append(nearest[np.isfinite(nearest)])
    together = np.concatenate(best)
    return (
        max(float(np.sqrt(np.quantile(together, RIGHT_SHARE) / MEDIAN_OF_CHI2)), LEAST_PX)
        if len(together)
        else LEAST_PX
    )


def _placed(views: Views, groups: Places) -> Views:
    """Put people at the places of their groups; people alone come last and are unmatched."""
    count, people = len(views.cameras), views.people
    there = np.asarray(np.isfinite(views.xy[..., 0]).any(-1)).transpose(1, 0, 2).reshape(views.frames, -1)
    size = groups[:, :, None] == groups[:, None, :]
    size = (size & there[:, None, :]).sum(-1)
    rank = np.where(there, 0, 1) * 10_000 - size * 100.0
    most, placed = 1, []
    for f in range(views.frames):
        order = [g for g in dict.fromkeys(groups[f, np.argsort(rank[f], kind="stable")].tolist())
                 if there[f, groups[f] == g].any()]  # fmt: skip
        placed.append({g: n for n, g in enumerate(order)})
        most = max(most, len(order))
    shape = (count, views.frames, most)
    xy, scores = np.full((*shape, len(views.skeleton), 2), np.nan), np.full((*shape, len(views.skeleton)), np.nan)
    alone = np.zeros(shape, bool)
    for f, places in enumerate(placed):
        for n in np.flatnonzero(there[f]):
            v, p = divmod(int(n), people)
            place = places[int(groups[f, n])]
            xy[v, f, place], scores[v, f, place] = views.xy[v, f, p], views.scores[v, f, p]
            alone[v, f, place] = size[f, n] == 1
    return replace(views, xy=xy, scores=scores, unmatched=alone)
