"""The verb `quantize`: a network in int8, with what that loses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from posewright.cli.options import Data, RecipeFile, Split

if TYPE_CHECKING:
    from posewright.verbs.losses import Loss


def quantize(
    model: Positional[
        Annotated[
            str,
            arg(
                metavar="NETWORK",
                help="`pose` or `default`, the embedded ones; an exported network (.onnx), a checkpoint (.pt), a URL "
                "of either, or a recipe's name, which means its runs/NAME/last.pt",
            ),
        ]
    ],
    data: Data,
    out: Annotated[Path, arg(metavar="FILE", help="the .onnx file to write")],
    split: Split = "val",
    bound: Annotated[
        float, arg(metavar="POINTS", help="of AP or PCK: where int8 loses more, nothing is written (exit code 2)")
    ] = 1.0,
    calibrate: Annotated[int, arg(metavar="N", help="people whose pictures set the ranges, a third at most")] = 64,
    people: Annotated[int, arg(metavar="N", help="others on whom the loss is measured, at most")] = 500,
    backend: Annotated[
        Literal["auto", "onnxruntime", "openvino"], arg(help="what runs both networks; auto is openvino where it is")
    ] = "auto",
    recipe: RecipeFile = None,
    draws: Annotated[int, arg(metavar="N", help="how often the pictures are drawn anew for the interval")] = 2_000,
    seed: Annotated[int, arg(metavar="N", help="of who calibrates and who judges, of occlusion and draws")] = 0,
) -> int:
    """Write a network in int8, calibrated on your pictures, and tell what it loses on others of them.

    Both kinds are shown clean and occluded. The network is an exported one, which needs no PyTorch, or a checkpoint.
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
    """Return a row for each way in which people were shown, headings first: the change in points, ECE before, after."""
    rows = [["shown", "fp32", "int8", "points", "95% interval", "px off", "ECE"]]
    for loss in losses:
        value, low, high = (100 * number for number in loss.change[:3])
        known = loss.px == loss.px
        rows.append(
            [loss.shown, f"{loss.before:.3f}", f"{loss.after:.3f}", f"{value:+.2f}", f"{low:.2f} to {high:.2f}",
             f"{loss.px:.2f}" if known else "-", "/".join(f"{e:.3f}" for e in loss.ece) if known else "-"]
        )  # fmt: skip
    return rows
