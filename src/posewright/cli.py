"""The command line: one verb a function. Bad input is one line on standard error and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import field, fields, is_dataclass, make_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tyro
from tyro.conf import Positional, arg

from posewright.picture import PictureError

Model = Annotated[str, arg(help="`default`, an exported .onnx file, a recipe's checkpoint (.pt), or a URL of one")]
Data = Annotated[str, arg(help="a folder, or its kind and folder as in coco:DIR")]
Backend = Literal["auto", "onnxruntime", "openvino", "torch"]
Precision = Literal["fp32", "bf16"]

OVERRIDES = ("codec", "jitter", "phases", "batch", "weight_decay", "average")
"""What `posewright train RECIPE --codec.sigma 3` may change of a recipe."""


def demo(photos: Positional[tuple[Path, ...]] = (), out: Path = Path("posewright-demo")) -> int:
    """Draw a world, estimate its people, score them, attack them; write it all as a page to look at."""
    from posewright.demo import write_demo

    page = write_demo(out, photos)
    print(f"open {page}")
    return 0


def predict(
    inputs: Positional[tuple[str, ...]],
    out: Path = Path("out"),
    model: Model = "default",
    boxes: Path | None = None,
    flip: bool = False,
    backend: Backend = "auto",
    precision: Precision = "fp32",
) -> int:
    """Estimate the people in photographs, folders and videos; write COCO results and one overlay an input.

    boxes: a COCO results file with a `bbox` for each person; without it the estimator aims by itself at one
    person a picture. flip: average with the mirrored picture, at twice the cost.
    """
    from posewright.predict import predict_to

    return predict_to(out, inputs, _load(model, flip, backend, precision), boxes)


def evaluate(
    model: Positional[Model],
    data: Data,
    split: str = "test",
    out: Path = Path("out"),
    flip: bool = False,
    backend: Backend = "auto",
    precision: Precision = "fp32",
) -> int:
    """Predict a split at its annotated boxes, write the predictions, then score them from disk."""
    from rich.console import Console
    from rich.progress import track

    from posewright import datasets
    from posewright.evaluate import evaluate as to_disk
    from posewright.evaluate import metric_for, translated

    estimator = _load(model, flip, backend, precision)
    truth = translated(datasets.read(data, split), estimator.codec.skeleton)
    protocol = estimator.protocol() | {"data": data, "split": split, "boxes": "annotation"}
    scores = to_disk(estimator, truth, metric_for(truth), out, protocol,
                     lambda scenes: iter(track(scenes, "predicting", len(truth), console=Console(stderr=True))))  # fmt: skip
    for name, value in scores.items():
        print(f"{name:32} {value:.4f}")
    print(f"protocol and numbers: {out / 'scores.json'}")
    return 0


def list_recipes() -> int:
    """List the recipes by name."""
    from posewright.recipes import RECIPES

    for recipe in RECIPES:
        print(f"{recipe.name:28} {recipe.summary}")
    return 0


def show(name: Positional[str]) -> int:
    """Show a recipe: its paper, its parts, and the numbers that were reported."""
    from rich.pretty import pprint

    from posewright.recipes import recipe_named

    pprint(recipe_named(name), expand_all=False)
    return 0


def draw(
    what: Positional[str],
    out: Path,
    count: int = 24,
    seed: int = 0,
    split: str = "val",
) -> int:
    """Draw the world (`draw world`: pictures, COCO JSON and a contact sheet) or the truth of a data set."""
    from posewright.gallery import draw_data, draw_world

    print(draw_world(out, count, seed) if what == "world" else draw_data(what, split, out, count))
    return 0


def export(checkpoint: Positional[Path], out: Path, data: Data | None = None) -> int:
    """Export a checkpoint to ONNX, with its codec, its card and a check against torch."""
    from posewright.export.checkpoint import export_checkpoint

    print(export_checkpoint(checkpoint, out, data))
    return 0


def train(arguments: Sequence[str]) -> int:
    """Train a recipe: `posewright train RECIPE --data DIR`, resumable with --resume."""
    from posewright.recipes import recipe_named

    if not arguments or arguments[0].startswith("-"):
        raise ValueError("say which recipe: posewright train RECIPE --data DIR; `posewright list` names them")
    recipe = recipe_named(arguments[0])
    from posewright.train import MACHINE, Machine, first_weights
    from posewright.train import train as run

    overrides = _changeable(recipe, [name for name in OVERRIDES if name in recipe.__dataclass_fields__])
    options = make_dataclass(
        "Train",
        [
            ("data", str),
            ("out", Path, Path("runs") / recipe.name),
            ("seed", int, 0),
            ("resume", bool, False),
            ("start", str | None, None),
            ("machine", Machine, MACHINE),
            *overrides,
        ],
        namespace={"__doc__": f"Train {recipe.name}: {recipe.summary}."},
    )
    chosen = tyro.cli(options, args=list(arguments[1:]), prog=f"posewright train {recipe.name}")
    changed = replace(recipe, **{name: _merged(getattr(recipe, name), getattr(chosen, name)) for name, *_ in overrides})
    start = first_weights(chosen.start, changed) if chosen.start else None
    print(run(changed, chosen.data, chosen.out, chosen.seed, chosen.resume, start, chosen.machine))
    return 0


def _changeable(value: Any, names: Sequence[str]) -> list[tuple[str, Any, Any]]:
    """The fields of a frozen value as fields of a form, with the value's own as defaults; skeletons are left out."""
    hints = get_type_hints(type(value))
    form: list[tuple[str, Any, Any]] = []
    for name in names:
        current = getattr(value, name)
        if name == "codec":
            parts = _changeable(current, [f.name for f in fields(current) if f.name != "skeleton"])
            kind = make_dataclass(type(current).__name__, parts, frozen=True)
            form.append((name, kind, field(default=kind())))
        else:
            form.append((name, hints[name], field(default=current)))
    return form


def _merged(value: Any, chosen: Any) -> Any:
    """Take over what was chosen in a form that shows only some of a value's fields."""
    if is_dataclass(value) and not isinstance(value, type) and type(chosen) is not type(value):
        return replace(value, **{f.name: getattr(chosen, f.name) for f in fields(chosen)})
    return chosen


def _load(model: str, flip: bool, backend: Backend, precision: Precision) -> Any:
    import posewright

    return posewright.load(model, flip=flip, backend=backend, precision=precision)


VERBS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "predict": predict,
    "evaluate": evaluate,
    "export": export,
    "list": list_recipes,
    "show": show,
    "draw": draw,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["train"]:
            return train(given[1:])
        return int(tyro.extras.subcommand_cli_from_dict(VERBS | {"train": _train_help}, args=given, prog="posewright"))
    except (ValueError, KeyError, PictureError, OSError, ImportError) as error:
        print(f"posewright: {error.args[0] if isinstance(error, KeyError) else error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("posewright: interrupted", file=sys.stderr)
        return 130


def _train_help(recipe: Positional[str], data: Data) -> int:
    """Train a recipe; `posewright train RECIPE --help` shows all that can be changed."""
    return train([recipe, "--data", data])
