"""Refining: anybody's poses in, better ones out, by a second look at picture and pose together.

Moon, Chang and Lee, "PoseFix: Model-agnostic general human pose refinement network", CVPR 2019 (arXiv:1812.03595),
with the numbers of the authors' code (commit 5556364). Each pose is one crop, cut around the pose itself; what
moves are its keypoints, and all else about a person stays, the scores as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any, NamedTuple

import numpy as np

from posewright.estimators.estimator import Boxes, Estimator, Image, View, pixels_of
from posewright.estimators.runtimes.network import Network
from posewright.picture import Pixels
from posewright.scene import Crop, Floats, Person, Scene, box_around, region, take
from posewright.skeleton import Skeleton

ROOM = 1.2
"""How much wider and higher than its keypoints the box of a pose is, before the network's own padding."""
LEAST_SIDE = 20.0
"""px of a box's side where all keypoints share a row or a column."""


@dataclass(frozen=True, eq=False, repr=False)
class Refined:
    """Estimate with somebody's estimator, then refine what it found: `estimator("photo.jpg")` returns list[Person].

    network: one that takes poses, as PoseFix; flip: also ask for the mirrored crop, and take the mean place; batch:
    crops a call. Raises ValueError where the two have other keypoints.

    >>> people = Refined(load(), runtimes.load("posefix.onnx"))("photo.jpg")  # doctest: +SKIP
    """

    estimator: Estimator
    network: Network
    flip: bool = False
    batch: int = 8

    def __post_init__(self) -> None:
        _check(self.skeleton, self.network)

    def __repr__(self) -> str:
        return f"Refined({self.estimator!r}, by {self.network.card.get('recipe') or type(self.network.codec).__name__})"

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of its people."""
        return self.estimator.skeleton

    @property
    def view(self) -> View:
        """How the estimator is shown a person."""
        return self.estimator.view

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate and refine the people of one picture; arguments and errors as the estimator's."""
        return next(self.many([image], None if boxes is None else [boxes]))

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate and refine picture after picture; a batch takes people of several."""
        images, again = tee(images)
        found = (
            Scene(image.image if isinstance(image, Scene) else image, self.skeleton, tuple(people))
            for image, people in zip(again, self.estimator.many(images, boxes), strict=False)
        )
        for scene in refine(self.network, found, self.flip, self.batch):
            yield list(scene.people)

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates and refines, for the protocol that stands beside every number."""
        second = {
            **self.network.protocol,
            "codec": repr(self.network.codec),
            "flip": self.flip,
            "padding": (ROOM * np.asarray(self.network.padding)).tolist(),
        }
        return {**self.estimator.protocol(), **{f"refined/{name}": said for name, said in second.items()}}


class _Look(NamedTuple):
    """A person and the crop around their pose."""

    person: Person
    crop: Crop


def refine(network: Network, scenes: Iterable[Scene], flip: bool = False, batch: int = 8) -> Iterator[Scene]:
    """Refine the people of scenes, as an estimator or a file of predictions has them; arguments as `Refined`'s.

    A keypoint that is absent stays so; somebody without any comes back as they were. Raises ValueError where the
    network has other keypoints, picture.PictureError where a picture cannot be read.
    """
    waiting: list[tuple[Scene, list[_Look | Person]]] = []
    for scene in scenes:
        _check(scene.skeleton, network)
        waiting.append((scene, _looks(network, scene)))
        if sum(isinstance(one, _Look) for _, group in waiting for one in group) >= batch:
            yield from _answered(network, waiting, flip, batch)
            waiting = []
    yield from _answered(network, waiting, flip, batch)


def _looks(network: Network, scene: Scene) -> list[_Look | Person]:
    """Cut a crop around everybody who has a keypoint; the picture is decoded once, and only for somebody."""
    if not any(person.labelled.any() for person in scene.people):
        return list(scene.people)
    pixels = pixels_of(scene)
    bare = Scene(pixels, scene.skeleton)
    return [
        _Look(person, take(bare, network.aim(*region(box_of(person), network.padding), network.codec.size), pixels))
        if person.labelled.any()
        else person
        for person in scene.people
    ]


def box_of(person: Person) -> Floats:
    """Return the box (4,) around a pose, ROOM times as wide and high as its keypoints."""
    box = box_around(person.keypoints)
    sides = box[2:] - box[:2]
    reach = ROOM / 2 * np.where(sides > 0, sides, LEAST_SIDE)
    middle = (box[:2] + box[2:]) / 2
    return np.concatenate([middle - reach, middle + reach])


def _answered(
    network: Network, waiting: Sequence[tuple[Scene, list[_Look | Person]]], flip: bool, batch: int
) -> Iterator[Scene]:
    """Refine the people who wait, in batches across all scenes."""
    row = [one for _, group in waiting for one in group if isinstance(one, _Look)]
    better = iter(
        [person for first in range(0, len(row), batch) for person in _found(network, row[first : first + batch], flip)]
    )
    for scene, group in waiting:
        yield replace(scene, people=tuple(next(better) if isinstance(one, _Look) else one for one in group))


def _found(network: Network, looks: Sequence[_Look], flip: bool) -> list[Person]:
    """Ask the network once about all looks, and return its people to their pictures."""
    pixels = np.stack([look.crop.pixels for look in looks])
    poses = np.stack([look.crop.warp.points(look.person.keypoints) for look in looks])
    places = _places(network, pixels, poses)
    if flip:
        last, order = network.codec.size[0] - 1, network.codec.skeleton.mirror
        mirrored = _places(network, np.ascontiguousarray(pixels[:, :, ::-1]), _mirrored(poses, last, order))
        places = (places + _mirrored(mirrored, last, order)) / 2
    return [
        replace(
            look.person,
            keypoints=np.where(
                look.person.labelled[:, None], look.crop.warp.inverse(look.crop.source_size).points(xy), np.nan
            ),
        )
        for look, xy in zip(looks, places, strict=True)
    ]


def _places(network: Network, pixels: Pixels, poses: Floats) -> Floats:
    people = network.codec.decode(network(pixels, poses.astype(np.float32))[-1])
    return np.stack([person.keypoints for person in people])


def _mirrored(poses: Floats, last: int, order: np.ndarray) -> Floats:
    """Return poses (B, K, 2) as the mirrored crop shows them, whose last column is `last`."""
    return np.stack([last - poses[:, order, 0], poses[:, order, 1]], -1)


def _check(skeleton: Skeleton, network: Network) -> None:
    wanted = network.codec.skeleton
    if skeleton.keypoints != wanted.keypoints:
        raise ValueError(f"the poses have the keypoints of {skeleton.name}, the network refines those of {wanted.name}")
