"""The verbs under `multiview`: several cameras of one scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, UseAppendAction, arg

from posewright.cli.filmed import Network, Poses, estimated
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
        arg(
            metavar="VIEWS",
            help="videos, folders of pictures, or any tool's 2D keypoints: one a camera, or a folder that holds them",
            **QUIET,
        ),
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
    model: Network = "pose",
    poses: Poses = Path("poses"),
) -> int:
    """Check a calibration, and views if given: what is odd, which camera disagrees, which one is late."""
    from posewright.multiview import reports

    return reports.check(calibration, estimated(views, model, poses), skeleton, unit, world_up, out, print)


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
    page: Page = None,
    model: Network = "pose",
    poses: Poses = Path("poses"),
) -> int:
    """Triangulate views to points that say how sure they are, and why any is missing."""
    from posewright.multiview import reports
    from posewright.multiview.triangulate import Rules

    rules = Rules(min_score, sigma)
    capture = (calibration, estimated(views, model, poses), skeleton, unit, world_up, fps)
    return reports.triangulate(capture, out, rules, people, sync, refit, up, filter, fill, page, print)


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
    model: Network = "pose",
    poses: Poses = Path("poses"),
) -> int:
    """Find by how many frames each camera is late, to a tenth of one, and how sure that is."""
    from posewright.multiview import reports

    return reports.sync((calibration, estimated(views, model, poses), skeleton, unit), out, print)


def calibrate(
    views: ViewPaths,
    out: Annotated[str, arg(metavar="FILE", help="the calibration to write, .toml, or of a tool as in panoptic:FILE")],
    by: Annotated[
        Literal["people", "board"],
        arg(name="from", help="what the cameras filmed: one who walks, or a board, in videos or folders of pictures"),
    ] = "people",
    intrinsics: Annotated[
        str | None,
        arg(metavar="CALIB", help="a calibration whose intrinsics are right; from a board, they are found", **QUIET),
    ] = None,
    scale: Annotated[
        str | None,
        arg(
            metavar="HOW",
            help="from people: height=METRES, bone=JOINT,JOINT=METRES, or cameras=NAME,NAME=METRES",
            **QUIET,
        ),
    ] = None,
    board: Annotated[
        str | None,
        arg(
            metavar="BOARD",
            help="chessboard:7x4:60 (inner corners, side of a square in mm) or charuco:5x7:54:40[:DICT_4X4_50] "
            "(squares, side of a square and of a marker in mm)",
            **QUIET,
        ),
    ] = None,
    floor: Annotated[
        int | None, arg(metavar="N", help="the number of the frame in which the board lies on the floor", **QUIET)
    ] = None,
    skeleton: SkeletonName = None,
    model: Network = "pose",
    poses: Poses = Path("poses"),
) -> int:
    """Calibrate cameras, each with its uncertainty: placed by the person whom they film, or whole by a board."""
    from posewright.multiview import reports

    if by == "board":
        if board is None or scale is not None or skeleton is not None:
            raise ValueError("--from board needs --board, which says how large it is, and no --scale or --skeleton")
        return reports.calibrate_by_board(views, board, intrinsics, floor, out, print)
    if intrinsics is None or scale is None or board is not None or floor is not None:
        raise ValueError("--from people needs --intrinsics and --scale; --board and --floor go with --from board")
    return reports.calibrate(estimated(views, model, poses), intrinsics, scale, out, skeleton, print)


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
