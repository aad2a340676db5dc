"""Views: what a detector found in the pictures of several cameras, instant by instant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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

    Names agree where they are the same but for case, signs, zeros before a number and words such as json or view. If
    not all do, but there are as many views as cameras, the order they are in is taken and noted. Raises ValueError
    where views and cameras cannot be matched.
    """
    order = order_of(views.cameras, cameras)
    if order is not None:
        if len(views.cameras) > len(cameras):
            left = sorted(set(views.cameras) - {views.cameras[n] for n in order})
            raise ValueError(
                f"views of {', '.join(left)}, which the calibration does not have; it has {', '.join(cameras)}"
            )
    elif len(views.cameras) == len(cameras):
        order = list(range(len(cameras)))
        pairs = ", ".join(f"{a} = {b}" for a, b in zip(cameras, views.cameras, strict=True))
        views = replace(
            views, notes=(*views.notes, f"cameras and views taken in their order, as names differ: {pairs}")
        )
    else:
        count = f"{len(views.cameras)} view{'s' * (len(views.cameras) > 1)}"
        raise ValueError(
            f"{count} ({', '.join(views.cameras)}) for {len(cameras)} cameras "
            f"({', '.join(cameras)}); name them alike, or give one view a camera"
        )
    unmatched = None if views.unmatched is None else views.unmatched[order]
    return replace(views, cameras=tuple(cameras), xy=views.xy[order], scores=views.scores[order], unmatched=unmatched)


def order_of(names: Sequence[str], cameras: Sequence[str]) -> list[int] | None:
    """Return the place among `names` of each camera's name, spelt alike or nearly so; None where one lacks.

    >>> order_of(["cam02", "cam01"], ["cam_1", "cam_2"])
    [1, 0]
    """
    own = {_plain(name): n for n, name in enumerate(names)}
    places = [own[_plain(name)] for name in cameras if _plain(name) in own]
    return places if len(places) == len(cameras) and len(own) == len(names) else None


def _plain(name: str) -> str:
    """Make names comparable.

    >>> _plain("cam_01"), _plain("Cam01_json"), _plain("view-1")
    ('cam1', 'cam1', '1')
    """
    words = re.findall(r"[a-z]+|[0-9]+", name.lower())
    kept = [
        w.lstrip("0") or "0" if w.isdigit() else w for w in words if w not in ("json", "view", "video", "csv", "pose")
    ]
    return "".join(kept)
