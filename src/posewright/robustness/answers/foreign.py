"""Foreign tools: their predictions on exported pictures, read as answers and judged as any estimator's."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from posewright.datasets.predictions import read_predictions
from posewright.datasets.records import DataError
from posewright.robustness import judged
from posewright.robustness.answers.ask import Answers, keep_answers, meant, nothing_said, say
from posewright.robustness.answers.export import Manifest, read_manifest, with_pixels
from posewright.robustness.answers.truth import Asked, keep
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject, subject
from posewright.robustness.numbers.effect import DRAWS, MARGIN
from posewright.robustness.numbers.tables import Study, write_study
from posewright.scene import Person, Scene, translated
from posewright.skeleton import Skeleton

UNSCORED = (1.0, 2.0)
"""What stands for every keypoint's score where a tool has none: 1, or COCO's word for a keypoint that is seen."""


class Foreign(NamedTuple):
    """Hold what a tool says: whom it was asked about, in the keypoints it knows, its answers, and what to be told.

    attacks: those that are judged; notes: what was left out or missed, a sentence each.
    """

    asked: Asked
    answers: dict[str, Answers]
    attacks: list[Attack]
    notes: list[str]


def score_predictions(
    manifest: Path | str,
    predictions: Path | str,
    out: Path | str | None = None,
    *,
    skeleton: Skeleton | None = None,
    draws: int = DRAWS,
    margin: float = MARGIN,
    partial: bool = False,
) -> Study:
    """Tell what predictions on exported pictures say: the study that the estimator itself would have been in.

    predictions: whatever `datasets.read_predictions` reads. skeleton: what their keypoints are, where the file
    does not say. out: a folder for the study and its answers. partial: leave attacks out that nothing is predicted
    under, see `foreign`. Raises DataError.
    """
    read = read_manifest(manifest)
    found = foreign(read, predictions, skeleton, partial)
    about = {**read.about, "predictions": str(predictions), "notes": found.notes}
    if Path(predictions).is_file():
        about["predictions_sha256"] = hashlib.sha256(Path(predictions).read_bytes()).hexdigest()
    seed = read.seed
    told = judged(found.asked.people, found.asked.scenes, found.answers, found.attacks, about, draws, seed, margin)
    if out is not None:
        keep_foreign(found, Path(out))
        write_study(told, Path(out))
    return told


def shown(manifest: Path | str, told: Study) -> list[Subject]:
    """Return the people of a study of predictions with their pictures, to draw examples of; raises DataError.

    Nobody where its attacks cannot be set again: an occluder of the caller's own, or keypoints that the tool lacks.
    """
    read = read_manifest(manifest)
    again = all(attack.at_hand for attack in told.attacks)
    return with_pixels(read) if again and told.clean.keys() >= set(read.asked.people[0].crop.skeleton.keypoints) else []


def keep_foreign(found: Foreign, out: Path) -> None:
    """Write a tool's answers and whom they are about into a study's folder."""
    (out / "answers").mkdir(parents=True, exist_ok=True)
    keep(out, found.asked)
    for name, answers in found.answers.items():
        keep_answers(out / "answers" / f"{name}.npz", answers)


def foreign(
    read: Manifest, predictions: Path | str, skeleton: Skeleton | None = None, partial: bool = False
) -> Foreign:
    """Read a tool's predictions on exported pictures as answers; raises DataError.

    Of several people in a picture the one who overlaps the box most is meant. Keypoints are joined by their
    names; those that the tool does not know are left out of the study. A picture without a prediction is a miss, as
    it is where the estimator runs here and finds nobody, also where that is so of all pictures of an attack;
    partial: the tool was not run on such attacks, and they are left out. Where every keypoint has one of UNSCORED
    for its score, it has none.
    """
    shown = [one for one in read.pictures if one.file is not None]
    own = read.asked.people[0].crop.skeleton
    said = read_predictions(predictions, [Scene(str(one.file), own, id=one.id) for one in shown], skeleton)
    theirs = said[0].skeleton
    shared = own.only(name for name in own.keypoints if name in theirs.keypoints)
    if not len(shared):
        raise DataError(f"{predictions}: none of its keypoints ({theirs.name}) is one of {own.name}")
    asked, rated = _worded(read.asked, shared), _rated(said)
    found: dict[str, dict[int, Person]] = {}
    for one, scene in zip(shown, said, strict=True):
        people = [person.to(theirs, shared) for person in scene.people]
        best = meant(people, asked.people[one.person].box)
        if best is not None:
            found.setdefault(one.attack, {})[one.person] = best if rated else replace(best, scores=None)
    if CLEAN not in found or not found.keys() - {CLEAN}:
        lack = "attacked" if CLEAN in found else "clean"
        raise DataError(f"{predictions}: nobody is predicted in any {lack} picture, so there is no change to tell")
    silent = {one.attack for one in shown} - found.keys()
    attacks = [attack for attack in read.attacks if not (partial and attack.name in silent)]
    kept = [own.index(name) for name in shared.keypoints]
    notes = [*_left_out(read, shared), *_missed(read, found, partial)]
    if not rated:
        notes.append("every keypoint has the same score, 1 or 2, which is taken for none: what scores tell is left out")
    return Foreign(asked, _answers(read, asked.people, attacks, found, kept), attacks, notes)


def _rated(said: Sequence[Scene]) -> bool:
    """Tell whether keypoints have scores, and not for every one the same number of UNSCORED."""
    people = [person for scene in said for person in scene.people if person.scores is not None]
    numbers = {float(score) for person in people for score in np.unique(np.asarray(person.scores)[person.labelled])}
    return bool(numbers) and not (len(numbers) == 1 and numbers <= set(UNSCORED))


def _worded(asked: Asked, skeleton: Skeleton) -> Asked:
    """Return whom a study asks about in the words of another skeleton."""
    scenes = translated(asked.scenes, skeleton)
    empty = (replace(one.crop, people=(), skeleton=skeleton) for one in asked.people)
    people = [
        subject(scenes[one.scene], one.scene, one.person, seen, one.box)
        for one, seen in zip(asked.people, empty, strict=True)
    ]
    return Asked(scenes, people)


def _answers(
    read: Manifest,
    people: Sequence[Subject],
    attacks: Sequence[Attack],
    found: Mapping[str, Mapping[int, Person]],
    kept: Sequence[int],
) -> dict[str, Answers]:
    """Return what was found as answers; where an attack leaves a picture as it is, the clean one's stands.

    kept: the places of the tool's keypoints among the manifest's.
    """
    clean = nothing_said(people)
    say(clean, np.arange(len(people)), [found[CLEAN].get(n) for n in range(len(people))])
    answers = {CLEAN: clean} | {attack.name: Answers(*(a.copy() for a in clean)) for attack in attacks}
    for one in read.pictures:
        if one.attack in answers and one.attack != CLEAN:
            said = answers[one.attack]
            said.covered[one.person] = one.covered[kept]
            if one.file is not None:
                said.attacked[one.person] = True
                say(said, np.array([one.person]), [found.get(one.attack, {}).get(one.person)])
    return answers


def _left_out(read: Manifest, shared: Skeleton) -> list[str]:
    """Say which keypoints are left out of the study."""
    own = read.asked.people[0].crop.skeleton
    unknown = [name for name in own.keypoints if name not in shared.keypoints]
    return [f"keypoints that the predictions do not have are left out: {', '.join(unknown)}"] if unknown else []


def _missed(read: Manifest, found: Mapping[str, Mapping[int, Person]], partial: bool) -> list[str]:
    """Say how many pictures count as misses, and which attacks nothing is predicted under."""
    notes = []
    wanted = {one.attack for one in read.pictures if one.file is not None}
    silent = [attack.name for attack in read.attacks if attack.name in wanted - found.keys()]
    if silent:
        count = f"{len(silent)} of {len(read.attacks)} attacks have no prediction at all"
        way = "are left out" if partial else "count as misses; --partial leaves out those that the tool was not run on"
        notes.append(f"{count} and {way}: {_some(silent)}")
    asked = [one for one in read.pictures if one.file is not None and not (partial and one.attack in silent)]
    missed = sum(one.person not in found.get(one.attack, {}) for one in asked)
    if missed:
        notes.append(f"{missed} of {len(asked)} pictures have no prediction and count as misses")
    return notes


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ("" if len(names) < 4 else f" and {len(names) - 3} more")
