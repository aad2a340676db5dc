"""The comparison that a search ends with: what was bred against its ancestor, both trained anew from nothing.

A child has inherited many epochs of its forebears, so its fitness says little about the network itself. Here each
network gets the same epochs from its own first weights, with several seeds, and is judged on people whom neither the
search nor the training has seen; and since the bred one may compute more, so does an ancestor that is widened until
it computes as much.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from posewright.datasets.records import Record
from posewright.models.count import macs
from posewright.models.evopose2d import ANCESTOR, EvoPose2D, Genotype
from posewright.train.evolve.beside import Share
from posewright.train.evolve.folder import Folder, read, write
from posewright.train.evolve.search import MOST, Search, genes_in
from posewright.train.evolve.training import learn, people, recipe_for

WIDTHS = np.geomspace(0.1, 4.0, 200)
"""Tried for an ancestor that computes as much as another network."""


class Contestant(NamedTuple):
    """A network to compare: how it is called, its genes, how many times wider than they say, its MACs."""

    name: str
    genes: Genotype
    width: float
    macs: int


@dataclass(frozen=True)
class Comparison:
    """How a search is to end: with how many seeds each network is trained anew, and for how many epochs."""

    seeds: int = 3
    epochs: int = 8


class Outcome(NamedTuple):
    """What a contestant reached with one seed: the measure on unseen people (higher is better), and the loss."""

    contestant: Contestant
    seed: int
    measure: str
    score: float
    loss: float


def contestants(search: Search, bred: Genotype) -> list[Contestant]:
    """Return the bred network, the ancestor, and the ancestor as wide as makes it compute what the bred one does."""
    keypoints = len(people(search, "val")[0].skeleton)

    def products(genes: Genotype, width: float) -> int:
        with torch.device("meta"):
            return macs(EvoPose2D(genes, keypoints, width=width), search.size)

    wanted = products(bred, search.width)
    widths = [search.width * float(times) for times in WIDTHS]
    place = bisect_left(widths, wanted, 1, len(widths) - 1, key=partial(products, ANCESTOR))
    width = min(widths[place - 1 : place + 1], key=lambda width: abs(products(ANCESTOR, width) - wanted))
    return [
        Contestant("bred", bred, search.width, wanted),
        Contestant("ancestor", ANCESTOR, search.width, products(ANCESTOR, search.width)),
        Contestant("ancestor, as many MACs", ANCESTOR, width, products(ANCESTOR, width)),
    ]


def compared(
    search: Search,
    comparison: Comparison,
    out: Path,
    genes: Genotype,
    share: Share = map,
    told: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """Train the bred network and its ancestors anew, judge them, and return all outcomes.

    out: the search's folder, which keeps the outcomes; share, told: as in `evolve`, told once for each outcome.
    """
    folder = Folder(out)
    tasks = [(one, seed) for seed in range(1, comparison.seeds + 1) for one in contestants(search, genes)]
    left = [task for task in tasks if not _file(folder, comparison, *task).exists()]
    for _ in range(len(tasks) - len(left)):
        told()
    for _ in share(partial(_judge, search, comparison, folder), left):
        told()
    return [_outcome(read(_file(folder, comparison, *task))) for task in tasks]


def _judge(search: Search, comparison: Comparison, folder: Folder, task: tuple[Contestant, int]) -> None:
    """Train one network with one seed, and write what it reached."""
    one, seed = task
    recipe = recipe_for(search, one.genes, one.width, comparison.epochs)
    learnt = learn(search, recipe, search.seed + seed, judge="test")
    measure = next(iter(learnt.scores))
    write(_file(folder, comparison, one, seed), {
        **one._asdict(), "seed": seed, "measure": measure, "score": learnt.scores[measure], "loss": min(learnt.losses)
    })  # fmt: skip


def _file(folder: Folder, comparison: Comparison, one: Contestant, seed: int) -> Path:
    genes = "-".join("".join(f"{gene:02d}" for gene in module) for module in one.genes)
    return folder.compared(f"{genes}-{one.width:.4f}-{comparison.epochs}-{seed}")


def _outcome(said: Record) -> Outcome:
    one = Contestant(said.text("name"), genes_in(said), said.number("width", 0), said.whole("macs", 0, MOST))
    return Outcome(one, said.whole("seed", 0), said.text("measure"), said.number("score"), said.number("loss", 0))


def differences(outcomes: Sequence[Outcome], name: str) -> list[float]:
    """Return, seed by seed, by how much the bred network's score is above another's."""
    score = {(each.contestant.name, each.seed): each.score for each in outcomes}
    return [score["bred", seed] - score[name, seed] for seed in sorted({each.seed for each in outcomes})]
