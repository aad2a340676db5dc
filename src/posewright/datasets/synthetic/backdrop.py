"""Backdrops of the synthetic world: a wall or sky, a floor in true perspective, clutter, and what a sensor does."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.geometry import Camera
from posewright.warp import Size

Floats = NDArray[np.float64]
Map = NDArray[np.float32]


def backdrop(rng: np.random.Generator, camera: Camera, size: Size, feet: Floats) -> Map:
    """Draw what is behind everything, (H, W, 3) in [0, 1]; feet (P, 2) mm are where shadows lie on the floor."""
    picture = _wall(rng, size)
    if rng.random() < 0.75:
        _clutter(rng, picture)
    if rng.random() < 0.75:
        _floor(rng, picture, camera, feet)
    return picture * _texture(rng, size)


SCENERY = np.array([(0.62, 0.76, 0.93), (0.85, 0.9, 0.96), (0.3, 0.45, 0.2), (0.45, 0.58, 0.3), (0.55, 0.33, 0.26),
                    (0.72, 0.63, 0.5), (0.6, 0.6, 0.6), (0.45, 0.33, 0.22), (0.12, 0.12, 0.14),
                    (0.93, 0.92, 0.9)])  # fmt: skip
"""Sky, cloud, leaves, grass, brick, sand, concrete, wood, night, white walls."""


def _colours(rng: np.random.Generator, count: int) -> Map:
    """Draw colours (count, 3) that go together: variations of one, of scenery or grey mostly, sometimes of any."""
    kind = rng.random()
    one = SCENERY[rng.integers(len(SCENERY))] if kind < 0.55 else np.full(3, rng.uniform(0.05, 1))
    if kind > 0.88:
        one = rng.uniform(0, 1, 3)
    bright = rng.normal(0, 0.16, (count, 1))
    return np.clip(one + bright + rng.normal(0, 0.04, (count, 3)), 0.01, 1).astype(np.float32)


def _wall(rng: np.random.Generator, size: Size) -> Map:
    """Blend four corners, or a few large patches."""
    rows, columns = (2, 2) if rng.random() < 0.6 else rng.integers(2, 7, 2)
    corners = _colours(rng, int(rows * columns)).reshape(rows, columns, 3)
    return np.asarray(cv2.resize(corners, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _texture(rng: np.random.Generator, size: Size) -> Map:
    """Multiply by coarse and fine noise, (H, W, 1) around 1."""
    total = np.ones((size[1], size[0]), np.float32)
    for cells in rng.choice([5, 12, 30, 70, 128], 2, replace=False):
        noise = rng.standard_normal((int(cells), int(cells)), dtype=np.float32) * np.float32(rng.uniform(0, 0.13))
        total += cv2.resize(noise, size, interpolation=cv2.INTER_LINEAR)
    return np.clip(total, 0.3, 1.7)[..., None]


def _clutter(rng: np.random.Generator, picture: Map) -> None:
    """Draw flat shapes far behind: windows, trunks, blobs."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(2, 22)):
        colour = _colours(rng, 1)[0].tolist()
        x, y = int(rng.integers(width)), int(rng.integers(height))
        w, h = (rng.uniform(0.01, 0.25, 2) ** 1.3 * [width, height]).astype(int) + 1
        kind = rng.integers(5)
        if kind == 0:
            cv2.rectangle(picture, (x, y), (x + int(w), y + int(h)), colour, -1)
        elif kind == 1:
            cv2.ellipse(picture, (x, y), (int(w), int(h)), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        elif kind == 2:
            end = int(rng.integers(width)), int(rng.integers(height))
            cv2.line(picture, (x, y), end, colour, int(rng.integers(1, 8)))
        elif kind == 3:
            corners = rng.normal(0, 0.12, (4, 2)) * [width, height] + [x, y]
            cv2.fillConvexPoly(picture, cv2.convexHull(corners.astype(np.int32)), colour)
        else:
            step = rng.integers(-width // 8, width // 8 + 1), rng.integers(-height // 12, height // 12 + 1)
            for n in range(rng.integers(3, 9)):
                corner = x + int(n * step[0]), y + int(n * step[1])
                cv2.rectangle(picture, corner, (corner[0] + int(w) // 4, corner[1] + int(h) // 2), colour, -1)


def _floor(rng: np.random.Generator, picture: Map, camera: Camera, feet: Floats) -> None:
    """Draw the floor z = 0 where rays meet it: tiles or planks, shadows under people, haze far away."""
    height, width = picture.shape[:2]
    x = ((np.arange(width) - camera.K[0, 2]) / camera.K[0, 0]).astype(np.float32)
    y = ((np.arange(height) - camera.K[1, 2]) / camera.K[1, 1]).astype(np.float32)[:, None]
    right, down, ahead = camera.R.astype(np.float32)
    centre = camera.center.astype(np.float32)
    colour, figure = _colours(rng, 2)
    tiles, turn, far = np.pi / rng.uniform(100, 900, 2), rng.uniform(0, np.pi), np.float32(rng.uniform(8e3, 40e3))
    below = x * right[2] + y * down[2] + ahead[2]
    if centre[2] <= 0 or not (below < -1e-3).any():
        return
    rows = (below < -1e-3).any(1)
    below, y = np.minimum(below[rows], -1e-4), y[rows]
    reach = np.minimum(centre[2] / -below, far)
    on_x = centre[0] + reach * (x * right[0] + y * down[0] + ahead[0])
    on_y = centre[1] + reach * (x * right[1] + y * down[1] + ahead[1])
    c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    weave = np.cos((c * on_x + s * on_y) * np.float32(tiles[0])) * np.cos((c * on_y - s * on_x) * np.float32(tiles[1]))
    shadow = np.ones_like(reach)
    for foot in feet.astype(np.float32):
        shadow -= np.float32(0.45) * np.exp(((on_x - foot[0]) ** 2 + (on_y - foot[1]) ** 2) * np.float32(-6e-6))
    strength = np.float32(rng.choice([0, 0.3, 1]))
    mix = (weave > 0)[..., None] * strength
    floor = (colour + (figure - colour) * mix) * np.maximum(shadow, 0.2)[..., None]
    haze = (reach / far)[..., None]
    picture[rows] = floor + (picture[rows] - floor) * haze


def developed(rng: np.random.Generator, picture: Map) -> NDArray[np.uint8]:
    """Take the photograph: blur, exposure, tint, noise, grey at times; (H, W, 3) in [0, 1] becomes uint8."""
    sigma = float(rng.uniform(0.45, 1.1) if rng.random() < 0.85 else rng.uniform(1.1, 2.2))
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    gain = (rng.uniform(0.75, 1.25) * rng.normal(1, 0.05, 3)).astype(np.float32)
    picture *= gain
    picture += np.float32(rng.normal(0, 0.03))
    if rng.random() < 0.06:
        picture[:] = picture.mean(-1, keepdims=True)
    noise = rng.integers(0, 256, (4, *picture.shape), np.uint8).sum(0, np.int16).astype(np.float32) - 510
    picture *= 255
    picture += noise * np.float32(rng.uniform(0, 0.06))
    return np.rint(np.clip(picture, 0, 255, out=picture)).astype(np.uint8)
