"""OpenPose and its lightweight form: heatmaps and part affinity fields of everybody.

Cao et al. 2019, "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", arXiv:1812.08008, and
Osokin 2018, arXiv:1811.12004. What a network says at 1/8 of the resolution is read at the picture's: enlarged with
cubic interpolation, of heatmaps only around what may be a peak, of fields only where a limb may run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import cv2
import numpy as np

from posewright.codecs.bottom_up.affinity_fields import (
    OPENPOSE,
    averaged_fields,
    drawn_keypoints,
    inside,
    limb_places,
    overwritten_fields,
    summed_bells,
    with_background,
)
from posewright.codecs.bottom_up.affinity_parsing import (
    Grouped,
    Peaks,
    Read,
    assemble,
    assemble_lightly,
    connect,
    connect_lightly,
    thinned_peaks,
)
from posewright.codecs.bottom_up.whole import (
    Everyone,
    Pictures,
    Places,
    Unlabelled,
    WholeMaps,
    checked,
    everyone,
    finite,
    masks,
    one_person,
)
from posewright.codecs.efficientpose import bell_taps
from posewright.codecs.maps import Floats, Maps
from posewright.fields import Limbs
from posewright.scene import Person
from posewright.skeleton import Skeleton
from posewright.warp import Size

SMOOTH, LEAST = 3.0, 0.1
"""px of the filter before peaks are found, and what a smoothed peak must exceed."""
NEARLY = 0.8
"""A cell is searched for peaks where the smoothed map at its middle is so much of its neighbours' largest."""
BORDER = 2
"""Rows that cubic interpolation reads beyond a field, where its border is repeated."""
_ARMS = ("shoulder", "elbow", "wrist")


@dataclass(frozen=True)
class OpenPose(WholeMaps):
    """Draw everybody's keypoints and limbs, and group peaks along the limbs.

    size (width, height) px of the pictures; drawn: the keypoints that are drawn and their limbs, a tree with a few
    limbs beside it; `skeleton` is what people have. Targets are those of form A of `affinity_fields`, with OpenPose's
    limbs.
    """

    size: Size = (368, 368)
    stride: int = 8
    drawn: Skeleton = OPENPOSE

    tolerance: ClassVar[float] = 1.0
    """Peaks are told to a whole px, from maps of an eighth."""
    apart: ClassVar[float] = 48.0
    mirror_tolerance: ClassVar[float] = 1.0
    rounded: ClassVar[bool] = True

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Limbs:
        """Everybody in B pictures, in px, to maps (B, K + 1, h, w), background last, limbs (B, 2 L, h, w), a mask."""
        drawn = [self.keypoints(everyone(people, self.skeleton)) for people in pictures]
        maps = [self.heatmaps(people) for people in drawn]
        limbs = [self.fields(people) for people in drawn]
        h, w = self.map_size[::-1]
        return Limbs(
            np.array(maps, np.float32).reshape(len(maps), len(self.drawn) + 1, h, w),
            np.array(limbs, np.float32).reshape(len(maps), 2 * len(self.drawn.limbs), h, w),
            masks(pictures, unlabelled, self.size, self.map_size),
        )

    def keypoints(self, people: Everyone) -> Everyone:
        """Return what is drawn of people: in its own order, with a neck, inside the picture."""
        return inside(drawn_keypoints(inside(people, self.size), self.skeleton, self.drawn, self.rounded), self.size)

    def heatmaps(self, people: Everyone) -> Maps:
        """Draw keypoints and the background (K + 1, h, w)."""
        return with_background(summed_bells(people, self.map_size, self.stride))

    def fields(self, people: Everyone) -> Maps:
        """Draw limbs (2 L, h, w)."""
        return averaged_fields(people, limb_places(self.drawn), self.map_size, self.stride)

    def decode(self, fields: Limbs) -> list[list[Person]]:
        """Maps (B, K + 1, h, w) and limbs (B, 2 L, h, w) to the people of each picture, in px.

        A person's score is the mean of the scores of keypoints and connections.
        """
        maps, limbs = checked(fields.maps, self.drawn, 1), finite(fields.limbs)
        if limbs.shape != (len(maps), 2 * len(self.drawn.limbs), *maps.shape[2:]):
            raise ValueError(f"limbs must be {2 * len(self.drawn.limbs)} maps beside {maps.shape}, not {limbs.shape}")
        return [self.people(*each) for each in zip(maps[:, :-1], limbs, strict=True)]

    def people(self, maps: Maps, limbs: Maps) -> list[Person]:
        """Find the people in maps (K, h, w) and limbs (2 L, h, w) of one picture."""
        order, places = evaluation_order(self.drawn), limb_places(self.drawn)
        ends = [places[limb] for limb in order]
        peaks = self.peaks(maps)
        return self.told(peaks, self.grouped(peaks, ends, enlarging_reader(limbs, order, self.stride)))

    def peaks(self, maps: Maps) -> list[Peaks]:
        """Find peaks (K) of maps (K, h, w), in px of the picture."""
        return enlarged_peaks(maps, self.stride)

    def grouped(self, peaks: Sequence[Peaks], ends: Sequence[tuple[int, int]], read: Read) -> Grouped:
        """Group peaks (K) along limbs between `ends`."""
        return assemble(peaks, ends, connect(peaks, ends, read, self.size[1]), free_limbs(self.drawn))

    def told(self, peaks: Sequence[Peaks], grouped: Grouped) -> list[Person]:
        """Make people of peaks, with the keypoints that people have here."""
        flat = np.concatenate([np.stack([one.x, one.y, one.score], -1) for one in peaks])
        flat = np.concatenate([flat, [[np.nan, np.nan, 0]]])
        order = self.drawn.to(self.skeleton)
        found = []
        for row, total, count in zip(grouped.peaks, grouped.total, grouped.parts, strict=True):
            values = flat[np.where(order >= 0, row[order], -1)]
            found.append(one_person(values[:, :2], values[:, 2], total / max(2 * count - 1, 1)))
        return [person for person in found if person.labelled.any()]

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; what pointed right points left."""
        order = np.append(self.drawn.mirror, len(self.drawn))
        limbs = fields.limbs.reshape(*fields.limbs.shape[:-3], -1, 2, *fields.limbs.shape[-2:])
        limbs = limbs[..., mirrored_limbs(self.drawn), :, :, ::-1] * np.array([-1, 1], np.float32)[:, None, None]
        mask = None if fields.mask is None else fields.mask[..., ::-1]
        return Limbs(fields.maps[..., order, :, ::-1], limbs.reshape(fields.limbs.shape), mask)


@dataclass(frozen=True)
class LightweightOpenPose(OpenPose):
    """Draw limbs that overwrite each other, form B of `affinity_fields`, and group peaks with fewer questions asked."""

    tolerance: ClassVar[float] = 2.0
    rounded: ClassVar[bool] = False

    def heatmaps(self, people: Everyone) -> Maps:
        """Draw keypoints and the background (K + 1, h, w)."""
        return with_background(summed_bells(people, self.map_size, self.stride, boxed=True))

    def fields(self, people: Everyone) -> Maps:
        """Draw limbs (2 L, h, w)."""
        return overwritten_fields(people, limb_places(self.drawn), self.map_size, self.stride)

    def peaks(self, maps: Maps) -> list[Peaks]:
        """Find peaks (K) of maps (K, h, w), enlarged to the picture with cubic interpolation, in px."""
        size = (maps.shape[2] * self.stride, maps.shape[1] * self.stride)
        return thinned_peaks(np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in maps]))

    def grouped(self, peaks: Sequence[Peaks], ends: Sequence[tuple[int, int]], read: Read) -> Grouped:
        """Group peaks (K) along limbs between `ends`."""
        return assemble_lightly(peaks, ends, connect_lightly(peaks, ends, read), free_limbs(self.drawn))


def evaluation_order(drawn: Skeleton) -> list[int]:
    """Return the order in which limbs are joined to people: OpenPose's, or that of any other skeleton's own limbs."""
    names = drawn.limbs
    if drawn.keypoints != OPENPOSE.keypoints:
        return list(range(len(names)))
    wanted = [("neck", "right_shoulder"), ("neck", "left_shoulder")]
    for side in ("right", "left"):
        wanted += [(f"{side}_shoulder", f"{side}_elbow"), (f"{side}_elbow", f"{side}_wrist")]
    for side in ("right", "left"):
        wanted += [("neck", f"{side}_hip"), (f"{side}_hip", f"{side}_knee"), (f"{side}_knee", f"{side}_ankle")]
    wanted.append(("neck", "nose"))
    for side in ("right", "left"):
        wanted += [("nose", f"{side}_eye"), (f"{side}_eye", f"{side}_ear")]
    first = [names.index(limb) for limb in wanted]
    return first + [limb for limb in range(len(names)) if limb not in first]


def free_limbs(drawn: Skeleton) -> int:
    """Return how many of the last limbs open nobody: those beside the tree."""
    return max(len(drawn.limbs) - (len(drawn) - 1), 0)


def mirrored_limbs(drawn: Skeleton, directed: bool = True) -> list[int]:
    """Return for each limb the one that a mirror shows, its other way round too unless it is directed.

    Raises ValueError where it has none.
    """
    places = limb_places(drawn)
    number = {ends: limb for limb, ends in enumerate(places)}
    if not directed:
        number = {ends[::-1]: limb for ends, limb in number.items()} | number
    shown = [(int(drawn.mirror[start]), int(drawn.mirror[end])) for start, end in places]
    missing = [pair for pair in shown if pair not in number]
    if missing:
        start, end = (drawn.keypoints[k] for k in missing[0])
        raise ValueError(f"{drawn.name}: a limb goes from {start} to {end} in the mirror, but none here")
    return [number[pair] for pair in shown]


@lru_cache(maxsize=16)
def enlarging(length: int, stride: int, sigma: float) -> Maps:
    """Return the (stride * length, length) weights that enlarge a line with cubic interpolation and smooth it."""
    to = stride * length
    cubic = np.asarray(cv2.resize(np.eye(length), (length, to), interpolation=cv2.INTER_CUBIC))
    taps = bell_taps(sigma)
    blur = cv2.sepFilter2D(cubic, -1, np.ones(1), taps, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blur, np.float32)


def enlarged_peaks(maps: Maps, stride: int, sigma: float = SMOOTH, least: float = LEAST) -> list[Peaks]:
    """Find peaks (K) of maps (K, h, w), enlarged by `stride` and smoothed, as `smoothed_peaks` of the enlarged finds.

    Only the cells are searched whose middle is at least NEARLY of its neighbours' largest, and half of `least`. A score
    is the enlarged map's value there, not smoothed.
    """
    h, w = maps.shape[1:]
    down, across = enlarging(h, stride, sigma), enlarging(w, stride, sigma)
    middles = down[stride // 2 :: stride] @ maps @ across[stride // 2 :: stride].T
    near = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in middles])
    k, i, j = np.nonzero((middles >= NEARLY * near) & (middles > least / 2))
    tiles = _tiles(maps, k, i, j, (down, across), stride)
    inner = tiles[:, 1:-1, 1:-1]
    top = inner > least
    for row, column in ((0, 1), (1, 0), (1, 2), (2, 1)):
        top &= inner >= tiles[:, row : row + stride, column : column + stride]
    n, y, x = np.nonzero(top)
    kind, y, x = k[n], i[n] * stride + y, j[n] * stride + x
    order = np.lexsort((x, y, kind))
    kind, y, x = kind[order], y[order], x[order]
    score = _stacked_reader(maps[..., None], stride)(kind, x, y)[..., 0]
    ends = np.searchsorted(kind, np.arange(len(maps) + 1)).tolist()
    return [Peaks(x[a:b], y[a:b], score[a:b]) for a, b in pairwise(ends)]


def _tiles(
    maps: Maps, k: Places, i: Places, j: Places, weights: tuple[Maps, Maps], stride: int
) -> Floats:  # fmt: skip
    """Enlarge cells (N,) of maps (K, h, w) and a px around them: (N, stride + 2, stride + 2), 0 beyond the picture."""
    reach = 2 + -(-int(4 * SMOOTH + 0.5) // stride)
    lines, squares = [], []
    for cell, weight in ((i, weights[0]), (j, weights[1])):
        side = min(2 * reach + 1, weight.shape[1])
        start = np.clip(cell - reach, 0, weight.shape[1] - side)
        columns = start[:, None] + np.arange(side)
        rows = cell[:, None] * stride + np.arange(-1, stride + 1)
        padded = np.pad(weight, ((1, 1), (0, 0)))
        lines.append(padded[rows[:, :, None] + 1, columns[:, None, :]])
        squares.append(columns)
    patches = maps[k[:, None, None], squares[0][:, :, None], squares[1][:, None, :]]
    return np.asarray(lines[0] @ patches @ lines[1].swapaxes(1, 2))


def enlarging_reader(limbs: Maps, order: Sequence[int], stride: int) -> Read:
    """Read fields (2 L, h, w), enlarged by `stride` with cubic interpolation, at the picture's px; limbs by `order`."""
    pairs = limbs.reshape(-1, 2, *limbs.shape[1:])[list(order)]
    return _stacked_reader(pairs.transpose(0, 2, 3, 1), stride)


def _stacked_reader(images: Maps, stride: int) -> Read:
    """Read images (N, h, w, C), enlarged by `stride`, at px, all in one call: they stand below each other."""
    count, h, w, channels = images.shape
    below = h + 2 * BORDER
    stacked = np.empty((count, below, w, channels), np.float32)
    stacked[:, BORDER:-BORDER] = images
    stacked[:, :BORDER], stacked[:, -BORDER:] = images[:, :1], images[:, -1:]
    image = stacked.reshape(-1, w, channels)

    def read(which: Places | int, x: Places, y: Places) -> Floats:
        return _cubic(image, x, np.asarray(y + (which * below + BORDER) * stride), stride)

    return read


def _cubic(image: Maps, x: Places, y: Places, stride: int) -> Floats:
    """Read an image (h, w) or (h, w, C), enlarged by `stride`, at px (...): (..., C).

    OpenCV reads at 32nds of a px, which these are for strides of 2 to 16.
    """
    channels = 1 if image.ndim == 2 else image.shape[2]
    if not x.size:
        return np.zeros((*x.shape, channels))
    at = [((place.ravel() + 0.5) / stride - 0.5).astype(np.float32)[None] for place in (x, y)]
    rows = [np.array_split(one, -(-one.shape[1] // 32000), axis=1) for one in at]
    read = [
        np.asarray(cv2.remap(image, across, down, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))
        for across, down in zip(*rows, strict=True)
    ]
    return np.concatenate(read, axis=1).reshape(*x.shape, channels).astype(np.float64)
