"""SLEAP's own files, .slp (Pereira et al., Nature Methods 2022): one camera a file, or a video of it a camera."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from posewright.datasets.hdf5 import bounded, opened_hdf5
from posewright.datasets.records import DataError
from posewright.multiview.detections.tables import named
from posewright.multiview.views import View
from posewright.skeleton import Skeleton

LABELLED = 0
"""`instance_type` of who was placed by hand; others are predicted."""
CENTRED = 1.1
"""Since this format the centre of the first pixel is (0, 0); before, its corner was."""
ARRAYS = ("frames", "instances", "points", "pred_points", "videos_json")


def read(path: Path, skeleton: Skeleton | None = None) -> list[View]:
    """Read a file by h5py: a view for each video that it has frames of; raises DataError.

    Who was placed by hand stands for the prediction that it was made from, or that has its track. Points placed by
    hand score 1. A lone video's view is named by the file, several by their videos.
    """
    with opened_hdf5(path) as file:
        lacking = [name for name in (*ARRAYS, "metadata") if name not in file]
        if lacking:
            raise DataError(f"{path}: not a file of SLEAP's labels: it lacks {lacking[0]}")
        for name in ARRAYS:
            bounded(path, file[name])
        arrays = {name: file[name][:] for name in ARRAYS}
        told = json.loads(file["metadata"].attrs["json"])
        old = float(file["metadata"].attrs.get("format_id", 0)) < CENTRED
        names = _names(path, told)
        own = skeleton or named(names)
        if len(own) != len(names):
            raise DataError(f"{path}: {len(names)} keypoints; {own.name} has {len(own)}")
        frames = arrays["frames"]
        videos = np.unique(frames["video"]).tolist()
        if not videos:
            raise DataError(f"{path}: nobody is in any of its frames")
        called = [path.stem] if len(videos) == 1 else [_called(arrays["videos_json"][v]) for v in videos]
        return [
            _view(name, frames[frames["video"] == video], arrays, own, 0.5 if old else 0.0)
            for name, video in zip(called, videos, strict=True)
        ]


def _names(path: Path, told: Any) -> list[str]:
    """Return the nodes' names of the file's one skeleton, in its own order."""
    if len(told["skeletons"]) != 1:
        raise DataError(f"{path}: has {len(told['skeletons'])} skeletons; a camera's people must have one")
    return [str(told["nodes"][node["id"]]["name"]) for node in told["skeletons"][0]["nodes"]]


def _called(video: bytes) -> str:
    told = json.loads(video)
    name = told.get("filename") or told.get("backend", {}).get("filename")
    return Path(str(name[0] if isinstance(name, list) else name).replace("\\", "/")).stem


def _view(name: str, frames: np.ndarray, arrays: dict[str, Any], own: Skeleton, shift: float) -> View:
    """Return the people of one video's frames, in the order in which each frame holds them."""
    who = [_kept(arrays["instances"][int(f["instance_id_start"]) : int(f["instance_id_end"])]) for f in frames]
    numbers, place = np.unique(frames["frame_idx"].astype(int), return_inverse=True)
    found = np.full((len(numbers), max(map(len, who)), len(own), 3), np.nan)
    for f, people in zip(place.tolist(), who, strict=True):
        for p, one in enumerate(people):
            labelled = one["instance_type"] == LABELLED
            rows = arrays["points" if labelled else "pred_points"]
            rows = rows[int(one["point_id_start"]) : int(one["point_id_end"])]
            score = np.ones(len(rows)) if labelled else rows["score"]
            values = np.column_stack([rows["x"] - shift, rows["y"] - shift, score])
            there = rows["visible"] & np.isfinite(values[:, :2]).all(-1)
            found[f, p] = np.where(there[:, None], values, np.nan)
    return View(name, numbers, found[..., :2], found[..., 2], own)


def _kept(instances: np.ndarray) -> np.ndarray:
    """Leave out predictions that somebody placed by hand stands for."""
    byhand = instances[instances["instance_type"] == LABELLED]
    tracks = byhand["track"][byhand["track"] >= 0]
    gone = np.isin(instances["instance_id"], byhand["from_predicted"]) | np.isin(instances["track"], tracks)
    kept: np.ndarray = instances[(instances["instance_type"] == LABELLED) | ~gone]
    return kept
