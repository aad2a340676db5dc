"""Alignment: the scale, and the scale, turn and shift, that bring poses nearest to others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from posewright.metrics.threed.poses import placed
from posewright.scene import Floats


class Alignment(NamedTuple):
    """Say how points were moved: aligned = scale * source @ rotation + translation.

    points (N, K, 3); rotation (N, 3, 3) of determinant 1; scale (N,); translation (N, 3); residual (N,): the squared
    distance that is left, over that of the target's points from their mean.
    """

    points: Floats
    rotation: Floats
    scale: Floats
    translation: Floats
    residual: Floats


def procrustes(source: Floats, target: Floats, scaled: bool = True) -> Alignment:
    """Turn and shift points (N, K, 3), and scale them if `scaled`, by least squares onto others; none is mirrored.

    Keypoints that are NaN in one of both do not count. Gower, "Generalized Procrustes analysis", 1975; Kabsch 1976.
    With fewer than three keypoints, or all in one place, all that comes back is NaN.
    """
    known = placed(source, target)[..., None]
    count = known.sum(1)
    x, y = (np.where(known, points, 0.0) for points in (target, source))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = x.sum(1) / count, y.sum(1) / count
    x0, y0 = (np.where(known, p - m[:, None], 0.0) for p, m in ((x, mean_x), (y, mean_y)))
    size_x, size_y = ((p**2).sum((1, 2)) for p in (x0, y0))
    U, S, Vt = np.linalg.svd(np.nan_to_num(y0.transpose(0, 2, 1) @ x0))
    sign = np.sign(np.linalg.det(U) * np.linalg.det(Vt))
    S, U = S.copy(), U.copy()
    S[:, 2] *= sign
    U[:, :, 2] *= sign[:, None]
    rotation, trace = U @ Vt, S.sum(-1)
    sound = (count[:, 0] >= 3) & (size_x > 0) & (size_y > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(sound, trace / size_y if scaled else 1.0, np.nan)
        residual = 1 + (scale**2 * size_y - 2 * scale * trace) / size_x
    translation = mean_x - scale[:, None] * (mean_y[:, None] @ rotation)[:, 0]
    points = scale[:, None, None] * source @ rotation + translation[:, None]
    return Alignment(np.asarray(points), rotation, scale, translation, np.asarray(residual))


def least_squares_scale(source: Floats, target: Floats) -> Floats:
    """Return the scale (N,) by which points (N, K, 3), about the origin, come nearest to others: <s, t> / <s, s>.

    Rhodin et al., "Unsupervised geometry-aware representation", ECCV 2018 (arXiv:1804.01110), which calls the error
    thereafter NMPJPE.
    """
    known = placed(source, target)[..., None]
    s, t = (np.where(known, points, 0.0) for points in (source, target))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((s * t).sum((1, 2)) / (s * s).sum((1, 2)))
