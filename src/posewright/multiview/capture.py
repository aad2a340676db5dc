"""A capture from files to points: reading, matching, moving in time, triangulating, following."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from posewright.multiview.calibrations import read_rig
from posewright.multiview.checks import doubts_of
from posewright.multiview.detections import read_views
from posewright.multiview.detections.openpose import skeleton_by
from posewright.multiview.people import match_people
from posewright.multiview.points import Points, turned_points
from posewright.multiview.rig import Rig, Unit, Up
from posewright.multiview.smoothing import filled, filtered
from posewright.multiview.suspects import refitted
from posewright.multiview.sync import find_offsets, shifted
from posewright.multiview.tracking import track_people
from posewright.multiview.triangulate import Rules, triangulate_views
from posewright.multiview.views import Views, ordered

LOOKED_AT = 400
"""Joints by which a calibration is judged beside its points; `check` takes more, and longer."""

Say = Callable[[str], None]


def read_capture(
    calibration: str,
    paths: Sequence[Path],
    skeleton: str | None = None,
    unit: Unit | None = None,
    world_up: Up | None = None,
    fps: float | None = None,
) -> tuple[Rig, Views]:
    """Read a calibration and the views of its cameras, put in their order; people are matched where there are several.

    world_up: which axis of the world points up, where the calibration does not say. Raises ValueError in one line.
    """
    rig = read_rig(calibration, unit)
    if world_up is not None:
        if rig.up not in (None, world_up):
            raise ValueError(f"{calibration}: its world has {rig.up} up, not {world_up}")
        rig = replace(rig, up=world_up)
    views = read_views(paths, None if skeleton is None else skeleton_by(skeleton), fps)
    views = ordered(views, list(rig.cameras))
    return rig, match_people(rig, views) if views.people > 1 else views


def points_of(
    rig: Rig,
    views: Views,
    rules: Rules | None = None,
    people: int | None = None,
    sync: bool = False,
    refit: Sequence[str] = (),
    say: Say = lambda _: None,
) -> Points:
    """Triangulate matched views; first move cameras in time, and place some anew, where that is asked for.

    What speaks against the cameras, as they are then, goes with the points.
    """
    if sync:
        say("looking for late cameras")
        views = shifted(views, find_offsets(rig, views).sure)
    if refit:
        say(f"placing {', '.join(refit)} anew")
        rig, _ = refitted(rig, views, list(refit))
    say("triangulating")
    points = triangulate_views(rig, views, rules)
    points = replace(points, doubts=tuple(doubts_of(rig, views, sample=LOOKED_AT)))
    return track_people(points, people) if views.people > 1 or people is not None else points


def finished(points: Points, up: Up | None = None, cutoff: float | None = None, fill: int | None = None) -> Points:
    """Filter, fill and turn points, in this order, each where it is asked for."""
    if cutoff is not None:
        points = filtered(points, cutoff)
    if fill is not None:
        points = filled(points, fill)
    return points if up is None else turned_points(points, up)
