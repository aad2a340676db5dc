"""Answers: what an estimator says about crops, kept on disk one file an attack, so that a study can go on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.datasets.arrays import read_arrays
from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, record_of
from posewright.files import whole, write_whole
from posewright.geometry.boxes import overlap
from posewright.pieces import Share
from posewright.robustness.attacks.aside import Put, aside, let_go
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject, arrays_of
from posewright.scene import SEEN, Crop, Floats, Person, box_around

Estimator = Callable[..., Any]
"""estimator(pixels, boxes) -> list[Person], or an array (N, K, 3) of x, y, score px; boxes xyxy px, one a person."""
Track = Callable[[Iterable[Any], int], Iterable[Any]]
"""Wraps an iteration of a known length, to show how far it is."""
AT_ONCE = 256
"""Attacked crops in memory at a time."""


class Answers(NamedTuple):
    """Hold what was said about N people: keypoints (N, K, 2) px of the crop, scores (N, K), score (N,).

    NaN where nothing was said. covered (N, K): the keypoints that the occluder lies on; attacked (N,): who looks
    different under it. Of the others the clean answer stands here: nobody asked about them again.
    """

    keypoints: Floats
    scores: Floats
    score: Floats
    covered: NDArray[np.bool_]
    attacked: NDArray[np.bool_]


def ask(estimator: Estimator, people: Sequence[Subject], crops: Sequence[Crop]) -> Iterator[Person | None]:
    """Ask about people who look as in these crops, one a picture; answers are in px of the crops.

    Where as many are answered as boxes were asked about, the first is meant; else of several the one whose keypoints
    overlap the box most. An estimator with `many`, as `TopDown` has, is asked about all pictures at once. Raises
    ValueError for an answer that is neither people nor an array (N, K, 3).
    """
    shown = [one.shown(crop) for one, crop in zip(people, crops, strict=True)]
    if hasattr(estimator, "many"):
        found: Iterable[Any] = estimator.many([pixels for pixels, _ in shown], [list(boxes) for _, boxes in shown])
    else:
        found = (estimator(pixels, list(boxes)) for pixels, boxes in shown)
    for said, one in zip(found, people, strict=True):
        if one.picture is None:
            yield meant(people_of(said), one.box)
            continue
        told = people_of(said)
        own = told[:1] if len(told) == len(one.boxes) else told
        person = meant(own, one.boxes[0])
        yield None if person is None else person.moved(one.crop.warp, one.crop.skeleton)


def people_of(said: Any) -> list[Person]:
    """Return an estimator's answer as people; of an array (N, K, 3) the score is the mean of the keypoints'."""
    if isinstance(said, np.ndarray):
        if said.ndim != 3 or said.shape[2] != 3:
            raise ValueError(f"an estimator must return people or an array (N, K, 3), not one of {said.shape}")
        return [
            Person(row[:, :2].astype(np.float64), scores=row[:, 2].astype(np.float64), score=float(row[:, 2].mean()))
            for row in said
        ]
    people = list(said) if isinstance(said, Iterable) else [said]
    if not all(isinstance(person, Person) for person in people):
        raise ValueError(f"an estimator must return people or an array (N, K, 3), not {type(said).__name__}")
    return people


def meant(people: Sequence[Person], box: Floats) -> Person | None:
    """Return of several people found the one whose keypoints overlap a box most; None of nobody."""
    there = [person for person in people if person.labelled.any()]
    if len(there) < 2:
        return there[0] if there else None
    return max(there, key=lambda person: overlap(_grown(person), box).item())


def _grown(person: Person) -> Floats:
    """The box around a person's keypoints, half a px wider so that it has an area."""
    return box_around(person.keypoints) + np.array([-0.5, -0.5, 0.5, 0.5])


def attacked(people: Sequence[Subject], attack: Attack, seed: int, start: int = 0) -> list[Crop]:
    """Put an attack on everybody; what is drawn depends on the seed and the person's place alone.

    start: the place of the first of `people` in the study.
    """
    return [attack.hide(one.crop, np.random.default_rng((seed, start + place))) for place, one in enumerate(people)]


def clean_answers(estimator: Estimator, people: Sequence[Subject]) -> Answers:
    """Ask about everybody as they are."""
    found = nothing_said(people)
    for start in range(0, len(people), AT_ONCE):
        some = people[start : start + AT_ONCE]
        say(found, range(start, start + len(some)), ask(estimator, some, [one.crop for one in some]))
        _let_go(some)
    return found


def answers(estimator: Estimator, people: Sequence[Subject], attack: Attack, clean: Answers, seed: int = 0) -> Answers:
    """Ask about everybody whom the attack changes; for the others the clean answer stands."""
    found = Answers(*(array.copy() for array in clean))
    for start in range(0, len(people), AT_ONCE):
        some = people[start : start + AT_ONCE]
        crops = attacked(some, attack, seed, start)
        told = [changed(one, crop) for one, crop in zip(some, crops, strict=True)]
        found.attacked[start : start + len(some)] = told
        found.covered[start : start + len(some)] = [covered(*pair) for pair in zip(some, crops, strict=True)]
        at = [place for place, is_so in enumerate(told) if is_so]
        said = ask(estimator, [some[place] for place in at], [crops[place] for place in at])
        say(found, [start + place for place in at], said)
        _let_go(some)
    return found


def _let_go(people: Sequence[Subject]) -> None:
    """Let memory forget the crops of people, where they are kept in files."""
    let_go(array for one in people for array in arrays_of(one))


def nothing_said(people: Sequence[Subject]) -> Answers:
    """Return the answers of one who says nothing about people whom nothing covers."""
    count, shape = len(people), (len(people), len(people[0].crop.skeleton))
    nowhere = np.full((*shape, 2), np.nan), np.full(shape, np.nan), np.full(count, np.nan)
    return Answers(*nowhere, np.zeros(shape, bool), np.zeros(count, bool))


def say(found: Answers, places: Iterable[int], said: Iterable[Person | None]) -> None:
    """Write down what is said of the people at these places."""
    count = found.scores.shape[1]
    for place, person in zip(places, said, strict=True):
        if person is not None and len(person) != count:
            raise ValueError(f"the estimator said {len(person)} keypoints, the study's skeleton has {count}")
        found.keypoints[place] = np.nan if person is None else person.keypoints
        scores = None if person is None else person.scores
        found.scores[place] = np.nan if person is None or scores is None else np.where(person.labelled, scores, np.nan)
        found.score[place] = np.nan if person is None or person.score is None else person.score


def changed(one: Subject, after: Crop) -> bool:
    """Tell whether a person looks different under an attack."""
    return after is not one.crop and not np.array_equal(after.pixels, one.crop.pixels)


def covered(one: Subject, after: Crop) -> NDArray[np.bool_]:
    """(K,) which keypoints of the person an attack has put something in front of."""
    return _seen(one.crop) & ~_seen(after)


def _seen(crop: Crop) -> NDArray[np.bool_]:
    return np.asarray(crop.people[0].visible) == SEEN


def run(
    estimator: Estimator,
    people: Sequence[Subject],
    attacks: Sequence[Attack],
    out: Path | None,
    about: dict[str, Any],
    seed: int = 0,
    track: Track = lambda items, total: items,  # noqa: ARG005
    share: Share = map,
) -> dict[str, Answers]:
    """Ask about everybody clean and under every attack; what is in `out/answers` already is not asked again.

    about: what the study is of; a folder that holds another study's answers is refused with a ValueError. out:
    None keeps nothing. share: what does attack by attack, as `pieces.shared` gives it for a cluster.
    """
    if out is not None:
        (out / "answers").mkdir(parents=True, exist_ok=True)
        claim(out / "about.json", about)
    clean = _there(out, CLEAN, "")
    if clean is None:
        clean = _keep(out, CLEAN, "", clean_answers(estimator, people))
    put = aside()
    read = ((attack.name, _there(out, attack.name, _told(attack))) for attack in attacks)
    known = {name: None if said is None else _aside(said, put) for name, said in read}
    asked = share(partial(_under, estimator, people, clean, seed), [one for one in attacks if known[one.name] is None])
    found = {CLEAN: clean}
    for attack in track(attacks, len(attacks)):
        there = known[attack.name]
        found[attack.name] = there or _aside(_keep(out, attack.name, _told(attack), next(asked)), put)
    return found


def _aside(said: Answers, put: Put) -> Answers:
    """Put answers into files, where there are many."""
    found = Answers(*map(put, said))
    let_go(found)
    return found


def _under(estimator: Estimator, people: Sequence[Subject], clean: Answers, seed: int, attack: Attack) -> Answers:
    return answers(estimator, people, attack, clean, seed)


ADDED = ("file", "without boxes")
"""What an estimator's protocol tells since studies are kept: a folder that lacks it may be gone on with."""


def claim(file: Path, about: dict[str, Any]) -> None:
    """Write what a folder's study is of, or check that it is the same; raises ValueError where it is another."""
    if file.exists():
        before, now = dict(record_of(read_json(file), str(file)).fields), json.loads(json.dumps(about))
        before = {key: now[key] for key in ADDED if key in now} | before
        other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if other:
            raise ValueError(
                f"{file.parent}: holds another study, its {', '.join(other)} differ{'s' * (len(other) == 1)}; "
                "go on with the same, or name another folder"
            )
        return
    write_whole(file, json.dumps(about, indent=2, sort_keys=True).encode())


def digest(people: Sequence[Subject]) -> str:
    """Return the SHA-256 of whom a study asks about: every crop's pixels, keypoints and box."""
    found = hashlib.sha256()
    for place, one in enumerate(people, 1):
        for array in (one.crop.pixels, one.truth.keypoints, one.box):
            found.update(np.ascontiguousarray(array).tobytes())
        if place % AT_ONCE == 0:
            _let_go(people[place - AT_ONCE : place])
    return found.hexdigest()


def _told(attack: Attack) -> str:
    """Tell an attack's occluder from another of the same name, as far as its text does; a function has but its name."""
    text = getattr(attack.hide, "__qualname__", "") or repr(attack.hide)
    return hashlib.sha256(re.sub(r" at 0x[0-9a-fA-F]+", "", text).encode()).hexdigest()


def _there(out: Path | None, name: str, of: str) -> Answers | None:
    """Return the answers in a folder; None where there are none, or those to another occluder."""
    file = None if out is None else out / "answers" / f"{name}.npz"
    kept = read_answers(file) if file is not None and file.exists() else None
    return kept[0] if kept is not None and kept[1] == of else None


def _keep(out: Path | None, name: str, of: str, found: Answers) -> Answers:
    """Keep answers in a folder, where there is one."""
    if out is not None:
        keep_answers(out / "answers" / f"{name}.npz", found, of)
    return found


def keep_answers(file: Path, found: Answers, of: str = "") -> None:
    """Write answers, whole or not at all; of: which occluder they are about, where that is known."""
    with whole(file) as unfinished:
        np.savez(unfinished, of=np.array(of), **found._asdict())


def read_answers(file: Path) -> tuple[Answers, str]:
    """Read answers, and which occluder they are about; raises DataError."""
    arrays = read_arrays(file)
    missing = {"of", *Answers._fields} - arrays.keys()
    if missing:
        raise DataError(f"{file}: holds no {', '.join(sorted(missing))}, so it holds no answers")
    return Answers(*(arrays[field] for field in Answers._fields)), str(arrays["of"])
