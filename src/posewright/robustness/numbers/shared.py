"""Shared: what two studies have in common, and whether it can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.measure import Measured, measured
from posewright.robustness.numbers.right import rule_for
from posewright.robustness.numbers.tables import Study
from posewright.scene import Floats
from posewright.skeleton import Skeleton

NEAR = 1e-3
"""px of the picture within which two studies' keypoints are the same, and the share by which lengths may differ."""


class Side(NamedTuple):
    """Hold one of the studies that are compared; of: which occluder every attack's answers are about."""

    name: str
    study: Study
    people: list[Subject]
    measured: Measured
    of: Mapping[str, str]


def shared(first: Side, second: Side) -> tuple[Side, Side, tuple[str, ...]]:
    """Cut two studies down to their common attacks, keypoints by name, and people, and say what was left out.

    What attacks cover and whom they reach stays as it was asked; keypoints that only one of them knows are not judged.
    """
    notes = []
    names = [[attack.name for attack in side.study.attacks] for side in (first, second)]
    attacks = [name for name in names[0] if name in names[1]]
    keypoints = [k for k in first.measured.skeleton.keypoints if k in second.measured.skeleton.keypoints]
    places = [{(one.scene, one.person): n for n, one in enumerate(side.people)} for side in (first, second)]
    people = [place for place in places[0] if place in places[1]]
    for side, own, at in zip((first, second), names, places, strict=True):
        odd = [name for name in own if name not in attacks]
        if odd:
            notes.append(f"{len(odd)} attacks of {side.name} alone ({_few(odd)})")
        odd = [name for name in side.measured.skeleton.keypoints if name not in keypoints]
        if odd:
            notes.append(f"{len(odd)} keypoints of {side.name} alone ({_few(odd)})")
        if len(at) > len(people):
            notes.append(f"{len(at) - len(people)} people of {side.name} alone")
    alike = first.measured.skeleton.keypoints == second.measured.skeleton.keypoints
    if (alike and not notes) or not (attacks and keypoints and people):
        return first, second, ()
    skeleton = first.measured.skeleton.only(keypoints)
    cut = [
        _cut(side, attacks, skeleton, [at[place] for place in people])
        for side, at in zip((first, second), places, strict=True)
    ]
    return cut[0], cut[1], tuple(notes)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + ", ..." * (len(names) > 3)


def _cut(side: Side, attacks: Sequence[str], skeleton: Skeleton, rows: Sequence[int]) -> Side:
    """Return a study of some attacks, keypoints and people alone."""
    old = side.measured.skeleton
    columns = [old.index(name) for name in skeleton.keypoints]
    by_name = {attack.name: attack for attack in side.study.attacks}
    listed = tuple(by_name[name] for name in attacks)
    told = {name: _answered(side.measured.answers[name], rows, columns) for name in (CLEAN, *attacks)}
    people = [_known_by(side.people[n], old, skeleton) for n in rows]
    rule = side.study.protocol.get("rule")
    whole = rule_for(old, side.people, rule)
    reach = whole._replace(reach=whole.reach[np.ix_(rows, columns)], fallback=whole.fallback[list(rows)])
    groups = side.measured.scene[list(rows)].tolist() if side.measured.grouped else None
    m = measured(people, told, reach, groups)
    return Side(side.name, replace(side.study, attacks=listed), people, m, side.of)


def _answered(said: Answers, rows: Sequence[int], columns: Sequence[int]) -> Answers:
    """Return the answers about some people and keypoints."""
    at = np.ix_(rows, columns)
    return Answers(said.keypoints[at], said.scores[at], said.score[list(rows)], said.covered[at],
                   said.attacked[list(rows)])  # fmt: skip


def _known_by(one: Subject, old: Skeleton, skeleton: Skeleton) -> Subject:
    people = tuple(person.to(old, skeleton) for person in one.crop.people)
    return replace(one, crop=replace(one.crop, people=people, skeleton=skeleton), truth=one.truth.to(old, skeleton))


def lacking(first: Side, second: Side) -> str:
    """Say what two studies differ in that cannot be compared; nothing where they can be."""
    a, b = first.measured.skeleton.keypoints, second.measured.skeleton.keypoints
    if not set(a) & set(b):
        return "they have no keypoint in common"
    if not {attack.name for attack in first.study.attacks} & {attack.name for attack in second.study.attacks}:
        return "they have no attack in common"
    if len(first.people) != len(second.people):
        return "they have no person in common"
    rules = [side.measured.rule.name for side in (first, second)]
    alike = rules[0].partition(" (")[0] == rules[1].partition(" (")[0]
    reaches = _reaches_alike(first, second)
    if rules[0] != rules[1] and not (alike and reaches):
        return f"right means {rules[1]}, not {rules[0]}"
    for place, (one, other) in enumerate(zip(first.people, second.people, strict=True)):
        if not _same(one, other):
            return f"person {place} is another (picture {other.scene}, not {one.scene}, or other true keypoints)"
    if not reaches:
        return "right reaches elsewhere: its people have other areas, heads or torsos"
    if first.study.protocol.get("seed") != second.study.protocol.get("seed"):
        return f"its seed is {second.study.protocol.get('seed')}, not {first.study.protocol.get('seed')}"
    odd = [n for n, of in first.of.items() if of and second.of.get(n) and of != second.of[n]]
    return f"{odd[0]} is another occluder" if odd else ""


def _same(one: Subject, other: Subject) -> bool:
    if (one.scene, one.person) != (other.scene, other.person):
        return False
    a, b = (s.crop.warp.inverse(s.crop.source_size).points(s.truth.keypoints) for s in (one, other))
    return bool(np.allclose(a, b, rtol=0, atol=NEAR, equal_nan=True))


def _reaches_alike(first: Side, second: Side) -> bool:
    """Tell whether keypoints are right within the same px of the pictures, as far as both crops' rounding lets one."""
    a, b = _reach(first), _reach(second)
    allowed = (1 + NEAR) * (_stretch(first) * _stretch(second))[:, None]
    with np.errstate(invalid="ignore"):
        near = np.maximum(a, b) <= allowed * np.minimum(a, b)
    return bool((near | (np.isnan(a) & np.isnan(b))).all())


def _reach(side: Side) -> Floats:
    """(N, K) px of the pictures within which a keypoint is right."""
    scales = np.array([one.crop.warp.scale for one in side.people])
    return np.asarray(side.measured.rule.reach / scales[:, None])


def _stretch(side: Side) -> Floats:
    """(N,) the factor by which a length in a crop may be longer or shorter than its scale says, for rounding alone.

    A crop whose sides were rounded to whole px has a scale in x and one in y; of its scale, the root of their product,
    each differs by the root of their ratio. Rounding moves a side by at most half a px, and every crop shows all of its
    box: what is stretched by more was meant to be. Who is judged by a share of the box has it from everybody's lengths.
    """
    found = np.ones(len(side.people))
    for n, one in enumerate(side.people):
        largest, smallest = np.linalg.svd(one.crop.warp.matrix[:2, :2], compute_uv=False)
        width, height = np.maximum(one.box[2:] - one.box[:2], 1)
        found[n] = np.sqrt(min(largest / smallest, (1 + 0.5 / width) * (1 + 0.5 / height)))
    return np.where(side.measured.rule.fallback, found.max(), found)
