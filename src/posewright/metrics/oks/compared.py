"""Who is matched with whom by OKS, computed once for all that is asked of one problem.

Groups of keypoints and people share the pairs of a prediction and a person in one picture, and the similarity of those
whom the box alone compares. A pair that cannot reach the lowest threshold is left out by a bound that holds always: no
keypoint is nearer than the boxes around all of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from posewright.columns import ends
from posewright.metrics.oks.matching import (
    RANGES,
    THRESHOLDS,
    Flags,
    Matches,
    Places,
    Ranked,
    match,
    out_of_range,
    ranked,
)
from posewright.metrics.oks.matching import pairs as every_pair
from posewright.metrics.oks.similarity import Gathered, Predictions, Truths, similarities
from posewright.scene import Floats

FARTHEST = -2 * np.log(THRESHOLDS[0]) * (1 + 1e-9)
"""d^2 / (2 sigma)^2 / area beyond which exp(-d^2 / (2 sigma)^2 / area / 2) is below the lowest threshold."""


@dataclass(frozen=True, eq=False)
class Compared:
    """Keep what is the same for every group of one problem: its pairs, and their similarity by the box."""

    truths: Truths
    predictions: Predictions
    sigmas: Floats
    images: int

    @cached_property
    def pairs(self) -> tuple[Ranked, Places, Places]:
        """The predictions that count, and the place in these (N,) and the person (N,) of every pair."""
        kept = ranked(self.predictions.image, self.predictions.score)
        return kept, *every_pair(kept.image, self.truths.image)

    @cached_property
    def found(self) -> Floats:
        """The keypoints (D, K, 2) of the predictions that count."""
        return self.predictions.keypoints.take(self.pairs[0].order, axis=0)

    @cached_property
    def ranking(self) -> Places:
        """The order (D,) of the predictions that count by score."""
        return np.argsort(-self.predictions.score[self.pairs[0].order], kind="stable")

    @cached_property
    def boxed(self) -> Floats:
        """The OKS (N,) of every pair where nobody's keypoints are labelled; 0 where it is below the thresholds."""
        _, guess, person = self.pairs
        nobody = self.truths._replace(labelled=np.zeros_like(self.truths.labelled))
        return likely(nobody, self.found, self.sigmas, guess, person)

    @cached_property
    def similarity(self) -> Floats:
        """The OKS (N,) of every pair; 0 where it is below the thresholds."""
        _, guess, person = self.pairs
        return likely(self.truths, self.found, self.sigmas, guess, person)

    @cached_property
    def whole(self) -> Matches:
        """The matches of the problem itself, in every area range."""
        return matches(self.truths, self.predictions, self.sigmas, self.images, self)

    @cached_property
    def tied(self) -> Flags:
        """Tell of which images (I,) the matches depend on the order of people or predictions in the file."""
        kept, guess, person = self.pairs
        image, score = self.predictions.image, self.predictions.score
        tied, last = np.zeros(self.images, bool), np.full(self.images, np.nan)
        mine = score[kept.order]
        tied[kept.image[1:][(kept.image[1:] == kept.image[:-1]) & (mine[1:] == mine[:-1])]] = True
        last[kept.image] = mine  # of those that count, the last one's stays
        beyond = np.ones(len(image), bool)
        beyond[kept.order] = False
        tied[image[beyond][score[beyond] == last[image[beyond]]]] = True
        some = np.flatnonzero(self.similarity >= THRESHOLDS[0])
        some = some[np.lexsort((self.similarity[some], guess[some]))]
        alike = (np.diff(guess[some]) == 0) & (np.diff(self.similarity[some]) == 0)
        tied[self.truths.image[person[some[1:][alike]]]] = True
        return tied

    def backwards(self) -> Matches:
        """The matches in the first area range with images, people and predictions from last to first.

        Only where the order matters they are made anew; persons' places are of no use then.
        """
        whole, tied = self.whole, self.tied
        truths = _backwards(self.truths, tied[self.truths.image], self.images)
        predictions = _backwards(self.predictions, tied[self.predictions.image], self.images)
        anew = matches(truths, predictions, self.sigmas, self.images, ranges=1)
        same = ~tied[whole.image]
        image = np.append(self.images - 1 - whole.image[same], anew.image)
        order = np.argsort(image, kind="stable")
        return Matches(
            image[order],
            np.append(whole.score[same], anew.score)[order],
            np.append(whole.person[:1, :, same], anew.person, axis=2)[..., order],
            np.append(whole.ignored[:1, :, same], anew.ignored, axis=2)[..., order],
            whole.counted[::-1, :1],
        )

    def shares_pairs(self, truths: Truths, predictions: Predictions) -> bool:
        """Tell whether these have the same pairs."""
        own = self.predictions
        return truths.image is self.truths.image and predictions.image is own.image and predictions.score is own.score

    def shares_boxes(self, truths: Truths, predictions: Predictions, sigmas: Floats) -> bool:
        """Tell whether people who have no keypoint among these are compared as they would be here."""
        same = truths.box is self.truths.box and truths.area is self.truths.area and sigmas is self.sigmas
        return same and predictions.keypoints is self.predictions.keypoints


def _backwards(rows: Gathered, kept: Flags, images: int) -> Gathered:
    """Return the rows that are kept from last to first, their images too."""
    turned: dict[str, Any] = {name: column[kept][::-1] for name, column in rows._asdict().items()}
    return rows._replace(**turned | {"image": images - 1 - turned["image"]})


def matches(
    truths: Truths,
    predictions: Predictions,
    sigmas: Floats,
    images: int,
    compared: Compared | None = None,
    ranges: int = len(RANGES),
) -> Matches:
    """Match predictions to people by OKS, at every threshold, in the first `ranges` of the area ranges.

    images: how many there are, those without anybody too. compared: of the problem of which these are a group.
    """
    if compared is None or not compared.shares_pairs(truths, predictions):
        compared = Compared(truths, predictions, sigmas, images)
    kept, guess, person = compared.pairs
    moved = predictions.keypoints is not compared.predictions.keypoints
    found = predictions.keypoints.take(kept.order, axis=0) if moved else compared.found
    if compared.shares_boxes(truths, predictions, sigmas) and truths.labelled is not compared.truths.labelled:
        similarity = compared.boxed.copy()
        some = np.flatnonzero(_known(truths)[person])
        similarity[some] = likely(truths, found, sigmas, guess[some], person[some])
    elif compared.shares_boxes(truths, predictions, sigmas) and truths.keypoints is compared.truths.keypoints:
        similarity = compared.similarity
    else:
        similarity = likely(truths, found, sigmas, guess, person)
    ignored: Flags = truths.ignored | out_of_range(truths.area)[:ranges]
    outside = out_of_range(predictions.area[kept.order])[:ranges]
    chosen, dropped = match(similarity, guess, person, kept.rank, ignored, truths.crowd, outside)
    counted = np.stack([np.bincount(truths.image[~row], minlength=images) for row in ignored], axis=1)
    return Matches(kept.image, predictions.score[kept.order], chosen, dropped, counted, compared.ranking)


def likely(truths: Truths, predicted: Floats, sigmas: Floats, guess: Places, person: Places) -> Floats:
    """Return the OKS (N,) of pairs, or 0 where it is below the lowest threshold for certain, as `similarities` does."""
    columns = np.flatnonzero(truths.labelled.any(0))
    if 0 < len(columns) < len(sigmas) and _known(truths)[person].all():  # nobody is compared by all keypoints
        truths = truths._replace(keypoints=truths.keypoints[:, columns], labelled=truths.labelled[:, columns])
        predicted, sigmas = predicted[:, columns], sigmas[columns]
    if len(sigmas) == 1:  # to compare costs less than the bound
        return similarities(truths, predicted, sigmas, guess, person)
    found = np.zeros(len(guess))
    near = np.flatnonzero(_near(truths, predicted, float(sigmas.max()), guess, person))
    found[near] = similarities(truths, predicted, sigmas, guess[near], person[near])
    return found


def _known(truths: Truths) -> Flags:
    """Tell which people (P,) have a labelled keypoint."""
    return np.asarray(truths.labelled.any(1))


def _near(truths: Truths, predicted: Floats, sigma: float, guess: Places, person: Places) -> Flags:
    """Tell which pairs (N,) may reach the lowest threshold."""
    low, high = ends(np.where(truths.labelled[..., None], truths.keypoints, np.nan))
    by_box = ~_known(truths)
    side = truths.box[by_box, 2:] - truths.box[by_box, :2]
    low[:, by_box], high[:, by_box] = (truths.box[by_box, :2] - side).T, (truths.box[by_box, :2] + side + side).T
    first, last = ends(predicted)
    gap = np.zeros(len(guess))
    for axis in range(2):
        apart = low[axis].take(person) - last[axis].take(guess)
        np.maximum(apart, first[axis].take(guess) - high[axis].take(person), out=apart)
        np.maximum(apart, 0.0, out=apart)
        gap += np.square(apart, out=apart)
    limit = FARTHEST * (2 * sigma) ** 2 * (truths.area + np.spacing(1))
    return np.asarray(~(gap > limit[person] * (1 + 1e-9) + 1e-9))
