"""Parts against keypoints: does covering a body part cost more than covering any one keypoint of it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import DRAWS, Effect, effects
from posewright.robustness.numbers.measure import Measured, reached


def against_keypoints(
    m: Measured, attacks: Sequence[Attack], draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Effect]]:
    """Return how much more every part changes than each keypoint in it, with the same fill, in people both reach.

    Named as in "parts-head-blur - keypoints-nose-blur-6", and there "all": the change of the share of right
    keypoints under the part less that under the keypoint. A part is worse than every one of its keypoints where all
    of these are clearly below 0; as every one must be, nothing is to be corrected for their number.
    """
    pairs = [(part, k) for part in attacks if part.kind == "parts" for k in within(m, part, attacks)]
    if not pairs:
        return {}
    sums = [_difference(m, part, keypoint) for part, keypoint in pairs]
    lost, whole = (np.column_stack(columns) for columns in zip(*sums, strict=True))
    found = effects(lost, whole, draws, seed, grouped=m.grouped)
    names = [f"{part.name} - {keypoint.name}" for part, keypoint in pairs]
    return {name: {"all": effect} for name, effect in zip(names, found, strict=True)}


def within(m: Measured, part: Attack, attacks: Sequence[Attack]) -> list[Attack]:
    """Return the attacks on the keypoints of a part that show the same fill."""
    names = m.skeleton.parts.get(part.target, ())
    return [a for a in attacks if a.kind == "keypoints" and a.fill == part.fill and a.target in names]


def _difference(m: Measured, part: Attack, keypoint: Attack) -> tuple[np.ndarray, np.ndarray]:
    there = m.asked & reached(m.answers[part.name]) & reached(m.answers[keypoint.name])
    gains = [m.kinds[attack.name].right.astype(float) - m.kinds[CLEAN].right for attack in (part, keypoint)]
    return m.shares(gains[0] - gains[1], there)
