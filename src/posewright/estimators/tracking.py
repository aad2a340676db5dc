"""Tracking: people keep their id from frame to frame, also behind others for a while.

Each frame's people are assigned to those known before so that the sum of likenesses is greatest (Kuhn, "The Hungarian
method", 1955). Likeness is the mean of OKS and of the overlap of boxes, between who is seen now and where the known
ones should be by now: their last pose moved on by their mean velocity. Whoever is lost is remembered for a while, is
thought to slow down, and may have gone further the longer ago that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from posewright.geometry.boxes import overlap
from posewright.metrics.oks.similarity import oks, oks_sigmas
from posewright.scene import Floats, Person, box_around
from posewright.skeleton import Skeleton

LEAST = 0.15
"""Likeness, of 0 to 1, from which on two poses may be one person's."""
MEMORY = 1.0
"""Seconds for which somebody lost is remembered."""
STEADY = 0.7
"""Share of a velocity that is kept from frame to frame; the rest is what was seen last."""
SLOWING = 0.9
"""Share of their velocity that those out of sight keep a frame."""
WIDER = 2.0
"""How much wider than COCO's the sigmas are, by which a pose is compared with where it should be by now."""


@dataclass
class Track:
    """Hold somebody: id, their last pose, its box, velocity (2,) px a frame, and how many frames ago that was."""

    id: int
    person: Person
    box: Floats
    velocity: Floats
    ago: int = 0


@dataclass
class Tracker:
    """Give the people of frame after frame ids that stay theirs: `tracker(people)` returns them with `id`.

    rate: frames a second, of those that are shown; memory: seconds that a lost person is remembered; least: likeness
    from which on two poses may be one person's. Ids count from 0 and are never given twice.

    >>> from posewright.datasets.synthetic import walk
    >>> from posewright.skeleton import H36M
    >>> tracker = Tracker(H36M)
    >>> walks = [[Person(body[:, [0, 2]] / 10 + shift) for shift in (0, 300)] for body in walk(5)]
    >>> [[person.id for person in tracker(people[:: 1 if n % 2 else -1])] for n, people in enumerate(walks)]
    [[0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]
    """

    skeleton: Skeleton
    rate: float = 25.0
    memory: float = MEMORY
    least: float = LEAST
    tracks: list[Track] = field(default_factory=list)
    count: int = 0

    def __call__(self, people: Sequence[Person]) -> tuple[Person, ...]:
        """Return the people of the next frame in their order, each with an id; those without a keypoint have none."""
        from scipy.optimize import linear_sum_assignment  # takes long to import

        for track in self.tracks:
            track.ago += 1
        self.tracks = [track for track in self.tracks if track.ago <= max(1, round(self.memory * self.rate))]
        there = [n for n, person in enumerate(people) if person.labelled.any()]
        likeness = self._likeness([people[n] for n in there])
        ids: dict[int, int] = {}
        for row, column in zip(*linear_sum_assignment(likeness, maximize=True), strict=True):
            if likeness[row, column] >= self.least:
                ids[there[row]] = self.tracks[column].id
                self._move(self.tracks[column], people[there[row]])
        for n in there:
            if n not in ids:
                ids[n] = self.count
                self.tracks.append(Track(self.count, people[n], _box(people[n]), np.zeros(2)))
                self.count += 1
        return tuple(replace(person, id=ids.get(n)) for n, person in enumerate(people))

    def _likeness(self, people: Sequence[Person]) -> Floats:
        """Return how alike (P, T) people are to where each track should be by now."""
        if not people or not self.tracks:
            return np.zeros((len(people), len(self.tracks)))
        ways = np.array([track.velocity * _travelled(track.ago) for track in self.tracks])
        keypoints = np.array([track.person.keypoints for track in self.tracks], np.float64) + ways[:, None]
        boxes = np.array([track.box for track in self.tracks]) + np.tile(ways, 2)
        labelled = np.array([track.person.labelled for track in self.tracks])
        ago = np.sqrt([track.ago for track in self.tracks])
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 0.6 * ago**2
        sigmas = WIDER * oks_sigmas(self.skeleton)[0]
        seen = np.array([person.keypoints for person in people], np.float64)
        poses = oks(np.nan_to_num(keypoints), labelled, area, boxes, seen, sigmas)
        return np.asarray((poses + overlap([_box(person) for person in people], boxes)) / 2)

    def _move(self, track: Track, person: Person) -> None:
        both = person.labelled & track.person.labelled
        box = _box(person)
        step = (box[:2] + box[2:] - track.box[:2] - track.box[2:]) / 2
        if both.any():
            step = np.median(person.keypoints[both] - track.person.keypoints[both], axis=0)
        seen = step / _travelled(track.ago)
        track.velocity = STEADY * track.velocity + (1 - STEADY) * seen if track.ago == 1 else seen
        track.person, track.box, track.ago = person, box, 0


def tracked(
    frames: Iterable[Sequence[Person]], skeleton: Skeleton, rate: float = 25.0, memory: float = MEMORY
) -> Iterator[tuple[Person, ...]]:
    """Give the people of frames, in their order, ids that stay theirs, as `Tracker` does."""
    yield from map(Tracker(skeleton, rate, memory), frames)


def _travelled(ago: int) -> float:
    """Return how many first frames' ways somebody has gone who slows down."""
    return float((1 - SLOWING**ago) / (1 - SLOWING)) if ago > 1 else 1.0


def _box(person: Person) -> Floats:
    """Return the box around a person's keypoints, at least 2 px wide and high; theirs would change with its source."""
    box = box_around(person.keypoints)
    return np.asarray(box + np.array([-1.0, -1, 1, 1]))
