"""OpenSim's .trc: tabs, five lines of heading, three columns a marker; a marker that is missing is empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.datasets.documents import read_bytes
from posewright.datasets.records import DataError
from posewright.multiview.points import PointReason, Points
from posewright.multiview.rig import MILLIMETRES
from posewright.skeleton import Skeleton

USUAL_RATE = 30.0
"""Frames a second that are written where nobody knows them; the notes of the points say so."""


def encode(points: Points, name: str) -> bytes:
    """Return the file of one person's points, in metres. Raises ValueError for several people."""
    frames, people, keypoints, _ = points.xyz.shape
    if people != 1:
        raise ValueError(f"a .trc holds one person, not {people}")
    rate = points.fps or USUAL_RATE
    joints = points.skeleton.keypoints
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate:g}\t{rate:g}\t{frames}\t{keypoints}\tm\t{rate:g}\t{points.start}\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(joints) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{k}" for k in range(1, keypoints + 1) for axis in "XYZ"),
        "",
    ]
    flat = points.xyz.reshape(frames, -1) / 1000
    for f, row in enumerate(flat.tolist()):
        values = "\t".join("" if v != v else f"{v:.7f}" for v in row)
        lines.append(f"{points.start + f}\t{(points.start + f) / rate:.6f}\t{values}")
    return ("\n".join(lines) + "\n").encode()


def read(path: Path) -> Points:
    """Read a .trc of anybody's: m or mm as its third line says, with or without a blank line; raises DataError.

    What is missing is empty, or NaN. The file does not say which axis points up; OpenSim's is y.
    """
    lines = bytes(read_bytes(path)).decode(errors="replace").splitlines()
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        raise DataError(f"{path}: not a .trc: must begin with PathFileType and have five lines above its numbers")
    said = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
    if said.get("Units") not in MILLIMETRES:
        raise DataError(f"{path}: Units must be m, cm or mm, not {said.get('Units')!r}")
    joints = tuple(name for name in lines[3].split("\t")[2:] if name.strip())
    rows = [line.split("\t") for line in lines[5:] if line.strip()]
    try:
        numbers = [[float(v) if v.strip() else np.nan for v in row] for row in rows]
        rate = float(said["DataRate"])
        wide = 2 + 3 * len(joints)
        table = np.array([(row + [np.nan] * wide)[:wide] for row in numbers], np.float64)
    except (ValueError, KeyError) as error:
        raise DataError(f"{path}: {error}") from None
    if not len(table):
        raise DataError(f"{path}: holds no frame")
    xyz = table[:, 2:].reshape(len(table), 1, len(joints), 3) * MILLIMETRES[said["Units"]]
    return bare(xyz, Skeleton("named in the file", joints, ()), int(table[0, 0]), rate, f"read from {path.name}")


def bare(xyz: np.ndarray, skeleton: Skeleton, start: int, fps: float, note: str) -> Points:
    """Return points of which nothing but their place is known."""
    known = np.isfinite(xyz).all(-1)
    shape = (*known.shape, 0)
    reason = np.where(known, int(PointReason.OK), int(PointReason.TOO_FEW)).astype(np.uint8)
    xyz = np.where(known[..., None], xyz, np.nan)
    covariance = np.full((*known.shape, 3, 3), np.nan)
    return Points(xyz, covariance, reason, np.zeros(shape, np.uint8), np.zeros(shape), (), skeleton, start, fps, None, (
        note, "no covariance and no views in this form"))  # fmt: skip
