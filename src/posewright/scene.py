"""People in pictures: the nouns that every part of posewright speaks.

Conventions, for the whole library. Pictures are RGB, uint8, (H, W, 3). The centre of the top-left pixel
is (0, 0); a resolution change by 1/s maps x to (x + 1/2)/s - 1/2. Sizes are (width, height), boxes are
xyxy, units px, mm, radians, seconds. Matrices are named `to_from`. Axes: B batch, K keypoints, P people,
V views, L limbs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posewright import picture
from posewright.geometry import Camera
from posewright.picture import Pixels
from posewright.skeleton import Skeleton
from posewright.warp import Size, Warp, around

Floats = NDArray[np.float64]

ABSENT, HIDDEN, SEEN = 0, 1, 2
"""Visibility of a keypoint, COCO's three values: not labelled, labelled but hidden, labelled and seen."""

Padding = float | tuple[float, float]
"""How much larger than a box its crop is: both ways, or its width and its height."""
PADDING = 1.25
"""How much larger than a person's box a crop is, by default: what the top-down papers use."""


class Cause(IntEnum):
    """Why a keypoint is not seen, where the truth knows it."""

    SEEN = 0
    SELF = 1
    PERSON = 2
    OBJECT = 3
    OUTSIDE = 4


@dataclass(frozen=True, eq=False)
class Person:
    """Say where a person's keypoints are; truth and prediction alike.

    keypoints (K, 2) px, NaN where absent; visible (K,) of ABSENT, HIDDEN, SEEN (None in a prediction that
    does not tell); scores (K,) and score in [0, 1], of predictions, and of labels that are predictions; seen (K,) in
    [0, 1]: how likely each keypoint is seen, predictions only; box (4,) and head (4,) xyxy px;
    area px^2; points3d (K, 3) mm of the world; depths (K,) px: how much farther than the root each keypoint is, as
    long as the picture shows such a length at the root's distance (1 mm is focal length / distance px); mask (H, W)
    bool; cause (K,) of `Cause`; id joins a person's views or frames; crowd marks a box around many people. counted:
    whether evaluators count the person where the file says otherwise than its keypoints (COCO's `num_keypoints`),
    None where the two agree. box_area px^2: the box's width times its height as the file has them, whose last bit
    corners lose. Raises ValueError where lengths disagree, where an absent keypoint has a place, or a labelled one
    has none.

    >>> person = Person(np.array([[3.0, 4.0], [np.nan, np.nan]]), visible=np.array([HIDDEN, ABSENT], np.uint8))
    >>> person.labelled
    array([ True, False])
    """

    keypoints: Floats
    visible: NDArray[np.uint8] | None = None
    scores: Floats | None = None
    score: float | None = None
    box: Floats | None = None
    area: float | None = None
    points3d: Floats | None = None
    mask: NDArray[np.bool_] | None = None
    head: Floats | None = None
    cause: NDArray[np.uint8] | None = None
    id: int | str | None = None
    crowd: bool = False
    depths: Floats | None = None
    counted: bool | None = None
    box_area: float | None = None
    seen: Floats | None = None

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        each = dict.fromkeys(("visible", "scores", "seen", "depths", "cause"), (count,))
        for name, shape in {"keypoints": (count, 2), "points3d": (count, 3), "box": (4,), "head": (4,), **each}.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(f"person: {name} must be {shape}, not {value.shape}")
        if self.visible is not None:
            wrong = self.labelled != (self.visible > ABSENT)
            if np.count_nonzero(wrong):
                k = wrong.argmax()
                raise ValueError(
                    f"person: keypoint {k} is at {self.keypoints[k]} but visible is {self.visible[k]}; "
                    "an absent keypoint is NaN, a labelled one has a place"
                )

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(K,) where there is a keypoint: neither absent nor NaN."""
        finite = np.isfinite(self.keypoints)
        return np.asarray(finite[:, 0] & finite[:, 1])

    def moved(self, warp: Warp, skeleton: Skeleton) -> Person:
        """Return the person as the warped picture shows them; left and right swap where it mirrors.

        Keypoints outside the new picture stay where they are. points3d do not move.
        """
        swapped = self._swapped(skeleton.mirror) if warp.mirrored else {}
        keypoints, depths = (swapped.pop(name, getattr(self, name)) for name in ("keypoints", "depths"))
        return replace(
            self,
            **swapped,
            keypoints=warp.points(keypoints),
            box=None if self.box is None else warp.box(self.box),
            head=None if self.head is None else warp.box(self.head),
            area=None if self.area is None else self.area * warp.scale**2,
            depths=None if depths is None else depths * warp.scale,
            box_area=None,
            mask=None if self.mask is None else warp.image(self.mask.astype(np.uint8), nearest=True).astype(bool),
        )

    def _swapped(self, order: NDArray[np.intp]) -> dict[str, Any]:
        """Reorder every array that has an axis of keypoints; an order of -1 leaves that keypoint absent."""
        absent: dict[str, Any] = {"keypoints": np.nan, "visible": ABSENT, "scores": 0.0, "seen": 0.0,
                                  "points3d": np.nan, "depths": np.nan}  # fmt: skip
        arrays = {name: getattr(self, name) for name in (*absent, "cause")}
        swapped = {name: array[order] for name, array in arrays.items() if array is not None}
        missing = order < 0
        if missing.any():
            for name in absent.keys() & swapped.keys():
                swapped[name][missing] = absent[name]
        return swapped

    def to(self, skeleton: Skeleton, other: Skeleton) -> Person:
        """Return the person with the keypoints of `other`, mapped by name; those unknown here are absent."""
        return replace(self, **self._swapped(skeleton.to(other)))


@dataclass(frozen=True, eq=False)
class Scene:
    """Point to one picture and say who is in it; reading a data set makes these without decoding a pixel.

    image: a path (also into a zip archive) or pixels. size (width, height) px where the annotation tells.
    Views of one instant are a tuple of scenes, whose people are joined by `id`. group: the video, instant or subject
    that the picture is of, where pictures of one are not independent of each other: intervals draw these whole.

    >>> from posewright.skeleton import COCO
    >>> Scene("photo.jpg", COCO, people=(Person(np.zeros((17, 2)), id=1),)).people[0].id
    1
    """

    image: str | Path | Pixels
    skeleton: Skeleton
    people: tuple[Person, ...] = ()
    size: Size | None = None
    camera: Camera | None = None
    id: int | str | None = None
    group: int | str | None = None

    def pixels(self) -> Pixels:
        """Decode the picture; raises picture.PictureError where that fails or its size is not what the file says."""
        pixels = picture.read(self.image)
        self._check((pixels.shape[1], pixels.shape[0]))
        return pixels

    def with_size(self) -> Scene:
        """Return the scene with its picture's size, as the header tells it; raises PictureError as `pixels` does."""
        found = picture.size_of(self.image)
        self._check(found)
        return self if self.size is not None else replace(self, size=found)

    def _check(self, found: Size) -> None:
        if self.size is not None and found != tuple(self.size):
            raise picture.PictureError(self._of_another_size(found))

    def _of_another_size(self, found: Size) -> str:
        """Say that the picture is not of the size that was annotated, and what may be meant."""
        assert self.size is not None
        name = f"scene {self.id}" if isinstance(self.image, np.ndarray) else self.image
        turned = found == tuple(self.size[::-1])
        how = (
            "turned; coco+stored:DIR follows EXIF's turn, coco+turned_left:DIR or coco+turned_right:DIR another, and "
            "coco+exchanged:DIR says that width and height alone are exchanged"
            if turned
            else "another size; coco+resized:DIR says that it was resized since"
        )
        return (
            f"{name}: the picture is {found[0]}x{found[1]}, its annotations are of {self.size[0]}x{self.size[1]}, {how}"
        )


@dataclass(frozen=True, eq=False)
class Crop:
    """Hold what a network looks at: pixels, the people in those pixels, and the warp that made it.

    >>> from posewright.skeleton import COCO
    >>> scene = Scene(np.zeros((48, 64, 3), np.uint8), COCO, (Person(np.full((17, 2), 20.0)),))
    >>> crop = take(scene, aim(np.array([10.0, 10.0, 30.0, 30.0]), (32, 32)))
    >>> crop.back(crop.people)[0].keypoints[0]
    array([20., 20.])
    """

    pixels: Pixels
    people: tuple[Person, ...]
    warp: Warp
    skeleton: Skeleton
    source_size: Size

    def back(self, people: Iterable[Person]) -> list[Person]:
        """Return people found in these pixels to the scene that they were taken from."""
        scene_from_crop = self.warp.inverse(self.source_size)
        return [person.moved(scene_from_crop, self.skeleton) for person in people]


def take(scene: Scene, warp: Warp, pixels: Pixels | None = None) -> Crop:
    """Cut a crop out of a scene: one read, one resample.

    pixels: the scene's picture where it is decoded already (once for all its people).
    """
    whole = scene.pixels() if pixels is None else pixels
    people = tuple(person.moved(warp, scene.skeleton) for person in scene.people)
    return Crop(warp.image(whole), people, warp, scene.skeleton, (whole.shape[1], whole.shape[0]))


def aim(box: ArrayLike, size: Size, padding: Padding = PADDING) -> Warp:
    """Aim at a box xyxy px: its centre goes to the middle of a crop of `size`, its longer side fits.

    Raises ValueError for a box without width or height.
    """
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    if not (x1 > x0 and y1 > y0):
        raise ValueError(f"box must be x0, y0, x1, y1 with x1 > x0 and y1 > y0, not {[x0, y0, x1, y1]}")
    return around(*region((x0, y0, x1, y1), padding), size)


def region(box: ArrayLike, padding: Padding = PADDING) -> tuple[Floats, Floats]:
    """Return the centre and the padded extent (2,) px of a box xyxy px, which is what a crop is aimed by."""
    corners = np.asarray(box, np.float64)
    return (corners[:2] + corners[2:]) / 2, np.asarray(padding) * (corners[2:] - corners[:2])


def padding_told(padding: Padding) -> float | list[float]:
    """Return a padding as a protocol and JSON have it."""
    return list(padding) if isinstance(padding, tuple) else padding


def whole(size: Size) -> Floats:
    """Return the box (4,) of a whole picture, from edge to edge of its outermost pixels."""
    return np.array([-0.5, -0.5, size[0] - 0.5, size[1] - 0.5])


def box_around(keypoints: ArrayLike) -> Floats:
    """Return the tight box (4,) around points (K, 2), NaN left out; raises ValueError where none is left."""
    xy = np.asarray(keypoints, np.float64)
    xy = xy[np.isfinite(xy).all(-1)]
    if not len(xy):
        raise ValueError("no keypoint has a place, so there is no box around them")
    return np.concatenate([xy.min(0), xy.max(0)])


def boxed(person: Person) -> Floats:
    """Return a person's box, or where there is none with an area the one around the keypoints, at least 1/10 as wide.

    Raises ValueError where neither has an area.
    """
    if person.box is not None and (person.box[2:] > person.box[:2]).all():
        return person.box
    whose = f"person {person.id}: " + ("has no box" if person.box is None else "bbox has no area")
    if not person.labelled.any():
        raise ValueError(f"{whose}, and no keypoint is labelled")
    box = box_around(person.keypoints)
    side = float((box[2:] - box[:2]).max())
    if side == 0:
        raise ValueError(f"{whose}, and all its keypoints are one place")
    lack = np.maximum(side / 10 - (box[2:] - box[:2]), 0) / 2
    return np.concatenate([box[:2] - lack, box[2:] + lack])


def each_person(scenes: Sequence[Scene]) -> list[Scene]:
    """Split scenes into one a person, for top-down work; crowds and people without a keypoint are left out."""
    return [
        replace(scene, people=(person,))
        for scene in scenes
        for person in scene.people
        if not person.crowd and person.labelled.any()
    ]


def translated(scenes: Sequence[Scene], skeleton: Skeleton) -> list[Scene]:
    """Return scenes in the words of another skeleton, by name; keypoints it does not have are left out."""
    return [
        replace(scene, skeleton=skeleton, people=tuple(p.to(scene.skeleton, skeleton) for p in scene.people))
        for scene in scenes
    ]
