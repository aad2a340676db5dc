"""Cameras placed by the people whom they film: no board, known intrinsics, any number of cameras."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from posewright.geometry import Camera
from posewright.geometry.bundle import CAMERA, Bundle, adjust
from posewright.geometry.epipolar import cross_matrix, essential, fundamental_ransac, motion
from posewright.geometry.frame import canonical
from posewright.geometry.robust import agreeing
from posewright.geometry.solve import Flags, Floats, Seen, fit, observe, placed
from posewright.multiview.noise import learn_noise, start_noise
from posewright.multiview.one_person import one_person
from posewright.multiview.rig import Rig
from posewright.multiview.swaps import find_swaps
from posewright.multiview.views import Views

FEWEST_PAIRS = 100
"""Joints that two cameras must both see to be placed by each other; one pose is far too little."""
FEWEST_SHARE = 0.3
"""Share of them that must agree with one fundamental matrix."""
THRESHOLDS = (2.0, 4.0, 8.0, 16.0)
"""px of RANSAC, tried in turn until enough agree; the pictures of people are rarely better than two."""
ROUNDS = 3
MOST_OFF = 0.1
"""A camera whose place is less sure than this share of its distance to the others is not determined."""


class Placed(NamedTuple):
    """A calibration and how sure it is, in the unit of its world: turns (V,) degrees, places (V,), 0 for the first.

    noise: px, the median that was learnt of each camera. error (V,) px, the median reprojection error. points
    (F, K, 3): the joints by which the cameras were placed.
    """

    rig: Rig
    turns: Floats
    places: Floats
    noise: Floats
    error: Floats
    points: Floats


class _Pair(NamedTuple):
    """How camera b stands to camera a: R, t of length 1; the inliers; points (N, 3) in a's frame, NaN elsewhere."""

    R: Floats
    t: Floats
    points: Floats
    agreeing: int


def place_cameras(rig: Rig, views: Views) -> Placed:
    """Place cameras by one person's joints, pooled over all frames; only their intrinsics are taken from the rig.

    Fundamental matrices of all pairs by RANSAC; essential matrices and cheirality; the most agreeing pairs are
    chained, their scales by shared points; then rounds of exchanged sides, learnt noise, agreeing views and bundle
    adjustment. The world is the first camera's frame, its unit the distance between the first two that are chained.
    The EpipolarPose paper ("without R", section 3.3) does the first half with one K and one pose. Raises ValueError
    with the reason where something is not determined.
    """
    if len(rig) < 2:
        raise ValueError("one camera alone has no place; views of two or more are needed")
    views = one_person(rig, views)
    xy = views.xy.reshape(len(rig), -1, 2)
    bare = [replace(camera, R=np.eye(3), t=np.zeros(3)) for camera in rig.cameras.values()]
    rays = np.stack([camera.rays(view) for camera, view in zip(bare, xy, strict=True)])
    cameras = _chained(list(rig.cameras), bare, rays)
    return _refined(rig, views, cameras)


def _chained(names: list[str], bare: list[Camera], rays: Floats) -> list[Camera]:
    """Place cameras one after the other by the pairs that agree most."""
    pairs = {(a, b): _pair(bare[a], bare[b], rays[a], rays[b]) for a, b in combinations(range(len(bare)), 2)}
    known = {pair: found for pair, found in pairs.items() if found is not None}
    if not known:
        raise ValueError(
            f"no two cameras share {FEWEST_PAIRS} joints that fit one geometry: views of another scene, of other "
            "cameras, or not at the same time?"
        )
    first = max(known, key=lambda pair: known[pair].agreeing)
    there = {first[0]: (np.eye(3), np.zeros(3)), first[1]: (known[first].R, known[first].t)}
    world = known[first].points
    while len(there) < len(bare):
        edges = [pair for pair in known if (pair[0] in there) != (pair[1] in there)]
        if not edges:
            lost = ", ".join(names[n] for n in range(len(bare)) if n not in there)
            raise ValueError(f"{lost}: shares too few joints with the other cameras to be placed")
        a, b = max(edges, key=lambda pair: known[pair].agreeing)
        world = _extended(there, world, (a, b), known[a, b], names)
    return [replace(camera, R=there[n][0], t=there[n][1]) for n, camera in enumerate(bare)]


def _extended(
    there: dict[int, tuple[Floats, Floats]], world: Floats, pair: tuple[int, int], found: _Pair, names: list[str]
) -> Floats:
    """Place the pair's other camera, by the scale of the points that the placed ones know; return more points."""
    a, b = pair
    old, new = (a, b) if a in there else (b, a)
    R, t = (found.R, found.t) if old == a else (found.R.T, -found.R.T @ found.t)
    own = found.points if old == a else found.points @ found.R.T + found.t
    at = world @ there[old][0].T + there[old][1]
    ratio = np.linalg.norm(at, axis=-1) / np.linalg.norm(own, axis=-1)
    shared = np.isfinite(ratio)
    if shared.sum() < FEWEST_PAIRS // 4:
        raise ValueError(f"{names[new]}: too few joints are seen by three cameras to tell how far away it stands")
    scale = float(np.median(ratio[shared]))
    there[new] = (R @ there[old][0], R @ there[old][1] + scale * t)
    more = (scale * own - there[old][1]) @ there[old][0]
    return np.where(np.isfinite(world), world, more)


def _pair(one: Camera, two: Camera, rays1: Floats, rays2: Floats) -> _Pair | None:
    """Return how two cameras stand to each other; None where too few joints agree about it."""
    both = np.flatnonzero(np.isfinite(rays1).all(-1) & np.isfinite(rays2).all(-1))
    if len(both) < FEWEST_PAIRS:
        return None
    x1, x2 = (rays[both] @ c.K[:2, :2].T + c.K[:2, 2] for rays, c in ((rays1, one), (rays2, two)))
    for threshold in THRESHOLDS:
        F, inliers = fundamental_ransac(x1, x2, threshold)
        if inliers.sum() > max(FEWEST_SHARE, 0.6 if threshold < THRESHOLDS[-1] else 0) * len(both):
            break
    else:
        return None
    found = motion(essential(F, one.K, two.K), rays1[both[inliers]], rays2[both[inliers]])
    front = (found.points[:, 2] > 0) & ((found.points @ found.R.T + found.t)[:, 2] > 0)
    points = np.full((len(rays1), 3), np.nan)
    points[both[inliers][front]] = found.points[front]
    return _Pair(found.R, found.t, points, int(front.sum()))


def _refined(rig: Rig, views: Views, cameras: list[Camera]) -> Placed:
    """Alternate what agrees with where the cameras are; then say how sure they are."""
    scores = views.scores.reshape(len(cameras), -1).T
    xy = views.xy.reshape(len(cameras), -1, 2)
    free = np.arange(len(cameras)) > 0
    mirror = views.skeleton.mirror
    for _ in range(ROUNDS):
        frame = canonical(cameras)
        seen = observe(frame.cameras, xy)
        exchanged = find_swaps(seen, mirror, np.full(seen.known.shape, start_noise(seen)))
        if exchanged.any():
            xy, scores = _exchange(xy, scores, exchanged, mirror)
            seen = observe(frame.cameras, xy)
        noise = learn_noise(seen, scores)
        used = agreeing(seen, *noise)
        found = adjust(seen, used, noise.sigma, fit(seen, used, noise.sigma).xyz, free)
        cameras = [replace(c, R=R, t=t) for c, R, t in zip(frame.cameras, found.R, found.t, strict=True)]
    covariance = np.asarray(np.linalg.pinv(found.information, rcond=1e-12, hermitian=True), np.float64)
    turns, places = spread(found.R, found.t, covariance)
    apart = np.linalg.norm(np.stack([c.center for c in cameras]) - cameras[0].center, axis=-1)
    if (places > MOST_OFF * np.maximum(apart, 0.1)).any():
        worst = int(np.argmax(places))
        raise ValueError(
            f"{list(rig.cameras)[worst]}: its place is only known to {100 * places[worst] / apart[worst]:.0f} % of its "
            "distance; more movement through the room is needed"
        )
    return _placed(rig, views, cameras, seen, used, found, noise.sigma, turns, places)


def _placed(
    rig: Rig, views: Views, cameras: list[Camera], seen: Seen, used: Flags, found: Bundle, sigma: Floats,
    turns: Floats, places: Floats,
) -> Placed:  # fmt: skip
    """Move the first camera to the origin and put everything together."""
    R0, t0 = cameras[0].R, cameras[0].t
    moved = {n: replace(c, R=c.R @ R0.T, t=c.t - c.R @ R0.T @ t0) for n, c in zip(rig.cameras, cameras, strict=True)}
    points = np.where(used.sum(-1, keepdims=True) >= 2, found.xyz @ R0.T + t0, np.nan)
    final = fit(placed(seen, found.R, found.t), used, sigma)
    error = np.nanmedian(np.where(used, final.residual, np.nan), axis=0)
    world = Rig(moved, rig.sizes, None, (*views.notes, "cameras placed by people; intrinsics as they were"))
    shape = (views.frames, len(views.skeleton), 3)
    return Placed(world, turns, places, np.median(sigma, axis=0), error, points.reshape(shape))


def _exchange(xy: Floats, scores: Floats, exchanged: Flags, mirror: np.ndarray) -> tuple[Floats, Floats]:
    count = len(mirror)
    place = np.arange(xy.shape[1])
    other = place - place % count + mirror[place % count]
    where = np.repeat(exchanged, count, axis=0)
    moved = np.where(where.T[..., None], xy[:, other], xy)
    return moved, np.where(where, scores[other], scores)


def spread(R: Floats, t: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Return the standard deviation of each camera's turn, degrees, and place, in the unit of t; 0 for the first.

    covariance: of turns (before R) and t of all cameras but the first, one after the other; what follows is left alone.
    """
    turns, places = np.zeros(len(R)), np.zeros(len(R))
    for n in range(1, len(R)):
        rows = slice(CAMERA * (n - 1), CAMERA * n)
        own = covariance[rows, rows]
        slope = -R[n].T @ np.concatenate([cross_matrix(t[n]), np.eye(3)], axis=1)
        turns[n] = np.degrees(np.sqrt(np.trace(own[:3, :3])))
        places[n] = np.sqrt(np.trace(slope @ own @ slope.T))
    return turns, places
