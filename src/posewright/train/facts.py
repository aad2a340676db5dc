"""Facts: what a checkpoint of a training says beside its weights, each checked once where the file is read.

A checkpoint may come from a stranger; whatever is of another kind than training writes is one line that names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from posewright.datasets.records import Record, record_of, records_in, shown

TEXTS = ("codec", "view", "source", "occlusion", "data", "precision")
"""Facts that are a text or nothing."""
WHOLE = ("seed", "people", "steps", "processes")
"""Facts that are a whole number or nothing."""
OBJECTS = ("jitter", "settings", "versions")
MOST_STEPS = 1 << 53


def checked(content: Mapping[Any, Any], path: Path) -> dict[str, Any]:
    """Return a checkpoint's parts and facts; raises DataError where one is of another kind than it should be."""
    record = record_of(dict(content), str(path))
    for name in ("network", "average"):
        _weights(record, name)
    record_of(record.get("optimiser"), f"{path}: optimiser")
    record.whole("step", 0, MOST_STEPS)
    if record.has("normal"):
        _normal(record_of(record.get("normal"), f"{path}: normal"))
    if "recipe" in record.fields:
        record.text("recipe")
    for name in (name for name in TEXTS if record.has(name) and record.fields[name] != ""):
        record.text(name)
    for name in (name for name in WHOLE if record.has(name)):
        record.whole(name, 0, MOST_STEPS)
    for name in (name for name in OBJECTS if record.has(name)):
        record_of(record.get(name), f"{path}: {name}")
    for name in (name for name in ("codec", "view") if record.has(name)):
        _object(record, name)
    for line in records_in(record.items("history"), str(path), "history") if record.has("history") else []:
        _numbers(line)
    if record.has("losses") and not all(type(loss) in (int, float) for loss in record.items("losses")):
        raise record.wrong("losses", "must be numbers")
    return dict(record.fields)


def _weights(record: Record, name: str) -> None:
    value = record.get(name)
    if not isinstance(value, Mapping):
        raise record.wrong(name, f"must be names and tensors, not {shown(value)}")
    strange = next((key for key, one in value.items() if not (isinstance(key, str) and isinstance(one, Tensor))), None)
    if strange is not None:
        raise record.wrong(name, f"{shown(strange)} must be a tensor, not {type(value[strange]).__name__}")


def _normal(record: Record) -> None:
    if record.fields.keys() != {"mean", "std"}:
        raise record.wrong("mean and std", "must be there, and nothing else")
    for name in ("mean", "std"):
        value = record.fields[name]
        listed = Record(record.where, {name: list(value) if isinstance(value, tuple) else value})
        if name == "std" and listed.numbers(name, 3).min() <= 0:
            raise record.wrong(name, "must be three numbers above 0")
        listed.numbers(name, 3)


def _object(record: Record, name: str) -> None:
    try:
        value = json.loads(record.text(name))
    except (ValueError, RecursionError):
        raise record.wrong(name, "must be JSON") from None
    record_of(value, f"{record.where}: {name}")


def _numbers(line: Record) -> None:
    for name, value in line.fields.items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, int | float):
            raise line.wrong(shown(name), f"must be a number, not {shown(value)}")
