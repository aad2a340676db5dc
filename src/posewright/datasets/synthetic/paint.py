"""Paint of the synthetic world: the colours of every solid, and the light that falls on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic.body import PARTS, Cones
from posewright.datasets.synthetic.surface import Blocks, Surface

Floats = NDArray[np.float64]
Map = NDArray[np.float32]


class Paint(NamedTuple):
    """Colour N solids; colours in [0, 1].

    base (N, 3); other (N, 3) where split (N, 4) times (normal, place on the axis) exceeds cut (N,), such as
    skin below a sleeve or an emblem in front; figure (N, 3) on base where cos(w1 p) cos(w2 p) < 0 with
    waves (N, 2, 3) per mm: stripes, checks, or nothing at waves of 0.
    """

    base: Floats
    other: Floats
    split: Floats
    cut: Floats
    figure: Floats
    waves: Floats

    def moved(self, turn: Floats) -> Paint:
        """Turn what has a direction."""
        split = np.concatenate([self.split[:, :3] @ turn.T, self.split[:, 3:]], axis=1)
        return self._replace(split=split, waves=self.waves @ turn.T)


def plain(colours: Floats) -> Paint:
    """Paint solids in one colour each, (N, 3)."""
    n = len(colours)
    return Paint(colours, colours.copy(), np.zeros((n, 4)), np.ones(n), colours.copy(), np.zeros((n, 2, 3)))


def joined(paints: list[Paint]) -> Paint:
    """Paint all solids of several lists."""
    return Paint(*(np.concatenate(columns) for columns in zip(*paints, strict=True)))


SKINS = np.array([(0.97, 0.83, 0.73), (0.92, 0.74, 0.6), (0.83, 0.63, 0.47), (0.68, 0.48, 0.34), (0.5, 0.34, 0.24),
                  (0.33, 0.22, 0.16)])  # fmt: skip
HAIRS = np.array([(0.08, 0.07, 0.06), (0.2, 0.13, 0.08), (0.38, 0.25, 0.14), (0.72, 0.56, 0.32), (0.5, 0.2, 0.1),
                  (0.68, 0.67, 0.65)])  # fmt: skip


def cloth(rng: np.random.Generator) -> Floats:
    """Draw a colour (3,) as clothes have: dark, grey or bright."""
    colour = rng.uniform(0, 1, 3) if rng.random() < 0.6 else np.full(3, rng.uniform(0, 1)) + rng.normal(0, 0.03, 3)
    return np.clip(0.04 + 0.92 * colour, 0.03, 0.97)


def dressed(rng: np.random.Generator, frames: dict[str, Floats]) -> Paint:
    """Dress a person, a row each of PARTS: shirt, sleeves, trousers, shoes, hair, by chance."""
    skin = np.clip(SKINS[rng.integers(len(SKINS))] + rng.normal(0, 0.025, 3), 0.05, 1)
    shirt, trousers, shoes = cloth(rng), cloth(rng), cloth(rng)
    hair = HAIRS[rng.integers(len(HAIRS))] if rng.random() < 0.93 else skin
    if rng.random() < 0.12:
        trousers = shirt
    tops = ("abdomen", "chest", "shoulders")
    colours = dict.fromkeys(PARTS, skin) | dict.fromkeys(tops, shirt) | {"pelvis": trousers, "hair": hair, "tail": hair}
    colours |= dict.fromkeys(("left_eyeball", "right_eyeball"), np.array([0.1, 0.08, 0.08]))
    colours["nose_tip"] = skin * [0.93, 0.85, 0.83]
    colours |= dict.fromkeys(("left_foot", "right_foot"), shoes if rng.random() < 0.85 else skin)
    paint = plain(np.stack([colours[part] for part in PARTS]))
    _limb(paint, "thigh", trousers, skin, rng.choice([0.15, 0.4, 0.75, 2, 2]))
    long = paint.cut[PARTS.index("left_thigh")] > 1
    sock = cloth(rng) if rng.random() < 0.5 else skin
    _limb(paint, "shank", trousers if long else skin, sock, rng.uniform(0.5, 0.9) if not long else 2)
    sleeve = rng.choice([-1, 0.35, 0.6, 2, 2])
    _limb(paint, "upper_arm", shirt, skin, sleeve)
    _limb(paint, "forearm", shirt, skin, 2 if sleeve > 1 and rng.random() < 0.85 else -1)
    _pattern(rng, paint, (*tops, "left_upper_arm", "right_upper_arm"), frames["chest"], cloth(rng), 0.4)
    _pattern(rng, paint, ("pelvis", "left_thigh", "right_thigh"), frames["pelvis"], cloth(rng), 0.15)
    _front(rng, paint, frames["chest"])
    return paint


def _limb(paint: Paint, segment: str, near: Floats, far: Floats, cut: float) -> None:
    """Paint a limb's segment on both sides: one colour up to a place on its axis, another beyond."""
    for side in ("left", "right"):
        i = PARTS.index(f"{side}_{segment}")
        paint.base[i], paint.other[i], paint.figure[i], paint.cut[i] = near, far, near, cut
        paint.split[i] = (0, 0, 0, 1)


def _pattern(
    rng: np.random.Generator, paint: Paint, parts: tuple[str, ...], frame: Floats, colour: Floats, chance: float
) -> None:
    """Print stripes or checks on clothes."""
    first, second = rng.permutation(3)[:2]
    waves = np.pi / rng.uniform(25, 90, 2)
    checks = rng.random() < 0.35
    if rng.random() < chance:
        for part in parts:
            i = PARTS.index(part)
            paint.figure[i] = colour
            paint.waves[i] = waves[0] * frame[:, first], checks * waves[1] * frame[:, second]


def _front(rng: np.random.Generator, paint: Paint, chest: Floats) -> None:
    """Paint an emblem on the chest, an open jacket's lining, or a number on the back."""
    kind = rng.random()
    if kind < 0.5:
        colour, cut = cloth(rng), rng.uniform(0.75, 0.95)
        for part in ("chest", "abdomen") if rng.random() < 0.5 else ("chest",):
            i = PARTS.index(part)
            paint.other[i], paint.cut[i] = colour, cut
            paint.split[i, :3] = (1 if kind < 0.38 else -1) * chest[:, 1]


class Light(NamedTuple):
    """A far light: direction (3,) towards it, in the camera's frame; ambient and direct strength (3,)."""

    direction: Floats
    ambient: Floats
    direct: Floats


def shaded(seen: Surface, cones: Cones, blocks: Blocks, paint: Paint, light: Light) -> tuple[Map, NDArray[np.intp]]:
    """Return the colour (M, 3) of each pixel that shows a solid, and the place (M,) of that pixel in the picture."""
    places = np.flatnonzero(seen.shown.ravel() >= 0)
    solid = seen.shown.ravel()[places].astype(np.intp)
    row, column = np.divmod(places, len(seen.x))
    rays = np.stack([seen.x[column], seen.y[row], np.ones(len(places))], axis=1).astype(np.float32)
    points = rays * seen.depth.ravel()[places, None].astype(np.float32)
    points -= _each(np.concatenate([cones.a, blocks.middle]), solid)
    normal, along = np.empty_like(points), np.zeros(len(points), np.float32)
    cone = np.less(solid, len(cones.a))
    normal[cone], along[cone] = _cone_normals(cones, solid[cone], points[cone])
    normal[~cone] = _block_normals(blocks, solid[~cone] - len(cones.a), points[~cone])
    direct = np.maximum(normal @ light.direction.astype(np.float32), 0)[:, None] * light.direct.astype(np.float32)
    facing = 0.75 + np.float32(0.25) * np.abs(_dot(normal, rays)) / np.sqrt(_dot(rays, rays))
    colour = _colour(paint, solid, normal, along, points)
    return colour * (direct + light.ambient.astype(np.float32)) * facing[:, None], places


def _each(table: Floats, solid: NDArray[np.intp]) -> Map:
    """Look up each pixel's row of a table of solids; light needs no more than float32."""
    return np.take(table.astype(np.float32), solid, axis=0)


def _dot(a: Map, b: Map) -> Map:
    return np.einsum("...i,...i->...", a, b)


def _colour(paint: Paint, solid: NDArray[np.intp], normal: Map, along: Map, place: Map) -> Map:
    """Colour pixels (M, 3) by their normals, their places on the axis and in the solid."""
    split, colour = _each(paint.split, solid), _each(paint.base, solid)
    printed = np.flatnonzero(np.asarray(paint.waves.any((1, 2)))[solid])
    phase = np.cos(np.einsum("nwi,ni->wn", _each(paint.waves, solid[printed]), place[printed]))
    figure = printed[phase[0] * phase[1] < 0]
    colour[figure] = _each(paint.figure, solid[figure])
    other = np.flatnonzero(_dot(split[:, :3], normal) + split[:, 3] * along > _each(paint.cut, solid))
    colour[other] = _each(paint.other, solid[other])
    return colour


def _cone_normals(cones: Cones, solid: NDArray[np.intp], points: Map) -> tuple[Map, Map]:
    """Return normals (M, 3) and places on the axis (M,) in [0, 1] at points (M, 3) from the axis's start."""
    axis, narrowing = cones.b - cones.a, cones.ra - cones.rb
    gaxis = np.einsum("nij,nj->ni", cones.metric, axis)
    slope = np.maximum(np.einsum("ni,ni->n", axis, gaxis) - narrowing**2, 1e-9)
    rim = _dot(_each(gaxis / slope[:, None], solid), points) - _each(cones.ra * narrowing / slope, solid)
    along = np.clip(rim, 0, 1)
    normal = np.einsum("nij,nj->ni", _each(cones.metric, solid), points - along[:, None] * _each(axis, solid))
    return normal / np.sqrt(_dot(normal, normal))[:, None], along


def _block_normals(blocks: Blocks, solid: NDArray[np.intp], points: Map) -> Map:
    """Return normals (M, 3) of the side on which points (M, 3) from the middle lie."""
    axes = _each(blocks.axes, solid)
    local = np.einsum("nij,ni->nj", axes, points) / _each(blocks.half, solid)
    side, every = np.abs(local).argmax(1), np.arange(len(points))
    return axes[every, :, side] * np.sign(local[every, side])[:, None]
