"""What every reader checks of a record: fields that are there and are what they should be."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posewright.scene import ABSENT, HIDDEN, SEEN

Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]

LARGEST = 1e9
"""No pixel, area or identity of a picture is larger; a number beyond it is damage."""

COCO_VISIBLE: Mapping[int, int] = {0: ABSENT, 1: HIDDEN, 2: SEEN}
"""What COCO's v means: 0 not labelled, 1 labelled but hidden, 2 labelled and seen."""


NONE = ("nan", "null", "none", "")
"""Texts that stand in place of a number that is not there."""


class DataError(ValueError):
    """A data set's file that is not what it should be; the message names file, record, field and what is right."""


class DataWarning(UserWarning):
    """What a file holds that is odd and was left out or understood otherwise; the message counts it."""


def say(message: str) -> None:
    """Warn of what is odd in a file; the command line prints it in one line."""
    warnings.warn(message, DataWarning, stacklevel=2)


@dataclass(frozen=True)
class Record:
    """Read the fields of one record; whatever is wrong raises DataError that says where.

    where: the file and the record, as the message names them. fields: what the file holds there.
    """

    where: str
    fields: Mapping[str, Any]

    def wrong(self, field: str, reason: str) -> DataError:
        """Return the error that says what is wrong with a field."""
        return DataError(f"{self.where}: {field}: {reason}")

    def has(self, field: str) -> bool:
        """Tell whether the field is there and is not null."""
        return self.fields.get(field) is not None

    def get(self, field: str) -> Any:
        """Return the field as it stands; raises DataError where it is missing."""
        if field not in self.fields:
            raise self.wrong(field, "missing")
        return self.fields[field]

    def text(self, field: str) -> str:
        """Return a text that is not empty."""
        value = self.get(field)
        if not isinstance(value, str) or not value or "\0" in value:
            raise self.wrong(field, f"must be a text, not {shown(value)}")
        return value

    def identity(self, field: str) -> int | str:
        """Return what names a record: a whole number, also where the file writes 1.0 for 1, or a text."""
        value = self.get(field)
        if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise self.wrong(field, f"must be a whole number or a text, not {shown(value)}")
        return value

    def number(self, field: str, low: float = -LARGEST, high: float = LARGEST) -> float:
        """Return a finite number within bounds."""
        value = self.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self.wrong(field, f"must be {limits(low, high, value)}, not {shown(value)}")
        return float(value)

    def whole(self, field: str, low: int, high: int = int(LARGEST)) -> int:
        """Return a whole number within bounds, also where the file writes 1.0 or true for 1."""
        value = self.get(field)
        if not isinstance(value, int | float) or not low <= value <= high or value != int(value):
            raise self.wrong(field, f"must be {limits(low, high, value, 'a whole number')}, not {shown(value)}")
        return int(value)

    def items(self, field: str) -> list[Any]:
        """Return a list."""
        value = self.get(field)
        if not isinstance(value, list):
            raise self.wrong(field, f"must be a list, not {shown(value)}")
        return value

    def records(self, field: str, noun: str) -> list[Record]:
        """Return a list of records, each named by its `id` where it has one and else by its place."""
        return records_in(self.items(field), self.where, noun)

    def numbers(self, field: str, count: int) -> Floats:
        """Return (count,) finite numbers."""
        value = self.items(field)
        if len(value) != count:
            raise self.wrong(field, f"must be {count} numbers, not {len(value)}")
        if not all(type(v) in (int, float) and -LARGEST <= v <= LARGEST for v in value):
            i = next(i for i, v in enumerate(value) if type(v) not in (int, float) or not abs(v) <= LARGEST)
            raise self.wrong(field, f"number {i} is {shown(value[i])}; all must be finite numbers up to {LARGEST:g}")
        return np.array(value, np.float64)

    def triples(self, field: str, count: int, third: float = 1.0) -> Floats:
        """Return keypoints (count, 3): x, y and a third number, in one list or in `count` lists.

        A keypoint of which null or NaN, also as a text, stands in place of a number is NaN, NaN, 0. third: what pairs
        of x and y lack.
        """
        value = self.items(field)
        if value and all(isinstance(point, list) and len(point) in (2, 3) for point in value):
            if len(value) != count:
                raise self.wrong(field, f"must be {count} keypoints, not {len(value)}")
            value = [number for point in value for number in (*point, third)[:3]]
        elif len(value) == 2 * count and not any(isinstance(number, list) for number in value):
            value = [number for x, y in zip(value[::2], value[1::2], strict=True) for number in (x, y, third)]
        absent = np.array([_is_none(v) for v in value]).reshape(-1, 3).any(1) if len(value) == 3 * count else ()
        known = [0.0 if _is_none(v) else v for v in value] if np.any(absent) else value
        found = Record(self.where, {field: known}).numbers(field, 3 * count).reshape(count, 3)
        if np.any(absent):
            found[absent] = np.nan, np.nan, 0.0
        return found

    def rows(self, field: str, count: int, width: int) -> Floats:
        """Return (count, width) numbers from as many lists; null stands for NaN."""
        rows = self.items(field)
        flat = [v for row in rows if isinstance(row, list) and len(row) == width for v in row]
        if len(rows) != count or len(flat) != count * width:
            raise self.wrong(field, f"must be {count} lists of {width} numbers")
        known = Record(self.where, {field: [0.0 if v is None else v for v in flat]}).numbers(field, len(flat))
        missing = np.array([v is None for v in flat])
        return np.where(missing, np.nan, known).reshape(count, width)

    def choices(self, field: str, count: int, allowed: Sequence[int]) -> Flags:
        """Return (count,) whole numbers, each one of those allowed."""
        values = self.items(field)
        if len(values) != count or not all(type(v) is int and v in allowed for v in values):
            raise self.wrong(field, f"must be {count} numbers out of {', '.join(map(str, allowed))}")
        return np.array(values, np.uint8)

    def box(self, field: str) -> Floats:
        """Return a box xyxy from one that the file keeps as x, y, width, height."""
        x, y, width, height = self.numbers(field, 4)
        if width < 0 or height < 0:
            raise self.wrong(field, f"width and height must not be negative, but are {width:g} and {height:g}")
        return np.array([x, y, x + width, y + height])

    def box_area(self, field: str) -> float:
        """Return the width times the height of a box that the file keeps as x, y, width, height."""
        _, _, width, height = self.numbers(field, 4).tolist()
        return float(width * height)

    def keypoints(
        self, field: str, count: int, meaning: Mapping[int, int] = COCO_VISIBLE, shift: float = 0.0
    ) -> tuple[Floats, Flags]:
        """Return keypoints (count, 2), NaN where absent, and visibility (count,) from x, y, v three by three.

        meaning: what each v of the file says. shift is added to x and y (-1 for MATLAB's pixels).
        """
        triples = self.triples(field, count, 2.0)
        visible = np.array([meaning.get(v, 255) for v in triples[:, 2].tolist()], np.uint8)
        if visible.max(initial=0) == 255:
            k = int(np.argmax(visible == 255))
            allowed = ", ".join(str(v) for v in meaning)
            raise self.wrong(field, f"visibility of keypoint {k} is {triples[k, 2]:g}; it must be one of {allowed}")
        return np.where(visible[:, None] > ABSENT, triples[:, :2] + shift, np.nan), visible


def _is_none(value: object) -> bool:
    """Tell what stands in place of a number that is not there."""
    return value is None or value != value or (isinstance(value, str) and value.strip().lower() in NONE)


def limits(low: float, high: float, value: Any, what: str = "a number") -> str:
    """Say what would be right instead of a value; of LARGEST, which only damage exceeds, not unless it did.

    >>> limits(0, LARGEST, -1), limits(-LARGEST, LARGEST, "one"), limits(0, 1, 2), limits(0, LARGEST, 1e12)
    ('a number, 0 or more', 'a number', 'a number from 0 to 1', 'a number from 0 to 1e+09')
    """
    damaged = isinstance(value, int | float) and LARGEST < abs(value) < math.inf
    if high < LARGEST or damaged:
        return f"{what} from {low:g} to {high:g}"
    return what if low <= -LARGEST else f"{what}, {low:g} or more"


def shown(value: object, longest: int = 40) -> str:
    """Return a value as an error shows it: short, or only its kind where it is long.

    >>> shown("text"), shown([1, 2]), shown(float("nan"))
    ("'text'", 'a list of 2', 'nan')
    """
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number out of range"
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def record_of(value: object, where: str) -> Record:
    """Return an object of a JSON file as a record; raises DataError where it is none."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: must be an object {{...}}, not {shown(value)}")
    return Record(where, value)


def records_in(values: Sequence[object], where: str, noun: str) -> list[Record]:
    """Return the records of a list, each named by its `id` where it has one and else by its place from 0."""
    found = []
    for place, value in enumerate(values):
        name = value.get("id") if isinstance(value, dict) else None
        label = shown(name) if isinstance(name, int | str) else f"at place {place}"
        found.append(record_of(value, f"{where}: {noun} {label}"))
    return found
