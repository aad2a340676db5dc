"""The embedded detector: where people are in a photograph, as boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright import picture
from posewright.augment.mosaic import Mosaic
from posewright.augment.picture_jitter import Fitted, PictureJitter
from posewright.codecs.detection.ttfnet import TTFNet
from posewright.datasets import lsp, pseudo_labels
from posewright.datasets.arrays import array_of, read_arrays
from posewright.datasets.synthetic import thing, world
from posewright.geometry.boxes import overlap
from posewright.metrics.detection.box_ap import box_ap
from posewright.recipes.losses import centres_and_sides
from posewright.recipes.pose import EVERY, HELD, TEACHER
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Floats, Person, Scene, box_around, translated
from posewright.skeleton import BODY
from posewright.warp import Warp, around

BOXES = "teacher_boxes.npz"
"""Boxes that two detectors saw in the same pictures: SSDLite MobileNetV2 and MoveNet MultiPose (both Apache-2.0)."""
DRAWN = 500
"""Pictures of the synthetic world among those that mosaics are made of."""
GROWN = 0.07
"""By how much of its longer side a box around keypoints is short of one around the person, on each side: the median of
both detectors."""
SAME, PART = 0.3, 0.6
"""A detector's box is a known person's where it overlaps theirs by SAME, or lies in it by PART of its own area."""
SURE = 0.5
"""The detectors' score from which a bystander is one; below, nobody knows."""
CLEAR = 32
"""px of the shorter side from which a part of a picture that shows nobody is kept."""
CUT_OUTS = "things"
"""A folder of cut-outs that show no person, beside the pictures; without it, all things are drawn ones."""
THINGS = 40
JUDGED, SEED = 240, 11
"""Mosaics of the photographs that were set aside, by which every epoch is judged, and their seed."""
WIDTH = 320


def read(folder: Path, split: str) -> list[Scene]:
    """Read LSP-extended from a folder as what mosaics are made of ("train"), or as mosaics ("validation", "test").

    Raises DataError.
    """
    folder = Path(folder)
    if split == "test":
        return mosaics(grown(translated(lsp.read(folder, split), BODY)), JUDGED)
    scenes = with_bystanders(grown(taught(folder)), read_boxes(folder / BOXES))
    if split == "validation":
        return mosaics(scenes[HELD::EVERY], JUDGED)
    del scenes[HELD::EVERY]
    parts = [part for scene in scenes for part in clear(scene)]
    return [*scenes, *with_things(parts, cut_outs(folder / CUT_OUTS)), *drawn(DRAWN)]


def cut_outs(folder: Path) -> list[NDArray[np.uint8]]:
    """Read the pictures of things with an alpha channel that lie in a folder, if there is one."""
    return [picture.read_with_alpha(file) for file in sorted(folder.glob("*.png"))]


def with_things(parts: Sequence[Scene], found: Sequence[NDArray[np.uint8]]) -> list[Scene]:
    """Put one to three things before two of three pictures that show nobody, so that what stands out is no person."""
    rng = np.random.default_rng(SEED)
    filled = []
    for number, part in enumerate(parts):
        pixels = part.pixels().copy()
        for _ in range(int(rng.integers(1, 4)) if number % 3 and found else 0):
            laid_over(pixels, found[int(rng.integers(len(found)))], rng)
        filled.append(replace(part, image=pixels))
    return filled


def laid_over(pixels: NDArray[np.uint8], thing: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Lay a thing (h, w, 4) over pixels, turned, coloured and as large as it fits, or smaller."""
    height, width = pixels.shape[:2]
    side = rng.uniform(0.4, 1.1) * min(height, width)
    center = np.array(thing.shape[1::-1]) / 2 - 0.5
    to = around(center, (max(thing.shape[:2]) / side * np.array([width, height])), (width, height), rng.normal(0, 0.3))
    shift = np.eye(3)
    shift[:2, 2] = rng.uniform(-0.5, 0.5, 2) * (width - 0.6 * side, height - 0.6 * side)
    shown = Warp(shift @ to.matrix, (width, height)).image(thing)
    alpha = shown[..., 3:].astype(np.float32) / 255
    colours = np.clip(shown[..., :3] * np.exp(rng.normal(0, 0.35)) * np.exp(rng.normal(0, 0.15, 3)), 0, 255)
    pixels[:] = (pixels * (1 - alpha) + colours * alpha + 0.5).astype(np.uint8)


def taught(folder: Path) -> list[Scene]:
    """Return the train split with the teacher's keypoints beside the labels, of those that agree."""
    scenes = translated(lsp.read(folder, "train"), BODY)
    return pseudo_labels.taught(scenes, pseudo_labels.read(folder / TEACHER, BODY))


def grown(scenes: Sequence[Scene]) -> list[Scene]:
    """Give people the boxes that detectors draw: around keypoints that are sure, and wider by `GROWN`."""
    found = []
    for scene in scenes:
        (person,) = scene.people
        sure = person.labelled if person.scores is None else person.labelled & (person.scores >= 0.5)
        box = box_around(person.keypoints[sure])
        room = GROWN * max(box[2:] - box[:2])
        width, height = scene.size or (np.inf, np.inf)
        box = np.clip(box + room * np.array([-1, -1, 1, 1]), -0.5, np.array([width, height] * 2) - 0.5)
        found.append(replace(scene, people=(replace(person, box=box),)))
    return found


def read_boxes(path: Path) -> dict[int, tuple[Floats, Floats]]:
    """Return what detectors saw in each picture, by its place in the train split: boxes (N, 4) and scores (N,)."""
    arrays, where = read_arrays(path), str(path)
    picture = array_of(arrays, "picture", where, (None,))
    box = array_of(arrays, "box", where, (len(picture), 4)).astype(np.float64)
    score = array_of(arrays, "score", where, (len(picture),)).astype(np.float64)
    return {int(i): (box[picture == i], score[picture == i]) for i in np.unique(picture)}


def with_bystanders(scenes: Sequence[Scene], seen: dict[int, tuple[Floats, Floats]]) -> list[Scene]:
    """Add the others that detectors saw: people where they are sure, crowds where they doubt, each once."""
    found = []
    for number, scene in enumerate(scenes):
        boxes, scores = seen.get(number, (np.zeros((0, 4)), np.zeros(0)))
        people = list(scene.people)
        for i in np.argsort(-scores, kind="stable"):
            known = np.array([person.box for person in people])
            if (overlap(boxes[[i]], known) < SAME).all() and (_within(boxes[i], known) < PART).all():
                absent = np.full((len(scene.skeleton), 2), np.nan)
                people.append(Person(absent, box=boxes[i], crowd=bool(scores[i] < SURE)))
        found.append(replace(scene, people=tuple(people)))
    return found


def _within(box: Floats, others: Floats) -> Floats:
    """Return the shares of a box (4,) that lie in others (N, 4)."""
    inner = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    return np.asarray(np.maximum(inner, 0).prod(1) / (box[2:] - box[:2]).prod())


def clear(scene: Scene) -> Iterator[Scene]:
    """Cut out the strips beside a picture's people that show nobody, CLEAR px wide and more."""
    boxes = np.array([person.box for person in scene.people])
    width, height = scene.size or (0, 0)
    x0, y0 = np.floor(boxes[:, :2].min(0) - 2).astype(int).tolist()
    x1, y1 = np.ceil(boxes[:, 2:].max(0) + 2).astype(int).tolist()
    beside = (0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)
    for left, top, right, bottom in beside:
        if min(right - left, bottom - top) >= CLEAR:
            pixels = scene.pixels()[top:bottom, left:right].copy()
            yield Scene(pixels, scene.skeleton, (), (right - left, bottom - top))


def drawn(count: int) -> list[Scene]:
    """Draw pictures of the synthetic world; people of whom little is seen are doubtful."""
    scenes = world(count, seed=3, skeleton=BODY)
    return [
        replace(scene, people=tuple(replace(p, crowd=_hardly_seen(p), mask=None) for p in scene.people))
        for scene in scenes
    ]


def _hardly_seen(person: Person) -> bool:
    assert person.box is not None
    return bool(max(person.box[2:] - person.box[:2]) < 20 or (person.area or 0) < 120)


def things() -> list[NDArray[np.uint8]]:
    """Draw the things that stand about in mosaics."""
    return [thing(0, number) for number in range(THINGS)]


def composed(scenes: Sequence[Scene], _folder: Path) -> Mosaic:
    """Return what draws mosaics of scenes."""
    return Mosaic(scenes, things())


def mosaics(scenes: Sequence[Scene], count: int) -> list[Scene]:
    """Draw mosaics to be judged by, the same whenever they are drawn."""
    parts = [*scenes, *(part for scene in scenes for part in clear(scene))]
    mosaic = Mosaic(parts)
    made = []
    for number in range(count):
        rng = np.random.default_rng((SEED, number))
        made.append(replace(mosaic(int(rng.integers(len(scenes))), (WIDTH, WIDTH), rng), id=number))
    return made


def found(network: Any, scenes: Sequence[Scene]) -> Iterable[Scene]:
    """Find the people of mosaics, all that have any score worth ranking."""
    from posewright.estimators.bottom_up import BottomUp

    finder = BottomUp(network, replace(network.codec, least=0.05))
    return [replace(scene, people=tuple(people)) for scene, people in zip(scenes, finder.many(scenes), strict=True)]


def network() -> Any:
    """Build the detector over EfficientNet-Lite0."""
    from posewright.models.person import lite_person

    return lite_person()


person = Recipe(
    name="person",
    summary="the embedded detector of people: EfficientNet-Lite0's first layers, 2.1 M parameters, 320x320",
    paper="https://arxiv.org/abs/1909.00700",
    read=read,
    network=network,
    codec=TTFNet(BODY),
    loss=centres_and_sides,
    phases=(
        Phase(1, 1.5e-3, warmup=200, size=(256, 256)),
        Phase(2, 1.5e-3, to=1e-5, size=(256, 256)),
    ),
    metric=box_ap,
    jitter=PictureJitter(Fitted(), scale=(1, 1), turn=0, shift=0, mirror=0),
    batch=16,
    optimiser=Optimiser(weight_decay=0.01, rates=((r"trunk\.(stem|block[12])", 0.0), (r"trunk\.", 0.5)), average=0.998),
    apart=Apart(each=list, predicted=found, composed=composed),
    parameters=2_068_293,
    data="mosaics of LSP-extended, train split without every 18th picture (Johnson and Everingham 2011; pictures for "
    "research only), with boxes of SSDLite MobileNetV2 and MoveNet MultiPose (Apache-2.0) for bystanders and keypoints "
    "of MoveNet SinglePose Thunder (Apache-2.0); cut-outs of things from Noto Color Emoji (SIL OFL 1.1); "
    "500 pictures of posewright's synthetic world; begun from "
    "EfficientNet-Lite0's weights for ImageNet (Apache-2.0)",
    judged_on="validation",
)
