"""Comparison: studies side by side, of the same people under the same attacks, every difference paired.

Each study comes from its folder: whom it asked about, and what was said, are measured again, so that the pictures
are drawn anew for both at once. A difference is the first one's change less the other's: above 0 where the first loses
less.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posewright.files import write_whole
from posewright.metrics.score import versions
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import DRAWS, MARGIN, Effect, Pair, differences, effects
from posewright.robustness.numbers.levels import group_of
from posewright.robustness.numbers.measure import POOLED, counted, groups_of, measured
from posewright.robustness.numbers.shared import Side, lacking, shared
from posewright.robustness.numbers.tables import plain, read_study

FORMAT = "posewright comparison of occlusion studies, 1"
COLUMNS = 200
"""Numbers drawn anew at a time."""


@dataclass(frozen=True)
class Compared:
    """Hold the first study's numbers less another's, by row and number; own: those of each study, by its name.

    Rows: "clean"; groups of attacks as in "parts-blur"; their targets as in "keypoints-left_knee", all fills
    together; and every attack by its name. Numbers: for "clean", "all" and every keypoint, else `measure.POOLED`.
    left_out: what only one of them has, a phrase each.
    """

    names: tuple[str, str]
    own: Mapping[str, Mapping[str, Mapping[str, Effect]]]
    differences: Mapping[str, Mapping[str, Effect]]
    groups: tuple[str, ...]
    targets: tuple[str, ...]
    left_out: tuple[str, ...] = ()


Sums = dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]


def compare(folders: Sequence[Path | str], draws: int = DRAWS, seed: int = 0) -> list[Compared]:
    """Compare the first of these studies with each of the others; raises ValueError, in one line, where they differ.

    They are compared in the attacks, keypoints (by name) and people that both have, by the same rule of what is right;
    what only one has is left out and said. The estimators, their keypoints and the size of their crops may differ.
    """
    if len(folders) < 2:
        raise ValueError(f"name the folders of two studies or more to compare, not {len(folders)}")
    sides = [_side(Path(folder), name) for folder, name in zip(folders, _names(folders), strict=True)]
    return [_pair(sides[0], other, (folders[0], folders[n]), draws, seed) for n, other in enumerate(sides[1:], 1)]


def _pair(first: Side, second: Side, folders: tuple[Path | str, Path | str], draws: int, seed: int) -> Compared:
    """Compare two studies in what they share; raises ValueError where that is nothing, or is not the same."""
    a, b, left_out = shared(first, second)
    lack = lacking(a, b)
    if lack:
        raise ValueError(f"{folders[1]}: cannot be compared with {folders[0]}: {lack}")
    sums = [_sums(side) for side in (a, b)]
    own = {side.name: _own(some, draws, seed, side.measured.grouped) for side, some in zip((a, b), sums, strict=True)}
    told = [e for x, y in _pieces(*sums) for e in differences(x, y, draws, seed, a.measured.grouped)]
    return Compared((a.name, b.name), own, _rows(sums[0], told), *_kinds(a.study.attacks), left_out)


def _names(folders: Sequence[Path | str]) -> list[str]:
    """Return short names, each its own: the folder's, or as much of its path as tells it from the others."""
    paths = [Path(folder).resolve() for folder in folders]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-length:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f"{folders[0]}: the same study twice; name studies to compare")


def _side(folder: Path, name: str) -> Side:
    study = read_study(folder)
    asked = kept(folder)
    people = asked.people
    told = {n: read_answers(folder / "answers" / f"{n}.npz") for n in (CLEAN, *(a.name for a in study.attacks))}
    shape = (len(people), len(people[0].truth))
    for attack, (said, _) in told.items():
        if said.scores.shape != shape or said.keypoints.shape != (*shape, 2) or said.covered.shape != shape:
            raise ValueError(
                f"{folder / 'answers'}: {attack}.npz is of {len(said.scores)} people, not of {len(people)}"
            )
    answers = {attack: said for attack, (said, _) in told.items()}
    rule = study.protocol.get("rule")
    return Side(
        name,
        study,
        people,
        measured(people, answers, rule, groups_of(people, asked.scenes)),
        {attack: of for attack, (_, of) in told.items()},
    )


def _kinds(attacks: Sequence[Attack]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    groups, targets = dict.fromkeys(map(group_of, attacks)), dict.fromkeys(map(_aim, attacks))
    return tuple(groups), tuple(target for target in targets if target)


def _aim(attack: Attack) -> str:
    """Name what an attack is aimed at, whatever it shows; nothing where it is drawn anew for everyone."""
    return f"{attack.kind}-{attack.target}" if attack.kind in ("keypoints", "parts") else ""


def _sums(side: Side) -> Sums:
    """Return a part (S,) and a whole (S,) of every row and number, in the same order for all studies."""
    m = side.measured
    right = m.kinds[CLEAN].right.astype(float)
    found: Sums = {(CLEAN, "all"): m.shares(right, m.asked)}
    for k, name in enumerate(m.skeleton.keypoints):
        found[CLEAN, name] = m.shares(right[:, k : k + 1], m.asked[:, k : k + 1])
    single: Sums = {}
    for attack in sorted(side.study.attacks, key=lambda attack: attack.name):
        counts = counted(m, attack)
        for number in POOLED:
            for row in filter(None, dict.fromkeys((group_of(attack), _aim(attack)))):
                before = found.get((row, number), (0.0, 0.0))
                found[row, number] = (before[0] + counts[number][0], before[1] + counts[number][1])
            single[attack.name, number] = counts[number]
    return found | single


def _pieces(first: Sums, second: Sums) -> list[tuple[Pair, Pair]]:
    """Return the two studies' parts and wholes (S, some) of the same numbers, some at a time."""
    keys = list(first)
    return [
        (_columns(first, keys[start : start + COLUMNS]), _columns(second, keys[start : start + COLUMNS]))
        for start in range(0, len(keys), COLUMNS)
    ]


def _columns(sums: Sums, keys: Sequence[tuple[str, str]]) -> Pair:
    part, whole = (np.column_stack([sums[key][i] for key in keys]) for i in (0, 1))
    return part, whole


def _own(sums: Sums, draws: int, seed: int, grouped: bool) -> dict[str, dict[str, Effect]]:
    return _rows(sums, effects(*_columns(sums, list(sums)), draws, seed, grouped=grouped))


def _rows(keys: Sums, found: Sequence[Effect]) -> dict[str, dict[str, Effect]]:
    rows: dict[str, dict[str, Effect]] = {}
    for (row, number), effect in zip(keys, found, strict=True):
        rows.setdefault(row, {})[number] = effect
    return rows


def write_compared(found: Sequence[Compared], folder: Path, margin: float = MARGIN, draws: int = DRAWS) -> Path:
    """Write `compare.json` into a folder; returns the file."""
    content = {
        "format": FORMAT,
        "difference": "the first study's change less the second's: above 0 where the first loses less",
        "verdict": "of a difference: none within the margin, lower, higher, undecided",
        "margin": margin,
        "draws": draws,
        "compared": [
            {
                "first": one.names[0],
                "second": one.names[1],
                "left_out": list(one.left_out),
                "own": {name: _plain(rows) for name, rows in one.own.items()},
                "differences": _plain(one.differences, margin),
            }
            for one in found
        ],
        **versions(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "compare.json", json.dumps(content, indent=1, allow_nan=False).encode())
    return folder / "compare.json"


def _plain(rows: Mapping[str, Mapping[str, Effect]], margin: float | None = None) -> dict[str, dict[str, Any]]:
    return {row: {number: plain(effect, margin) for number, effect in some.items()} for row, some in rows.items()}
