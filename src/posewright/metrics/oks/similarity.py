"""Object keypoint similarity: how alike a predicted and a true person are, and who is matched with whom by it.

Lin et al., "Microsoft COCO", ECCV 2014, and its keypoint evaluation (cocodataset.org). Equal to pycocotools
bit by bit; what that computes differs from its description in places, and the docstrings say where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from posewright.columns import People, extent, people_of, pictures_of
from posewright.metrics.oks.matching import Flags, Places
from posewright.metrics.score import named
from posewright.scene import Floats, Scene
from posewright.skeleton import COCO, CROWDPOSE, Skeleton

PredictedArea = Literal["own", "keypoints", "box"]
PREDICTED_AREAS = {
    "own": "the prediction's own, else the extent of its keypoints",
    "keypoints": "extent of the keypoints",
    "box": "box",
}
"""What a protocol says of the areas that predictions are given."""
PAIRS_AT_ONCE, NUMBERS_AT_ONCE = 1 << 11, 1 << 15
"""How many pairs, or keypoints of pairs, are compared in one step: few enough for the processor's cache."""

PLAIN_SIGMA = 0.1
"""Of a keypoint that nobody published one for and that resembles none: `oks_sigma` of DeepLabCut's compute_oks, by
default, which it takes for all keypoints."""

_KIN = {"head": "head_top", "head_bottom": "neck", "upper_neck": "neck", "thorax": "neck",
        "pelvis": "left_hip", "spine": "left_hip", "belly": "left_hip"}  # fmt: skip


class Counting(TypedDict, total=False):
    """What a metric by OKS may be told beside sigmas; `oks_ap` says what each of these means."""

    box_area: float
    counted_by: Sequence[str] | None
    predicted_area: PredictedArea


class Rules(Counting, total=False):
    """What a metric by OKS may be told."""

    sigmas: ArrayLike | None


class Truths(NamedTuple):
    """Hold the true people of all images, image by image.

    image (P,); keypoints (P, K, 2) px; labelled (P, K); area (P,) px^2; box (P, 4) xyxy px; crowd (P,);
    ignored (P,): neither to be found nor wrong to find; excluded (P,): ignored whatever keypoints are scored.
    """

    image: Places
    keypoints: Floats
    labelled: Flags
    area: Floats
    box: Floats
    crowd: Flags
    ignored: Flags
    excluded: Flags


class Predictions(NamedTuple):
    """Hold the predicted people of all images: image (D,); keypoints (D, K, 2) px; score (D,); area (D,) px^2."""

    image: Places
    keypoints: Floats
    score: Floats
    area: Floats


Gathered = TypeVar("Gathered", Truths, Predictions)


def oks(
    truth: Floats, labelled: Flags, area: Floats, box: Floats, predicted: Floats, sigmas: Floats
) -> Floats:  # fmt: skip
    """Return the object keypoint similarity (D, P) of every prediction with every true person.

        OKS = mean over labelled keypoints of exp(-d^2 / (2 sigma)^2 / (area + eps) / 2)

    truth (P, K, 2), predicted (D, K, 2) px; labelled (P, K); area (P,) px^2; box (P, 4) xyxy; sigmas (K,).
    A predicted keypoint that is NaN is as far away as can be. A person without any labelled keypoint is
    compared by all K: d is the distance to the box, doubled about its centre, along x and along y.
    """
    truths = Truths(np.zeros(len(truth), np.intp), truth, labelled, area, box, *np.zeros((3, len(truth)), bool))
    guess, person = np.divmod(np.arange(len(predicted) * len(truth)), max(len(truth), 1))
    return similarities(truths, predicted, sigmas, guess, person).reshape(len(predicted), len(truth))


def similarities(truths: Truths, predicted: Floats, sigmas: Floats, guess: Places, person: Places) -> Floats:
    """Return the OKS (N,) of pairs; those with equally many labelled keypoints go together, as the sum's order tells.

    numpy adds 8 or more terms in an order that depends on how many there are, so only the labelled ones may
    take part if ties are to be COCO's.
    """
    found = np.zeros(len(guess))
    count = truths.labelled.sum(1)[person]
    scale = -((sigmas * 2) ** 2)
    for n in np.flatnonzero(np.bincount(count)):
        rows = np.flatnonzero(count == n)
        for some in np.array_split(rows, len(rows) * len(sigmas) // NUMBERS_AT_ONCE + 1):
            found[some] = _of_count(truths, predicted.take(guess[some], axis=0), scale, person[some], int(n))
    return found


def _of_count(truths: Truths, predicted: Floats, scale: Floats, person: Places, count: int) -> Floats:
    if count:
        away = np.subtract(predicted, truths.keypoints.take(person, axis=0), out=predicted)
    else:
        low, high = truths.box[person, None, :2], truths.box[person, None, 2:]
        low, high = low - (high - low), low + 2 * (high - low)
        away = np.maximum(0, low - predicted) + np.maximum(0, predicted - high)
    np.square(away, out=away)
    close = away[..., 0] + away[..., 1]
    close /= scale
    close /= truths.area[person, None] + np.spacing(1)
    close /= 2
    np.exp(close, out=close)
    if 0 < count < len(scale):
        close = close[truths.labelled.take(person, axis=0)].reshape(-1, count)
    missed = np.isnan(close)
    if missed.any():
        close[missed] = 0.0
    return np.asarray(close.sum(-1) / close.shape[1])


def oks_sigmas(skeleton: Skeleton, given: ArrayLike | None = None) -> tuple[Floats, str]:
    """Return the sigmas (K,) to score a skeleton with, and who says so.

    Given ones come first, then published ones, then a choice by name: COCO's, CrowdPose's head top and neck,
    for other keypoints of the head and the spine their nearest kin among these, and PLAIN_SIGMA for names without
    kin. Raises ValueError where given ones do not fit.
    """
    if given is not None:
        sigmas = np.asarray(given, np.float64)
        if sigmas.shape != (len(skeleton),) or not ((sigmas > 0) & (sigmas <= 1)).all():
            raise ValueError(
                f"sigmas must be {len(skeleton)} numbers above 0 and at most 1, one a keypoint of {skeleton.name}"
            )
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
    borrowed = [f"{name} as {k}" for name, k in zip(skeleton.keypoints, kin, strict=True) if name != k]
    borrowed += [f"{PLAIN_SIGMA:g} for {', '.join(strangers)}"] * bool(strangers)
    choices = ["COCO's and CrowdPose's by name"] * (len(strangers) < len(kin)) + borrowed
    return np.array([known.get(name, PLAIN_SIGMA) for name in kin]), (
        f"a choice, none are published for {skeleton.name}: {', '.join(choices)}"
    )


def gather_truths(
    scenes: Sequence[Scene], skeleton: Skeleton, box_area: float = 1.0, counted_by: Sequence[str] | None = None
) -> Truths:
    """Collect the true people of scenes into arrays; see `oks_ap` for what is asked of them."""
    people = people_of(scenes, len(skeleton))
    labelled = np.isfinite(people.keypoints[..., 0]) & np.isfinite(people.keypoints[..., 1])
    counting = [skeleton.index(name) for name in (skeleton.keypoints if counted_by is None else counted_by)]
    area = np.where(np.isnan(people.area), box_areas(people) * box_area, people.area)
    if np.isnan(area).any():
        place = int(people.scene[np.isnan(area)][0])
        raise ValueError(
            f"truth, {named(place, scenes[place])}: a person has neither area nor box; OKS needs one of them"
        )
    counted, excluded = labelled[:, counting].any(1), people.crowd
    if people.counted is not None and counted_by is None:
        counted = np.where(people.counted < 0, counted, people.counted == 1)
        excluded = excluded | (people.counted == 0)
    return Truths(
        people.scene, people.keypoints, labelled, area, people.box, people.crowd, excluded | ~counted, excluded
    )


def box_areas(people: People) -> Floats:
    """Return the areas (P,) px^2 of people's boxes, as their file says where it does; NaN without a box."""
    width, height = (people.box[:, 2:] - people.box[:, :2]).T
    known = np.full(len(width), np.nan) if people.box_area is None else people.box_area
    return np.asarray(np.where(np.isnan(known), width * height, known))


def area_source(scenes: Sequence[Scene], keypoints: int, box_area: float = 1.0) -> str:
    """Say where the areas of true people come from."""
    areas = people_of(scenes, keypoints).area
    without = int(np.isnan(areas).sum())
    return f"{box_area:g} of the box's for {without} of {len(areas)} people" if without else "annotated"


def gather_predictions(scenes: Sequence[Scene], keypoints: int, area: PredictedArea = "own") -> Predictions:
    """Collect the predicted people of scenes into arrays; see `oks_ap` for what is asked of them."""
    people = people_of(scenes, keypoints)
    _refuse(scenes, people.scene, ~np.isfinite(people.score), "score is {0.score}; AP ranks by it")
    if area == "box":
        _refuse(scenes, people.scene, np.isnan(people.box[:, 0]), "has no box, whose area was asked for")
        return Predictions(people.scene, people.keypoints, people.score, np.maximum(box_areas(people), 0.0))
    unknown = np.isnan(people.area) if area == "own" else np.ones(len(people.area), bool)
    areas = people.area.copy()
    xy = people.keypoints[unknown]
    width, height = extent(np.where(np.isnan(xy).any(-1, keepdims=True), np.nan, xy))
    areas[unknown] = width * height
    return Predictions(people.scene, people.keypoints, people.score, areas)


def _refuse(scenes: Sequence[Scene], places: Places, wrong: Flags, reason: str) -> None:
    """Raise ValueError for the first prediction that is wrong, if any."""
    if wrong.any():
        first = int(wrong.argmax())
        place = int(places[first])
        scene, i = scenes[place], first - int(np.searchsorted(places, place))
        raise ValueError(f"prediction, {named(place, scene)}, person {i}: {reason.format(scene.people[i])}")


def taken(order: Places, people: Gathered) -> Gathered:
    """Return people with their scenes taken in another order."""
    image = np.argsort(order)[people.image]
    if (image[1:] >= image[:-1]).all():
        return people._replace(image=image)
    rows = np.argsort(image, kind="stable")
    return people._replace(**{name: column[rows] for name, column in people._replace(image=image)._asdict().items()})


def order_of(scenes: Sequence[Scene]) -> list[int]:
    """Return scenes in ascending order of their ids, where all are numbers or all are texts."""
    ids = [scene.id for scene in pictures_of(scenes)]
    if all(isinstance(i, int) for i in ids) or all(isinstance(i, str) for i in ids):
        return [place for _, place in sorted(zip(ids, range(len(ids)), strict=True))]
    return list(range(len(scenes)))
