"""Presets: the attacks and augmentations of the papers, with their exact parameters.

An attack is one occluder, set. An augmentation is a function of other scenes, which only those need that
borrow pixels from them, and draws anew for every crop. Chances, sizes and kernels are the papers'; where a
paper leaves one open, its preset says what was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Literal

from posewright.occlusion import fills, regions
from posewright.occlusion.augmentation import Augmentation
from posewright.occlusion.choices import (
    RADIUS,
    WIDTH,
    Anywhere,
    AwareDisc,
    Objects,
    OneKeypoint,
    OnePart,
    OtherPart,
    OthersPart,
    SomeKeypoints,
)
from posewright.occlusion.objects import Object
from posewright.occlusion.occluder import Fill, Occluder, Region
from posewright.scene import Scene

__all__ = [
    "ALL_BUT_HIPS",
    "ATTACKS",
    "AUGMENTATIONS",
    "LIMBS_AND_HIPS",
    "RADII",
    "RADIUS",
    "WIDTH",
    "Make",
    "OneKeypoint",
    "dropping",
    "keypoint_attack",
    "keypoint_aware",
    "part_attack",
    "part_mix",
    "pasted_objects",
    "pasted_parts",
    "several_keypoints",
    "targeted",
]

RADII = (3.0, 6.0, 9.0, 12.0, 15.0, 18.0)
"""px of the discs that are swept; the paper's default is 6 and its largest 18."""
ATTACKS: Mapping[str, Fill] = {
    "blackout": fills.black,
    "meanout": fills.mean,
    "blur": fills.Blur(31, 5.0, WIDTH),
    "surroundings": fills.Surroundings(3.0, WIDTH),
}
"""The fills of the attacks: the paper's by its names, and one that does not stand out, which is posewright's own."""


LIMBS_AND_HIPS = ("left_arm", "right_arm", "hips", "left_leg", "right_leg")
"""Parts that the code released with Pytel et al. 2020 (commit 6a21650) draws from, against the paper's words."""
ALL_BUT_HIPS = ("head", "left_arm", "right_arm", "left_leg", "right_leg", "corpus")
"""Parts that its PartMix draws from."""


def keypoint_attack(keypoint: str, fill: str = "blackout", radius: float = RADIUS) -> Occluder:
    """Cover a disc on one keypoint (Pytel et al. 2020, arXiv:2010.10451, section III)."""
    return Occluder(regions.KeypointDisc(keypoint, radius, WIDTH), ATTACKS[fill])


def part_attack(part: str, fill: str = "blackout") -> Occluder:
    """Cover the rectangle of a body part (Pytel et al. 2020, section III)."""
    return Occluder(regions.PartRectangle(part), ATTACKS[fill])


def targeted(
    *show: Literal["blur", "cutout"],
    on: Literal["keypoint", "part"] = "keypoint",
    chance: float = 0.5,
    removal: bool = False,
    everyone: bool = False,
    parts: tuple[str, ...] = (),
) -> Augmentation:
    """Blur or cut out keypoints or parts, each with a chance of its own (Pytel et al. 2020, section IV, Table I).

    The blur's kernel is 9 on keypoints and 31 on parts, the cutout shows the mean; discs have radius 6 on a
    crop 192 wide. removal drops the labels of what is hidden. parts: to draw from, by default all small ones, "such as
    head, arms, hips". Departures of the released code: its keypoint kernel is 11, removal reaches twice as far as
    the rectangle, and neither head nor corpus is drawn (parts=LIMBS_AND_HIPS).
    """
    kernel = {"keypoint": 9, "part": 31}[on]
    looks: dict[str, Fill] = {"blur": fills.Blur(kernel, 0.0, WIDTH), "cutout": fills.mean}
    choices = tuple(OneKeypoint(looks[name]) if on == "keypoint" else OnePart(looks[name], parts) for name in show)
    return Augmentation(choices, chance, None if removal else 1.0, everyone)


def several_keypoints(chance: float = 0.2, removal: bool = False, everyone: bool = False) -> Augmentation:
    """Blur or cut out up to five keypoints, each with a chance (Pytel et al. 2020, section IV)."""
    looks = (fills.mean, fills.Blur(9, 0.0, WIDTH))
    return Augmentation((SomeKeypoints(looks, 5, chance),), 1.0, None if removal else 1.0, everyone)


def part_mix(
    others: Sequence[Scene],
    chance: float = 0.5,
    removal: bool = False,
    everyone: bool = False,
    parts: tuple[str, ...] = (),
) -> Augmentation:
    """Show another person's part in place of one (Pytel et al. 2020, section IV, "PartMix"); its labels stay away.

    parts: to draw from, by default all small ones; the released code leaves the hips out (parts=ALL_BUT_HIPS).
    """
    return Augmentation((OtherPart(others, parts),), chance, None if removal else 1.0, everyone)


def keypoint_aware() -> Augmentation:
    """Black out a disc on or near a random keypoint; the target is kept (Huang et al. 2020, section 3).

    The radius is a tenth to a fifth of the width; with a chance of a half the centre is shifted, here by a
    vector drawn evenly from the disc, which the paper leaves open. Its pixels "are set to 0", which is black here
    and not the zero of normalised space: the authors' released pipelines hide before they normalise. Those pipelines do
    something else: an ellipse of radii .2 x (1 to 2) of the width lies anywhere, on keypoints or not, while UDPv1's
    weights are trained on for 150 epochs at 3e-3 (their README's AP .779).
    """
    return Augmentation((AwareDisc(),))


def pasted_objects(things: Sequence[Object]) -> Augmentation:
    """Paste 1 to 7 objects of 0.2 to 1 times their size, for crops of 256 (Sarandi et al. 2018, arXiv:1808.09316)."""
    return Augmentation((Objects(things),))


def pasted_parts(others: Sequence[Scene]) -> Augmentation:
    """Paste a part of another person over a keypoint: posewright's own, PartMix with shapes instead of rectangles."""
    return Augmentation((OthersPart(others),), 0.5)


def dropping(region: Region, fill: Fill, chance: float = 1.0) -> Augmentation:
    """Drop a region that draws its own place, whoever stands there."""
    return Augmentation((Anywhere(region, fill),), chance)


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
    "pytel_several_keypoints_0.2_removal": partial(_plain, several_keypoints(removal=True)),
    "pytel_part_mix_0.5": part_mix,
    "pytel_part_mix_0.5_removal": partial(part_mix, removal=True),
    "huang_keypoint_aware": partial(_plain, keypoint_aware()),
    "cutout": partial(_plain, dropping(regions.RandomSquare(16, width=32), fills.Constant())),
    "random_erasing": partial(_plain, dropping(regions.RandomRectangle(), fills.noise, 0.5)),
    "hide_and_seek": partial(_plain, dropping(regions.Cells(width=224), fills.Constant())),
    "grid_mask": partial(_plain, dropping(regions.Grid(width=224), fills.Constant(), 0.8)),
    "parts_of_others": pasted_parts,
    "coarse_dropout": partial(_plain, dropping(regions.Hole(), fills.black)),
}
"""Augmentations by name, of other scenes. Pasting objects needs objects, which are the caller's."""
