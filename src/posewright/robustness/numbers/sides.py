"""Sides: the influence of keypoints on each other, left and right of the body put together.

What hiding the left knee does to the left ankle, and the right knee to the right one, is one question asked twice: put
together it is told of twice the people, in half of the cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import DRAWS, Effect, Pair, effects
from posewright.robustness.numbers.measure import Measured, uncovered

INFLUENCE = "influence"
"""Begins the name of these numbers among a study's, as in "influence-blackout"."""
SAME, OTHER, MIDDLE = "same side", "other side", ""
"""Where the affected keypoint lies, seen from the hidden one; no side where either is in the middle of the body."""
ON = " on "


def sides(m: Measured, attacks: Sequence[Attack], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Effect]]:
    """Return `measure.influence` of keypoints on keypoints, both sides together, by fill.

    Numbers are named as in "knee on ankle, same side" and "nose on eye"; the change in the share of correct ones of the
    second where the first is covered. Their simultaneous intervals are those of a fill, without a keypoint's on itself.
    """
    sums: dict[tuple[str, str], Pair] = {}
    for attack in m.each(attacks):
        if attack.kind != "keypoints" or attack.target not in m.skeleton.keypoints:
            continue
        there = uncovered(m, attack)
        gain = (m.kinds[attack.name].right.astype(float) - m.kinds[CLEAN].right) * there
        part, whole = m.by_scene(gain), m.by_scene(there)
        for k, affected in enumerate(m.skeleton.keypoints):
            key = (f"{INFLUENCE}-{attack.fill}", cell_of(attack.target, affected))
            before = sums.get(key, (np.zeros(m.scenes), np.zeros(m.scenes)))
            sums[key] = (before[0] + part[:, k], before[1] + whole[:, k])
    if not sums:
        return {}
    part, whole = (np.column_stack([pair[i] for pair in sums.values()]) for i in (0, 1))
    families = [(group, name) if on_itself(name) else group for group, name in sums]
    found: dict[str, dict[str, Effect]] = {}
    for (group, name), effect in zip(sums, effects(part, whole, draws, seed, families, m.grouped), strict=True):
        found.setdefault(group, {})[name] = effect
    return found


def cell_of(hidden: str, affected: str) -> str:
    """Name the influence of a keypoint on another, whichever side they are of.

    >>> cell_of("left_knee", "right_ankle"), cell_of("right_knee", "left_ankle"), cell_of("nose", "left_eye")
    ('knee on ankle, other side', 'knee on ankle, other side', 'nose on eye')
    """
    (side, first), (other, second) = _parted(hidden), _parted(affected)
    where = MIDDLE if not side or not other else SAME if side == other else OTHER
    return f"{first}{ON}{second}" + (f", {where}" if where else "")


def parts_of(name: str) -> tuple[str, str, str]:
    """Return the hidden keypoint, the affected one, and on which side it lies, of a name that `cell_of` gave.

    >>> parts_of("knee on ankle, same side"), parts_of("nose on eye")
    (('knee', 'ankle', 'same side'), ('nose', 'eye', ''))
    """
    both, _, where = name.partition(", ")
    first, _, second = both.partition(ON)
    return first, second, where


def on_itself(name: str) -> bool:
    """Whether the affected keypoint is the hidden one."""
    first, second, where = parts_of(name)
    return first == second and where != OTHER


def _parted(keypoint: str) -> tuple[str, str]:
    """Return the side of a keypoint, nothing for one of the middle, and its name without it."""
    side, _, rest = keypoint.partition("_")
    return (side, rest) if side in ("left", "right") and rest else ("", keypoint)
