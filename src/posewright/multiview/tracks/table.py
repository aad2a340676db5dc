"""Points as a .csv: one row for each frame, person and joint, with how sure it is and why."""

from __future__ import annotations

import csv
import io
from math import isfinite
from pathlib import Path

import numpy as np

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.multiview.points import PointReason, Points, ViewReason
from posewright.multiview.rig import UPS
from posewright.skeleton import Skeleton

HEAD = ["frame", "person", "joint", "x_mm", "y_mm", "z_mm", "sigma_mm", "reason", "used"]
COVARIANCE = ["xx_mm2", "xy_mm2", "xz_mm2", "yy_mm2", "yz_mm2", "zz_mm2"]
DOUBT = "doubt: "
UPPER = ([0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2])


def encode(points: Points) -> bytes:
    """Return the table: place, sigma and covariance in mm, the reason, and a reason and an error in px for each view.

    Empty fields are unknown. Notes, doubts, the frames a second, and what is up come first, in lines that begin with #.
    """
    out = io.StringIO()
    doubts = (DOUBT + doubt for doubt in points.doubts)
    for note in (f"fps: {points.fps}", f"up: {points.up}", f"start: {points.start}", *doubts, *points.notes):
        out.write(f"# {' '.join(note.split())}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*HEAD, *COVARIANCE, *(f"{c}:{what}" for c in points.cameras for what in ("view", "px"))])
    names = [reason.name.lower() for reason in ViewReason]
    reasons = [reason.name.lower() for reason in PointReason]
    covariance = points.covariance[..., UPPER[0], UPPER[1]]
    known = points.xyz, points.sigma, points.reason, points.used.sum(-1), covariance, points.views, points.error
    columns = (np.asarray(column).reshape(points.reason.size, *column.shape[3:]).tolist() for column in known)
    places = np.ndindex(points.reason.shape)
    for (f, p, k), xyz, sigma, reason, used, spread, views, errors in zip(places, *columns, strict=True):
        row = [points.start + f, p + 1, points.skeleton.keypoints[k], *map(_text, xyz)]
        row += [_text(sigma), reasons[reason], used, *map(_text, spread)]
        for code, error in zip(views, errors, strict=True):
            row += [names[code], _text(error)]
        writer.writerow(row)
    return out.getvalue().encode()


def read(path: Path) -> Points:
    """Read what `encode` wrote; raises DataError in one line."""
    lines = bytes(read_bytes(path)).decode(errors="replace").splitlines()
    notes = [line[2:] for line in lines if line.startswith("# ")]
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))
    if len(rows) < 2 or rows[0][: len(HEAD)] != HEAD or any(len(row) != len(rows[0]) for row in rows):
        raise DataError(f"{path}: no table of posewright's points; it must begin with {', '.join(HEAD)}")
    joints = tuple(dict.fromkeys(row[2] for row in rows[1:]))
    cameras = tuple(head.rpartition(":")[0] for head in rows[0] if head.endswith(":view"))
    people = len({row[1] for row in rows[1:]})
    frames, left = divmod(len(rows) - 1, people * len(joints))
    if left:
        raise DataError(
            f"{path}: {len(rows) - 1} rows are not {people} people with {len(joints)} joints in every frame"
        )
    try:
        return _points(rows[1:], (frames, people, len(joints)), joints, cameras, notes)
    except (KeyError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None


def _points(
    rows: list[list[str]],
    shape: tuple[int, int, int],
    joints: tuple[str, ...],
    cameras: tuple[str, ...],
    notes: list[str],
) -> Points:
    said = dict(note.partition(": ")[::2] for note in notes[:3])
    numbers = np.array([[float(v) if v else np.nan for v in row[3:7] + row[9:15]] for row in rows])
    covariance = np.empty((len(rows), 3, 3))
    covariance[:, UPPER[0], UPPER[1]] = covariance[:, UPPER[1], UPPER[0]] = numbers[:, 4:]
    views = np.array([[ViewReason[v.upper()] for v in row[15::2]] for row in rows], np.uint8)
    error = np.array([[float(v) if v else np.nan for v in row[16::2]] for row in rows])
    reason = np.array([PointReason[row[7].upper()] for row in rows], np.uint8)
    count = (*shape, len(cameras))
    return Points(
        numbers[:, :3].reshape(*shape, 3), covariance.reshape(*shape, 3, 3), reason.reshape(shape),
        views.reshape(count), error.reshape(count), cameras, Skeleton("named in the file", joints, ()),
        int(said.get("start", 0)), None if said.get("fps", "None") == "None" else float(said["fps"]),
        next((axis for axis in UPS if axis == said.get("up")), None),
        tuple(note for note in notes[3:] if not note.startswith(DOUBT)),
        tuple(note[len(DOUBT):] for note in notes[3:] if note.startswith(DOUBT)),
    )  # fmt: skip


def _text(value: float) -> str:
    return "" if not isfinite(value) else f"{value:.6g}" if abs(value) < 1e3 else f"{value:.4f}"
