"""Bottom-up: a whole picture in, everybody out; nobody's boxes are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np

from posewright.codecs.codec import Codec
from posewright.estimators.adapters.answer import one_a_box
from posewright.estimators.estimator import WHOLE_PICTURE, Boxes, Image, View, box_in, pixels_of
from posewright.estimators.runtimes.network import Network
from posewright.fields import Tags
from posewright.scene import Crop, Person, Scene, region, take, whole
from posewright.skeleton import Skeleton
from posewright.warp import Size, around


@dataclass(frozen=True, eq=False, repr=False)
class BottomUp:
    """Estimate everybody in a picture at once: `estimator("photo.jpg")` returns list[Person].

    network answers whole pictures, and codec, one of `posewright.codecs.bottom_up`, finds the people in its answers.
    A picture is scaled by one factor to fit the codec's size, its centre in the middle and black beside it, so that
    pictures of any sizes go into one batch. flip: also ask for the mirrored picture; fields are averaged, and tags
    kept beside each other, as arXiv:1611.05424 and arXiv:1908.10357 do. batch: pictures a call.

    Departure: the papers choose a size for each picture by its shorter side; here the size is the codec's.

    >>> from posewright.codecs.bottom_up.openpose import OpenPose
    >>> from posewright.skeleton import COCO
    >>> codec = OpenPose(COCO, size=(64, 48))
    >>> blind = Network(lambda pixels: [codec.encode([[]] * len(pixels))], codec)
    >>> BottomUp(blind, codec)(np.zeros((90, 160, 3), np.uint8))
    []
    """

    network: Network
    codec: Codec
    flip: bool = False
    batch: int = 8

    @property
    def skeleton(self) -> Skeleton:
        """The keypoints of its people."""
        return self.codec.skeleton

    @property
    def view(self) -> View:
        """The whole picture."""
        return WHOLE_PICTURE

    def __call__(self, image: Image, boxes: Boxes | None = None) -> list[Person]:
        """Estimate the people of one picture: a path, pixels (H, W, 3) uint8 RGB, or a scene.

        boxes: xyxy px; each is answered with the person who overlaps it, in their order, no person twice, and with
        nobody (all keypoints absent) where there is none. Without them everybody who was found is returned. Raises
        picture.PictureError where the picture cannot be read, ValueError for a box without area.
        """
        return next(self.many([image], None if boxes is None else [boxes]))

    def many(self, images: Iterable[Image], boxes: Iterable[Boxes] | None = None) -> Iterator[list[Person]]:
        """Estimate picture after picture, `batch` of them a call of the network."""
        asked: Iterable[Boxes | None] = repeat(None) if boxes is None else boxes
        pairs = zip(images, asked, strict=boxes is not None)
        while some := list(islice(pairs, self.batch)):
            places = [None if each is None else [box_in(box) for box in each] for _, each in some]
            crops = [fitted(Scene(pixels_of(image), self.skeleton), self.codec.size) for image, _ in some]
            for people, given in zip(self._found(crops), places, strict=True):
                yield people if given is None else one_a_box(people, given, self.skeleton)

    def __repr__(self) -> str:
        name = self.network.card.get("recipe") or type(self.codec).__name__
        skeleton, (width, height) = self.skeleton, self.codec.size
        tested = ", flip test" if self.flip else ""
        return f"BottomUp({name}, {len(skeleton)} keypoints of {skeleton.name}, pictures of {width}x{height}{tested})"

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates, for the protocol that stands beside every number."""
        return {**self.network.protocol, "codec": repr(self.codec), "flip": self.flip, "view": "whole picture"}

    def _found(self, crops: Sequence[Crop]) -> list[list[Person]]:
        """Ask the network once for all pictures, and return its people to them."""
        pixels = np.stack([crop.pixels for crop in crops])
        fields = self.network(pixels)[-1]
        if self.flip:
            mirrored = self.network(np.ascontiguousarray(pixels[:, :, ::-1]))[-1]
            fields = _joined(fields, self.codec.mirror(mirrored))
        return [crop.back(people) for crop, people in zip(crops, self.codec.decode(fields), strict=True)]


def fitted(scene: Scene, size: Size) -> Crop:
    """Fit a whole picture into `size` by one factor, its centre in the middle, black beside it."""
    pixels = scene.pixels()
    return take(scene, around(*region(whole((pixels.shape[1], pixels.shape[0])), 1.0), size), pixels)


def _joined(fields: Any, others: Any) -> Any:
    """Return the mean of two fields, array by array, but with the tags of both."""
    means = (None if a is None else (a + b) / 2 for a, b in zip(fields, others, strict=True))
    joined = type(fields)(*means)
    if isinstance(fields, Tags):
        return joined._replace(tags=np.concatenate([fields.tags, others.tags], axis=-4))
    return joined
