"""A second lesson for the detector of people: photographs of other things.

Mosaics of sportsmen teach what stands out. Photographs of animals, tools, buildings and plants, and things without
their background, are what the recipe `person` has too few of; `benchmarks/negatives.py` collects them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from posewright import picture
from posewright.augment.mosaic import Mosaic
from posewright.datasets.records import DataError
from posewright.recipes import boxes
from posewright.recipes.recipe import Phase
from posewright.scene import Scene
from posewright.skeleton import BODY

PHOTOGRAPHS, CUT_OUTS = "negatives", "cut_outs"
"""Folders beside the pictures of people: photographs of nobody, and photographed things with an alpha channel."""
JUDGED = 5
"""Every fifth photograph is set aside."""
STRIPS = 8
"""Of the strips beside people every eighth begins a mosaic."""


def read(folder: Path, split: str) -> list[Scene]:
    """Read what `recipes.boxes` reads; "validation" has the photographs that were set aside after its mosaics.

    Raises DataError.
    """
    folder = Path(folder)
    scenes = boxes.read(folder, split)
    if split == "validation":
        return [*scenes, *photographs(folder)[::JUDGED]]
    if split == "test":
        return scenes
    empty = [scene for scene in scenes if not scene.people]
    return [*[scene for scene in scenes if scene.people], *empty[::STRIPS]]


def photographs(folder: Path) -> list[Scene]:
    """Read the photographs that show nobody, by name; raises DataError where there are none."""
    files = sorted((folder / PHOTOGRAPHS).glob("*.jpg"))
    if not files:
        raise DataError(f"{folder / PHOTOGRAPHS}: no photographs of nobody; benchmarks/negatives.py collects them")
    read = ((file.stem, picture.read(file)) for file in files)
    return [Scene(pixels, BODY, size=(pixels.shape[1], pixels.shape[0]), id=name) for name, pixels in read]


def composed(scenes: Sequence[Scene], folder: Path) -> Mosaic:
    """Return what draws mosaics of scenes, of photographs that show nobody, and of things before both."""
    shown = photographs(folder)
    del shown[::JUDGED]
    photographed = boxes.cut_outs(folder / CUT_OUTS)
    return Mosaic(
        scenes, [*boxes.things(), *boxes.cut_outs(folder / boxes.CUT_OUTS), *photographed, *photographed], shown
    )


person_negatives = replace(
    boxes.person,
    name="person_negatives",
    summary="a second lesson for `person`, with photographs of nobody; --start takes what it learnt",
    read=read,
    phases=(Phase(1, 8e-4, to=1e-5, warmup=30, size=(256, 256)),),
    optimiser=replace(boxes.person.optimiser, average=0.98),
    apart=replace(boxes.person.apart, composed=composed),
    data=boxes.person.data + "; then, for an epoch, 304 photographs of nobody and 325 photographed things without "
    "their background, from packages of Debian 12 (GCompris: CC BY-SA, CC BY, GPL-3 and public domain, by the picture; "
    "Tux Paint and its stamps: GPL-2; OpenCV's, GIMP's, Hugin's, libvips', ImageMagick's, digiKam's and Palapeli's "
    "documentation and scikit-image's data; wallpapers of MATE, LXQt, Plasma and Lomiri, most CC BY-SA), which "
    "benchmarks/negatives.txt lists by name",
)
