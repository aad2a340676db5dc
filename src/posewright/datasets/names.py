"""Names of pictures: which true scene a prediction means by an id, a path, a file's name or a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from posewright.datasets.records import DataError, shown
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

Name = int | str
Finder = Callable[[Sequence[Name], str], int]
"""Return the place of the scene that names, best first, mean; the text says where they stand."""
Found = Iterable[tuple[str, Sequence[Name], Person]]
"""People with where they stand in a file and what their picture is called there."""


def finder(scenes: Sequence[Scene], strangers: bool = False) -> Finder:
    """Return what finds scenes by name: by id, by path as far as its end goes, without suffix, by number.

    The longest agreement counts: of "b/im1.jpg" and "c/im1.jpg", "a/b/im1" is the first. A video's thirteenth
    frame is `walk.mp4#12` or `walk_000000000012`. What is returned raises DataError for a name of no scene (with
    strangers it returns -1) or of several, and where two names mean the same scene.

    >>> from posewright.skeleton import COCO
    >>> find = finder([Scene("val/000000000139.jpg", COCO, id=139), Scene("val/000000000285.jpg", COCO, id=285)])
    >>> find([285], "boxes.json"), find(["pictures/000000000139.png"], "boxes.json")
    (1, 0)
    """
    index: dict[Name, list[int]] = {}
    for place, scene in enumerate(scenes):
        for name in dict.fromkeys(_names(scene)):
            index.setdefault(name, []).append(place)
    taken: dict[int, Name] = {}

    def find(names: Sequence[Name], where: str) -> int:
        hits = [next((index[form] for form in _forms(name) if form in index), []) for name in names]
        if strangers and not any(hits):
            return -1
        name, found = names[0], next((hit for hit in hits if len(hit) == 1), hits[0])
        if len(found) != 1:
            raise DataError(f"{where}: {shown(name)} {_trouble(found, scenes)}")
        if taken.setdefault(found[0], name) != name:
            other = shown(taken[found[0]])
            raise DataError(f"{where}: {shown(name)} and {other} both seem to be picture {shown(scenes[found[0]].id)}")
        return found[0]

    return find


def placed(found: Found, truth: Sequence[Scene], skeleton: Skeleton, strangers: bool = False) -> list[Scene]:
    """Return the true scenes with the people that were found in them instead of their own; raises DataError.

    strangers: people in pictures that are none of the truth's are left out.
    """
    find = finder(truth, strangers)
    people: dict[int, list[Person]] = {}
    for where, names, person in found:
        people.setdefault(find(names, where), []).append(person)
    return [replace(scene, skeleton=skeleton, people=tuple(people.get(place, ()))) for place, scene in enumerate(truth)]


def _trouble(found: list[int], scenes: Sequence[Scene]) -> str:
    if found:
        return f"may be {' or '.join(shown(str(scenes[i].image), 60) for i in found[:2])}; name more of the path"
    if not scenes:
        return "is the name of no picture of the truth, which has none"
    first = scenes[0]
    file = "" if isinstance(first.image, np.ndarray) else f" ({shown(PurePosixPath(first.image).name, 60)})"
    return f"is the name of no picture of the truth, whose first is {shown(first.id)}{file}"


def _names(scene: Scene) -> Iterator[Name]:
    """Yield what a scene may be called, most exact first; a number in a file's name counts where the id is none."""
    if scene.id is not None:
        yield scene.id
    for text in (scene.id, None if isinstance(scene.image, np.ndarray) else str(scene.image)):
        if isinstance(text, str):
            yield from (n for n in _forms(text) if isinstance(n, str) or not isinstance(scene.id, int))


def _forms(name: Name) -> Iterator[Name]:
    """Yield a name and the shorter ones it stands for: ends of its path, then without suffix, then its number.

    >>> list(_forms("val/0139.jpg"))
    ['val/0139.jpg', '0139.jpg', 'val/0139', '0139', 139]
    """
    yield name
    if isinstance(name, int):
        return
    path = PurePosixPath(name.replace("\\", "/"))
    stem, hash_, frame = path.name.rpartition("#")
    stem = f"{PurePosixPath(stem).stem}_{int(frame):012d}" if hash_ and _number(frame) else path.stem
    for parts in (path.parts, (*path.parts[:-1], stem)):
        yield from ("/".join(parts[start:]) for start in range(parts == path.parts, len(parts)))
    if _number(stem):
        yield int(stem)


def _number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
