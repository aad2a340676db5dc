"""The verbs `score` and `diagnose`: anybody's predictions against anybody's truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from posewright.cli.options import QUIET, Cluster, Draws, MetricNames, Out, Seed, Sigmas, Split
from posewright.text import apart, cell, printable

if TYPE_CHECKING:
    from rich.table import Table

    from posewright.metrics.trust.confidence import Difference
    from posewright.report.results import Result, Show

Truth = Annotated[
    str,
    arg(metavar="DATA", help="a file or folder of any data set that a reader reads, as crowdpose:DIR where unclear"),
]
SkeletonName = Annotated[
    str | None, arg(metavar="NAME", help="what the predicted keypoints are, where their file does not say", **QUIET)
]
OnlyPredicted = Annotated[
    bool,
    arg(
        help="leave out pictures without any prediction, whose people are else missed; of two files, all pictures but "
        "those that both predict"
    ),
]
WIDTH = 120
"""Columns of a table that goes into a file or another program."""
LONG = ("sigma values",)
"""What of the protocol stands in files alone."""


def score(
    predictions: Positional[
        Annotated[
            tuple[Path, ...],
            arg(metavar="FILE [FILE]", help="predictions to score; two are compared, picture by picture", **QUIET),
        ]
    ],
    truth: Truth,
    skeleton: SkeletonName = None,
    metric: MetricNames = None,
    sigmas: Sigmas = None,
    only_predicted: OnlyPredicted = False,
    out: Annotated[
        Path | None,
        arg(metavar="DIR", help="write scores.json, with the whole protocol, and report.html into it", **QUIET),
    ] = None,
    split: Split = "val",
    draws: Draws = 2_000,
    seed: Seed = 0,
    centres: Annotated[
        Path | None,
        arg(metavar="FILE", help="of points in space: the centres of their PSS, else found in the truth", **QUIET),
    ] = None,
    cluster: Cluster = None,
) -> int:
    """Score anybody's predictions, with intervals, protocol and warnings; two files are compared as well.

    Where the truth is an .npz of points in space, so are the predictions: MPJPE and its kin, 3D PCK, PSS.
    """
    from posewright.datasets.points import holds_poses
    from posewright.pieces import shared
    from posewright.verbs import score as scoring

    if not 1 <= len(predictions) <= 2:
        raise ValueError(f"name one file of predictions, or two to compare, not {len(predictions)}")
    check(draws, out)
    if holds_poses(truth):
        if cluster is not None:
            raise ValueError("points in space are drawn anew in seconds, so --cluster is not for them")
        return _score_points(predictions, Path(truth), skeleton, metric, out, draws, seed, centres)
    if centres is not None:
        raise ValueError(f"--centres are of points in space, and {truth} has none")
    with shown() as show, shared(cluster) as share:
        show("reading the truth")
        own = scoring.skeleton_by(skeleton)
        known = scoring.truth_of(truth, split, own, scoring.asks_masks(metric))
        scenes = scoring.with_sigmas(known, sigmas)
        names = scoring.chosen(metric, scenes)
        several = only_predicted and len(predictions) > 1
        only = scoring.predicted_by_all(predictions, scenes, own) if several else only_predicted
        results = [
            scoring.score_file(path, scenes, names, draws, seed, show, own, only_predicted=only, share=share)
            for path in predictions
        ]
        both = len(results) == 2 and draws
        compared = scoring.compare_files(results[0], results[1], draws, seed, show, share) if both else {}
    print_results(results, compared)
    if out is not None:
        from posewright.report.scores import write_results

        out.mkdir(parents=True, exist_ok=True)
        write_results(out, truth, results, compared, draws, seed)
        print_where(out)
    return 0


def _score_points(predictions: tuple[Path, ...], truth: Path, skeleton: str | None, metric: str | None,
                  out: Path | None, draws: int, seed: int, centres: Path | None) -> int:  # fmt: skip
    """Score files of points in space."""
    from posewright.datasets.points import read_centres, read_poses, write_centres
    from posewright.verbs import score_points as scoring
    from posewright.verbs.score import skeleton_by

    names, own = scoring.chosen3d(metric), skeleton_by(skeleton)
    with shown() as show:
        show("reading the truth")
        true = read_poses(truth, own)
        kinds = None
        if "pss" in names:
            kinds = scoring.centres_in(true, truth, seed) if centres is None else read_centres(centres)
        results = [scoring.score_points(path, true, names, kinds, draws, seed, show, own) for path in predictions]
        both = len(results) == 2 and draws
        compared = scoring.compare_points(results[0], results[1], draws, seed) if both else {}
    print_results(results, compared)
    if out is not None:
        from posewright.report.points import write_points_page
        from posewright.report.results import write_scores

        out.mkdir(parents=True, exist_ok=True)
        if kinds is not None:
            write_centres(out / "centres.npz", kinds)
        write_scores(out / "scores.json", str(truth), results, compared, draws, seed, "sequences, see each protocol")
        found = [(result, read_poses(result.path, own)) for result in results]
        write_points_page(out / "report.html", str(truth), true, found, compared, kinds)
        print_where(out)
    return 0


def diagnose(
    predictions: Positional[Annotated[Path, arg(metavar="FILE", help="predictions to diagnose", **QUIET)]],
    truth: Truth,
    out: Out,
    skeleton: SkeletonName = None,
    sigmas: Sigmas = None,
    only_predicted: OnlyPredicted = False,
    split: Split = "val",
    draws: Draws = 1_000,
    seed: Seed = 0,
) -> int:
    """Say why predictions fail, as a page: kinds of error, what each repair would give, the worst cases drawn."""
    from posewright.verbs.diagnose import diagnose as to_page

    check(draws, out)
    with shown() as show:
        page = to_page(
            predictions, truth, out, skeleton=skeleton, sigmas=sigmas, only_predicted=only_predicted, split=split,
            draws=draws, seed=seed, show=show,
        )  # fmt: skip
    print(f"open {page}")
    return 0


def print_where(out: Path) -> None:
    """Print where the scores are written with all that belongs to them."""
    print(f"with their whole protocol in {out / 'scores.json'}; open {out / 'report.html'}")


def check(draws: int, out: Path | None) -> None:
    """Refuse what would otherwise fail only after the work is done."""
    if draws < 0:
        raise ValueError(f"--draws must be 0 or more, not {draws}")
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"{out}: a file, not a folder to write into")


@contextmanager
def shown() -> Iterator[Show]:
    """Show on standard error what is being done, and how far it is, where somebody looks."""
    from rich.console import Console

    if not Console(stderr=True).is_terminal:
        from posewright.report.results import silent

        yield silent
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)

        def count(items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                yield item
                progress.advance(task, len(item))

        def show(what: str, total: int = 0, items: Iterable[Any] = ()) -> Iterable[Any]:
            progress.reset(task, description=what, total=total or None)
            return count(items)

        yield show


def print_results(results: list[Result], compared: Mapping[str, Mapping[str, Difference]]) -> None:
    """Print warnings, then tables of all numbers, each with what its protocol says anew."""
    from rich.console import Console

    from posewright.report.tables import differences_of, protocol_of, table_of

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    for result, name in zip(results, apart([result.path for result in results]), strict=True):
        for warning in result.warnings:
            where = f"{name}: " if len(results) > 1 else ""
            console.print(printable(f"warning: {where}{warning}"), style="yellow", highlight=False, markup=False)
    said: dict[str, str] = {}
    for name, score in results[0].scores.items():
        if name in compared:
            rows = differences_of([result.scores[name] for result in results], compared[name])
            console.print(table(name, rows))
        else:
            for result in results:
                console.print(table(name, table_of(result.scores[name], result.intervals[name])))
        protocol = {key: value for key, value in protocol_of(score) if key not in LONG}
        told = "; ".join(f"{key}: {value}" for key, value in protocol.items() if said.get(key) != value)
        said |= protocol
        console.print(printable(told) + "\n", style="dim", highlight=False, markup=False)


def table(title: str, rows: list[list[str]]) -> Table:
    """Lay out rows, headings first."""
    from rich import box
    from rich.table import Table

    table = Table(title=cell(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for place, name in enumerate(rows[0]):
        table.add_column(cell(name), justify="right" if place else "left", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*map(cell, row))
    return table
