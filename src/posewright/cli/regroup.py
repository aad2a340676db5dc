"""The verb `regroup`, and under it `train` and `export` of what groups: the pose residual network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from posewright.cli.options import QUIET, Data, Split
from posewright.cli.score import SkeletonName


def regroup(
    predictions: Positional[Annotated[Path, arg(metavar="FILE", help="COCO results, of anybody's network", **QUIET)]],
    out: Annotated[Path, arg(metavar="FILE", help="the file of COCO results to write")],
    by: Annotated[
        Literal["prn", "tags", "affinity"],
        arg(
            help="prn: a pose residual network and boxes; tags, affinity: the results' own `tags` or `affinities`, "
            "which only the network that found the keypoints can tell"
        ),
    ] = "prn",
    model: Annotated[
        Path | None, arg(metavar="FILE", help="the pose residual network: exported (.onnx) or a checkpoint", **QUIET)
    ] = None,
    boxes: Annotated[
        Path | None,
        arg(
            metavar="FILE",
            help="boxes to fill, as COCO results with `bbox` and `score`; else the results' own",
            **QUIET,
        ),
    ] = None,
    box_score: Annotated[float, arg(metavar="SCORE", help="leave out boxes whose score is lower")] = 0.0,
    skeleton: SkeletonName = None,
) -> int:
    """Forget whose keypoints are whose, and group them anew; writes COCO results."""
    from posewright.verbs import regroup as grouping
    from posewright.verbs.score import skeleton_by

    before, after = grouping.regroup(
        predictions, by, out, model=model, boxes=boxes, box_score=box_score, skeleton=skeleton_by(skeleton)
    )
    print(f"{out}: {after} people, of the keypoints of {before}")
    return 0


def train(
    data: Data,
    out: Annotated[Path, arg(metavar="DIR", help="the folder of last.pt and log.jsonl")],
    split: Split = "train",
    nodes: Annotated[int, arg(metavar="N", help="of a hidden layer; the thesis has 50 to 2048")] = 1024,
    layers: Annotated[int, arg(metavar="N", help="hidden layers")] = 1,
    dropout: Annotated[float, arg(metavar="SHARE", help="of hidden nodes that are left out of a step")] = 0.5,
    residual: Annotated[bool, arg(help="add what the network is shown to what it says")] = True,
    epochs: Annotated[int, arg(metavar="N", help="passes over all people")] = 16,
    batch: Annotated[int, arg(metavar="N", help="people a step")] = 64,
    rate: Annotated[float, arg(metavar="RATE", help="Adam's")] = 1e-4,
    curriculum: Annotated[bool, arg(help="show every epoch's people from easy to hard")] = True,
    seed: Annotated[int, arg(metavar="N", help="of first weights, order and dropout")] = 0,
    resume: Annotated[bool, arg(help="go on from the last whole epoch")] = False,
) -> int:
    """Train a pose residual network on annotated keypoints and boxes; pictures are not looked at."""
    from posewright.datasets.truth import read_truth
    from posewright.train.residual import Course, Shape, train_prn

    def tell(line: dict[str, float]) -> None:
        print(f"epoch {line['epoch'] + 1:.0f} of {epochs}, loss {line['loss']:.6f}", flush=True)

    for name, value, least in (("nodes", nodes, 1), ("layers", layers, 1), ("epochs", epochs, 1), ("batch", batch, 1)):
        if value < least:
            raise ValueError(f"--{name} must be {least} or more, not {value}")
    if not (0 <= dropout < 1 and rate > 0):
        raise ValueError(f"--dropout must be 0 or more and below 1, --rate above 0, not {dropout} and {rate}")
    shape, course = Shape(nodes, layers, dropout, residual), Course(epochs, batch, rate, curriculum)
    print(train_prn(list(read_truth(data, split)), out, shape, course, seed, resume, tell))
    return 0


def export(
    checkpoint: Positional[
        Annotated[Path, arg(metavar="CHECKPOINT", help="last.pt of `regroup train`, or the authors'")]
    ],
    out: Annotated[Path, arg(metavar="FILE", help="the .onnx file to write")],
    int8: Annotated[bool, arg(help="store and compute all layers but the first in 8 bits")] = False,
    keypoints: Annotated[
        int, arg(metavar="N", help="how many keypoints the authors' file is of, which does not say so")
    ] = 17,
) -> int:
    """Export a pose residual network to ONNX, its first layer folded, with a check against torch."""
    from posewright.models.load import read
    from posewright.models.prn import loaded
    from posewright.skeleton import SKELETONS
    from posewright.train.export.residual import export_prn

    content = read(checkpoint)
    named = content.get("keypoints") if isinstance(content, dict) else None
    network, names = loaded(content, len(named) if isinstance(named, list | tuple) else keypoints, checkpoint)
    likely = next((skeleton.keypoints for skeleton in SKELETONS if len(skeleton) == network.keypoints), ())
    drift = export_prn(network, names or likely, out, int8)
    print(f"{out}: like torch, {drift:.2g} of the largest answer apart")
    return 0


UNDER: dict[str, Callable[..., int]] = {"train": train, "export": export}
"""The verbs under `regroup`, as in `posewright regroup train`; a file of these names is ./train."""


def under() -> str:
    """Say what grouping anew does, and what verbs stand under it."""
    said = "Forget whose keypoints are whose, and group them anew; writes COCO results."
    others = [f"posewright regroup {name}: {(verb.__doc__ or '').splitlines()[0]}" for name, verb in UNDER.items()]
    return "\n\n".join([said, *others])
