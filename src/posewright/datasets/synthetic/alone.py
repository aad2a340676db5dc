"""Things of the synthetic world alone: cut-outs with an alpha channel, to hide people behind."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic import surface
from posewright.datasets.synthetic.paint import Light, joined, shaded
from posewright.datasets.synthetic.stage import looking
from posewright.datasets.synthetic.things import Thing, random_thing
from posewright.geometry import Camera

Floats = NDArray[np.float64]

FINER = 4
"""Rays an output px along each side, whose mean is its colour and its alpha."""


FAR = 20_000.0
"""mm between the camera and the thing's middle: nothing is bent by nearness."""


def thing(seed: int, number: int, side: int = 128) -> NDArray[np.uint8]:
    """Draw thing `number` of a seed alone: (h, w, 4) RGB and alpha, tight around it, its longer side about `side` px.

    The same call gives the same bytes. Raises ValueError for a side below 8.

    >>> thing(0, 0, side=32).shape[2]
    4
    """
    if side < 8:
        raise ValueError(f"side must be at least 8 px, not {side}")
    rng = np.random.default_rng([seed, number])
    solids = random_thing(rng, np.zeros(2), np.array([1.0, 0.0]))
    azimuth = 0.0 if len(solids.cones.a) else rng.uniform(0, 2 * np.pi)
    camera = _before(solids, looking(azimuth, np.deg2rad(rng.uniform(0, 30)), rng.normal(0, 0.15)), FINER * side)
    cones, blocks = solids.cones.moved(camera.R, camera.t), solids.blocks.moved(camera.R, camera.t)
    seen = surface.surface(cones, blocks, camera, (FINER * side, FINER * side))
    paint = joined([solids.cone_paint, solids.block_paint]).moved(camera.R)
    colours, places = shaded(seen, cones, blocks, paint, _light(rng))
    fine = np.zeros((FINER * side, FINER * side, 4), np.float32)
    fine.reshape(-1, 4)[places] = np.column_stack([colours, np.ones(len(places))])
    return _cut(np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)))


def _before(solids: Thing, R: Floats, side: int) -> Camera:
    """Set a camera far before a thing so that it fills a picture of side x side px."""
    distance = np.array([0, 0, FAR])
    cones, blocks = solids.cones.moved(R, distance), solids.blocks.moved(R, distance)
    bounds = np.concatenate([surface.cone_bounds(cones), surface.block_bounds(blocks)])
    low, high = bounds[:, :2].min(0), bounds[:, 2:].max(0)
    focal = side / (high - low).max()
    shift = (side - 1) / 2 - focal * (low + high) / 2
    return Camera(np.array([[focal, 0, shift[0]], [0, focal, shift[1]], [0, 0, 1]]), R, distance)


def _light(rng: np.random.Generator) -> Light:
    """Light a thing from before and above, from one side."""
    direction = np.array([rng.normal(0, 0.7), -1.0, -1.0])
    ambient = rng.uniform(0.3, 0.75)
    return Light(direction / np.linalg.norm(direction), np.full(3, ambient), np.full(3, 1.1 - ambient))


def _cut(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut out what is not transparent; colours were averaged with the nothing around them, and are made whole."""
    alpha = picture[..., 3:]
    whole = np.concatenate([picture[..., :3] / np.maximum(alpha, 1e-6), alpha], axis=-1)
    rows, columns = np.flatnonzero(alpha.any((1, 2))), np.flatnonzero(alpha.any((0, 2)))
    window = whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.rint(255 * np.clip(window, 0, 1)).astype(np.uint8)
