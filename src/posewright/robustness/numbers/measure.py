"""Measuring: what every attack changed, in the keypoints it covers and in those that it does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np

from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.aside import aside, let_go
from posewright.robustness.attacks.attack import CLEAN, SWEPT, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import DRAWS, Effect, Pair, differences, effects, effects_of_rows
from posewright.robustness.numbers.right import (
    HALF,
    Fate,
    Flags,
    Kinds,
    Rule,
    RuleName,
    asked,
    closeness,
    fates,
    kinds,
    rule_for,
)
from posewright.scene import Floats, Scene
from posewright.skeleton import Skeleton

LOST = ("of_hit", "of_neighbouring", "of_lost")
"""What a change of all keypoints is made of; together they are it."""
PERSONS = ("lost", "lost_to_another", "lost_to_nobody")
"""Shares of people."""
POOLED = ("all", "hit", "collateral", "inverted", "swapped", "score_hit", "score_collateral", "gap_hit", "similarity",
          "neighbouring", *LOST, *PERSONS)  # fmt: skip
"""What is told of several attacks together."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold what was asked of N people and what was found, clean and under every attack.

    scene (N,): which picture each person is of, or which group of pictures where these are drawn (grouped); scenes:
    how many there are. truth (N, K, 2) px of the crops. fate, by attack: (N,) whether a person is kept, lost, lost to
    another, or lost to nobody (`right.fates`). Of many people answers and kinds lie in files (`aside`).
    """

    skeleton: Skeleton
    rule: Rule
    asked: Flags
    scene: np.ndarray
    scenes: int
    kinds: Mapping[str, Kinds]
    answers: Mapping[str, Answers]
    truth: Floats
    fate: Mapping[str, np.ndarray]
    grouped: bool = False

    def by_scene(self, amounts: np.ndarray) -> Floats:
        """Add up amounts (N, ...) of people to scenes (S, ...)."""
        total = np.zeros((self.scenes, *amounts.shape[1:]))
        np.add.at(total, self.scene, amounts)
        return total

    def shares(self, amount: Floats, mask: Flags) -> tuple[Floats, Floats]:
        """Add up what is of a mask (N, K), and the mask, to scenes (S,) each."""
        return self.by_scene((amount * mask).sum(1)), self.by_scene(mask.sum(1))

    def similarity(self, name: str) -> Floats:
        """(N, K) how near answers are: 1 on the truth, a half where a keypoint just counts as right."""
        return closeness(self.rule, self.truth, self.answers[name])

    def each(self, attacks: Iterable[Attack]) -> Iterator[Attack]:
        """Give attack after attack, and let memory forget what each was answered before the next."""
        for attack in attacks:
            yield attack
            let_go((*self.answers[attack.name], *self.kinds[attack.name]))


def measured(
    people: Sequence[Subject],
    answers: Mapping[str, Answers],
    name: RuleName | Rule | None = None,
    groups: Sequence[object] | None = None,
) -> Measured:
    """Judge all answers by a rule, or its name; by default the skeleton's custom.

    groups (N,): what is drawn anew instead of pictures: which video, instant or subject each person's picture is of.
    Raises ValueError where nobody can be judged.
    """
    skeleton = people[0].crop.skeleton
    rule = name if isinstance(name, Rule) else rule_for(skeleton, people, name)
    units = [one.scene for one in people] if groups is None else list(groups)
    order = {unit: place for place, unit in enumerate(dict.fromkeys(units))}
    scene = np.array([order[unit] for unit in units])
    wanted = asked(rule, people)
    if not wanted.any():
        raise ValueError(
            f"nobody can be judged by {rule.name}: nobody has the keypoints, the head or the area it needs"
        )
    found: dict[str, Kinds] = {}
    fate: dict[str, np.ndarray] = {}
    put = aside()
    for of in (CLEAN, *(of for of in answers if of != CLEAN)):
        said = answers[of]
        now = found[of] = Kinds(*map(put, kinds(rule, people, said)))
        fate[of] = fates(people, found[CLEAN].right & wanted, now.right & wanted, wanted, said).astype(np.int8)
        let_go(said)
    truth = np.stack([one.truth.keypoints for one in people])
    return Measured(skeleton, rule, wanted, scene, len(order), found, answers, truth, fate, groups is not None)


def groups_of(people: Sequence[Subject], scenes: Sequence[Scene]) -> list[object] | None:
    """(N,) which group of pictures each person is of; None where no scene tells any."""
    if all(scenes[one.scene].group is None for one in people):
        return None
    return [scene.group if (scene := scenes[one.scene]).group is not None else (one.scene,) for one in people]


def clean(m: Measured, draws: int = DRAWS, seed: int = 0) -> dict[str, Effect]:
    """Return the share of keypoints that are right in clean pictures, pooled and of each keypoint."""
    right, wanted = m.kinds[CLEAN].right & m.asked, m.asked
    part, whole = (np.column_stack([a.sum(1), a]) for a in (right, wanted))
    found = effects(m.by_scene(part), m.by_scene(whole), draws, seed, grouped=m.grouped)
    return dict(zip(("all", *m.skeleton.keypoints), found, strict=True))


def changes(m: Measured, attacks: Iterable[Attack], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Effect]]:
    """Return what every attack changes, by name, in people whom it changes the look of.

    all, hit, collateral: the share of correct keypoints, of all, of those it covers, of those it does not;
    target, others: the same for the keypoints it is aimed at and the rest; inverted, swapped: the share of all
    keypoints that became so; score_hit, score_collateral: the keypoints' mean score;
    score_right, score_wrong: the mean score of hit keypoints under the attack, by whether they are right; gap_hit: of
    hit keypoints that have a score, the change of score less right, whatever scores mean; similarity:
    the mean similarity to the truth, which an attack can lower without crossing the threshold of right. lost: of the
    people who had half of their keypoints right, the share that keeps at most a fifth; lost_to_another, lost_to_nobody:
    those of them whose answer lies on another person, and of whom nothing is said. neighbouring: as collateral, in the
    people who are not lost; of_hit, of_neighbouring, of_lost: what `all` is made of: covered keypoints and others of
    people who are kept, and all of the lost. The numbers of all attacks of a kind are told together: their
    simultaneous intervals are the attacks' of that kind.
    """
    put, parts, wholes, families, names = aside(), list[Floats](), list[Floats](), [], []
    for attack in m.each(attacks):
        rows = counted(m, attack)
        for lot, i in ((parts, 0), (wholes, 1)):
            lot.extend(put(np.array([pair[i] for pair in rows.values()])))
        families += [(attack.kind, row) for row in rows]
        names += [(attack.name, row) for row in rows]
    found: dict[str, dict[str, Effect]] = {}
    if names:
        told = effects_of_rows(parts, wholes, draws, seed, families, m.grouped)
        for (name, row), effect in zip(names, told, strict=True):
            found.setdefault(name, {})[row] = effect
    return found


def counted(m: Measured, attack: Attack) -> dict[str, Pair]:
    """Return what an attack changes scene by scene: for each number of `changes` a part (S,) and a whole (S,)."""
    before, after = m.kinds[CLEAN], m.kinds[attack.name]
    said = m.answers[attack.name]
    there = m.asked & reached(said)
    hit, rest = there & said.covered, there & ~said.covered
    scores = [np.nan_to_num(a.scores) for a in (m.answers[CLEAN], said)]
    gain = after.right.astype(float) - before.right
    rows = {"all": (gain, there), "hit": (gain, hit), "collateral": (gain, rest)}
    aimed = targets(m.skeleton, attack)
    if aimed is not None:
        rows |= {"target": (gain, there & aimed), "others": (gain, there & ~aimed)}
    rows |= {
        "inverted": (after.inverted.astype(float) - before.inverted, there),
        "swapped": (after.swapped.astype(float) - before.swapped, there),
        "score_hit": (scores[1] - scores[0], hit),
        "score_collateral": (scores[1] - scores[0], rest),
        "score_right": (scores[1], hit & after.right),
        "score_wrong": (scores[1], hit & ~after.right),
        "gap_hit": (
            scores[1] - scores[0] - gain,
            hit & np.isfinite(said.scores) & np.isfinite(m.answers[CLEAN].scores),
        ),
        "similarity": (m.similarity(attack.name) - m.similarity(CLEAN), there),
    }
    return {name: m.shares(*row) for name, row in rows.items()} | _losses(m, attack, gain, hit, rest)


def _losses(m: Measured, attack: Attack, gain: Floats, hit: Flags, rest: Flags) -> dict[str, Pair]:
    """Part what an attack changes into covered keypoints, others of people who are kept, and people lost whole."""
    fate = m.fate[attack.name]
    gone = (fate >= Fate.LOST)[:, None]
    there = hit | rest
    held = there.any(1) & ((m.kinds[CLEAN].right & m.asked).sum(1) >= HALF * m.asked.sum(1))
    people = m.by_scene(held)
    all_of = m.by_scene(there.sum(1))
    parts = {"of_hit": hit & ~gone, "of_neighbouring": rest & ~gone, "of_lost": there & gone}
    kinds_of = {
        "lost": fate >= Fate.LOST,
        "lost_to_another": fate == Fate.TO_ANOTHER,
        "lost_to_nobody": fate == Fate.TO_NOBODY,
    }
    return {
        "neighbouring": m.shares(gain, rest & ~gone),
        **{name: (m.shares(gain, mask)[0], all_of) for name, mask in parts.items()},
        **{name: (m.by_scene((held & mask).astype(float)), people) for name, mask in kinds_of.items()},
    }


def reached(said: Answers) -> Flags:
    """(N, 1) whom an attack reaches: how they look changes, or a keypoint is covered, if only black by black."""
    return (said.attacked | said.covered.any(axis=1))[:, None]


def targets(skeleton: Skeleton, attack: Attack) -> Flags | None:
    """(K,) the keypoints that an attack is aimed at; None where it is drawn anew for every person."""
    names = {"keypoints": (attack.target,), "parts": skeleton.parts.get(attack.target, ())}.get(attack.kind)
    return None if names is None else np.array([name in names for name in skeleton.keypoints])


def influence(
    m: Measured, attacks: Iterable[Attack], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Effect]]:
    """Return for every attack, by name, the change in the share of correct ones of each keypoint.

    The rows of keypoint attacks make the influence matrix: attacked keypoint by affected keypoint. Only people count
    whom the attack reaches and who are not lost whole; and, for keypoints that an attack is not aimed at, only those in
    whom it does not cover them. Where that leaves less than half of the people, it tells of a hit: no data.
    """
    attacks = list(attacks)
    put, parts, wholes = aside(), list[Floats](), list[Floats]()
    for attack in m.each(attacks):
        there = uncovered(m, attack)
        gain = m.kinds[attack.name].right.astype(float) - m.kinds[CLEAN].right
        parts.extend(put(np.ascontiguousarray(m.by_scene(gain * there).T)))
        wholes.extend(put(np.ascontiguousarray(m.by_scene(there).T)))
    if not attacks:
        return {}
    found = iter(effects_of_rows(parts, wholes, draws, seed, _families(m, attacks), m.grouped))
    return {attack.name: {affected: next(found) for affected in m.skeleton.keypoints} for attack in attacks}


def uncovered(m: Measured, attack: Attack) -> Flags:
    """(N, K) whose keypoints an attack's influence is told of."""
    said, aimed = m.answers[attack.name], targets(m.skeleton, attack)
    there = m.asked & reached(said)
    if aimed is None:
        return there
    kept = there & (m.fate[attack.name] < Fate.LOST)[:, None]
    free = kept & ~said.covered
    hidden = 2 * free.sum(0) < kept.sum(0)
    return np.asarray(np.where(aimed, there, free & ~hidden))


def _families(m: Measured, attacks: Sequence[Attack]) -> list[object]:
    """Name for each cell of the matrix with which others it is looked at: those of one keypoint on another."""
    return [
        "across" if attack.kind == "keypoints" and attack.target != name else (attack.name, name)
        for attack in attacks
        for name in m.skeleton.keypoints
    ]


def pooled(m: Measured, attacks: Sequence[Attack], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Effect]]:
    """Return what attacks of a kind and fill change together, and how much two such groups differ.

    Groups are named as in keypoints-blur, their differences as in "keypoints-blur - keypoints-blackout" and
    "parts-blur - keypoints-blur": of fills of one kind, and of kinds with one fill. Radii, and
    objects, differ by fill at each size.
    """
    groups: dict[tuple[str, str], list[Attack]] = {}
    for attack in attacks:
        if attack.kind != "own":
            kind = attack.kind if attack.kind not in SWEPT else f"{attack.kind}-{attack.radius:g}"
            groups.setdefault((kind, attack.fill), []).append(attack)
    sums = {group: _together(counted(m, attack) for attack in m.each(some)) for group, some in groups.items()}
    found = {f"{kind}-{fill}": effects(*sums[kind, fill], draws, seed, grouped=m.grouped) for kind, fill in sums}
    for first, second in combinations(sums, 2):
        if (first[0] == second[0]) or (first[1] == second[1] and {first[0], second[0]} == {"keypoints", "parts"}):
            found[f"{'-'.join(second)} - {'-'.join(first)}"] = differences(
                sums[second], sums[first], draws, seed, m.grouped
            )
    return {name: dict(zip(POOLED, some, strict=True)) for name, some in found.items()}


def _together(some: Iterable[Mapping[str, Pair]]) -> Pair:
    """Add up POOLED of several attacks: part and whole (S, M)."""
    sums = (np.array([np.column_stack([rows[row][i] for row in POOLED]) for i in (0, 1)]) for rows in some)
    part, whole = reduce(np.add, sums)
    return part, whole
