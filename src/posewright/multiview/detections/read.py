"""Which tool's keypoints a path holds, told by its content, and the views of several cameras put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posewright.datasets.documents import PACKED
from posewright.datasets.hdf5 import SUFFIXES
from posewright.datasets.records import DataError
from posewright.multiview.detections import hdf5, openpose, predicted, slp, tables
from posewright.multiview.views import View, Views
from posewright.skeleton import Skeleton


def read_views(paths: Sequence[Path], skeleton: Skeleton | None = None, fps: float | None = None) -> Views:
    """Read 2D keypoints: one path a camera, or one folder that holds a folder or file for each.

    OpenPose's folders of JSON, DeepLabCut's and Lightning Pose's .csv and .h5, SLEAP's .slp and analysis .h5, the long
    tables of Caliscope and FreeMoCap (which hold all cameras), folders that `posewright predict` wrote, and an .npz
    with xy and scores. Frames are joined by their numbers, so that a camera that starts later is absent before. Raises
    DataError or ValueError in one line.
    """
    found: list[View] = []
    for path in _spread(paths):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        if path.is_dir():
            found.append((predicted if (path / predicted.FILE).is_file() else openpose).read(path, skeleton))
        elif path.name.removesuffix(".gz").endswith(".csv"):
            found += tables.read(path, skeleton)
        elif path.suffix in SUFFIXES:
            found.append(hdf5.read(path, skeleton))
        elif path.suffix == ".slp":
            found += slp.read(path, skeleton)
        elif path.suffix == ".npz":
            return tables.read_npz(path, skeleton, fps)
        elif path.suffix in PACKED:
            raise DataError(f"{path}: is compressed; unpack it first (.csv.gz is read as it is)")
        else:
            raise DataError(
                f"{path}: no keypoints of a known kind; folders of OpenPose's JSON, .csv, .h5, .slp and .npz are"
            )
    if len({view.name for view in found}) != len(found):
        raise DataError(f"two views have the name {found[0].name}; give files or folders that differ by theirs")
    return _joined(found, fps)


def _spread(paths: Sequence[Path]) -> list[Path]:
    """Replace a lone folder that holds no JSON itself by what it holds."""
    if len(paths) != 1 or not paths[0].is_dir() or any(paths[0].glob("*.json")):
        return list(paths)
    inside = sorted(
        p
        for p in paths[0].iterdir()
        if not p.name.startswith(".") and (p.is_dir() or {".csv", ".h5", ".slp"} & set(p.suffixes))
    )
    if not inside:
        raise DataError(f"{paths[0]}: holds neither folders of JSON nor .csv, .h5 or .slp files")
    return inside


def _joined(found: Sequence[View], fps: float | None) -> Views:
    """Put views beside each other on the frames that any of them has."""
    skeleton = found[0].skeleton
    for view in found[1:]:
        if view.skeleton.keypoints != skeleton.keypoints:
            raise DataError(
                f"{view.name} has {len(view.skeleton)} keypoints ({view.skeleton.name}), {found[0].name} has "
                f"{len(skeleton)} ({skeleton.name}); all cameras must have the same"
            )
    start, stop = min(v.frames.min() for v in found), max(v.frames.max() for v in found) + 1
    people = max(v.xy.shape[1] for v in found)
    xy = np.full((len(found), stop - start, people, len(skeleton), 2), np.nan)
    scores = np.full(xy.shape[:-1], np.nan)
    for n, view in enumerate(found):
        xy[n, view.frames - start, : view.xy.shape[1]] = view.xy
        scores[n, view.frames - start, : view.xy.shape[1]] = view.scores
    counts = {view.name: len(view.frames) for view in found}
    notes = () if len(set(counts.values())) == 1 else ("views of unequal length: " + ", ".join(
        f"{name} {count} frames" for name, count in counts.items()),)  # fmt: skip
    return Views(tuple(v.name for v in found), skeleton, xy, scores, int(start), fps, None, notes)
