"""Outcomes: what predictions say of themselves, their scores, beside what came true; calibration is asked of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from posewright.columns import Columns, people_of
from posewright.metrics.distance.distances import measured
from posewright.metrics.oks.groups import gather
from posewright.metrics.oks.matching import KEPT, THRESHOLDS, Flags, Places
from posewright.metrics.oks.similarity import Rules, area_source, gather_predictions, gather_truths, oks_sigmas
from posewright.metrics.score import Protocol, named, paired
from posewright.scene import ABSENT, SEEN, Floats, Person, Scene
from posewright.skeleton import Skeleton

if TYPE_CHECKING:
    from typing_extensions import Unpack

Correct = Literal["oks", "torso", "box", "head"]
CUSTOMARY = {"oks": 0.5, "torso": 0.2, "box": 0.2, "head": 0.5}
"""The thresholds of correctness that are taken where none is given: OKS, PCK and PCKh."""


class Outcomes(NamedTuple):
    """Hold N statements of S scenes: how sure a prediction is, and how much of it came true.

    scene (N,) from 0; group (N,) the place of its keypoint in names, 0 where there are no names; score (N,);
    correct (N,) in [0, 1]; of_what: what is stated, as in "keypoint scores".
    """

    scene: Places
    group: Places
    score: Floats
    correct: Floats
    scenes: int
    names: tuple[str, ...]
    of_what: str
    protocol: Protocol

    @classmethod
    def of(cls, score: ArrayLike, correct: ArrayLike, scene: ArrayLike | None = None) -> Outcomes:
        """Take plain arrays (N,), of scenes (N,) numbered from 0; None where each statement is a scene of its own.

        Raises ValueError where lengths differ or a score is no number.
        """
        scores, right = np.asarray(score, np.float64), np.asarray(correct, np.float64)
        place = np.arange(len(scores)) if scene is None else np.asarray(scene, np.intp)
        if not scores.shape == right.shape == place.shape == (len(scores),):
            raise ValueError(f"score, correct and scene must be equally long, not {scores.shape}, {right.shape}, "
                             f"{place.shape}")  # fmt: skip
        scenes = int(place.max(initial=-1)) + 1
        return _checked(cls(place, np.zeros_like(place), scores, right, scenes, (), "scores", {"scenes": scenes}))


class Couples(NamedTuple):
    """Hold pairs of a predicted and a true person: one of each a scene; picture (C,): where."""

    predicted: Sequence[Scene]
    truth: Sequence[Scene]
    picture: Places
    protocol: Protocol


def keypoint_outcomes(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    correct: Correct = "oks",
    threshold: float | None = None,
    **rules: Unpack[Rules],
) -> Outcomes:
    """Collect the scores of keypoints beside whether each is near enough to the truth.

    correct: "oks" asks a keypoint's own similarity, exp(-d^2 / (2 sigma)^2 / area / 2), to be at least the
    threshold (0.5); "torso" and "box" its distance to be at most 0.2 of that length, "head" 0.5 (as in `pck` and
    `pckh`). A keypoint counts where it is labelled and predicted, its person paired (see `couples`), and the
    length known. Raises ValueError where a prediction has no scores, or what `couples` and `pck` raise.
    """
    if correct not in CUSTOMARY:
        raise ValueError(f"correct must be one of {', '.join(CUSTOMARY)}, not {correct!r}")
    skeleton = paired(predicted, truth)
    limit = CUSTOMARY[correct] if threshold is None else threshold
    found = couples(predicted, truth, **rules)
    protocol: Protocol = {"correct": f"OKS of the keypoint >= {limit:g}", "counted": "labelled and predicted keypoints"}
    if correct == "oks":
        close = _closeness(found, skeleton, rules)
        asked, near = np.isfinite(close), close >= limit
        protocol |= _told(truth, skeleton, rules)
    else:
        away = measured(found.predicted, found.truth, correct).away if found.truth else np.zeros((0, len(skeleton)))
        asked, near = np.isfinite(away), away <= limit
        protocol["correct"] = f"distance <= {limit:g} of the {correct}, as in PCK"
    return _of_keypoints("keypoint scores", _scores(found, len(skeleton)), near, asked, found, skeleton, protocol)


def person_outcomes(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    threshold: float | None = None,
    **rules: Unpack[Rules],
) -> Outcomes:
    """Collect the scores of people beside their OKS: with the true person they match at 0.5, else 0.

    threshold: None takes OKS itself, which a perfect score would foretell; a number, whether it is reached. As in
    COCO's AP the first 20 of a picture count, each true person is matched once, and who matches a crowd or a
    person without keypoints is left out. Raises ValueError as `oks_ap` does.
    """
    skeleton = paired(predicted, truth)
    predictions = gather_predictions(predicted, len(skeleton))
    pairs, dropped = _matched(predicted, truth, skeleton, rules)
    similarity = np.zeros(len(predictions.score))
    hit = pairs >= 0
    similarity[hit] = _similarity(_joined(predicted, truth, pairs), skeleton, rules)
    kept = ~dropped
    protocol: Protocol = {
        "correct": "OKS" if threshold is None else f"OKS >= {threshold:g}",
        "matched_at": float(THRESHOLDS[0]),
        **_told(truth, skeleton, rules),
        "scenes": len(truth),
        "predictions": int(kept.sum()),
        "predictions_left_out": int(dropped.sum()),
    }
    right = similarity if threshold is None else (similarity >= threshold).astype(np.float64)
    scene, score = predictions.image[kept], predictions.score[kept]
    nothing = np.zeros_like(scene)
    return _checked(Outcomes(scene, nothing, score, right[kept], len(truth), (), "person scores", protocol))


def visibility_outcomes(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Outcomes:
    """Collect what is said of keypoints' visibility beside whether they are seen (1) or hidden (0).

    Said is `Person.seen` where every paired prediction has it; else `Person.visible` where every one has that, absent
    below hidden below seen; else the keypoints' scores stand in, and the protocol names them so. Keypoints that the
    truth leaves absent do not count.
    Raises ValueError where a paired true person has no visibility, a prediction neither it nor scores, or as
    `couples`.
    """
    skeleton = paired(predicted, truth)
    found = couples(predicted, truth, **rules)
    true = people_of(found.truth, len(skeleton)).visible
    if true is None:
        for scene, place in zip(found.truth, found.picture, strict=True):
            if scene.people[0].visible is None:
                raise ValueError(f"truth, {named(int(place), scene)}: a person has no visibility to compare with")
        true = np.zeros((0, len(skeleton)), np.uint8)
    said = [scene.people[0] for scene in found.predicted]
    told: list[Floats] = [person.seen for person in said if person.seen is not None]
    if len(told) < len(said):
        told = [person.visible / SEEN for person in said if person.visible is not None]
    own = len(told) == len(said)
    values = np.array(told, np.float64).reshape(-1, len(skeleton)) if own else _scores(found, len(skeleton))
    what = "predicted visibility" if own else "keypoint scores, as a stand-in for predicted visibility"
    protocol: Protocol = {"said_by": what, "correct": "seen, not hidden"}
    return _of_keypoints(what, values, true == SEEN, true != ABSENT, found, skeleton, protocol)


def couples(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Couples:
    """Pair predicted with true people, for what is asked of pairs alone; who stays alone is left out, and counted.

    Where every true scene holds one person, theirs is the prediction with the best score; else people are matched
    as in COCO's AP at OKS 0.5, so that a keypoint's outcome is that of a person who was found. (A metric of one
    person a scene can be asked of `pairing.singles` instead.) Raises ValueError where scenes do not pair, or OKS
    lacks area, sigmas or scores.
    """
    skeleton = paired(predicted, truth)
    protocol: Protocol = {"pairing": "the best-scored prediction of a scene with its one person"}
    people = _counts(truth)
    if (people == 1).all():
        pairs = _best(predicted)
    else:
        pairs = _matched(predicted, truth, skeleton, rules)[0]
        said = f"matched as in COCO's average precision at OKS {THRESHOLDS[0]:g}, first {KEPT} a scene"
        protocol = {"pairing": said, **_told(truth, skeleton, rules)}
    joined = _joined(predicted, truth, pairs)
    protocol |= {
        "scenes": len(truth),
        "people": len(joined.truth),
        "people_not_paired": int(people.sum()) - len(joined.truth),
        "predictions_not_paired": len(pairs) - len(joined.truth),
    }
    return joined._replace(protocol=protocol)


def _best(predicted: Sequence[Scene]) -> Places:
    """Return for every prediction (D,) the place of the scene, which is that of its person, or -1."""
    pairs: list[int] = []
    for place, scene in enumerate(predicted):
        scores = [-np.inf if person.score is None else person.score for person in scene.people]
        best = int(np.argmax(scores)) if scores else -1
        pairs += [place if i == best else -1 for i in range(len(scores))]
    return np.array(pairs, np.intp)


def _counts(scenes: Sequence[Scene]) -> Places:
    """Return how many people every scene (S,) has."""
    return np.bincount(people_of(scenes, len(scenes[0].skeleton)).scene, minlength=len(scenes))


def _matched(
    predicted: Sequence[Scene], truth: Sequence[Scene], skeleton: Skeleton, rules: Rules
) -> tuple[Places, Flags]:
    """Return for every prediction (D,) the true person's place or -1, and whether it is left out."""
    problem = gather(
        predicted, truth, rules.get("sigmas"), box_area=rules.get("box_area", 1.0), counted_by=rules.get("counted_by")
    )
    found, kept = problem.compared.whole, problem.compared.pairs[0]
    guess, person = (_rows(problem.order, people_of(scenes, len(skeleton)).scene) for scenes in (predicted, truth))
    alone = found.ignored[0, 0] | (found.person[0, 0] < 0)
    pairs, dropped = np.full(len(guess), -1, np.intp), np.ones(len(guess), bool)
    dropped[guess[kept.order]] = found.ignored[0, 0]
    pairs[guess[kept.order]] = np.where(alone, -1, np.append(person, -1)[found.person[0, 0]])
    return pairs, dropped


def _rows(order: Places, scene: Places) -> Places:
    """Return where the people (P,) of a problem, whose scenes stand in this order, are listed by their scenes (P,)."""
    return np.argsort(np.argsort(order)[scene], kind="stable")


def _joined(predicted: Sequence[Scene], truth: Sequence[Scene], pairs: Places) -> Couples:
    """Put each pair into two scenes of its own."""
    guess = np.flatnonzero(pairs >= 0)
    if isinstance(predicted, Columns) and isinstance(truth, Columns):
        picture = predicted.people.scene[guess]
        guessed, meant = (
            Columns([scenes.pictures[place] for place in picture], scenes.people.taken(rows))
            for scenes, rows in ((predicted, guess), (truth, pairs[guess]))
        )
        return Couples(guessed, meant, picture, {})
    people, guesses = list(_people(truth)), list(_people(predicted))
    chosen = [(*guesses[g], people[pairs[g]][2]) for g in guess]
    found = [replace(scene, people=(person,)) for _, scene, person, _ in chosen]
    true = [replace(truth[place], people=(person,)) for place, _, _, person in chosen]
    return Couples(found, true, np.array([place for place, *_ in chosen], np.intp), {})


def _people(scenes: Sequence[Scene]) -> Iterator[tuple[int, Scene, Person]]:
    return ((place, scene, person) for place, scene in enumerate(scenes) for person in scene.people)


def _told(truth: Sequence[Scene], skeleton: Skeleton, rules: Rules) -> Protocol:
    """Say whose sigmas an OKS has, and whose areas."""
    area = area_source(truth, len(skeleton), rules.get("box_area", 1.0))
    return {"sigmas": oks_sigmas(skeleton, rules.get("sigmas"))[1], "area": area}


def _closeness(found: Couples, skeleton: Skeleton, rules: Rules) -> Floats:
    """Return the similarity (C, K) of keypoints, NaN where not labelled or not predicted."""
    scales = oks_sigmas(skeleton, rules.get("sigmas"))[0]
    truths = gather_truths(found.truth, skeleton, rules.get("box_area", 1.0))
    guess = people_of(found.predicted, len(skeleton)).keypoints
    away = ((guess - truths.keypoints) ** 2).sum(-1)
    return np.exp(-away / (2 * scales) ** 2 / (truths.area[:, None] + np.spacing(1)) / 2)


def _similarity(found: Couples, skeleton: Skeleton, rules: Rules) -> Floats:
    """Return the OKS (C,) of pairs."""
    close = _closeness(found, skeleton, rules)
    labelled = np.isfinite(people_of(found.truth, len(skeleton)).keypoints).all(-1)
    return np.asarray(np.where(np.isnan(close), 0.0, close).sum(1) / labelled.sum(1))


def _scores(found: Couples, keypoints: int) -> Floats:
    """Return the keypoints' scores (C, K)."""
    scores = people_of(found.predicted, keypoints).scores
    if scores is not None:
        return scores
    for scene, place in zip(found.predicted, found.picture, strict=True):
        if scene.people[0].scores is None:
            raise ValueError(f"prediction, {named(int(place), scene)}: a person has no keypoint scores to calibrate")
    return np.zeros((0, keypoints))


def _of_keypoints(
    what: str, score: Floats, right: Flags, asked: Flags, found: Couples, skeleton: Skeleton, protocol: Protocol
) -> Outcomes:
    """Collect the keypoints that are asked for; all arrays (C, K)."""
    couple, group = np.nonzero(asked)
    protocol = protocol | found.protocol | {"keypoints": len(couple)}
    return _checked(
        Outcomes(
            found.picture[couple], group, score[asked], right[asked].astype(np.float64),
            int(found.protocol["scenes"]), skeleton.keypoints, what, protocol,
        )
    )  # fmt: skip


def _checked(outcomes: Outcomes) -> Outcomes:
    """Refuse scores that are no numbers, and count those that are no shares."""
    wrong = np.flatnonzero(~np.isfinite(outcomes.score))
    if len(wrong):
        raise ValueError(
            f"scene {outcomes.scene[wrong[0]]}: one of the {outcomes.of_what} is {outcomes.score[wrong[0]]}"
        )
    beyond = int(((outcomes.score < 0) | (outcomes.score > 1)).sum())
    return outcomes._replace(protocol=outcomes.protocol | {"scores_outside_0_to_1": beyond})
