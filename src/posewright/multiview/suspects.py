"""A camera that disagrees: found by leaving each out in turn, named, and placed anew by the people whom it films."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from posewright.geometry.bundle import adjust
from posewright.geometry.frame import Frame, canonical
from posewright.geometry.robust import agreeing
from posewright.geometry.solve import Floats, Seen, fit, observe
from posewright.multiview.misfit import misfit
from posewright.multiview.noise import Noise, learn_noise
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views

SAMPLE = 2000
"""Points that cameras are judged by."""
WORSE = 1.5
"""How many times worse the others must fit with a camera than without it for it to be named, and than they do
without any other."""
ROUNDS = 3


class Left(NamedTuple):
    """How well the others fit with each camera left out.

    everybody: px, the noise when all are used; without (V,) px, when each is left out; suspect: the camera that the
    others fit much better without, or None. Fits are least squares, without any view being dropped, and noise is the
    median residual over the freedom that the fit has left.
    """

    everybody: float
    without: Floats
    suspect: str | None


def leave_each_out(rig: Rig, views: Views) -> Left:
    """Leave each camera out in turn; people must have been matched. NaN where fewer than two cameras are left."""
    frame = canonical(list(rig.cameras.values()))
    xy = views.xy.reshape(len(rig), -1, 2)
    complete = np.flatnonzero(np.isfinite(xy[..., 0]).sum(0) >= 3)
    places = (
        complete[np.linspace(0, len(complete) - 1, min(SAMPLE, len(complete))).astype(int)]
        if len(complete)
        else complete
    )
    seen = observe(frame.cameras, xy[:, places])
    everybody = _noise(seen, -1)
    without = np.array([_noise(seen, v) for v in range(len(rig))])
    suspect = None
    if len(rig) > 3 and np.isfinite(without).sum() > 2:
        order = np.argsort(without)
        best, next_ = without[order[0]], without[order[1]]
        if everybody > WORSE * best and next_ > WORSE * best:
            suspect = list(rig.cameras)[int(order[0])]
    return Left(everybody, without, suspect)


def refitted(rig: Rig, views: Views, names: list[str]) -> tuple[Rig, str]:
    """Place cameras anew by the joints that the others see; returns the rig and what was moved, in words.

    Bundle adjustment with all other cameras fixed; the intrinsics stay. Raises ValueError for an unknown camera,
    or where fewer than two others are left.
    """
    rig.only(names)
    free = np.array([name in names for name in rig.cameras])
    if (~free).sum() < 2:
        raise ValueError(f"to place {', '.join(names)} anew, two other cameras or more must stay")
    frame = canonical(list(rig.cameras.values()))
    scores = views.scores.reshape(len(rig), -1).T
    for _ in range(ROUNDS):
        frame = _round(frame, views, scores, free)
    cameras = {
        name: replace(rig.cameras[name], R=c.R, t=c.t * frame.unit - c.R @ frame.origin)
        for name, c in zip(rig.cameras, frame.cameras, strict=True)
    }
    whole = {name: cameras[name] if name in names else rig.cameras[name] for name in rig.cameras}
    said = ", ".join(f"{name} by {_moved(rig, whole, name)}" for name in names)
    return replace(rig, cameras=whole, notes=(*rig.notes, f"placed anew by people: {said}")), said


def _round(frame: Frame, views: Views, scores: Floats, free: np.ndarray) -> Frame:
    """Fit points by the cameras that stay, then the others to them, with all the noise that they show."""
    seen = observe(frame.cameras, views.xy.reshape(len(free), -1, 2))
    fixed = seen._replace(known=seen.known & ~free)
    noise = learn_noise(fixed, scores)
    usual = np.median(noise.sigma[:, ~free])
    noise = Noise(np.where(free, usual, noise.sigma), noise.gate)
    used = agreeing(fixed, *noise)
    points = fit(seen, used, noise.sigma)
    known = np.isfinite(points.xyz).all(-1, keepdims=True)
    joined = used | (seen.known & free & known & _near(points.residual))
    found = adjust(seen, joined, noise.sigma, points.xyz, free)
    moved = tuple(replace(c, R=R, t=t) for c, R, t in zip(frame.cameras, found.R, found.t, strict=True))
    return frame._replace(cameras=moved)


def _near(residual: Floats) -> np.ndarray:
    """Return residuals (N, V) that are no outliers among those of their camera."""
    middle = [np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else 0.0 for own in residual.T]
    return np.asarray(np.nan_to_num(residual, nan=np.inf) < 4 * np.array(middle))


def _noise(seen: Seen, left: int) -> float:
    """Return px, the noise that the residuals show when a camera is left out."""
    used = seen.known.copy()
    if left >= 0:
        used[:, left] = False
    return misfit(seen, used)


def _moved(rig: Rig, cameras: dict, name: str) -> str:
    before, after = rig.cameras[name], cameras[name]
    turn = np.degrees(np.arccos(np.clip((np.trace(before.R.T @ after.R) - 1) / 2, -1, 1)))
    return f"{np.linalg.norm(before.center - after.center):.0f} mm and {turn:.2f} degrees"
