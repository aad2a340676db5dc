"""The verb `evolve`: breed networks, and say whether that was worth it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from posewright.cli.options import Cluster

Data = Annotated[str, arg(metavar="DIR", help="`world`, or a data set's folder as in coco:DIR")]
Out = Annotated[Path, arg(metavar="DIR", help="the folder to keep every candidate in, and to go on in")]
Generations = Annotated[int, arg(metavar="N", help="after the ancestor's")]
Children = Annotated[int, arg(metavar="N", help="in a generation; a multiple of the parents")]
Parents = Annotated[int, arg(metavar="N", help="of a generation: the fittest of all so far")]
FirstEpochs = Annotated[int, arg(metavar="N", help="that the ancestor is trained")]
Epochs = Annotated[int, arg(metavar="N", help="that a child is trained, from what it inherits")]
People = Annotated[int, arg(metavar="N", help="to learn from; 0 is all of a data set")]
Judged = Annotated[int, arg(metavar="N", help="others, whom fitness is measured on; 0 is all")]
Size = Annotated[tuple[int, int], arg(metavar="W H", help="of the crops in px, multiples of 32")]
Width = Annotated[float, arg(metavar="X", help="how many times wider the networks are than their genes say")]
Splits = Annotated[tuple[str, str], arg(metavar="NAME NAME", help="of a data set: to learn from, and to judge on")]
Batch = Annotated[int, arg(metavar="N", help="crops a step")]
Rate = Annotated[float, arg(metavar="X", help="the first learning rate of each training")]
Sigma = Annotated[float, arg(metavar="PX", help="of the targets, in the crop")]
Peak = Annotated[float, arg(metavar="X", help="of the targets: the authors' 255 takes thousands of steps to reach")]
Target = Annotated[float, arg(metavar="N", help="numbers that a network should have")]
Exponent = Annotated[float, arg(metavar="X", help="how strongly more numbers are fined")]
Seed = Annotated[int, arg(metavar="N", help="of mutations, first weights and the order of crops")]
Momentum = Annotated[float, arg(metavar="X", help="of the statistics of normalisation; the authors' is 0.01")]
Start = Annotated[str, arg(metavar="FILE", help="of ImageNet's EfficientNet-B0 by Keras's names, for the ancestor")]
Processes = Annotated[int, arg(metavar="N", help="candidates trained side by side, one thread each")]
Seeds = Annotated[int, arg(metavar="N", help="that the fittest and its ancestor are trained anew with; 0: none")]
AnewEpochs = Annotated[int, arg(metavar="N", help="that they are then trained")]


def evolve(
    data: Data = "world",
    out: Out = Path("evolution"),
    generations: Generations = 3,
    children: Children = 8,
    parents: Parents = 2,
    first_epochs: FirstEpochs = 8,
    epochs: Epochs = 1,
    people: People = 1200,
    judged: Judged = 160,
    splits: Splits = ("train", "val"),
    size: Size = (64, 64),
    width: Width = 0.5,
    batch: Batch = 16,
    rate: Rate = 4e-3,
    sigma: Sigma = 6.0,
    peak: Peak = 8.0,
    target: Target = 5e6,
    exponent: Exponent = -0.07,
    seed: Seed = 0,
    momentum: Momentum = 0.1,
    start: Start = "",
    processes: Processes = 1,
    compare_seeds: Seeds = 3,
    compare_epochs: AnewEpochs = 8,
    cluster: Cluster = None,
) -> int:
    """Breed pose networks as EvoPose2D was bred: mutate, inherit weights, train, keep the fittest.

    In the end the fittest and its ancestor are trained anew from nothing and compared on other people. Interrupted,
    the same command goes on. search.html shows it all.
    """
    from posewright.pieces import shared
    from posewright.train.evolve import Comparison, Search, compared, fittest, side_by_side
    from posewright.train.evolve import evolve as breed
    from posewright.train.evolve.page import spelled, verdict, write_search_page

    search = Search(data, generations, children, parents, first_epochs, epochs, size, width, people, judged, splits,
                    batch, rate, sigma, peak, target, exponent, seed, momentum, start)  # fmt: skip
    comparison = Comparison(compare_seeds, compare_epochs)
    if processes < 1 or compare_seeds < 0 or compare_epochs < 1:
        raise ValueError("processes and compare-epochs must be 1 or more, compare-seeds 0 or more")
    if cluster is not None and processes > 1:
        raise ValueError("--processes are of this machine; --cluster shares candidates out instead")
    sharing = side_by_side(processes) if cluster is None else shared(cluster)
    with sharing as share, _shown(search, comparison) as (trained, anew):
        found = breed(search, out, share, trained)
        best = fittest(search, found)[0]
        outcomes = compared(search, comparison, out, best.candidate.genes, share, anew)
    page = write_search_page(search, found, comparison, outcomes, out)
    print(f"the fittest of {len(found)} is number {best.candidate.number}, {spelled(best.candidate.genes)}")
    print(f"fitness {best.fitness(search):.6f}, the ancestor's {found[0].fitness(search):.6f}; "
          f"{best.macs / 1e6:.1f} million MACs, the ancestor's {found[0].macs / 1e6:.1f}")  # fmt: skip
    for name in dict.fromkeys(each.contestant.name for each in outcomes if each.contestant.name != "bred"):
        print(verdict(outcomes, name))
    print(f"open {page}")
    return 0


@contextmanager
def _shown(search: Any, comparison: Any) -> Iterator[tuple[Any, Any]]:
    """Show on standard error what is trained; yields what is to be told of candidates and of comparisons."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    best: list[Any] = []
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("breeding", total=1 + search.generations * search.children)
            last = progress.add_task("comparing", total=3 * comparison.seeds, visible=comparison.seeds > 0)

            def trained(one: Any) -> None:
                best[:] = sorted([*best, one], key=lambda each: each.fitness(search))[:1]
                progress.update(bar, advance=1, description=f"breeding, fitness {best[0].fitness(search):.6f}")

            yield trained, lambda: progress.advance(last)
    except KeyboardInterrupt:
        print("posewright: whoever is trained is kept, and the same command goes on from there", file=sys.stderr)
        raise
