"""Draw docs/images/occluders.png: every preset, and every region and every fill, on one person of the world.

A white dot is a keypoint that is seen, a red one that the occluder hid, a red cross one whose target was removed as
well; a grey one was hidden before. The picture's grain is smoothed away, which keeps the file small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from posewright.augment.jitter import HalfOfMean
from posewright.datasets.synthetic import scene, thing
from posewright.occlusion import Augmentation, Occluder, described, fills, regions
from posewright.occlusion.objects import Object, part_of, paste, resized
from posewright.occlusion.presets import ATTACKS, AUGMENTATIONS, RADII, keypoint_attack, part_attack, pasted_objects
from posewright.picture import Pixels
from posewright.scene import HIDDEN, SEEN, Crop, Scene, aim, take
from posewright.skeleton import COCO
from posewright.warp import around
from posewright.warp import resized as scaled

SIZE = (192, 256)
SHOWN = (144, 192)
COLUMNS, GAP, LINE = 8, 8, 17
INK, PALE, PAPER = (40, 44, 52), (120, 126, 136), (255, 255, 255)
WHITE, RED, GREY = (255, 255, 255), (225, 20, 70), (165, 170, 178)
LEGEND = "Keypoints: white seen, red hidden by it, cross target removed, grey hidden before"
BODY = COCO.index("left_shoulder")
"""The first keypoint below the head."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


def smooth(index: int) -> Scene:
    """Return a scene of one person without its grain."""
    drawn = scene(1, index, size=(480, 480), people=(1, 1))
    return replace(drawn, image=cv2.bilateralFilter(cv2.medianBlur(drawn.pixels(), 5), 15, 45, 7))


DRAWN = smooth(217)
CROP = take(DRAWN, aim(DRAWN.people[0].box, SIZE, 1.15))
OTHERS = [smooth(index) for index in (160, 286, 229, 71)]
THINGS = [thing(0, number) for number in range(40)]


class Tile(NamedTuple):
    """One example: what it looks like, its name and what it is made of."""

    crop: Crop
    name: str
    numbers: str = ""


def after(hide: Occluder | Augmentation, least: int = 0) -> Crop:
    """Return the first draw, by seed, that covers at least so many keypoints below the head."""
    for seed in range(2000):
        crop = hide(CROP, np.random.default_rng(seed))
        if (crop.people[0].visible < CROP.people[0].visible)[BODY:].sum() >= least:
            return crop
    raise ValueError(f"{described(hide)} hides fewer than {least} keypoints")


def attacks() -> Iterator[Tile]:
    """The attacks of Pytel et al., section III."""
    yield Tile(CROP, "before", "nothing is hidden")
    for fill in ATTACKS:
        yield Tile(after(keypoint_attack("left_knee", fill)), f"keypoint {fill}", "left knee, radius 6")
    for radius in RADII[2:]:
        yield Tile(after(keypoint_attack("left_knee", radius=radius)), "keypoint blackout", f"radius {radius:g}")
    for fill in ATTACKS:
        yield Tile(after(part_attack("left_leg", fill)), f"part {fill}", "left leg")
    for part in ("head", "upper_body", "lower_body", "right_side", "hips"):
        yield Tile(after(part_attack(part)), "part blackout", part.replace("_", " "))


def targeted() -> Iterator[Tile]:
    """The targeted augmentations of Pytel et al., section IV, a row a look."""
    for look, on, chance, removal in product(
        ("blur", "cutout", "blur_cutout"), ("keypoint", "part"), (0.2, 0.5), ("", "_removal")
    ):
        least = (2 if on == "part" else 1) * (2 if "_" in look else 1)
        augmentation = AUGMENTATIONS[f"pytel_{look}_{on}_{chance:g}{removal}"](())
        yield Tile(
            after(augmentation, least), f"{look} {on}".replace("_", ", "), f"p {chance:g}{removal.replace('_', ', ')}"
        )


def others() -> Iterator[Tile]:
    """The other augmentations."""
    for preset, name, numbers, least in (
        ("pytel_several_keypoints_0.2", "several keypoints", "at most 5, p 0.2", 3),
        ("pytel_several_keypoints_0.2_removal", "several keypoints", "at most 5, removal", 3),
        ("pytel_part_mix_0.5", "PartMix", "p 0.5", 3),
        ("pytel_part_mix_0.5_removal", "PartMix", "p 0.5, removal", 4),
        ("huang_keypoint_aware", "keypoint-aware", "radius 0.1 to 0.2 w", 1),
        ("cutout", "Cutout", "half the width", 3),
        ("random_erasing", "random erasing", "p 0.5, noise", 4),
        ("hide_and_seek", "hide-and-seek", "sides 16 to 56 of 224", 3),
        ("grid_mask", "GridMask", "p 0.8, 96 to 224", 3),
        ("coarse_dropout", "CoarseDropout", "0.2 to 0.4 a side", 3),
        ("parts_of_others", "parts of others", "p 0.5", 3),
    ):
        yield Tile(after(AUGMENTATIONS[preset](OTHERS), least), name, numbers)
    yield Tile(after(pasted_objects(THINGS), 4), "objects", "1 to 7, anywhere")
    for draw, which in ((0.0, "upper"), (1.0, "lower")):
        warp = around(*HalfOfMean()(DRAWN.people[0], DRAWN.skeleton, Drawn(draw)), SIZE)
        yield Tile(take(DRAWN, warp), "half body", f"p 0.3, {which} (Jitter)")


class Drawn(NamedTuple):
    """Stands for randomness where it is to be one number."""

    value: float

    def normal(self) -> float:
        """Return the number."""
        return self.value


def every_region() -> Iterator[Tile]:
    """Every region, each with some fill."""
    sand, black, noise = fills.Constant((196, 164, 132)), fills.black, fills.noise
    head_and_knee = (regions.PartRectangle("head"), regions.KeypointDisc("left_knee", 15))
    for region, fill, numbers in (
        (regions.Nothing(), black, "the comparison"),
        (regions.KeypointDisc("left_knee", 18.0), black, "18 px"),
        (regions.KeypointDisc("left_hip", 0.12, width=1, shift=1.0), noise, "0.12 w, shifted"),
        (regions.KeypointDiscs(5, 12.0), fills.shuffled, "at most 5"),
        (regions.PartRectangle("right_leg"), fills.Blur(), "right leg"),
        (regions.Rectangle((60, 70, 130, 110)), sand, "anywhere"),
        (regions.RandomSquare(80), fills.mean, "80 px"),
        (regions.RandomRectangle(), noise, "inside"),
        (regions.Hole(), black, "inside"),
        (regions.Grid((60, 60), kept=0.5), sand, "unit 60, half kept"),
        (regions.Cells((24,)), fills.shuffled, "24 px, p 0.5"),
        (regions.LimbBar(("left_hip", "left_knee"), 22), black, "22 px"),
        (regions.Silhouette(), fills.Blur(31, 8.0), "of the mask"),
        (regions.Together(head_and_knee), fills.mean, "of two regions"),
    ):
        crop = after(Occluder(region, fill), 0 if isinstance(region, regions.Nothing) else 1)
        words = getattr(fill, "__name__", type(fill).__name__)
        yield Tile(crop, type(region).__name__, f"{numbers}; {words}")
    yield Tile(after(paste(resized(THINGS[10], 0.9), (96.0, 120.0))), "Shape", "an object; Colours")
    yield Tile(after(paste(resized(piece(3, "upper_body"), 0.9), (110.0, 130.0))), "Shape", "another's part; Colours")


def every_fill() -> Iterator[Tile]:
    """Every fill, in one rectangle."""
    for fill, name, numbers in (
        (fills.black, "black", "blackout"),
        (fills.mean, "mean", "of the crop"),
        (fills.Constant(), "Constant", "zero, normalised"),
        (fills.Surroundings(), "Surroundings", "median around"),
        (fills.Blur(), "Blur", "kernel 31, sigma 5"),
        (fills.noise, "noise", "even, 0 to 255"),
        (fills.shuffled, "shuffled", "the pixels covered"),
        (fills.Picture(OTHERS[0].pixels()), "Picture", "another one"),
        (fills.Piece(piece(2, "corpus")[..., :3]), "Piece", "another's part"),
    ):
        yield Tile(after(Occluder(regions.PartRectangle("upper_body"), fill)), name, numbers)


def piece(other: int, part: str) -> Object:
    """Cut a part out of another scene's person."""
    found = part_of(take(OTHERS[other], aim(OTHERS[other].people[0].box, SIZE)), part)
    if found is None:
        raise ValueError(f"person {other} has no {part}")
    return found


def marked(crop: Crop) -> Pixels:
    """Return a crop at the size that is shown, with its keypoints marked."""
    warp = scaled(SIZE, SHOWN)
    canvas = cv2.resize(crop.pixels, SHOWN, interpolation=cv2.INTER_AREA)
    now, before = crop.people[0], CROP.people[0] if crop.warp is CROP.warp else crop.people[0]
    for place, visible, was in zip(warp.points(before.keypoints), now.visible, before.visible, strict=True):
        if visible == SEEN or visible == was == HIDDEN:
            dot(canvas, place, WHITE if visible == SEEN else GREY)
        elif visible == HIDDEN:
            dot(canvas, place, RED)
        elif was:
            cross(canvas, place)
    cv2.rectangle(canvas, (0, 0), (SHOWN[0] - 1, SHOWN[1] - 1), (205, 208, 214), 1)
    return canvas


def dot(canvas: Pixels, place: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Mark a place with a small disc, dark around."""
    at = round(16 * place[0]), round(16 * place[1])
    cv2.circle(canvas, at, 42, INK if colour != RED else WHITE, -1, cv2.LINE_AA, 4)
    cv2.circle(canvas, at, 28, colour, -1, cv2.LINE_AA, 4)


def cross(canvas: Pixels, place: np.ndarray) -> None:
    """Mark a place with a small cross, white around."""
    for colour, wide in ((WHITE, 4), (RED, 2)):
        for down in (-1, 1):
            a, b = ((round(16 * (place[0] + 2.5 * s)), round(16 * (place[1] + 2.5 * s * down))) for s in (-1, 1))
            cv2.line(canvas, a, b, colour, wide, cv2.LINE_AA, 4)


def laid_out(title: str, tiles: list[Tile]) -> Pixels:
    """Lay a section out: its title, then rows of tiles with two lines of caption."""
    width, height = SHOWN
    row = height + 2 * LINE + GAP
    page = np.full((36 + -(-len(tiles) // COLUMNS) * row, GAP + COLUMNS * (width + GAP), 3), 255, np.uint8)
    cv2.putText(page, title, (GAP, 24), FONT, 0.6, INK, 1, cv2.LINE_AA)
    for place, tile in enumerate(tiles):
        top, left = 36 + place // COLUMNS * row, GAP + place % COLUMNS * (width + GAP)
        page[top : top + height, left : left + width] = marked(tile.crop)
        cv2.putText(page, tile.name, (left, top + height + 13), FONT, 0.42, INK, 1, cv2.LINE_AA)
        cv2.putText(page, tile.numbers, (left, top + height + 13 + LINE), FONT, 0.4, PALE, 1, cv2.LINE_AA)
    return page


def main() -> None:
    """Write the sheet beside this file, in 256 colours."""
    sections = (
        (f"Attacks (Pytel et al. 2020, section III). {LEGEND}", attacks()),
        ("Targeted augmentations (Pytel et al. 2020, section IV, Table I)", targeted()),
        ("More augmentations", others()),
        ("Every region; with some fill", every_region()),
        ("Every fill; in the rectangle of the upper body", every_fill()),
    )
    sheet = np.concatenate([laid_out(title, list(tiles)) for title, tiles in sections])
    strip = np.full((100, sheet.shape[1], 3), RED, np.uint8)  # lets the few red dots keep a colour of their own
    reduced = Image.fromarray(np.concatenate([sheet, strip])).quantize(256, dither=Image.Dither.NONE)
    reduced.crop((0, 0, *sheet.shape[1::-1])).save(Path(__file__).parent / "images" / "occluders.png", optimize=True)


if __name__ == "__main__":
    main()
