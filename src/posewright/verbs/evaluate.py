"""Evaluation: predict to disk, then score from disk.

Scoring never loads a network, so anybody's predictions file can be scored, and a number can be had again
from the files beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from posewright.datasets import coco
from posewright.datasets.detections import Detected
from posewright.estimators.estimator import Estimator
from posewright.files import write_whole
from posewright.metrics.customary import Metric
from posewright.metrics.score import versions
from posewright.scene import Scene, each_person
from posewright.verbs.kept import digest, kept, predicted


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
    to show progress. What is predicted is kept as it comes, and the same call goes on from there. Returns the
    numbers. Raises ValueError where nobody is labelled.

    >>> evaluate(load(), read("lsp:lspet", "test"), pck, Path("out"), {})["PCK@0.2"]  # doctest: +SKIP
    0.672
    """
    if not each_person(truth):
        raise ValueError("nobody in these scenes is labelled, so there is nothing to score")
    out.mkdir(parents=True, exist_ok=True)
    of = {**protocol, **versions(), "asked": digest(truth, detected)}
    with kept(out, of) as answers:
        coco.write_results(list(track(predicted(answers, estimator, truth, detected))), out / "predictions.json")
        numbers = score(out / "predictions.json", truth, metric, out / "scores.json", protocol)
        answers.forget()
    return numbers


def score(
    predictions: Path, truth: Sequence[Scene], metric: Metric, out: Path, protocol: dict[str, Any]
) -> dict[str, float]:
    """Score a file of COCO results against scenes, and write the numbers with their protocol."""
    numbers = metric(coco.read_results(predictions, truth), truth)
    said = protocol | getattr(numbers, "protocol", {}) | versions()
    write_whole(out, json.dumps({"scores": dict(numbers), "protocol": said}, indent=2).encode())
    return numbers
