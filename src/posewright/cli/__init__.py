"""The command line: one verb a function. Bad input is one line on standard error and exit code 2."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.conf import Positional, arg

from posewright.cli.app import app
from posewright.cli.errors import CLOSED, lasting_output, line_of, theirs, told
from posewright.cli.estimate import evaluate, predict
from posewright.cli.evolve import evolve
from posewright.cli.models import list_recipes
from posewright.cli.multiview import MULTIVIEW
from posewright.cli.occlude import about, occlude
from posewright.cli.occlude_compare import compare
from posewright.cli.occlude_export import export as export_occluded
from posewright.cli.occlude_export import score as score_occluded
from posewright.cli.occlude_worst import worst
from posewright.cli.options import QUIET, Data, Model, Out, RecipeFile, Split
from posewright.cli.parsing import later, parsed
from posewright.cli.quantize import quantize
from posewright.cli.regroup import UNDER, regroup, under
from posewright.cli.score import diagnose, score
from posewright.cli.space import label, lift
from posewright.text import did_you_mean

OCCLUDE: dict[str, Callable[..., int]] = {
    "export": export_occluded,
    "score": score_occluded,
    "compare": compare,
    "worst": worst,
}
"""The verbs under `occlude`, as in `posewright occlude export`."""
Count = Annotated[int, arg(metavar="N", help="how many pictures")]


def demo(
    photos: Positional[
        Annotated[tuple[Path, ...], arg(metavar="[PHOTO ...]", help="photographs of yours", **QUIET)]
    ] = (),
    out: Out = Path("posewright-demo"),
    model: Model = "pose",
) -> int:
    """Draw a world, estimate its people, score them, attack them; write it all as a page to look at."""
    from posewright import TopDown, load
    from posewright.demo import write_demo

    estimator: Any = load(model)
    if not isinstance(estimator, TopDown):
        raise ValueError(f"{model}: the demo shows networks of posewright's own; predict and evaluate take any")
    print(f"open {write_demo(out, estimator, photos)}")
    return 0


def export(
    checkpoint: Positional[Annotated[Path, arg(metavar="CHECKPOINT", help="runs/NAME/last.pt of a training")]],
    out: Annotated[Path, arg(metavar="FILE", help="the .onnx file to write")],
    data: Annotated[
        str | None, arg(metavar="DIR", help="real pictures to compare and calibrate on, beside synthetic ones", **QUIET)
    ] = None,
    recipe: RecipeFile = None,
    half: Annotated[bool, arg(help="store the weights in half precision, in half the space", **QUIET)] = False,
) -> int:
    """Export a checkpoint to ONNX, with its codec, its card and a check against torch."""
    from posewright.train.export.checkpoint import export_checkpoint
    from posewright.verbs.load import recipe_by

    by = None if recipe is None else recipe_by(recipe)
    drift = export_checkpoint(checkpoint, out, data, by, half)
    px = "no keypoint was confident" if drift.px_max is None else f"at most {drift.px_max:.2g} px"
    print(f"{out}: like torch on {drift.pictures} pictures, {px} and {drift.score:.2g} of score apart")
    return 0


def show(
    name: Positional[Annotated[str, arg(metavar="RECIPE", help="a recipe's name, my_file.py:my_recipe, or a .onnx")]],
) -> int:
    """Show a recipe: its paper, its parts, its schedule and the numbers that were reported."""
    from posewright.cli.show import show_it

    show_it(name)
    return 0


def draw(
    what: Positional[Annotated[str, arg(metavar="WHAT", help="`world`, or a data set's folder as in coco:DIR")]],
    out: Out,
    count: Count = 24,
    seed: Annotated[int, arg(metavar="N", help="of the world; the same seed gives the same bytes")] = 0,
    split: Split = "val",
    views: Annotated[
        int | None, arg(metavar="N", help="film one person of the world by so many cameras", **QUIET)
    ] = None,
    motion: Annotated[
        Path | None, arg(metavar="FILE.npz", help="recorded poses that they film, in place of a made-up walk", **QUIET)
    ] = None,
    cameras: Annotated[
        str | None, arg(metavar="CALIB", help="a calibration whose cameras film, in place of a ring", **QUIET)
    ] = None,
) -> int:
    """Draw the synthetic world as PNGs and COCO JSON, or a data set's truth, with a sheet to look at."""
    if (views is None and (motion or cameras)) or (views is not None and what != "world"):
        raise ValueError("--motion and --cameras go with --views, and --views with `world`")
    from posewright.report.gallery import draw_data, draw_world

    if count < 1:
        raise ValueError(f"--count must be 1 or more, not {count}")
    if views is not None:
        from posewright.multiview.world import draw_capture

        print(draw_capture(out, views, count, motion, seed, cameras))
        return 0
    print(draw_world(out, count, seed) if what == "world" else draw_data(what, split, out, count))
    return 0


def train(
    recipe: Positional[Annotated[str, arg(metavar="RECIPE", help="a recipe's name, or my_file.py:my_recipe")]],
    data: Data,
) -> int:
    """Train a recipe; `posewright train RECIPE --help` shows its options, `--help-all` all that can be changed."""
    return _train([recipe, "--data", data])


def _train(arguments: Sequence[str]) -> int:
    """Train a recipe with whatever else is said of it."""
    from posewright.verbs import load as named

    recipe = named.recipe_by(arguments[0])
    from posewright.cli.form import changed, form_of, start
    from posewright.recipes.own import folder_of
    from posewright.train import first_weights
    from posewright.train import train as run

    short = "--help" in arguments or "-h" in arguments
    given = ["--help" if one == "--help-all" else one for one in arguments[1:]]
    chosen: Any = parsed(form_of(recipe, whole=not short), given, f"posewright train {arguments[0]}")
    recipe = changed(recipe, chosen)
    weights = first_weights(start(chosen.start), recipe) if chosen.start else None
    print(run(recipe, folder_of(chosen.data), chosen.out, chosen.seed, chosen.resume, weights, chosen.machine))
    return 0


def _occlude(arguments: Sequence[str]) -> int:
    """Run the study, or the verb under `occlude` that is named first."""
    name = next(iter(arguments), "")
    if name in OCCLUDE:
        return int(parsed(later(OCCLUDE[name]), arguments[1:], f"posewright occlude {name}")())
    if name and not name.startswith("-"):
        close = did_you_mean(name, OCCLUDE)
        raise ValueError(f"no verb {name!r} under occlude{close or ';'} there are {', '.join(OCCLUDE)}")
    return int(parsed(later(occlude), arguments, "posewright occlude", about(OCCLUDE))())


def multiview() -> int:
    """Several cameras of one scene: check, calibrate, sync, triangulate, explain, convert."""
    return _multiview(["--help"])


def _multiview(arguments: Sequence[str]) -> int:
    """Run the verb under `multiview` that is named first."""
    name = next(iter(arguments), "--help")
    if name in MULTIVIEW:
        return int(parsed(later(MULTIVIEW[name]), arguments[1:], f"posewright multiview {name}")())
    if not name.startswith("-"):
        close = did_you_mean(name, MULTIVIEW)
        raise ValueError(f"no verb {name!r} under multiview{close or ';'} there are {', '.join(MULTIVIEW)}")
    return _help(MULTIVIEW, "posewright multiview", CAMERAS, arguments or ["--help"])


CAMERAS = "Several cameras of one scene: points that say how sure they are, and why any is missing."
ABOUT = (
    "Human pose estimation, and how it breaks under occlusion. `posewright VERB --help` says what a verb can be told, "
    "`posewright --version` which version this is."
)
VERBS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "app": app,
    "predict": predict,
    "lift": lift,
    "label": label,
    "train": train,
    "evolve": evolve,
    "evaluate": evaluate,
    "score": score,
    "diagnose": diagnose,
    "regroup": regroup,
    "occlude": occlude,
    "export": export,
    "quantize": quantize,
    "list": list_recipes,
    "show": show,
    "draw": draw,
    "multiview": multiview,
}


def run() -> int:
    """Run the command line as a process of its own; returns the exit code.

    What is imported lives as long as the process, so the garbage collector need not look at it, neither on the way nor
    at the end, where that takes a tenth of a short command.
    """
    gc.freeze()
    code = main()
    gc.freeze()
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    with told():
        return _caught(given)


def _caught(given: list[str]) -> int:
    """Run a verb; what goes wrong is one line, and an exit code."""
    try:
        with lasting_output() as output:
            code = _run(given)
        return CLOSED if output.closed_early else code
    except (ValueError, KeyError, OSError, ImportError, RuntimeError) as error:
        return _fail(theirs(error, given) or line_of(error))
    except MemoryError:
        return _fail("there is not enough memory for this")
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        print("posewright: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        said = theirs(error, given)
        if not said:
            raise
        return _fail(said)


def _run(given: Sequence[str]) -> int:
    """Run the verb that is named first."""
    name = given[0]
    if name == "--version":
        from importlib.metadata import version

        print(f"posewright {version('posewright')}")
        return 0
    if name not in VERBS and not name.startswith("-"):
        raise ValueError(f"no verb {name!r}{did_you_mean(name, VERBS) or ';'} there are {', '.join(VERBS)}")
    if name == "train" and len(given) > 1 and not given[1].startswith("-"):
        return _train(given[1:])
    if name == "occlude":
        return _occlude(given[1:])
    if name == "regroup":
        known = next((verb for verb in given[1:2] if verb in UNDER), "")
        verb, prog = (UNDER[known], f"posewright regroup {known}") if known else (regroup, "posewright regroup")
        return int(parsed(later(verb), given[1 + bool(known) :], prog, "" if known else under())())
    if name == "multiview":
        return _multiview(given[1:])
    if name in VERBS:
        return int(parsed(later(VERBS[name]), given[1:], f"posewright {name}")())
    return _help(VERBS, "posewright", ABOUT, given)


def _help(verbs: Mapping[str, Callable[..., int]], prog: str, about: str, given: Sequence[str]) -> int:
    """Show what verbs there are, or what is wrong with an option that stands before any."""
    if given and given[0] not in ("-h", "--help"):
        raise ValueError(f"no such option before a verb: {given[0]}; options stand behind it, as in {prog} VERB --help")
    forms = {name: later(verb) for name, verb in verbs.items()}
    tyro.extras.subcommand_cli_from_dict(forms, prog=prog, description=about, args=list(given))
    return 0


def _fail(line: str) -> int:
    print(f"posewright: {line}", file=sys.stderr)
    return 2
