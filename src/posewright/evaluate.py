"""Evaluation: predict to disk, then score from disk.

Scoring never loads a network, so anybody's predictions file can be scored, and a number can be had again
from the files beside it.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from posewright.boxes import Detected, ranked
from posewright.datasets import coco
from posewright.estimate import Estimator
from posewright.files import write_whole
from posewright.metrics import Score, by_person, oks_ap, pck, pckh
from posewright.scene import Floats, Scene, each_person
from posewright.skeleton import Skeleton

Metric = Callable[[Sequence[Scene], Sequence[Scene]], dict[str, float]]


def predict(
    estimator: Estimator, scenes: Sequence[Scene], detected: Sequence[Sequence[Detected]] | None = None
) -> Iterator[Scene]:
    """Estimate people at the boxes annotated for them, in their order; crowds and the unlabelled are left out.

    Each answer keeps the box that it was asked for, by which it is scored against the right person. detected: the
    boxes of each scene to look at instead, by `ranked`. Raises ValueError for a person without a box.
    """
    boxes = [
        [_box(single) for single in each_person([scene])] if detected is None else [one.box for one in detected[place]]
        for place, scene in enumerate(scenes)
    ]
    for place, people in enumerate(estimator.many(scenes, boxes)):
        found = [replace(p, box=box) for p, box in zip(people, boxes[place], strict=True)]
        kept = found if detected is None else ranked(found, detected[place], estimator.skeleton)
        yield replace(scenes[place], people=tuple(kept))


def evaluate(
    estimator: Estimator,
    truth: Sequence[Scene],
    metric: Metric,
    out: Path,
    protocol: dict[str, Any],
    track: Callable[[Iterator[Scene]], Iterator[Scene]] = iter,
    detected: Sequence[Sequence[Detected]] | None = None,
) -> dict[str, float]:
    """Write `predictions.json` (COCO results) and `scores.json` (numbers and their protocol) into `out`.

    detected: boxes to look at in place of the annotated ones. track: wraps the scenes while they are predicted,
    to show progress. Returns the numbers. Raises ValueError where nobody is labelled.
    """
    if not each_person(truth):
        raise ValueError("nobody in these scenes is labelled, so there is nothing to score")
    out.mkdir(parents=True, exist_ok=True)
    coco.write_results(list(track(predict(estimator, truth, detected))), out / "predictions.json")
    return score(out / "predictions.json", truth, metric, out / "scores.json", protocol)


def score(
    predictions: Path, truth: Sequence[Scene], metric: Metric, out: Path, protocol: dict[str, Any]
) -> dict[str, float]:
    """Score a file of COCO results against scenes, and write the numbers with their protocol."""
    numbers = metric(coco.read_results(predictions, truth), truth)
    said = protocol | getattr(numbers, "protocol", {}) | versions()
    write_whole(out, json.dumps({"scores": dict(numbers), "protocol": said}, indent=2).encode())
    return numbers


def metric_for(truth: Sequence[Scene]) -> Metric:
    """Choose what is customary for a skeleton: PCK for LSP and FLIC, PCKh for MPII, OKS AP elsewhere."""
    customary: dict[str, Callable[..., Score]] = {"lsp": pck, "flic": pck, "mpii": pckh}
    name = truth[0].skeleton.name if truth else ""
    return by_person(customary[name]) if name in customary else oks_ap


def translated(scenes: Sequence[Scene], skeleton: Skeleton) -> list[Scene]:
    """Return scenes in the words of another skeleton, by name; keypoints it does not have are left out."""
    return [
        replace(scene, skeleton=skeleton, people=tuple(p.to(scene.skeleton, skeleton) for p in scene.people))
        for scene in scenes
    ]


def versions() -> dict[str, str]:
    """Name the software that a number was made with."""
    packages = ("posewright", "numpy", "opencv-python-headless", "onnxruntime")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def _box(single: Scene) -> Floats:
    box = single.people[0].box
    if box is None:
        raise ValueError(f"scene {single.id}: person {single.people[0].id} has no box to look at")
    return box
