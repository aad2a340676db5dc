"""One person out of several, found in views of cameras whose places are unknown: who moves alike in all of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from posewright.geometry.epipolar import fundamental_ransac
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views

Floats = NDArray[np.float64]

LONGEST_GAP = 10
"""Frames after which somebody who comes back is taken for somebody else."""
FARTHEST = 0.5
"""Share of a person's size by which the joints may move, on the mean, from one sighting to the next."""
MOST_TRACKS = 6
"""People followed in a view that are tried; those with most joints."""
FEWEST, SAMPLE = 100, 400
"""Joints that two views must both see to be compared, and how many of them are."""
NEAR, ENOUGH = (2.0, 4.0, 8.0, 16.0), 0.6
"""px of an epipolar line within which a joint fits: the first by which this share of two people's joints does."""
CLEARLY = 0.8
"""How well, of the best, another person may fit at most for the best to be the one."""


class Track(NamedTuple):
    """Follow one person through a view: xy (F, K, 2) px and scores (F, K), NaN in frames without this person."""

    xy: Floats
    scores: Floats


def one_person(rig: Rig, views: Views) -> Views:
    """Keep the person who agrees best between the views; where all views show but one, nothing changes.

    In each view people are followed over time. Of each two in two views, the joints that fit one fundamental matrix are
    counted: of one person nearly all do, of two who move differently few. The two who agree best come first, then the
    one of each further view who agrees best with them. Raises ValueError where another one fits nearly as well.
    """
    if views.people == 1:
        return views
    tracks = [followed(xy, scores) for xy, scores in zip(views.xy, views.scores, strict=True)]
    lost = [name for name, own in zip(views.cameras, tracks, strict=True) if not own]
    if lost:
        raise ValueError(f"{lost[0]}: shows nobody for long enough ({FEWEST} joints) to place it by")
    agree = _agreements(rig, tracks)
    chosen = _chosen(agree, [len(own) for own in tracks])
    _determined(agree, chosen, [len(own) for own in tracks], views.cameras)
    kept = [own[chosen[v]] for v, own in enumerate(tracks)]
    counts = ", ".join(f"{name} {len(own)}" for name, own in zip(views.cameras, tracks, strict=True))
    note = f"of several people ({counts}), the one who agrees best between the views was taken"
    xy, scores = (np.stack([track[part] for track in kept])[:, :, None] for part in (0, 1))
    return replace(views, xy=xy, scores=scores, unmatched=None, notes=(*views.notes, note))


def followed(xy: Floats, scores: Floats) -> list[Track]:
    """Follow people of one view (F, P, K, 2) over time, nearest first; returns those with most joints."""
    tracks: list[Track] = []
    last: list[int] = []
    for f in range(len(xy)):
        people = np.flatnonzero(np.isfinite(xy[f, ..., 0]).any(-1))
        near = [n for n, seen in enumerate(last) if f - seen <= LONGEST_GAP]
        cost = np.array([[_apart(tracks[n].xy[last[n]], xy[f, p]) for n in near] for p in people])
        cost = cost.reshape(len(people), len(near))
        pairs = dict(zip(*linear_sum_assignment(np.minimum(cost, FARTHEST)), strict=True))
        for row, p in enumerate(people):
            column = pairs.get(row)
            if column is not None and cost[row, column] < FARTHEST:
                n = near[column]
            else:
                n = len(tracks)
                tracks.append(Track(np.full_like(xy[:, 0], np.nan), np.full_like(scores[:, 0], np.nan)))
                last.append(f)
            tracks[n].xy[f], tracks[n].scores[f] = xy[f, p], scores[f, p]
            last[n] = f
    counts = [int(np.isfinite(track.xy[..., 0]).sum()) for track in tracks]
    order = np.argsort(counts, kind="stable")[::-1][:MOST_TRACKS]
    return [tracks[n] for n in order if counts[n] >= FEWEST]


def _apart(one: Floats, two: Floats) -> float:
    """Return the mean distance of joints (K, 2) as a share of the first one's size; inf where none is of both."""
    both = np.isfinite(one[:, 0]) & np.isfinite(two[:, 0])
    if not both.any():
        return float("inf")
    size = max(float(np.linalg.norm(np.nanmax(one, axis=0) - np.nanmin(one, axis=0))), 1.0)
    return float(np.linalg.norm(one[both] - two[both], axis=-1).mean()) / size


Agreements = dict[tuple[int, int], NDArray[np.float64]]


def _agreements(rig: Rig, tracks: list[list[Track]]) -> Agreements:
    """Return for each two views (P, Q) how many joints of each two tracks fit one fundamental matrix."""
    straight = [
        [camera.rays(track.xy.reshape(-1, 2)) @ camera.K[:2, :2].T + camera.K[:2, 2] for track in own]
        for camera, own in zip(rig.cameras.values(), tracks, strict=True)
    ]
    pairs = list(combinations(range(len(tracks)), 2))
    for near in NEAR:
        told = {
            (a, b): np.array([[_fitting(one, two, near) for two in straight[b]] for one in straight[a]])
            for a, b in pairs
        }
        if np.median([both[..., 1].max() for both in told.values()]) >= ENOUGH:
            break
    return {pair: both.prod(-1) for pair, both in told.items()}


def _fitting(one: Floats, two: Floats, near: float) -> tuple[float, float]:
    """Return how many joints (N, 2) two tracks share, and what part of a sample fits one fundamental matrix."""
    both = np.flatnonzero(np.isfinite(one).all(-1) & np.isfinite(two).all(-1))
    if len(both) < FEWEST:
        return 0.0, 0.0
    some = both[np.linspace(0, len(both) - 1, min(SAMPLE, len(both))).astype(int)]
    _, inliers = fundamental_ransac(one[some], two[some], near)
    return float(len(both)), float(inliers.mean())


def _chosen(agree: Agreements, counts: list[int]) -> list[int]:
    """Return which track of each view is the one person."""
    first = max(agree, key=lambda pair: agree[pair].max())
    chosen = dict(zip(first, map(int, np.unravel_index(agree[first].argmax(), agree[first].shape)), strict=True))
    while len(chosen) < len(counts):
        left = {
            v: [_support(agree, chosen, v, n) for n in range(counts[v])] for v in range(len(counts)) if v not in chosen
        }
        view = max(left, key=lambda v: max(left[v]))
        chosen[view] = int(np.argmax(left[view]))
    return [chosen[v] for v in range(len(counts))]


def _support(agree: Agreements, chosen: dict[int, int], view: int, track: int) -> float:
    """Return how many joints of a track fit those that were chosen in the other views."""
    return sum(
        float(agree[view, v][track, n] if view < v else agree[v, view][n, track])
        for v, n in chosen.items() if v != view
    )  # fmt: skip


def _determined(agree: Agreements, chosen: list[int], counts: list[int], names: tuple[str, ...]) -> None:
    """Raise ValueError where another track of a view fits the chosen ones nearly as well as its own."""
    for view in range(len(chosen)):
        best, *others = sorted(
            (_support(agree, dict(enumerate(chosen)), view, n) for n in range(counts[view])), reverse=True
        )
        if others and others[0] > CLEARLY * best and best > 0:
            raise ValueError(
                f"{names[view]}: {counts[view]} people are in view, and two of them fit the other views about equally "
                f"({best:.0f} and {others[0]:.0f} joints), so who is who cannot be told; film one person, or leave the "
                "others out of the keypoints"
            )
