"""Ranks: whether scores tell right keypoints from wrong ones, whatever they mean as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.metrics.trust.calibration import auc
from posewright.metrics.trust.outcomes import Outcomes
from posewright.robustness.attacks.aside import let_go
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import Effect, Sample, effects_of
from posewright.robustness.numbers.levels import group_of
from posewright.robustness.numbers.measure import Measured, reached
from posewright.robustness.numbers.right import Flags
from posewright.scene import Floats

DRAWS = 1000
"""Bootstrap samples at most: one of a ranking costs more than one of a share."""
Pieces = list[tuple[Flags, str]]


def ranks(m: Measured, attacks: Sequence[Attack], draws: int, seed: int = 0) -> dict[str, dict[str, Effect]]:
    """Return the area under the ROC curve of scores: how often a right keypoint's is higher than a wrong one's.

    Of all keypoints in clean pictures, under "clean", as "auroc"; of attacks of a kind and fill, named as in
    "parts-blur", "auroc_hit" of covered keypoints, "auroc_collateral" of the others, and "auroc_clean_hit" of the
    covered ones in their clean pictures. 0.5 is chance: it does not know. NaN where all are right, or wrong.
    """
    groups: dict[str, list[Attack]] = {}
    for attack in attacks:
        groups.setdefault(group_of(attack), []).append(attack)
    found = {CLEAN: {"auroc": area(m, [(m.asked, CLEAN)], min(draws, DRAWS), seed)}}
    for group, some in groups.items():
        pieces: dict[str, Pieces] = {}
        for attack in m.each(some):
            there, covered = m.asked & reached(m.answers[attack.name]), m.answers[attack.name].covered
            for name, mask, said in (
                ("auroc_hit", there & covered, attack.name),
                ("auroc_collateral", there & ~covered, attack.name),
                ("auroc_clean_hit", there & covered, CLEAN),
            ):
                pieces.setdefault(name, []).append((mask, said))
        found[group] = {name: area(m, masks, min(draws, DRAWS), seed) for name, masks in pieces.items()}
    return found


def area(m: Measured, pieces: Pieces, draws: int, seed: int = 0) -> Effect:
    """Return the area of some keypoints' scores: flags (N, K) of them, and under which answers."""
    rows: list[tuple[Floats, Flags, np.ndarray]] = []
    for mask, said in pieces:
        scores = m.answers[said].scores
        person, keypoint = np.nonzero(mask & np.isfinite(scores))
        rows.append((scores[person, keypoint], m.kinds[said].right[person, keypoint], m.scene[person]))
        let_go((*m.answers[said], *m.kinds[said]))
    score, right, scene = (np.concatenate(columns) for columns in zip(*rows, strict=True))
    nothing = float("nan")
    if right.all() or not right.any():
        return Effect(nothing, nothing, nothing, nothing, nothing, float(len(right)))
    one = np.zeros(len(score), np.intp)
    outcomes = Outcomes(scene, one, score, right.astype(float), m.scenes, (), "keypoint scores", {"scenes": m.scenes})
    again = auc(outcomes).again
    assert again is not None
    counts = np.bincount(scene, minlength=m.scenes).astype(float)
    sample = Sample(*(np.array([v]) for v in (counts.sum(), counts.sum() ** 2 / (counts**2).sum(), nothing)))
    (effect,) = effects_of(lambda w: again(w)["AUC"][:, None], sample, m.scenes, draws, seed, grouped=m.grouped)
    return effect
