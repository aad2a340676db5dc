"""Pictures outside of their data's folder: refused, for an annotation file may come from a stranger."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posewright.datasets.records import DataError
from posewright.scene import Scene
from posewright.text import printable

ALLOWED = "POSEWRIGHT_PICTURES"
"""The environment variable that names further folders, as PATH does, in which pictures may lie."""


def inside(scenes: Sequence[Scene], root: Path) -> Sequence[Scene]:
    """Return the scenes; raises DataError for a picture that by its name lies outside of the data's folder.

    root: the folder, or the annotation file in it. Links that the user has laid inside are followed. ALLOWED names
    other folders for data whose pictures lie elsewhere.
    """
    folder = root.parent if root.is_file() else root
    folder = folder.parent if folder.name == "annotations" and root.is_file() else folder
    named = [Path(name) for name in os.environ.get(ALLOWED, "").split(os.pathsep) if name]
    allowed = [os.path.abspath(one) for one in (folder, *named)]
    for scene in scenes:
        if isinstance(scene.image, np.ndarray):
            continue
        path = os.path.abspath(scene.image)
        if not any(path == one or path.startswith(one.rstrip(os.sep) + os.sep) for one in allowed):
            raise DataError(
                f"{root}: picture {printable(str(scene.image))} lies outside of {folder}; where that is meant, "
                f"name its folder in {ALLOWED}"
            )
    return scenes
