"""One Euro filter: smooth people in time as they move, with little delay where they move fast.

Casiez, Roussel and Vogel, "1 Euro filter", CHI 2012: a first-order low-pass whose cut-off rises with speed,

    x' = a x + (1 - a) x'_before,  a = 1 / (1 + 1 / (2 pi fc dt)),  fc = least + beta |v'|

where v' is the speed, itself smoothed at 1 Hz. Departure: speeds are in a person's sizes (the diagonal
of the box around their keypoints) a second and not in px, so that one setting serves near and far people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from posewright.scene import Floats, Person, box_around

LEAST, BETA = 1.5, 4.0
"""Hz at rest, and Hz more for each person's size a second."""
OF_SPEED = 1.0
"""Hz at which speeds are smoothed, as in the paper."""


@dataclass
class State:
    """Hold what is known of one person: when they were seen, places (K, 2), speeds (K, 2), as smoothed."""

    frame: int
    place: Floats
    speed: Floats


@dataclass
class OneEuro:
    """Smooth the people of frame after frame, each by their id: `smooth(people)` returns them in their new places.

    rate: frames a second, of those that are shown; least and beta as at the head of this file. A keypoint that was
    absent, and a person who was lost for `forget` seconds, begin anew; people without id stay as they are. Scores stay.

    >>> smooth = OneEuro(rate=25.0)
    >>> places = [smooth([Person(np.array([[x, 0.0], [x, 100.0]]), id=1)])[0].keypoints[0, 0] for x in (0, 10, 10, 10)]
    >>> np.round(places, 1).tolist()
    [0.0, 4.7, 7.4, 8.7]
    """

    rate: float = 25.0
    least: float = LEAST
    beta: float = BETA
    forget: float = 1.0
    states: dict[int | str, State] = field(default_factory=dict)
    frame: int = 0

    def __call__(self, people: Sequence[Person]) -> tuple[Person, ...]:
        """Return the people of the next frame, smoothed."""
        self.frame += 1
        oldest = self.frame - self.forget * self.rate
        self.states = {name: state for name, state in self.states.items() if state.frame >= oldest}
        return tuple(person if person.id is None else self._smoothed(person, person.id) for person in people)

    def _smoothed(self, person: Person, name: int | str) -> Person:
        xy = np.asarray(person.keypoints, np.float64)
        before = self.states.get(name)
        if before is None or not person.labelled.any():
            self.states[name] = State(self.frame, xy, np.zeros_like(xy))
            return person
        dt = (self.frame - before.frame) / self.rate
        box = box_around(xy)
        size = max(1.0, float(np.hypot(*(box[2:] - box[:2]))))
        speed = before.speed + _share(OF_SPEED, dt) * ((xy - before.place) / (dt * size) - before.speed)
        place = before.place + _share(self.least + self.beta * np.abs(speed), dt) * (xy - before.place)
        new = ~np.isfinite(before.place)
        place, speed = np.where(new, xy, place), np.where(new | ~np.isfinite(xy), 0.0, speed)
        self.states[name] = State(self.frame, place, speed)
        return replace(person, keypoints=place)


def _share(cutoff: Floats | float, dt: float) -> Floats | float:
    """Return how much of the way to a new value a low-pass goes in dt seconds."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * dt))
