"""People: the answer about one picture, as a list of `Person` that knows its picture and its keypoints' names."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np

from posewright import picture
from posewright.estimators.estimator import Image, pixels_of
from posewright.files import write_whole
from posewright.picture import Pixels
from posewright.report.drawing import draw
from posewright.scene import Floats, Person
from posewright.skeleton import Skeleton

COLUMNS = ("source", "frame", "person", "id", "keypoint", "x", "y", "score", "visible")
"""Of a table, which has a row for each keypoint that is there; frame, id and visible are empty where nobody knows."""


class People(list[Person]):
    """Hold the people of one picture: a list, which draws itself and says keypoints by their names.

    skeleton: the keypoints of each; source: what the picture is called; frame: its number in a video, from 0.

    >>> from posewright.datasets.synthetic import world
    >>> (scene,) = world(1, seed=0, people=(1, 1))
    >>> people = People(scene.people, scene.skeleton, scene)
    >>> people["left_knee"].shape, people.draw().shape
    ((1, 2), (256, 256, 3))
    """

    def __init__(
        self, people: Iterable[Person], skeleton: Skeleton, image: Image, source: str = "", frame: int | None = None
    ) -> None:
        super().__init__(people)
        self.skeleton, self.source, self.frame = skeleton, source, frame
        self._image = image

    def __getitem__(self, place: Any) -> Any:
        """Return one person by number, or a keypoint of everybody (P, 2) px by name; ValueError for a wrong name."""
        if not isinstance(place, str):
            return super().__getitem__(place)
        index = self.skeleton.index(place)
        return np.array([person.keypoints[index] for person in self], np.float64).reshape(-1, 2)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return (People, (list(self), self.skeleton, self._image, self.source, self.frame))

    def pixels(self) -> Pixels:
        """Return the picture (H, W, 3) uint8 RGB; one that was given as a path is read anew."""
        return pixels_of(self._image)

    def draw(self, **options: Any) -> Pixels:
        """Return the picture with everybody drawn; options as of `posewright.draw`."""
        return draw(self.pixels(), self, self.skeleton, **options)

    def save(self, path: str | Path, **options: Any) -> Path:
        """Write the drawn picture, or with the ending .json what `to_json` returns; the file appears when it is whole.

        Options as of `posewright.draw`. Raises picture.PictureError for an ending that no picture has.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            write_whole(path, self.to_json().encode())
        else:
            picture.write(path, self.draw(**options))
        return path

    def plain(self) -> list[dict[str, Any]]:
        """Return everybody as JSON values: id, score, box xyxy px and keypoints by name, those that are there."""
        return [
            {
                "id": person.id,
                "score": None if person.score is None else float(person.score),
                "box": None if person.box is None else person.box.tolist(),
                "keypoints": {row["keypoint"]: {name: row[name] for name in ("x", "y", "score", "visible")}
                              for row in self._rows(place)},
            }
            for place, person in enumerate(self)
        ]  # fmt: skip

    def to_json(self, indent: int | None = None) -> str:
        """Return what `plain` says as text, with the picture's name and, of a video, the number of its frame."""
        said = {"source": self.source, "frame": self.frame, "skeleton": self.skeleton.name, "people": self.plain()}
        return json.dumps(said, indent=indent)

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame of COLUMNS; raises ImportError where pandas is not installed."""
        pandas: Any = _installed("pandas")
        return pandas.DataFrame([row for place in range(len(self)) for row in self._rows(place)], columns=COLUMNS)

    def to_supervision(self) -> Any:
        """Return supervision's KeyPoints, absent ones at (0, 0) with confidence 0 as it has them.

        Raises ImportError where supervision is not installed.
        """
        supervision: Any = _installed("supervision")
        if not self:
            return supervision.KeyPoints.empty()
        xy = np.nan_to_num(np.array([person.keypoints for person in self], np.float64)).astype(np.float32)
        sure = np.array([np.where(person.labelled, _scores(person), 0) for person in self], np.float32)
        newer = "keypoint_confidence" in signature(supervision.KeyPoints).parameters  # from 0.29 on
        said = {"keypoint_confidence" if newer else "confidence": sure}
        return supervision.KeyPoints(xy=xy, class_id=np.zeros(len(self), int), **said)

    def _repr_png_(self) -> bytes:
        """Show the drawn picture in Jupyter."""
        return picture.encoded(self.draw(), ".png")

    def _rows(self, place: int) -> list[dict[str, Any]]:
        person = super().__getitem__(place)
        scores, visible = _scores(person), person.visible
        return [
            {
                "source": self.source, "frame": self.frame, "person": place, "id": person.id,
                "keypoint": self.skeleton.keypoints[k], "x": float(person.keypoints[k, 0]),
                "y": float(person.keypoints[k, 1]), "score": float(scores[k]),
                "visible": None if visible is None else int(visible[k]),
            }
            for k in np.flatnonzero(person.labelled)
        ]  # fmt: skip


def _scores(person: Person) -> Floats:
    """Return (K,) keypoints' scores, the person's where they have none, 1 where nobody says."""
    whole = 1.0 if person.score is None else person.score
    return np.full(len(person), whole) if person.scores is None else np.asarray(person.scores, np.float64)


def _installed(package: str) -> Any:
    """Import a package that posewright does without; raises ImportError with what installs it."""
    if importlib.util.find_spec(package) is None:
        raise ImportError(f"{package} is not installed; `pip install {package}` brings it")
    return importlib.import_module(package)
