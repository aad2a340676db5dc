"""Estimator: what finds people in pictures, and how it wants a person shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from posewright import picture
from posewright.augment.jitter import Aim
from posewright.picture import Pixels
from posewright.scene import PADDING, Floats, Padding, Person, Scene
from posewright.skeleton import Skeleton
from posewright.warp import Size, around

Image = str | Path | Pixels | Scene
Boxes = Sequence[ArrayLike | None]


class View(NamedTuple):
    """Say how an estimator is shown a person.

    size (width, height) px of the crop that it looks at, None where it looks at whole pictures; padding: how much
    larger than the person's box the crop is; aim: how the crop is cut. boxed: of whole pictures, whether it looks at
    each box that it is given by itself, so that it does not matter which others are given.
    """

    size: Size | None = None
    padding: Padding = PADDING
    aim: Aim = around
    boxed: bool = False


WHOLE_PICTURE = View()
"""How a bottom-up network, or a foreign package that finds people by itself, is shown anybody."""
BOXED = View(boxed=True)
"""How what cuts boxes out of pictures by itself is shown a person: the whole picture, and their box."""


class Estimator(Protocol):
    """Find people in pictures and say how: `TopDown`, an adapter, or a class of anybody's.

    skeleton: the keypoints of its people; view: how it is shown a person; protocol: what stands beside every number it
    takes part in.

    >>> from posewright.estimators.adapters import Adapted, found
    >>> middle = Adapted(lambda pixels, boxes: [found(np.zeros((17, 2)))])  # anybody's function is one
    >>> len(middle(np.zeros((8, 8, 3), np.uint8)))
    1
    """

    @property
    def skeleton(self) -> Skeleton: ...

    @property
    def view(self) -> View: ...

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]: ...

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]: ...

    def protocol(self) -> dict[str, Any]: ...


def box_in(box: ArrayLike | None) -> Floats:
    """Return a box (4,) xyxy px as it was given; raises ValueError for one that is none, or has no area."""
    corners = np.asarray(box, np.float64)
    if corners.shape != (4,) or not (corners[2:] > corners[:2]).all():
        raise ValueError(f"box must be x0, y0, x1, y1 with x1 > x0 and y1 > y0, not {box!r}")
    return corners


def pixels_of(image: Image) -> Pixels:
    """Return a picture's pixels (H, W, 3) uint8 RGB; raises picture.PictureError where it cannot be read."""
    return image.pixels() if isinstance(image, Scene) else picture.read(image)
