"""Diagnosing files: why anybody's predictions fail, as a page."""

from __future__ import annotations

from pathlib import Path

from posewright.report.diagnosis import write_diagnosis
from posewright.report.results import Show, silent
from posewright.verbs.score import predictions_of, skeleton_by, truth_of, with_sigmas


def diagnose(
    predictions: Path | str,
    truth: str | Path,
    out: Path | str,
    *,
    skeleton: str | None = None,
    sigmas: str | None = None,
    only_predicted: bool = False,
    split: str = "val",
    draws: int = 1_000,
    seed: int = 0,
    show: Show = silent,
) -> Path:
    """Write `report.html` and `diagnosis.json`, which say why predictions fail, into `out`; returns the page's path.

    Arguments and errors as of `score`; show tells what is being done.

    >>> diagnose("predictions.json", "annotations.json", "why")  # doctest: +SKIP
    PosixPath('why/report.html')
    """
    show("reading")
    path, own = Path(predictions), skeleton_by(skeleton)
    known = with_sigmas(truth_of(str(truth), split, own), sigmas)
    guesses, scenes, shared = predictions_of(path, known, own, only_predicted)
    return write_diagnosis(Path(out), path, str(truth), guesses, scenes, draws, seed, show, shared)
