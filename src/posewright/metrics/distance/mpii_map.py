"""Mean average precision in the order of PCKh: many people in a picture, keypoint by keypoint.

The measure of MPII's multi-person set (Pishchulin et al., "DeepCut", CVPR 2016) and of PoseTrack (Andriluka et al.,
CVPR 2018). Two programs publish its numbers, MPII's tool kit and poseval; they differ in keypoints and in what a
picture without predictions counts. Equal to both up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from posewright.metrics.distance.distances import HEAD_SHARE
from posewright.metrics.oks.matching import Flags, Places
from posewright.metrics.score import Protocol, Score, named, paired, score_of
from posewright.scene import Floats, Person, Scene
from posewright.skeleton import Skeleton

WithoutPredictions = Literal["skipped", "counted"]

THRESHOLD = 0.5
"""Of the head's size: how near a keypoint must be."""
NEVER_COUNTED = frozenset({"pelvis", "thorax", "left_ear", "right_ear"})
"""Keypoints of MPII and PoseTrack that neither program counts; 14 of MPII's and 15 of PoseTrack's are left."""
WEIGHTS_AT_ONCE = 1 << 17
"""How many weights of detections are laid out in one step: few enough for the processor's cache."""


class Detections(NamedTuple):
    """Hold the detections of one keypoint in all scenes, best score first: scene (D,), positive (D,)."""

    scene: Places
    positive: Flags


def mpii_map(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    images_without_predictions: WithoutPredictions = "skipped",
    keypoints: Sequence[str] | None = None,
) -> Score:
    """Score people by the mean, over keypoints, of the average precision of each keypoint.

    In each scene predicted people are given to true ones by their share of near keypoints (`assign`); then every
    predicted keypoint is one detection, positive where it is near that of its person. Of each keypoint the
    detections of all scenes are ranked by score, equal ones as listed, and

        AP = sum over detections of (recall_i - recall_(i-1)) max of precision_j over j >= i

    which is the exact area of PASCAL VOC 2010. "mAP" is the plain mean of "AP/left_knee" and the like;
    "precision" and "recall" are those of all detections, whatever their score, as poseval prints them, and their
    means. In [0, 1]; NaN where there is nothing to find, or nothing found to be precise; means leave NaN out.

    images_without_predictions: whether the true keypoints of a picture in which nobody is predicted are to be
    found ("counted": poseval) or not ("skipped": MPII's tool kit, which flatters whoever predicts nobody).
    keypoints: names of those that count, also for who is whose; None for all but the pelvis, thorax and ears, so
    MPII's and PoseTrack's own choices. A keypoint's score is its own, else its person's. Crowds are left out.

    Raises ValueError where scenes do not pair, a predicted keypoint has no score, or a true person with a
    keypoint has no head box.
    """
    skeleton = paired(predicted, truth)
    if images_without_predictions not in get_args(WithoutPredictions):
        raise ValueError(f"images_without_predictions must be skipped or counted, not {images_without_predictions!r}")
    names = counted_keypoints(skeleton, keypoints)
    chosen = [skeleton.index(name) for name in names]
    ranked = detections(predicted, truth, chosen)
    asked = np.stack([_labels(scene, chosen) for scene in truth])
    if images_without_predictions == "skipped":
        asked = asked * np.array([[len(scene.people) > 0] for scene in predicted])

    def again(weights: Floats) -> dict[str, Floats]:
        curves = [average_precision(weights, one, asked[:, k]) for k, one in enumerate(ranked)]
        numbers: dict[str, Floats] = {}
        for name, each in zip(("AP", "precision", "recall"), np.stack(curves, axis=1), strict=True):
            numbers["mAP" if name == "AP" else name] = _mean(each)
            numbers |= {f"{name}/{keypoint}": value for keypoint, value in zip(names, each, strict=True)}
        return numbers

    protocol: Protocol = {
        "metric": "mean average precision in PCKh order",
        "threshold": THRESHOLD,
        "rule": "distance <= threshold",
        "normalised_by": f"{HEAD_SHARE:g} of the head box's diagonal",
        "keypoints_counted": ", ".join(names),
        "images_without_predictions": images_without_predictions,
        "ranked_by": "the keypoint's score, else its person's",
        "scenes": len(truth),
        "scenes_without_predictions": sum(not scene.people for scene in predicted),
        "people": sum(len(_asked(scene)) for scene in truth),
        "crowds_left_out": sum(person.crowd for scene in truth for person in scene.people),
        "predictions": sum(len(scene.people) for scene in predicted),
        "keypoints": int(asked.sum()),
        "detections": sum(len(one.scene) for one in ranked),
    }
    return score_of(again, len(truth), protocol)


def counted_keypoints(skeleton: Skeleton, given: Sequence[str] | None = None) -> tuple[str, ...]:
    """Name the keypoints that count: the given ones, else all of the skeleton that MPII or poseval would count.

    >>> from posewright.skeleton import MPII, POSETRACK
    >>> len(counted_keypoints(MPII)), len(counted_keypoints(POSETRACK))
    (14, 15)
    """
    if given is None:
        return tuple(name for name in skeleton.keypoints if name not in NEVER_COUNTED)
    strangers = [name for name in given if name not in skeleton.keypoints]
    if strangers or not given or len(set(given)) < len(given):
        wrong = f"has no {', '.join(strangers)}" if strangers else "needs every name once, and at least one"
        raise ValueError(f"keypoints: {skeleton.name} {wrong}; there are {', '.join(skeleton.keypoints)}")
    return tuple(given)


def assign(predicted: Floats, truth: Floats, size: Floats) -> tuple[Places, Flags]:
    """Give predicted people to true ones; return whose each is, (D,) or -1, and which keypoints are near, (D, P, K).

    How alike two people are is the share of the true one's keypoints that are near. Every prediction
    wants the true person it is most like, of equal ones the first; every true person takes, of the predictions
    that want them, the one most like them, of equal ones the first, if any keypoint is near. There is no
    second round: who is not taken stays nobody's.

    predicted (D, K, 2), truth (P, K, 2) px, NaN where absent; size (P,) px of the heads.
    """
    near = np.hypot(*np.moveaxis(predicted[:, None] - truth, -1, 0)) / size[:, None] <= THRESHOLD
    owner = np.full(len(predicted), -1, np.intp)
    if near.shape[0] and near.shape[1]:
        alike = near.sum(-1) / np.maximum(np.isfinite(truth).all(-1).sum(-1), 1)
        wanted = alike.argmax(1)[:, None] == np.arange(len(truth))
        alike = np.where(wanted, alike, 0.0)
        taken = np.flatnonzero(alike.max(0) > 0)
        owner[alike.argmax(0)[taken]] = taken
    return owner, np.asarray(near)


def detections(predicted: Sequence[Scene], truth: Sequence[Scene], chosen: Sequence[int]) -> list[Detections]:
    """Return the ranked detections of each of the chosen keypoints, from paired scenes."""
    scene, positive, score = [], [], []
    for place, (guess, true) in enumerate(zip(predicted, truth, strict=True)):
        people = _asked(true)
        size = np.array([_head_size(person, chosen, place, true) for person in people], np.float64)
        owner, near = assign(_keypoints(guess.people, chosen), _keypoints(people, chosen), size)
        taken = np.flatnonzero(owner >= 0)
        right = np.zeros((len(owner), len(chosen)), bool)
        right[taken] = near[taken, owner[taken]]
        positive.append(right)
        score.append(_scores(guess, chosen, place))
        scene.append(np.full(len(owner), place))
    scenes, right, scores = np.concatenate(scene), np.concatenate(positive), np.concatenate(score)
    order = np.argsort(-scores, axis=0, kind="stable")
    present = np.isfinite(scores).sum(0)
    return [Detections(scenes[order[:n, k]], right[order[:n, k], k]) for k, n in enumerate(present)]


def average_precision(weights: Floats, detections: Detections, asked: Places) -> tuple[Floats, Floats, Floats]:
    """Return the average precision (B,) of one keypoint, the final precision and the final recall.

    weights (B, S) say how often each scene counts; asked (S,) how many true keypoints it has. A scene that
    counts twice stands in the ranking twice. Only positive detections raise recall, and precision is largest at
    one of them, so the others only count towards the number of detections that came before.
    """
    at = np.flatnonzero(detections.positive)
    steps = max(1, len(weights) * len(detections.scene) // WEIGHTS_AT_ONCE)
    area, found, all_of_them = [], [], []
    for some in np.array_split(weights, min(steps, len(weights))):
        laid = some[:, detections.scene]
        true, before = laid[:, at], np.cumsum(laid, axis=1)
        precise = _ratio(np.cumsum(true, axis=1), before[:, at], 0.0)
        best = np.maximum.accumulate(precise[:, ::-1], axis=1)[:, ::-1]
        area.append((true * best).sum(1))
        found.append(true.sum(1))
        all_of_them.append(laid.sum(1))
    hits, count = np.concatenate(found), weights @ asked
    return (
        _ratio(np.concatenate(area), count, np.nan),
        _ratio(hits, np.concatenate(all_of_them), np.nan),
        _ratio(hits, count, np.nan),
    )


def _ratio(part: Floats, whole: Floats, otherwise: float) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, otherwise), where=whole > 0))


def _mean(values: Floats) -> Floats:
    """Return the mean over the first axis of what is not NaN."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(0), known.sum(0), np.nan)


def _asked(scene: Scene) -> list[Person]:
    return [person for person in scene.people if not person.crowd]


def _keypoints(people: Sequence[Person], chosen: Sequence[int]) -> Floats:
    return np.array([person.keypoints[chosen] for person in people], np.float64).reshape(-1, len(chosen), 2)


def _labels(scene: Scene, chosen: Sequence[int]) -> Places:
    """Return how many people of a scene have each of the chosen keypoints."""
    return np.isfinite(_keypoints(_asked(scene), chosen)).all(-1).sum(0)


def _head_size(person: Person, chosen: Sequence[int], place: int, scene: Scene) -> float:
    """Return the size of a true person's head, NaN where nothing is asked of the person."""
    if person.head is not None:
        size = HEAD_SHARE * float(np.hypot(*(person.head[2:] - person.head[:2])))
        if size > 0:
            return size
    if person.labelled[chosen].any():
        raise ValueError(
            f"truth, {named(place, scene)}: a person with keypoints has {'no' if person.head is None else 'an empty'} "
            "head box; PCKh measures by it"
        )
    return float("nan")


def _scores(scene: Scene, chosen: Sequence[int], place: int) -> Floats:
    """Return the scores (D, K) of predicted keypoints, NaN where one is absent."""
    scores = np.full((len(scene.people), len(chosen)), np.nan)
    for i, person in enumerate(scene.people):
        own = np.nan if person.score is None else person.score
        present = person.labelled[chosen]
        scores[i, present] = own if person.scores is None else person.scores[chosen][present]
        if not np.isfinite(scores[i, present]).all():
            raise ValueError(
                f"prediction, {named(place, scene)}, person {i}: has keypoints without a score; AP ranks by it"
            )
    return scores
