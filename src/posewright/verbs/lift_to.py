"""Lifting files: photographs in, people in space out, as points and as a figure to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posewright import picture
from posewright.datasets.points import write_poses
from posewright.estimators.estimator import Boxes, Estimator
from posewright.estimators.lifting import lift
from posewright.files import write_whole
from posewright.metrics.threed.poses import Poses
from posewright.report.space import figure_of


def lift_to(out: Path, photos: Sequence[Path], estimator: Estimator, boxes: Boxes | None = None) -> list[str]:
    """Lift the people of photographs; write points.npz of all and a figure of each photograph; returns lines to say.

    `sequence` in points.npz names the photograph. Raises as `picture.read`, and ValueError where nobody is found.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows, names, said = [], [], []
    for photo in photos:
        pixels = picture.read(photo)
        people = lift(estimator, pixels, boxes)
        for person in people:
            rows.append(person.points3d)
            names.append(photo.name)
        buffer = io.BytesIO()
        figure_of(pixels, people, estimator.skeleton).savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        write_whole(out / f"{photo.stem}.png", buffer.getvalue())
        said.append(f"{photo.name}: {len(people)} in space, drawn in {out / photo.stem}.png")
    if not rows:
        raise ValueError(f"nobody is found in {', '.join(photo.name for photo in photos)}")
    poses = Poses(np.array(rows, np.float64), estimator.skeleton, np.array(names), np.full(len(rows), ""))
    return [*said, f"points in {write_poses(out / 'points.npz', poses)}, mm from the pelvis: x right, y down, z away"]
