"""Jitter: the random view of a person that training shows, drawn as one matrix.

Scale, shift, turn, mirror and half body are all folded into one `Warp`, so that a picture is resampled
once and never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import radians

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.picture import Pixels
from posewright.scene import Crop, Person, boxed, region
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp, around

Aim = Callable[..., Warp]
"""(center, extent, size, turn, mirror) -> Warp: the house's `around`, or a published code base's."""


Proposal = Callable[[Person, Skeleton, np.random.Generator], NDArray[np.float64]]
"""(person, skeleton, rng) -> box (4,) px: where a detector might have seen the person."""


@dataclass(frozen=True)
class Jitter:
    """Draw a view of a person; the defaults are HRNet's for COCO (arXiv:1902.09212, section 4.1).

    scale: the extent is multiplied by 1 + scale * n, n normal and cut at 1; turn: degrees * n, cut at 2,
    with probability turn_chance; mirror: probability; half_body: probability of showing only the upper or
    lower body; shift: of the extent, uniform; colour: gain of each channel, 1 + colour * n, n normal and
    cut at 2, and as much of an offset. uniform: draw scale and turn evenly between their ends instead, 1 - scale
    to 1 + scale and -turn to turn. proposal: draws the box that is aimed at, instead of the person's own.
    """

    scale: float = 0.35
    turn: float = 45.0
    turn_chance: float = 0.6
    mirror: float = 0.5
    half_body: float = 0.3
    shift: float = 0.0
    colour: float = 0.0
    uniform: bool = False
    proposal: Proposal | None = None

    def __call__(
        self, person: Person, skeleton: Skeleton, size: Size, rng: np.random.Generator, aim: Aim = around
    ) -> Warp:
        """Aim at the person's box, jittered; crop_from_scene of `size`. Raises ValueError as `scene.boxed` does."""
        center, extent = region(self.proposal(person, skeleton, rng)) if self.proposal else _region(person)
        if self.half_body and rng.random() < self.half_body:
            center, extent = half_body(person, skeleton, rng) or (center, extent)
        extent = extent * (1 + self.scale * self._drawn(rng, 1))
        center = center + self.shift * extent * rng.uniform(-1, 1, 2)
        turned = rng.random() < self.turn_chance
        turn = radians(self.turn) * self._drawn(rng, 2) if turned else 0.0
        return aim(center, extent, size, turn, rng.random() < self.mirror)

    def _drawn(self, rng: np.random.Generator, limit: float) -> float:
        return rng.uniform(-1, 1) if self.uniform else _cut(rng.normal(), limit)

    def paint(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Change the brightness and colour of a crop (H, W, 3); without `colour` it comes back as it is."""
        if not self.colour:
            return pixels
        gain = 1 + self.colour * np.clip(rng.normal(size=(1, 3)) * 0.5 + rng.normal(), -2, 2)
        offset = 255 * self.colour * np.clip(rng.normal(), -2, 2) / 2
        table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(pixels, np.ascontiguousarray(table.reshape(1, 256, 3))), np.uint8)


def _cut(value: float, limit: float) -> float:
    """Cut a number to -limit..limit; numpy's clip takes 5 us for that."""
    return min(max(value, -limit), limit)


def _region(person: Person) -> tuple[np.ndarray, np.ndarray]:
    return region(boxed(person))


HALF_BODY_ABOVE = 8
"""Half a body is shown of a person with more labelled keypoints than this."""
HALF_BODY_PADDING = 1.5


def half_body(
    person: Person, skeleton: Skeleton, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return centre and extent (2,) px of a person's upper or lower body; None where too little is labelled.

    Lower is `Skeleton.parts["lower_body"]`, upper the rest. Source: HRNet's half_body_transform (commit
    6f69e46) and the count above which it is called.
    """
    if person.labelled.sum() <= HALF_BODY_ABOVE:
        return None
    lower = skeleton.parts.get("lower_body", ())
    upper = np.array([name not in lower for name in skeleton.keypoints])
    return half_body_region(person.keypoints, upper, rng.normal())


def half_body_region(
    keypoints: NDArray[np.float64], upper: NDArray[np.bool_], draw: float, margin: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
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
    return (chosen.mean(0), HALF_BODY_PADDING * sides) if sides.any() else None


Given = Callable[[Sequence[Crop], np.random.Generator], NDArray[np.float32]]
"""(crops, rng) -> (B, ...): what a network is told beside the crops' pixels."""
