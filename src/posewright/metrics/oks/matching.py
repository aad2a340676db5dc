"""Average precision of ranked predictions, by the rules of COCO's evaluator, whatever the similarity is.

The rules are those of pycocotools 2.0 (cocodataset/cocoapi, `COCOeval`), its treatment of ties, crowds and
area ranges included, so that arrays are equal bit by bit. All images, thresholds and area ranges are matched
at once: predictions of the same rank are in different images and cannot compete.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.scene import Floats

Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
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
    many people of an image are to be found. A: area ranges, T: thresholds, I: images.
    """

    image: Places
    score: Floats
    person: Persons
    ignored: Flags
    counted: Places


def ranked(image: Places, score: Floats, most: int = KEPT) -> Ranked:
    """Order predictions by image, then by score from the best (equal ones as listed), and keep the first `most`."""
    order = np.lexsort((-score, image))
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

    similarity, prediction, person (N,): pairs, as `pairs` returns them; rank (D,); ignored (A, P) and
    crowd (P,) of people; outside (A, D) of predictions.
    """
    ranges, people = ignored.shape
    likely = np.flatnonzero(similarity >= _LIMITS[0])
    turn = rank[prediction[likely]]
    order = np.lexsort((person[likely], similarity[likely], prediction[likely], turn))
    likely, ends = likely[order], np.cumsum(np.bincount(turn))
    taken = np.zeros((ranges, len(_LIMITS), people), bool)
    chosen = np.full((ranges, len(_LIMITS), len(rank)), -1, np.int32)
    for now in np.split(likely, ends[:-1]):
        if len(now):
            starts = np.flatnonzero(np.diff(prediction[now], prepend=-1))
            who, one = prediction[now[starts]], person[now]
            free = (similarity[now] >= _LIMITS[:, None]) & (~taken[..., one] | crowd[one])
            worth = np.arange(len(now)) + len(now) * ~ignored[:, one]
            best = np.maximum.reduceat(np.where(free, worth[:, None], -1), starts, axis=-1)
            winner = np.where(best < 0, -1, one[best % len(now)])
            chosen[..., who] = winner
            a, t, d = np.nonzero(winner >= 0)
            taken[a, t, winner[a, t, d]] = True
    rows = np.arange(ranges)[:, None, None]
    dropped = ignored[rows, chosen] if people else np.zeros(chosen.shape, bool)
    return chosen, np.where(chosen < 0, outside[:, None], dropped)


def precision_recall(matches: Matches) -> tuple[Floats, Floats]:
    """Return precision (T, R, A) at the points RECALLS and the final recall (T, A); -1 where nobody is counted.

    tp and fp run over predictions by score; precision = tp / (tp + fp), raised to the best at any higher
    recall; recall = tp / people. Both are worked out where tp rises, which is where the best lie.
    """
    order = np.argsort(-matches.score, kind="stable")
    scored = ~matches.ignored[..., order]
    found = (matches.person >= 0)[..., order] & scored
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
