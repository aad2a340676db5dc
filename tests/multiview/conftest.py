"""A made-up capture whose answer is known: a person who walks and waves inside a ring of cameras."""

from types import SimpleNamespace

import numpy as np
import pytest

from posewright.datasets.synthetic import capture as world
from posewright.geometry import Camera
from posewright.multiview.rig import Rig
from posewright.multiview.views import Views
from posewright.skeleton import H36M


def walk(frames: int, phase: float = 0.0) -> np.ndarray:
    """(F, 17, 3) mm: a walk in a circle, turned about the middle by a phase."""
    c, s = np.cos(phase), np.sin(phase)
    return world.walk(frames) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def ring(count: int = 4, lens: str = "opencv") -> Rig:
    """Cameras on a circle of about 4 m, at different heights, that look at the middle."""
    distortion = {"opencv": [-0.1, 0.05, 0.001, -0.001, 0.0], "h36m": [-0.2, 0.2, 0.001, -0.001, 0.0],
                  "fisheye": [0.02, -0.01, 0.0, 0.0]}[lens]  # fmt: skip
    cameras = {}
    for n in range(count):
        around = 2 * np.pi * n / count + 0.3
        center = np.array([4000 * np.cos(around), 4200 * np.sin(around), 1500 + 300 * (n % 3)])
        ahead = np.array([0, 0, 900]) - center
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(ahead, right), ahead])
        K = np.array([[1100.0 + 5 * n, 0, 500], [0, 1102 + 5 * n, 505], [0, 0, 1]])
        cameras[f"cam_{n}"] = Camera(K, R, -R @ center, distortion, lens)
    return Rig(cameras, dict.fromkeys(cameras, (1000, 1000)), "z")


def filmed(rig: Rig, truth: np.ndarray, px: float = 0.0, rng: np.random.Generator | None = None) -> Views:
    """Views of (F, 17, 3) or (F, P, 17, 3) mm with so much noise, all joints seen."""
    people = truth if truth.ndim == 4 else truth[:, None]
    xy = np.stack([camera.project(people) for camera in rig.cameras.values()])
    if rng is not None:
        xy = xy + rng.normal(0, px, xy.shape)
    return Views(tuple(rig.cameras), H36M, xy, np.full(xy.shape[:-1], 0.9), fps=30.0)


@pytest.fixture
def capture(rng):
    """A rig of four, views with 2 px of noise, and the truth (F, 17, 3) mm."""
    truth = walk(90)
    rig = ring(4)
    return rig, filmed(rig, truth, 2.0, rng), truth


@pytest.fixture
def made():
    """The functions above, by their names."""
    return SimpleNamespace(ring=ring, walk=walk, filmed=filmed)
