"""The verbs `predict` and `evaluate`: a network asked about files, and about a split of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from posewright.cli.options import QUIET, Data, Flip, Model, Out, Precision, RecipeFile, Run, Split


def predict(
    inputs: Positional[
        Annotated[tuple[str, ...], arg(metavar="PATH ...", help="photographs, folders and videos", **QUIET)]
    ],
    out: Out = Path("out"),
    model: Model = "default",
    boxes: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="a box for each person, as COCO results with a `bbox` or as COCO annotations; without it the "
            "estimator aims by itself, at one person a picture",
            **QUIET,
        ),
    ] = None,
    flip: Flip = False,
    backend: Run = "auto",
    precision: Precision = "fp32",
    recipe: RecipeFile = None,
    detector: Annotated[
        str | None,
        arg(
            metavar="NAME",
            help="a detector of transformers, by its name on the hub or its folder, that finds people where no boxes "
            "are given",
            **QUIET,
        ),
    ] = None,
) -> int:
    """Estimate the people in photographs, folders and videos; write COCO results and one overlay an input."""
    from posewright import load
    from posewright.verbs.predict import predict_to

    estimator = load(model, flip=flip, backend=backend, precision=precision, recipe=recipe)
    if detector is not None:
        from posewright.estimators.adapters import detector as detectors

        estimator = detectors.load(detector, estimator)
    return predict_to(out, inputs, estimator, boxes, told_apart(model, recipe, detector))


def told_apart(*names: str | None) -> dict[str, Any]:
    """Say what an estimator's protocol does not: the names it was asked for by, and the hashes of users' files."""
    from posewright.estimators.weights import sha256_of

    files = [Path(str(name).rpartition(":")[0]) for name in names if name and ".py:" in name]
    return {"named": [str(name) for name in names], "files": [sha256_of(file) for file in files if file.is_file()]}


def evaluate(
    model: Positional[Model],
    data: Data,
    split: Split = "test",
    out: Out = Path("out"),
    flip: Flip = False,
    backend: Run = "auto",
    precision: Precision = "fp32",
    recipe: RecipeFile = None,
    boxes: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="a detector's boxes, as COCO results with `bbox` and `score`, in place of the annotated ones; people "
            "are then ranked and suppressed as HRNet's protocol does",
            **QUIET,
        ),
    ] = None,
    box_score: Annotated[float, arg(metavar="SCORE", help="leave out boxes whose score is lower")] = 0.0,
    box_overlap: Annotated[
        float, arg(metavar="IOU", help="of two boxes that overlap by it, leave out the one with the lower score")
    ] = 1.0,
) -> int:
    """Predict a split at its annotated boxes or a detector's, write the predictions, then score them from disk."""
    from rich.console import Console
    from rich.progress import track

    from posewright import datasets, load
    from posewright.datasets.detections import boxes_by_scene, read_boxes
    from posewright.metrics.customary import metric_for
    from posewright.scene import translated
    from posewright.verbs.evaluate import evaluate as to_disk

    def shown(scenes: Iterator[Any]) -> Iterator[Any]:
        return iter(track(scenes, "predicting", len(truth), console=Console(stderr=True), transient=True))

    estimator = load(model, flip=flip, backend=backend, precision=precision, recipe=recipe)
    read = datasets.read(data, split)
    metric = metric_for(read)
    truth = translated(read, estimator.skeleton)
    detected = None if boxes is None else boxes_by_scene(read, read_boxes(boxes, box_score, box_overlap), boxes)
    looked = "annotation" if boxes is None else f"{boxes}, score >= {box_score:g}, overlap < {box_overlap:g}"
    protocol = estimator.protocol() | {"model": model, "data": data, "split": split, "boxes": looked}
    if detected is not None:
        protocol["ranked by"] = "box score x mean of keypoint scores above 0.2; OKS suppression at 0.9"
    for name, value in to_disk(estimator, truth, metric, out, protocol, shown, detected).items():
        print(f"{name:32} {value:.4f}")
    print(f"with their protocol in {out / 'scores.json'}")
    return 0
