"""Cameras that do not fit what they film, though no single one is to blame: a calibration that is bad as a whole."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from posewright.geometry.bundle import adjust
from posewright.geometry.frame import canonical
from posewright.geometry.robust import agreeing
from posewright.geometry.solve import Flags, Floats, Seen, fit, observe, placed
from posewright.multiview.noise import learn_noise
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views

SAMPLE = 1500
"""Points that cameras are placed by, and as many that they are judged by."""
FEWEST = 100
WORSE = 1.3
"""How many times worse the given places must fit than new ones for the calibration to be blamed."""
FINEST = 1.0
"""px below which a fit is good enough whatever could be better; people are rarely found as exactly."""


class Misfit(NamedTuple):
    """How well cameras fit joints of frames that they were not placed by, px: as given, and placed anew by people.

    pairs (V, V): px, the noise that two cameras alone show, by their distance from each other's epipolar lines.
    """

    given: float
    anew: float
    pairs: Floats

    @property
    def bad(self) -> bool:
        """Whether the given places are to blame."""
        return bool(self.given > max(WORSE * self.anew, FINEST))


def place_anew(rig: Rig, views: Views, sample: int = SAMPLE) -> Misfit | None:
    """Place all cameras but the first anew by half of the frames, and compare on the other half; None for too few.

    People must have been matched. Detectors are the same in both, so what the new places gain is the old ones' fault;
    as the halves differ, it is no gain by learning noise by heart. sample: the most joints to take of each half.
    """
    xy = views.xy.reshape(len(rig), views.xy.shape[1], -1, 2)
    halves = [xy[:, half::2].reshape(len(rig), -1, 2) for half in (0, 1)]
    scores = views.scores.reshape(len(rig), views.xy.shape[1], -1)[:, 0::2].reshape(len(rig), -1).T
    chosen = [_chosen(half, sample) for half in halves]
    if len(rig) < 3 or min(map(len, chosen)) < FEWEST:
        return None
    frame = canonical(list(rig.cameras.values()))
    learnt, judged = (observe(frame.cameras, half[:, rows]) for half, rows in zip(halves, chosen, strict=True))
    if (learnt.known.sum(0) < FEWEST // 2).any():
        return None
    moved = _moved(learnt, scores[chosen[0]])
    pairs = np.full((len(rig), len(rig)), np.nan)
    for a, b in combinations(range(len(rig)), 2):
        only = np.isin(np.arange(len(rig)), (a, b))
        pairs[a, b] = pairs[b, a] = misfit(judged, judged.known & only)
    return Misfit(misfit(judged, judged.known), misfit(placed(judged, *moved), judged.known), pairs)


def _moved(seen: Seen, scores: Floats) -> tuple[Floats, Floats]:
    """Return R, t of cameras moved to where they fit, the first fixed: by all views, then by those that agree."""
    free = np.arange(len(seen.R)) > 0
    sigma = np.full(seen.known.shape, max(misfit(seen, seen.known), 0.1))
    found = adjust(seen, seen.known, sigma, fit(seen, seen.known, sigma).xyz, free)
    again = placed(seen, found.R, found.t)
    noise = learn_noise(again, scores)
    used = agreeing(again, *noise)
    if (used.sum(0) < FEWEST // 2).any():
        return found.R, found.t
    found = adjust(again, used, noise.sigma, fit(again, used, noise.sigma).xyz, free)
    return found.R, found.t


def misfit(seen: Seen, used: Flags) -> float:
    """Return px, the median residual of points that two views or more see over the freedom left; NaN below ten."""
    rows = used.sum(-1) >= 2
    if rows.sum() < 10:
        return float("nan")
    found = fit(seen.at(rows), used[rows], 1.0)
    square, free = np.where(used[rows], found.residual**2, 0.0).sum(-1), 2.0 * used[rows].sum(-1) - 3
    return float(np.sqrt(np.median(square / free)))


def told(found: Misfit, names: list[str]) -> str:
    """Say in words what is wrong, with the pairs of cameras that fit worst and best."""
    flat = np.where(np.isfinite(found.pairs), found.pairs, -1.0)
    worst = np.unravel_index(flat.argmax(), flat.shape)
    best = np.unravel_index(np.where(flat < 0, np.inf, flat).argmin(), flat.shape)
    ends = [f"{names[a]} and {names[b]} ({found.pairs[a, b]:.2g} px)" for a, b in (sorted(worst), sorted(best))]
    return (
        f"the cameras' places do not fit the people: {found.given:.2g} px as given, {found.anew:.2g} px when all are "
        f"placed anew; worst are {ends[0]}, best {ends[1]}; no single camera is to blame, so calibrate again "
        "(`multiview calibrate` takes people)"
    )


def _chosen(xy: Floats, sample: int) -> np.ndarray:
    """Return up to `sample` points, spread evenly, of those that three views or more see."""
    complete = np.flatnonzero(np.isfinite(xy[..., 0]).sum(0) >= 3)
    return np.asarray(complete[np.unique(np.linspace(0, len(complete) - 1, min(sample, len(complete))).astype(int))]
                      if len(complete) else complete)  # fmt: skip
