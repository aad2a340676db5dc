"""Left and right exchanged: of which person, in which view, at which instant.

A detector that takes a back for a front exchanges the sides of the whole body, so that is what is decided: by all
joints of a person in a view together, against all other views.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posewright.geometry.robust import view_pairs
from posewright.geometry.solve import Flags, Floats, Seen
from posewright.multiview.noise import pair_miss, squared_scale

CAP = 16.0
"""No joint counts for more than this, in squared standard deviations, so that outliers decide nothing."""
LEAST_GAIN = 40.0
"""How much smaller the sum over joints and views must become: half of it is the logarithm of how much likelier the
exchange is."""


def find_swaps(seen: Seen, mirror: NDArray[np.intp], sigma: Floats) -> Flags:
    """Return (G, V) which views of each group of keypoints show left for right.

    seen: N = G K points, a group being the K keypoints of a person at an instant; mirror (K,) the place of each
    keypoint's other side; sigma (N, V) px. For each pair of views the capped distances from epipolar lines are
    summed, with both sides as they are and with one of them exchanged; then, in each group, the view whose exchange
    makes the total smallest is exchanged, and so on while that gains `LEAST_GAIN`. With two views nobody can tell
    which of them is wrong, so none is named.
    """
    views, keypoints = seen.known.shape[1], len(mirror)
    groups = len(seen.known) // keypoints
    if views < 3 or (mirror == np.arange(keypoints)).all():
        return np.zeros((groups, views), bool)
    gain = np.zeros((groups, views, views))
    scale = squared_scale(seen)
    for a, b in view_pairs(views, -np.einsum("vji,vj->vi", seen.R, seen.t)):
        gain[:, a, b] = gain[:, b, a] = _contrast(seen, scale, mirror, sigma, a, b)
    swapped = np.zeros((groups, views), bool)
    sign = np.where(swapped, -1.0, 1.0)
    for _ in range(views // 2 + 1):
        total = (gain * sign[:, None]).sum(-1) * sign
        best = total.argmax(-1)
        rows = np.flatnonzero(total.max(-1) > LEAST_GAIN)
        if not len(rows):
            break
        sign[rows, best[rows]] *= -1
    swapped = sign < 0
    many = swapped.sum(-1) * 2 >= views
    return swapped & ~many[:, None]


def _contrast(seen: Seen, scale: Floats, mirror: NDArray[np.intp], sigma: Floats, a: int, b: int) -> Floats:
    """Return (G,) how much nearer two views come to each other when one of them is exchanged; negative where not."""
    count = len(mirror)
    place = np.arange(len(seen.known))
    other = place - place % count + mirror[place % count]
    spread = (sigma[:, a] ** 2 + sigma[other, b] ** 2) / 2, (sigma[:, a] ** 2 + sigma[:, b] ** 2) / 2
    known = seen.known[:, a] & seen.known[:, b] & seen.known[other, b] & (mirror[place % count] != place % count)
    crossed = np.minimum(pair_miss(seen, scale, a, b, other) / spread[0], CAP)
    straight = np.minimum(pair_miss(seen, scale, a, b) / spread[1], CAP)
    return np.asarray(np.where(known, straight - crossed, 0.0).reshape(-1, count).sum(-1))
