"""Mosaics: one picture of many, for detectors that are to find people of all sizes, whole, cut off and overlapped.

Tiles are pictures that cover cells of the frame, as in YOLOv4 (Bochkovskiy et al. 2020, arXiv:2004.10934, section 3.3);
people are cut out along their limbs and put before others, as in Dwibedi et al. 2017 (arXiv:1708.01642), with soft
borders. The frame lies in a square as an estimator of whole pictures fits a photograph into it: black beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.picture import Pixels
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp

COUNTS = (1, 1, 1, 2, 3, 4, 6, 9, 16, 25)
"""How many tiles a frame has, each as often."""
PASTED = (0, 0, 0, 1, 2, 3)
"""How many people are put before the tiles, each as often."""
ASPECT = 0.55
"""The natural logarithm of the frame's width over its height lies between -ASPECT and ASPECT."""
EMPTY, EMPTY_SHOWN = 0.2, 0.3
"""How often nobody is in a mosaic, and how often where there are photographs that show nobody."""
SHOWN = 0.6
"""How often a tile that shows nobody is such a photograph, where there are any."""
BARE = 0.45
"""How often a tile beside the first shows nobody."""
SCRAMBLED = 0.35
"""How often such a tile is a picture of people whose parts lie anywhere: what stands out is not yet a person."""
ZOOM = 2.2
"""How much larger than its cell a tile's picture is at most."""
KEPT, DOUBTFUL = 0.4, 0.1
"""Shares of a box that must be left for a person, and for somebody of whom nobody knows; less is nobody."""
SMALLEST = 10.0
"""px of a box's longer side below which nobody knows either."""
GIRTH = 0.13
"""How wide a limb is cut out, as a share of the person's longer side."""

Alpha = NDArray[np.float32]


@dataclass
class Frame:
    """Hold a mosaic while it is made: pixels, boxes of people (P, 4) and of what nobody knows (Q, 4)."""

    pixels: Pixels
    people: list[Floats] = field(default_factory=list)
    doubtful: list[Floats] = field(default_factory=list)

    @property
    def size(self) -> Size:
        """(width, height) px."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, eq=False)
class Mosaic:
    """Draw mosaics: `mosaic(first, size, rng)` returns a scene of `size` px whose people have boxes and no keypoints.

    scenes: pictures of people with boxes and of nobody; crowds are what nobody knows. `first` is a scene that the
    mosaic shows. things (h, w, 4): cut-outs that stand about and before people. negatives: photographs of other things
    than people, which are shown more often than there are of them.
    """

    scenes: Sequence[Scene]
    things: Sequence[NDArray[np.uint8]] = ()
    negatives: Sequence[Scene] = ()

    def __post_init__(self) -> None:
        empty = np.array([not scene.people for scene in self.scenes])
        object.__setattr__(self, "_empty", np.flatnonzero(empty))
        object.__setattr__(self, "_peopled", np.flatnonzero(~empty))

    _empty: NDArray[np.intp] = field(init=False, repr=False)
    _peopled: NDArray[np.intp] = field(init=False, repr=False)

    def __call__(self, first: int, size: Size, rng: np.random.Generator) -> Scene:
        """Draw one mosaic."""
        frame = Frame(np.zeros((size[1], size[0], 3), np.uint8))
        nobody = bool(len(self._empty)) and rng.random() < (EMPTY_SHOWN if self.negatives else EMPTY)
        inner = _inner(size, rng)
        cells = _cells(inner, int(rng.choice(COUNTS)), rng)
        for number, cell in enumerate(cells):
            _tile(frame, self.scenes[first] if number == 0 and not nobody else self._chosen(nobody, rng), cell, rng)
        for _ in range(0 if nobody else int(rng.choice(PASTED))):
            _paste(frame, self.scenes[int(rng.choice(self._peopled))], inner, rng)
        if self.things and rng.random() < 0.4:
            for _ in range(int(rng.integers(1, 4))):
                largest = 0.9 if nobody and self.negatives else 0.5
                _put(frame, self.things[int(rng.integers(len(self.things)))], inner, rng, largest)
        pixels = frame.pixels
        x0, y0, x1, y1 = inner
        pixels[y0:y1, x0:x1] = developed(pixels[y0:y1, x0:x1], rng)
        skeleton = self.scenes[first].skeleton
        absent = np.full((len(skeleton), 2), np.nan)
        small = [box for box in frame.people if max(box[2:] - box[:2]) < SMALLEST]
        people = [Person(absent, box=box) for box in frame.people if max(box[2:] - box[:2]) >= SMALLEST]
        crowds = [Person(absent, box=box, crowd=True) for box in (*frame.doubtful, *small)]
        return Scene(pixels, skeleton, (*people, *crowds), size)

    def _chosen(self, nobody: bool, rng: np.random.Generator) -> Scene:
        """Choose a tile's picture."""
        bare = nobody or rng.random() < BARE
        if bare and self.negatives and rng.random() < SHOWN:
            return self.negatives[int(rng.integers(len(self.negatives)))]
        among = self._empty if bare and len(self._empty) and rng.random() >= SCRAMBLED else self._peopled
        scene = self.scenes[int(among[rng.integers(len(among))])]
        return scrambled(scene, rng) if bare and scene.people else scene


def scrambled(scene: Scene, rng: np.random.Generator) -> Scene:
    """Cut a picture into 4x4 to 6x6 parts and lay them anew, turned and mirrored: nobody is in it."""
    pixels = scene.pixels()
    across, down = rng.integers(4, 7, 2).tolist()
    w, h = max(pixels.shape[1] // across, 1), max(pixels.shape[0] // down, 1)
    across, down = pixels.shape[1] // w, pixels.shape[0] // h
    parts = pixels[: down * h, : across * w].reshape(down, h, across, w, 3).swapaxes(1, 2).reshape(-1, h, w, 3)
    parts = parts[rng.permutation(len(parts))]
    parts = np.stack([part[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))] for part in parts])
    laid = parts.reshape(down, across, h, w, 3).swapaxes(1, 2).reshape(down * h, across * w, 3)
    return Scene(np.ascontiguousarray(laid), scene.skeleton, (), (across * w, down * h))


Cell = tuple[int, int, int, int]
"""x0, y0, x1, y1 px: the first row and column, and those behind the last."""


def _inner(size: Size, rng: np.random.Generator) -> Cell:
    """Return where in the square the frame lies."""
    aspect = np.exp(rng.uniform(-ASPECT, ASPECT)) if rng.random() < 0.8 else size[0] / size[1]
    scale = min(size[0] / aspect, size[1])
    w, h = round(scale * aspect), round(scale)
    x0, y0 = (size[0] - w) // 2, (size[1] - h) // 2
    return x0, y0, x0 + w, y0 + h


def _cells(inner: Cell, count: int, rng: np.random.Generator) -> list[Cell]:
    """Cut a frame into cells, the largest one first, across its longer side."""
    cells = [inner]
    while len(cells) < count:
        cells.sort(key=lambda cell: (cell[2] - cell[0]) * (cell[3] - cell[1]))
        x0, y0, x1, y1 = cells.pop()
        share = rng.uniform(0.3, 0.7)
        if x1 - x0 > y1 - y0:
            cut = x0 + round(share * (x1 - x0))
            cells += [(x0, y0, cut, y1), (cut, y0, x1, y1)]
        else:
            cut = y0 + round(share * (y1 - y0))
            cells += [(x0, y0, x1, cut), (x0, cut, x1, y1)]
    return [cells[i] for i in rng.permutation(len(cells))]


def _tile(frame: Frame, scene: Scene, cell: Cell, rng: np.random.Generator) -> None:
    """Cover a cell with a part of a picture, and tell who is left of its people."""
    pixels = scene.pixels()
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = cell
    scale = max((x1 - x0) / width, (y1 - y0) / height)
    if rng.random() < 0.6:
        scale *= np.exp(rng.uniform(0, np.log(ZOOM)))
    away = np.array([x1 - x0, y1 - y0]) - scale * np.array([width, height])  # of the picture's left and upper edge
    warp = _placed(scale, np.array([0.0, 0.0]) + away * rng.random(2) - 0.5, width, (x1 - x0, y1 - y0), rng)
    frame.pixels[y0:y1, x0:x1] = warp.image(pixels)
    for person in scene.people:
        assert person.box is not None
        _keep(frame, warp.box(person.box) + np.array([x0, y0, x0, y0]), cell, person.crowd)


def _placed(scale: float, corner: Floats, width: int, size: Size, rng: np.random.Generator) -> Warp:
    """Return view_from_picture: scaled, its corner at `corner`, and mirrored as often as not."""
    matrix = np.diag([scale, scale, 1.0])
    matrix[:2, 2] = corner + scale / 2
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1.0, 0, width - 1], [0, 1, 0], [0, 0, 1]])
    return Warp(matrix, size)


def _keep(frame: Frame, box: Floats, cell: Cell, crowd: bool) -> None:
    """Cut a box to its cell: what is left is a person, doubtful or nothing."""
    edges = np.array(cell) - 0.5
    cut = np.concatenate([np.maximum(box[:2], edges[:2]), np.minimum(box[2:], edges[2:])])
    if (cut[2:] <= cut[:2]).any():
        return
    share = (cut[2:] - cut[:2]).prod() / (box[2:] - box[:2]).prod()
    if crowd or share < KEPT:
        if share >= DOUBTFUL:
            frame.doubtful.append(cut)
    else:
        frame.people.append(cut)


def _paste(frame: Frame, scene: Scene, inner: Cell, rng: np.random.Generator) -> None:
    """Cut a person out of a picture and put them somewhere, most often small."""
    person = next((one for one in scene.people if not one.crowd), None)
    if person is None or person.box is None or person.labelled.sum() < 8:
        return
    pixels = scene.pixels()
    x0, y0, x1, y1 = inner
    side = max(person.box[2:] - person.box[:2])
    wanted = np.exp(rng.uniform(np.log(1 / 12), np.log(0.7))) * max(x1 - x0, y1 - y0)
    scale = wanted / side
    extent = scale * (person.box[2:] - person.box[:2])
    at = np.array([x0, y0]) + rng.random(2) * (np.array([x1 - x0, y1 - y0]) - 0.7 * extent) - 0.15 * extent
    warp = _placed(scale, at - scale * person.box[:2], pixels.shape[1], frame.size, rng)
    moved = person.moved(warp, scene.skeleton)
    box = moved.box
    assert box is not None
    if warp.mirrored:  # the mirror stands elsewhere: bring it back to the same place
        shift = np.eye(3)
        shift[0, 2] = at[0] - box[0]
        warp = Warp(shift @ warp.matrix, warp.size)
        moved = person.moved(warp, scene.skeleton)
        box = moved.box
        assert box is not None
    alpha = _cut_out(moved, scene.skeleton, wanted, warp.size)
    alpha *= warp.image(np.full(pixels.shape[:2], 255, np.uint8)).astype(np.float32) / 255
    alpha[:y0], alpha[y1:], alpha[:, :x0], alpha[:, x1:] = 0, 0, 0, 0
    _cover(frame, warp.image(pixels), alpha)
    _keep(frame, warp.box(person.box), inner, crowd=False)


def _cut_out(person: Person, skeleton: Skeleton, side: float, size: Size) -> Alpha:
    """Return how much of each pixel (h, w) is near a person's limbs, softly."""
    alpha = np.zeros((size[1], size[0]), np.uint8)
    thick = max(round(GIRTH * side), 2)
    xy = np.where(person.labelled[:, None], person.keypoints, 0)
    points = np.rint(xy * 8).astype(int)
    for one, other in skeleton.limbs:
        a, b = skeleton.index(one), skeleton.index(other)
        if person.labelled[a] and person.labelled[b]:
            cv2.line(alpha, tuple(points[a].tolist()), tuple(points[b].tolist()), 255, thick, cv2.LINE_AA, 3)
    there = points[person.labelled]
    for x, y in there.tolist():
        cv2.circle(alpha, (x, y), thick * 5, 255, -1, cv2.LINE_AA, 3)
    trunk = [skeleton.index(name) for name in skeleton.keypoints if name.endswith(("shoulder", "hip"))]
    known = [i for i in trunk if person.labelled[i]]
    if len(known) >= 3:
        cv2.fillConvexPoly(alpha, cv2.convexHull(points[known].astype(np.int32)), 255, cv2.LINE_AA, 3)
    soft = 2 * max(round(0.03 * side), 1) + 1
    return np.asarray(cv2.GaussianBlur(alpha, (soft, soft), 0) * np.float32(1 / 255), np.float32)


def _put(frame: Frame, thing: NDArray[np.uint8], inner: Cell, rng: np.random.Generator, largest: float) -> None:
    """Put a thing somewhere, as large as a tenth of the frame's longer side to `largest` of it."""
    x0, y0, x1, y1 = inner
    scale = np.exp(rng.uniform(np.log(0.1), np.log(largest))) * max(x1 - x0, y1 - y0) / max(thing.shape[:2])
    at = np.array([x0, y0]) + rng.random(2) * np.array([x1 - x0, y1 - y0]) - scale * np.array(thing.shape[1::-1]) / 2
    warp = _placed(scale, at, thing.shape[1], frame.size, rng)
    shown = warp.image(thing)
    alpha = np.asarray(shown[..., 3] * np.float32(1 / 255), np.float32)
    alpha[:y0], alpha[y1:], alpha[:, :x0], alpha[:, x1:] = 0, 0, 0, 0
    _cover(frame, shown[..., :3], alpha)


def _cover(frame: Frame, pixels: Pixels, alpha: Alpha) -> None:
    """Lay pixels over a frame; people of whom too little is left become doubtful."""
    rows, columns = np.flatnonzero(alpha.max(1) > 0), np.flatnonzero(alpha.max(0) > 0)
    if not len(rows):
        return
    there = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    a = alpha[there][..., None]
    frame.pixels[there] = (frame.pixels[there] * (1 - a) + pixels[there] * a + 0.5).astype(np.uint8)
    left = []
    for box in frame.people:
        u0, v0, u1, v1 = np.rint(np.maximum(box + 0.5, 0)).astype(int)
        hidden = alpha[v0:v1, u0:u1]
        if hidden.size and hidden.mean() > 0.65:
            frame.doubtful.append(box)
        else:
            left.append(box)
    frame.people[:] = left


def developed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Change brightness, contrast and colour of a picture, sometimes to grey, and blur it sometimes."""
    gain = np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.06, 3))
    table = np.clip(np.arange(256)[:, None] * gain + rng.normal(0, 18), 0, 255).astype(np.uint8)
    pixels = np.asarray(cv2.LUT(np.ascontiguousarray(pixels), table.reshape(1, 256, 3)), np.uint8)
    if rng.random() < 0.08:
        pixels = np.repeat(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    if rng.random() < 0.2:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (3, 3), rng.uniform(0.3, 1.0)), np.uint8)
    return pixels
