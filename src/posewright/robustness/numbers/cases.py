"""Cases: what one person loses behind an occluder that was searched for, beside it, and at every keypoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.robustness.attacks.search import Looks, Search, quality, similarity
from posewright.robustness.attacks.subjects import Subject
from posewright.scene import Floats


class Case(NamedTuple):
    """Hold all looks at one person; reach (K,) px, clean (K, 2) px, loss (T,) of each look, NaN where there was none.

    cells: how many of the looks are the grid's; nearby: looks beside the worst that took no part in choosing it, and
    loss_nearby (HELD_OUT,) theirs; unit: the picture that the person is of, or the group of pictures.
    """

    person: Subject
    reach: Floats
    clean: Floats
    looks: Looks
    loss: Floats
    cells: int
    nearby: Looks
    loss_nearby: Floats
    unit: object

    @property
    def asked(self) -> NDArray[np.bool_]:
        """(K,) the keypoints that there is something to find for."""
        return self.person.truth.labelled & (self.reach > 0)

    @property
    def best(self) -> int:
        """The place of the worst look of all, of equal ones the first."""
        return int(np.nanargmax(self.loss))

    @property
    def at_keypoints(self) -> Floats:
        """(K,) the loss with the occluder on each keypoint; NaN on absent ones."""
        return self.loss[-len(self.reach) :]

    @property
    def spot(self) -> Floats:
        """(3,) x, y, radius px of the worst occluder in the person's crop."""
        return np.asarray(self.looks.spots[self.best])

    @property
    def nearest(self) -> int:
        """The labelled keypoint that is nearest to the worst place."""
        away = np.hypot(*(self.person.truth.keypoints - self.spot[:2]).T)
        return int(np.nanargmin(away))


def worst_keypoint(cases: Sequence[Case]) -> int:
    """Return the keypoint that costs most on the whole, of those that half of the people have, or as many as any."""
    losses, weight = _at_keypoints(cases)
    there = weight > 0
    mean = (np.nan_to_num(losses) * weight).sum(0) / np.maximum(weight.sum(0), 1)
    enough = 2 * there.sum(0) >= min(len(cases), 2 * there.sum(0).max())
    return int(np.argmax(np.where(enough, mean, -np.inf)))


def _at_keypoints(cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """(N, K) the losses on keypoints, NaN on absent ones, and their weights."""
    losses = np.stack([case.at_keypoints for case in cases])
    return losses, np.isfinite(losses) * np.array([float(case.asked.sum()) for case in cases])[:, None]


def cross_fitted(cases: Sequence[Case], seed: int = 0) -> NDArray[np.int64]:
    """(N,) the keypoint at which each person is measured: the worst one of the pictures in the other half.

    What is chosen as the largest of many is too large where it was chosen: of 17 keypoints that all cost 5 points, the
    worst of 20 people reads 11. So the pictures are put into two halves by chance, and in each half the keypoint that
    costs most in the other one is measured. -1 for everybody where all are of one picture.
    """
    units = {unit: n for n, unit in enumerate(dict.fromkeys(case.unit for case in cases))}
    if len(units) < 2:
        return np.full(len(cases), -1)
    second = np.random.default_rng(seed).permutation(len(units)) % 2
    half = second[[units[case.unit] for case in cases]]
    chosen = [worst_keypoint([case for case, h in zip(cases, half, strict=True) if h != own]) for own in (0, 1)]
    return np.array(chosen)[half]


def numbers_of(search: Search, case: Case, keypoint: int) -> dict[str, float]:
    """Return the numbers of `Worst` for one person; keypoint: where they are measured as one keypoint, -1 nowhere."""
    worst_of, anywhere = case.loss[case.best], case.loss[: case.cells].mean()
    own, fixed = np.nanmax(case.at_keypoints), case.at_keypoints[keypoint] if keypoint >= 0 else np.nan
    before, after = (_quality(search, case, found) for found in (case.clean, case.looks.keypoints[case.best]))
    under = case.looks.covered[case.best]
    lost = (before - after) * (case.asked & (under if search.of == "all" else False)) / case.asked.sum()
    by_right = Search(by="right")
    right, right_nearby = (
        (_quality(by_right, case, looks.keypoints) * case.asked).sum(1) / case.asked.sum()
        for looks in (case.looks, case.nearby)
    )
    right_before = (_quality(by_right, case, case.clean) * case.asked).sum() / case.asked.sum()
    inverted = [_inverted(case, found) for found in (case.clean, case.looks.keypoints[case.best])]
    at_own = len(case.loss) - len(case.reach) + int(np.nanargmax(case.at_keypoints))
    return {
        "worst": worst_of,
        "nearby": case.loss_nearby.mean(),
        "anywhere": anywhere,
        "own_keypoint": own,
        "keypoint": fixed,
        "worst - nearby": worst_of - case.loss_nearby.mean(),
        "nearby - anywhere": case.loss_nearby.mean() - anywhere,
        "worst - anywhere": worst_of - anywhere,
        "worst - own_keypoint": worst_of - own,
        "worst - keypoint": worst_of - fixed,
        "hit": lost.sum(),
        "collateral": worst_of - lost.sum(),
        "right": right_before,
        "right_worst": right[case.best],
        "right_nearby": right_nearby.mean(),
        "right_anywhere": right[: case.cells].mean(),
        "right_own_keypoint": right[at_own],
        "inverted": inverted[0],
        "inverted_worst": inverted[1],
    }


def _inverted(case: Case, found: Floats) -> float:
    """Return the share of keypoints that are taken for their mirror images."""
    truth, mirror = case.person.truth.keypoints, case.person.crop.skeleton.mirror
    right, other = (similarity(found, at, case.reach) >= 0.5 for at in (truth, truth[mirror]))
    return float((other & ~right & case.asked).sum() / case.asked.sum())


def _quality(search: Search, case: Case, found: Floats) -> Floats:
    return quality(search, found, case.person.truth.keypoints, case.reach)
