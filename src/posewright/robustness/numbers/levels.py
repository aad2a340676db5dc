"""Levels: where clean pictures and attacks of a kind leave an estimator, and whether its scores tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.robustness.attacks.attack import CLEAN, SWEPT, Attack
from posewright.robustness.numbers.effect import DRAWS, Effect, Pair, effects
from posewright.robustness.numbers.measure import Measured, reached
from posewright.robustness.numbers.right import Flags

LEVELS = ("right", "score", "score_right", "score_wrong", "overconfidence", "collateral_share",
          "auroc", "auroc_hit", "auroc_collateral", "auroc_clean_hit",
          "right_seen", "right_hidden", "pearson_r")  # fmt: skip
"""Numbers that are no changes, those of `ranks` and `natural` too."""


def levels(m: Measured, attacks: Sequence[Attack], draws: int = DRAWS, seed: int = 0) -> dict[str, dict[str, Effect]]:
    """Return LEVELS of clean pictures, under "clean", and of attacks of a kind and fill, named as in "parts-blur".

    Of all keypoints in clean pictures, of the covered ones under attack: right, their share of correct ones; score,
    their mean score, and score_right and score_wrong, that of right and of wrong ones; overconfidence, score less
    right, of those that have a score. collateral_share: of all keypoints that an attack turns wrong, less those that
    it turns right, the share that it does not cover; it means little where attacks change little.
    """
    sums = {CLEAN: _of(m, CLEAN, m.asked)}
    for attack in m.each(attacks):
        there = m.asked & reached(m.answers[attack.name])
        hit = there & m.answers[attack.name].covered
        loss = m.kinds[CLEAN].right.astype(float) - m.kinds[attack.name].right
        rows = _of(m, attack.name, hit)
        rows["collateral_share"] = (m.shares(loss, there & ~hit)[0], m.shares(loss, there)[0])
        name = group_of(attack)
        sums[name] = _added(sums[name], rows) if name in sums else rows
    columns = [(name, row, pair) for name, rows in sums.items() for row, pair in rows.items()]
    part, whole = (np.column_stack([pair[i] for *_, pair in columns]) for i in (0, 1))
    found: dict[str, dict[str, Effect]] = {}
    for (name, row, _), effect in zip(columns, effects(part, whole, draws, seed, grouped=m.grouped), strict=True):
        found.setdefault(name, {})[row] = effect
    return found


def group_of(attack: Attack) -> str:
    """Name the attacks that an attack is told together with: its kind, its radius where that is swept, its fill."""
    if attack.kind == "own":
        return attack.name
    swept = attack.kind in SWEPT and attack.radius is not None
    return f"{attack.kind}-{attack.radius:g}-{attack.fill}" if swept else f"{attack.kind}-{attack.fill}"


def _of(m: Measured, name: str, mask: Flags) -> dict[str, Pair]:
    right, scores = m.kinds[name].right, m.answers[name].scores
    rated = mask & np.isfinite(scores)
    score = np.nan_to_num(scores)
    return {
        "right": m.shares(right.astype(float), mask),
        "score": m.shares(score, rated),
        "score_right": m.shares(score, rated & right),
        "score_wrong": m.shares(score, rated & ~right),
        "overconfidence": m.shares(score - right, rated),
    }


def _added(some: dict[str, Pair], more: dict[str, Pair]) -> dict[str, Pair]:
    return {name: (part + more[name][0], whole + more[name][1]) for name, (part, whole) in some.items()}
