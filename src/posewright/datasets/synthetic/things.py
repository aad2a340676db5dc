"""Things of the synthetic world: boxes, balls, posts, discs, benches and tables, in front of people and behind."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic.body import Cones
from posewright.datasets.synthetic.paint import Paint, cloth, joined, plain
from posewright.datasets.synthetic.surface import Blocks

Floats = NDArray[np.float64]


class Thing(NamedTuple):
    """One thing: its solids and their paint, cones first."""

    cones: Cones
    blocks: Blocks
    cone_paint: Paint
    block_paint: Paint


NO_CONES = Cones(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), np.zeros(0), np.zeros((0, 3, 3)))
NO_BLOCKS = Blocks(np.zeros((0, 3)), np.zeros((0, 3, 3)), np.zeros((0, 3)))
NO_PAINT = plain(np.zeros((0, 3)))


def random_thing(rng: np.random.Generator, place: Floats, flat: Floats) -> Thing:
    """Draw a thing that stands at a place (2,) mm of the floor or hangs above it; flat (2,) is where discs face."""
    kind = rng.choice(
        ["ball", "post", "disc", "box", "panel", "table", "bench"], p=[0.15, 0.2, 0.1, 0.2, 0.15, 0.1, 0.1]
    )
    if kind in ("ball", "post", "disc"):
        return _round(rng, str(kind), place, flat)
    turn = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    blocks = _blocks(rng, str(kind), axes)
    blocks = blocks._replace(middle=blocks.middle + np.append(place, 0))
    return Thing(NO_CONES, blocks, NO_PAINT, _printed(rng, len(blocks.middle), axes))


def _round(rng: np.random.Generator, kind: str, place: Floats, flat: Floats) -> Thing:
    eye = np.eye(3)
    height = rng.uniform(0, 1700)
    if kind == "ball":
        radius = rng.uniform(60, 300)
        a = b = np.array([*place, radius + height * (rng.random() < 0.5)])
        ends = radius, radius
    elif kind == "post":
        a = np.append(place, 0.0)
        b = a + np.append(rng.normal(0, 120, 2), rng.uniform(600, 3000))
        ends = rng.uniform(20, 130), rng.uniform(15, 100)
    else:
        radius = rng.uniform(120, 420)
        a = b = np.array([*place, radius + height])
        side = np.array([*flat, rng.normal(0, 0.3)])
        eye = eye + 60 * np.outer(side, side) / (side @ side)
        ends = radius, radius
    cones = Cones(a[None], b[None], np.array(ends[:1]), np.array(ends[1:]), eye[None])
    return Thing(cones, NO_BLOCKS, _printed(rng, 1, np.eye(3)), NO_PAINT)


def _blocks(rng: np.random.Generator, kind: str, axes: Floats) -> Blocks:
    """Build boxes around the origin of the floor."""
    if kind == "box":
        half = rng.uniform(100, 420, 3)
        rows = [(np.array([0, 0, half[2] + rng.choice([0, 0, 700]) * rng.random()]), half)]
    elif kind == "panel":
        half = np.array([rng.uniform(150, 700), 15, rng.uniform(150, 600)])
        rows = [(np.array([0, 0, half[2] + rng.uniform(0, 900)]), half)]
    else:
        wide, deep = rng.uniform(300, 800), rng.uniform(150, 400)
        top = rng.uniform(650, 950) if kind == "table" else rng.uniform(350, 500)
        rows = [(np.array([0, 0, top - 20]), np.array([wide, deep, 20]))]
        for x in (-1, 1):
            for y in (-1, 1):
                leg = np.array([25, 25, top / 2 - 20])
                rows.append((np.array([x * (wide - 25), y * (deep - 25), leg[2]]), leg))
        if kind == "bench" and rng.random() < 0.6:
            rows.append((np.array([0, deep, top + 200]), np.array([wide, 15, 200])))
    middle = np.array([row[0] for row in rows]) @ axes.T
    return Blocks(middle, np.repeat(axes[None], len(rows), 0), np.array([row[1] for row in rows]))


def _printed(rng: np.random.Generator, count: int, axes: Floats) -> Paint:
    """Paint solids alike, with stripes or checks on some."""
    paint = plain(np.repeat(cloth(rng)[None], count, 0))
    if rng.random() < 0.4:
        paint.figure[:] = cloth(rng)
        first, second = np.pi / rng.uniform(30, 200, 2)
        paint.waves[:] = first * axes[:, rng.integers(3)], (rng.random() < 0.5) * second * axes[:, 2]
    return paint


def gathered(things: list[Thing]) -> Thing:
    """Put things into one."""
    cones = Cones(*(np.concatenate(c) for c in zip(NO_CONES, *(t.cones for t in things), strict=True)))
    blocks = Blocks(*(np.concatenate(c) for c in zip(NO_BLOCKS, *(t.blocks for t in things), strict=True)))
    cone_paint = joined([NO_PAINT, *(t.cone_paint for t in things)])
    return Thing(cones, blocks, cone_paint, joined([NO_PAINT, *(t.block_paint for t in things)]))


NO_THINGS = gathered([])
