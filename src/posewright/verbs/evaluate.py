"""Evaluation: predict to disk, then score from disk, by the very path that anybody's predictions take.

Scoring never loads a network, so anybody's predictions file can be scored, and a number can be had again
from the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from posewright.datasets import coco
from posewright.datasets.detections import Detected
from posewright.datasets.documents import write_json
from posewright.datasets.predictions import described
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.estimator import Estimator
from posewright.metrics.score import versions
from posewright.metrics.trust.plausibility import MEANT, other_form, sizes
from posewright.pieces import Share
from posewright.report.results import OF_PERSON, Result, Show, silent
from posewright.report.scores import write_results
from posewright.scene import Scene, each_person, translated
from posewright.verbs.kept import digest, kept, predicted
from posewright.verbs.score import chosen, score_file

EVERYBODY = "none: everybody who was found in the whole picture"
"""What the protocol says of boxes where none were told."""


def evaluate(
    estimator: Estimator,
    truth: Sequence[Scene],
    out: Path,
    metric: str | None = None,
    protocol: Mapping[str, str | int | float] | None = None,
    *,
    detected: Sequence[Sequence[Detected]] | None = None,
    draws: int = 2_000,
    seed: int = 0,
    track: Callable[[Iterator[Scene]], Iterator[Scene]] = iter,
    show: Show = silent,
    share: Share | None = None,
) -> Result:
    """Write predictions, what they are, numbers and a page into `out`; return the numbers.

    `predictions.json` has COCO results, `protocol.json` their keypoints and how they were made, which `score`
    reads, `scores.json` and `report.html` what `score` says of them: the same numbers, intervals and warnings.
    truth keeps its own keypoints; the estimator is asked about those that it knows. metric: names with commas
    between, None what the data set is scored by. protocol: what else is told of every number. detected: boxes to
    look at in place of the annotated ones. Without them a bottom-up estimator is told no boxes, and everybody whom it
    finds counts, unless a metric asks what is at each annotated box; the protocol says which. What is predicted is
    kept as it comes, and the same call goes on from there. track wraps the scenes while they are predicted, show tells
    what is scored. share: what does pieces of the work, as `pieces.shared` gives it for a cluster. Raises ValueError
    where nobody is labelled, for a name of no metric, or no keypoint in common.

    >>> found = evaluate(load(), read("lsp:lspet", "test"), Path("out"))  # doctest: +SKIP
    >>> found.scores["pck"]["PCK@0.2"]  # doctest: +SKIP
    0.672
    """
    if not each_person(truth):
        raise ValueError("nobody in these scenes is labelled, so there is nothing to score")
    names, said = chosen(metric, truth), dict(protocol or {})
    everybody = detected is None and isinstance(estimator, BottomUp) and not set(names) & set(OF_PERSON)
    if everybody:
        said["boxes"] = EVERYBODY
    out.mkdir(parents=True, exist_ok=True)
    asked = translated(truth, estimator.skeleton)
    own = estimator.protocol() if hasattr(estimator, "protocol") else {}
    of = {**own, **said, **versions(), "asked": digest(asked, detected)}
    with kept(out, of) as answers:
        coco.write_results(
            list(track(predicted(answers, estimator, asked, detected, everybody, share))), out / "predictions.json"
        )
        boxes = str(said.get("boxes", "annotation" if detected is None else "detected"))
        about = described(estimator.skeleton, boxes) | {"estimator": said, "versions": versions()}
        write_json(out / "protocol.json", about)
        result = score_file(out / "predictions.json", truth, names, draws, seed, show, said=said, share=share or map)
        result.warnings[:0] = [] if detected is None else _doubtful(truth, detected)
        name = str(said.get("data", "the truth"))
        write_results(out, name, [result], {}, draws, seed)
        answers.forget()
    return result


def _doubtful(truth: Sequence[Scene], detected: Sequence[Sequence[Detected]]) -> list[str]:
    """Say where detected boxes seem to be something else than the width and height that they were read as."""
    boxes = np.array([one.box for some in detected for one in some]).reshape(-1, 4)
    word, wrong = other_form(boxes, sizes(truth).repeat([len(some) for some in detected], axis=0))
    return [
        f"{wrong} of {len(boxes)} detected boxes leave their picture as x, y, width, height, and all would fit as "
        f"{MEANT[word]}; if that is what they are, say --box-form {word}"
        for word in [word] * bool(word)
    ]
