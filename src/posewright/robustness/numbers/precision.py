"""Average precision under attack: the people found return to their pictures, and COCO's rules score them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.columns import with_people
from posewright.metrics.oks.groups import Problem, gather, with_keypoints
from posewright.metrics.trust.confidence import draw
from posewright.metrics.trust.resampling import again_of
from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.aside import let_go
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import DRAWS as EFFECT_DRAWS
from posewright.robustness.numbers.effect import Effect, Sample
from posewright.robustness.numbers.effect import told as told_of
from posewright.robustness.numbers.measure import targets
from posewright.robustness.numbers.right import Flags
from posewright.scene import Floats, Person, Scene
from posewright.warp import Warp

DRAWS = 2000
"""Bootstrap samples, or a twentieth of those of shares if that is more: one of average precision costs far more."""
AT_ONCE = 1 << 22
"""Weights in memory at a time, as numbers of 64 bits."""
NUMBERS = ("AP", "AP50")


class Truth(NamedTuple):
    """Hold the pictures that average precision is measured in, and where in them the N people asked about are.

    scenes: numbered from 0; row (N,): each person's place among all people of all scenes; ways: from each person's crop
    to the picture.
    """

    scenes: list[Scene]
    row: NDArray[np.intp]
    ways: list[Warp]


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
    ways = [one.crop.warp.inverse(one.crop.source_size) for one in people]
    return Truth(shown, np.array([row[one.scene, one.person] for one in people]), ways)


def returned(people: Sequence[Subject], said: Answers, truth: Truth) -> list[Scene]:
    """Return the people found to their pictures; without a score of their own they get the keypoints' mean, or 1."""
    found: dict[int, list[Person]] = {}
    for n in np.flatnonzero(np.isfinite(said.keypoints).any(axis=(1, 2))).tolist():
        rated = bool(np.isfinite(said.scores[n]).any())
        score = said.score[n] if np.isfinite(said.score[n]) else np.nanmean(said.scores[n]) if rated else 1.0
        person = Person(said.keypoints[n], scores=said.scores[n] if rated else None, score=float(score))
        person = person.moved(truth.ways[n], people[n].crop.skeleton)
        found.setdefault(people[n].scene, []).append(person)
    return [with_people(scene, tuple(found.get(place, ()))) for place, scene in enumerate(truth.scenes)]


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
    of = _units(truth.scenes)
    weights = _weights(of, draws_of(draws), seed)
    before = {everything.tobytes(): _drawn(clean, weights)}
    pictures = float(len(np.unique(of[clean.truths.image[~clean.truths.ignored]])))

    def told(drawn: Floats, asked: float, changed: float) -> list[Effect]:
        sample = Sample(*(np.full(len(NUMBERS), value) for value in (asked, pictures, changed)))
        return told_of(drawn[0], drawn[1:], sample, int(of.max()) + 1, grouped=bool(of.max() + 1 < len(of)))

    found = {CLEAN: dict(zip(NUMBERS, told(before[everything.tobytes()], _asked(clean), np.nan), strict=True))}
    for attack in attacks:
        said = answers[attack.name]
        problem = gather(returned(people, said, truth), truth.scenes)
        aimed = _aimed(targets(skeleton, attack), said, truth, len(problem.truths.image))
        changed, rows = float(changed_in(people, answers, attack.name)), found.setdefault(attack.name, {})
        for group, kept in (("", everything), ("_others", ~aimed), ("_target", aimed)):
            after, same = with_keypoints(problem, kept), kept.tobytes()
            first = before[same] if same in before else _drawn(with_keypoints(clean, kept), weights)
            if len(kept) == 1:  # which other attacks ask about as well
                before[same] = first
            effects = told(_drawn(after, weights) - first, _asked(after), changed)
            rows |= dict(zip((number + group for number in NUMBERS), effects, strict=True))
        let_go(said)
    return found


def _units(scenes: Sequence[Scene]) -> NDArray[np.intp]:
    """(S,) the places of what is drawn anew: every picture, or its group of pictures."""
    units = [place if scene.group is None else scene.group for place, scene in enumerate(scenes)]
    order = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    return np.array([order[unit] for unit in units])


def _weights(of: NDArray[np.intp], draws: int, seed: int) -> list[NDArray[Any]]:
    """Draw weights (B, S) of the pictures, first ones of 1, then `draws` in lots; as small numbers as hold them."""
    drawn = [some[:, of].astype(np.min_scalar_type(int(some.max()))) for some in draw(int(of.max()) + 1, draws, seed)]
    rows = max(1, AT_ONCE // len(of))
    whole = np.concatenate(drawn)
    return [np.ones((1, len(of)), np.uint8), *(whole[start : start + rows] for start in range(0, draws, rows))]


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


def _drawn(problem: Problem, weights: Iterable[NDArray[Any]]) -> Floats:
    """Return NUMBERS (B, 2) under weights of the pictures, NaN where nobody counts."""
    again = again_of(problem.matches(ranges=1), ranges=1)
    found = [again(some.astype(np.float64)) for some in weights]
    values = np.concatenate([np.column_stack([one[name] for name in NUMBERS]) for one in found])
    return np.where(values < 0, np.nan, values)
