"""The verbs under `multiview`: several cameras of one scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from posewright.cli.options import QUIET

Unit = Annotated[
    Literal["m", "cm", "mm"] | None, arg(help="the calibration's unit of length, where its file does not say", **QUIET)
]
Axis = Literal["x", "y", "z", "-x", "-y", "-z"]
WorldUp = Annotated[
    Axis | None, arg(help="the axis of the calibration's world that points up, where its file does not say", **QUIET)
]
Calibration = Positional[
    Annotated[str, arg(metavar="CALIB", help="a calibration of any tool's, as in easymocap:DIR where unclear")]
]
ViewPaths = Positional[
    Annotated[
        tuple[Path, ...],
        arg(metavar="VIEWS", help="2D keypoints: a folder or file a camera, or one folder that holds them", **QUIET),
    ]
]
SkeletonName = Annotated[
    str | None, arg(metavar="NAME", help="what the keypoints are, where their files do not say", **QUIET)
]
Fps = Annotated[float | None, arg(metavar="N", help="frames a second of the recording", **QUIET)]
Page = Annotated[Path | None, arg(metavar="DIR", help="write a page to look at into this folder", **QUIET)]


def check(
    calibration: Calibration,
    views: ViewPaths = (),
    skeleton: SkeletonName = None,
    unit: Unit = None,
    world_up: WorldUp = None,
    out: Page = None,
) -> int:
    """Check a calibration, and views if given: what is odd, which camera disagrees, which one is late."""
    from posewright.multiview import reports

    return reports.check(calibration, views, skeleton, unit, world_up, out, print)


def triangulate(
    calibration: Calibration,
    views: ViewPaths,
    out: Annotated[Path, arg(metavar="FILE", help="where to write: .trc, .c3d, .csv or .npz")],
    skeleton: SkeletonName = None,
    unit: Unit = None,
    world_up: WorldUp = None,
    fps: Fps = None,
    up: Annotated[Axis | None, arg(help="turn the world so that this axis points up; OpenSim wants y", **QUIET)] = None,
    people: Annotated[int | None, arg(metavar="N", help="keep so many people, the best seen", **QUIET)] = None,
    min_score: Annotated[float, arg(metavar="S", help="leave out detections that score less")] = 0.3,
    sigma: Annotated[
        float | None, arg(metavar="PX", help="how far detections are off; without it, learnt from the views", **QUIET)
    ] = None,
    sync: Annotated[bool, arg(help="find late cameras and move their views in time first")] = False,
    refit: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(metavar="CAMERA", help="place this camera anew by the people first", **QUIET),
    ] = (),
    filter: Annotated[str | None, arg(metavar="NAME:HZ", help="smooth over time, as in butterworth:6", **QUIET)] = None,
    fill: Annotated[
        int | None, arg(metavar="N", help="fill gaps of up to so many frames, and say where", **QUIET)
    ] = None,
) -> int:
    """Triangulate views to points that say how sure they are, and why any is missing."""
    from posewright.multiview import reports
    from posewright.multiview.triangulate import Rules

    rules = Rules(min_score, sigma)
    capture = (calibration, views, skeleton, unit, world_up, fps)
    return reports.triangulate(capture, out, rules, people, sync, refit, up, filter, fill, print)


def explain(
    points: Positional[Annotated[Path, arg(metavar="POINTS", help="points that `triangulate` wrote, .npz or .csv")]],
    joint: Annotated[str | None, arg(metavar="NAME", help="tell of one joint ...", **QUIET)] = None,
    frame: Annotated[int | None, arg(metavar="N", help="... in one frame", **QUIET)] = None,
    person: Annotated[int, arg(metavar="N", help="of this person, counted from 1")] = 1,
    out: Page = None,
) -> int:
    """Explain why a joint is missing or unsure: camera by camera, joint by joint, or one point alone."""
    from posewright.multiview import reports

    return reports.explain(points, joint, frame, person, out, print)


def sync(
    calibration: Calibration,
    views: ViewPaths,
    skeleton: SkeletonName = None,
    unit: Unit = None,
    out: Annotated[Path | None, arg(metavar="FILE.npz", help="write the views, moved in time", **QUIET)] = None,
) -> int:
    """Find by how many frames each camera is late, to a tenth of one, and how sure that is."""
    from posewright.multiview import reports

    return reports.sync((calibration, views, skeleton, unit), out, print)


def calibrate(
    views: ViewPaths,
    intrinsics: Annotated[str, arg(metavar="CALIB", help="a calibration of any tool's whose intrinsics are right")],
    scale: Annotated[
        str,
        arg(metavar="HOW", help="height=METRES of the person, bone=JOINT,JOINT=METRES, or cameras=NAME,NAME=METRES"),
    ],
    out: Annotated[str, arg(metavar="FILE", help="the calibration to write, .toml, or of a tool as in panoptic:FILE")],
    skeleton: SkeletonName = None,
) -> int:
    """Place cameras by the person whom they film: no board, any number of cameras, each with its uncertainty."""
    from posewright.multiview import reports

    return reports.calibrate(views, intrinsics, scale, out, skeleton, print)


def convert(
    source: Positional[Annotated[str, arg(metavar="A", help="a calibration, or points (.trc, .c3d, .csv, .npz)")]],
    target: Positional[Annotated[str, arg(metavar="B", help="what to write: a suffix of points, or TOOL:PATH")]],
    unit: Unit = None,
    world_up: WorldUp = None,
    up: Annotated[Axis | None, arg(help="turn the world so that this axis points up", **QUIET)] = None,
) -> int:
    """Convert a calibration to another tool's, or points to another form."""
    from posewright.multiview import reports

    return reports.convert(source, target, unit, world_up, up, print)


MULTIVIEW: dict[str, Callable[..., Any]] = {
    "check": check,
    "calibrate": calibrate,
    "sync": sync,
    "triangulate": triangulate,
    "explain": explain,
    "convert": convert,
}
"""The verbs under `posewright multiview`."""
