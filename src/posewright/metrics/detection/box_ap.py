"""Average precision of people's boxes, as COCO scores detectors.

Lin et al., "Microsoft COCO", ECCV 2014, and its evaluator of boxes (cocodataset.org), for people alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.columns import people_of
from posewright.metrics.oks.matching import RANGES, Flags, Matches, Places, match, pairs, ranked, summary
from posewright.metrics.oks.similarity import order_of
from posewright.metrics.score import Protocol, Score, named, paired
from posewright.metrics.trust.resampling import again_of
from posewright.scene import Floats, Scene

MOST = 100
"""How many boxes of a picture count: the first by score."""
FEWER = (1, 10)
"""How many count for "AR@1" and "AR@10"."""
SMALL = (0.0, 32.0**2)
"""Areas in px^2 of small people, both ends included."""
_LOW, _HIGH = (np.array(ends)[:, None] for ends in zip(*RANGES.values(), SMALL, strict=True))


def box_ap(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Score:
    """Score people's boxes by COCO's average precision and recall: AP, AP50, AP75, APS, APM, APL, and AR alike.

    "AR@1" and "AR@10" are the recall where only so many boxes of a picture count.

    The similarity is the intersection over the union; with a crowd, over the predicted box. Scenes are paired by
    position and taken in the order of their ids, as pycocotools does. Of each scene the first 100 boxes by score count.
    Crowds are ignored: neither to be found nor wrong to find. People without keypoints are people. A person's size is
    their area where it is annotated, else the box's; a prediction's is its box's. A number is -1 where nobody is to be
    found. Raises ValueError where scenes do not pair, a true person has no box, or a prediction no box or no score.
    """
    skeleton = paired(predicted, truth)
    order = np.array(order_of(truth))
    true, found = (people_of([scenes[i] for i in order], len(skeleton)) for scenes in (truth, predicted))
    for what, scenes, people, wrong in (
        ("truth", truth, true, np.isnan(true.box).any(1)),
        ("prediction", predicted, found, np.isnan(found.box).any(1) | ~np.isfinite(found.score)),
    ):
        if wrong.any():
            place = int(order[people.scene[wrong][0]])
            needs = "box" if what == "truth" else "box or no score"
            raise ValueError(f"{what}, {named(place, scenes[place])}: a person has no {needs}; box_ap needs them")
    areas = np.where(np.isnan(true.area), _areas(true.box), true.area)

    def matched(most: int) -> Matches:
        at = _matches(true.scene, true.box, areas, true.crowd, found.scene, found.box, found.score, len(order), most)
        return at._replace(image=order[at.image], counted=at.counted[np.argsort(order)])

    back = matched(MOST)
    fewer = {f"AR@{most}": _ranges(matched(most), slice(0, 3)) for most in FEWER}
    usual, small = _ranges(back, slice(0, 3)), _ranges(back, slice(3, 4))
    little = again_of(small, 1)
    numbers = summary(usual)
    extra = summary(_ranges(back, [3, 3, 3]))
    numbers |= {"APS": extra["AP"], "ARS": extra["AR"]} | {name: summary(one)["AR"] for name, one in fewer.items()}
    again, fewer_again = again_of(usual), {name: again_of(one) for name, one in fewer.items()}

    def resampled(weights: Floats) -> dict[str, Floats]:
        of_small = little(weights)
        of_fewer = {name: one(weights)["AR"] for name, one in fewer_again.items()}
        return again(weights) | {"APS": of_small["AP"], "ARS": of_small["AR"]} | of_fewer

    protocol: Protocol = {
        "metric": "COCO average precision and recall of people's boxes",
        "thresholds": "0.50:0.05:0.95",
        "scenes": len(truth),
        "people": int((~true.crowd).sum()),
        "people_ignored": int(true.crowd.sum()),
        "predictions": len(back.score),
        f"predictions_beyond_{MOST}_a_scene": len(found.score) - len(back.score),
        "area": "annotated" if not np.isnan(true.area).any() else "the box's where none is annotated",
    }
    return Score(numbers, protocol, resampled)


def _areas(box: Floats) -> Floats:
    return np.asarray((box[:, 2:] - box[:, :2]).prod(1))


def _ranges(found: Matches, which: slice | list[int]) -> Matches:
    """Return matches in some of the area ranges only."""
    return found._replace(
        person=found.person[which], ignored=found.ignored[which], counted=found.counted[:, which]
    )  # fmt: skip


def _matches(
    image: Places, boxes: Floats, areas: Floats, crowd: Flags, image_of: Places, guesses: Floats, scores: Floats,
    images: int, most: int,
) -> Matches:  # fmt: skip
    """Match boxes to people by overlap, in every area range and at every threshold."""
    kept = ranked(image_of, scores, most)
    guess, person = pairs(kept.image, image)
    chosen_boxes = guesses[kept.order]
    similarity = similarities(chosen_boxes[guess], boxes[person], crowd[person])
    ignored = crowd | (areas < _LOW) | (areas > _HIGH)
    extents = _areas(chosen_boxes)
    outside = (extents < _LOW) | (extents > _HIGH)
    taken, dropped = match(similarity, guess, person, kept.rank, ignored, crowd, outside)
    counted = np.stack([np.bincount(image[~row], minlength=images) for row in ignored], axis=1)
    return Matches(kept.image, scores[kept.order], taken, dropped, counted)


def similarities(guesses: Floats, boxes: Floats, crowd: Flags) -> Floats:
    """Return how alike pairs of boxes (N, 4) are: intersection over union, or over the guess where it is a crowd."""
    inner = np.minimum(guesses[:, 2:], boxes[:, 2:]) - np.maximum(guesses[:, :2], boxes[:, :2])
    shared = np.where((inner > 0).all(1), inner.prod(1), 0.0)
    own = _areas(guesses)
    whole = np.where(crowd, own, own + _areas(boxes) - shared)
    return np.asarray(np.divide(shared, whole, out=np.zeros(len(shared)), where=whole > 0))
