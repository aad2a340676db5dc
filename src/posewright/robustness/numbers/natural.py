"""Natural occlusion beside attacks: what annotated hidden keypoints cost, and whether attacks predict it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.metrics.score import share
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import DRAWS, Effect, Pair, Sample, differences, effects, effects_of
from posewright.robustness.numbers.measure import Measured, reached
from posewright.robustness.numbers.right import Flags
from posewright.scene import HIDDEN, Floats

NATURAL = "natural"
"""The name of these numbers among a study's."""
PEARSON = "pearson_r"
"""The name of the correlation of what hiding costs with what attacks cost."""
LEAST = 5
"""Hidden keypoints of a kind, and seen ones, for its cost to be compared with an attack's."""
FEWEST = 4
"""Kinds of keypoints to correlate over."""


def natural(
    m: Measured, people: Sequence[Subject], attacks: Sequence[Attack], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Effect]]:
    """Return what hidden keypoints cost in clean pictures, under "natural"; nothing where the truth tells of none.

    right_seen, right_hidden: the share of correct ones of keypoints annotated as seen (COCO's v = 2) and as hidden
    (v = 1); hidden_less_seen: their difference. pearson_r, under "natural-blackout" and so on by the fill of attacks on
    keypoints: the correlation, over the keypoints that are hidden and seen at least 5 times each, of that difference
    with what covering the keypoint changes in itself. Noise in either draws r towards 0.
    """
    hidden = m.asked & np.array([_hidden(one) for one in people])
    seen = m.asked & ~hidden
    if not hidden.any() or not seen.any():
        return {}
    right = m.kinds[CLEAN].right.astype(float)
    pairs = [_columns(m.shares(right, mask)) for mask in (seen, hidden)]
    found = {
        name: effects(*pair, draws, seed, grouped=m.grouped)[0]
        for name, pair in zip(("right_seen", "right_hidden"), pairs, strict=True)
    }
    found["hidden_less_seen"] = differences(pairs[1], pairs[0], draws, seed, m.grouped)[0]
    groups = {NATURAL: found}
    aimed = [a for a in attacks if a.kind == "keypoints" and a.target in m.skeleton.keypoints]
    for fill in dict.fromkeys(a.fill for a in aimed):
        found_r = _pearson_r(m, right, (hidden, seen), [a for a in aimed if a.fill == fill], draws, seed)
        if found_r is not None:
            groups[f"{NATURAL}-{fill}"] = {PEARSON: found_r}
    return groups


def _hidden(one: Subject) -> Flags:
    visible = one.truth.visible
    return np.zeros(len(one.truth), bool) if visible is None else visible == HIDDEN


def _columns(pair: Pair) -> Pair:
    return pair[0][:, None], pair[1][:, None]


def _pearson_r(
    m: Measured, right: Floats, masks: tuple[Flags, Flags], attacks: Sequence[Attack], draws: int, seed: int
) -> Effect | None:
    """Correlate what hiding costs with what attacks cost; None where too few kinds of keypoints have both."""
    targets = [m.skeleton.index(a.target) for a in attacks]
    changes = [_own_change(m, right, a, k) for a, k in zip(m.each(attacks), targets, strict=True)]
    often = [min(mask[:, k].sum() for mask in masks) >= LEAST for k in targets]
    known = [n for n, (_, whole) in enumerate(changes) if often[n] and whole.any()]
    if len(known) < FEWEST:
        return None
    kinds = [targets[n] for n in known]
    costs = [(m.by_scene((right * mask)[:, kinds]), m.by_scene(mask[:, kinds])) for mask in masks]
    part, whole = (np.column_stack([changes[n][side] for n in known]) for side in (0, 1))

    def again(weights: Floats) -> Floats:
        apart = share(weights, *costs[0]) - share(weights, *costs[1])
        return _correlation(apart, share(weights, part, whole))[:, None]

    asked = float(sum(mask[:, kinds].sum() for mask in masks))
    pictures = float((np.column_stack([costs[0][1], whole]).sum(1) > 0).sum())
    sample = Sample(np.array([asked]), np.array([pictures]), np.array([pictures]))
    return effects_of(again, sample, m.scenes, draws, seed, grouped=m.grouped)[0]


def _own_change(m: Measured, right: Floats, attack: Attack, k: int) -> Pair:
    """Return what covering a keypoint changes in itself, a part (S,) and a whole (S,)."""
    said = m.answers[attack.name]
    there = (m.asked & reached(said) & said.covered)[:, k]
    gain = m.kinds[attack.name].right[:, k] - right[:, k]
    return m.by_scene(gain * there), m.by_scene(there)


def _correlation(a: Floats, b: Floats) -> Floats:
    """Return Pearson's r of each row (B,) of two (B, M), over the columns that both have; NaN where one is constant."""
    there = np.isfinite(a) & np.isfinite(b)
    count = np.maximum(there.sum(1, keepdims=True), 1)
    away = [np.where(there, v - np.where(there, v, 0).sum(1, keepdims=True) / count, 0) for v in (a, b)]
    below = np.sqrt((away[0] ** 2).sum(1) * (away[1] ** 2).sum(1))
    return np.divide((away[0] * away[1]).sum(1), below, out=np.full(len(a), np.nan), where=below > 1e-12)
