"""What in the numbers of predictions and truth can hardly be meant: units, places, areas and records that repeat.

Every function says in one line each what was found, with counts; nothing where nothing is odd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from posewright.columns import People, people_of, pictures_of
from posewright.metrics.oks.matching import Flags
from posewright.metrics.oks.similarity import box_areas
from posewright.scene import Floats, Scene

BEYOND = 10.0
"""How many times its box an area must be to be called beyond it."""
LEAVING = 0.2
"""The share of boxes that leave their picture from which on corners may be meant for width and height."""
SHARES = (-0.5, 1.5)
"""Where coordinates lie that are shares of the picture, those of people cut by its edge too."""
SPREAD = 0.1
"""How much the scale between predictions and truth may vary over pictures to be one scale: half the middle half."""
SCALED = 1.2
"""How far from 1 that scale must be, or its inverse."""


def implausible(predicted: Sequence[Scene], truth: Sequence[Scene]) -> list[str]:
    """Say what of predictions and truth, of the same pictures and keypoints, can hardly be meant.

    Shares of the picture for pixels, pictures of another size, people outside, boxes that may be corners, areas
    beyond the picture, counts that contradict keypoints, boxes of some alone, records that stand twice.
    """
    keypoints = len(truth[0].skeleton)
    found, true = people_of(predicted, keypoints), people_of(truth, keypoints)
    size = sizes(truth)
    return [
        *_misses(found, true),
        *_shares(found, true),
        *_scaled(found, true, len(truth)),
        *_outside(found, size, "predicted"),
        *_outside(true, size, "true"),
        *_corners(found, size, "predictions"),
        *_corners(true, size, "true people"),
        *_areas(true, size),
        *_contradictory(found, true),
        *_twice(found, "predictions", "duplicates are false positives"),
        *_twice(true, "true people", "one of each is missed"),
    ]


def sizes(scenes: Sequence[Scene]) -> Floats:
    """Return the width and height (S, 2) px of scenes, NaN where they do not tell."""
    told = [scene.size or (np.nan, np.nan) for scene in pictures_of(scenes)]
    return np.array(told, np.float64).reshape(-1, 2)


def _labelled(xy: Floats) -> Flags:
    """Tell which keypoints (..., 2) have a place."""
    return np.asarray(np.isfinite(xy[..., 0]) & np.isfinite(xy[..., 1]))


def _misses(found: People, true: People) -> Iterator[str]:
    counted = _labelled(true.keypoints).any(1) & ~true.crowd
    pictures = np.setdiff1d(true.scene[counted], found.scene)
    if len(pictures):
        people = int(np.isin(true.scene[counted], pictures).sum())
        yield (
            f"{len(pictures)} of {len(np.unique(true.scene[counted]))} pictures with people have no prediction, and "
            f"their {people} people count as missed; --only-predicted leaves such pictures out"
        )


def only_shares(xy: Floats) -> bool:
    """Tell whether all coordinates (..., 2), two different ones at least, lie about 0 to 1: within SHARES."""
    known = xy[np.isfinite(xy)]
    low, high = SHARES
    return len(known) > 1 and bool(known.min() >= low and known.max() <= high and known.min() < known.max())


def _shares(found: People, true: People) -> Iterator[str]:
    if only_shares(found.keypoints) and only_shares(true.keypoints):
        yield "all coordinates, predicted and true, lie within 1: no area in px^2 fits them, so that OKS means nothing"


def _scaled(found: People, true: People, scenes: int) -> Iterator[str]:
    """Compare where keypoints end in each picture, on the right and at the bottom."""
    ends = [_ends(people, scenes) for people in (found, true)]
    known = np.isfinite(ends).all((0, 2)) & (np.array(ends) > 0).all((0, 2))
    if known.sum() < 3:
        return
    ratio = ends[0][known] / ends[1][known]
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75], axis=0)
    one_scale = ((high - low) < 2 * SPREAD * middle).all()
    if one_scale and (np.abs(np.log(middle)) > np.log(SCALED)).all():
        yield (
            f"predictions end at {middle[0]:.2f} of the truth's x and {middle[1]:.2f} of its y, picture by picture: "
            "they seem to be of pictures of another size"
        )


def _ends(people: People, scenes: int) -> Floats:
    """Return the largest x and y (S, 2) of each scene's keypoints, NaN where it has none."""
    largest = np.fmax.reduce(people.keypoints, axis=1)
    ends = np.full((scenes, 2), -np.inf)
    np.maximum.at(ends, people.scene, np.nan_to_num(largest, nan=-np.inf))
    return np.where(np.isfinite(ends), ends, np.nan)


def _outside(people: People, size: Floats, whose: str) -> Iterator[str]:
    xy, limit = people.keypoints, size[people.scene][:, None]
    known = _labelled(xy)
    away = known & ((xy < -0.5) | (xy > limit - 0.5)).any(-1)
    whole = known.any(1) & (away == known).all(1)
    if whole.any():
        turned = known & ((xy < -0.5) | (xy > limit[..., ::-1] - 0.5)).any(-1)
        hint = "; with width and height exchanged none would" if not turned[whole].any() else ""
        yield f"{int(whole.sum())} of {len(whole)} {whose} people lie outside their picture with all keypoints{hint}"


def may_be_corners(boxes: Floats, size: Floats) -> int:
    """Count the boxes (N, 4) xyxy px that leave their pictures of size (N, 2), where corners would fit all; else 0.

    Read from x, y, width, height, a box of corners x, y, x, y ends at the sum of both corners.
    """
    known = np.isfinite(boxes).all(1) & np.isfinite(size).all(1)
    box, limit = boxes[known], size[known]
    width_height = box[:, 2:] - box[:, :2]
    leaving = int((box[:, 2:] > limit + 1).any(1).sum())
    fits = (width_height > box[:, :2]).all(1) & (width_height <= limit + 1).all(1)
    return leaving if leaving > max(1, LEAVING * len(box)) and fits.all() else 0


def _corners(people: People, size: Floats, whose: str) -> Iterator[str]:
    boxed = ~np.isnan(people.box[:, 0])
    leaving = may_be_corners(people.box[boxed], size[people.scene[boxed]])
    if leaving:
        yield (
            f"{leaving} of {int(boxed.sum())} boxes of {whose} leave their picture, and all would fit as corners: "
            "bbox must be x, y, width, height, not x, y, x, y"
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


def _contradictory(found: People, true: People) -> Iterator[str]:
    if true.counted is not None and (true.counted >= 0).any():
        ignored, counted = int((true.counted == 0).sum()), int((true.counted == 1).sum())
        yield (
            f"num_keypoints contradicts the keypoints of {ignored + counted} people: {ignored} with keypoints are "
            f"ignored, {counted} without count, as in pycocotools"
        )
    boxed = ~np.isnan(found.box[:, 0])
    if boxed.any() and not boxed.all():
        yield (
            f"{int((~boxed).sum())} of {len(boxed)} predictions have no box; as in pycocotools the first in the file "
            "decides whether boxes give areas, by which unmatched predictions count in APM and APL"
        )


def _twice(people: People, whose: str, so: str) -> Iterator[str]:
    some = _labelled(people.keypoints).any(1)
    xy = np.nan_to_num(people.keypoints[some], nan=-1.0)
    rows = np.column_stack([people.scene[some], xy.reshape(len(xy), 2 * xy.shape[1])])
    copies = len(rows) - len({row.tobytes() for row in rows})
    if copies:
        yield f"{copies} of {len(rows)} {whose} stand twice, with the same keypoints in the same picture: {so}"
