"""Cameras calibrated by a board: what is inside them, where they stand, and how sure that is."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.sparse import lil_matrix
from scipy.spatial.transform import Rotation

from posewright.geometry import Camera
from posewright.multiview.board import FEWEST_CORNERS, Board, Sightings
from posewright.multiview.calibrate import spread
from posewright.multiview.rig import Rig

Floats = NDArray[np.float64]
Pose = tuple[Floats, Floats]
"""R (3, 3) and t (3,): a point x becomes R x + t."""

FEWEST_PICTURES, MOST_PICTURES = 6, 40
"""Pictures of the board by which the inside of a camera is found."""
FEWEST_SHARED = 3
"""Pictures of one instant in which two cameras must both see the board."""
FOCAL_UNSURE = 0.03
"""A focal length known less well than to this share is not determined."""
BAD_FIT = 3.0
"""px, root mean square, above which the board is not the one described, or the pictures are blurred."""
NEAR_TURN, NEAR_SHARE = np.radians(4.0), 0.08
"""How far apart two guesses of how cameras stand to each other may be to agree: radians, and share of the distance."""
SCALE = 1.0
"""px beyond which a corner counts less than its square (soft L1)."""


class Inside(NamedTuple):
    """The inside of a camera: K, distortion; pictures used; rms px; sigma of the focal length, px."""

    K: Floats
    distortion: Floats
    pictures: int
    rms: float
    sigma: float


class Calibrated(NamedTuple):
    """A calibration by a board: turns (V,) degrees, places (V,) mm and error (V,) px rms, 0 for the first camera.

    inside is empty where intrinsics were given; shared (V,) says in how many instants another camera saw it, too.
    """

    rig: Rig
    turns: Floats
    places: Floats
    error: Floats
    inside: tuple[Inside, ...]
    shared: NDArray[np.int_]


def calibrate_by_board(board: Board, seen: Sightings, given: Rig | None = None, floor: int | None = None) -> Calibrated:
    """Find what is inside cameras, and where they stand, from what they saw of a board.

    given: a rig whose intrinsics are right, in the order of the cameras; without it they are found first, by OpenCV:
    focal lengths, centre, k1, k2, p1, p2. Then the board's poses in single pictures give how pairs stand to each other,
    most of the pictures agreeing, the pairs are chained, and cameras and boards are adjusted together. floor: the
    number of the frame in which the board lies on the floor, which makes its plane 0 and z up; without it, the world is
    the first camera's frame. In mm. Raises ValueError with the reason where something is not determined.
    """
    inside: tuple[Inside, ...] = ()
    if given is None:
        inside = tuple(
            _inside(board, xy, size, name) for xy, size, name in zip(seen.xy, seen.sizes, seen.cameras, strict=True)
        )
        bare = [Camera(one.K, np.eye(3), np.zeros(3), one.distortion) for one in inside]
    else:
        bare = [Camera(c.K, np.eye(3), np.zeros(3), c.distortion, c.lens) for c in given.cameras.values()]
    boards = [[_pose(camera, board, corners) for corners in xy] for camera, xy in zip(bare, seen.xy, strict=True)]
    found = _chained(list(seen.cameras), boards)
    shared = _shared(boards)
    refined, placed, turns, places, error = _adjusted(board, seen, bare, found, boards)
    cameras = [Camera(c.K, R, t, c.distortion, c.lens) for c, (R, t) in zip(bare, refined, strict=True)]
    up = None
    if floor is not None:
        cameras, up = _on_floor(cameras, seen, placed, floor), "z"
    notes = [*seen.notes, f"calibrated by a board of {len(board.points)} corners, squares of {board.square:g} mm"]
    notes += [
        f"the board of frame {floor} lies on the floor, z is up" if up else "the world is the first camera's frame"
    ]
    named = dict(zip(seen.cameras, cameras, strict=True))
    rig = Rig(named, dict(zip(seen.cameras, seen.sizes, strict=True)), "z" if up else None, tuple(notes))
    return Calibrated(rig, turns, places, error, inside, shared)


def _inside(board: Board, xy: Floats, size: tuple[int, int], name: str) -> Inside:
    """Find a camera's intrinsics, without the pictures that fit far worse than most."""
    whole = np.flatnonzero(np.isfinite(xy[..., 0]).sum(-1) >= FEWEST_CORNERS)
    if len(whole) < FEWEST_PICTURES:
        raise ValueError(
            f"{name}: shows the board in {len(whole)} pictures; {FEWEST_PICTURES} or more, tilted in different ways, "
            "are needed to find what is inside it"
        )
    chosen = _spread_out(xy[whole])
    rows = [xy[whole[n]] for n in chosen]
    for _ in range(2):
        known = [np.isfinite(row[:, 0]) for row in rows]
        points = [board.points[k].astype(np.float32) for k in known]
        corners = [row[k].astype(np.float32) for row, k in zip(rows, known, strict=True)]
        rms, K, numbers, _, _, sigmas, _, each = cv2.calibrateCameraExtended(
            points, corners, size, np.zeros((3, 3)), np.zeros(5), flags=cv2.CALIB_FIX_K3
        )
        fits = each.ravel() <= max(3 * float(np.median(each)), 1.0)
        if fits.all() or fits.sum() < FEWEST_PICTURES:
            break
        rows = [row for row, good in zip(rows, fits, strict=True) if good]
    if rms > BAD_FIT:
        raise ValueError(
            f"{name}: the board fits its {len(rows)} pictures to {rms:.1f} px only; is it the board that --board says?"
        )
    sigma = float(np.ravel(sigmas)[:2].max())
    if not sigma < FOCAL_UNSURE * K[0, 0]:
        raise ValueError(
            f"{name}: its focal length is known to {100 * sigma / K[0, 0]:.0f} % only; show the board nearer and "
            "tilted in different ways, not always facing the camera"
        )
    return Inside(np.asarray(K, np.float64), np.ravel(numbers)[:5].astype(np.float64), len(rows), float(rms), sigma)


def _spread_out(xy: Floats) -> list[int]:
    """Choose pictures whose boards differ most in place, size and tilt, one after the other."""
    sizes = np.nanmax(xy, axis=1) - np.nanmin(xy, axis=1)
    ways = np.concatenate([np.nanmean(xy, axis=1), sizes, np.diff(sizes, axis=1)], axis=1)
    chosen, nearest = [0], np.linalg.norm(ways - ways[0], axis=1)
    while len(chosen) < min(MOST_PICTURES, len(xy)):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(ways - ways[chosen[-1]], axis=1))
    return chosen


def _pose(camera: Camera, board: Board, xy: Floats) -> Pose | None:
    """Return where the board is before a camera; None where it is not seen, or its tilt is not sure."""
    rays = camera.rays(xy)
    known = np.isfinite(rays).all(-1)
    if known.sum() < FEWEST_CORNERS or np.linalg.matrix_rank(board.points[known] - board.points[known][0]) < 2:
        return None
    points, image = board.points[known], rays[known][:, None]
    count, turns, shifts, errors = cv2.solvePnPGeneric(points, image, np.eye(3), np.zeros(4), flags=cv2.SOLVEPNP_IPPE)
    for n in np.argsort(np.ravel(errors)[:count]):
        turn, shift = cv2.solvePnPRefineLM(points, image, np.eye(3), np.zeros(4), turns[n], shifts[n])
        if np.ravel(shift)[2] > 0:
            return Rotation.from_rotvec(np.ravel(turn)).as_matrix(), np.ravel(shift)
    return None


def _shared(boards: list[list[Pose | None]]) -> NDArray[np.int_]:
    there = np.array([[pose is not None for pose in row] for row in boards])
    return np.array([int((row & (there.sum(0) > 1)).sum()) for row in there])


def _relative(one: Pose, two: Pose) -> Pose:
    """Return how the second camera stands to the first: x2 = R x1 + t, from the same board in both."""
    R = two[0] @ one[0].T
    return R, two[1] - R @ one[1]


def _agreed(poses: list[Pose]) -> tuple[Pose, int]:
    """Return the pose with which most agree, and how many do."""
    R, t = (np.stack(part) for part in zip(*poses, strict=True))
    trace = np.einsum("aij,bij->ab", R, R)
    turn = np.arccos(np.clip((trace - 1) / 2, -1, 1))
    apart = np.linalg.norm(t[:, None] - t, axis=-1) / np.maximum(np.linalg.norm(t, axis=-1), 1e-9)[:, None]
    near = (turn < NEAR_TURN) & (apart < NEAR_SHARE)
    best = int(np.argmax(near.sum(1) - turn.mean(1)))
    return poses[best], int(near[best].sum())


def _chained(names: list[str], boards: list[list[Pose | None]]) -> list[Pose]:
    """Place cameras one after the other by the pairs that agree in most pictures; the first is the world."""
    pairs: dict[tuple[int, int], tuple[Pose, int]] = {}
    for a, b in combinations(range(len(names)), 2):
        both = [_relative(p, q) for p, q in zip(boards[a], boards[b], strict=True) if p is not None and q is not None]
        if both:
            pose, count = _agreed(both)
            if count >= FEWEST_SHARED:
                pairs[a, b] = pose, count
    placed: dict[int, Pose] = {0: (np.eye(3), np.zeros(3))}
    while len(placed) < len(names):
        edges = [pair for pair in pairs if (pair[0] in placed) != (pair[1] in placed)]
        if not edges:
            lost = ", ".join(names[n] for n in range(len(names)) if n not in placed)
            raise ValueError(
                f"{lost}: sees the board together with another camera, and alike, in fewer than {FEWEST_SHARED} "
                "pictures of the same number; are the pictures taken at the same time?"
            )
        a, b = max(edges, key=lambda pair: pairs[pair][1])
        (R, t), _ = pairs[a, b]
        if a in placed:
            placed[b] = R @ placed[a][0], R @ placed[a][1] + t
        else:
            placed[a] = R.T @ placed[b][0], R.T @ (placed[b][1] - t)
    return [placed[n] for n in range(len(names))]


def _adjusted(
    board: Board, seen: Sightings, bare: list[Camera], cameras: list[Pose], boards: list[list[Pose | None]]
) -> tuple[list[Pose], dict[int, Pose], Floats, Floats, Floats]:
    """Move cameras, but for the first, and boards until the corners fit; returns both, and how sure the cameras are."""
    frames = [f for f in range(len(seen.frames)) if any(row[f] is not None for row in boards)]
    world: list[Pose] = []
    for f in frames:
        v = next(v for v, row in enumerate(boards) if row[f] is not None)
        own = boards[v][f]
        assert own is not None
        R, t = cameras[v]
        world.append((R.T @ own[0], R.T @ (own[1] - t)))
    R, t = (np.stack(part) for part in zip(*cameras, *world, strict=True))
    corners = seen.xy[:, frames]
    view, frame, corner = np.nonzero(np.isfinite(corners[..., 0]))
    xy = corners[view, frame, corner]
    problem = _Problem(board.points, bare, view, len(bare) + frame, corner, xy)
    for _ in range(2):
        free = 6 * (len(R) - 1)
        found = least_squares(
            problem.residuals, np.zeros(free), jac_sparsity=problem.pattern(len(R)), args=(R, t), method="trf",
            loss="soft_l1", f_scale=SCALE, x_scale=np.tile(np.repeat([1e-2, 10.0], 3), len(R) - 1), max_nfev=60,
        )  # fmt: skip
        R, t = _moved(found.x, R, t)
    J = found.jac.toarray() if hasattr(found.jac, "toarray") else found.jac
    noise = 2 * found.cost / max(len(found.fun) - free, 1)
    covariance = np.asarray(noise * np.linalg.pinv(J.T @ J, hermitian=True), np.float64)
    turns, places = spread(R[: len(bare)], t[: len(bare)], covariance)
    miss = problem.residuals(np.zeros(free), R, t).reshape(-1, 2)
    error = np.array([np.sqrt((miss[view == v] ** 2).sum(-1).mean()) for v in range(len(bare))])
    poses = list(zip(R, t, strict=True))
    return poses[: len(bare)], dict(zip(frames, poses[len(bare) :], strict=True)), turns, places, error


class _Problem(NamedTuple):
    """Corners (O) that cameras see of boards; poses are those of all cameras, then of all boards."""

    points: Floats
    cameras: list[Camera]
    view: NDArray[np.intp]
    pose: NDArray[np.intp]
    corner: NDArray[np.intp]
    xy: Floats

    def residuals(self, x: Floats, R: Floats, t: Floats) -> Floats:
        """Return (2 O,) px."""
        R, t = _moved(x, R, t)
        at = np.einsum("oij,oj->oi", R[self.pose], self.points[self.corner]) + t[self.pose]
        at = np.einsum("oij,oj->oi", R[self.view], at) + t[self.view]
        found = np.empty_like(self.xy)
        for v, camera in enumerate(self.cameras):
            own = self.view == v
            found[own] = camera.project(at[own])
        return np.nan_to_num(found - self.xy, nan=1e3).ravel()

    def pattern(self, poses: int) -> lil_matrix:
        """Return where the Jacobian is not 0; the first camera does not move."""
        shape = lil_matrix((2 * len(self.view), 6 * (poses - 1)), dtype=np.int8)
        rows = np.arange(len(self.view))
        for whose in (self.view, self.pose):
            free = whose > 0
            for a in range(2):
                for b in range(6):
                    shape[2 * rows[free] + a, 6 * (whose[free] - 1) + b] = 1
        return shape


def _moved(x: Floats, R: Floats, t: Floats) -> tuple[Floats, Floats]:
    by = x.reshape(-1, 6)
    turned = Rotation.from_rotvec(by[:, :3]).as_matrix() @ R[1:]
    return np.concatenate([R[:1], turned]), np.concatenate([t[:1], t[1:] + by[:, 3:]])


def _on_floor(cameras: list[Camera], seen: Sightings, placed: dict[int, Pose], floor: int) -> list[Camera]:
    """Move the world so that the board of a frame lies in z = 0 and z points out of its face."""
    at = np.flatnonzero(seen.frames == floor)
    if not len(at) or int(at[0]) not in placed:
        raise ValueError(f"--floor {floor}: no camera shows the board in this frame")
    R, t = placed[int(at[0])]
    R = R @ np.diag([1.0, -1.0, -1.0])
    return [Camera(c.K, c.R @ R, c.R @ t + c.t, c.distortion, c.lens) for c in cameras]
