"""Fills: what an occluder shows. Each returns pixels for the whole crop; only those of the region are used."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from posewright.occlusion.occluder import Alpha, placed, window
from posewright.picture import Pixels

IMAGENET_MEAN = (124, 116, 104)
"""What a network that normalises by ImageNet's mean sees as zero, in whole levels."""


def black(pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Show black (Pytel et al. 2020, "blackout")."""
    return np.zeros_like(pixels)


def mean(pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Show the mean colour of the whole crop, cut to whole levels (Pytel et al. 2020, "meanout")."""
    colour = np.array(cv2.sumElems(pixels)[:3]) / (pixels.shape[0] * pixels.shape[1])
    return _even(colour.astype(np.uint8), pixels)


def noise(pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Show even noise, each pixel and channel for itself (Zhong et al. 2017, arXiv:1708.04896, "RE-R")."""
    return rng.integers(0, 256, pixels.shape, np.uint8)


def shuffled(pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:
    """Show the covered pixels in another order: their colours stay, their shapes go."""
    found = pixels.copy()
    found[alpha > 0] = rng.permutation(pixels[alpha > 0])
    return found


@dataclass(frozen=True)
class Surroundings:
    """Show the median colour of what lies around the region, at most `ring` px from it, on a crop `width` wide.

    A fill that does not stand out: a disc of another colour is a mark as well as a cover. Where nothing lies around
    the region, the crop's mean.
    """

    ring: float = 3.0
    width: float | None = None

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:
        reach = max(1, round(self.ring * (1.0 if self.width is None else pixels.shape[1] / self.width)))
        covered = window(alpha)
        if covered is None:
            return pixels
        rows, columns = (slice(max(0, part.start - reach), part.stop + reach) for part in covered)
        inside = (alpha[rows, columns] > 0).astype(np.uint8)
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
        around = (cv2.dilate(inside, disc) > 0) & (inside == 0)
        if not around.any():
            return mean(pixels, alpha, rng)
        return _even(np.median(pixels[rows, columns][around], axis=0).astype(np.uint8), pixels)


@dataclass(frozen=True)
class Constant:
    """Show one colour; the default is what a network normalised by ImageNet's mean and deviation sees as zero."""

    colour: tuple[int, int, int] = IMAGENET_MEAN

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG002
        return _even(np.array(self.colour, np.uint8), pixels)


@dataclass(frozen=True)
class Blur:
    """Show the crop through a Gaussian of `kernel` px and `sigma` px, on a crop `width` wide if that is given.

    sigma 0 is OpenCV's 0.3 ((kernel - 1) / 2 - 1) + 0.8. On another width both scale, the kernel to an odd number.
    The default is the attack of Pytel et al. 2020 (section III): kernel 31, sigma 5.
    """

    kernel: int = 31
    sigma: float = 5.0
    width: float | None = None

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG002
        scale = 1.0 if self.width is None else pixels.shape[1] / self.width
        kernel = 2 * round((self.kernel * scale - 1) / 2) + 1
        sigma = scale * (self.sigma or 0.3 * ((self.kernel - 1) / 2 - 1) + 0.8)
        covered, reach = window(alpha), kernel // 2
        if covered is None:
            return pixels
        rows, columns = (slice(max(0, part.start - reach), part.stop + reach) for part in covered)
        found = pixels.copy()
        found[rows, columns] = cv2.GaussianBlur(pixels[rows, columns], (kernel, kernel), sigma)
        return found


@dataclass(frozen=True, eq=False)
class Picture:
    """Show another picture, stretched over the whole crop."""

    other: Pixels

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG002
        return np.asarray(cv2.resize(self.other, pixels.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, eq=False)
class Piece:
    """Show a piece of another picture, stretched over the smallest rectangle that holds the region.

    Pytel et al. 2020 (section IV), "PartMix": the piece is another body part of another picture.
    """

    piece: Pixels

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG002
        covered, found = window(alpha), pixels.copy()
        if covered is not None and self.piece.size:
            height, width = (int(part.stop - part.start) for part in covered)
            found[covered] = cv2.resize(self.piece, (width, height), interpolation=cv2.INTER_AREA)
        return found


@dataclass(frozen=True, eq=False)
class Colours:
    """Show an object's colours (h, w, 3), its middle at `centre` px; black around it. Goes with `regions.Shape`."""

    colours: Pixels
    centre: tuple[float, float]

    def __call__(self, pixels: Pixels, alpha: Alpha, rng: np.random.Generator) -> Pixels:  # noqa: ARG002
        return placed(self.colours, self.centre, pixels.shape[:2])


def _even(colour: Pixels, pixels: Pixels) -> Pixels:
    """Return one colour (3,) everywhere: one row of it in memory, which is quick to copy from."""
    return np.broadcast_to(np.tile(colour, pixels.shape[1]).reshape(1, -1, 3), pixels.shape)
