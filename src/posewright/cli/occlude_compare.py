"""The verb `occlude compare`: studies of the same people under the same attacks, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from posewright.cli.occlude import WIDTH, Draws, Margin, Seed

if TYPE_CHECKING:
    from posewright.robustness.numbers.compare import Compared

Studies = Annotated[tuple[Path, ...], arg(metavar="DIR DIR [...]", help="the folders of two studies or more")]
Out = Annotated[Path, arg(metavar="DIR", help="the folder to write compare.json and compare.html into")]


def compare(
    studies: Positional[Studies] = (),
    out: Out = Path("comparison"),
    draws: Draws = 10_000,
    seed: Seed = 0,
    margin: Margin = 0.02,
) -> int:
    """Compare the first study with each of the others, pair by pair: which loses more, and where."""
    from posewright.robustness.numbers import compare as comparison
    from posewright.robustness.pages.compare_page import write_compare_page

    if draws < 1 or not margin > 0:
        raise ValueError(f"--draws must be 1 or more and --margin above 0, not {draws} and {margin:g}")
    found = comparison.compare(studies, draws, seed)
    path = comparison.write_compared(found, out, margin, draws)
    page = write_compare_page(found, out, margin)
    for one in found:
        _say(one, margin)
    print(f"every number is in {path}; open {page}")
    return 0


def _say(one: Compared, margin: float) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from posewright.robustness.pages.compare_page import grid, verdict

    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH + 20)
    rows = grid(one, one.groups, margin)
    table = Table(title=f"{one.names[0]} less {one.names[1]}", title_justify="left", title_style="bold",
                  box=box.SIMPLE_HEAD)  # fmt: skip
    for place, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if 0 < place < 7 else "left")
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
    console.print(verdict(one, margin) + "\n", highlight=False, markup=False)
    for note in one.left_out:
        console.print(f"left out: {note}", highlight=False, markup=False)
