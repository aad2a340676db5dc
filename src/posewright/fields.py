"""Fields: what a network says, and what a perfect network would say.

Each is a NamedTuple of arrays, numpy at the border and torch inside training, so that it travels
through collating, exporting and stacking as it is. Leading axes are free: (K, h, w) for one picture,
(B, K, h, w) for a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Heatmaps(NamedTuple):
    """One map a keypoint.

    maps (..., K, h, w): how strongly each pixel is the keypoint; logits where the codec says so.
    weights (..., K): how much a target counts in the loss, 0 where nothing is known; None in an answer.
    """

    maps: Any
    weights: Any = None


class Levels(NamedTuple):
    """Heatmaps drawn ever finer: what coarse-to-fine supervision holds the stages of a network against.

    maps (..., T, K, h, w), the coarsest level first, the last one as in `Heatmaps`; seen (..., K): 1 for a
    keypoint that is seen, 0 for one that is hidden or unknown; weights (..., K) as in `Heatmaps`.
    """

    maps: Any
    seen: Any
    weights: Any


class Placed(NamedTuple):
    """Heatmaps and the places that they were drawn at, for losses that draw more than heatmaps from them.

    maps, weights as in `Heatmaps`; x, y (..., K) px of the maps, 0 where the weight is.
    """

    maps: Any
    x: Any
    y: Any
    weights: Any = None


class Affinities(NamedTuple):
    """Two maps a limb that say which way it points where it is: part affinity fields (arXiv:1812.08008).

    maps (..., 2 L, h, w): x and y of each limb's unit vector in turn, 0 off the limb; weights (..., L): how much a
    target counts, None in an answer.
    """

    maps: Any
    weights: Any = None


class Twofold(NamedTuple):
    """Heatmaps of a person where they are, and of the same person in the middle of the crop.

    maps, centred (..., K, h, w) and weights (..., K) as in `Heatmaps`.
    """

    maps: Any
    centred: Any
    weights: Any = None


class Offsets(NamedTuple):
    """One disk a keypoint and, inside it, the way to the keypoint (UDP's combined form, arXiv:1911.07524).

    disks (..., K, h, w) in {0, 1}; x, y (..., K, h, w): the way in units of the disk's radius;
    weights (..., K) as in `Heatmaps`.
    """

    disks: Any
    x: Any
    y: Any
    weights: Any = None


class Volume(NamedTuple):
    """One volume a keypoint: how strongly each cell is the keypoint (Sun et al. 2018, arXiv:1711.08229).

    logits (..., K, D, h, w), nearest slice first; weights (..., K) as in `Heatmaps`.
    """

    logits: Any
    weights: Any = None


class Coordinates(NamedTuple):
    """One place a keypoint, in the codec's unit.

    places (..., K, 3) x, y and how much farther than the root; scores (..., K) in [0, 1], None where a network tells
    none; deep (..., K): how much a target's third number counts, 0 where nobody knows the depth, None in an answer;
    weights (..., K) as in `Heatmaps`.
    """

    places: Any
    scores: Any = None
    deep: Any = None
    weights: Any = None
