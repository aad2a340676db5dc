"""People over time: the places of people put in an order that follows them from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from posewright.multiview.points import PointReason, Points, ViewReason

Floats = NDArray[np.float64]

REACH = 0.6
"""How far a joint may move on average between two frames, as a share of how far the joints of a body spread."""
MEMORY = 30
"""Frames after which nobody is taken for somebody who was lost."""
FEWEST_JOINTS = 4
FEWEST_FRAMES = 5
"""Frames that a person must be found in to be kept."""


def track_people(points: Points, people: int | None = None) -> Points:
    """Order people in time; they were matched frame by frame.

    In each frame the people there are assigned to those before by the mean distance of their joints, at most `REACH`
    of a body's spread (more after a gap), so that the sum is least. people: keep so many, those found in most
    views and joints; None keeps all who are found in `FEWEST_FRAMES` or more. A view of a frame that shows somebody
    who is matched to nobody is UNMATCHED for those whom it does not show. Who is left out is noted. Raises ValueError
    for fewer than one person.
    """
    if people is not None and people < 1:
        raise ValueError(f"people must be 1 or more, not {people}")
    marked = _marked(points)
    tracks = _tracks(marked)
    count = int(tracks.max(initial=-1)) + 1
    used = (marked.used.sum(-1) * marked.found).sum(-1)
    weight = np.array([used[tracks == t].sum() for t in range(count)])
    length = np.array([(tracks == t).sum() for t in range(count)])
    order = np.argsort(-weight, kind="stable")
    kept = [int(t) for t in order if people is not None or length[t] >= FEWEST_FRAMES][:people]
    if not kept:
        return replace(marked, notes=(*points.notes, "nobody was found in enough frames"))
    left = [f"{length[t]} frames" for t in order if t not in kept]
    note = (
        [f"{len(left)} people left out, found in {', '.join(left[:5])}{' ...' if len(left) > 5 else ''}"]
        if left
        else []
    )
    return replace(_chosen(marked, tracks, kept), notes=(*points.notes, *note))


def _marked(points: Points) -> Points:
    """Mark views that show somebody unmatched for the people whom they do not show."""
    alone = (points.views == ViewReason.UNMATCHED).any((1, 2))
    there = np.asarray(points.found.any(-1))[..., None, None]
    absent = (points.views == ViewReason.ABSENT).all(2, keepdims=True)
    views = np.where(there & absent & alone[:, None, None], int(ViewReason.UNMATCHED), points.views)
    return replace(points, views=views.astype(np.uint8))


def _tracks(points: Points) -> NDArray[np.intp]:
    """Return (F, P) the number of the track of each person; -1 where nobody is."""
    there = points.found.sum(-1) >= FEWEST_JOINTS
    spread = _spread(points.xyz[there])
    tracks = np.full(there.shape, -1)
    last: list[Floats] = []
    seen: list[int] = []
    for f in range(len(tracks)):
        new = np.flatnonzero(there[f])
        old = [t for t, at in enumerate(seen) if f - at <= MEMORY]
        cost = np.array([[_apart(last[t], points.xyz[f, p]) for t in old] for p in new]).reshape(len(new), len(old))
        reach = REACH * spread * np.sqrt([f - seen[t] for t in old])
        cost = np.where(cost < reach, cost, 1e6 * max(spread, 1e-12))
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] < reach[column]:
                tracks[f, new[row]] = old[column]
        for p in new:
            if tracks[f, p] < 0:
                tracks[f, p] = len(last)
                last.append(points.xyz[f, p].copy())
                seen.append(f)
            t = tracks[f, p]
            known = np.isfinite(points.xyz[f, p, :, 0])
            last[t][known], seen[t] = points.xyz[f, p, known], f
    return tracks


def _spread(bodies: Floats) -> float:
    """Return how far joints (N, K, 3) lie from their middle, the median over bodies."""
    if not len(bodies):
        return 1.0
    away = np.linalg.norm(bodies - np.nanmean(bodies, axis=1, keepdims=True), axis=-1)
    return float(np.median(np.nanmean(away, axis=1))) * 2


def _apart(one: Floats, other: Floats) -> float:
    apart = np.linalg.norm(one - other, axis=-1)
    known = np.isfinite(apart)
    return float(np.median(apart[known])) if known.any() else np.inf


def _chosen(points: Points, tracks: NDArray[np.intp], kept: list[int]) -> Points:
    """Put the people of kept tracks at their places; frames without them say that too few views agree."""
    frames = len(tracks)
    xyz = np.full((frames, len(kept), *points.xyz.shape[2:]), np.nan)
    covariance = np.full((frames, len(kept), *points.covariance.shape[2:]), np.nan)
    reason = np.full((frames, len(kept), *points.reason.shape[2:]), int(PointReason.TOO_FEW), np.uint8)
    views = np.full((frames, len(kept), *points.views.shape[2:]), int(ViewReason.ABSENT), np.uint8)
    error = np.full((frames, len(kept), *points.error.shape[2:]), np.nan)
    alone = (points.views == ViewReason.UNMATCHED).any((1, 2))
    views[np.broadcast_to(alone[:, None, None], views.shape)] = ViewReason.UNMATCHED
    for place, track in enumerate(kept):
        f, p = np.nonzero(tracks == track)
        xyz[f, place], covariance[f, place] = points.xyz[f, p], points.covariance[f, p]
        reason[f, place], views[f, place], error[f, place] = points.reason[f, p], points.views[f, p], points.error[f, p]
    return replace(points, xyz=xyz, covariance=covariance, reason=reason, views=views, error=error)
