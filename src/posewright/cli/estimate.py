"""The verbs `predict` and `evaluate`: a network asked about files, and about a split of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional, arg

from posewright.cli.options import (
    QUIET,
    Cluster,
    Data,
    Draws,
    Flip,
    MetricNames,
    Model,
    Out,
    Precision,
    RecipeFile,
    Run,
    Scales,
    Seed,
    Sigmas,
    Split,
)

BoxScore = Annotated[float, arg(metavar="SCORE", help="leave out boxes whose score is lower")]
BoxOverlap = Annotated[
    float, arg(metavar="IOU", help="of two boxes that overlap by it, leave out the one with the lower score")
]
Form = Annotated[
    Literal["sizes", "corners", "centres"],
    arg(
        metavar="FORM",
        help="what `bbox` in the boxes' file is: x, y, width, height (sizes), x, y, x, y (corners), or the centre's x, "
        "y, width, height (centres)",
    ),
]
Format = Annotated[
    Literal["coco", "csv", "openpose", "yolo"],
    arg(metavar="FORMAT", help="write CSV, OpenPose's JSON or YOLO's labels beside the COCO results"),
]
Inputs = Positional[
    Annotated[tuple[str, ...], arg(metavar="PATH ...", help="photographs, folders and videos", **QUIET)]
]
PeoplesBoxes = Annotated[
    Path | None,
    arg(
        metavar="FILE",
        help="a box for each person, as COCO results with a `bbox` or as COCO annotations; without it the "
        "embedded detector finds everybody",
        **QUIET,
    ),
]
DetectorName = Annotated[
    str | None,
    arg(
        metavar="NAME",
        help="what finds people where no boxes are given, in the embedded detector's place: an exported network "
        "(.onnx), or a detector of transformers by its name on the hub or its folder",
        **QUIET,
    ),
]
Single = Annotated[bool, arg(help="search for one person a picture, without a detector")]
Start = Annotated[float, arg(metavar="S", help="of a video, the second to begin at")]
End = Annotated[float | None, arg(metavar="S", help="of a video, the second to end before", **QUIET)]
Stride = Annotated[int, arg(metavar="N", help="of a video, look at every N-th frame")]
Smooth = Annotated[bool, arg(help="smooth people of videos in time; written beside, as smoothed.json, and drawn")]
Overlays = Annotated[Literal["poses", "boxes", "none"], arg(help="what is drawn: poses, poses and boxes, or nothing")]
Least = Annotated[float, arg(metavar="SCORE", help="draw no keypoint of a lower score")]
Width = Annotated[int | None, arg(metavar="PX", help="of lines; without it, by a person's size", **QUIET)]


def predict(
    inputs: Inputs,
    out: Out = Path("out"),
    model: Model = "pose",
    boxes: PeoplesBoxes = None,
    box_score: BoxScore = 0.3,
    box_overlap: BoxOverlap = 0.65,
    box_form: Form = "sizes",
    format: Format = "coco",
    flip: Flip = False,
    backend: Run = "auto",
    precision: Precision = "fp32",
    recipe: RecipeFile = None,
    scales: Scales = (),
    detector: DetectorName = None,
    single: Single = False,
    start: Start = 0.0,
    end: End = None,
    stride: Stride = 1,
    smooth: Smooth = False,
    overlays: Overlays = "poses",
    least: Least = 0.0,
    width: Width = None,
    cluster: Cluster = None,
) -> int:
    """Estimate the people in photographs, folders and videos; write COCO results and one overlay an input."""
    from posewright import load
    from posewright.datasets.videos import Clip
    from posewright.pieces import shared
    from posewright.verbs.overlays import Style
    from posewright.verbs.predict import predict_to

    if stride < 1 or start < 0 or (end is not None and end <= start) or (width is not None and width < 1):
        raise ValueError("--start must not be below 0, --end must lie behind it, --stride and --width be 1 or more")
    own = detector if detector is not None and detector.endswith(".onnx") else None
    hub = None if own else detector
    estimator: Any = load(
        model,
        flip=flip,
        backend=backend,
        precision=precision,
        recipe=recipe,
        scales=scales or (1.0,),
        single=single,
        detector=own,
    )
    if hub is not None:
        from posewright.estimators.adapters import detector as detectors

        estimator = detectors.load(hub, estimator)
    with shared(cluster) as share:
        return predict_to(
            out, inputs, estimator, boxes, box_score, box_overlap, format, told_apart(model, recipe, detector),
            box_form, clip=Clip(start, end, stride), style=Style(overlays == "boxes", least, width, overlays == "none"),
            smooth=smooth, share=None if cluster is None else share,
        )  # fmt: skip


def told_apart(*names: str | None) -> dict[str, Any]:
    """Say what an estimator's protocol does not: the names it was asked for by, and the hashes of users' files."""
    from posewright.files import sha256_of

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
    scales: Scales = (),
    boxes: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="a detector's boxes, as COCO results with `bbox` and `score`, in place of the annotated ones; people "
            "are then ranked and suppressed as HRNet's protocol does",
            **QUIET,
        ),
    ] = None,
    box_score: BoxScore = 0.0,
    box_overlap: BoxOverlap = 1.0,
    box_form: Form = "sizes",
    metric: MetricNames = None,
    sigmas: Sigmas = None,
    draws: Draws = 2_000,
    seed: Seed = 0,
    cluster: Cluster = None,
) -> int:
    """Predict a split at its annotated boxes or a detector's, write the predictions, then score them from disk.

    A bottom-up network is told no boxes unless --boxes names some: everybody whom it finds counts.
    """
    from rich.console import Console
    from rich.progress import track

    from posewright import datasets, load
    from posewright.cli.score import check, print_results, print_where, shown
    from posewright.datasets.detections import boxes_by_scene, read_boxes
    from posewright.pieces import shared
    from posewright.verbs.evaluate import evaluate as to_disk
    from posewright.verbs.score import with_sigmas

    def counted(scenes: Iterator[Any]) -> Iterator[Any]:
        return iter(track(scenes, "predicting", len(truth), console=Console(stderr=True), transient=True))

    check(draws, out)
    estimator = load(model, flip=flip, backend=backend, precision=precision, recipe=recipe, scales=scales or (1.0,))
    truth = with_sigmas(datasets.read(data, split), sigmas)
    detected = None
    if boxes is not None:
        found = read_boxes(boxes, box_score, box_overlap, box_form)
        detected = boxes_by_scene(truth, found, boxes)
    looked = "annotation" if boxes is None else f"{boxes}, score >= {box_score:g}, overlap < {box_overlap:g}"
    protocol = estimator.protocol() | {"model": model, "data": data, "split": split, "boxes": looked}
    if detected is not None:
        protocol["ranked by"] = "box score x mean of keypoint scores above 0.2; OKS suppression at 0.9"
    with shown() as show, shared(cluster) as share:
        result = to_disk(
            estimator, truth, out, metric, protocol, detected=detected, draws=draws, seed=seed, track=counted,
            show=show, share=None if cluster is None else share,
        )  # fmt: skip
    print_results([result], {})
    print_where(out)
    return 0
