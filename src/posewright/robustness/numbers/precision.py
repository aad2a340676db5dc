"""Average precision under attack: the people found return to their pictures, and COCO's rules score them there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.metrics.oks.groups import Problem, gather, with_keypoints
from posewright.metrics.trust.resampling import again_of
from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import DRAWS as EFFECT_DRAWS
from posewright.robustness.numbers.effect import Effect, Sample, effects_of
from posewright.robustness.numbers.measure import targets
from posewright.robustness.numbers.right import Flags
from posewright.scene import Floats, Person, Scene

DRAWS = 2000
"""Bootstrap samples, or a twentieth of those of shares if that is more: one of average precision costs far more."""
NUMBERS = ("AP", "AP50")
Again = Callable[[Floats], Floats]


class Truth(NamedTuple):
    """Hold the pictures that average precision is measured in, and where in them the N people asked about are.

    scenes: numbered from 0; row (N,): each person's place among all people of all scenes.
    """

    scenes: list[Scene]
    row: NDArray[np.intp]


def truth_of(scenes: Sequence[Scene], people: Sequence[Subject]) -> Truth:
    """Return the pictures up to the last person asked about, without the people who would have come after.

    People whom nobody asked about, as no detected box is theirs, are there to be missed; crowds are ignored. People
    with neither box nor area, whom OKS cannot compare, are left out.
    """
    last = people[-1]
    shown = []
    row: dict[tuple[int, int], int] = {}
    for place, scene in enumerate(scenes[: last.scene + 1]):
        kept = []
        for n, person in enumerate(scene.people):
            later = place == last.scene and n > last.person and not person.crowd
            if not later and not (person.box is None and person.area is None):
                row[place, n] = len(row)
                kept.append(person)
        shown.append(replace(scene, people=tuple(kept), id=place))
    return Truth(shown, np.array([row[one.scene, one.person] for one in people]))


def returned(people: Sequence[Subject], said: Answers, truth: Truth) -> list[Scene]:
    """Return the people found to their pictures; without a score of their own they get the keypoints' mean, or 1."""
    found: dict[int, list[Person]] = {}
    for n, one in enumerate(people):
        if np.isfinite(said.keypoints[n]).any():
            rated = bool(np.isfinite(said.scores[n]).any())
            score = said.score[n] if np.isfinite(said.score[n]) else np.nanmean(said.scores[n]) if rated else 1.0
            person = Person(said.keypoints[n], scores=said.scores[n] if rated else None, score=float(score))
            found.setdefault(one.scene, []).extend(one.crop.back([person]))
    return [replace(scene, people=tuple(found.get(place, ()))) for place, scene in enumerate(truth.scenes)]


def precision(
    people: Sequence[Subject],
    truth: Truth,
    answers: Mapping[str, Answers],
    attacks: Iterable[Attack],
    draws: int = EFFECT_DRAWS,
    seed: int = 0,
) -> dict[str, dict[str, Effect]]:
    """Return AP and AP50 in clean pictures, under "clean", and by how much each attack changes them, by name.

    AP: as `metrics.oks_ap`, of all people and keypoints. AP_others: with the keypoints that the attack is aimed at
    left out of the truth, those that it covers where it is drawn anew for everyone; AP_target: with these alone.
    The intervals are those of paired bootstrap samples of the pictures. asked: people who count.
    """
    skeleton = people[0].crop.skeleton
    everything = np.ones((1, len(skeleton)), bool)
    clean = gather(returned(people, answers[CLEAN], truth), truth.scenes)
    before = {everything.tobytes(): _numbers(clean)}
    rows = []
    for attack in attacks:
        said = answers[attack.name]
        problem = gather(returned(people, said, truth), truth.scenes)
        aimed = _aimed(targets(skeleton, attack), said, truth, len(problem.truths.image))
        for group, kept in (("", everything), ("_others", ~aimed), ("_target", aimed)):
            after = with_keypoints(problem, kept)
            rows.append(_Row(attack.name, group, kept.tobytes(), _numbers(after), _asked(after)))
            if kept.tobytes() not in before:
                before[kept.tobytes()] = _numbers(with_keypoints(clean, kept))

    def again(weights: Floats) -> Floats:
        first = {kept: numbers(weights) for kept, numbers in before.items()}
        changed = [row.numbers(weights) - first[row.kept] for row in rows]
        return np.hstack([first[everything.tobytes()], *changed])

    asked = np.repeat([_asked(clean), *(row.asked for row in rows)], len(NUMBERS))
    changed = np.repeat([np.nan, *(float(changed_in(people, answers, row.attack)) for row in rows)], len(NUMBERS))
    units = [place if scene.group is None else scene.group for place, scene in enumerate(truth.scenes)]
    order = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    of = np.array([order[unit] for unit in units])
    pictures = np.full(len(asked), float(len(np.unique(of[clean.truths.image[~clean.truths.ignored]]))))
    sample, grouped = Sample(asked, pictures, changed), len(order) < len(units)

    def drawn(weights: Floats) -> Floats:
        return again(weights[:, of])

    effects = iter(effects_of(drawn, sample, len(order), draws_of(draws), seed, grouped=grouped))
    found = {CLEAN: {number: next(effects) for number in NUMBERS}}
    for row in rows:
        found.setdefault(row.attack, {}).update({number + row.group: next(effects) for number in NUMBERS})
    return found


def changed_in(people: Sequence[Subject], answers: Mapping[str, Answers], attack: str) -> int:
    """Return in how many pictures anything is said otherwise under an attack than in the clean picture."""
    clean, said = answers[CLEAN], answers[attack]
    same = [np.equal(a, b) | (np.isnan(a) & np.isnan(b)) for a, b in zip(clean[:3], said[:3], strict=True)]
    other = ~(same[0].all((1, 2)) & same[1].all(1) & same[2])
    return len({one.scene for one, differs in zip(people, other, strict=True) if differs})


def draws_of(draws: int) -> int:
    """Return how many bootstrap samples average precision gets where shares get `draws`.

    >>> draws_of(50), draws_of(10_000), draws_of(100_000)
    (50, 2000, 5000)
    """
    return min(draws, max(DRAWS, draws // 20))


class _Row(NamedTuple):
    """One attack's precision on a group of keypoints; kept: the bytes of the flags of that group."""

    attack: str
    group: str
    kept: bytes
    numbers: Again
    asked: float


def protocol(truth: Truth) -> str:
    """Say what average precision was measured by."""
    said = gather([replace(scene, people=()) for scene in truth.scenes], truth.scenes).protocol
    return f"COCO's, at {said['thresholds']}; sigmas: {said['sigmas']}; area: {said['area']}"


def _aimed(aimed: Flags | None, said: Answers, truth: Truth, count: int) -> Flags:
    """(P or 1, K) the keypoints of the P true people that an attack is aimed at, or, drawn anew, lies on."""
    if aimed is not None:
        return aimed[None]
    found = np.zeros((count, said.covered.shape[1]), bool)
    found[truth.row] = said.covered
    return found


def _asked(problem: Problem) -> float:
    return float((~problem.truths.ignored).sum())


def _numbers(problem: Problem) -> Again:
    """Return the function that gives NUMBERS (B, 2) under weights of the pictures, NaN where nobody counts."""
    again = again_of(problem.matches(), ranges=1)

    def numbers(weights: Floats) -> Floats:
        found = again(weights)
        values = np.column_stack([found[name] for name in NUMBERS])
        return np.where(values < 0, np.nan, values)

    return numbers
