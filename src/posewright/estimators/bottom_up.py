"""Bottom-up: a whole picture in, everybody out; nobody's boxes are needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat
from typing import Any

import numpy as np

from posewright.codecs.codec import Codec
from posewright.estimators.adapters.answer import one_a_box
from posewright.estimators.estimator import WHOLE_PICTURE, Boxes, Image, View, box_in, pixels_of
from posewright.estimators.runtimes.network import Network
from posewright.fields import Tags
from posewright.picture import Pixels
from posewright.scene import Crop, Person, Scene, region, take, whole
from posewright.skeleton import Skeleton
from posewright.warp import Size, around, resized

LARGEST = 8.0
COARSEST = 64
"""px that a picture's sides are multiples of at scales other than 1: every network here takes such."""


@dataclass(frozen=True, eq=False, repr=False)
class BottomUp:
    """Estimate everybody in a picture at once: `estimator("photo.jpg")` returns list[Person].

    network answers whole pictures, and codec, one of `posewright.codecs.bottom_up`, finds the people in its answers. A
    picture is scaled by one factor to fit the codec's size, its centre in the middle and black beside it, so that
    pictures of any sizes go into one batch. flip: also ask for the mirrored picture; fields are averaged, and tags kept
    beside each other, as arXiv:1611.05424 and arXiv:1908.10357 do. batch: pictures a call. scales: show the picture at
    so many times the size as well, 1 among them, and let the codec put the answers together; sizes are rounded up to 64
    px. An exported file takes pictures of one size, so other scales need a checkpoint. Raises ValueError for scales
    that are not above 0, or lack 1.

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
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if 1 not in self.scales or not all(0 < scale <= LARGEST for scale in self.scales):
            raise ValueError(f"scales must be above 0, at most {LARGEST}, and have 1 among them, not {self.scales}")

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
            for people, given in zip(self._found([pixels_of(image) for image, _ in some]), places, strict=True):
                yield people if given is None else one_a_box(people, given, self.skeleton)

    def __repr__(self) -> str:
        name = self.network.card.get("recipe") or type(self.codec).__name__
        skeleton, (width, height) = self.skeleton, self.codec.size
        tested = ", flip test" if self.flip else ""
        if len(self.scales) > 1:
            tested += f", scales {', '.join(f'{scale:g}' for scale in self.scales)}"
        return f"BottomUp({name}, {len(skeleton)} keypoints of {skeleton.name}, pictures of {width}x{height}{tested})"

    def protocol(self) -> dict[str, Any]:
        """Say how it estimates, for the protocol that stands beside every number."""
        told = {"scales": list(self.scales)} if len(self.scales) > 1 else {}
        return {**self.network.protocol, "codec": repr(self.codec), "flip": self.flip, **told, "view": "whole picture"}

    def _found(self, pictures: Sequence[Pixels]) -> list[list[Person]]:
        """Ask the network about all pictures at once, at each scale, and return its people to them."""
        crops = [fitted(Scene(pixels, self.skeleton), self.codec.size) for pixels in pictures]
        answers = [(scale, self._asked(pictures, crops, scale)) for scale in self.scales]
        codec: Any = self.codec
        fields = answers[0][1] if len(answers) == 1 else codec.together(answers)
        return [crop.back(people) for crop, people in zip(crops, self.codec.decode(fields), strict=True)]

    def _asked(self, pictures: Sequence[Pixels], crops: Sequence[Crop], scale: float) -> Any:
        """Return what the network says of pictures at one scale, and of their mirror images where it is asked to."""
        codec: Any = self.codec
        size = codec.size if scale == 1 else _times(codec.size, scale)
        larger = resized(codec.size, size)
        shown = zip(pictures, crops, strict=True)
        pixels = np.stack([c.pixels if scale == 1 else (larger @ c.warp).image(picture) for picture, c in shown])
        network = replace(self.network, codec=replace(codec, size=size))
        try:
            fields = network(pixels)[-1]
        except Exception as error:
            if scale == 1:
                raise
            raise ValueError(
                f"the network does not take pictures of {size[0]}x{size[1]} ({type(error).__name__}): an exported file "
                "has one size, so scales other than 1 need the checkpoint"
            ) from None
        if self.flip:
            mirrored = network(np.ascontiguousarray(pixels[:, :, ::-1]))[-1]
            fields = _joined(fields, network.codec.mirror(mirrored))
        return fields


def _times(size: Size, scale: float) -> Size:
    """Return a size at a scale, its sides whole multiples of COARSEST."""
    width, height = (int(side * scale + COARSEST - 1) // COARSEST * COARSEST for side in size)
    return width, height


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
