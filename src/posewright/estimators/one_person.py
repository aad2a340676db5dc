"""The search for one person without a box, by looking again and again.

1. It looks at a window; the box around the keypoints of score CONFIDENT and above, ROOM wider on each side,
   is its next window, until they overlap by SETTLED (intersection over union), ROUNDS times at most;
2. its first window is the whole picture; where the settled answer's score is below SURE, it also looks at
   nine windows of half the picture's size, settles the TRIED most promising ones as well, and the best score
   of all counts;
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
ROOM, SETTLED, ROUNDS = 0.05, 0.9, 6
SURE, TRIED = 0.5, 4

Look = Callable[[Sequence[Floats]], list[Person]]
"""Find one person in each window (4,) xyxy px of a picture; `Person.box` is the window."""


def one_person(look: Look, size: Size) -> list[Person]:
    """Return the person of a picture of that size (width, height) px, or nobody, as the head of this file says."""
    found = _settled(look, look([whole(size)]))
    if _score(found[0]) < SURE:
        promising = sorted(look(halves(size)), key=_score, reverse=True)[:TRIED]
        found += _settled(look, promising)
    best = max(found, key=_score)
    box = box_of(best)
    return [] if box is None else [replace(best, box=box)]


def halves(size: Size) -> list[Floats]:
    """Return nine windows (4,) xyxy px of half a picture's size, in three rows of three that overlap by half."""
    x0, y0, x1, y1 = whole(size)
    w, h = size[0] / 2, size[1] / 2
    corners = [(x, y) for y in np.linspace(y0, y1 - h, 3) for x in np.linspace(x0, x1 - w, 3)]
    return [np.array([x, y, x + w, y + h]) for x, y in corners]


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


def _settled(look: Look, people: list[Person]) -> list[Person]:
    """Look again at the box around each person until it stays; `Person.box` is where each was looked for."""
    people = list(people)
    moving = list(range(len(people)))
    for _ in range(ROUNDS):
        boxes = {i: box_of(people[i]) for i in moving}
        next_boxes = {i: box for i, box in boxes.items() if box is not None and not _same(box, people[i].box)}
        moving = list(next_boxes)
        for i, person in zip(moving, look(list(next_boxes.values())), strict=True):
            people[i] = person
    return people


def _same(box: Floats, other: Floats | None) -> bool:
    return other is not None and overlap(box, other).item() >= SETTLED


def _score(person: Person) -> float:
    return 0.0 if person.score is None else person.score
