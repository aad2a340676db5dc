"""The search: who is bred of whom and who is kept, as a function of the candidates that are trained.

McNally et al. 2020, arXiv:2011.08446, with the rules of the authors' code (ga.py): of all that were ever trained the
fittest are the parents of the next generation, each of as many children. What is drawn for a candidate depends on its
number alone, so a search that was ended goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from numpy.random import RandomState

from posewright.datasets.records import Record, shown
from posewright.models.evopose2d import ANCESTOR, Genotype, genotype
from posewright.train.evolve.space import KERNELS, MOST_REPEATS, mutated
from posewright.warp import Size

MOST = 1 << 53
"""Numbers of a network, or products for a crop, at most."""


@dataclass(frozen=True)
class Search:
    """A search's settings; by default a small one, of minutes, and `AUTHORS` the published one."""

    data: str = "world"
    """`world`, or a data set's folder as in coco:DIR."""
    generations: int = 3
    """After the ancestor's."""
    children: int = 8
    """In each generation; a multiple of `parents`."""
    parents: int = 2
    first_epochs: int = 8
    """That the ancestor is trained."""
    epochs: int = 1
    """That each child is trained, from what it inherits."""
    size: Size = (64, 64)
    """Width and height of the crops in px, multiples of 32."""
    width: float = 0.5
    """How many times wider the networks are than their genes say."""
    people: int = 1200
    """To learn from; 0: all."""
    judged: int = 160
    """Other people, whom fitness is measured on; 0: all."""
    splits: tuple[str, str] = ("train", "val")
    """Of a data set: to learn from, and to judge on."""
    batch: int = 16
    rate: float = 4e-3
    """The first learning rate of each training, which glides down to 0."""
    sigma: float = 6.0
    """Of the targets, px of the crop."""
    peak: float = 8.0
    """Of the targets. A network's first answers are about 1 high; Adam takes thousands of steps from there to 255."""
    target: float = 5e6
    """Numbers that a network should have."""
    exponent: float = -0.07
    """How strongly a larger or smaller network is fined or favoured."""
    seed: int = 0
    momentum: float = 0.1
    """Of the statistics of normalisation, which must settle within one short epoch; the authors' is 0.01."""
    start: str = ""
    """A file of ImageNet's EfficientNet-B0, by Keras's names, of which the ancestor takes what fits; empty: nothing."""

    def __post_init__(self) -> None:
        may_be_low = ("data", "size", "people", "judged", "splits", "exponent", "seed", "start")
        if low := [f.name for f in fields(self) if f.name not in may_be_low and getattr(self, f.name) <= 0]:
            raise ValueError(f"{low[0]} must be above 0, not {getattr(self, low[0])}")
        if self.children % self.parents:
            raise ValueError(f"children must be a multiple of parents: {self.children} of {self.parents} is none")
        if any(side % 32 or side <= 0 for side in self.size):
            raise ValueError(f"size must be multiples of 32 px, not {self.size[0]}x{self.size[1]}")
        least = 1 if self.data == "world" else 0
        if self.seed < 0 or min(self.people, self.judged) < least:
            raise ValueError(f"seed must not be below 0, people and judged not below {least} of {self.data}")


AUTHORS = Search(
    data="coco", generations=15, children=64, parents=4, first_epochs=30, epochs=5, size=(192, 256), width=1.0,
    people=0, judged=0, batch=512, sigma=8.0, peak=255.0, momentum=0.01,
)  # fmt: skip
"""The authors' E3, but for what it leaves open: it runs until somebody ends it.

Their ancestor starts from ImageNet's EfficientNet-B0 at 256 px, by the same partial transfer as a child from its
parent: `replace(AUTHORS, start="efficientnet-b0.h5")`. A document rather than a search to be run here: every candidate
is trained on one thread of a processor, never on a GPU, and 961 candidates of 149,813 people would so take years.
"""


class Candidate(NamedTuple):
    """Who is to be trained: a number, the generation, the parent's number (None: nobody's child), the genes."""

    number: int
    generation: int
    parent: int | None
    genes: Genotype


class Trained(NamedTuple):
    """A candidate and what became of it.

    loss: the least mean squared difference of the judged people's maps after any epoch, the peak being 1; numbers:
    how many the network holds, statistics of normalisation included; seconds: of training.
    """

    candidate: Candidate
    loss: float
    numbers: int
    macs: int
    seconds: float

    def fitness(self, search: Search) -> float:
        """Return what counts, lower is better: loss (target / numbers)^exponent.

        >>> one = Trained(Candidate(0, 0, None, ANCESTOR), 0.001, 10_000_000, 0, 0.0)
        >>> round(one.fitness(Search(target=5e6, exponent=-0.07)), 6)
        0.00105
        """
        return float(self.loss * (search.target / self.numbers) ** search.exponent)


def fittest(search: Search, trained: Sequence[Trained]) -> list[Trained]:
    """Sort by fitness, the best first, and of equals the older."""
    return sorted(trained, key=lambda each: (each.fitness(search), each.candidate.number))


def first_of(search: Search, generation: int) -> int:
    """Return the number of a generation's first candidate; the ancestor alone is number 0."""
    return 0 if generation == 0 else 1 + (generation - 1) * search.children


def bred(search: Search, generation: int, trained: Sequence[Trained]) -> list[Candidate]:
    """Return a generation's candidates, from all that were trained before it."""
    if generation == 0:
        return [Candidate(0, 0, None, ANCESTOR)]
    first = first_of(search, generation)
    before = [each for each in trained if each.candidate.number < first]
    parents = fittest(search, before)[: search.parents]
    known = {each.candidate.genes for each in before}
    children = []
    for number in range(first, first + search.children):
        parent = parents[(number - first) % len(parents)].candidate
        genes = mutated(parent.genes, RandomState(search.seed + number), known)
        known.add(genes)
        children.append(Candidate(number, generation, parent.number, genes))
    return children


def plain(one: Trained) -> dict[str, Any]:
    """Return what is known of a candidate as JSON values."""
    return {**one.candidate._asdict(), "genes": [list(module) for module in one.candidate.genes],
            **{name: getattr(one, name) for name in Trained._fields[1:]}}  # fmt: skip


def trained_in(said: Record) -> Trained:
    """Return what `plain` wrote; raises DataError where that is damaged.

    >>> one = Trained(Candidate(3, 1, 0, ANCESTOR), 0.001, 10, 20, 1.5)
    >>> trained_in(Record("00003.json", plain(one))) == one
    True
    """
    parent = said.whole("parent", 0) if said.has("parent") else None
    candidate = Candidate(said.whole("number", 0), said.whole("generation", 0), parent, genes_in(said))
    if parent is not None and parent >= candidate.number:
        raise said.wrong("parent", f"must be older than {candidate.number}, not {parent}")
    loss = said.get("loss")  # one that diverged is infinite
    if type(loss) not in (int, float) or not loss >= 0:
        raise said.wrong("loss", f"must be a number, 0 or more, not {shown(loss)}")
    return Trained(candidate, float(loss), said.whole("numbers", 1, MOST), said.whole("macs", 0, MOST),
                   said.number("seconds", 0))  # fmt: skip


def genes_in(said: Record) -> Genotype:
    """Return the genes of a record: for each module kernel, repeats, width and stride; raises DataError."""
    rows = said.items("genes")
    limits = ((min(KERNELS), max(KERNELS)), (1, MOST_REPEATS), (1, 0), (1, 2))
    if len(rows) != len(ANCESTOR):
        raise said.wrong("genes", f"must be {len(ANCESTOR)} modules of {len(limits)} numbers, not {len(rows)}")
    for place, (row, old) in enumerate(zip(rows, ANCESTOR, strict=True)):
        genes = row if isinstance(row, list) and len(row) == len(limits) else [0] * len(limits)
        bounds = zip(genes, limits, strict=True)
        fits = all(type(gene) is int and low <= gene <= (high or old.width) for gene, (low, high) in bounds)
        if not fits or row[0] not in KERNELS:
            raise said.wrong("genes", f"module {place} must be kernel, repeats, width and stride, not {row}")
    return genotype(rows)
