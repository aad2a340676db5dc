"""Points as arrays in an .npz: all that is known of them, and nothing pickled."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.arrays import read_arrays
from posewright.datasets.records import DataError
from posewright.multiview.points import Points
from posewright.multiview.rig import UPS
from posewright.skeleton import Skeleton

ARRAYS = ("xyz", "covariance", "reason", "views", "error")
TEXTS = ("cameras", "keypoints", "notes")


def encode(points: Points) -> bytes:
    """Return the bytes of an .npz: the arrays of `Points`, names as texts, limbs as pairs of names."""
    buffer = io.BytesIO()
    limbs = np.array(points.skeleton.limbs, dtype=np.str_).reshape(-1, 2)
    arrays: dict[str, Any] = {name: getattr(points, name) for name in ARRAYS}
    arrays |= {"cameras": np.array(points.cameras), "keypoints": np.array(points.skeleton.keypoints), "limbs": limbs,
               "skeleton": np.array(points.skeleton.name), "notes": np.array(points.notes, dtype=np.str_),
               "doubts": np.array(points.doubts, dtype=np.str_),
               "start": np.array(points.start), "up": np.array(points.up or ""),
               "fps": np.array(np.nan if points.fps is None else points.fps)}  # fmt: skip
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def read(path: Path) -> Points:
    """Read what `encode` wrote; raises DataError where an array is missing or has another shape."""
    arrays = read_arrays(path)
    lacking = [name for name in (*ARRAYS, *TEXTS, "start", "fps", "up", "skeleton") if name not in arrays]
    if lacking:
        raise DataError(f"{path}: no points of posewright's: {lacking[0]} is missing; it holds {', '.join(arrays)}")
    names = tuple(map(str, arrays["keypoints"]))
    limbs = tuple((str(a), str(b)) for a, b in arrays["limbs"].tolist()) if "limbs" in arrays else ()
    shape = arrays["xyz"].shape[:-1]
    count = (*shape, len(arrays["cameras"]))
    expected = {"xyz": (*shape, 3), "covariance": (*shape, 3, 3), "reason": shape, "views": count, "error": count}
    for name, size in expected.items():
        if len(shape) != 3 or shape[2] != len(names) or arrays[name].shape != size:
            raise DataError(f"{path}: {name}: must have the shape {size}, not {arrays[name].shape}")
    fps, up = float(arrays["fps"]), str(arrays["up"])
    xyz, covariance, reason, views, error = (arrays[name] for name in ARRAYS)
    return Points(
        xyz,
        covariance,
        reason,
        views,
        error,
        tuple(map(str, arrays["cameras"])),
        Skeleton(str(arrays["skeleton"]), names, limbs),
        int(arrays["start"]),
        None if np.isnan(fps) else fps,
        next((axis for axis in UPS if axis == up), None),
        tuple(map(str, arrays["notes"])),
        tuple(map(str, arrays["doubts"])) if "doubts" in arrays else (),
    )
