"""Losses of RetinaNet: which anchors are people, and how far their boxes are off."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from posewright.fields import Boxes, Everybody, Heatmaps

ALPHA, GAMMA = 0.25, 2.0  # arXiv:1708.02002, section 5.1
KNEE = 1 / 9
"""The corrections' difference up to which their loss is a square (the code that the vector was made with)."""
SURE = 1e-4
"""How near to 0 and 1 a probability counts."""


def focal(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy that forgets what is already right, for each picture (B,).

        FL = sum over anchors of  w a (1 - p)^2 (-log p)  /  max(1, number of positives)

    with p the probability of what is true, a = 1/4 where that is a person and 3/4 elsewhere. scores, truth and weights
    (B, N) as in `Boxes`. Lin et al. 2017 (arXiv:1708.02002, equation 5).
    """
    likely = scores.float().clamp(SURE, 1 - SURE)
    person = truth > 0
    right = likely.where(person, 1 - likely)
    each = (1 - right) ** GAMMA * -right.log()
    alpha = ALPHA * person + (1 - ALPHA) * ~person
    return (weights * alpha * each).sum(-1) / person.sum(-1).clamp(min=1)


def smooth_l1(deltas: Tensor, true: Tensor, truth: Tensor) -> Tensor:
    """Squares near 0, lengths beyond: of the positive anchors' corrections, for each picture (B,).

        mean over positives and their 4 numbers of  9/2 d^2 if d <= 1/9, else d - 1/18

    deltas and true (B, N, 4); truth (B, N). 0 where there are no positives. Girshick 2015 (arXiv:1504.08083), with a
    sharper knee.
    """
    away = (deltas.float() - true).abs()
    each = (away.square() / (2 * KNEE)).where(away <= KNEE, away - KNEE / 2)
    person = truth > 0
    return (each * person[..., None]).sum((-2, -1)) / (4 * person.sum(-1)).clamp(min=1)


def scores_and_boxes(stages: Sequence[Boxes | Everybody | Heatmaps], target: Boxes | Everybody) -> Tensor:
    """What finds people as boxes learns by: the last stage's scores and corrections.

        L = mean over B of  focal + smooth_l1

    Lin et al. 2017 (arXiv:1708.02002). A picture that weighs 0 at every anchor costs nothing; the code that the vector
    was made with weighs pictures without people so, which the newer one of its source does not.
    """
    found = stages[-1]
    assert isinstance(found, Boxes | Everybody)
    costs = focal(found.scores, target.scores, target.weights) + smooth_l1(found.deltas, target.deltas, target.scores)
    return costs.mean()
