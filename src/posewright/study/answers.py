"""Answers: what an estimator says about crops, kept on disk one file an attack, so that a study can go on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.estimate import overlap
from posewright.files import write_whole
from posewright.picture import Pixels
from posewright.scene import SEEN, Crop, Floats, Person, box_around
from posewright.study.attacks import Attack
from posewright.study.subjects import Subject

Estimator = Callable[..., Any]
"""estimator(pixels, boxes) -> list[Person], or an array (N, K, 3) of x, y, score px; boxes xyxy px, one a person."""
CLEAN = "clean"


class Answers(NamedTuple):
    """Hold what was said about N people: keypoints (N, K, 2) px of the crop, scores (N, K), score (N,).

    NaN where nothing was said. covered (N, K): the keypoints that the occluder lies on.
    """

    keypoints: Floats
    scores: Floats
    score: Floats
    covered: NDArray[np.bool_]


def ask(estimator: Estimator, pictures: Sequence[Pixels], boxes: Sequence[Floats]) -> Iterator[Person | None]:
    """Ask about one person a picture; of several answers the one whose keypoints overlap the box most counts.

    An estimator with `many`, as `TopDown` has, is asked about all pictures at once. Raises ValueError for an answer
    that is neither people nor an array (N, K, 3).
    """
    if hasattr(estimator, "many"):
        found: Iterable[Any] = estimator.many(pictures, [[box] for box in boxes])
    else:
        found = (estimator(picture, [box]) for picture, box in zip(pictures, boxes, strict=True))
    for said, box in zip(found, boxes, strict=True):
        yield _meant(people_of(said), box)


def people_of(said: Any) -> list[Person]:
    """Return an estimator's answer as people; of an array (N, K, 3) the score is the mean of the keypoints'."""
    if isinstance(said, np.ndarray):
        if said.ndim != 3 or said.shape[2] != 3:
            raise ValueError(f"an estimator must return people or an array (N, K, 3), not one of {said.shape}")
        return [
            Person(row[:, :2].astype(np.float64), scores=row[:, 2].astype(np.float64), score=float(row[:, 2].mean()))
            for row in said
        ]
    people = list(said)
    if not all(isinstance(person, Person) for person in people):
        raise ValueError(f"an estimator must return people or an array (N, K, 3), not {type(said).__name__}")
    return people


def _meant(people: Sequence[Person], box: Floats) -> Person | None:
    there = [person for person in people if person.labelled.any()]
    if len(there) < 2:
        return there[0] if there else None
    return max(there, key=lambda person: overlap(_grown(person), box))


def _grown(person: Person) -> Floats:
    """The box around a person's keypoints, half a px wider so that it has an area."""
    return box_around(person.keypoints) + np.array([-0.5, -0.5, 0.5, 0.5])


def attacked(people: Sequence[Subject], attack: Attack, seed: int) -> list[Crop]:
    """Put an attack on everybody; what is drawn depends on the seed and the person's place alone."""
    return [attack.hide(one.crop, np.random.default_rng((seed, place))) for place, one in enumerate(people)]


def answers(estimator: Estimator, people: Sequence[Subject], crops: Sequence[Crop]) -> Answers:
    """Ask about everybody's crop; crops are the subjects' own, or what an attack made of them."""
    count = len(people[0].crop.skeleton)
    shape = (len(people), count)
    found = Answers(
        np.full((*shape, 2), np.nan), np.full(shape, np.nan), np.full(len(people), np.nan), _covered(people, crops)
    )
    said = ask(estimator, [crop.pixels for crop in crops], [one.box for one in people])
    for place, person in enumerate(said):
        if person is not None:
            if len(person) != count:
                raise ValueError(f"the estimator said {len(person)} keypoints, the data's skeleton has {count}")
            found.keypoints[place] = person.keypoints
            found.scores[place] = np.nan if person.scores is None else person.scores
            found.score[place] = np.nan if person.score is None else person.score
    return found


def _covered(people: Sequence[Subject], crops: Sequence[Crop]) -> NDArray[np.bool_]:
    """(N, K) which keypoints of the person an attack has put something in front of."""
    return np.array([_seen(one.crop) & ~_seen(after) for one, after in zip(people, crops, strict=True)])


def _seen(crop: Crop) -> NDArray[np.bool_]:
    return np.asarray(crop.people[0].visible) == SEEN


def run(
    estimator: Estimator,
    people: Sequence[Subject],
    chosen: Sequence[Attack],
    out: Path,
    about: dict[str, Any],
    seed: int = 0,
    track: Callable[[Iterable[Attack], int], Iterable[Attack]] = lambda items, total: items,  # noqa: ARG005
) -> dict[str, Answers]:
    """Ask about everybody clean and under every attack; what is in `out/answers` already is not asked again.

    about: what the study is of; a folder that holds another study's answers is refused with a ValueError.
    """
    folder = out / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    claim(out / "about.json", about)
    found = {CLEAN: _kept(folder / f"{CLEAN}.npz", lambda: answers(estimator, people, [p.crop for p in people]))}
    for attack in track(chosen, len(chosen)):
        ask_now = partial(_under, estimator, people, attack, seed)
        found[attack.name] = _kept(folder / f"{attack.name}.npz", ask_now)
    return found


def _under(estimator: Estimator, people: Sequence[Subject], attack: Attack, seed: int) -> Answers:
    return answers(estimator, people, attacked(people, attack, seed))


def claim(file: Path, about: dict[str, Any]) -> None:
    """Write what a folder's study is of, or check that it is the same; raises ValueError where it is another."""
    text = json.dumps(about, indent=2, sort_keys=True)
    if file.exists() and file.read_text() != text:
        raise ValueError(
            f"{file.parent}: holds another study; go on with the same model, data and seed, or name another folder"
        )
    write_whole(file, text.encode())


def _kept(file: Path, ask_now: Callable[[], Answers]) -> Answers:
    if file.exists():
        with np.load(file, allow_pickle=False) as arrays:
            return Answers(**arrays)
    found = ask_now()
    unfinished = file.with_name(f".{file.stem}.partial.npz")
    np.savez(unfinished, **found._asdict())
    os.replace(unfinished, file)
    return found
