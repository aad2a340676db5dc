"""The synthetic world: pictures of people whose answer is known exactly.

Each scene is a function of (seed, index) and of the settings, whatever else is drawn: the same call gives
the same bytes. World axes: z up, the floor is z = 0, mm.

What is true in a scene. A keypoint belongs to the pixel that its projection falls on, and what that pixel
shows decides: SEEN if no surface is before the keypoint, or if the surface belongs to the person's own
adjoining parts (elbow: upper arm and forearm) and the keypoint lies at most `REACH` times the person's
height and girth below it (a keypoint is inside the body); else PERSON, OBJECT or SELF by whose surface it
is. A keypoint outside the picture is absent: NaN, visible 0, OUTSIDE; its points3d stay. mask is the
person's visible pixels; masks of a scene are disjoint. box is tight around the mask, from edge to edge of
its outermost pixels, area counts its pixels. head is the box around the projected head without hair,
hidden or not. A person of whom no pixel is seen is left out; id is their number in the instant. A view has
no things nearer than `NEAREST` to its camera, and none at all where they would hide everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.synthetic import backdrop, paint, surface
from posewright.datasets.synthetic.body import ADJOINING, PARTS, REACH, WORLD, Body, Cones
from posewright.datasets.synthetic.pose import checked_motion, read_motion
from posewright.datasets.synthetic.stage import Stage, random_camera, random_stage
from posewright.datasets.synthetic.things import NO_THINGS
from posewright.geometry import Camera
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause, Person, Scene
from posewright.skeleton import COCO, Skeleton
from posewright.warp import Size

Floats = NDArray[np.float64]
Motion = str | Path | NDArray | None

NEAREST = 250.0
"""mm before a camera within which it sees no things, so that none swallows it."""


def scene(
    seed: int,
    index: int,
    size: Size = (256, 256),
    skeleton: Skeleton = COCO,
    people: tuple[int, int] = (1, 4),
    motion: Motion = None,
) -> Scene:
    """Draw scene number `index` of a seed, pixels in memory and truth exact; see `instant`."""
    return instant(seed, index, 1, size, skeleton, people, motion)[0]


def instant(
    seed: int,
    index: int,
    views: int = 2,
    size: Size = (256, 256),
    skeleton: Skeleton = COCO,
    people: tuple[int, int] = (1, 4),
    motion: Motion = None,
) -> tuple[Scene, ...]:
    """Draw one instant as several cameras around it see it; the first view is `scene`.

    people: how many, from and to, both included. motion: poses (N, 17, 3) mm, z up, in H36M's order, or an
    npz file with `poses`, instead of random ones. Raises ValueError for settings that name no world.
    """
    if not 1 <= people[0] <= people[1]:
        raise ValueError(f"people must be (from, to) with 1 <= from <= to, not {people}")
    if views < 1 or min(size) < 1:
        raise ValueError(f"views and size must be at least 1, not {views} and {size}")
    poses = read_motion(motion) if isinstance(motion, str | Path) else motion
    poses = None if poses is None else checked_motion(poses)
    stage = random_stage(np.random.default_rng([seed, index, 0]), people, poses)
    return tuple(
        _view(
            np.random.default_rng([seed, index, 1 + v]),
            stage,
            size,
            skeleton,
            2 * np.pi * v / views,
            f"{seed}-{index}-{v}",
        )
        for v in range(views)
    )


def scenes(seed: int, start: int = 0, size: Size = (256, 256), skeleton: Skeleton = COCO,
           people: tuple[int, int] = (1, 4), motion: Motion = None) -> Iterator[Scene]:  # fmt: skip
    """Draw scenes without end, one at a time, from number `start` on."""
    while True:
        yield scene(seed, start, size, skeleton, people, motion)
        start += 1


@overload
def world(count: int, seed: int, size: Size = ..., skeleton: Skeleton = ..., people: tuple[int, int] = ...,
          views: None = None, motion: Motion = None) -> list[Scene]: ...  # fmt: skip
@overload
def world(count: int, seed: int, size: Size = ..., skeleton: Skeleton = ..., people: tuple[int, int] = ..., *,
          views: int, motion: Motion = None) -> list[tuple[Scene, ...]]: ...  # fmt: skip
def world(
    count: int,
    seed: int,
    size: Size = (256, 256),
    skeleton: Skeleton = COCO,
    people: tuple[int, int] = (1, 4),
    views: int | None = None,
    motion: Motion = None,
) -> list[Scene] | list[tuple[Scene, ...]]:
    """Draw scenes 0 to count - 1 of a seed; where `views` is given, each is a tuple of so many views.

    >>> one = world(2, seed=0)[1]
    >>> one.size, one.people[0].keypoints.shape
    ((256, 256), (17, 2))
    """
    if views is None:
        return [scene(seed, i, size, skeleton, people, motion) for i in range(count)]
    return [instant(seed, i, views, size, skeleton, people, motion) for i in range(count)]


def _view(rng: np.random.Generator, stage: Stage, size: Size, skeleton: Skeleton, around: float, name: str) -> Scene:
    """Photograph a stage and tell the truth about it."""
    around += rng.normal(0, 0.2) if around else 0.0
    return photograph(rng, stage, random_camera(rng, stage, size, around), size, skeleton, name)


def photograph(
    rng: np.random.Generator, stage: Stage, camera: Camera, size: Size, skeleton: Skeleton, name: str
) -> Scene:
    """Photograph a stage by a pinhole camera, before a backdrop drawn from rng, and tell the truth about it."""
    cones, blocks, colours, owners = _solids(stage, camera)
    seen = surface.surface(cones, blocks, camera, size)
    owner = np.take(np.append(owners, NOBODY), seen.shown, mode="wrap")
    if stage.things is not NO_THINGS and owner.max() < 0:
        return photograph(rng, stage._replace(things=NO_THINGS), camera, size, skeleton, name)
    feet = np.stack([body.keypoints[WORLD.index("pelvis"), :2] for body in stage.bodies])
    picture = backdrop.backdrop(rng, camera, size, feet)
    pixels, places = paint.shaded(seen, cones, blocks, colours.moved(camera.R), _light(rng, stage, camera))
    picture.reshape(-1, 3)[places] = pixels
    image = backdrop.developed(rng, picture)
    people = [_person(n, body, camera, seen, owner) for n, body in enumerate(stage.bodies) if (owner == n).any()]
    return Scene(image, skeleton, tuple(p.to(WORLD, skeleton) for p in people), size, camera, name)


THING, NOBODY = -1, -2
"""Owners of a surface that are no person."""


def _solids(stage: Stage, camera: Camera) -> tuple[Cones, surface.Blocks, paint.Paint, NDArray[np.int16]]:
    """Gather all solids in the camera's frame, their paint and their owners: people's cones, things', blocks."""
    things = stage.things
    cones, blocks = things.cones.moved(camera.R, camera.t), things.blocks.moved(camera.R, camera.t)
    radius = np.maximum(cones.ra, cones.rb)
    far = np.minimum(cones.a[:, 2], cones.b[:, 2]) - radius > NEAREST
    far_blocks = blocks.middle[:, 2] - np.linalg.norm(blocks.half, axis=1) > NEAREST
    bodies = [body.cones.moved(camera.R, camera.t) for body in stage.bodies]
    cones = Cones(*(np.concatenate(columns) for columns in zip(*bodies, Cones(*(c[far] for c in cones)), strict=True)))
    blocks = surface.Blocks(*(column[far_blocks] for column in blocks))
    kept = paint.Paint(*(c[far] for c in things.cone_paint)), paint.Paint(*(c[far_blocks] for c in things.block_paint))
    owners = np.full(len(cones.a) + len(blocks.middle), THING, np.int16)
    owners[: len(bodies) * len(PARTS)] = np.repeat(np.arange(len(bodies)), len(PARTS))
    return cones, blocks, paint.joined([*stage.paints, *kept]), owners


def _light(rng: np.random.Generator, stage: Stage, camera: Camera) -> paint.Light:
    ambient = rng.uniform(0.3, 0.75)
    tint = rng.normal(1, 0.04, 3)
    return paint.Light(camera.R @ stage.light, ambient * tint, (1.1 - ambient) * tint[::-1])


def _person(n: int, body: Body, camera: Camera, seen: surface.Surface, owner: NDArray[np.int16]) -> Person:
    """Tell the truth about person n, of whom at least one pixel is seen; owner (H, W) says whose surface it is."""
    mask = np.equal(owner, n)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    keypoints, cause = _keypoints(n, body, camera, seen, owner)
    head = surface.cone_bounds(Cones(*(c[[PARTS.index("head")]] for c in body.cones)).moved(camera.R, camera.t))[0]
    return Person(
        keypoints,
        np.select([cause == Cause.SEEN, cause == Cause.OUTSIDE], [SEEN, ABSENT], HIDDEN).astype(np.uint8),
        box=np.array([columns[0] - 0.5, rows[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5]),
        area=float(mask.sum()),
        points3d=body.keypoints,
        mask=mask,
        head=head * np.tile(np.diag(camera.K)[:2], 2) + np.tile(camera.K[:2, 2], 2),
        cause=cause,
        id=n,
    )


def _keypoints(
    n: int, body: Body, camera: Camera, seen: surface.Surface, owner: NDArray[np.int16]
) -> tuple[Floats, NDArray[np.uint8]]:
    """Return keypoints (K, 2), NaN outside the picture, and their causes (K,), by the rule on top of this file."""
    keypoints = camera.project(body.keypoints)
    pixel = np.floor(keypoints + 0.5)
    inside = np.asarray(((pixel >= 0) & (pixel < owner.shape[::-1])).all(1))
    x, y = np.where(inside[:, None], pixel, 0).astype(np.intp).T
    below = camera.view(body.keypoints)[:, 2] - seen.depth[y, x]
    reach = REACH * body.shape.height * max(body.shape.girth, 1)
    whose, part = owner[y, x], seen.shown[y, x] % len(PARTS)
    own = (whose == n) & ADJOINING[np.arange(len(WORLD)), part] & (below <= reach)
    hidden = np.where(whose == n, Cause.SELF, np.where(whose == THING, Cause.OBJECT, Cause.PERSON))
    cause = np.where(inside, np.where((below <= 0) | own, Cause.SEEN, hidden), Cause.OUTSIDE)
    return np.where(inside[:, None], keypoints, np.nan), cause.astype(np.uint8)
