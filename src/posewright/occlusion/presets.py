"""Presets: the attacks and augmentations of the papers, with their exact parameters.

An attack is one occluder, set. An augmentation is a function of other scenes, which only those need that
borrow pixels from them, and draws anew for every crop. Chances, sizes and kernels are the papers'; where a
paper leaves one open, its preset says what was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Literal

import numpy as np

from posewright.occlusion import fills, regions
from posewright.occlusion.augmentation import Augmentation
from posewright.occlusion.objects import Object, paste, resized
from posewright.occlusion.occluder import Fill, Occluder, Region
from posewright.picture import Pixels
from posewright.scene import Crop, Scene, box_around

WIDTH = 192.0
"""px of the width of the crops on which Pytel et al. attack (256x192); on others, lengths scale with the width."""
RADIUS = 6.0
RADII = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
"""px of the discs that are swept; the paper's default is 6 and its largest 18."""
ATTACKS: Mapping[str, Fill] = {"blackout": fills.black, "meanout": fills.mean, "blur": fills.Blur(31, 5.0, WIDTH)}
"""The fills of the attacks, by the paper's names."""


def keypoint_attack(keypoint: str, fill: str = "blackout", radius: float = RADIUS) -> Occluder:
    """Cover a disc on one keypoint (Pytel et al. 2020, arXiv:2010.10451, section III)."""
    return Occluder(regions.KeypointDisc(keypoint, radius, WIDTH), ATTACKS[fill])


def part_attack(part: str, fill: str = "blackout") -> Occluder:
    """Cover the rectangle of a body part (Pytel et al. 2020, section III)."""
    return Occluder(regions.PartRectangle(part), ATTACKS[fill])


@dataclass(frozen=True)
class OneKeypoint:
    """Draw one of the person's keypoints and put a disc on it; radius in px of a crop WIDTH wide."""

    fill: Fill
    radius: float = RADIUS

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        if names:
            name = names[rng.integers(len(names))]
            yield Occluder(regions.KeypointDisc(name, self.radius, WIDTH, person=person), self.fill)


@dataclass(frozen=True)
class OnePart:
    """Draw one of the small body parts and put its rectangle over it."""

    fill: Fill

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        parts = crop.skeleton.small_parts
        yield Occluder(regions.PartRectangle(parts[rng.integers(len(parts))], person), self.fill)


@dataclass(frozen=True)
class SomeKeypoints:
    """Give up to `most` different keypoints a chance each of a disc, with a fill drawn for each."""

    fills: tuple[Fill, ...]
    most: int = 5
    chance: float = 0.2

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = list(_labelled(crop, person))
        for _ in range(min(self.most, len(names))):
            if rng.random() < self.chance:
                name = names.pop(rng.integers(len(names)))
                fill = self.fills[rng.integers(len(self.fills))]
                yield Occluder(regions.KeypointDisc(name, RADIUS, WIDTH, person=person), fill)


@dataclass(frozen=True, eq=False)
class OtherPart:
    """Draw a part that is wholly labelled, and show in its rectangle another part of a person of another scene."""

    others: Sequence[Scene]

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        known, parts = set(_labelled(crop, person)), crop.skeleton.parts
        whole = [part for part in crop.skeleton.small_parts if known.issuperset(parts[part])]
        if whole:
            part = whole[rng.integers(len(whole))]
            piece = self._piece(part, rng)
            if piece is not None:
                yield Occluder(regions.PartRectangle(part, person), fills.Piece(piece))

    def _piece(self, part: str, rng: np.random.Generator, tries: int = 20) -> Pixels | None:
        """Return the rectangle of a part other than `part` of a random scene; None where none is found."""
        for _ in range(tries):
            scene = self.others[int(rng.integers(len(self.others)))]
            names = [name for name in scene.skeleton.small_parts if name != part]
            name = names[rng.integers(len(names))]
            places = [scene.skeleton.index(k) for k in scene.skeleton.parts[name]]
            people = [p for p in scene.people if p.labelled[places].all()]
            if people:
                box = box_around(people[rng.integers(len(people))].keypoints[places])
                x0, y0, x1, y1 = np.maximum(np.rint(box), 0).astype(int)
                piece = scene.pixels()[y0 : y1 + 1, x0 : x1 + 1]
                if piece.size:
                    return piece
        return None


@dataclass(frozen=True)
class AwareDisc:
    """Put a disc of a radius drawn from shares of the crop's width on a keypoint, or, by chance, near it."""

    share: tuple[float, float] = (0.1, 0.2)
    shifted: float = 0.5

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:
        names = _labelled(crop, person)
        if names:
            name = names[rng.integers(len(names))]
            radius = rng.uniform(*self.share) * crop.pixels.shape[1]
            shift = 1.0 if rng.random() < self.shifted else 0.0
            yield Occluder(regions.KeypointDisc(name, radius, shift=shift, person=person), fills.black)


@dataclass(frozen=True, eq=False)
class Objects:
    """Paste some objects, each drawn, scaled and placed anew, anywhere in the crop."""

    things: Sequence[Object]
    count: tuple[int, int] = (1, 7)
    scale: tuple[float, float] = (0.2, 1.0)

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:  # noqa: ARG002
        height, width = crop.pixels.shape[:2]
        for _ in range(rng.integers(self.count[0], self.count[1] + 1)):
            thing = self.things[int(rng.integers(len(self.things)))]
            factor = rng.uniform(*self.scale) * min(width, height) / 256
            yield paste(resized(thing, factor), (rng.uniform(0, width), rng.uniform(0, height)))


@dataclass(frozen=True)
class Anywhere:
    """Put the same occluder on every crop; its region draws where."""

    region: Region
    fill: Fill

    def __call__(self, crop: Crop, person: int, rng: np.random.Generator) -> Iterator[Occluder]:  # noqa: ARG002
        yield Occluder(self.region, self.fill)


def targeted(
    *show: Literal["blur", "cutout"],
    on: Literal["keypoint", "part"] = "keypoint",
    chance: float = 0.5,
    removal: bool = False,
    everyone: bool = False,
) -> Augmentation:
    """Blur or cut out keypoints or parts, each with a chance of its own (Pytel et al. 2020, section IV, Table I).

    The blur's kernel is 9 on keypoints and 31 on parts, the cutout shows the mean; discs have radius 6 on a
    crop 192 wide. removal drops the labels of what is hidden. Departures of the released code: its keypoint
    kernel is 11, and removal reaches twice as far as the rectangle.
    """
    kernel = {"keypoint": 9, "part": 31}[on]
    looks: dict[str, Fill] = {"blur": fills.Blur(kernel, 0.0, WIDTH), "cutout": fills.mean}
    choose = {"keypoint": OneKeypoint, "part": OnePart}[on]
    return Augmentation(tuple(choose(looks[name]) for name in show), chance, None if removal else 1.0, everyone)


def several_keypoints(chance: float = 0.2, removal: bool = False, everyone: bool = False) -> Augmentation:
    """Blur or cut out up to five keypoints, each with a chance (Pytel et al. 2020, section IV)."""
    looks = (fills.mean, fills.Blur(9, 0.0, WIDTH))
    return Augmentation((SomeKeypoints(looks, 5, chance),), 1.0, None if removal else 1.0, everyone)


def part_mix(
    others: Sequence[Scene], chance: float = 0.5, removal: bool = False, everyone: bool = False
) -> Augmentation:
    """Show another person's part in place of one (Pytel et al. 2020, section IV, "PartMix"); its labels stay away."""
    return Augmentation((OtherPart(others),), chance, None if removal else 1.0, everyone)


def keypoint_aware() -> Augmentation:
    """Black out a disc on or near a random keypoint; the target is kept (Huang et al. 2020, section 3).

    The radius is a tenth to a fifth of the width; with a chance of a half the centre is shifted, here by a
    vector drawn evenly from the disc, which the paper leaves open, as it leaves open whether 0 means black.
    """
    return Augmentation((AwareDisc(),))


def pasted_objects(things: Sequence[Object]) -> Augmentation:
    """Paste 1 to 7 objects of 0.2 to 1 times their size, for crops of 256 (Sarandi et al. 2018, arXiv:1808.09316)."""
    return Augmentation((Objects(things),))


def dropping(region: Region, fill: Fill, chance: float = 1.0) -> Augmentation:
    """Drop a region that draws its own place, whoever stands there."""
    return Augmentation((Anywhere(region, fill),), chance)


def _labelled(crop: Crop, person: int) -> tuple[str, ...]:
    if person >= len(crop.people):
        return ()
    inside = crop.people[person].labelled
    return tuple(name for name, known in zip(crop.skeleton.keypoints, inside, strict=True) if known)


def _plain(augmentation: Augmentation, others: Sequence[Scene]) -> Augmentation:  # noqa: ARG001
    return augmentation


def _targeted() -> Iterator[tuple[str, Make]]:
    for looks, on, chance, removal in product(
        (("blur",), ("cutout",), ("blur", "cutout")), ("keypoint", "part"), (0.2, 0.5), (False, True)
    ):
        name = f"pytel_{'_'.join(looks)}_{on}_{chance:g}" + ("_removal" if removal else "")
        yield name, partial(_plain, targeted(*looks, on=on, chance=chance, removal=removal))  # type: ignore[arg-type]


Make = Callable[[Sequence[Scene]], Augmentation]

AUGMENTATIONS: dict[str, Make] = {
    **dict(_targeted()),
    "pytel_several_keypoints_0.2": partial(_plain, several_keypoints()),
    "pytel_part_mix_0.5": part_mix,
    "pytel_part_mix_0.5_removal": partial(part_mix, removal=True),
    "huang_keypoint_aware": partial(_plain, keypoint_aware()),
    "cutout": partial(_plain, dropping(regions.RandomSquare(16, width=32), fills.Constant())),
    "random_erasing": partial(_plain, dropping(regions.RandomRectangle(), fills.noise, 0.5)),
    "hide_and_seek": partial(_plain, dropping(regions.Cells(width=224), fills.Constant())),
    "grid_mask": partial(_plain, dropping(regions.Grid(width=224), fills.Constant(), 0.8)),
    "coarse_dropout": partial(_plain, dropping(regions.Hole(), fills.black)),
}
"""Augmentations by name, of other scenes; pasting objects needs objects and stands beside them."""
