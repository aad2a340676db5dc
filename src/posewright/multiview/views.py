"""Views: what a detector found in the pictures of several cameras, instant by instant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.skeleton import Skeleton

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Views:
    """Hold 2D keypoints of several cameras: V views, F frames, P people, K keypoints.

    xy (V, F, P, K, 2) px, NaN where absent; scores (V, F, P, K), NaN where the detector gives none. People of one place
    are the same person in all views and frames only once they are matched. start: the number of the first frame.
    fps: pictures a second, where known. unmatched (V, F, P): people whom no other view was found to show. Raises
    ValueError where shapes disagree.
    """

    cameras: tuple[str, ...]
    skeleton: Skeleton
    xy: Floats
    scores: Floats
    start: int = 0
    fps: float | None = None
    unmatched: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.cameras), *self.xy.shape[1:3], len(self.skeleton))
        if self.xy.shape != (*shape, 2) or self.scores.shape != shape:
            raise ValueError(
                f"views: xy must be {(*shape, 2)} and scores {shape}, not {self.xy.shape}, {self.scores.shape}"
            )

    @property
    def frames(self) -> int:
        """How many instants there are."""
        return self.xy.shape[1]

    @property
    def people(self) -> int:
        """How many places for people there are."""
        return self.xy.shape[2]


class View(NamedTuple):
    """One camera's keypoints: xy (F, P, K, 2) px and scores (F, P, K) of frames (F,) numbered as their files say."""

    name: str
    frames: NDArray[np.int_]
    xy: Floats
    scores: Floats
    skeleton: Skeleton


def ordered(views: Views, cameras: Sequence[str]) -> Views:
    """Put views in the order of a rig's cameras, by their names.

    Names agree where they are the same but for case, signs, zeros before a number and words such as json or view; or,
    with a note, where what differs between the views is what differs between the cameras. If not all do, but there
    are as many views as cameras, the order they are in is taken and noted. Raises ValueError where views and cameras
    cannot be matched, or two of their names would agree with one.
    """
    order, how = order_of(views.cameras, cameras), ""
    if order is None and len(views.cameras) == len(cameras):
        order, how = order_of(_differing(views.cameras), _differing(cameras)), "by what differs in their names"
        if order is None:
            order, how = list(range(len(cameras))), "in their order, as names differ"
    if order is None:
        count = f"{len(views.cameras)} view{'s' * (len(views.cameras) > 1)}"
        raise ValueError(
            f"{count} ({', '.join(views.cameras)}) for {len(cameras)} cameras "
            f"({', '.join(cameras)}); name them alike, or give one view a camera"
        )
    names = [views.cameras[n] for n in order]
    if len(views.cameras) > len(cameras):
        left = sorted(set(views.cameras) - set(names))
        raise ValueError(
            f"views of {', '.join(left)}, which the calibration does not have; it has {', '.join(cameras)}"
        )
    pairs = ", ".join(f"{a} = {b}" for a, b in zip(cameras, names, strict=True))
    notes = (*views.notes, f"cameras and views taken {how}: {pairs}") if how else views.notes
    unmatched = None if views.unmatched is None else views.unmatched[order]
    xy, scores = views.xy[order], views.scores[order]
    return replace(views, cameras=tuple(cameras), xy=xy, scores=scores, unmatched=unmatched, notes=notes)


def order_of(names: Sequence[str], cameras: Sequence[str]) -> list[int] | None:
    """Return the place among `names` of each camera's name, spelt alike or nearly so; None where one lacks.

    Raises ValueError where two names, or two cameras, are spelt so nearly alike that either could be meant.

    >>> order_of(["cam02_json", "cam01_json"], ["cam_1", "cam_2"])
    [1, 0]
    """
    if set(cameras) <= set(names):
        return [list(names).index(camera) for camera in cameras]
    own, wanted = [_plain(name) for name in names], [_plain(camera) for camera in cameras]
    if not set(wanted) <= set(own):
        return None
    for these, plain in ((names, own), (cameras, wanted)):
        twins = [name for name, key in zip(these, plain, strict=True) if key in wanted and plain.count(key) > 1]
        if twins:
            raise ValueError(
                f"{twins[0]} and {twins[1]} are the same name but for case, signs or zeros; which one is meant? "
                "rename one of them"
            )
    return [own.index(camera) for camera in wanted]


def _words(name: str) -> list[str]:
    """Cut a name into words and whole numbers."""
    return [w.lstrip("0") or "0" if w.isdigit() else w for w in re.findall(r"[a-z]+|[0-9]+", name.lower())]


def _plain(name: str) -> str:
    """Make names comparable.

    >>> _plain("cam_01"), _plain("Cam01_json"), _plain("view-1")
    ('cam1', 'cam1', '1')
    """
    return "".join(w for w in _words(name) if w not in ("json", "view", "video", "csv", "pose"))


def _differing(names: Sequence[str]) -> list[str]:
    """Leave out the words with which all names begin or end.

    >>> _differing(["Cam-A.net0", "Cam-B.net0"]), _differing(["camera_1", "camera_2"])
    (['a', 'b'], ['1', '2'])
    """
    words = [_words(name) for name in names]
    first = _alike(words)
    last = _alike([own[first:][::-1] for own in words])
    return ["_".join(own[first : len(own) - last]) for own in words]


def _alike(words: Sequence[Sequence[str]]) -> int:
    """Return with how many words all names begin."""
    return len(list(takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))))
