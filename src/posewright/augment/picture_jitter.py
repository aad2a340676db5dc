"""Picture jitter: the random view of a whole picture that bottom-up training shows, drawn as one matrix.

Everybody in the picture moves by the same warp, so that one resampling serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import radians
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from posewright.augment.jitter import Region
from posewright.picture import Pixels
from posewright.scene import Person, box_around, boxed, region, whole
from posewright.warp import Size, Warp, around

Frame = Callable[[Sequence[Person], Size, Size, np.random.Generator], Region]
"""(people, size of the picture, size of the view, rng) -> centre and extent (2,) px of an unjittered view."""


@dataclass(frozen=True)
class Fitted:
    """Show all of the picture."""

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Region:  # noqa: ARG002
        """Return the whole picture."""
        return region(whole(source), 1.0)


@dataclass(frozen=True)
class Side:
    """Show a square in the picture's middle, as wide as its shorter or its longer side.

    HigherHRNet and associative embedding do (`scale_type` in the former's code).
    """

    side: Literal["shorter", "longer"] = "shorter"

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Region:  # noqa: ARG002
        """Return the square."""
        length = min(source) if self.side == "shorter" else max(source)
        return region(whole(source), 1.0)[0], np.full(2, float(length))


@dataclass(frozen=True)
class FirstPerson:
    """Show the surroundings of a scene's first person, whose box is `share` of the view's height.

    OpenPose's training shows each person of a picture so in turn (0.6 in its code).
    """

    share: float = 0.6

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Region:  # noqa: ARG002
        """Return the surroundings, all of the picture where nobody is in it."""
        if not people:
            return region(whole(source), 1.0)
        center, extent = region(boxed(people[0]), 1.0)
        height = max(float(extent[1]), 1.0) / self.share
        return center, height * np.array(size, np.float64) / size[1]


@dataclass(frozen=True)
class Crowd:
    """Show as many px of the picture as the view has, around everybody, or as often around the largest person.

    MultiPoseNet's paper says no more than "the crowd or the main person"; that both are as likely is a choice.
    """

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Region:
        """Return the surroundings of the crowd or of one person, of the picture's middle where nobody is in it."""
        boxes = [box for box in map(_box, people) if box is not None]
        main = rng.random() < 0.5
        if not boxes:
            center = region(whole(source), 1.0)[0]
        elif main:
            center = region(max(boxes, key=lambda box: float(np.prod(box[2:] - box[:2]))), 1.0)[0]
        else:
            center = region(box_around(np.concatenate(boxes).reshape(-1, 2)), 1.0)[0]
        return center, np.array(size, np.float64)


@dataclass(frozen=True)
class Middle:
    """Show as many px of the picture as the view has, around its middle."""

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Region:  # noqa: ARG002
        """Return the middle."""
        return region(whole(source), 1.0)[0], np.array(size, np.float64)


@dataclass(frozen=True)
class Colours:
    """Change hue, saturation, brightness and contrast by even draws, as associative embedding's code does.

    hue: turned by up to so many circles each way; saturation: times; brightness: plus so much of white each way;
    contrast: of a pixel's three values, times.
    """

    hue: float = 0.2
    saturation: tuple[float, float] = (0.5, 1.5)
    brightness: float = 0.3
    contrast: tuple[float, float] = (0.5, 1.5)

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Return pixels (H, W, 3) in other colours."""
        hsv = np.asarray(cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV))
        hsv[..., 0] = (hsv[..., 0] + 360 * rng.uniform(-self.hue, self.hue)) % 360
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(*self.saturation), 0, 1)
        values = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)) + rng.uniform(-self.brightness, self.brightness)
        mean = values.mean(2, keepdims=True)
        return np.rint(255 * np.clip((values - mean) * rng.uniform(*self.contrast) + mean, 0, 1)).astype(np.uint8)


@dataclass(frozen=True)
class Grey:
    """Show some pictures without colour, as SimplePose's code does."""

    chance: float = 0.2

    def __call__(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Return pixels (H, W, 3) as they are, or grey."""
        if rng.random() >= self.chance:
            return pixels
        return np.repeat(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)[..., None], 3, 2)


@dataclass(frozen=True)
class PictureJitter:
    """Draw a view of a whole picture; the defaults are HigherHRNet's (its code at aa23881, and section 4.1).

    frame: what an unjittered view shows. scale: its extent is multiplied by an even draw between two ends; zoom: and
    divided by one, as code does that resizes the picture instead of choosing its part; turn: degrees, an even draw
    between -turn and turn; shift: of the extent, an even draw along each axis; mirror: probability; colours: changes
    them.

    Departure: what lies beyond the picture is black and counts as a place where nobody is. The code of associative
    embedding and of HigherHRNet masks it out.
    """

    frame: Frame = Side()
    scale: tuple[float, float] = (0.75, 1.5)
    zoom: tuple[float, float] = (1.0, 1.0)
    turn: float = 30.0
    shift: float = 0.2
    mirror: float = 0.5
    colours: Callable[[Pixels, np.random.Generator], Pixels] | None = None

    def __call__(self, people: Sequence[Person], source: Size, size: Size, rng: np.random.Generator) -> Warp:
        """Return view_from_picture of `size` for a picture of size `source` with these people."""
        center, extent = self.frame(people, source, size, rng)
        extent = extent * (rng.uniform(*self.scale) / rng.uniform(*self.zoom))
        center = center + self.shift * extent * rng.uniform(-1, 1, 2)
        return around(center, extent, size, radians(rng.uniform(-self.turn, self.turn)), rng.random() < self.mirror)

    def paint(self, pixels: Pixels, rng: np.random.Generator) -> Pixels:
        """Change the colours of a view (H, W, 3); without `colours` it comes back as it is."""
        return pixels if self.colours is None else self.colours(pixels, rng)


def _box(person: Person) -> NDArray[np.float64] | None:
    if person.crowd or (person.box is None and not person.labelled.any()):
        return None
    return person.box if person.box is not None else box_around(person.keypoints)
