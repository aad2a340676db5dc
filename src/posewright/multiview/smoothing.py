"""Filters over time, and gaps between frames filled: what people do before joint angles, said in the output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, filtfilt

from posewright.multiview.points import PointReason, Points

Floats = NDArray[np.float64]

ORDER = 2
"""Of the Butterworth filter; run forth and back it is of the fourth order and shifts nothing in time."""
TWICE = (2 ** (1 / 2) - 1) ** (1 / 4)
"""How much lower a filter of order 2 that runs twice cuts off than one that runs once (Winter, 4th edition, 2.2.4)."""
SHORTEST = 3 * (ORDER + 1) + 1
"""Frames that a run without gaps must have to be filtered."""


def filtered(points: Points, cutoff: float) -> Points:
    """Filter places over time by a zero-phase fourth-order Butterworth filter with -3 dB at `cutoff` Hz.

    The cut-off of each pass is raised by Winter's correction, so that both together reach -3 dB where it says; without
    it, as in other tools, that would be at .80 of it. Each joint's runs of frames are filtered alone, never over a gap
    or over what was filled in; runs shorter than `SHORTEST` stay as they are. The covariance stays that of the single
    frame. Raises ValueError where the frames a second are unknown, or too few for the cut-off.
    """
    if points.fps is None:
        raise ValueError("to filter, the frames a second must be known; say --fps")
    if not 0 < cutoff / TWICE < points.fps / 2:
        raise ValueError(
            f"cut-off must be above 0 and below {TWICE * points.fps / 2:.3g} Hz at {points.fps:g} frames/s"
        )
    warped = np.tan(np.pi * cutoff / points.fps) / TWICE
    b, a = butter(ORDER, 2 / np.pi * np.arctan(warped))
    xyz, short = points.xyz.copy(), 0
    for p, k in np.ndindex(points.reason.shape[1:]):
        for run in runs(points.reason[:, p, k] == PointReason.OK):
            if run.stop - run.start < SHORTEST:
                short += 1
                continue
            xyz[run, p, k] = filtfilt(b, a, xyz[run, p, k], axis=0)
    said = f"Butterworth, fourth order, no phase, -3 dB at {cutoff:g} Hz; gaps and filled frames not crossed"
    return replace(points, xyz=xyz, notes=(*points.notes, said + (f"; {short} runs too short, left" if short else "")))


def filled(points: Points, longest: int) -> Points:
    """Fill gaps of at most `longest` frames by straight lines, each point marked FILLED, its covariance unknown.

    Gaps at the ends, and longer ones, stay. Raises ValueError for fewer than one frame.
    """
    if longest < 1:
        raise ValueError(f"gaps to fill must be 1 frame or more, not {longest}")
    xyz, reason = points.xyz.copy(), points.reason.copy()
    for p, k in np.ndindex(points.reason.shape[1:]):
        there = points.reason[:, p, k] == PointReason.OK
        for gap in runs(~there):
            if gap.start == 0 or gap.stop == len(there) or gap.stop - gap.start > longest:
                continue
            ends = xyz[[gap.start - 1, gap.stop], p, k]
            part = np.arange(1, gap.stop - gap.start + 1)[:, None] / (gap.stop - gap.start + 1)
            xyz[gap, p, k] = ends[0] + part * (ends[1] - ends[0])
            reason[gap, p, k] = PointReason.FILLED
    count = int((reason == PointReason.FILLED).sum())
    return replace(
        points, xyz=xyz, reason=reason, notes=(*points.notes, f"{count} points filled, gaps up to {longest} frames")
    )


def runs(there: NDArray[np.bool_]) -> list[slice]:
    """Return the runs of True.

    >>> runs(np.array([True, True, False, True]))
    [slice(0, 2, None), slice(3, 4, None)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    return [slice(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
