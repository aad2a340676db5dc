"""Lenses: where a ray that leaves a camera straight ends up, and back.

A ray is (x / z, y / z) in the camera's frame, and so is its distorted image; the focal length comes after it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Lens = Literal["opencv", "h36m", "fisheye"]

COEFFICIENTS: dict[str, tuple[int, ...]] = {"opencv": (4, 5, 8), "h36m": (5,), "fisheye": (4,)}
"""How many numbers a lens has. opencv: k1 k2 p1 p2 [k3 [k4 k5 k6]], the last three of the rational model; h36m: the
same five with half of OpenCV's tangential factor; fisheye: k1 k2 k3 k4 of OpenCV's, on the angle from the axis."""

NEWTON_STEPS = 25
CONVERGED = 1e-10
"""How far a ray's image may lie from where it should, in units of the focal length."""


def distort(rays: ArrayLike, numbers: ArrayLike, lens: Lens = "opencv") -> Floats:
    """Return where the lens sends rays (..., 2).

        opencv:   d = x g(r^2) + (2 p1 xy + p2 (r^2 + 2x^2), 2 p2 xy + p1 (r^2 + 2y^2))
        h36m:     d = x g(r^2) + ((p1 y + p2 x) x + p2 r^2, (p1 y + p2 x) y + p1 r^2)
        fisheye:  d = x a (1 + k1 a^2 + k2 a^4 + k3 a^6 + k4 a^8) / r,  a = arctan r

    g is the radial polynomial, or the quotient of two with eight numbers. The labels of Human3.6M follow h36m to
    5e-5 px; OpenCV's differ from them by up to 0.2 px (measured on the data set's own frames).

    >>> distort([0.5, 0.0], [0.1, 0, 0, 0])
    array([0.5125, 0.    ])
    """
    ray, k = np.asarray(rays, np.float64), _whole(numbers, lens)
    gain, _ = _radial(ray, k, lens)
    return gain[..., None] * ray if lens == "fisheye" else gain[..., None] * ray + _tangential(ray, k, lens)


def slopes(rays: ArrayLike, numbers: ArrayLike, lens: Lens = "opencv") -> Floats:
    """Return (..., 2, 2) how the image of rays (..., 2) moves with them: the derivative of `distort`."""
    ray, k = np.asarray(rays, np.float64), _whole(numbers, lens)
    gain, change = _radial(ray, k, lens)
    slope = gain[..., None, None] * np.eye(2) + 2 * change[..., None, None] * ray[..., :, None] * ray[..., None, :]
    if lens == "fisheye":
        return np.asarray(slope)
    p, factor = k[[3, 2]], 2.0 if lens == "opencv" else 1.0
    both = ray[..., 0] * p[0] + ray[..., 1] * p[1]
    slope = slope + factor * (both[..., None, None] * np.eye(2) + ray[..., :, None] * p)
    return np.asarray(slope + 2 * p[:, None] * ray[..., None, :])


def undistort(images: ArrayLike, numbers: ArrayLike, lens: Lens = "opencv") -> Floats:
    """Return the rays (..., 2) that the lens sends to images (..., 2), by Newton's method.

    NaN where no ray is found: a polynomial that folds back reaches no image beyond its fold.
    """
    target, k = np.asarray(images, np.float64), _whole(numbers, lens)
    if not k.any() and lens != "fisheye":
        return target.copy()
    ray = target.copy()
    with np.errstate(all="ignore"):
        for _ in range(NEWTON_STEPS):
            miss = distort(ray, k, lens) - target
            if not (np.abs(miss) > CONVERGED / 10).any():
                break
            (a, b), (c, d) = np.moveaxis(slopes(ray, k, lens), (-2, -1), (0, 1))
            step = np.stack([d * miss[..., 0] - b * miss[..., 1], a * miss[..., 1] - c * miss[..., 0]], axis=-1)
            ray = ray - step / (a * d - b * c)[..., None]
        wrong = ~(np.abs(distort(ray, k, lens) - target).max(-1, keepdims=True) < CONVERGED)
    return np.asarray(np.where(wrong, np.nan, ray))


def _whole(numbers: ArrayLike, lens: Lens) -> Floats:
    """Return a lens's numbers, with zeros for those of its model that are not given."""
    k = np.asarray(numbers, np.float64)
    return np.concatenate([k, np.zeros(8 - len(k))]) if lens != "fisheye" and len(k) < 8 else k


def _radial(ray: Floats, k: Floats, lens: Lens) -> tuple[Floats, Floats]:
    """Rays (..., 2) to their radial factor (...) and its derivative by r^2."""
    r2 = (ray**2).sum(-1)
    if lens == "fisheye":
        return _fisheye(r2, k)
    above, rise = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[4])), k[0] + r2 * (2 * k[1] + r2 * 3 * k[4])
    if not k[5:].any():
        return above, rise
    below, fall = 1 + r2 * (k[5] + r2 * (k[6] + r2 * k[7])), k[5] + r2 * (2 * k[6] + r2 * 3 * k[7])
    return above / below, (rise * below - above * fall) / below**2


def _fisheye(r2: Floats, k: Floats) -> tuple[Floats, Floats]:
    r = np.sqrt(np.maximum(r2, 1e-16))
    a2 = np.arctan(r) ** 2
    bent = np.arctan(r) * (1 + a2 * (k[0] + a2 * (k[1] + a2 * (k[2] + a2 * k[3]))))
    rate = (1 + a2 * (3 * k[0] + a2 * (5 * k[1] + a2 * (7 * k[2] + a2 * 9 * k[3])))) / (1 + r2)
    near = r2 < 1e-8
    return np.where(near, 1.0, bent / r), np.where(near, k[0] - 1 / 3, (rate - bent / r) / (2 * r**2))


def _tangential(ray: Floats, k: Floats, lens: Lens) -> Floats:
    p, factor = k[[3, 2]], 2.0 if lens == "opencv" else 1.0
    both = ray[..., :1] * p[0] + ray[..., 1:] * p[1]
    return np.asarray(factor * both * ray + p * (ray**2).sum(-1, keepdims=True))
