"""Object keypoint similarity, and the average precision and recall that COCO ranks pose estimators by.

Lin et al., "Microsoft COCO", ECCV 2014, and its keypoint evaluation (cocodataset.org). Equal to pycocotools
bit by bit; what that computes differs from its description in places, and the docstrings say where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from posewright.metrics.matching import KEPT, Flags, Matches, Places, match, out_of_range, pairs, ranked, summary
from posewright.metrics.score import Protocol, Score, named, paired
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import COCO, CROWDPOSE, Skeleton

PredictedArea = Literal["keypoints", "box"]
PAIRS_AT_ONCE = 1 << 16
"""How many pairs are compared in one step; bounds the memory."""

_KIN = {"head": "head_top", "head_bottom": "neck", "upper_neck": "neck", "thorax": "neck",
        "pelvis": "left_hip", "spine": "left_hip", "belly": "left_hip"}  # fmt: skip


class Truths(NamedTuple):
    """Hold the true people of all images, image by image.

    image (P,); keypoints (P, K, 2) px; labelled (P, K); area (P,) px^2; box (P, 4) xyxy px; crowd (P,);
    ignored (P,): neither to be found nor wrong to find.
    """

    image: Places
    keypoints: Floats
    labelled: Flags
    area: Floats
    box: Floats
    crowd: Flags
    ignored: Flags


class Predictions(NamedTuple):
    """Hold the predicted people of all images: image (D,); keypoints (D, K, 2) px; score (D,); area (D,) px^2."""

    image: Places
    keypoints: Floats
    score: Floats
    area: Floats


def oks(
    truth: Floats, labelled: Flags, area: Floats, box: Floats, predicted: Floats, sigmas: Floats
) -> Floats:  # fmt: skip
    """Return the object keypoint similarity (D, P) of every prediction with every true person.

        OKS = mean over labelled keypoints of exp(-d^2 / (2 sigma)^2 / (area + eps) / 2)

    truth (P, K, 2), predicted (D, K, 2) px; labelled (P, K); area (P,) px^2; box (P, 4) xyxy; sigmas (K,).
    A predicted keypoint that is NaN is as far away as can be. A person without any labelled keypoint is
    compared by all K: d is the distance to the box, doubled about its centre, along x and along y.
    """
    truths = Truths(np.zeros(len(truth), np.intp), truth, labelled, area, box, *np.zeros((2, len(truth)), bool))
    guess, person = np.divmod(np.arange(len(predicted) * len(truth)), max(len(truth), 1))
    return _similarity(truths, predicted, sigmas, guess, person).reshape(len(predicted), len(truth))


def _similarity(truths: Truths, predicted: Floats, sigmas: Floats, guess: Places, person: Places) -> Floats:
    """Return the OKS (N,) of pairs; those with equally many labelled keypoints go together, as the sum's order tells.

    numpy adds 8 or more terms in an order that depends on how many there are, so only the labelled ones may
    take part if ties are to be COCO's.
    """
    found = np.zeros(len(guess))
    count = truths.labelled.sum(1)[person]
    for n in np.unique(count):
        rows = np.flatnonzero(count == n)
        for some in np.array_split(rows, len(rows) // PAIRS_AT_ONCE + 1):
            found[some] = _similarity_of(truths, predicted, sigmas, guess[some], person[some], int(n))
    return found


def _similarity_of(
    truths: Truths, predicted: Floats, sigmas: Floats, guess: Places, person: Places, count: int
) -> Floats:  # fmt: skip
    if count:
        which = np.nonzero(truths.labelled[person])[1].reshape(-1, count)
        away = predicted[guess[:, None], which] - truths.keypoints[person[:, None], which]
    else:
        which = np.arange(len(sigmas))[None]
        low, high = truths.box[person, None, :2], truths.box[person, None, 2:]
        low, high = low - (high - low), low + 2 * (high - low)
        away = np.maximum(0, low - predicted[guess]) + np.maximum(0, predicted[guess] - high)
    area = truths.area[person, None] + np.spacing(1)
    error = (away[..., 0] ** 2 + away[..., 1] ** 2) / (sigmas[which] * 2) ** 2 / area / 2
    close = np.exp(-error)
    return np.asarray(np.where(np.isnan(close), 0.0, close).sum(-1) / close.shape[1])


def matches(truths: Truths, predictions: Predictions, sigmas: Floats, images: int) -> Matches:
    """Match predictions to people by OKS, in every area range and at every threshold.

    images: how many there are, those without anybody too.
    """
    kept = ranked(predictions.image, predictions.score)
    guess, person = pairs(kept.image, truths.image)
    similarity = _similarity(truths, predictions.keypoints[kept.order], sigmas, guess, person)
    ignored = truths.ignored | out_of_range(truths.area)
    outside = out_of_range(predictions.area[kept.order])
    chosen, dropped = match(similarity, guess, person, kept.rank, ignored, truths.crowd, outside)
    counted = np.stack([np.bincount(truths.image[~row], minlength=images) for row in ignored], axis=1)
    return Matches(kept.image, predictions.score[kept.order], chosen, dropped, counted)


def oks_ap(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    sigmas: ArrayLike | None = None,
    *,
    box_area: float = 1.0,
    counted_by: Sequence[str] | None = None,
    predicted_area: PredictedArea = "keypoints",
) -> Score:
    """Score people by COCO's average precision and recall: AP, AP50, AP75, APM, APL and AR alike.

    Scenes are paired by position and taken in the order of their ids, as pycocotools does (it matters only
    where scores are equal). Of each scene the first 20 predictions by score count. Crowds and people without
    a labelled keypoint are ignored: neither to be found nor wrong to find. A number is -1 where nobody is to
    be found.

    sigmas (K,): None takes the skeleton's; where nobody published any, COCO's and CrowdPose's by name, and
    the protocol calls that a choice. box_area: the share of the box's area that stands in for a person
    without area (CrowdPose's evaluator: 0.53). counted_by: names of the keypoints of which a person must have
    one in order to count, None for all; COCO's `num_keypoints` counts all, CrowdPose's none of the head and
    neck. predicted_area decides which unmatched predictions count in APM and APL: "keypoints" takes their
    extent; "box" is what pycocotools does if the first result of a file has a `bbox`.

    Raises ValueError where scenes do not pair, a prediction has no score, or a true person neither area nor
    box.
    """
    skeleton = paired(predicted, truth)
    scales, source = oks_sigmas(skeleton, sigmas)
    order = _order(truth)
    truths = gather_truths([truth[i] for i in order], skeleton, box_area, counted_by)
    predictions = gather_predictions([predicted[i] for i in order], len(skeleton), predicted_area)
    result = matches(truths, predictions, scales, len(truth))
    without = sum(person.area is None for scene in truth for person in scene.people)
    protocol: Protocol = {
        "metric": "COCO keypoint average precision and recall",
        "sigmas": source,
        "thresholds": "0.50:0.05:0.95",
        "area": "annotated" if not without else f"{box_area:g} of the box's for {without} of {len(truths.area)} people",
        "predicted_area": "extent of the keypoints" if predicted_area == "keypoints" else "box",
        "people_counted_by": "any keypoint" if counted_by is None else ", ".join(counted_by),
        "scenes": len(truth),
        "people": int(result.counted[:, 0].sum()),
        "people_ignored": len(truths.area) - int(result.counted[:, 0].sum()),
        "predictions": len(result.score),
        f"predictions_beyond_{KEPT}_a_scene": len(predictions.score) - len(result.score),
    }
    return Score(summary(result), protocol)


def oks_sigmas(skeleton: Skeleton, given: ArrayLike | None = None) -> tuple[Floats, str]:
    """Return the sigmas (K,) to score a skeleton with, and who says so.

    Given ones come first, then published ones, then a choice by name: COCO's, CrowdPose's head top and neck,
    for other keypoints of the head and the spine their nearest kin among these. Raises ValueError where given
    ones do not fit or a name has no kin.
    """
    if given is not None:
        sigmas = np.asarray(given, np.float64)
        if sigmas.shape != (len(skeleton),) or not (sigmas > 0).all():
            raise ValueError(f"sigmas must be {len(skeleton)} positive numbers, one a keypoint of {skeleton.name}")
        return sigmas, "given by the caller"
    if skeleton.sigmas is not None:
        return np.array(skeleton.sigmas), skeleton.sigmas_source
    known = {
        name: sigma
        for source in (CROWDPOSE, COCO)
        for name, sigma in zip(source.keypoints, source.sigmas or (), strict=True)
    }
    kin = [_KIN.get(name, name) for name in skeleton.keypoints]
    strangers = [name for name in kin if name not in known]
    if strangers:
        raise ValueError(f"nobody published sigmas for {skeleton.name}'s {', '.join(strangers)}; give sigmas")
    borrowed = [f"{name} as {k}" for name, k in zip(skeleton.keypoints, kin, strict=True) if name != k]
    return np.array([known[name] for name in kin]), (
        f"a choice, none are published for {skeleton.name}: COCO's and CrowdPose's by name"
        + (f", {', '.join(borrowed)}" if borrowed else "")
    )


def gather_truths(
    scenes: Sequence[Scene], skeleton: Skeleton, box_area: float = 1.0, counted_by: Sequence[str] | None = None
) -> Truths:
    """Collect the true people of scenes into arrays; see `oks_ap` for what is asked of them."""
    people = [person for scene in scenes for person in scene.people]
    xy = np.array([person.keypoints for person in people], np.float64).reshape(-1, len(skeleton), 2)
    labelled = np.asarray(np.isfinite(xy).all(-1))
    counting = [skeleton.index(name) for name in (skeleton.keypoints if counted_by is None else counted_by)]
    crowd = np.array([person.crowd for person in people], bool)
    area = [_area(person, box_area, p, scene) for p, scene in enumerate(scenes) for person in scene.people]
    box = np.array([np.full(4, np.nan) if person.box is None else person.box for person in people]).reshape(-1, 4)
    return Truths(
        _places(scenes), xy, labelled, np.array(area, np.float64), box, crowd, crowd | ~labelled[:, counting].any(1)
    )


def gather_predictions(scenes: Sequence[Scene], keypoints: int, area: PredictedArea = "keypoints") -> Predictions:
    """Collect the predicted people of scenes into arrays; see `oks_ap` for what is asked of them."""
    for place, scene in enumerate(scenes):
        for i, person in enumerate(scene.people):
            if person.score is None or not np.isfinite(person.score):
                raise ValueError(
                    f"prediction, {named(place, scene)}, person {i}: score is {person.score}; AP ranks by it"
                )
            if area == "box" and person.box is None:
                raise ValueError(f"prediction, {named(place, scene)}, person {i}: has no box, whose area was asked for")
    people = [person for scene in scenes for person in scene.people]
    xy = np.array([person.keypoints for person in people], np.float64).reshape(-1, keypoints, 2)
    score = np.array([person.score for person in people], np.float64)
    if area == "box":
        corners = np.array([person.box for person in people], np.float64).reshape(-1, 2, 2)
    else:
        absent = np.isnan(xy).any(-1, keepdims=True)
        corners = np.stack([np.where(absent, np.inf, xy).min(1), np.where(absent, -np.inf, xy).max(1)], 1)
    extent = np.maximum(corners[:, 1] - corners[:, 0], 0.0)
    return Predictions(_places(scenes), xy, score, extent[:, 0] * extent[:, 1])


def _area(person: Person, box_area: float, place: int, scene: Scene) -> float:
    if person.area is not None:
        return person.area
    if person.box is None:
        raise ValueError(f"truth, {named(place, scene)}: a person has neither area nor box; OKS needs one of them")
    x0, y0, x1, y1 = person.box.tolist()
    return (x1 - x0) * (y1 - y0) * box_area


def _places(scenes: Sequence[Scene]) -> Places:
    return np.repeat(np.arange(len(scenes)), [len(scene.people) for scene in scenes])


def _order(scenes: Sequence[Scene]) -> list[int]:
    """Return scenes in ascending order of their ids, where all are numbers or all are texts."""
    ids = [scene.id for scene in scenes]
    if all(isinstance(i, int) for i in ids) or all(isinstance(i, str) for i in ids):
        return [place for _, place in sorted(zip(ids, range(len(ids)), strict=True))]
    return list(range(len(scenes)))
