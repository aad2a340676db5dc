"""Keypoints that carry their names: `{"nose": [x, y, score]}`, or a list of `{"name": "nose", "x": ..., "y": ...}`.

So write TensorFlow.js's models (`part` and `position` of PoseNet among them) and many scripts of people's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from posewright.datasets.records import Record, record_of, shown

NAMES = ("name", "part", "bodyPart", "keypoint", "label")
SCORES = ("score", "confidence", "conf", "likelihood", "visibility", "v")
COORDINATES = frozenset({"x", "y"})
Points = dict[str, list[Any]]
"""x, y and score by the keypoint's name, as the file has them."""


def is_named(value: object) -> bool:
    """Tell whether keypoints are objects; columns of x and y are among them."""
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def points_of(record: Record, field: str) -> Points | None:
    """Return a person's keypoints by name; None where their names are not told. Raises DataError."""
    value = record.get(field)
    if not is_named(value) or (isinstance(value, Mapping) and value.keys() >= COORDINATES):
        return None
    return dict(_mapped(record, field, value) if isinstance(value, Mapping) else _listed(record, field, value))


def _mapped(record: Record, field: str, value: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, point in value.items():
        where = f"{record.where}: {field}: {name}"
        yield name, [None, None, None] if point is None else _triple(point, where)


def _listed(record: Record, field: str, value: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    for place, point in enumerate(value):
        one = record_of(point, f"{record.where}: {field}: at place {place}")
        told = next((name for name in NAMES if one.has(name)), NAMES[0])
        yield one.text(told), _triple(point, one.where)


def _triple(point: object, where: str) -> list[Any]:
    if isinstance(point, list) and len(point) in (2, 3):
        return [*point, 1.0][:3]
    one = record_of(point, f"{where}: {shown(point)}" if not isinstance(point, Mapping) else where)
    place = record_of(one.get("position"), f"{where}: position") if one.has("position") else one
    rated = next((name for name in SCORES if one.has(name)), None)
    return [place.get("x"), place.get("y"), one.get(rated) if rated else 1.0]
