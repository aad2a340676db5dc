"""Checks of an exported file before anything of it runs: what it says, its weights and its graph fit together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from posewright import fields as kinds
from posewright.codecs.codec import Codec, is_whole
from posewright.estimators.runtimes import metadata
from posewright.estimators.runtimes.graph import BYTES, Graph, Value, graph_of
from posewright.scene import SEEN, Person

LONGEST = 4096
"""px of a crop's side at most; more is damage."""
OUTPUT = re.compile(r"(\d{1,3})\.([A-Z]\w*)\.([a-z]\w*)")
"""An output's name: stage, class and field."""


def checked(path: Path) -> tuple[metadata.Facts, Graph]:
    """Read what an exported file says, and hold its graph and its weights against that; raises ModelFileError.

    What goes in must be pixels of the codec's size; what comes out must be fields that there are, and those of the
    last stage of the shape that the codec draws its targets in.
    """
    facts = metadata.facts(path)
    width, height = _size(path, facts.codec)
    graph = graph_of(path, facts.weights, facts.state)
    name, value = next(iter(graph.inputs.items()), ("nothing", Value(0, ())))
    if value.kind != BYTES or value.shape[1:] != (height, width, 3):
        raise metadata.ModelFileError(
            f"{path}: its input {name!r} is {value.shape[1:]}, but its codec's crops are ({height}, {width}, 3) bytes"
        )
    stages = _stages(path, graph)
    try:
        targets = _answer(facts.codec)
    except Exception as error:  # whatever a stranger's values make the codec stumble over
        raise metadata.ModelFileError(f"{path}: its codec draws no targets: {type(error).__name__}: {error}") from None
    for key, shape in stages[max(stages)].items():
        wanted = np.shape(getattr(targets, key, 0))[1:][-len(shape) :]
        if key == "tags":  # of which a person may have several
            shape, wanted = shape[1:], wanted[1:]
        if wanted and all(shape) and shape != wanted:
            raise metadata.ModelFileError(f"{path}: its {key} are {shape}, but its codec reads {wanted}")
    return facts, graph


def _size(path: Path, codec: Codec) -> tuple[int, int]:
    size: Any = codec.size
    if not (
        isinstance(size, tuple) and len(size) == 2 and all(type(side) is int and 0 < side <= LONGEST for side in size)
    ):
        raise metadata.ModelFileError(
            f"{path}: its codec's size must be a width and a height up to {LONGEST} px, not {size}"
        )
    return size


def _stages(path: Path, graph: Graph) -> dict[int, dict[str, tuple[int, ...]]]:
    """Return the shapes of the outputs, without the batch, by stage and field."""
    stages: dict[int, dict[str, tuple[int, ...]]] = {}
    classes: dict[int, str] = {}
    for name, value in graph.outputs.items():
        match = OUTPUT.fullmatch(name)
        kind: Any = getattr(kinds, match[2], None) if match else None
        if (
            not match
            or match[3] not in getattr(kind, "_fields", ())
            or classes.setdefault(int(match[1]), match[2]) != match[2]
        ):
            raise metadata.ModelFileError(f"{path}: its output {name[:80]!r} is no field that this posewright knows")
        stages.setdefault(int(match[1]), {})[match[3]] = value.shape[1:]
    lacking = [
        f"{stage}.{kind}.{key}"
        for stage, kind in classes.items()
        for key in getattr(kinds, kind)._fields
        if key not in stages[stage] and key not in getattr(kinds, kind)._field_defaults
    ]
    if lacking or not stages:
        raise metadata.ModelFileError(f"{path}: its outputs lack {', '.join(lacking[:3]) or 'everything'}")
    return stages


def _answer(codec: Codec) -> Any:
    """Return what a perfect network would say of somebody, or at least the target, which has the same shapes."""
    somebody = _anybody(codec)
    if not is_whole(codec):
        return codec.encode([somebody])
    target = codec.encode([[somebody]])
    return codec.perfect(target) if hasattr(codec, "perfect") else target


def _anybody(codec: Codec) -> Person:
    """Return somebody in the middle of the crop, to see which targets a codec draws."""
    count = len(codec.skeleton)
    middle = np.full((count, 2), [side / 2 for side in codec.size])
    return Person(middle, np.full(count, SEEN, np.uint8), box=np.array([0.0, 0.0, *codec.size]))
