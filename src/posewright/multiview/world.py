"""The synthetic world in several cameras, written as a capture whose every answer is known."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from posewright import picture
from posewright.datasets.synthetic import filmed, ring, sequence, walk
from posewright.files import write_whole
from posewright.multiview.calibrations import write_rig
from posewright.multiview.rig import Rig
from posewright.report.drawing import draw, sheet
from posewright.scene import ABSENT, Scene
from posewright.skeleton import COCO
from posewright.warp import Size

RATE = 30.0
"""Frames a second of the motion."""
COLUMNS = 6


def draw_capture(
    out: Path, views: int, count: int, motion: Path | str | None = None, seed: int = 0, size: Size = (256, 256)
) -> Path:
    """Film `count` frames of a motion by a ring of cameras and write all that is known; returns a sheet to look at.

    calibration.toml (metres, z up); cam_N/000000.png and so on; keypoints.npz, which `multiview triangulate` reads: xy
    (V, F, 1, K, 2) px, exact, also where hidden, NaN outside the picture, with visible and cause (V, F, 1, K);
    truth.npz: xyz (F, 1, K, 3) mm. The person is one of the seed's, the motion the file's sequence of that number, or a
    walk that is made up. Raises ValueError for fewer than one view or frame.
    """
    if views < 1 or count < 1:
        raise ValueError(f"views and count must be 1 or more, not {views} and {count}")
    poses, name = (walk(count), "made up") if motion is None else sequence(motion, seed, count)
    cameras = ring(views, size, np.random.default_rng([seed, 2]))
    names = [f"cam_{n}" for n in range(views)]
    for camera in names:
        (out / camera).mkdir(parents=True, exist_ok=True)
    instants = []
    for f, scenes in enumerate(filmed(poses, cameras, size, COCO, seed)):
        for camera, scene in zip(names, scenes, strict=True):
            picture.write(out / camera / f"{f:06d}.png", scene.pixels())
        instants.append(scenes)
    note = f"the synthetic world of seed {seed}, motion {name}"
    write_rig(
        str(out / "calibration.toml"),
        Rig(dict(zip(names, cameras, strict=True)), dict.fromkeys(names, size), "z", (note,)),
    )
    _write_truth(out, names, instants)
    shown = instants[:: max(1, count // COLUMNS)][:COLUMNS]
    drawn = [draw(s[v].pixels(), s[v].people, COCO) for v in range(views) for s in shown]
    captions = [f"{names[v]}  {str(s[v].id).partition('-')[0]}" for v in range(views) for s in shown]
    picture.write(out / "sheet.png", sheet(drawn, len(shown), captions))
    return out / "sheet.png"


def _write_truth(out: Path, names: list[str], instants: list[tuple[Scene, ...]]) -> None:
    """Write keypoints.npz and truth.npz; a view that shows nothing of the person has no keypoint."""
    shape = (len(names), len(instants), 1, len(COCO))
    xy, visible, cause = np.full((*shape, 2), np.nan), np.full(shape, ABSENT, np.uint8), np.zeros(shape, np.uint8)
    xyz = np.full((len(instants), 1, len(COCO), 3), np.nan)
    for f, scenes in enumerate(instants):
        for v, scene in enumerate(scenes):
            for person in scene.people:
                xy[v, f, 0], visible[v, f, 0] = person.keypoints, np.asarray(person.visible)
                cause[v, f, 0] = np.asarray(person.cause)
                xyz[f, 0] = person.points3d
    about = {
        "cameras": np.array(names),
        "keypoints": np.array(COCO.keypoints),
        "fps": np.array(RATE),
        "start": np.array(0),
    }
    for file, arrays in (
        ("keypoints.npz", {"xy": xy, "visible": visible, "cause": cause}),
        ("truth.npz", {"xyz": xyz}),
    ):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays, **about)  # type: ignore[arg-type]
        write_whole(out / file, buffer.getvalue())
