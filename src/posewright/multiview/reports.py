"""What the verbs under `multiview` do and say; each returns its exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posewright.multiview import capture as captures
from posewright.multiview.board import board_by, look
from posewright.multiview.calibrate import place_cameras
from posewright.multiview.calibrate_board import calibrate_by_board as calibrate_board
from posewright.multiview.calibrations import read_intrinsics, read_rig, write_rig
from posewright.multiview.checks import Checked, check_cameras, check_views
from posewright.multiview.detections import read_views
from posewright.multiview.detections.openpose import skeleton_by
from posewright.multiview.detections.tables import write_npz
from posewright.multiview.explain import causes, explain_point, missing_joints, summary, verdict, write_explanation
from posewright.multiview.pictures import draw_offsets, draw_reasons, draw_rig
from posewright.multiview.points import Points, turned_points
from posewright.multiview.rig import Rig, Unit, Up, turned
from posewright.multiview.scale import scaled, upright
from posewright.multiview.sync import find_offsets, shifted
from posewright.multiview.tracks import SUFFIXES, form_of, read_points, write_points
from posewright.multiview.triangulate import Rules
from posewright.multiview.views import order_of, ordered
from posewright.report.page import Section, write_page

Say = Callable[[str], None]
Capture = tuple[str, Sequence[Path], str | None, Unit | None, Up | None, float | None]


def check(
    calibration: str,
    paths: Sequence[Path],
    skeleton: str | None,
    unit: Unit | None,
    up: Up | None,
    out: Path | None,
    say: Say,
) -> int:
    """Say what is odd about a calibration and its views; 1 where something is, 0 where nothing is."""
    points, checked, notes = None, None, tuple[str, ...]()
    if paths:
        rig, views = captures.read_capture(calibration, paths, skeleton, unit, up)
        points, notes = captures.points_of(rig, views), views.notes
        checked = check_views(rig, views, points)
    else:
        rig = read_rig(calibration, unit)
        rig = rig if up is None else replace(rig, up=up)
    warnings = check_cameras(rig) + (checked.warnings if checked else [])
    say(_table(_cameras(rig, checked)))
    for note in (*rig.notes, *(note for note in notes if note not in warnings)):
        say(f"read as: {note}")
    for warning in warnings:
        say(f"warning: {warning}")
    if not warnings:
        say("nothing odd was found")
    if out is not None:
        say(f"open {_check_page(out, rig, warnings, points, checked)}")
    return 1 if warnings else 0


def triangulate(
    capture: Capture, out: Path, rules: Rules, people: int | None, sync: bool, refit: Sequence[str],
    up: Up | None, smooth: str | None, fill: int | None, page: Path | None, say: Say,
) -> int:  # fmt: skip
    """Triangulate a capture and write its points, and a page that explains them."""
    if out.suffix not in SUFFIXES:
        raise ValueError(f"{out}: must end in {', '.join(SUFFIXES)}")
    cutoff = _cutoff(smooth)
    rig, views = captures.read_capture(*capture)
    points = captures.points_of(rig, views, rules, people, sync, refit, _heard)
    points = captures.finished(points, up, cutoff, fill)
    files = write_points(out, points)
    for name, value in summary(points):
        say(f"{name}: {value}")
    for line in verdict(points):
        say(f"warning: {line}")
    for note in points.notes:
        say(f"note: {note}")
    say("wrote " + ", ".join(map(str, files)))
    if page is not None:
        say(f"open {write_explanation(page, points, out.name)}")
    return 0


def explain(path: Path, joint: str | None, frame: int | None, person: int, out: Path | None, say: Say) -> int:
    """Explain points that were written; one of them, or all."""
    if path.suffix in (".trc", ".c3d") and path.with_suffix(".reasons.csv").is_file():
        path = path.with_suffix(".reasons.csv")
    points = read_points(path)
    if not points.cameras:
        raise ValueError(f"{path}: this form knows no reasons; explain the .npz or .csv of `multiview triangulate`")
    if not 1 <= person <= points.xyz.shape[1]:
        raise ValueError(f"--person must be 1 to {points.xyz.shape[1]}, not {person}")
    if frame is not None and joint is None:
        raise ValueError("--frame needs --joint")
    if joint is not None and frame is not None:
        say("\n".join(explain_point(points, person - 1, joint, frame)))
    elif joint is not None:
        _tell_joint(points, person - 1, joint, say)
    else:
        say(_table(causes(points)))
        say(_table(missing_joints(points, person - 1)))
        for line in verdict(points):
            say(f"likely cause: {line}")
    if out is not None:
        say(f"open {write_explanation(out, points, path.name)}")
    return 0


def sync(capture: tuple[str, Sequence[Path], str | None, Unit | None], out: Path | None, say: Say) -> int:
    """Say by how much cameras are late, and write the views moved in time."""
    if out is not None and out.suffix != ".npz":
        raise ValueError(f"{out}: must end in .npz")
    rig, views = captures.read_capture(*capture)
    offsets = find_offsets(rig, views)
    rows = [["camera", "frames late", "+-"]]
    rows += [[n, f"{a:.2f}", f"{s:.2f}"] for n, a, s in zip(rig.cameras, offsets.late, offsets.sigma, strict=True)]
    say(_table(rows))
    if out is not None:
        write_npz(out, shifted(views, offsets.sure))
        say(f"wrote {out}")
    return 0


def calibrate(paths: Sequence[Path], intrinsics: str, scale: str, out: str, skeleton: str | None, say: Say) -> int:
    """Place cameras by people and write the calibration."""
    rig = read_intrinsics(intrinsics)
    views = read_views(paths, None if skeleton is None else skeleton_by(skeleton))
    views = ordered(views, list(rig.cameras))
    placed, _ = scaled(place_cameras(replace(rig, notes=()), views), views.skeleton, scale)
    placed, said = upright(placed, views.skeleton)
    rows = [["camera", "x, m", "y, m", "z, m", "place +-, mm", "turn +-, degrees", "fits to, px"]]
    for n, (name, camera) in enumerate(placed.rig.cameras.items()):
        place = [f"{v / 1000:.3f}" for v in camera.center]
        rows.append([name, *place, f"{placed.places[n]:.1f}", f"{placed.turns[n]:.3f}", f"{placed.error[n]:.2f}"])
    say(_table(rows))
    for note in dict.fromkeys((*placed.rig.notes, said)):
        say(f"note: {note}")
    say("the first camera is the reference, so the others' uncertainties are against it")
    say(f"wrote {write_rig(out, placed.rig)}")
    return 0


def calibrate_by_board(
    paths: Sequence[Path], board: str, intrinsics: str | None, floor: int | None, out: str, say: Say
) -> int:
    """Calibrate cameras by a board and write the calibration."""
    described = board_by(board)
    if not paths:
        raise ValueError("name a video or a folder of pictures for each camera")
    if len(paths) > 1 and described.ambiguous:
        raise ValueError(
            f"--board {board}: a chessboard looks the same upside down unless one of its two counts is odd and the "
            "other even, so two cameras may take it differently; use such a one, or a ChArUco board"
        )
    seen = look(described, paths, _counted)
    rig = None if intrinsics is None else read_intrinsics(intrinsics)
    if rig is not None:
        order = order_of(list(rig.cameras), seen.cameras)
        if order is None:
            raise ValueError(f"{intrinsics}: has {', '.join(rig.cameras)}, pictures are of {', '.join(seen.cameras)}")
        rig = rig.only([list(rig.cameras)[n] for n in order])
    made = calibrate_board(described, seen, rig, floor)
    rows = [["camera", "pictures", "focal, px", "fits to, px", "shared", "x, m", "y, m", "z, m", "place +-, mm",
             "turn +-, degrees", "together, px"]]  # fmt: skip
    pictures = np.isfinite(seen.xy[..., 0]).any(-1).sum(1)
    for n, (name, camera) in enumerate(made.rig.cameras.items()):
        one = made.inside[n] if made.inside else None
        focal = f"{camera.K[0, 0]:.1f}" + (f" +- {one.sigma:.1f}" if one else "")
        place = [f"{v / 1000:.3f}" for v in camera.center]
        rows.append([name, str(pictures[n]), focal, f"{one.rms:.2f}" if one else "given", str(made.shared[n]), *place,
                     f"{made.places[n]:.2f}", f"{made.turns[n]:.3f}", f"{made.error[n]:.2f}"])  # fmt: skip
    say(_table(rows))
    for note in made.rig.notes:
        say(f"note: {note}")
    if len(made.rig) > 1:
        say("the first camera is the reference, so the others' uncertainties are against it, intrinsics taken as sure")
    say(f"wrote {write_rig(out, made.rig)}")
    return 0


def _counted(pictures: Iterable[Any]) -> Iterable[Any]:
    """Show on standard error how many pictures were looked at, where somebody looks."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(pictures, "looking for the board", console=console, transient=True, disable=not console.is_terminal)


def convert(source: str, target: str, unit: Unit | None, world_up: Up | None, up: Up | None, say: Say) -> int:
    """Convert points to another form, or a calibration to another tool's."""
    if form_of(Path(source)) and form_of(Path(target)):
        points = read_points(Path(source))
        if world_up is not None:
            points = replace(points, up=world_up)
        points = points if up is None else turned_points(points, up)
        say("wrote " + ", ".join(map(str, write_points(Path(target), points))))
        return 0
    if form_of(Path(source)) or form_of(Path(target)):
        raise ValueError(f"{source} to {target}: points become points and calibrations calibrations")
    rig = read_rig(source, unit)
    rig = rig if world_up is None else replace(rig, up=world_up)
    rig = rig if up is None else turned(rig, up)
    path = write_rig(target, rig)
    for note in rig.notes:
        say(f"read as: {note}")
    say(f"wrote {path}")
    return 0


def _cutoff(smooth: str | None) -> float | None:
    if smooth is None:
        return None
    name, _, number = smooth.partition(":")
    try:
        cutoff = float(number)
    except ValueError:
        cutoff = 0.0
    if name != "butterworth" or not cutoff > 0:
        raise ValueError(f"--filter must be butterworth:HZ, as in butterworth:6, not {smooth!r}")
    return cutoff


def _heard(what: str) -> None:
    """Show on standard error what is being done, where somebody looks."""
    import sys

    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr)


def _tell_joint(points: Points, person: int, joint: str, say: Say) -> None:
    rows = missing_joints(points, person)
    row = next((row for row in rows[1:] if row[0] == joint), None)
    if row is None:
        raise ValueError(f"no joint {joint!r}; there are {', '.join(points.skeleton.keypoints)}")
    say(_table([rows[0], row]))
    k = points.skeleton.keypoints.index(joint)
    gone = np.flatnonzero(~points.found[:, person, k]) + points.start
    if len(gone):
        say(f"not found in frames {', '.join(map(str, gone[:30].tolist()))}{' ...' if len(gone) > 30 else ''}")


def _cameras(rig: Rig, checked: Checked | None) -> list[list[str]]:
    head = ["camera", "size", "focal, px", "x, m", "y, m", "z, m", "lens"]
    late = checked is not None and checked.offsets is not None
    rows = [head + (["px without it"] if checked else []) + (["frames late"] if late else [])]
    for n, (name, camera) in enumerate(rig.cameras.items()):
        size = "x".join(map(str, rig.sizes[name])) if name in rig.sizes else "unknown"
        row = [name, size, f"{camera.K[0, 0]:.0f}", *(f"{v / 1000:.2f}" for v in camera.center), camera.lens]
        if checked is not None:
            row.append(f"{checked.left.without[n]:.2f}")
            if checked.offsets is not None:
                row.append(f"{checked.offsets.late[n]:.2f} +- {checked.offsets.sigma[n]:.2f}")
        rows.append(row)
    return rows


def _check_page(out: Path, rig: Rig, warnings: list[str], points: Points | None, checked: Checked | None) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        Section("What is odd", "" if warnings else "Nothing odd was found.", notes=warnings),
        Section("Where the cameras stand", figures=[draw_rig(rig, points)]),
        Section("Cameras", "How well the others fit without each, and how late it is, where views were given.",
                grid=_cameras(rig, checked)),
    ]  # fmt: skip
    if checked is not None and checked.offsets is not None:
        sections.append(Section("Time", figures=[draw_offsets(checked.offsets, tuple(rig.cameras))]))
    if points is not None:
        sections += [
            Section(f"Person {p + 1}", figures=[draw_reasons(points, p)]) for p in range(min(points.xyz.shape[1], 3))
        ]
    sections.append(Section("What was assumed", details=[(str(n + 1), note) for n, note in enumerate(rig.notes)]))
    tiles: list[tuple[str, str]] = [("cameras", str(len(rig))), ("warnings", str(len(warnings)))]
    if points is not None:
        tiles += summary(points)[:3]
    return write_page(
        out / "index.html", "Cameras and views", "What their files say, and what speaks against it.", tiles, sections
    )


def _table(rows: Sequence[Sequence[Any]]) -> str:
    """Return rows as columns of text, the first row above a line."""
    widths = [max(len(str(row[c])) for row in rows) for c in range(len(rows[0]))]
    lines = [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * min(len(lines[0]), 118), *lines[1:]])
