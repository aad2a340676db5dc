"""Labelling: what a 2D estimator sees in several cameras becomes labels in space to learn from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from posewright.augment.epipolar import labelled
from posewright.codecs.depth import root_of
from posewright.datasets.labels import write_labels
from posewright.datasets.views import instants, parts
from posewright.estimators.estimator import Estimator
from posewright.estimators.scenes import predict_scenes
from posewright.scene import Scene

RING = ("54138969", "55011271", "60457274", "58860488")
"""Human3.6M's cameras as they stand around the room: each beside the next."""
FEWEST = 5
"""Instants of a room below which its cameras cannot be found: one pose never pins them down."""


def label_views(
    scenes: Sequence[Scene], estimator: Estimator, known: bool = True, weighted: bool = False,
    order: Sequence[str] = RING, length: float = 4000.0, shown: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> list[Scene]:  # fmt: skip
    """Label scenes of one person before several cameras, by what the estimator sees of them.

    Scenes must be named sequence/camera/frame and have cameras and boxes. Each room, that is each subject, is solved by
    itself: its cameras stand still. Instants that some camera does not see are left out. known, weighted, length: see
    `augment.epipolar.labelled`. Raises ValueError where the estimator has no pelvis, or a room too few instants.
    """
    root_of(estimator.skeleton)
    found = [
        replace(scene, skeleton=estimator.skeleton, people=(replace(one, visible=None),))
        for scene in shown(predict_scenes(estimator, [s for s in scenes if s.people]))
        for one in scene.people[:1]
    ]
    rooms: dict[str, list[tuple[Scene, ...]]] = defaultdict(list)
    for views in instants(found):
        rooms[parts(views[0])[0].partition("/")[0]].append(views)
    taught: list[Scene] = []
    for room, groups in rooms.items():
        names = in_order({parts(scene)[1] for instant in groups for scene in instant}, order)
        whole = [by_name(instant, names) for instant in groups if len(instant) == len(names)]
        if len(names) < 2 or len(whole) < (1 if known else FEWEST):
            raise ValueError(
                f"{room}: {len(whole)} instants that all of {len(names)} cameras see; too few to learn from"
            )
        taught += labelled(whole, range(len(names)), known, length, weighted)
    return taught


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Put cameras into an order, those that it does not know behind, by name."""
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def by_name(instant: Sequence[Scene], names: Sequence[str]) -> tuple[Scene, ...]:
    """Put the views of an instant into the order of their cameras."""
    own = {parts(scene)[1]: scene for scene in instant}
    return tuple(own[name] for name in names)


def label_to(out: Path, scenes: Sequence[Scene], estimator: Estimator, made_by: str, **how: Any) -> str:
    """Label scenes, write the labels, and say in a line how many keypoints have one and how far from the truth."""
    taught = label_views(scenes, estimator, **how)
    write_labels(out, taught, made_by)
    points = np.array([scene.people[0].points3d for scene in taught])
    share = float(np.isfinite(points).all(-1).mean())
    return f"{out}: {len(taught)} pictures labelled, {100 * share:.1f} % of their keypoints"
