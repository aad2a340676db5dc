"""Average precision of ranked predictions, by the rules of COCO's evaluator, whatever the similarity is.

The rules are those of pycocotools 2.0 (cocodataset/cocoapi, `COCOeval`), its treatment of ties, crowds and
area ranges included, so that arrays are equal bit by bit. All images, thresholds and area ranges are matched
at once: predictions of the same rank are in different images and cannot compete.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.scene import Floats

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
Bits = NDArray[np.uint64]
Persons = NDArray[np.int32]
"""Places of people in large arrays, half as large."""

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
RANGES = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in px^2 that are scored, both ends included; COCO has no small people with keypoints."""
KEPT = 20
"""How many predictions of an image count: the first by score."""
_LIMITS = np.minimum(THRESHOLDS, 1 - 1e-10)
_LOW, _HIGH = (np.array(ends)[:, None] for ends in zip(*RANGES.values(), strict=True))


class Ranked(NamedTuple):
    """Hold predictions of many images: image by image, best score first, at most so many an image.

    order (D,): where each stood in the list; image (D,); rank (D,) from 0 within the image.
    """

    order: Places
    image: Places
    rank: Places


class Matches(NamedTuple):
    """Say what became of every prediction: the contributions of the images to average precision.

    image, score (D,); person (A, T, D) the true person's place or -1; ignored (A, T, D); counted (I, A) how
    many people of an image are to be found. A: area ranges, T: thresholds, I: images. ranking (D,): their order by
    score, equal ones as they stand; None where it is not worked out yet.
    """

    image: Places
    score: Floats
    person: Persons
    ignored: Flags
    counted: Places
    ranking: Places | None = None

    def by_score(self) -> Places:
        """The order (D,) by score, from the best."""
        return np.argsort(-self.score, kind="stable") if self.ranking is None else self.ranking


def by_number(numbers: Places) -> Places:
    """Return the order of whole numbers (N,) from 0, equal ones as they stand; those of 16 bits need no comparing."""
    few = numbers.max(initial=0) < 1 << 16
    return np.argsort(numbers.astype(np.uint16) if few else numbers, kind="stable")


def ranked(image: Places, score: Floats, most: int = KEPT) -> Ranked:
    """Order predictions by image, then by score from the best (equal ones as listed), and keep the first `most`."""
    order = np.argsort(-score, kind="stable")
    order = order[by_number(image[order])]
    image = image[order]
    rank = np.arange(len(image)) - np.searchsorted(image, image)
    kept = rank < most
    return Ranked(order[kept], image[kept], rank[kept])


def pairs(image: Places, image_of_person: Places) -> tuple[Places, Places]:
    """Return (N,) predictions and (N,) people: every pair of the same image; people stand image by image."""
    first = np.searchsorted(image_of_person, image)
    count = np.searchsorted(image_of_person, image, side="right") - first
    prediction = np.repeat(np.arange(len(image)), count)
    return prediction, np.arange(len(prediction)) + np.repeat(first - np.cumsum(count) + count, count)


def out_of_range(area: Floats) -> Flags:
    """Tell for each area range whether (N,) areas lie outside: (A, N)."""
    return (area < _LOW) | (area > _HIGH)


def match(
    similarity: Floats, prediction: Places, person: Places, rank: Places, ignored: Flags, crowd: Flags, outside: Flags
) -> tuple[Persons, Flags]:
    """Match predictions to people, best score first; return the person (A, T, D) or -1, and what is ignored.

    Every prediction takes, of the people that it resembles at least by the threshold and that none before it
    took, the most similar one, of equal ones the later; an ignored person only where no other is left.
    A crowd may be taken again and again. What takes an ignored person is ignored, and so is what takes none
    and lies outside the area range.

    similarity, prediction, person (N,): pairs, the people of a prediction in their order; rank (D,); ignored (A, P) and
    crowd (P,) of people; outside (A, D) of predictions.
    """
    stages = len(ignored) * len(_LIMITS)
    likely = np.flatnonzero(similarity >= _LIMITS[0])
    likely = likely[np.argsort(similarity[likely], kind="stable")]
    likely = likely[by_number(prediction[likely])]
    order, turns = _turns(prediction[likely], rank)
    likely = likely[order]
    who, one = prediction[likely], person[likely]
    first = np.uint64(1) << np.arange(0, stages, len(_LIMITS), dtype=np.uint64)  # the first stage of every range
    reached = np.searchsorted(_LIMITS, similarity[likely], side="right").astype(np.uint64)
    near = ((np.uint64(1) << reached) - np.uint64(1)) * first.sum()
    passed = (ignored.T @ (first * np.uint64((1 << len(_LIMITS)) - 1)))[one]
    won = _won(who, one, turns, (near & ~passed, near & passed), crowd)
    chosen = np.full((stages, len(rank)), -1, np.int32)
    dropped = np.repeat(outside, len(_LIMITS), axis=0)
    for stage in range(stages):
        pair = np.flatnonzero((won & np.uint64(1 << stage)).view(np.int64))
        chosen[stage, who[pair]] = one[pair]
        dropped[stage, who[pair]] = ignored[stage // len(_LIMITS), one[pair]]
    shape = len(ignored), len(_LIMITS), len(rank)
    return chosen.reshape(shape), dropped.reshape(shape)


def _won(who: Places, one: Places, turns: Sequence[Sequence[slice]], waves: tuple[Bits, Bits], crowd: Flags) -> Bits:
    """Return at which stages, a bit each, the pairs (N,) of predictions and people are matches.

    waves: where they may match, people who count, then others. A turn has a person once.
    """
    every, none = ~np.uint64(0), np.uint64(0)
    free, matched = np.full(len(crowd), every), np.zeros(who.max(initial=-1) + 1, np.uint64)
    won, again = np.zeros_like(waves[0]), np.where(crowd[one], every, none)
    for turn in turns:
        for wave in waves:
            for some in turn:
                bits = wave[some]
                if bits.any():
                    bits = bits & free[one[some]] & ~matched[who[some]]
                    matched[who[some]] |= bits
                    won[some] |= bits
        whole = slice(turn[0].start, turn[-1].stop)
        free[one[whole]] &= ~won[whole] | again[whole]
    return won


def _turns(who: Places, rank: Places) -> tuple[Places, list[list[slice]]]:
    """Order the pairs (N,) by their predictions' ranks, then by how many pairs of the prediction are better.

    The pairs of a prediction stand together, the best last. Returns the order, and by rank where the parts then lie.
    """
    if not len(who):
        return np.zeros(0, np.intp), []
    starts = np.flatnonzero(np.diff(who, prepend=-1))
    better = np.repeat(np.append(starts[1:], len(who)), np.diff(starts, append=len(who))) - 1 - np.arange(len(who))
    most = int(better.max()) + 1
    key = rank[who] * most + better
    ends = np.append(0, np.cumsum(np.bincount(key, minlength=most * (int(key.max()) // most + 1)))).tolist()
    parts = [slice(start, end) for start, end in pairwise(ends)]
    turns = [[part for part in parts[n : n + most] if part.start < part.stop] for n in range(0, len(parts), most)]
    return by_number(key), [turn for turn in turns if turn]


def precision_recall(matches: Matches) -> tuple[Floats, Floats]:
    """Return precision (T, R, A) at the points RECALLS and the final recall (T, A); -1 where nobody is counted.

    tp and fp run over predictions by score; precision = tp / (tp + fp), raised to the best at any higher
    recall; recall = tp / people. Both are worked out where tp rises, which is where the best lie.
    """
    order = matches.by_score()
    scored = ~matches.ignored.take(order, axis=-1)
    found = (matches.person >= 0).take(order, axis=-1) & scored
    ranges, thresholds = scored.shape[:2]
    precision = np.full((thresholds, len(RECALLS), ranges), -1.0)
    recall = np.full((thresholds, ranges), -1.0)
    for a, people in enumerate(matches.counted.sum(0)):
        for t in range(thresholds if people else 0):
            places = np.flatnonzero(found[a, t])
            true = np.arange(1.0, len(places) + 1)
            false = np.cumsum(scored[a, t])[places] - true
            precise = true / (false + true + np.spacing(1))
            precise = np.append(np.maximum.accumulate(precise[::-1])[::-1], 0.0)
            reached = true / people
            precision[t, :, a] = precise[np.searchsorted(reached, RECALLS)]
            recall[t, a] = reached[-1] if len(places) else 0.0
    return precision, recall


def summary(matches: Matches) -> dict[str, float]:
    """Return COCO's ten numbers; -1 where nobody is counted. Ranges that were not matched have none.

    AP and AR are means over thresholds, 50 and 75 stand at one of them, M and L for medium and large people.
    """
    precision, recall = precision_recall(matches)
    numbers: dict[str, float] = {}
    for name, values in (("AP", precision), ("AR", recall)):
        numbers[name] = _mean(values[..., 0])
        numbers[f"{name}50"] = _mean(values[:1, ..., 0])
        numbers[f"{name}75"] = _mean(values[5:6, ..., 0])
        for place, letter in enumerate("ML"[: values.shape[-1] - 1], 1):
            numbers[f"{name}{letter}"] = _mean(values[..., place])
    return numbers


def _mean(values: Floats) -> float:
    known = values[values > -1]
    return float(known.mean()) if len(known) else -1.0
