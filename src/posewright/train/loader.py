"""Loading: scenes to batches of jittered crops and their targets, the same whoever asks and whenever.

A batch is a function of (seed, epoch, number) alone, so training resumes in the middle of an epoch and
several processes share the work by taking every n-th batch. A picture is decoded once for all its people
in a batch. Crops may be decoded once and for all into a file. Occlusion draws from a stream of its own, so
that the views are the same with it and without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.augment.jitter import Aim, Given, Jitter
from posewright.augment.picture_jitter import PictureJitter
from posewright.codecs.codec import Codec
from posewright.files import whole
from posewright.occlusion import Augmentation
from posewright.picture import Pixels
from posewright.scene import PADDING, Crop, Person, Scene, aim, boxed, each_person
from posewright.warp import Warp, around

HIDDEN, GIVEN = 1, 2
"""Streams of randomness beside that of the views."""

MARGIN = 1.5
"""How much larger than an unjittered crop a kept crop is, so that scale and turn find pixels."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Draw batches: `batch(epoch, number)` returns pixels (B, H, W, 3) uint8 and the codec's fields.

    scenes hold one person each (`scene.each_person`). The last batch of an epoch is filled up from its
    start, so that all have the same size. occlusion hides something of a jittered crop, in the epochs that
    `occluded` holds (None: in all), and says how much the targets that it covers still count. jitters, codecs:
    one an epoch, where they differ. given makes what is told beside the pixels, which then come as (pixels, given); it
    is shown everybody of a scene, the person first.
    """

    scenes: Sequence[Scene]
    codec: Codec
    jitter: Jitter | PictureJitter
    size: int
    seed: int = 0
    aim: Aim = around
    occlusion: Augmentation | None = None
    occluded: Container[int] | None = None
    jitters: Sequence[Jitter | PictureJitter] = ()
    given: Given | None = None
    codecs: Sequence[Codec] = ()

    def __len__(self) -> int:
        return -(-len(self.scenes) // self.size)

    @cached_property
    def pictures(self) -> list[list[int]]:
        """The places of the scenes, those of one picture together."""
        groups: dict[object, list[int]] = defaultdict(list)
        for index, scene in enumerate(self.scenes):
            groups[_key(scene)].append(index)
        return list(groups.values())

    @cached_property
    def picture_of(self) -> NDArray[np.intp]:
        """(N,) the number of each scene's picture among `pictures`."""
        numbers = np.empty(len(self.scenes), np.intp)
        for number, group in enumerate(self.pictures):
            numbers[group] = number
        return numbers

    def batch(self, epoch: int, number: int) -> tuple[Any, Any]:
        """Return batch `number` of an epoch."""
        pixels, crops = self._views(epoch, number)
        told = pixels if self.given is None else (pixels, self.given(crops, self._rng(epoch, number, GIVEN)))
        if self.occlusion is None or not (self.occluded is None or epoch in self.occluded):
            return told, self._codec(epoch).encode([crop.people[0] for crop in crops])
        return told, self._hidden(epoch, pixels, crops, self.occlusion, self._rng(epoch, number, HIDDEN))

    def _codec(self, epoch: int) -> Codec:
        return self.codecs[epoch] if self.codecs else self.codec

    def _rng(self, epoch: int, number: int, *stream: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, epoch, number, *stream))

    def _views(self, epoch: int, number: int) -> tuple[Pixels, list[Crop]]:
        """Cut a batch's crops out of its pictures; of the people, all are in them where somebody is told."""
        chosen = np.take(shuffled(self, epoch), range(number * self.size, (number + 1) * self.size), mode="wrap")
        rng = self._rng(epoch, number)
        jitter = self.jitters[epoch] if self.jitters else self.jitter
        assert isinstance(jitter, Jitter)
        width, height = size = self._codec(epoch).size
        pixels = np.empty((len(chosen), height, width, 3), np.uint8)
        crops: list[Crop] = []
        decoded, picture = -1, pixels[0]
        for row, index, place in zip(pixels, chosen.tolist(), self.picture_of[chosen].tolist(), strict=True):
            scene = self.scenes[index]
            if place != decoded:
                decoded, picture = place, scene.pixels()
            person = scene.people[0]
            warp = jitter(person, scene.skeleton, size, rng, self.aim)
            warp.image(picture, out=row)
            row[:] = jitter.paint(row, rng)
            shown = scene.people if self.given else scene.people[:1]
            people = tuple(self._known(person).moved(warp, scene.skeleton) for person in shown)
            crops.append(Crop(row, people, warp, scene.skeleton, (picture.shape[1], picture.shape[0])))
        return pixels, crops

    def _known(self, person: Person) -> Person:
        """Leave out of a person what no target and no occlusion asks for."""
        mask = person.mask if self.occlusion else None
        return Person(person.keypoints, person.visible, box=person.box, area=person.area, mask=mask, id=person.id,
                      depths=person.depths, scores=person.scores)  # fmt: skip

    def _hidden(
        self, epoch: int, pixels: Pixels, crops: Sequence[Crop], occlusion: Augmentation, rng: np.random.Generator
    ) -> Any:
        """Hide something of each crop, in `pixels`, and return targets that weigh what it covers."""
        people, counts = [], []
        for row, crop in zip(pixels, crops, strict=True):
            hidden, factors = occlusion.weighed(crop, rng)
            row[:] = hidden.pixels
            people.append(hidden.people[0])
            counts.append(factors[0])
        fields = self._codec(epoch).encode(people)
        weights, factors = fields.weights.copy(), np.stack(counts).astype(np.float32)
        weights[:, : factors.shape[1]] *= factors  # what stands behind the keypoints, as a background, counts as before
        return fields._replace(weights=weights)


@lru_cache(maxsize=2)
def shuffled(batches: Batches, epoch: int) -> NDArray[np.intp]:
    """Shuffle the pictures of an epoch; the people of one picture stay neighbours."""
    shuffled = np.random.default_rng((batches.seed, epoch)).permutation(len(batches.pictures))
    return np.array([index for group in shuffled for index in batches.pictures[group]], dtype=np.intp)


def _key(scene: Scene) -> object:
    return id(scene.image) if isinstance(scene.image, np.ndarray) else scene.image


def kept(
    scenes: Sequence[Scene],
    file: Path,
    codec: Codec,
    report: Callable[[int], None] | None = None,
    each: Callable[[Sequence[Scene]], list[Scene]] = each_person,
) -> list[Scene]:
    """Decode each person's surroundings once into `file` (.npy), and return scenes that read from there.

    The crops are MARGIN times larger than an unjittered one in reach and resolution alike, so one px of
    them is one px of a crop. A file of the right shape is reused: name it for what it holds. report: is told
    after each person how many are done. each: makes one scene of every person, the person first. Raises ValueError
    for a person without a box, and with all keypoints in one place.
    """
    people = each(scenes)
    size = (int(MARGIN * codec.size[0]), int(MARGIN * codec.size[1]))
    warps = [aim(boxed(scene.people[0]), size, MARGIN * PADDING) for scene in people]
    shape = (len(people), size[1], size[0], 3)
    if not (file.exists() and np.load(file, mmap_mode="r").shape == shape):
        _write_crops(file, shape, people, warps, report)
    return [
        replace(
            scene,
            image=file / str(number),
            size=size,
            people=tuple(person.moved(warp, scene.skeleton) for person in scene.people),
        )
        for number, (scene, warp) in enumerate(zip(people, warps, strict=True))
    ]


def _write_crops(
    file: Path,
    shape: tuple[int, ...],
    people: Sequence[Scene],
    warps: Sequence[Warp],
    report: Callable[[int], None] | None,
) -> None:
    """Cut one crop a person into an array file, which appears when it is whole."""
    decoded, picture = None, np.empty((0, 0, 3), np.uint8)
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}
    with whole(file) as partial, open(partial, "wb") as crops:  # a mapped file ends the process where the disk is full
        np.lib.format.write_array_header_1_0(crops, header)
        for number, (scene, warp) in enumerate(zip(people, warps, strict=True)):
            if decoded is None or decoded != _key(scene):
                decoded, picture = _key(scene), scene.pixels()
            crops.write(np.ascontiguousarray(warp.image(picture)).tobytes())
            if report:
                report(number + 1)
