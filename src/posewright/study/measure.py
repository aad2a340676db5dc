"""Measuring: what every attack changed, in the keypoints it covers and in those that it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posewright.scene import Floats
from posewright.skeleton import Skeleton
from posewright.study.answers import CLEAN, Answers
from posewright.study.attacks import Attack
from posewright.study.effect import DRAWS, Effect, effects
from posewright.study.right import Flags, Kinds, Rule, asked, kinds, rule_for
from posewright.study.subjects import Subject


@dataclass(frozen=True, eq=False)
class Measured:
    """Hold what was asked of N people and what was found, clean and under every attack.

    scene (N,): which picture each person is of; scenes: how many there are.
    """

    skeleton: Skeleton
    rule: Rule
    asked: Flags
    scene: np.ndarray
    scenes: int
    kinds: Mapping[str, Kinds]
    answers: Mapping[str, Answers]

    def by_scene(self, amounts: np.ndarray) -> Floats:
        """Add up amounts (N, ...) of people to scenes (S, ...)."""
        total = np.zeros((self.scenes, *amounts.shape[1:]))
        np.add.at(total, self.scene, amounts)
        return total


def measured(people: Sequence[Subject], answers: Mapping[str, Answers]) -> Measured:
    """Judge all answers by the rule that is customary for the skeleton."""
    skeleton = people[0].crop.skeleton
    rule = rule_for(skeleton, people)
    places, scene = np.unique([one.scene for one in people], return_inverse=True)
    found = {name: kinds(rule, people, said) for name, said in answers.items()}
    return Measured(skeleton, rule, asked(rule, people), scene, len(places), found, answers)


def clean(m: Measured, draws: int = DRAWS, seed: int = 0) -> dict[str, Effect]:
    """Return the share of keypoints that are right in clean pictures, pooled and of each keypoint."""
    right, wanted = m.kinds[CLEAN].right & m.asked, m.asked
    part, whole = (np.column_stack([a.sum(1), a]) for a in (right, wanted))
    found = effects(m.by_scene(part), m.by_scene(whole), draws, seed)
    return dict(zip(("all", *m.skeleton.keypoints), found, strict=True))


def change(m: Measured, attack: Attack, draws: int = DRAWS, seed: int = 0) -> dict[str, Effect]:
    """Return what an attack changes, in people of whom it covers something.

    all, hit, collateral: the share of right keypoints, of all, of those it covers, of those it does not;
    target, others: the same for the keypoints it is aimed at and the rest; inverted, swapped: the share of all
    keypoints that became so; score_hit, score_collateral: the keypoints' mean score;
    score_right, score_wrong: the mean score of hit keypoints under the attack, by whether they are right.
    """
    before, after = m.kinds[CLEAN], m.kinds[attack.name]
    covered, said = m.answers[attack.name].covered, m.answers[attack.name]
    there = m.asked & covered.any(axis=1, keepdims=True)
    hit, rest = there & covered, there & ~covered
    scores = [np.nan_to_num(a.scores) for a in (m.answers[CLEAN], said)]
    gain = after.right.astype(float) - before.right
    rows: dict[str, tuple[Floats, Flags]] = {"all": (gain, there), "hit": (gain, hit), "collateral": (gain, rest)}
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
    }
    part = np.column_stack([(amount * mask).sum(1) for amount, mask in rows.values()])
    whole = np.column_stack([mask.sum(1) for _, mask in rows.values()])
    found = effects(m.by_scene(part), m.by_scene(whole), draws, seed)
    return dict(zip(rows, found, strict=True))


def targets(skeleton: Skeleton, attack: Attack) -> Flags | None:
    """(K,) the keypoints that an attack is aimed at; None where it is drawn anew for every person."""
    names = {"keypoints": (attack.target,), "parts": skeleton.parts.get(attack.target, ())}.get(attack.kind)
    return None if names is None else np.array([name in names for name in skeleton.keypoints])


def influence(m: Measured, chosen: Iterable[Attack], draws: int = DRAWS, seed: int = 0) -> dict[str, list[Effect]]:
    """Return for every attack, by name, the change of the share of right ones of each keypoint (K,).

    The rows of keypoint attacks make the influence matrix: attacked keypoint by affected keypoint. Only
    people count of whom the attack covers something.
    """
    names, parts, wholes = [], [], []
    for attack in chosen:
        there = m.asked & m.answers[attack.name].covered.any(axis=1, keepdims=True)
        gain = m.kinds[attack.name].right.astype(float) - m.kinds[CLEAN].right
        names.append(attack.name)
        parts.append(m.by_scene(gain * there))
        wholes.append(m.by_scene(there))
    if not names:
        return {}
    found = effects(np.hstack(parts), np.hstack(wholes), draws, seed)
    count = len(m.skeleton)
    return {name: found[n * count : (n + 1) * count] for n, name in enumerate(names)}
