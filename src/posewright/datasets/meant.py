"""What is meant where a data set's files say it otherwise than their format does: other boxes, pictures changed since.

It stands behind the kind of the data: `coco+corners:DIR`, or several at once, `coco+corners+resized:DIR`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from posewright import picture
from posewright.datasets.records import DataError
from posewright.geometry.boxes import from_centres, from_corners
from posewright.scene import Floats, Person, Scene
from posewright.warp import Size, Warp, oriented, resized


def boxed_by(change: Callable[[Floats], Floats]) -> Callable[[Scene], Scene]:
    """Return what changes the boxes of a scene's people."""

    def of(person: Person) -> Person:
        return person if person.box is None else replace(person, box=change(person.box), box_area=None)

    return lambda scene: replace(scene, people=tuple(map(of, scene.people)))


def _resized(scene: Scene) -> Scene:
    return _moved(scene, resized(_labelled_at(scene), picture.size_of(scene.image)))


def _stored(scene: Scene) -> Scene:
    size = _labelled_at(scene)
    return _moved(scene, oriented(size, picture.orientation_of(scene.image)))


def _turned(orientation: int) -> Callable[[Scene], Scene]:
    return lambda scene: _moved(scene, oriented(_labelled_at(scene), orientation))


def _exchanged(scene: Scene) -> Scene:
    return replace(scene, size=_labelled_at(scene)[::-1])


def _labelled_at(scene: Scene) -> Size:
    name = f"scene {scene.id}" if isinstance(scene.image, np.ndarray) else scene.image
    if scene.size is None:
        raise DataError(f"{name}: its annotations do not tell width and height, so nothing can be made of them")
    if scene.camera is not None:
        raise DataError(f"{name}: it has a camera, which would no longer be that of the picture")
    return scene.size


def _moved(scene: Scene, warp: Warp) -> Scene:
    people = tuple(person.moved(warp, scene.skeleton) for person in scene.people)
    return replace(scene, people=people, size=warp.size)


WAYS: dict[str, Callable[[Scene], Scene]] = {
    "corners": boxed_by(from_corners),
    "centres": boxed_by(from_centres),
    "resized": _resized,
    "exchanged": _exchanged,
    "stored": _stored,
    "turned_left": _turned(8),
    "turned_right": _turned(6),
    "turned_around": _turned(3),
}
"""By the word behind the kind what it makes of a scene: `bbox` is x, y, x, y or the centre's x, y, width, height; the
picture was resized since it was labelled; width and height are exchanged; labels are of the pixels as they are stored,
before they are turned as EXIF says; the picture was turned by a quarter or a half since it was labelled."""


def meant(scenes: Sequence[Scene], ways: Sequence[str]) -> list[Scene]:
    """Return the scenes as these words of WAYS say, one behind the other.

    Raises DataError where sizes are not told, PictureError where a picture that must be looked at is none.
    """
    found = list(scenes)
    for way in ways:
        found = [WAYS[way](scene) for scene in found]
    return found
