"""SLEAP's own files (Pereira et al., Nature Methods 2022), read by sleap-io where it is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.names import Name, placed
from posewright.datasets.records import DataError
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton


def read(path: Path, truth: Sequence[Scene]) -> list[Scene]:
    """Read an .slp file, placed beside the true scenes by the pictures' names, or the video's and the frame's number.

    Raises ImportError where sleap-io is not installed, DataError for what is no such file.
    """
    try:
        from sleap_io import load_slp
    except ImportError:
        raise ImportError(f"{path}: SLEAP's files are read by sleap-io: pip install sleap-io") from None
    try:
        labels: Any = load_slp(str(path), open_videos=False)
    except Exception as error:  # whatever a damaged file makes h5py stumble over
        raise DataError(f"{path}: not a file of SLEAP's: {type(error).__name__}: {error}") from None
    own = Skeleton("the file's", tuple(labels.skeletons[0].node_names), ())
    return placed(_found(labels, str(path)), truth, own)


def _found(labels: Any, path: str) -> Iterator[tuple[str, Sequence[Name], Person]]:
    for frame in labels.labeled_frames:
        video = frame.video.filename
        names: list[Name] = (
            [video[frame.frame_idx]] if isinstance(video, list) else [f"{video}#{frame.frame_idx}", frame.frame_idx]
        )
        for instance in frame.instances:
            xy = np.asarray(instance.numpy(), np.float64)[:, :2]
            there = np.isfinite(xy[:, 0]) & np.isfinite(xy[:, 1])
            rated = getattr(instance, "score", None)
            scores = np.where(there, _scores(instance.points, len(xy)), 0.0)
            score = float(rated) if rated is not None else float(scores[there].mean()) if there.any() else 0.0
            yield (
                f"{path}: frame {frame.frame_idx}",
                names,
                Person(np.where(there[:, None], xy, np.nan), None, scores, score),
            )


def _scores(points: Any, count: int) -> Floats:
    """Return the scores of predicted points (count,), 1 for labelled ones, which have none."""
    rated = isinstance(points, np.ndarray) and "score" in (points.dtype.names or ())
    return np.asarray(points["score"], np.float64) if rated else np.ones(count)
