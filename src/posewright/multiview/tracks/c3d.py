"""C3D, what Visual3D, Mokka and OpenSim read; by ezc3d, an optional package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.records import DataError
from posewright.multiview.points import Points
from posewright.multiview.tracks.trc import USUAL_RATE, bare
from posewright.skeleton import Skeleton

MISSING = -1.0
"""The residual of a point that is not there."""


def write(path: Path, points: Points) -> None:
    """Write one person's points in mm as floats; the residual is sigma in mm, and -1 where a point is missing.

    The first frame is 1, as the form has it; the recording's own number goes into the notes. Raises ValueError for
    several people, ImportError where ezc3d is not installed.
    """
    frames, people, keypoints, _ = points.xyz.shape
    if people != 1:
        raise ValueError(f"a .c3d holds one person, not {people}")
    file = _package().c3d()
    xyz = points.xyz[:, 0].transpose(2, 1, 0)
    known = np.isfinite(xyz).all(0)
    data = np.ones((4, keypoints, frames))
    data[:3] = np.where(known, xyz, 0.0)
    file["parameters"]["POINT"]["LABELS"]["value"] = list(points.skeleton.keypoints)
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["RATE"]["value"] = [points.fps or USUAL_RATE]
    file["data"]["points"] = data
    sigma = np.nan_to_num(points.sigma[:, 0].T)
    file["data"]["meta_points"]["residuals"] = np.where(known, sigma, MISSING)[None]
    file.add_parameter("POSEWRIGHT", "NOTES", [" ".join(note.split())[:120] for note in points.notes] or [""])
    file.add_parameter("POSEWRIGHT", "START", [points.start])
    partial = path.with_name(f".{path.name}.partial.c3d")
    file.write(str(partial))
    os.replace(partial, path)


def read(path: Path) -> Points:
    """Read the points of anybody's .c3d, in mm; raises DataError. A negative residual says that a point is missing."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        file = _package().c3d(str(path))
        data, meta = file["data"]["points"], file["data"]["meta_points"]["residuals"][0]
        point = file["parameters"]["POINT"]
        labels = tuple(label.strip() for label in point["LABELS"]["value"])[: data.shape[1]]
        scale = {"m": 1000.0, "cm": 10.0, "mm": 1.0}[(point["UNITS"]["value"] or ["mm"])[0].strip() or "mm"]
    except ImportError:
        raise
    except Exception as error:
        raise DataError(f"{path}: not a C3D file: {error}") from None
    xyz = np.where((meta < 0)[None], np.nan, data[:3]).transpose(2, 1, 0)[:, None] * scale
    start = int(file["parameters"].get("POSEWRIGHT", {}).get("START", {"value": [1]})["value"][0])
    skeleton = Skeleton("named in the file", labels, ())
    return bare(xyz, skeleton, start, float(point["RATE"]["value"][0]), f"read from {path.name}")


def _package() -> Any:
    try:
        import ezc3d
    except ImportError:
        raise ImportError('.c3d needs the package ezc3d: pip install "posewright[multiview]"') from None
    return ezc3d
