"""Which form of points a file has, by its suffix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from posewright.datasets.documents import PACKED
from posewright.datasets.records import DataError
from posewright.files import write_whole
from posewright.multiview.points import PointReason, Points
from posewright.multiview.tracks import c3d, npz, table, trc

SUFFIXES = (".trc", ".c3d", ".csv", ".npz")


def form_of(path: Path) -> str:
    """Return the suffix that tells a file's form, below that of a compression; empty where it is no form of points.

    >>> form_of(Path("walk.trc.gz")), form_of(Path("walk.c3d")), form_of(Path("calibration.toml"))
    ('.trc', '.c3d', '')
    """
    suffix = (path.with_suffix("") if path.suffix in PACKED else path).suffix
    return suffix if suffix in SUFFIXES else ""


def read_points(path: Path) -> Points:
    """Read points by the file's suffix; raises DataError or ValueError in one line.

    A .trc knows neither covariance nor reasons: what is there is taken as triangulated, what is empty as too few views.
    """
    form = form_of(path)
    if not form:
        raise ValueError(f"{path}: no form of points; there are {', '.join(SUFFIXES)}, and .trc.gz and .csv.gz")
    if path.suffix in PACKED and (path.suffix != ".gz" or form not in (".trc", ".csv")):
        raise DataError(f"{path}: is compressed; unpack it first (.trc.gz and .csv.gz are read as they are)")
    return {".trc": trc.read, ".c3d": c3d.read, ".csv": table.read, ".npz": npz.read}[form](path)


def write_points(path: Path, points: Points) -> list[Path]:
    """Write points by the file's suffix, whole or not at all; returns the files.

    .npz holds all that is known. .csv has a row for each frame, person and joint, with sigma, the views and reasons.
    .trc and .c3d hold one person each, so that several become NAME_person1 and so on; beside each lies a
    NAME.reasons.csv, as neither form has a place for them.
    """
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path}: no form of points that is written; there are {', '.join(SUFFIXES)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".npz", ".csv"):
        write_whole(path, npz.encode(points) if path.suffix == ".npz" else table.encode(points))
        return [path]
    files = []
    for name, person in _each(path, points):
        if path.suffix == ".trc":
            write_whole(name, trc.encode(person, name.name))
        else:
            c3d.write(name, person)
        beside = name.with_suffix(".reasons.csv")
        write_whole(beside, table.encode(person))
        files += [name, beside]
    return files


def _each(path: Path, points: Points) -> list[tuple[Path, Points]]:
    """Split points into one file a person; a person without any point gets none, unless there is nobody else."""
    there = [p for p in range(points.xyz.shape[1]) if (points.reason[:, p] != PointReason.TOO_FEW).any()] or [0]
    names = [path if len(there) == 1 else path.with_name(f"{path.stem}_person{p + 1}{path.suffix}") for p in there]
    return [(name, _only(points, p)) for name, p in zip(names, there, strict=True)]


def _only(points: Points, person: int) -> Points:
    arrays: dict[str, Any] = {name: getattr(points, name)[:, [person]] for name in npz.ARRAYS}
    return replace(points, **arrays)
