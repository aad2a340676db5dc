"""Associative embedding: heatmaps of everybody, and a tag beside each that says whose keypoint it is.

Newell, Huang and Deng 2017, "Associative Embedding: End-to-End Learning for Joint Detection and Grouping",
arXiv:1611.05424, by the authors' code (pose-ae-train, commit 3c80a16).

This code base takes picture px to map px by x / stride, and drops the fraction: a map pixel stands for what lies right
of and below it, so a mirrored picture's maps are the mirrored maps only where keypoints lie off the pixels' edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright.codecs.bottom_up.tag_grouping import Rules, group, order_of
from posewright.codecs.bottom_up.whole import (
    Everyone,
    Pictures,
    Unlabelled,
    WholeMaps,
    at_scale_one,
    checked,
    enlarged,
    everyone,
    finite,
    masks,
    one_person,
)
from posewright.codecs.maps import Floats, Maps, mirrored
from posewright.fields import Tagged, Tags
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size

RULES = Rules(window=3, closed=True, averaged=True)


@dataclass(frozen=True)
class AssociativeEmbedding(WholeMaps):
    """Draw each keypoint of everybody as a Gaussian, and group its peaks by tags.

    size (width, height) px of the pictures; sigma map px, by default 1/64 of the maps' longer side; most: how many
    people have their tags learnt (the code's 30); rules: of the grouping; those
    of the code itself, which tell filled-in keypoints as certain, are `RULES._replace(slipped=True)`.
    """

    size: Size = (512, 512)
    sigma: float | None = None
    most: int = 30
    rules: Rules = RULES

    tolerance: ClassVar[float] = 3.0
    """A place is told to a quarter of a map px, of one that the target has cut to a whole px."""
    apart: ClassVar[float] = 24.0
    mirror_tolerance: ClassVar[float] = 5.0

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Tagged:
        """Everybody in B pictures, in px, to maps (B, K, h, w), masks (B, 1, h, w), places (B, most, K).

        Of more than `most` people all are drawn, and the first have their tags learnt.
        """
        sigma = max(self.map_size) / 64 if self.sigma is None else self.sigma
        seen = [on_maps(everyone(people, self.skeleton), self.stride) for people in pictures]
        maps = np.array([tag_heatmaps(*each, self.map_size, sigma) for each in seen])
        places = np.array([tag_places(*each, self.map_size, self.most) for each in seen])
        shape = (len(pictures), len(self.skeleton))
        return Tagged(
            maps.reshape(*shape, *self.map_size[::-1]),
            masks(pictures, unlabelled, self.size, self.map_size),
            places.reshape(len(pictures), self.most, shape[1]),
        )

    def decode(self, fields: Tags) -> list[list[Person]]:
        """Maps (B, K, h, w) and tags (B, T, K, h, w), of whichever resolution, to the people of each picture, in px."""
        return grouped(fields, self.skeleton, self.size[0] / fields.maps.shape[-1], self.rules)

    def together(self, answers: Sequence[tuple[float, Tags]]) -> Tags:
        """Put fields of one picture at several scales together, at the largest one's resolution, as the authors do."""
        return over_scales(answers)

    def perfect(self, target: Tagged) -> Tags:
        """Return what a perfect network would say: the target's maps, and tags that differ by 10 between people."""
        return Tags(target.maps, drawn_tags(target.places, self.map_size))

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; of a target also the places."""
        return mirror_tagged(fields, self.skeleton)


def over_scales(answers: Sequence[tuple[float, Tags]], size: Size | None = None) -> Tags:
    """Return the mean of heatmaps of one picture at several scales, with the tags of scale 1.

    size (w, h): what all are enlarged to (the picture as the network saw it at scale 1, as HigherHRNet is released);
    None for the largest scale's maps, in the code's order, largest scale first. Raises ValueError where no scale is 1,
    of several.
    """
    answers = sorted(answers, key=lambda answer: -answer[0])
    tags = at_scale_one(answers).tags
    to = size or (answers[0][1].maps.shape[-1], answers[0][1].maps.shape[-2])
    total: Maps = sum((enlarged(fields.maps, to) for _, fields in answers), np.float32(0))
    return Tags(total / np.float32(len(answers)), enlarged(tags, to))


def on_maps(people: Everyone, stride: float) -> Everyone:
    """Take picture px to map px as this code base does."""
    return Everyone(people.xy / stride, people.labelled)


def tag_heatmaps(xy: Floats, labelled: NDArray[np.bool_], size: Size, sigma: ArrayLike) -> Maps:
    """Draw keypoints (P, K, 2) map px of everybody, the larger value winning, and return (K, h, w).

    sigma px, or one a person (P,) for the scale-aware maps of HigherHRNet's code. Places are cut to whole px; one
    outside is not drawn. Source: HeatmapGenerator and ScaleAwareHeatmapGenerator.
    """
    maps = np.zeros((xy.shape[1], size[1], size[0]), np.float32)
    cut = np.trunc(xy).astype(int)
    drawn = labelled & ((cut >= 0) & (cut < size)).all(-1)
    for p, k in np.argwhere(drawn):
        s = np.broadcast_to(sigma, len(xy))[p]
        first, last = (np.round(cut[p, k] + end).astype(int) for end in (-3 * s - 1, 3 * s + 2))
        low, high = np.maximum(first, 0), np.minimum(last, size)
        lines = [
            np.exp(-((np.arange(a, b) - f - 3 * s - 1) ** 2) / (2 * s**2))
            for a, b, f in zip(low, high, first, strict=False)
        ]
        part = maps[k, low[1] : high[1], low[0] : high[0]]
        np.maximum(part, lines[1][:, None] * lines[0], out=part, casting="same_kind")
    return maps


def tag_places(xy: Floats, labelled: NDArray[np.bool_], size: Size, most: int) -> NDArray[np.int64]:
    """Return where (most, K) keypoints (P, K, 2) map px lie in their maps, y w + x; -1 where absent or outside."""
    cut = np.trunc(xy).astype(np.int64)
    inside = labelled & ((cut >= 0) & (cut < size)).all(-1)
    places = np.full((most, xy.shape[1]), -1, np.int64)
    kept = np.where(inside, cut[..., 1] * size[0] + cut[..., 0], -1)[inside.any(1)][:most]
    places[: len(kept)] = kept
    return places


def drawn_tags(places: NDArray[np.int64], size: Size, apart: float = 10.0) -> Maps:
    """Return tags (B, 1, K, h, w) of `size`: at each pixel that of the person whose keypoint is nearest.

    places (B, P, K) as in `Tagged`; a person's tag is `apart` times their number; maps without a keypoint are 0.
    """
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    tags = np.zeros((len(places), 1, places.shape[2], size[1], size[0]), np.float32)
    for picture, person in zip(tags[:, 0], places, strict=True):
        for k, one in enumerate(picture):
            there = np.flatnonzero(person[:, k] >= 0)
            if len(there):
                rows, columns = np.divmod(person[there, k], size[0])
                away = [(x - column) ** 2 + (y - row) ** 2 for row, column in zip(rows, columns, strict=True)]
                one[:] = apart * there[np.argmin(away, axis=0)]
    return tags


def grouped(fields: Tags, skeleton: Skeleton, stride: float, rules: Rules) -> list[list[Person]]:
    """Group each picture's peaks by tags, and return its people in px; raises ValueError for other shapes."""
    maps, tags = checked(fields.maps, skeleton), finite(fields.tags)
    if tags.ndim != 5 or (tags.shape[0], *tags.shape[2:]) != maps.shape or not tags.shape[1]:
        raise ValueError(f"tags must be (B, T, K, h, w) beside maps {maps.shape}, not {tags.shape}")
    order, found = order_of(skeleton), []
    for one, its_tags in zip(maps, tags, strict=True):
        rows, scores = group(one, its_tags, order, rules)
        xy = np.where(rows[..., 2:3] > 0, rows[..., :2] * stride, np.nan)
        found.append([one_person(*each) for each in zip(xy, rows[..., 2], scores.tolist(), strict=True)])
    return found


def mirror_tagged(fields: Any, skeleton: Skeleton) -> Any:
    """Mirror every array of maps in fields of tags, and places with them."""
    width = fields.maps.shape[-1]
    changed = {
        name: value[..., ::-1] if "mask" in name and value.shape[-3] == 1 else mirrored(value, skeleton)
        for name, value in fields._asdict().items()
        if name != "places" and value is not None
    }
    if "places" in fields._fields:
        y, x = np.divmod(fields.places[..., skeleton.mirror], width)
        changed["places"] = np.where(fields.places[..., skeleton.mirror] >= 0, y * width + width - 1 - x, -1)
    return fields._replace(**changed)
