"""MultiPoseNet: heatmaps, silhouettes and boxes of everybody; peaks are grouped by the boxes that they lie in.

Kocabas, Karagoz and Akbas 2018, "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual Network",
arXiv:1807.04067. The targets' Gaussians, which the paper does not give, and how peaks are read are those of the
community's code (LiMeng95/MultiPoseNet.pytorch at 7b548fc).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np

from posewright.codecs.bottom_up.affinity_fields import drawn_keypoints, inside, summed_bells
from posewright.codecs.bottom_up.anchors import anchor_targets, anchors, found_boxes
from posewright.codecs.bottom_up.residual_grouping import LoosePeaks, Respond, maximum, people_in
from posewright.codecs.bottom_up.whole import (
    Pictures,
    Unlabelled,
    WholeMaps,
    checked,
    covered,
    everyone,
    is_labelled,
    masks,
)
from posewright.codecs.maps import Floats, Maps
from posewright.fields import Everybody
from posewright.scene import Person, box_around
from posewright.skeleton import Skeleton
from posewright.warp import Size

LEAST = 0.1
"""What a peak must exceed."""
REACH = 2
"""Map px around a peak that are enlarged to find it exactly."""


@dataclass(frozen=True)
class MultiPoseNet(WholeMaps):
    """Draw everybody's keypoints, silhouettes and boxes, and give each box its keypoints.

    size (width, height) px of the pictures; drawn: the keypoints that are drawn, by default those that people have;
    least: of boxes' scores; threshold: of their overlaps (the thesis has 0.3, the community's code 0.5); respond: what
    says which peaks are a box's, by default the paper's baseline Max, in a Pose Residual Network's place.

    The smallest anchors are 32 px squared, whatever their shape, and one learns and finds people whom it overlaps by
    half: people whose box is smaller than about 16x32 px of a picture of `size` have none.
    """

    size: Size = (480, 480)
    drawn: Skeleton | None = None
    least: float = 0.5
    threshold: float = 0.3
    respond: Respond = maximum

    tolerance: ClassVar[float] = 1.0
    """Places are told to a whole px, and drawn at an exact one."""
    apart: ClassVar[float] = 96.0
    """Max knows no more of people than their boxes, so these must not meet."""
    mirror_tolerance: ClassVar[float] = 1.0

    @property
    def names(self) -> Skeleton:
        """The keypoints that are drawn."""
        return self.drawn or self.skeleton

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Everybody:
        """Everybody in B pictures, in px, to maps (B, K, h, w), silhouettes (B, 1, h, w), and what anchors say.

        mask (B, K + 1, h, w): the last is of the silhouettes, and 0 also in boxes of people who have no mask. People
        without keypoints have boxes and silhouettes; crowds have neither, and anchors in them are left open.
        """
        w, h = self.map_size
        maps = np.zeros((len(pictures), len(self.names), h, w), np.float32)
        silhouettes = np.zeros((len(pictures), 1, h, w), np.float32)
        counted = np.repeat(masks(pictures, unlabelled, self.size, self.map_size), len(self.names) + 1, axis=1)
        said = []
        for people, drawn, silhouette, mask in zip(pictures, maps, silhouettes, counted, strict=True):
            there = drawn_keypoints(everyone(people, self.skeleton), self.skeleton, self.names, rounded=True)
            drawn[:] = summed_bells(inside(there, self.size), self.map_size, self.stride)
            self._draw_silhouettes(people, silhouette[0], mask[-1])
            boxes = boxes_of([person for person in people if not person.crowd], self.size)
            crowds = boxes_of([person for person in people if person.crowd], self.size)
            said.append(anchor_targets(self.size, boxes, crowds))
        count = len(anchors(self.size))
        scores, deltas, weights = (np.array([one[i] for one in said], np.float32) for i in range(3))
        shaped = scores.reshape(-1, count), deltas.reshape(-1, count, 4), weights.reshape(-1, count)
        return Everybody(maps, silhouettes, *shaped[:2], counted, shaped[2])

    def _draw_silhouettes(self, people: Sequence[Person], silhouette: Maps, mask: Maps) -> None:
        """Draw people's masks together, and leave out of `mask` where people have none."""
        for person in people:
            if person.mask is not None and person.mask.shape == self.size[::-1]:
                np.maximum(silhouette, covered(person.mask, self.map_size), out=silhouette)
            elif is_labelled(person):
                for x0, y0, x1, y1 in boxes_of([person], self.size) / self.stride:
                    mask[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 0

    def decode(self, fields: Everybody) -> list[list[Person]]:
        """Maps (B, K, h, w), scores (B, N) and deltas (B, N, 4) to the people of each picture, with boxes, in px.

        A person's score is the box's times the mean of the peaks', absent ones counted as 0; people without a keypoint
        are left out.
        Raises ValueError where scores are not those of this size's anchors.
        """
        maps = checked(fields.maps, self.names)
        scores, deltas = np.asarray(fields.scores, np.float32), np.asarray(fields.deltas, np.float32)
        count = len(anchors(self.size))
        if scores.shape != (len(maps), count) or deltas.shape != (*scores.shape, 4):
            raise ValueError(f"scores must be {(len(maps), count)}, one an anchor of {self.size}, not {scores.shape}")
        return [self._people(*each) for each in zip(maps, scores, deltas, strict=True)]

    def _people(self, maps: Maps, scores: Maps, deltas: Maps) -> list[Person]:
        boxes, sure = found_boxes(np.nan_to_num(scores), deltas, self.size, self.least, self.threshold)
        peaks = read_peaks(maps, self.stride)
        people = people_in(boxes.astype(np.float64), sure.astype(np.float64), peaks, len(self.names), self.respond)
        return [person.to(self.names, self.skeleton) for person in people if person.labelled.any()]

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; anchors change places from left to right."""
        order = self.names.mirror
        there = mirrored_anchors(self.size)
        deltas = fields.deltas[..., there, :] * np.array([-1, 1, 1, 1], np.float32)
        mask = fields.mask
        if mask is not None:
            whole = [*order, len(order)] if mask.shape[-3] == len(order) + 1 else [*range(mask.shape[-3])]
            mask = mask[..., whole, :, ::-1]
        return fields._replace(
            maps=fields.maps[..., order, :, ::-1],
            silhouettes=None if fields.silhouettes is None else fields.silhouettes[..., ::-1],
            scores=fields.scores[..., there],
            deltas=deltas,
            mask=mask,
            weights=None if fields.weights is None else fields.weights[..., there],
        )


def mirrored_anchors(size: Size) -> Any:
    """Return for each anchor of a picture of `size` the number of the one that the mirror shows.

    Exact for widths that are a multiple of the coarsest level's stride, 128; otherwise anchors mirror by their cells.
    """
    places, first = [], 0
    for level in range(3, 8):
        w, h = (-(-side // 2**level) for side in size)
        grid = first + np.arange(h * w * 9).reshape(h, w, 9)
        places.append(grid[:, ::-1].ravel())
        first += h * w * 9
    return np.concatenate(places)


def boxes_of(people: Sequence[Person], size: Size) -> Floats:
    """Return the boxes (P, 4) xyxy px of people, cut to a picture of `size`; without one, the box around keypoints."""
    boxes = []
    for person in people:
        box = person.box if person.box is not None else _around(person)
        if box is not None:
            x0, y0, x1, y1 = np.clip(box, 0, [*size, *size])
            if x1 > x0 and y1 > y0:
                boxes.append((x0, y0, x1, y1))
    return np.array(boxes, np.float64).reshape(-1, 4)


def _around(person: Person) -> Floats | None:
    return box_around(person.keypoints) if person.labelled.any() else None


def read_peaks(maps: Maps, factor: int, least: float = LEAST) -> LoosePeaks:
    """Find peaks of maps (K, h, w) to a whole px of the picture, `factor` times as large.

    A pixel is a peak where none of its four neighbours is larger; 5x5 px around it are enlarged with cubic
    interpolation, and their largest value is its place and score. Source: get_joint_list of the community's code.
    """
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    near = np.stack([cv2.dilate(one, cross, borderType=cv2.BORDER_REPLICATE) for one in maps])
    kind, y, x = np.nonzero((maps >= near) & (maps > least))
    h, w = maps.shape[1:]
    places, scores = np.zeros((len(kind), 2)), np.zeros(len(kind))
    for n, (k, i, j) in enumerate(zip(kind.tolist(), y.tolist(), x.tolist(), strict=True)):
        top, left = max(i - REACH, 0), max(j - REACH, 0)
        patch = maps[k, top : min(i + REACH + 1, h), left : min(j + REACH + 1, w)]
        larger = np.asarray(cv2.resize(patch, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
        row, column = np.unravel_index(larger.argmax(), larger.shape)
        places[n], scores[n] = (left * factor + column, top * factor + row), larger[row, column]
    return LoosePeaks(places, kind, scores)
