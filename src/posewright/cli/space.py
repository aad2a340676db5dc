"""The verbs `lift` and `label`: people in space from one picture, and labels to learn that from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from posewright.cli.options import QUIET, Data, Flip, Model, Out, RecipeFile, Split

Named = Annotated[
    str, arg(metavar="MODEL", help="an exported network (.onnx), or a checkpoint (.pt), that tells depths")
]


def lift(
    photos: Positional[Annotated[tuple[Path, ...], arg(metavar="PHOTO ...", help="photographs", **QUIET)]],
    model: Named,
    out: Out = Path("out"),
    flip: Flip = False,
    recipe: RecipeFile = None,
    box: Annotated[
        tuple[float, float, float, float] | None,
        arg(metavar="X0 Y0 X1 Y1", help="px around the person meant; without it one is looked for", **QUIET),
    ] = None,
) -> int:
    """Lift the people of photographs into space, and draw them from three sides."""
    from posewright import load
    from posewright.verbs.lift_to import lift_to

    if not photos:
        raise ValueError("name at least one photograph")
    estimator = load(model, flip=flip, recipe=recipe)
    print("\n".join(lift_to(out, photos, estimator, None if box is None else [box])))
    return 0


def label(
    data: Positional[Data],
    model: Model,
    out: Annotated[Path, arg(metavar="FILE", help="the .npz of labels to write, as h36m/labels_ss.npz")],
    split: Split = "train",
    without_r: Annotated[bool, arg(help="find where the cameras stand from the people, instead of being told")] = False,
    weighted: Annotated[bool, arg(help="use all views that agree, and weigh labels by their covariance")] = False,
    length: Annotated[
        float, arg(metavar="MM", help="without R: what a person's limbs add up to, for the size")
    ] = 4000.0,
    recipe: RecipeFile = None,
) -> int:
    """Label several cameras' pictures in space by a 2D network and geometry, for training without 3D truth."""
    from rich.console import Console
    from rich.progress import track

    from posewright import datasets, load
    from posewright.verbs.label import label_to

    estimator = load(model, recipe=recipe)
    scenes = datasets.read(data, split)
    how = f"cameras {'found' if without_r else 'known'}, {'weighted' if weighted else 'vector median'}"
    made_by = f"{model} on {data}, {split}; {how}"
    line = label_to(
        out, scenes, estimator, made_by, known=not without_r, weighted=weighted, length=length,
        shown=lambda items: track(items, "predicting", len(scenes), console=Console(stderr=True), transient=True),
    )  # fmt: skip
    print(line)
    return 0
