"""Attacks: which occluders a study sets, after Pytel et al. 2020 (arXiv:2010.10451, section III)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from posewright.occlusion import Augmentation
from posewright.occlusion.choices import OneKeypoint, OneObject
from posewright.occlusion.objects import Object
from posewright.occlusion.presets import ATTACKS, RADII, RADIUS, keypoint_attack, part_attack
from posewright.scene import Crop
from posewright.skeleton import Skeleton

Kind = Literal["keypoints", "parts", "radii", "objects", "own"]
KINDS: tuple[Kind, ...] = ("keypoints", "parts", "radii")
"""The kinds that `standard_attacks` lists; objects are of `object_attacks`, an own one is the caller's occluder."""
SWEPT: tuple[Kind, ...] = ("radii", "objects")
"""Kinds that are told size by size."""
SIZES = (0.1, 0.2, 0.4)
"""Of objects, as shares of the crop's width or of the person's height."""
SizedBy = Literal["width", "height"]
BY_HEIGHT = "_by_height"
"""Ends the fill's name of objects whose size is a share of the person's height."""
Hide = Callable[[Crop, np.random.Generator], Crop]
CLEAN = "clean"
"""What is called so is no attack."""
_NAME = re.compile(r"[\w+-][\w.+-]*", re.ASCII)


@dataclass(frozen=True)
class Attack:
    """Name one occluder of a study: what it is aimed at (a keypoint, a part, or any keypoint) and what it shows.

    radius: px of a disc on a crop 192 wide, of an object its size as a share; None where there is neither.
    hide(crop, rng) puts it on the crop's first person; the same rng draws the same keypoint whatever the radius and the
    fill.
    """

    kind: Kind
    target: str
    fill: str
    radius: float | None
    hide: Hide = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """What its files and rows are called, as in keypoints-left_knee-blur-6; an own one has its own name."""
        if self.kind == "own":
            return self.target
        words = [self.kind, self.target, self.fill] + ([] if self.radius is None else [f"{self.radius:g}"])
        return "-".join(words)

    @property
    def at_hand(self) -> bool:
        """Whether it can be set: of an own one, or of objects, that are read from disk only the name is left."""
        return not isinstance(self.hide, _Lost)


def standard_attacks(
    skeleton: Skeleton,
    kinds: Iterable[str] = KINDS,
    fills: Sequence[str] = tuple(ATTACKS),
    radii: Sequence[float] = RADII,
) -> list[Attack]:
    """List the attacks on a skeleton: each keypoint, each part, and any keypoint at each radius, with each fill.

    Raises ValueError for a kind or a fill that there is not, a radius that is none, and parts of a skeleton
    without any.

    >>> from posewright.skeleton import COCO
    >>> [attack.name for attack in standard_attacks(COCO, ["radii"], ["blur"], [6, 18])]
    ['radii-any-blur-6', 'radii-any-blur-18']
    """
    found = []
    for kind in _known("attack", kinds, KINDS):
        for fill in _known("fill", fills, tuple(ATTACKS)):
            if kind == "keypoints":
                found += [attack_of(kind, name, fill, RADIUS) for name in skeleton.keypoints]
            elif kind == "parts":
                found += [attack_of(kind, part, fill, None) for part in _parts(skeleton)]
            else:
                found += [attack_of(kind, "any", fill, radius) for radius in _positive(radii)]
    return found


def object_attacks(
    things: Sequence[Object], name: str, sizes: Sequence[float] = SIZES, by: SizedBy = "width"
) -> list[Attack]:
    """List attacks by real occluders: an object over a keypoint, both drawn for each person, at each size.

    things: cut-outs (h, w, 4) uint8, such as `read_cut_outs` reads; name: what they are called, as their fill. The
    keypoint is the one that the discs of every radius cover, by the same seed. Raises ValueError for a size that is
    none, or without things.
    """
    if not things:
        raise ValueError(f"{name}: there is no object to hide people behind")
    if not sizes or not all(0 < size < np.inf for size in sizes):
        raise ValueError(f"sizes must be shares above 0, not {', '.join(f'{s:g}' for s in sizes) or 'none'}")
    fill = (re.sub(r"[^\w+]+", "_", name, flags=re.ASCII).strip("_") or "objects") + BY_HEIGHT * (by == "height")
    return [
        Attack("objects", "any", fill, float(size), Augmentation((OneObject(things, size, by),)))
        for size in dict.fromkeys(sizes)
    ]


def attack_of(kind: str, target: str, fill: str, radius: float | None) -> Attack:
    """Make an attack of its description; one whose occluder only its caller has refuses to hide anything."""
    if kind == "keypoints" and radius is not None:
        return Attack("keypoints", target, fill, radius, keypoint_attack(target, fill, radius))
    if kind == "parts":
        return Attack("parts", target, fill, radius, part_attack(target, fill))
    if kind == "radii" and radius is not None:
        return Attack("radii", target, fill, radius, Augmentation((OneKeypoint(ATTACKS[fill], radius),)))
    if kind == "objects" and radius is not None:
        return Attack("objects", target, fill, radius, _Lost(f"objects of {fill}"))
    return Attack("own", target, fill, radius, _Lost(target))


def chosen(occluders: Mapping[str, Hide] | Iterable[Attack] | None, skeleton: Skeleton) -> list[Attack]:
    """Return the attacks that a study is given: its own by name, listed ones, or all; raises ValueError.

    Names are names of files: letters, digits, and any of _ + - . that is no leading dot.
    """
    if occluders is None:
        return standard_attacks(skeleton)
    if isinstance(occluders, Mapping):
        found = [Attack("own", name, "", None, hide) for name, hide in occluders.items()]
    else:
        found = list(occluders)
    names = [attack.name for attack in found]
    for name in names:
        if not _NAME.fullmatch(name) or name == CLEAN or names.count(name) > 1:
            wrong = "stands twice" if names.count(name) > 1 else "cannot be the name of an attack's files"
            raise ValueError(f"attack {name!r} {wrong}; give each a name of its own, such as left_knee-blur")
    if not found:
        raise ValueError("there is no attack; give at least one occluder")
    return found


@dataclass(frozen=True)
class _Lost:
    name: str

    def __call__(self, crop: Crop, rng: np.random.Generator) -> Crop:  # noqa: ARG002
        raise ValueError(f"{self.name}: a study on disk does not hold its caller's occluders")


def _known(what: str, given: Iterable[str], there: Sequence[str]) -> list[str]:
    words = list(dict.fromkeys(given))
    strange = [word for word in words if word not in there]
    if strange or not words:
        raise ValueError(f"no {what} {', '.join(strange) or 'named'}; there are {', '.join(there)}")
    return words


def _parts(skeleton: Skeleton) -> list[str]:
    if not skeleton.parts:
        raise ValueError(f"{skeleton.name} has no body part of two keypoints or more, so there is none to hide")
    return list(skeleton.parts)


def _positive(radii: Sequence[float]) -> list[float]:
    if not radii or not all(0 < radius < np.inf for radius in radii):
        raise ValueError(f"radii must be px above 0, not {', '.join(f'{radius:g}' for radius in radii) or 'none'}")
    return [float(radius) for radius in dict.fromkeys(radii)]
