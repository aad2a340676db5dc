"""The recorded people whom `epipolar_learning.py` learns from, filmed by Human3.6M's real cameras of subject 1."""

import json
from pathlib import Path

import numpy as np

from posewright import picture
from posewright.datasets.synthetic import filmed
from posewright.geometry import Camera
from posewright.scene import Person, Scene, translated
from posewright.skeleton import H36M, LSP, Skeleton

NAMES = ("54138969", "55011271", "58860488", "60457274")
SEEN = Skeleton("lsp_and_pelvis", (*LSP.keypoints, "pelvis"), LSP.limbs)
SIDE = 320
"""px of a picture."""
GRID = (-800, -400, 0, 400, 800)
"""Where people stand on the floor, mm."""


def real_cameras(path):
    """Human3.6M's cameras of subject 1 as pinholes with pictures of SIDE px."""
    told = json.loads(Path(path).read_text())
    scale, cameras = SIDE / 1000, []
    for name in NAMES:
        K = np.array(told["intrinsics"][name]["calibration_matrix"], float) * [[scale], [scale], [1]]
        K[:2, 2] += (scale - 1) / 2
        outer = told["extrinsics"]["S1"][name]
        cameras.append(Camera(K, outer["R"], np.ravel(outer["t"])))
    return cameras


def chosen(motion, split, who, count):
    """Poses (N, 17, 3) of `count` instants spread over a split, on a grid of the floor, and their sequences' names."""
    with np.load(motion) as file:
        rows = np.flatnonzero(file["split"] == split)
        rows = rows[np.linspace(0, len(rows) - 1, 3 * count).astype(int)][who % 3 :: 3][:count]
        poses = file["poses"][rows].astype(float)
        names = file["sequence_names"][file["sequence_id"][rows]]
    n = np.arange(len(poses)) + who
    place = np.stack([np.take(GRID, n % 5), np.take(GRID, n // 5 % 5)], -1)
    poses[..., :2] += (place - poses[:, 0, :2])[:, None]
    return poses, names


def draw(out, who, poses, names, cameras, seed):
    """Film one body and keep the pictures and the truth; done once."""
    folder = out / "world" / who
    if (folder / "truth.npz").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"id": [], "xy": [], "xyz": [], "visible": [], "box": []}
    sizes = [(SIDE, SIDE)] * len(cameras)
    for f, scenes in enumerate(filmed(poses, cameras, sizes, H36M, seed)):
        for v, scene in enumerate(scenes):
            if not scene.people:
                continue
            person = scene.people[0]
            picture.write(folder / f"{f:04d}_{v}.png", scene.pixels())
            values = (f"{who}/{names[f]}/{NAMES[v]}/{f:06d}", person.keypoints, person.points3d, person.visible,
                      person.box)  # fmt: skip
            for key, value in zip(rows, values, strict=True):
                rows[key].append(value)
    matrices = {"K": [c.K for c in cameras], "R": [c.R for c in cameras], "t": [c.t for c in cameras]}
    np.savez_compressed(folder / "partial.npz", **rows, **matrices)
    (folder / "partial.npz").replace(folder / "truth.npz")
    print(f"drew {who}: {len(rows['id'])} pictures", flush=True)


def read(out, people):
    """Scenes of some bodies."""
    scenes = []
    for who in people:
        folder = out / "world" / who
        with np.load(folder / "truth.npz") as stored:
            file = {name: stored[name] for name in stored}
        cameras = [Camera(*numbers) for numbers in zip(file["K"], file["R"], file["t"], strict=True)]
        for n, name in enumerate(file["id"]):
            _, camera, frame = str(name).rsplit("/", 2)
            v, image = NAMES.index(camera), folder / f"{int(frame):04d}_{NAMES.index(camera)}.png"
            person = Person(file["xy"][n], file["visible"][n], box=file["box"][n], points3d=file["xyz"][n], id=0)
            scenes.append(Scene(image, H36M, (person,), (SIDE, SIDE), cameras[v], str(name)))
    return translated(scenes, SEEN)


def subjects(numbers):
    return [f"S{n}" for n in numbers]
