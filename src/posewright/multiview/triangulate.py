"""Triangulation that explains itself: points, their covariance, and what each view had to do with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.frame import canonical
from posewright.geometry.robust import agreeing, angle
from posewright.geometry.solve import Fit, Flags, Floats, Seen, fit, observe
from posewright.multiview.noise import Noise, known_noise, learn_noise, start_noise
from posewright.multiview.points import PointReason, Points, ViewReason
from posewright.multiview.rig import Rig
from posewright.multiview.swaps import find_swaps
from posewright.multiview.views import Views

BATCH = 200_000
"""Detections that are solved at once, so that a long recording needs no more memory than a short one."""


@dataclass(frozen=True)
class Rules:
    """Say what counts.

    least_score: detections below are left out. sigma: px by which the detections are off, where it is known; None
    learns it from the views, by camera and score. least_angle: degrees; points whose rays cross at less are left out.
    exchange: look for exchanged sides.
    """

    least_score: float = 0.3
    sigma: float | None = None
    least_angle: float = 1.0
    exchange: bool = True


def triangulate_views(rig: Rig, views: Views, rules: Rules | None = None) -> Points:
    """Solve for the points that views of a rig's cameras show; people must have been matched.

    Sides that a view has exchanged are exchanged back, where three views or more tell; the noise of each camera is
    learnt; the views that agree about a point make it, weighted by their noise; every other view keeps a reason. The
    answer does not change with the unit, the origin or the order of the cameras. Raises ValueError where views and
    cameras disagree, or there is but one.
    """
    rules = rules or Rules()
    if len(rig) < 2:
        raise ValueError(f"{len(rig)} camera; two or more are needed to triangulate")
    if tuple(rig.cameras) != views.cameras:
        raise ValueError(f"views of {', '.join(views.cameras)}, but cameras {', '.join(rig.cameras)}")
    frame = canonical(list(rig.cameras.values()))
    low = views.scores < rules.least_score
    flat = np.where(low[..., None], np.nan, views.xy).reshape(len(rig), -1, 2)
    scores = views.scores.reshape(len(rig), -1).T
    seen = observe(frame.cameras, flat)
    swapped = np.zeros(seen.known.shape, bool)
    if rules.exchange:
        seen, scores, swapped = _exchanged_back(seen, scores, views, rules)
    noise = known_noise(seen, rules.sigma) if rules.sigma else learn_noise(seen, scores)
    used, found = _solved(seen, noise)
    wide = np.degrees(angle(seen, found.xyz, used))
    points = _explained(views, seen, used, found, wide, swapped, low, rules)
    points = replace(points, xyz=frame.back(points.xyz), covariance=points.covariance * frame.unit**2)
    return replace(points, up=rig.up, notes=(*rig.notes, *views.notes, *_said(noise.sigma, views, rules)))


def _exchanged_back(seen: Seen, scores: Floats, views: Views, rules: Rules) -> tuple[Seen, Floats, Flags]:
    """Exchange the sides back that are exchanged; returns also where (N, V) that was."""
    mirror = views.skeleton.mirror
    rough = np.full(seen.known.shape, rules.sigma or start_noise(seen))
    exchanged = find_swaps(seen, mirror, rough)
    groups = np.repeat(exchanged, len(mirror), axis=0)
    place = np.arange(len(groups))
    other = place - place % len(mirror) + mirror[place % len(mirror)]
    rows, columns = np.where(groups, other[:, None], place[:, None]), np.arange(groups.shape[1])
    moved = seen._replace(**{name: getattr(seen, name)[rows, columns] for name in seen._fields if name not in "Rt"})
    return moved, scores[rows, columns], groups & (other != place)[:, None]


def _solved(seen: Seen, noise: Noise) -> tuple[Flags, Fit]:
    """Choose the views that agree and fit, some points at a time."""
    step = max(1, BATCH // seen.known.shape[1])
    parts = []
    for start in range(0, len(seen.known), step):
        rows = np.arange(start, min(start + step, len(seen.known)))
        part, sigma = seen.at(rows), noise.sigma[rows]
        used = agreeing(part, sigma, noise.gate[rows])
        parts.append((used, fit(part, used, sigma)))
    fits = [Fit(*arrays) for _, arrays in parts]
    return np.concatenate([used for used, _ in parts]), Fit(*map(np.concatenate, zip(*fits, strict=True)))


def _explained(
    views: Views, seen: Seen, used: Flags, found: Fit, wide: Floats, swapped: Flags, low: Flags, rules: Rules
) -> Points:
    """Give every point and view its reason."""
    count = used.shape[1]
    reason = np.full(len(used), int(PointReason.OK), np.uint8)
    reason[wide < rules.least_angle] = PointReason.PARALLEL
    reason[used.sum(-1) < 2] = PointReason.TOO_FEW
    why = np.where(seen.known, int(ViewReason.OUTLIER), int(ViewReason.ABSENT)).astype(np.uint8)
    why[seen.known & (found.depth <= 0)] = ViewReason.BEHIND
    why[used] = ViewReason.USED
    why[used & swapped] = ViewReason.SWAPPED
    lone = seen.known & (seen.known.sum(-1) < 2)[:, None]
    why[lone] = ViewReason.USED
    why[~seen.known & low.reshape(count, -1).T] = ViewReason.LOW_SCORE
    if views.unmatched is not None:
        unmatched = np.repeat(views.unmatched.reshape(count, -1).T, len(views.skeleton), axis=0)
        why[unmatched & ~used] = ViewReason.UNMATCHED
    gone = reason != PointReason.OK
    shape = (views.frames, views.people, len(views.skeleton))
    return Points(
        np.where(gone[:, None], np.nan, found.xyz).reshape(*shape, 3),
        np.where(gone[:, None, None], np.nan, found.covariance).reshape(*shape, 3, 3),
        reason.reshape(shape),
        why.reshape(*shape, count),
        found.residual.reshape(*shape, count),
        views.cameras,
        views.skeleton,
        views.start,
        views.fps,
    )


def _said(sigma: Floats, views: Views, rules: Rules) -> list[str]:
    if rules.sigma:
        return [f"detections taken to be {rules.sigma:g} px off in each coordinate"]
    middles = [f"{name} {np.nanmedian(sigma[:, v]):.2g}" for v, name in enumerate(views.cameras)]
    note = ["left and right not checked: fewer than three views"] if rules.exchange and len(views.cameras) < 3 else []
    plain = (views.skeleton.mirror == np.arange(len(views.skeleton))).all()
    note = (
        ["left and right not checked: the keypoints' names have no left_ and right_"]
        if rules.exchange and plain
        else note
    )
    return [f"noise learnt from the views, median px: {', '.join(middles)}", *note]


def exchanges(points: Points) -> NDArray[np.intp]:
    """Return rows (N, 3) of frame, person, view where sides were exchanged back."""
    some = (points.views == ViewReason.SWAPPED).any(2)
    return np.argwhere(some) + np.array([points.start, 0, 0])
