"""The synthetic world in several cameras, written as a capture whose every answer is known."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright import picture
from posewright.datasets.synthetic import filmed, ring, sequence, walk
from posewright.files import write_whole
from posewright.geometry import Camera
from posewright.multiview.calibrations import read_rig, write_rig
from posewright.multiview.calibrations.tables import assumed_size
from posewright.multiview.rig import Rig, turned
from posewright.report.drawing import draw, sheet
from posewright.scene import ABSENT, Scene
from posewright.skeleton import COCO

RATE = 30.0
"""Frames a second of the motion."""
SIDE = 256
"""px of a picture's longer side."""
COLUMNS = 6


def draw_capture(
    out: Path, views: int, count: int, motion: Path | str | None = None, seed: int = 0, cameras: str | None = None
) -> Path:
    """Film `count` frames of a motion by several cameras and write all that is known; returns a sheet to look at.

    calibration.toml (metres, z up); cam_N/000000.png and so on; keypoints.npz, which `multiview triangulate` reads: xy
    (V, F, 1, K, 2) px, exact, also where hidden, NaN outside the picture, with visible and cause (V, F, 1, K);
    truth.npz: xyz (F, 1, K, 3) mm. The person is one of the seed's, the motion the file's sequence of that number, or a
    walk that is made up. cameras: a calibration whose first `views` cameras film, without their lenses and with
    pictures as large as a ring's; None is a ring of the seed's. Raises ValueError for fewer than one view or frame, or
    more views than cameras.
    """
    if views < 1 or count < 1:
        raise ValueError(f"views and count must be 1 or more, not {views} and {count}")
    poses, name = (walk(count), "made up") if motion is None else sequence(motion, seed, count)
    rig = _ring(views, seed) if cameras is None else _real(cameras, views)
    names = list(rig.cameras)
    for camera in names:
        (out / camera).mkdir(parents=True, exist_ok=True)
    instants = []
    for f, scenes in enumerate(filmed(poses, list(rig.cameras.values()), list(rig.sizes.values()), COCO, seed)):
        for camera, scene in zip(names, scenes, strict=True):
            picture.write(out / camera / f"{f:06d}.png", scene.pixels())
        instants.append(scenes)
    note = f"the synthetic world of seed {seed}, motion {name}"
    write_rig(str(out / "calibration.toml"), replace(rig, notes=(*rig.notes, note)))
    _write_truth(out, names, instants)
    shown = instants[:: max(1, count // COLUMNS)][:COLUMNS]
    drawn = [draw(s[v].pixels(), s[v].people, COCO) for v in range(views) for s in shown]
    captions = [f"{names[v]}  {str(s[v].id).partition('-')[0]}" for v in range(views) for s in shown]
    picture.write(out / "sheet.png", sheet(drawn, len(shown), captions))
    return out / "sheet.png"


def _ring(views: int, seed: int) -> Rig:
    names = [f"cam_{n}" for n in range(views)]
    cameras = ring(views, (SIDE, SIDE), np.random.default_rng([seed, 2]))
    return Rig(dict(zip(names, cameras, strict=True)), dict.fromkeys(names, (SIDE, SIDE)), "z")


def _real(calibration: str, views: int) -> Rig:
    """Read cameras, take their lenses off, and make the longer side of their pictures SIDE px; z must be up."""
    rig = turned(read_rig(calibration), "z")
    if views > len(rig):
        raise ValueError(f"--views {views}: {calibration} has {len(rig)} cameras")
    rig = rig.only(list(rig.cameras)[:views])
    cameras, sizes = {}, {}
    for name, camera in rig.cameras.items():
        wide, high = rig.sizes.get(name, assumed_size(camera))
        scale = SIDE / max(wide, high)
        K = camera.K * [[scale], [scale], [1]]
        K[:2, 2] += (scale - 1) / 2
        cameras[name] = Camera(K, camera.R, camera.t)
        sizes[name] = (round(wide * scale), round(high * scale))
    return Rig(cameras, sizes, "z", (f"cameras of {calibration}, without their lenses",))


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
