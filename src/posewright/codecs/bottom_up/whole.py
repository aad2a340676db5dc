"""Whole pictures: what the codecs that find everybody at once share.

Their unit is a picture. `encode` takes the people of each picture of a batch, and masks of what nobody labelled, and
returns fields with a leading axis of pictures; `decode` returns the people of each picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.maps import Floats, Grid, Maps, stacked
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Pictures = Sequence[Sequence[Person]]
"""The people of each picture, in its px."""
Unlabelled = Sequence[Flags | None] | NDArray[np.bool_] | None
"""For each picture where people are that nobody labelled (H, W), or None."""


@dataclass(frozen=True)
class WholeMaps(Grid):
    """Lay maps over whole pictures; each paper says how it draws and groups."""

    whole: ClassVar[bool] = True
    """Its unit is a picture: see `codecs.codec.is_whole`."""
    tolerance: ClassVar[float]
    """px along each axis, at the defaults: how near decode of encode comes to the people."""
    apart: ClassVar[float]
    """px between keypoints of one kind from which on decode of encode swaps nobody."""
    mirror_tolerance: ClassVar[float]
    """px: how near the people of a mirrored picture, mirrored back, come to the picture's."""

    def together(self, answers: Sequence[tuple[float, Any]]) -> Any:
        """Put fields of one picture at several scales together: (scale, fields), 1 among them.

        Maps are enlarged to those at scale 1, and their mean is taken; all else is what scale 1 says.
        """
        own = at_scale_one(answers)
        size = own.maps.shape[-1], own.maps.shape[-2]
        means = {
            name: sum((enlarged(getattr(fields, name), size) for _, fields in answers), np.float32(0)) / len(answers)
            for name in ("maps", "limbs", "silhouettes")
            if getattr(own, name, None) is not None
        }
        return own._replace(**means)


def at_scale_one(answers: Sequence[tuple[float, Any]]) -> Any:
    """Return the fields at scale 1, or at the only scale; raises ValueError where there are several without it."""
    own = [fields for scale, fields in answers if scale == 1 or len(answers) == 1]
    if not own:
        raise ValueError(f"scales must have 1 among them, not {[scale for scale, _ in answers]}")
    return own[0]


class Everyone(NamedTuple):
    """Hold the labelled people of one picture: xy (P, K, 2) px, 0 where absent; labelled (P, K)."""

    xy: Floats
    labelled: Flags


def is_labelled(person: Person) -> bool:
    """Tell whether a person has a keypoint to be drawn: no crowd, no box alone."""
    return not person.crowd and bool(person.labelled.any())


def everyone(people: Sequence[Person], skeleton: Skeleton) -> Everyone:
    """Stack the labelled people of a picture; raises ValueError for another skeleton."""
    return Everyone(*stacked([person for person in people if is_labelled(person)], skeleton))


def masks(pictures: Pictures, unlabelled: Unlabelled, size: Size, map_size: Size) -> Maps:
    """Return (B, 1, h, w): 1 where a pixel counts, 0 where crowds and people without keypoints are.

    Of those the mask counts, or else the box. A map pixel is left out where half or more of what it covers is.
    Raises ValueError where masks and pictures disagree.
    """
    given: Sequence[Flags | None] = [None] * len(pictures) if unlabelled is None else list(unlabelled)
    if len(given) != len(pictures):
        raise ValueError(f"{len(given)} masks of what is not labelled for {len(pictures)} pictures")
    counted = np.ones((len(pictures), 1, map_size[1], map_size[0]), np.float32)
    for people, mask, target in zip(pictures, given, counted, strict=True):
        hidden = left_out(people, mask, size)
        if hidden is not None:
            target[0] = ~covered(hidden, map_size)
    return counted


def covered(mask: Flags, map_size: Size) -> Flags:
    """Return which pixels (h, w) of a map a mask (H, W) covers by half or more."""
    return np.asarray(cv2.resize(mask.astype(np.float32), map_size, interpolation=cv2.INTER_AREA)) >= 0.5


def left_out(people: Sequence[Person], unlabelled: Flags | None, size: Size) -> Flags | None:
    """Return where (H, W) a picture of `size` shows people that nobody labelled, or None for nowhere."""
    width, height = size
    hidden = np.zeros((height, width), bool)
    if unlabelled is not None:
        if np.shape(unlabelled) != hidden.shape:
            raise ValueError(f"the mask of what is not labelled must be {hidden.shape}, not {np.shape(unlabelled)}")
        hidden |= unlabelled
    for person in people:
        if is_labelled(person):
            continue
        if person.mask is not None and person.mask.shape == hidden.shape:
            hidden |= person.mask
        elif person.box is not None:
            x0, y0, x1, y1 = np.round(np.clip(person.box, 0, [width, height] * 2)).astype(int)
            hidden[y0:y1, x0:x1] = True
    return hidden if hidden.any() else None


def one_person(xy: ArrayLike, scores: ArrayLike, score: float, box: ArrayLike | None = None) -> Person:
    """Make a person found: keypoints (K, 2) px, NaN where absent; scores (K,) and score are cut to [0, 1]."""
    xy, scores = np.array(xy, np.float64), np.clip(np.asarray(scores, np.float64), 0, 1)
    scores = np.where(np.isfinite(xy).all(-1), scores, 0.0)
    return Person(
        xy, scores=scores, score=float(np.clip(score, 0, 1)), box=None if box is None else np.array(box, np.float64)
    )


def finite(maps: Any) -> Maps:
    """Return maps (..., h, w) as float32; what is no finite number becomes 0."""
    maps = np.asarray(maps, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        total = maps.sum()
    return maps if np.isfinite(total) else np.nan_to_num(maps, nan=0.0, posinf=0.0, neginf=0.0)


def checked(maps: Any, skeleton: Skeleton, beside: int = 0) -> Maps:
    """Return a batch of maps (B, K + beside, h, w) as float32; raises ValueError for another shape."""
    maps = np.asarray(maps, np.float32)
    count = len(skeleton) + beside
    if maps.ndim != 4 or maps.shape[1] != count:
        raise ValueError(f"maps must be (B, {count}, h, w) for {skeleton.name}, not {maps.shape}")
    return finite(maps)


def enlarged(maps: Maps, size: Size) -> Maps:
    """Resample maps (..., h, w) bilinearly to `size`, centres of pixels aligned; those of that size return as are."""
    if (maps.shape[-1], maps.shape[-2]) == size:
        return maps
    flat = maps.reshape(-1, *maps.shape[-2:])
    resized = np.empty((len(flat), size[1], size[0]), np.float32)
    for one, to in zip(flat, resized, strict=True):
        cv2.resize(one, size, dst=to, interpolation=cv2.INTER_LINEAR)
    return resized.reshape(*maps.shape[:-2], size[1], size[0])
