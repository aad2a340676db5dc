"""The search for one person without a box, by looking again: at most 8 crops of a picture.

1. It looks at a window; the box around the keypoints of score CONFIDENT and above, ROOM wider on each side,
   is its next window, until they overlap by SETTLED (intersection over union), ROUNDS times at most;
2. its first window is the whole picture; where the settled answer's score is below SURE, it also looks at four
   windows of SHARE of the picture's size, one in each corner, looks once more around the best of them, and the best
   score of all counts;
3. `box` is the box around the settled answer; one with fewer than LEAST confident keypoints is nobody.

The settled answer counts, not the best round on the way: measured on LSP-extended that is better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from posewright.geometry.boxes import overlap
from posewright.scene import Floats, Person, box_around, whole
from posewright.warp import Size

CONFIDENT, LEAST = 0.2, 3
ROOM, SETTLED, ROUNDS = 0.05, 0.9, 2
SURE, SHARE = 0.5, 0.7

Look = Callable[[Sequence[Floats]], list[Person]]
"""Find one person in each window (4,) xyxy px of a picture; `Person.box` is the window."""


def one_person(look: Look, size: Size) -> list[Person]:
    """Return the person of a picture of that size (width, height) px, or nobody, as the head of this file says."""
    best = _settled(look, look([whole(size)])[0], ROUNDS)
    if _score(best) < SURE:
        other = _settled(look, max(look(corners(size)), key=_score), 1)
        best = max(best, other, key=_score)
    box = box_of(best)
    return [] if box is None else [replace(best, box=box)]


def corners(size: Size) -> list[Floats]:
    """Return four windows (4,) xyxy px of SHARE of a picture's size, one in each of its corners."""
    x0, y0, x1, y1 = whole(size)
    w, h = SHARE * size[0], SHARE * size[1]
    return [np.array([x, y, x + w, y + h]) for y in (y0, y1 - h) for x in (x0, x1 - w)]


def box_of(person: Person) -> Floats | None:
    """Return the box (4,) around a person's confident keypoints, ROOM wider on each side; None below LEAST of them."""
    scores = np.zeros(len(person)) if person.scores is None else person.scores
    sure = person.labelled & (scores >= CONFIDENT)
    if sure.sum() < LEAST:
        return None
    box = box_around(person.keypoints[sure])
    side = max(box[2] - box[0], box[3] - box[1])
    room = max(ROOM * side, 0.5)
    return np.asarray(box + room * np.array([-1, -1, 1, 1]))


def _settled(look: Look, person: Person, rounds: int) -> Person:
    """Look again at the box around a person until it stays; `Person.box` is where each was looked for."""
    for _ in range(rounds):
        box = box_of(person)
        if box is None or _same(box, person.box):
            break
        (person,) = look([box])
    return person


def _same(box: Floats, other: Floats | None) -> bool:
    return other is not None and overlap(box, other).item() >= SETTLED


def _score(person: Person) -> float:
    return 0.0 if person.score is None else person.score
