"""Jitter: the random view of a person that training shows, drawn as one matrix.

Scale, shift, turn, mirror and half body are all folded into one `Warp`, so that a picture is resampled
once and never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, radians

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.picture import Pixels
from posewright.scene import PADDING, Crop, Padding, Person, boxed, region
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp, around

Aim = Callable[..., Warp]
"""(center, extent, size, turn, mirror) -> Warp: the house's `around`, or a published code base's."""


Proposal = Callable[[Person, Skeleton, "np.random.Generator"], NDArray[np.float64]]
"""(person, skeleton, rng) -> box (4,) px: where a detector might have seen the person."""


Region = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Centre and extent (2,) px."""

HalfBody = Callable[[Person, Skeleton, "np.random.Generator"], Region | None]
"""(person, skeleton, rng) -> the region of their upper or lower body; None where too little is labelled."""


@dataclass(frozen=True)
class HalfOfMean:
    """Show the upper or the lower body around its mean keypoint, as HRNet does (half_body_transform, commit 6f69e46).

    above: of more labelled keypoints than this; padding: how much larger than the half the view is.
    """

    above: int = 8
    padding: float = 1.5

    def __call__(self, person: Person, skeleton: Skeleton, rng: np.random.Generator) -> Region | None:
        """Return the half's region; None where too little is labelled.

        Lower is `Skeleton.parts["lower_body"]`, upper the rest.
        """
        if person.labelled.sum() <= self.above:
            return None
        lower = skeleton.parts.get("lower_body", ())
        upper = np.array([name not in lower for name in skeleton.keypoints])
        return half_body_region(person.keypoints, upper, rng.normal(), padding=self.padding)


@dataclass(frozen=True)
class HalfOfBox:
    """Show the upper or the lower body in the middle of its own box, as MSPN and RSN do (JointsDataset, a84f750).

    Hips are of the upper body. A half of `above` keypoints or fewer gives way to the other, which needs `above`.
    """

    above: int = 3
    padding: float = 0.8

    def __call__(self, person: Person, skeleton: Skeleton, rng: np.random.Generator) -> Region | None:
        """Return the half's region; None where too little is labelled."""
        labelled = person.labelled
        if labelled.sum() <= self.above:
            return None
        legs = {name for name in skeleton.parts.get("lower_body", ()) if not name.endswith("hip")}
        below = np.array([name in legs for name in skeleton.keypoints])
        top, bottom = person.keypoints[labelled & ~below], person.keypoints[labelled & below]
        wanted, other = (top, bottom) if rng.normal() < 0.5 else (bottom, top)
        chosen = wanted if len(wanted) > self.above else other
        if len(chosen) < self.above or not np.ptp(chosen, axis=0).all():
            return None
        return (chosen.min(0) + chosen.max(0)) / 2, self.padding * np.ptp(chosen, axis=0)


def half_body_region(
    keypoints: NDArray[np.float64],
    upper: NDArray[np.bool_],
    draw: float,
    margin: float = 0.0,
    padding: float = HalfOfMean.padding,
) -> Region | None:
    """Choose a half of keypoints (K, 2), NaN where absent, and return its centre and extent (2,) px.

    A normal draw below 0.5 asks for the upper half, so it is 69 % of them; a half with at most 2 keypoints
    gives way to the other, the upper one last. The centre is the mean keypoint. None below 2 keypoints, or
    where all are one place. margin px is added to the sides: DarkPose adds 1.
    """
    labelled = np.isfinite(keypoints).all(-1)
    top, bottom = keypoints[labelled & upper], keypoints[labelled & ~upper]
    chosen = top if (draw < 0.5 and len(top) > 2) or len(bottom) <= 2 else bottom
    if len(chosen) < 2:
        return None
    sides = np.ptp(chosen, axis=0) + margin
    return (chosen.mean(0), padding * sides) if sides.any() else None


@dataclass(frozen=True)
class Jitter:
    """Draw a view of a person; the defaults are HRNet's for COCO (arXiv:1902.09212, section 4.1).

    padding: how much larger than the box an unjittered view is; stretch: by how much of itself its width and its height
    grow at most, each by an even draw. scale: the extent is multiplied by 1 + scale * n, n normal and cut at 1; or by
    an even draw between two ends, cut at `largest`; turn: degrees * n, cut at 2, with probability turn_chance; mirror:
    probability; half_body: probability of showing only the upper or lower body, as `half` finds it; shift: of the
    extent, uniform; colour: gain of each channel, 1 + colour * n, n normal and cut at 2, and as much of an offset;
    tint: each channel times an even draw of 1 - tint to 1 + tint, and nothing else.
    uniform: draw scale and turn evenly between their ends instead, 1 - scale to 1 + scale and -turn to turn. proposal:
    draws the box that is aimed at, instead of the person's own.
    """

    scale: float | tuple[float, float] = 0.35
    turn: float = 45.0
    turn_chance: float = 0.6
    mirror: float = 0.5
    half_body: float = 0.3
    shift: float = 0.0
    colour: float = 0.0
    tint: float = 0.0
    uniform: bool = False
    proposal: Proposal | None = None
    padding: Padding = PADDING
    stretch: tuple[float, float] = (0.0, 0.0)
    largest: float = inf
    half: HalfBody = HalfOfMean()

    def __call__(
        self, person: Person, skeleton: Skeleton, size: Size, rng: np.random.Generator, aim: Aim = around
    ) -> Warp:
        """Aim at the person's box, jittered; crop_from_scene of `size`. Raises ValueError as `scene.boxed` does."""
        box = self.proposal(person, skeleton, rng) if self.proposal else boxed(person)
        center, extent = region(box, self.padding)
        if self.half_body and rng.random() < self.half_body:
            center, extent = self.half(person, skeleton, rng) or (center, extent)
        if any(self.stretch):
            extent = extent * (1 + rng.uniform(0, self.stretch))
        extent = extent * self._factor(rng)
        center = center + self.shift * extent * rng.uniform(-1, 1, 2)
        turned = rng.random() < self.turn_chance
        turn = radians(self.turn) * self._drawn(rng, 2) if turned else 0.0
        return aim(center, extent, size, turn, rng.random() < self.mirror)

    def _factor(self, rng: np.random.Generator) -> float:
        if isinstance(self.scale, tuple):
            return min(rng.uniform(*self.scale), self.largest)
        return 1 + self.scale * self._drawn(rng, 1)

    def _drawn(self, rng: np.random.Generator, limit: float) -> float:
        return rng.uniform(-1, 1) if self.uniform else _cut(rng.normal(), limit)

    def paint(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Change the brightness and colour of a crop (H, W, 3); without `colour` and `tint` it comes back as it is."""
        if not self.colour and not self.tint:
            return pixels
        gain, offset = np.ones((1, 3)), 0.0
        if self.colour:
            gain = 1 + self.colour * np.clip(rng.normal(size=(1, 3)) * 0.5 + rng.normal(), -2, 2)
            offset = 255 * self.colour * np.clip(rng.normal(), -2, 2) / 2
        if self.tint:
            gain = gain * rng.uniform(1 - self.tint, 1 + self.tint, (1, 3))
        table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(pixels, np.ascontiguousarray(table.reshape(1, 256, 3))), np.uint8)


def _cut(value: float, limit: float) -> float:
    """Cut a number to -limit..limit; numpy's clip takes 5 us for that."""
    return min(max(value, -limit), limit)


Given = Callable[[Sequence[Crop], "np.random.Generator"], NDArray[np.float32]]
"""(crops, rng) -> (B, ...): what a network is told beside the crops' pixels."""
