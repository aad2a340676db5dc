"""Looks: what estimators say of a picture, clean and covered, and how that differs, as JSON has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from posewright.demo.app.covers import Cover, Covered
from posewright.estimators.estimator import Estimator
from posewright.occlusion.presets import ATTACKS, WIDTH
from posewright.picture import Pixels, at_most
from posewright.report.drawing import side_of
from posewright.robustness.answers.ask import ask
from posewright.robustness.attacks.search import Search, loss_of, searched
from posewright.robustness.attacks.subjects import cut_for, subjects
from posewright.scene import HIDDEN, Floats, Person, Scene, box_around

LONGEST = 1280
"""px of a picture's longer side; a larger one is made smaller, so that it is answered while an occluder is dragged."""
LOOKS = 64
"""Places that are tried in search of the worst one."""
REACH = 0.1
"""Of the longer side of a person's box: a keypoint that moves so far counts as half lost."""
NEAR = 0.5
"""Of the same: a person whose keypoints are further away, on average, is another one."""


class Side(NamedTuple):
    """An estimator by the name that loads it."""

    name: str
    estimator: Estimator


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture, and who was found in it by each of the estimators while nothing covered it."""

    name: str
    pixels: Pixels
    clean: list[list[Person]]


ASKING = Lock()
"""Held while an estimator is asked: few of them can be by two at a time."""


def about(side: Side) -> dict[str, Any]:
    """Say what an estimator's keypoints, limbs and parts are."""
    skeleton = side.estimator.skeleton
    return {
        "name": side.name,
        "keypoints": [name.replace("_", " ") for name in skeleton.keypoints],
        "colours": [side_of(name) for name in skeleton.keypoints],
        "limbs": [[int(a), int(b), side_of(skeleton.keypoints[a], skeleton.keypoints[b])]
                  for a, b in skeleton.limb_indices],
        "parts": list(skeleton.parts),
    }  # fmt: skip


def looked_at(name: str, pixels: Pixels, sides: Sequence[Side]) -> Shown:
    """Look for everybody in a picture with every estimator."""
    pixels = at_most(pixels, LONGEST)
    with ASKING:
        clean = [_everybody(side.estimator, pixels) for side in sides]
    return Shown(name, pixels, clean)


def _everybody(estimator: Estimator, pixels: Pixels) -> list[Person]:
    """Find everybody; one who is asked about by a box is asked about again at it, as behind an occluder later."""
    found = [_boxed(person) for person in estimator(pixels) if person.labelled.any()]
    again = _again(estimator, pixels, found) if _by_box(estimator) else found
    return [_boxed(person) for person in again if person is not None and person.labelled.any()]


def _by_box(estimator: Estimator) -> bool:
    """Tell whether an estimator looks at each box by itself."""
    return estimator.view.size is not None or estimator.view.boxed


def _boxed(person: Person) -> Person:
    if person.box is not None and (person.box[2:] > person.box[:2]).all():
        return person
    around = box_around(person.keypoints)
    return replace(person, box=around + np.array([-0.5, -0.5, 0.5, 0.5]))


def asked(shown: Shown, covered: Covered, sides: Sequence[Side]) -> list[list[Person | None]]:
    """Ask every estimator about the same people behind covers; None for one whom it does not find any more."""
    with ASKING:
        return [_again(side.estimator, covered.pixels, clean) for side, clean in zip(sides, shown.clean, strict=True)]


def _again(estimator: Estimator, pixels: Pixels, clean: Sequence[Person]) -> list[Person | None]:
    """Ask at the people's boxes, or about the whole picture where the estimator looks at nothing else."""
    if not clean:
        return []
    if _by_box(estimator):
        return list(estimator(pixels, [person.box for person in clean]))
    return matched(estimator(pixels), clean)


def matched(found: Sequence[Person], clean: Sequence[Person]) -> list[Person | None]:
    """Give every clean person the nearest of those found, each once; None where nobody is near."""
    pairs = sorted(
        (distance, n, m)
        for n, person in enumerate(clean)
        for m, other in enumerate(found)
        if (distance := float(np.nanmean([*_moved(person, other), np.nan]))) < NEAR
    ) if found else []  # fmt: skip
    answers: list[Person | None] = [None] * len(clean)
    taken: set[int] = set()
    for _, n, m in pairs:
        if answers[n] is None and m not in taken:
            answers[n] = found[m]
            taken.add(m)
    return answers


def _moved(before: Person, after: Person) -> Floats:
    """(K,) how far keypoints lie apart, in lengths of the longer side of the first person's box; NaN where absent."""
    assert before.box is not None
    long = float(max(before.box[2:] - before.box[:2]))
    return np.asarray(np.hypot(*(after.keypoints - before.keypoints).T) / max(long, 1.0))


def told(shown: Shown, covered: Covered | None, answers: Sequence[Sequence[Person | None]]) -> list[list[Any]]:
    """Say of every estimator's people where they are, what is hidden, and what each keypoint has gone through."""
    return [
        [_person(before, after, covered) for before, after in zip(clean, now, strict=True)]
        for clean, now in zip(shown.clean, answers, strict=True)
    ]


def _person(before: Person, after: Person | None, covered: Covered | None) -> dict[str, Any] | None:
    if after is None:
        return None
    was, now = _scores(before), _scores(after)
    beneath = np.zeros(len(before), bool) if covered is None else covered.beneath(before)
    hidden = np.zeros(len(after), bool) if after.visible is None else after.visible == HIDDEN
    return {
        "keypoints": [None if np.isnan(xy).any() else [round(float(v), 2) for v in xy] for xy in after.keypoints],
        "score": _number(after.score),
        "scores": list(map(_number, now)),
        "hidden": hidden.tolist(),
        "covered": beneath.tolist(),
        "moved": list(map(_number, _moved(before, after))),
        "change": list(map(_number, now - was)),
    }


def _scores(person: Person) -> Floats:
    return np.full(len(person), np.nan) if person.scores is None else np.asarray(person.scores, np.float64)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def worst_place(shown: Shown, sides: Sequence[Side], at: int, person: int, cover: Cover) -> Cover | None:
    """Search for the disc, at most as large as a cover, that moves one person's pose most; None where none does."""
    estimator, clean = sides[at].estimator, shown.clean[at][person]
    scene = Scene(shown.pixels, estimator.skeleton, (clean,))
    (one,) = subjects([scene], **cut_for(estimator))
    scale = one.crop.warp.scale
    radius = max(cover.width, cover.height) / 2 * scale * WIDTH / one.crop.pixels.shape[1]
    fill: Any = cover.fill if cover.fill in ATTACKS else "blackout"
    search = Search(fill=fill, radius=max(radius, 1.0), looks=LOOKS)
    reach = np.full(len(clean), REACH * float(max(one.box[2:] - one.box[:2])))
    with ASKING:
        (first,) = ask(estimator, [one], [one.crop])
        if first is None:
            return None
        one = replace(one, truth=replace(one.truth, keypoints=first.keypoints, visible=None))
        looks = searched(estimator, one, 0, reach, first.keypoints, search)
    losses = np.nan_to_num(loss_of(search, one, reach, first.keypoints, looks), nan=-1.0)
    best = int(np.argmax(losses))
    if losses[best] <= 0:
        return None
    x, y, size = looks.spots[best].tolist()
    place = one.crop.warp.inverse(one.crop.source_size).points(np.array([[x, y]]))[0]
    wide = round(2 * size / scale, 1)  # as the command that repeats it is read
    return Cover("disc", round(float(place[0]), 1), round(float(place[1]), 1), wide, wide, fill)
