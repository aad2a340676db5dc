"""Labels in space from what a 2D estimator sees in several pictures of one instant: EpipolarPose's self-supervision.

    2D of every view -> F by RANSAC, E, R and t between neighbours (or known cameras)
                     -> polynomial triangulation of consecutive pairs -> vector median -> a label for every view

Kocabas, Karagoz and Akbas, CVPR 2019 (arXiv:1903.02330, section 3.2). Told by the paper and done here, but not by the
released code: RANSAC on subpixel places (there least medians on whole pixels), the polynomial, the median, keypoints
left out that are hidden in a view. Departures: the joints of all instants are pooled, since one pose never pins down
two cameras; each camera has its own K; lens distortion is undone where it is known. One step beyond is `weighted`:
the label of all views that agree, and how sure it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.geometry import Camera
from posewright.geometry.epipolar import essential, fundamental_ransac, motion
from posewright.geometry.frame import canonical
from posewright.geometry.robust import agreeing
from posewright.geometry.solve import fit, observe
from posewright.geometry.triangulation import polynomial, vector_median
from posewright.scene import HIDDEN, Floats, Scene
from posewright.skeleton import Skeleton

SURE = 0.3
"""The score below which a keypoint is taken to be hidden in a view, where the estimator tells one."""
NOISE = 5.0
"""px, the standard deviation that a 2D keypoint of `weighted` is taken to have."""
UNSURE = 50.0
"""mm, the standard deviation of a label that counts half."""


class Labels(NamedTuple):
    """Hold points (N, K, 3) mm of the world, NaN where nobody knows, and how much each counts (N, K) in [0, 1]."""

    points: Floats
    weights: Floats


def consecutive(cameras: Sequence[Camera], points: Floats, order: Sequence[int]) -> Floats:
    """Triangulate each pair of neighbours by the polynomial, and take the vector median of the pairs.

    points (V, N, 2) px, NaN where a view does not see the point; order: the cameras as they stand side by side, as 0,
    1, 3, 2 for Human3.6M. Returns (N, 3) mm, NaN where no pair sees the point.
    """
    seen = np.stack([pinhole(camera, xy) for camera, xy in zip(cameras, points, strict=True)])
    pairs = [polynomial(np.stack([cameras[a].matrix, cameras[b].matrix]), seen[[a, b]]) for a, b in pairwise(order)]
    return vector_median(np.stack(pairs, 1))[0]


def weighted(cameras: Sequence[Camera], points: Floats) -> tuple[Floats, Floats]:
    """Triangulate by all views that agree, and weigh each point (N, 3) by its covariance: weights (N,).

        w = UNSURE^2 / (UNSURE^2 + mean variance along an axis)

    with NOISE px in every view. Points on which no two views agree are NaN, of weight 0.
    """
    frame = canonical(cameras)
    seen = observe(frame.cameras, points)
    found = fit(seen, agreeing(seen, NOISE), NOISE)
    variance = np.trace(found.covariance, axis1=-2, axis2=-1) / 3 * frame.unit**2
    known = _placed(found.xyz) & np.isfinite(variance)
    weights = np.where(known, UNSURE**2 / (UNSURE**2 + np.where(known, variance, 0.0)), 0.0)
    return np.where(known[..., None], frame.back(found.xyz), np.nan), weights


def chained(cameras: Sequence[Camera], points: Floats, order: Sequence[int], threshold: float = 3.0) -> list[Camera]:
    """Find where cameras stand from what they see of the same points alone; only K and lens of each are read.

    points (V, N, 2) px; order as in `consecutive`; threshold px of RANSAC. The first of `order` is the world, and the
    way to the second is 1 long: each next is as long as makes the points that three cameras see equally far from the
    middle one. Raises ValueError where two neighbours share too few points.
    """
    seen = np.stack([pinhole(camera, xy) for camera, xy in zip(cameras, points, strict=True)])
    known = _placed(seen)
    found = {order[0]: replace(cameras[order[0]], R=np.eye(3), t=np.zeros(3))}
    before: Floats | None = None
    for a, b in pairwise(order):
        both = known[a] & known[b]
        F, good = fundamental_ransac(seen[a][both], seen[b][both], threshold)
        inside = np.flatnonzero(both)[good]
        K1, K2 = cameras[a].K, cameras[b].K
        way = motion(essential(F, K1, K2), _rays(K1, seen[a][inside]), _rays(K2, seen[b][inside]))
        depth = np.full(len(both), np.nan)
        depth[inside] = way.points[:, 2]
        ratios = np.ones(1) if before is None else before / depth
        ratios = ratios[np.isfinite(ratios)]
        scale = float(np.median(ratios)) if len(ratios) else 0.0
        if scale <= 0:
            raise ValueError(f"cameras {a} and {b} share no point with the one before them, so their distance is free")
        first = found[a]
        found[b] = replace(cameras[b], R=way.R @ first.R, t=way.R @ first.t + scale * way.t)
        ahead = np.full(len(both), np.nan)
        ahead[inside] = scale * (way.points @ way.R.T + way.t)[:, 2]
        before = ahead
    return [found[view] for view in range(len(cameras))]


def sized(points: Floats, skeleton: Skeleton, length: float) -> float:
    """Return the factor that makes the summed median lengths of a skeleton's limbs `length` mm, of points (N, K, 3)."""
    limbs = skeleton.limb_indices
    lengths = np.linalg.norm(points[:, limbs[:, 0]] - points[:, limbs[:, 1]], axis=-1)
    return float(length / np.nanmedian(lengths, axis=0).sum())


def seen_by(views: Sequence[tuple[Scene, ...]]) -> Floats:
    """Return (V, N, K, 2) px of the first person of every view of N instants, NaN where hidden or unsure."""
    rows = []
    for instant in views:
        for scene in instant:
            person = scene.people[0] if scene.people else None
            xy = np.full((len(scene.skeleton), 2), np.nan) if person is None else person.keypoints.copy()
            if person is not None and person.scores is not None:
                xy[person.scores < SURE] = np.nan
            if person is not None and person.visible is not None:
                xy[person.visible == HIDDEN] = np.nan
            rows.append(xy)
    count = len(views[0])
    return np.array(rows).reshape(len(views), count, -1, 2).transpose(1, 0, 2, 3)


def labelled(
    views: Sequence[tuple[Scene, ...]],
    order: Sequence[int],
    known: bool = True,
    length: float = 4000.0,
    sure: bool = False,
) -> list[Scene]:
    """Give the first person of every view of N instants a label in space, from what the 2D estimator saw of them.

    All instants have the same cameras, in the same places of their tuples. known: whether extrinsics are; where not,
    they are found by `chained`, and bones add up to `length` mm, since nobody knows how large the world is. sure: the
    label of all views that agree, weighed by its covariance (`weighted`). Returned scenes are in their camera's own
    frame: `points3d` there, weights as `scores`. Raises ValueError for views that are not of the same cameras.
    """
    if len({len(instant) for instant in views}) != 1:
        raise ValueError("every instant must be seen by the same cameras; leave out those that some do not see")
    cameras = [_camera(scene) for scene in views[0]]
    points = seen_by(views)
    count, _, K, _ = points.shape
    flat = points.reshape(count, -1, 2)
    if not known:
        cameras = chained(cameras, flat, order)
    xyz, weights = weighted(cameras, flat) if sure and known else (consecutive(cameras, flat, order), None)
    factor = 1.0 if known else sized(xyz.reshape(-1, K, 3), views[0][0].skeleton, length)
    if not known:
        cameras = [replace(camera, t=camera.t * factor) for camera in cameras]
        xyz, weights = weighted(cameras, flat) if sure else (xyz * factor, None)
    xyz = xyz.reshape(-1, K, 3)
    found = _placed(xyz).astype(np.float64) if weights is None else weights.reshape(-1, K)
    return [
        _taught(scene, camera, xyz[n], found[n])
        for n, instant in enumerate(views)
        for scene, camera in zip(instant, cameras, strict=True)
        if scene.people
    ]


def pinhole(camera: Camera, xy: Floats) -> Floats:
    """Return pixels (N, 2) as a camera without its lens would have them."""
    return np.asarray(camera.rays(xy) @ camera.K[:2, :2].T + camera.K[:2, 2])


def _placed(points: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(points).all(-1), np.bool_)


def _rays(K: Floats, xy: Floats) -> Floats:
    return np.asarray((xy - K[:2, 2]) @ np.linalg.inv(K[:2, :2]).T)


def _camera(scene: Scene) -> Camera:
    if scene.camera is None:
        raise ValueError(f"scene {scene.id}: has no camera, so nothing can be triangulated")
    return scene.camera


def _taught(scene: Scene, camera: Camera, points: Floats, weights: Floats) -> Scene:
    """Return a scene with its label: the point's own image, in the frame of the camera."""
    px = camera.project(points)
    known = _placed(px)
    person = replace(
        scene.people[0],
        keypoints=np.where(known[:, None], px, np.nan),
        visible=known.astype(np.uint8) * 2,
        points3d=np.where(known[:, None], camera.view(points), np.nan),
        scores=np.where(known, weights, 0.0),
        score=None,
    )
    return replace(scene, people=(person,), camera=replace(camera, R=np.eye(3), t=np.zeros(3)))
