"""What in the numbers of predictions and truth can hardly be meant: units, places, areas and records that repeat.

Every function says in one line each what was found, with counts; nothing where nothing is odd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from posewright.columns import People, ends, people_of, pictures_of
from posewright.geometry.boxes import from_centres, from_corners
from posewright.metrics.oks.matching import Flags, Places
from posewright.metrics.oks.similarity import box_areas
from posewright.metrics.trust.arrangement import arrangement
from posewright.scene import Floats, Scene

BEYOND = 10.0
"""How many times its box an area must be to be called beyond it."""
LEAVING = 0.2
"""The share of boxes that leave their picture from which on corners may be meant for width and height."""
SHARES = (-1.5, 1.5)
"""Where coordinates lie that are shares of the picture, from its corner or centre, of people cut by its edge too."""
FIRST = 64
"""People whose coordinates are looked at before all are: of pixels hardly any lies within SHARES."""
LOOKED = 2
"""Keypoints by which most people differ."""
KNUTH = 6364136223846793005
"""Whose powers spread numbers over 64 bits (Knuth's MMIX); numpy's own random numbers take long to import."""
SPREAD = 0.1
"""How much the scale between predictions and truth may vary over pictures to be one scale: half the middle half."""
SCALED = 1.2
"""How far from 1 that scale must be, or its inverse."""


def implausible(predicted: Sequence[Scene], truth: Sequence[Scene]) -> list[str]:
    """Say what of predictions and truth, of the same pictures and keypoints, can hardly be meant.

    Shares of the picture for pixels, pictures of another size, keypoints in another order, people outside, boxes that
    may be corners, areas beyond the picture, counts that contradict keypoints, boxes of some alone, records that stand
    twice.
    """
    keypoints = len(truth[0].skeleton)
    found, true = people_of(predicted, keypoints), people_of(truth, keypoints)
    size = sizes(truth)
    return [
        *_misses(found, true),
        *_shares(found, true),
        *_scaled(found, true, len(truth)),
        *arrangement(found, true, truth[0].skeleton),
        *_outside(found, size, "predicted"),
        *_outside(true, size, "true"),
        *_boxes(found, size, "predictions"),
        *_boxes(true, size, "true people"),
        *_areas(true, size),
        *_counts(true),
        *_boxes_of_some(found),
        *_twice(found, "predictions", "duplicates are false positives"),
        *_twice(true, "true people", "one of each is missed"),
    ]


def implausible_labels(truth: Sequence[Scene]) -> list[str]:
    """Say what of labelled people alone can hardly be meant: people outside, other boxes, records that stand twice."""
    if not truth:
        return []
    true, size = people_of(truth, len(truth[0].skeleton)), sizes(truth)
    lines = [*_outside(true, size, "labelled"), *_boxes(true, size, "labelled people")]
    return [*lines, *_twice(true, "labelled people", "each counts twice")]


def sizes(scenes: Sequence[Scene]) -> Floats:
    """Return the width and height (S, 2) px of scenes, NaN where they do not tell."""
    told = [scene.size or (np.nan, np.nan) for scene in pictures_of(scenes)]
    return np.array(told, np.float64).reshape(-1, 2)


def _labelled(xy: Floats) -> Flags:
    """Tell which keypoints (..., 2) have a place."""
    return np.asarray(np.isfinite(xy[..., 0]) & np.isfinite(xy[..., 1]))


def _misses(found: People, true: People) -> Iterator[str]:
    counted = _labelled(true.keypoints).any(1) & ~true.crowd
    people_in = np.bincount(true.scene[counted])
    missed = people_in.copy()
    missed[found.scene[found.scene < len(missed)]] = 0
    if missed.any():
        people, pictures = int(missed.sum()), int((missed > 0).sum())
        yield (
            f"{pictures} of {int((people_in > 0).sum())} pictures with people have no prediction, and "
            f"their {people} people count as missed; --only-predicted leaves such pictures out"
        )


def only_shares(xy: Floats) -> bool:
    """Tell whether all coordinates (..., 2), two different ones at least, lie within SHARES."""
    low, high = SHARES
    first = xy[:FIRST]
    if (np.isfinite(first) & ((first < low) | (first > high))).any():
        return False
    known = xy[np.isfinite(xy)]
    return len(known) > 1 and bool(known.min() >= low and known.max() <= high and known.min() < known.max())


def _shares(found: People, true: People) -> Iterator[str]:
    if only_shares(found.keypoints) and only_shares(true.keypoints):
        yield "all coordinates, predicted and true, lie within 1: no area in px^2 fits them, so that OKS means nothing"


def _scaled(found: People, true: People, scenes: int) -> Iterator[str]:
    """Compare where keypoints end in each picture, on the right and at the bottom."""
    last = [_ends(people, scenes) for people in (found, true)]
    known = np.isfinite(last).all((0, 2)) & (np.array(last) > 0).all((0, 2))
    if known.sum() < 3:
        return
    ratio = last[0][known] / last[1][known]
    low, middle, high = _quartiles(ratio)
    one_scale = ((high - low) < 2 * SPREAD * middle).all()
    if one_scale and (np.abs(np.log(middle)) > np.log(SCALED)).all():
        yield (
            f"predictions end at {middle[0]:.2f} of the truth's x and {middle[1]:.2f} of its y, picture by picture: "
            "they seem to be of pictures of another size"
        )


def _quartiles(values: Floats) -> Floats:
    """Return the quartiles (3, ...) of values (N, ...) as np.quantile does, whose import takes long."""
    at = (len(values) - 1) * np.array([0.25, 0.5, 0.75])
    below, ordered = at.astype(int), np.sort(values, axis=0)
    part = (at - below).reshape(3, *[1] * (values.ndim - 1))
    return ordered[below] * (1 - part) + ordered[np.minimum(below + 1, len(values) - 1)] * part


def _ends(people: People, scenes: int) -> Floats:
    """Return the largest x and y (S, 2) of each scene's keypoints, NaN where it has none."""
    found = np.full((scenes, 2), np.nan)
    there, first = np.unique(people.scene, return_index=True)
    if len(there):
        found[there] = np.fmax.reduceat(ends(people.keypoints)[1], first, axis=1).T
    return np.where(np.isfinite(found), found, np.nan)


def _outside(people: People, size: Floats, whose: str) -> Iterator[str]:
    limit = size[people.scene][:, None]
    some = np.arange(len(limit))
    for keypoint in range(people.keypoints.shape[1]):  # hardly anybody is left after the first
        xy = people.keypoints[some, keypoint]
        some = some[~_labelled(xy) | _away(xy, limit[some, 0])]
    xy, limit = people.keypoints[some], limit[some]
    whole = _labelled(xy).any(1)
    if whole.any():
        turned = _labelled(xy) & _away(xy, limit[..., ::-1])
        hint = "; with width and height exchanged none would" if not turned[whole].any() else ""
        yield (
            f"{int(whole.sum())} of {len(people.scene)} {whose} people lie outside their picture with all keypoints"
            f"{hint}"
        )


def _away(xy: Floats, limit: Floats) -> Flags:
    """Tell which keypoints (..., 2) lie outside pictures that end at a limit (..., 2)."""
    return np.asarray(((xy < -0.5) | (xy > limit - 0.5)).any(-1))


FORMS: dict[str, Callable[[Floats], Floats]] = {"corners": from_corners, "centres": from_centres}
"""What boxes may be that were read as x, y, width, height, by the word that says so."""
MEANT = {"corners": "corners x, y, x, y", "centres": "the centre's x, y, width, height"}
MOST = 0.95
"""The share of boxes that another form must fit to be what is meant."""
INSIDE = 0.8
"""The share of a person's keypoints that a box must hold to fit; one that holds less than half does not."""
TIGHTER = 1.5
"""How many times smaller corners must be than what they are as sizes, where the picture's size is not told."""


def other_form(boxes: Floats, size: Floats, keypoints: Floats | None = None) -> tuple[str, int]:
    """Return the word in FORMS for what boxes (N, 4) xyxy px seem to be, and how many do not fit as they were read.

    size (N, 2) px of their pictures, NaN where they are not told; keypoints (N, K, 2) of the people in them, NaN where
    absent. A form is meant where nearly all boxes fit it: have an area, lie in their pictures, hold their keypoints.
    Read from x, y, width, height, a box of corners x, y, x, y ends at the sum of both corners. ("", 0) where none is.
    """
    known = np.isfinite(boxes).all(1)
    box, limit = boxes[known], size[known]
    xy = np.full((2, 1, len(box)), np.nan) if keypoints is None else np.ascontiguousarray(keypoints[known].T)
    for word, form in FORMS.items():
        other = form(box)
        fits = (other[:, 2:] > other[:, :2]).all(1) & ~_beyond(other, limit)
        if not len(box) or fits.mean() < MOST:
            continue
        held = _held(other, xy)
        fits &= ~(held < INSIDE)
        wrong = _beyond(box, limit) | (_held(box, xy) < 0.5)
        loose = np.isnan(limit).any(1) & (held >= INSIDE) & fits & (_area(box) > TIGHTER * _area(other))
        bad = wrong | loose if word == "corners" else wrong
        if fits.mean() >= MOST and bad.sum() > max(1, LEAVING * len(box)):
            return word, int(bad.sum())
    return "", 0


def _beyond(box: Floats, limit: Floats) -> Flags:
    """Tell which boxes (N, 4) leave pictures of size (N, 2) px by more than a pixel; none where it is NaN."""
    return np.asarray(((box[:, 2:] > limit + 1) | (box[:, :2] < -1)).any(1))


def _area(box: Floats) -> Floats:
    return np.asarray(np.prod(box[:, 2:] - box[:, :2], axis=1))


def _held(box: Floats, xy: Floats) -> Floats:
    """Return the share (N,) of keypoints (2, K, N) in boxes (N, 4), a fiftieth around them; NaN for nobody's."""
    margin = 1 + np.abs(box[:, 2:] - box[:, :2]) / 50
    low, high = (box[:, :2] - margin).T, (box[:, 2:] + margin).T
    known = np.isfinite(xy[0]) & np.isfinite(xy[1])
    held = known & (xy[0] >= low[0]) & (xy[0] <= high[0]) & (xy[1] >= low[1]) & (xy[1] <= high[1])
    count = known.sum(0)
    return np.where(count > 0, held.sum(0) / np.maximum(count, 1), np.nan)


def _boxes(people: People, size: Floats, whose: str) -> Iterator[str]:
    boxed = ~np.isnan(people.box[:, 0]) & ~people.crowd
    box, xy = people.box[boxed], people.keypoints[boxed]
    if only_shares(box) and not only_shares(xy) and np.isfinite(xy).any():
        yield f"all {len(box)} boxes of {whose} lie within 1, so they are no pixels but shares of the picture"
        return
    word, wrong = other_form(box, size[people.scene[boxed]], xy)
    if word:
        how = "" if whose == "predictions" else f"; coco+{word}:DIR says that they are"
        yield (
            f"{wrong} of {len(box)} boxes of {whose} do not fit as x, y, width, height, and all fit as {MEANT[word]}"
            f"{how or ': bbox must be x, y, width, height'}"
        )


def _areas(true: People, size: Floats) -> Iterator[str]:
    picture = size[true.scene].prod(1)
    with np.errstate(invalid="ignore"):
        beyond = (true.area > picture) | (true.area > BEYOND * box_areas(true))
    if beyond.any():
        yield (
            f"{int(beyond.sum())} of {len(beyond)} people have an area larger than their picture or than "
            f"{BEYOND:g} times their box; OKS forgives them everything"
        )


def _counts(true: People) -> Iterator[str]:
    if true.counted is not None and (true.counted >= 0).any():
        ignored, counted = int((true.counted == 0).sum()), int((true.counted == 1).sum())
        yield (
            f"num_keypoints contradicts the keypoints of {ignored + counted} people: {ignored} with keypoints are "
            f"ignored, {counted} without count, as in pycocotools"
        )


def _boxes_of_some(found: People) -> Iterator[str]:
    boxed = ~np.isnan(found.box[:, 0])
    if boxed.any() and not boxed.all():
        yield (
            f"{int((~boxed).sum())} of {len(boxed)} predictions have no box; as in pycocotools the first in the file "
            "decides whether boxes give areas, by which unmatched predictions count in APM and APL"
        )


def _repeated(rows: Floats) -> Flags:
    """Tell which rows (N, M) have the hash of another one."""
    bits = rows.view(np.uint64)
    factors = np.array([pow(KNUTH, power + 1, 1 << 64) for power in range(bits.shape[1])], np.uint64)
    hashes = (bits * factors).sum(1, dtype=np.uint64)
    ordered = np.sort(hashes)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(again):
        return np.zeros(len(hashes), bool)
    return np.asarray(again.take(np.searchsorted(again, hashes), mode="clip") == hashes)


def _rows(people: People, some: Places, keypoints: int) -> Floats:
    """Return the scene and the first keypoints of some people as rows (N, M), -1 for NaN."""
    xy = np.nan_to_num(people.keypoints[some, :keypoints], nan=-1.0)
    return np.column_stack([people.scene[some], xy.reshape(len(some), 2 * xy.shape[1])]) + 0.0


def _twice(people: People, whose: str, so: str) -> Iterator[str]:
    """Compare only people who have the hash of others, by few keypoints and then by all."""
    keypoints = people.keypoints.shape[1]
    alike = known = np.flatnonzero(_labelled(people.keypoints).any(1))
    for looked in (LOOKED, keypoints):
        alike = alike[_repeated(_rows(people, alike, looked))]
    copies = len(alike) - len({row.tobytes() for row in _rows(people, alike, keypoints)})
    if copies:
        yield f"{copies} of {len(known)} {whose} stand twice, with the same keypoints in the same picture: {so}"
