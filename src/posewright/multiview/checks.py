"""What is likely wrong with a calibration, with views, or with the two together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from posewright.geometry import Camera
from posewright.geometry.lens import slopes
from posewright.multiview.misfit import SAMPLE, place_anew, told
from posewright.multiview.points import Points, ViewReason
from posewright.multiview.rig import Rig
from posewright.multiview.suspects import Left, leave_each_out
from posewright.multiview.sync import Offsets, find_offsets
from posewright.multiview.triangulate import exchanges
from posewright.multiview.views import Views
from posewright.warp import Size

FOCAL_WIDTHS = (0.3, 10.0)
"""Focal lengths, in widths of the picture, that cameras for people have."""
UNEXPECTED_SHARE = 0.02
"""Share of detections outside the picture that detectors do not reach."""
LATE = 0.1
"""Frames by which a camera must be late, beyond three standard deviations, to be named."""
UNDER = 100.0
"""mm that feet may lie under the floor."""
FEET, HEADS = ("ankle", "heel", "toe", "foot"), ("nose", "eye", "ear", "head")


class Checked(NamedTuple):
    """Warnings in words, and what they rest on; offsets are None where they are not determined, which is a warning."""

    warnings: list[str]
    left: Left
    offsets: Offsets | None


def check_cameras(rig: Rig) -> list[str]:
    """Return what is odd about cameras by themselves."""
    odd = []
    for name, camera in rig.cameras.items():
        size = rig.sizes.get(name)
        if size is not None:
            odd += [f"{name}: {what}" for what in _odd_camera(camera, size)]
    named = list(rig.cameras.items())
    for n, (name, camera) in enumerate(named):
        for other, twin in named[n + 1 :]:
            if np.allclose(camera.R, twin.R, atol=1e-6) and np.linalg.norm(camera.center - twin.center) < 1.0:
                odd.append(f"{name} and {other} stand at the same place and look the same way")
    return odd + _common_region(rig)


def check_views(rig: Rig, views: Views, points: Points) -> Checked:
    """Return what is odd about views of a rig's cameras, whose people were matched, and points made of them."""
    odd = [note for note in views.notes if "unequal" in note or "order" in note] + _extents(rig, views)
    left = leave_each_out(rig, views)
    odd += doubts_of(rig, views, left)
    offsets = None
    try:
        offsets = find_offsets(rig, views)
        odd += [
            f"{name} is late by {late:.2f} frames (+- {sigma:.2f}); triangulate with --sync"
            for name, late, sigma in zip(rig.cameras, offsets.late, offsets.sigma, strict=True)
            if abs(late) > LATE + 3 * sigma and left.suspect is None
        ]
    except ValueError as error:
        odd.append(f"synchronisation: {error}")
    swaps = exchanges(points)
    for v, name in enumerate(rig.cameras):
        count = int((swaps[:, 2] == v).sum())
        if count:
            odd.append(f"{name}: left and right of a person exchanged in {count} frames; they are exchanged back")
        gone = (points.views[..., v] == ViewReason.OUTLIER).sum() / max(
            (points.views[..., v] != ViewReason.ABSENT).sum(), 1
        )
        if gone > 0.25:
            odd.append(f"{name}: {100 * gone:.0f} % of its detections contradict the other cameras")
    return Checked(odd + _world(rig, points), left, offsets)


def doubts_of(rig: Rig, views: Views, left: Left | None = None, sample: int = SAMPLE) -> list[str]:
    """Say which camera disagrees with the others, or that all do as a whole; nothing where they fit.

    People must have been matched. left: what leaving each camera out has shown, where that was looked at before.
    sample: joints by which cameras are placed anew, and as many by which they are judged.
    """
    left = leave_each_out(rig, views) if left is None else left
    if left.suspect:
        without = left.without[list(rig.cameras).index(left.suspect)]
        return [
            f"{left.suspect} disagrees: the others fit to {without:.2g} px without it, all together to "
            f"{left.everybody:.2g} px; it was moved, or its calibration is another's (triangulate with --refit)"
        ]
    together = place_anew(rig, views, sample)
    return [told(together, list(rig.cameras))] if together is not None and together.bad else []


def _odd_camera(camera: Camera, size: Size) -> list[str]:
    odd = []
    wide = camera.K[0, 0] / max(size)
    if not FOCAL_WIDTHS[0] <= wide <= FOCAL_WIDTHS[1]:
        odd.append(f"its focal length is {wide:.3g} times its picture's longer side; of which size is the calibration?")
    if not (0 <= camera.K[0, 2] <= size[0] and 0 <= camera.K[1, 2] <= size[1]):
        odd.append("its principal point lies outside its picture")
    corners = np.array([(0, 0), (size[0], 0), (0, size[1]), size], np.float64)
    radii = np.linalg.norm((corners - camera.K[:2, 2]) / camera.K[[0, 1], [0, 1]], axis=-1)
    rays = camera.rays(corners)
    out = np.linspace(0, np.nan_to_num(np.linalg.norm(rays, axis=-1), nan=radii.max()).max(), 50)
    along = np.stack([out, np.zeros(50)], axis=-1)
    if np.isnan(rays).any() or (slopes(along, camera.distortion, camera.lens)[:, 0, 0] <= 0).any():
        odd.append("its distortion folds back inside the picture; its numbers fit no lens")
    return odd


def _common_region(rig: Rig) -> list[str]:
    """Return the cameras that do not see the point that lies nearest to the middle of all their views."""
    if len(rig) < 2:
        return ["one camera alone; two or more are needed to triangulate"]
    centers = np.stack([c.center for c in rig.cameras.values()])
    ahead = np.stack([c.R[2] for c in rig.cameras.values()])
    across = np.eye(3) - ahead[:, :, None] * ahead[:, None]
    middle = np.linalg.lstsq(across.sum(0), (across @ centers[..., None])[..., 0].sum(0), rcond=None)[0]
    behind = [name for name, c in rig.cameras.items() if c.view(middle)[2] <= 0]
    return [f"{name} looks away from where the others look" for name in behind]


def _extents(rig: Rig, views: Views) -> list[str]:
    odd = []
    for v, name in enumerate(rig.cameras):
        xy = views.xy[v][np.isfinite(views.xy[v, ..., 0])]
        if not len(xy):
            odd.append(f"{name}: shows nobody in any frame")
        elif name in rig.sizes:
            outside = ((xy < -1) | (xy > np.array(rig.sizes[name]))).any(-1).mean()
            if outside > UNEXPECTED_SHARE:
                wide, high = rig.sizes[name]
                odd.append(
                    f"{name}: {100 * outside:.0f} % of its keypoints lie outside the calibration's picture of "
                    f"{wide} x {high} px; was it calibrated at another size?"
                )
    return odd


def _world(rig: Rig, points: Points) -> list[str]:
    """Return what contradicts a floor: feet under it, cameras under it, heads under feet."""
    if rig.up is None:
        return []
    height = points.xyz[..., "xyz".index(rig.up[-1])] * (-1 if rig.up[0] == "-" else 1)
    feet, heads = (
        height[..., [any(w in k for w in words) for k in points.skeleton.keypoints]] for words in (FEET, HEADS)
    )
    odd: list[str] = []
    known = feet[np.isfinite(feet)]
    if not len(known):
        return odd
    floor = float(np.percentile(known, 5))
    if floor < -UNDER:
        odd.append(
            f"feet reach {-floor:.0f} mm under the floor (0 along {rig.up}); the origin is not on it, or up is not "
            f"{rig.up}"
        )
    if np.isfinite(heads).any() and np.nanmedian(heads) < np.median(known):
        odd.append(f"heads are lower than feet along {rig.up}: the world is upside down")
    sign, axis = -1 if rig.up[0] == "-" else 1, "xyz".index(rig.up[-1])
    low = [name for name, c in rig.cameras.items() if sign * c.center[axis] < floor]
    return odd + ([f"cameras under the floor: {', '.join(low)}; the board's pose may be mirrored"] if low else [])
