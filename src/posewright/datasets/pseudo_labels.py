"""Pseudo-labels: what a teacher says of pictures, beside what people labelled there.

A file of them is an npz with `keypoint_names` (C,), and for N pictures `name` (N,), `keypoints` (N, C, 2) px, `scores`
(N, C), and `agreement` (N, C): the share of the teacher's looks at the turned and mirrored picture that agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import array_of, read_arrays
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, HIDDEN, SEEN, Floats, Person, Scene, box_around
from posewright.skeleton import Skeleton

DOUBT = 0.5
"""The agreement at which a place counts nothing; from there its weight rises to 1 in a straight line."""
SURE = 0.9
"""The agreement from which a teacher that contradicts a label halves its weight."""
FAR = 0.2
"""How far a place lies from the label that it contradicts, as a share of the box's longer side."""
VISIBLE = 0.5
"""The teacher's score from which a keypoint that nobody labels is taken to be seen."""


class Said(NamedTuple):
    """What a teacher says of one picture: places (K, 2) px, NaN where it says none, scores and agreement (K,)."""

    keypoints: Floats
    scores: Floats
    agreement: Floats

    def ordered(self, order: NDArray[np.intp]) -> Said:
        """Return the same in another order of keypoints; nothing is said where it is -1."""
        unsaid = order < 0
        return Said(
            np.where(unsaid[:, None], np.nan, self.keypoints[order]),
            *(np.where(unsaid, 0.0, values[order]) for values in self[1:]),
        )


def read(path: Path, skeleton: Skeleton) -> dict[str, Said]:
    """Return what a file says of each picture, by its name, in the words of a skeleton. Raises DataError."""
    arrays, where = read_arrays(path), str(path)
    names = array_of(arrays, "keypoint_names", where, (None,), text=True).tolist()
    pictures = array_of(arrays, "name", where, (None,), text=True).tolist()
    shape = (len(pictures), len(names))
    keypoints = array_of(arrays, "keypoints", where, (*shape, 2)).astype(np.float64)
    scores, agreement = (array_of(arrays, key, where, shape).astype(np.float64) for key in ("scores", "agreement"))
    order = np.array([names.index(name) if name in names else -1 for name in skeleton.keypoints])
    if (order < 0).all():
        raise DataError(f"{path}: keypoint_names: none of {', '.join(names)} is a keypoint of {skeleton.name}")
    rows = zip(pictures, keypoints, scores, agreement, strict=True)
    return {name: Said(*said).ordered(order) for name, *said in rows}


def taught(scenes: Sequence[Scene], teacher: Mapping[str, Said]) -> list[Scene]:
    """Return scenes of one person each with the teacher's places beside the labels, each with its weight as its score.

    A label counts 1, and half where the teacher is sure of another place. Where people of this data set left a
    keypoint out, they mark it as not seen: there the teacher's place is that of a hidden one. Keypoints that nobody
    labels in any picture are the teacher's, seen where its score reaches VISIBLE. The teacher's sides are exchanged
    where its places then lie nearer to the labels, and count half. Raises DataError for a picture that is not there.
    """
    asked = np.any([scene.people[0].labelled for scene in scenes], axis=0) if scenes else np.zeros(0, bool)
    found = []
    for scene in scenes:
        name = Path(str(scene.image)).name
        if name not in teacher:
            raise DataError(f"{scene.image}: the teacher's labels do not have it; they have {len(teacher)} others")
        found.append(replace(scene, people=(_joined(scene.people[0], scene.skeleton, teacher[name], asked),)))
    return found


def _joined(person: Person, skeleton: Skeleton, said: Said, asked: NDArray[np.bool_]) -> Person:
    """Put a teacher's places beside a person's labels; asked (K,): which keypoints are labelled anywhere."""
    weights = np.clip((said.agreement - DOUBT) / (1 - DOUBT), 0.0, 1.0)
    away = _away(person, said)
    exchanged = said.ordered(skeleton.mirror)
    if _median(_away(person, exchanged)) < _median(away) / 2:
        said, weights = exchanged, weights[skeleton.mirror] / 2
        away = _away(person, said)
    contradicted = (said.agreement >= SURE) & (np.nan_to_num(away) > FAR)
    keypoints = np.where(person.labelled[:, None], person.keypoints, said.keypoints)
    seen = person.labelled | (~asked & (said.scores >= VISIBLE))
    visible = np.where(seen, SEEN, np.where(np.isfinite(keypoints[:, 0]), HIDDEN, ABSENT))
    scores = np.where(person.labelled, np.where(contradicted, 0.5, 1.0), weights)
    return replace(person, keypoints=keypoints, visible=visible.astype(np.uint8), scores=scores)


def _away(person: Person, said: Said) -> Floats:
    """(K,) how far a teacher's places lie from the labels, as shares of the longer side of the box around these."""
    box = box_around(person.keypoints)
    side = max(float((box[2:] - box[:2]).max()), 1.0)
    return np.asarray(np.linalg.norm(said.keypoints - person.keypoints, axis=-1) / side)


def _median(away: Floats) -> float:
    known = away[np.isfinite(away)]
    return float(np.median(known)) if len(known) else 0.0
