"""The verb `quantize`: a network in int8, with what that loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from posewright.cli.options import Data, Draws, Model, RecipeFile, Run, Seed, Split

if TYPE_CHECKING:
    from posewright.verbs.losses import Loss


def quantize(
    model: Positional[Model],
    data: Data,
    out: Annotated[Path, arg(metavar="FILE", help="the .onnx file to write")],
    split: Split = "val",
    bound: Annotated[
        float, arg(metavar="POINTS", help="of AP or PCK: where int8 loses more, nothing is written (exit code 2)")
    ] = 1.0,
    calibrate: Annotated[int, arg(metavar="N", help="people whose pictures set the ranges, a third at most")] = 64,
    people: Annotated[int, arg(metavar="N", help="others on whom the loss is measured, at most")] = 500,
    backend: Run = "auto",
    recipe: RecipeFile = None,
    draws: Draws = 2_000,
    seed: Seed = 0,
) -> int:
    """Write a network in int8, calibrated on your pictures, and tell what it loses on others of them.

    Both are shown as they are and occluded. The network is an exported one, which needs no PyTorch, or a checkpoint.
    """
    from rich.console import Console

    from posewright.cli.score import WIDTH, shown, table
    from posewright.verbs.quantize import Plan
    from posewright.verbs.quantize import quantize as to_file

    plan = Plan(calibrate, people, bound, draws, seed)
    with shown() as show:
        found = to_file(model, data, out, split, plan, recipe=recipe, backend=backend, show=show)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table(f"{found.number} of {found.people} people", rows_of(found.losses)))
    (before, after), (large, small) = found.seconds, found.size
    what = "picture" if found.losses[0].px != found.losses[0].px else "crop"
    print(
        f"{out}: {small / 1e6:.1f} MB for {large / 1e6:.1f}, {1e3 * after:.1f} ms of the CPU a {what} for "
        f"{1e3 * before:.1f}"
    )
    return 0


def rows_of(losses: list[Loss]) -> list[list[str]]:
    """Return a row for each way in which people were shown, headings first."""
    from posewright.report.tables import ends, spoken

    head = ["shown", "fp32", "int8", "int8 - fp32", "95% interval", "px moved", "ECE fp32", "ECE int8"]
    return [
        head,
        *(
            [loss.shown, spoken(loss.before), spoken(loss.after), f"{loss.change.value:+.4f}", ends(loss.change),
             "-" if loss.px != loss.px else f"{loss.px:.2f}", *map(spoken, loss.ece)]
            for loss in losses
        ),
    ]  # fmt: skip
