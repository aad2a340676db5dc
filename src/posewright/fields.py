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


class Tags(NamedTuple):
    """Heatmaps, and at each pixel whom a keypoint there belongs to: associative embedding (arXiv:1611.05424).

    maps (..., K, h, w) as in `Heatmaps`, of everybody in the picture; tags (..., T, K, h, w): T numbers that are alike
    for keypoints of one person and differ between people.
    """

    maps: Any
    tags: Any


class Tagged(NamedTuple):
    """Heatmaps of everybody in a picture, and where in them each person's keypoints lie: a target for `Tags`.

    maps (..., K, h, w); mask (..., 1 or K, h, w): how much a pixel counts, 0 where people are not labelled;
    places (..., P, K) int64: y w + x of a person's keypoint in its map, -1 where it is absent or outside.
    """

    maps: Any
    mask: Any
    places: Any


class TaggedTwice(NamedTuple):
    """`Tagged`, and the heatmaps again at twice the resolution (HigherHRNet, arXiv:1908.10357).

    maps, mask, places as in `Tagged`; finer (..., K, 2 h, 2 w) and finer_mask (..., 1 or K, 2 h, 2 w) alike.
    """

    maps: Any
    mask: Any
    places: Any
    finer: Any
    finer_mask: Any


class Limbs(NamedTuple):
    """Heatmaps of everybody in a picture, and maps of the limbs that join them.

    maps (..., K or more, h, w): keypoints first, then what the codec adds, as a background; limbs: (..., 2 L, h, w) x
    and y of each limb's unit vector in turn as in `Affinities`, or (..., L, h, w) how strongly each pixel is on the
    limb (arXiv:1911.10529); mask (..., 1 or more, h, w): how much a target's pixel counts, 0 where people are not
    labelled; None in an answer.
    """

    maps: Any
    limbs: Any
    mask: Any = None


class Parts(NamedTuple):
    """Heatmaps, and from each pixel the way to its own keypoint and to the same person's others (arXiv:1605.03170).

    maps (..., K, h, w): logits in an answer, {0, 1} in a target; offsets (..., K, 2, h, w): x and y of the way from
    the pixel to the keypoint that it is near; pairs (..., K (K - 1), 2, h, w): from a pixel near keypoint a to the
    same person's keypoint b, at (K - 1) a + b - (a < b), each in the codec's units. In a target, joined
    (..., K (K - 1), h, w): 1 where there is such a b; mask (..., 1 or K, h, w): how much a pixel counts; None in an
    answer.
    """

    maps: Any
    offsets: Any
    pairs: Any
    joined: Any = None
    mask: Any = None


class Boxes(NamedTuple):
    """A score and a correction for each anchor (RetinaNet, arXiv:1708.02002): where people are, as boxes.

    scores (..., N): probability of a person, in a target {0, 1}; deltas (..., N, 4): from the anchor to the box, x, y,
    log width and log height over the codec's deviations. Anchors go by level, the finest first, then row, column,
    shape. weights (..., N): 0 for anchors that a target leaves open, and for all of a picture without people; None in
    an answer.
    """

    scores: Any
    deltas: Any
    weights: Any = None


class Centres(NamedTuple):
    """How strongly each pixel is the middle of a person, and how far the sides of their box are (arXiv:1909.00700).

    maps (..., 1, h, w) in [0, 1]; sides (..., 4, h, w) px of the picture from the pixel's centre to the left, upper,
    right and lower side. In a target, weights (..., 1, h, w): how much the sides count there, and mask (..., 1, h, w):
    how much a pixel of the maps counts, 0 where nobody knows who is there; None in an answer.
    """

    maps: Any
    sides: Any
    weights: Any = None
    mask: Any = None


class Everybody(NamedTuple):
    """Keypoints, silhouettes and boxes of everybody in a picture (MultiPoseNet, arXiv:1807.04067).

    maps (..., K, h, w) as in `Heatmaps`; silhouettes (..., 1, h, w): how strongly each pixel is of anybody, None where
    a network does not say; scores, deltas, weights as in `Boxes`; mask (..., 1 or K + 1, h, w): how much a target's
    pixel counts, 0 where people are not labelled; None in an answer.
    """

    maps: Any
    silhouettes: Any
    scores: Any
    deltas: Any
    mask: Any = None
    weights: Any = None


class Sightings(NamedTuple):
    """One map a keypoint, and whether the keypoint is seen, apart from where it is.

    maps (..., K, h, w) and weights (..., K) as in `Heatmaps`; seen (..., K): logits of the probability that the
    keypoint is in the picture and nothing hides it; known (..., K): how much that counts in the loss, None in an
    answer.
    """

    maps: Any
    seen: Any
    weights: Any = None
    known: Any = None
