"""Centred: a hourglass's targets, and beside them those of the same pose as the crop of its own box shows it.

Fang et al., "RMPE: Regional multi-person pose estimation", ICCV 2017 (arXiv:1612.00137), section 3.1: the parallel
branch is held against the pose as it would be had the detector's box been right, in place and in scale (out_center of
the authors' training code, commit 094e29b). There a box that was cut small on purpose is exempt, and its pose stays as
the cut shows it. Here everybody is whose own box is longer than the crop: all of whom a piece was cut, and with
AlphaPose's offsets 1 in 700 of others who stand and 1 in 30 who lie, whose boxes came out as small by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from posewright.codecs.hourglass import Hourglass
from posewright.codecs.maps import mirrored
from posewright.fields import Heatmaps, Twofold
from posewright.scene import Person

GROWN = 1.3
"""How much larger than a person's box the crop is that shows them as they should be (section 4.2)."""


@dataclass(frozen=True)
class Centred(Hourglass):
    """Draw each keypoint where it is and where the crop of its own box has it; read it back from where it is."""

    def encode(self, people: Sequence[Person]) -> Twofold:  # type: ignore[override]
        """One person a crop, in crop px, to maps and centred maps (P, K, h, w) and weights (P, K).

        That crop is GROWN times as large as the box; one without box is taken to be shown so already.
        """
        here, there = super().encode(people), super().encode([self._centred(person) for person in people])
        return Twofold(here.maps, there.maps, here.weights)

    def decode(self, fields: Heatmaps | Twofold) -> list[Person]:
        """Maps (P, K, h, w) to P people in crop px, as `Hourglass` does; the centred ones are not read."""
        return super().decode(Heatmaps(fields.maps))

    def mirror(self, fields: Heatmaps | Twofold) -> Heatmaps | Twofold:
        """Fields of the mirrored crop to fields of the crop."""
        back: Heatmaps = super().mirror(fields)
        if isinstance(fields, Heatmaps):
            return back
        return Twofold(back.maps, mirrored(fields.centred, self.skeleton), back.weights)

    def _centred(self, person: Person) -> Person:
        if person.box is None:
            return person
        sides = np.maximum(person.box[2:] - person.box[:2], 1)
        fits = (self.size / sides).min()
        if fits <= 1:
            return person
        away = person.keypoints - (person.box[:2] + person.box[2:]) / 2
        return replace(person, keypoints=(np.array(self.size) - 1) / 2 + fits / GROWN * away)
