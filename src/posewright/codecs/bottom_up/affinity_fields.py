"""Part affinity fields: vectors along limbs, drawn beside heatmaps in the two forms that networks learnt from.

Cao et al. 2019, "OpenPose", arXiv:1812.08008, section 3.2. Form A is that of tensorboy's code (commit 02174bc), form B
that of lightweight OpenPose (Osokin 2018, arXiv:1811.12004, commit d23c284). They differ in overlaps, borders, the
neck, and where shoulders are joined to. Both place map pixels at 8 j + 3.5 for keypoints, but at 8 j for limbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from posewright.codecs.bottom_up.whole import Everyone
from posewright.codecs.maps import Floats, Maps
from posewright.skeleton import Skeleton
from posewright.warp import Size

_SIDES = ("right", "left")
_FACE = ("right_eye", "left_eye", "right_ear", "left_ear")
_NAMES = (
    "nose",
    "neck",
    *(f"{side}_{joint}" for side in _SIDES for joint in ("shoulder", "elbow", "wrist")),
    *(f"{side}_{joint}" for side in _SIDES for joint in ("hip", "knee", "ankle")),
    *_FACE,
)


def _limbs(beside: str) -> tuple[tuple[str, str], ...]:
    chains = [f"neck {side}_hip {side}_knee {side}_ankle" for side in _SIDES]
    for side in _SIDES:
        chains += [f"neck {side}_shoulder {side}_elbow {side}_wrist", f"{side}_shoulder {side}_{beside}"]
    chains += ["neck nose", "nose right_eye", "nose left_eye", "right_eye right_ear", "left_eye left_ear"]
    return tuple(pair for chain in chains for pair in pairwise(chain.split()))


OPENPOSE = Skeleton("openpose_coco_18", _NAMES, _limbs("ear"))
"""OpenPose's 18 keypoints, and its limbs in the order of their fields."""
TENSORBOY = Skeleton("openpose_coco_18", _NAMES, _limbs("eye"))
"""The same, but with limbs from the shoulders to the eyes, as form A has them."""

SIGMA = 7.0
"""px of the picture."""
FARTHEST = 4.6052
"""-log of the smallest value that is drawn, 1/100."""
REACH = 4
"""Deviations, in form B."""
HALF_WIDTH = 1.0
"""Of a limb, map px."""


def limb_places(drawn: Skeleton) -> list[tuple[int, int]]:
    """Return the keypoints' numbers of each limb.

    >>> limb_places(OPENPOSE)[:3]
    [(1, 8), (8, 9), (9, 10)]
    """
    return [(drawn.keypoints.index(start), drawn.keypoints.index(end)) for start, end in drawn.limbs]


def drawn_keypoints(people: Everyone, skeleton: Skeleton, drawn: Skeleton, rounded: bool) -> Everyone:
    """Return people's keypoints in the order that is drawn, with a neck between the shoulders where there is none.

    The neck is there where both shoulders are; rounded: to a whole px, half to even, as form A and MultiPoseNet do.
    """
    order = skeleton.to(drawn)
    xy, labelled = people.xy[:, order].copy(), people.labelled[:, order] & (order >= 0)
    if "neck" in drawn.keypoints and "neck" not in skeleton.keypoints:
        neck = drawn.keypoints.index("neck")
        shoulders = [drawn.keypoints.index(f"{side}_shoulder") for side in _SIDES]
        middle = xy[:, shoulders].mean(1)
        xy[:, neck] = np.round(middle) if rounded else middle
        labelled[:, neck] = labelled[:, shoulders].all(1)
    return Everyone(np.where(labelled[..., None], xy, 0.0), labelled)


def inside(people: Everyone, size: Size) -> Everyone:
    """Leave out keypoints outside a picture of `size`: of one at its edge, [0, width) x [0, height) is inside."""
    within = ((people.xy >= 0) & (people.xy < size)).all(-1)
    return Everyone(people.xy, people.labelled & within)


def summed_bells(people: Everyone, size: Size, stride: int, sigma: float = SIGMA, boxed: bool = False) -> Maps:
    """Draw keypoints (P, K, 2) px as Gaussians, added up and cut at 1, and return maps (K, h, w) of `size`.

    Values below 1/100 are 0. boxed: only map pixels within 4 sigma along each axis, whole pixels counted, as form B.
    """
    maps = np.zeros((people.xy.shape[1], size[1], size[0]))
    middle = (stride - 1) / 2
    far = sigma * np.sqrt(2 * FARTHEST)
    for p, k in np.argwhere(people.labelled):
        place = people.xy[p, k]
        if boxed:
            low = np.maximum((place - REACH * sigma).astype(int), 0) // stride
            high = np.minimum((place + REACH * sigma).astype(int), np.multiply(size, stride)) // stride
        else:
            low = np.maximum(np.ceil((place - far - middle) / stride), 0).astype(int)
            high = np.minimum(np.floor((place + far - middle) / stride) + 1, size).astype(int)
        across, down = (np.arange(low[i], max(low[i], high[i])) * stride + middle - place[i] for i in (0, 1))
        away = (down[:, None] ** 2 + across**2) / (2 * sigma**2)
        maps[k, low[1] : low[1] + len(down), low[0] : low[0] + len(across)] += np.where(
            away <= FARTHEST, np.exp(-away), 0
        )
    return np.minimum(maps, 1.0).astype(np.float32)


def with_background(maps: Maps) -> Maps:
    """Put 1 - the largest value behind maps (K, h, w)."""
    return np.concatenate([maps, np.maximum(1 - maps.max(0, keepdims=True), 0)])


def averaged_fields(people: Everyone, limbs: Sequence[tuple[int, int]], size: Size, stride: int) -> Maps:
    """Draw limbs as form A does, and return (2 L, h, w): overlapping people are averaged."""
    total = np.zeros((len(limbs), 2, size[1], size[0]))
    count = np.zeros((len(limbs), 1, size[1], size[0]))
    for limb, ends in enumerate(limbs):
        for start, end in _ends(people, ends, stride):
            low, high = np.minimum(start, end), np.maximum(start, end)
            first = np.maximum(np.round(low - HALF_WIDTH), 0).astype(int)
            last = np.minimum(np.round(high + HALF_WIDTH), size).astype(int)
            rows, columns, near, unit = _along(start, end, first, last)
            inner = np.abs(near) < HALF_WIDTH
            total[limb, :, rows, columns] += inner * unit[:, None, None]
            count[limb, :, rows, columns] += inner
    return np.divide(total, count, out=total, where=count > 0).reshape(-1, *size[::-1]).astype(np.float32)


def overwritten_fields(
    people: Everyone, limbs: Sequence[tuple[int, int]], size: Size, stride: int, half_width: float = HALF_WIDTH
) -> Maps:
    """Draw limbs as form B does, and return (2 L, h, w): of overlapping people the last one counts."""
    fields = np.zeros((len(limbs), 2, size[1], size[0]), np.float32)
    for limb, ends in enumerate(limbs):
        for start, end in _ends(people, ends, stride):
            low, high = np.minimum(start, end), np.maximum(start, end)
            first = np.maximum(low - half_width, 0).astype(int)
            last = np.minimum(high + half_width, size).astype(int)
            rows, columns, near, unit = _along(start, end, first, last)
            part = fields[limb, :, rows, columns]
            part[:] = np.where(np.abs(near) <= half_width, unit[:, None, None], part)
    return fields.reshape(-1, *size[::-1])


def _ends(people: Everyone, ends: tuple[int, int], stride: int) -> list[tuple[Floats, Floats]]:
    """Return the two ends of a limb in map px, of everybody who has both, apart."""
    there = np.flatnonzero(people.labelled[:, list(ends)].all(1))
    pairs = [(xy[ends[0]] / stride, xy[ends[1]] / stride) for xy in people.xy[there]]
    return [(start, end) for start, end in pairs if (start != end).any()]


def _along(start: Floats, end: Floats, first: Floats, last: Floats) -> tuple[slice, slice, Floats, Floats]:
    """Return rows and columns of a window, how far its pixels lie beside the limb's line, and its unit vector."""
    unit = (end - start) / np.linalg.norm(end - start)
    x, y = np.arange(first[0], max(first[0], last[0])), np.arange(first[1], max(first[1], last[1]))
    near = (x - start[0]) * unit[1] - (y[:, None] - start[1]) * unit[0]
    return slice(first[1], first[1] + len(y)), slice(first[0], first[0] + len(x)), near, unit
