"""TTFNet: a person is the middle of their box, and from there the ways to its four sides.

Liu, Zheng, Xu, Ma and Cai, "Training-Time-Friendly Network for Real-Time Object Detection", AAAI 2020,
arXiv:1909.00700, for people alone. Numbers that the paper does not give (how wide the cut Gaussian is) are those of the
authors' code (ZJULearning/ttfnet). Departures: a map pixel is 8 px of the picture where the paper has 4; boxes that
overlap a better one by `threshold` go, where the paper keeps all peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from posewright.codecs.bottom_up.whole import Flags, Pictures, Unlabelled, WholeMaps
from posewright.codecs.maps import Floats, Maps
from posewright.fields import Centres
from posewright.geometry.boxes import box_nms
from posewright.scene import Person, box_around

SHARE = 0.54
"""How much of a box's width and height its Gaussian covers (section 3.2, alpha and beta)."""
MOST = 100
"""Peaks of a picture that are read, the best first."""


class Drawn(NamedTuple):
    """Hold what one picture's target is made of, (1 or 4, h, w) each, while people are drawn into it."""

    maps: Maps
    sides: Maps
    weights: Maps


@dataclass(frozen=True)
class TTFNet(WholeMaps):
    """Draw a Gaussian in the middle of each person's box, and tell the ways to the box's sides around it.

    skeleton: that of the people, whose keypoints are not told. least: of a peak to be a person; threshold: from which
    overlap on a box goes that overlaps a better one.
    """

    size: tuple[int, int] = (320, 320)
    stride: int = 8
    least: float = 0.3
    threshold: float = 0.6

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Centres:
        """People of B pictures, in px, to maps, sides, weights and masks (B, 1 or 4, h, w).

        A person is their box, or else the box around their keypoints, cut to the picture. Crowds, and what `unlabelled`
        marks, neither count as people nor against them. Of people who share a pixel, it is the smaller one's.
        """
        w, h = self.map_size
        drawn = Drawn(*(np.zeros((len(pictures), count, h, w), np.float32) for count in (1, 4, 1)))
        mask = np.ones((len(pictures), 1, h, w), np.float32)
        given = [None] * len(pictures) if unlabelled is None else list(unlabelled)
        for number, (people, hidden) in enumerate(zip(pictures, given, strict=True)):
            boxes = self._boxes([person for person in people if not person.crowd])
            crowds = self._boxes([person for person in people if person.crowd])
            self._leave_out(mask[number, 0], crowds, hidden)
            into = Drawn(*(array[number] for array in drawn))
            for box in boxes[np.argsort(-_areas(boxes), kind="stable")]:
                self._draw(box, into)
            mask[number][into.weights > 0] = 1
        return Centres(*drawn, mask)

    def _boxes(self, people: Sequence[Person]) -> Floats:
        """Return people's boxes (P, 4), cut to the picture; those outside of it are left out."""
        found = [person.box if person.box is not None else _around(person) for person in people]
        edges = np.array([*self.size, *self.size]) - 0.5
        boxes = np.clip(np.array([box for box in found if box is not None]).reshape(-1, 4), -0.5, edges)
        return np.asarray(boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)])

    def _draw(self, box: Floats, into: Drawn) -> None:
        """Draw one person: the Gaussian, and inside it the ways to the sides, which weigh as the log of the area."""
        w, h = self.map_size
        x, y = np.clip(((box[:2] + box[2:]) / 2 + 0.5) // self.stride, 0, (w - 1, h - 1)).astype(int)
        rx, ry = (SHARE / 2 * (box[2:] - box[:2]) / self.stride).astype(int)
        columns, rows = np.arange(max(x - rx, 0), min(x + rx + 1, w)), np.arange(max(y - ry, 0), min(y + ry + 1, h))
        across = np.exp(-(((columns - x) / ((2 * rx + 1) / 6)) ** 2) / 2)
        bell = (np.exp(-(((rows - y) / ((2 * ry + 1) / 6)) ** 2) / 2)[:, None] * across).astype(np.float32)
        there = np.ix_(rows, columns)
        into.maps[0][there] = np.maximum(into.maps[0][there], bell)
        px, py = (columns + 0.5) * self.stride - 0.5, ((rows + 0.5) * self.stride - 0.5)[:, None]
        for side, values in zip(into.sides, (px - box[0], py - box[1], box[2] - px, box[3] - py), strict=True):
            side[there] = values
        into.weights[0][there] = bell * np.log(max(_areas(box), np.e)) / bell.sum()

    def _leave_out(self, mask: Maps, crowds: Floats, hidden: Flags | None) -> None:
        """Set to 0 what crowds and the unlabelled cover of a mask (h, w), pixels of which half or more is covered."""
        if hidden is not None:
            if hidden.shape != self.size[::-1]:
                raise ValueError(f"the mask of what is not labelled must be {self.size[::-1]}, not {hidden.shape}")
            share = cv2.resize(hidden.astype(np.float32), self.map_size, interpolation=cv2.INTER_AREA)
            mask[np.asarray(share) >= 0.5] = 0
        for x0, y0, x1, y1 in np.rint((crowds + 0.5) / self.stride).astype(int):
            mask[y0:y1, x0:x1] = 0

    def decode(self, fields: Centres) -> list[list[Person]]:
        """Maps (B, 1, h, w) and sides (B, 4, h, w) to the people of each picture: a box xyxy px and a score each.

        A pixel is a person where none of its eight neighbours is more; best first, keypoints absent. Raises ValueError
        for fields of another shape.
        """
        w, h = self.map_size
        maps, sides = np.asarray(fields.maps, np.float32), np.asarray(fields.sides, np.float32)
        if maps.shape[1:] != (1, h, w) or sides.shape != (len(maps), 4, h, w):
            raise ValueError(f"maps and sides must be (B, 1 and 4, {h}, {w}), not {maps.shape} and {sides.shape}")
        return [self._people(*one) for one in zip(np.nan_to_num(maps[:, 0], posinf=0), sides, strict=True)]

    def _people(self, scores: Maps, sides: Maps) -> list[Person]:
        peak = (scores >= cv2.dilate(scores, np.ones((3, 3), np.uint8))) & (scores >= self.least) & (scores > 0)
        y, x = np.nonzero(peak)
        best = np.argsort(-scores[y, x], kind="stable")[:MOST]
        y, x = y[best], x[best]
        score = np.clip(scores[y, x], 0, 1)
        middle = (np.stack([x, y], -1) + 0.5) * self.stride - 0.5
        ways = sides[:, y, x].T.astype(np.float64)
        edges = np.array([*self.size, *self.size]) - 0.5
        boxes = np.clip(np.concatenate([middle - ways[:, :2], middle + ways[:, 2:]], 1), -0.5, edges)
        sound = np.isfinite(boxes).all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        boxes, score = boxes[sound], score[sound]
        absent = np.full((len(self.skeleton), 2), np.nan)
        kept = box_nms(boxes, score, self.threshold)
        return [Person(absent, box=boxes[i], score=float(score[i])) for i in kept]

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; left and right sides change places."""
        turned = (None if array is None else array[..., ::-1] for array in fields)
        found = type(fields)(*turned)
        return found._replace(sides=found.sides[..., [2, 1, 0, 3], :, :])


def _areas(boxes: Floats) -> Any:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def _around(person: Person) -> Floats | None:
    return box_around(person.keypoints) if person.labelled.any() else None
