"""The space that EvoPose2D's search walks through, and its step: one gene drawn anew.

McNally et al. 2020, arXiv:2011.08446; the draws and their order are the authors' (mutate, commit ea05b81).
"""

from __future__ import annotations

from collections.abc import Container
from math import prod

from numpy.random import RandomState

from posewright.models.evopose2d import ANCESTOR, Genotype, Module

KERNELS = (3, 5)
MOST_REPEATS = 4
MOST_HALVINGS = 4
"""Strides of 2 that the modules may have in all."""
FREE = range(4, 7)
"""The modules whose stride may change."""


def size() -> int:
    """Count the genotypes there are.

    >>> f"{size():.1e}"
    '6.8e+13'
    """
    widths = prod(module.width for module in ANCESTOR)
    return int((len(KERNELS) * MOST_REPEATS) ** len(ANCESTOR) * widths * 2 ** len(FREE))


def mutated(parent: Genotype, rng: RandomState, known: Container[Genotype] = ()) -> Genotype:
    """Change one gene, again and again until the result is neither the parent nor known.

    A module and one of its four genes are drawn; a kernel is drawn of 3 and 5, a width of all up to the ancestor's;
    repeats go one up or down within 1 to 4; a stride of one of the last three modules becomes 1 where the strides
    of 2 are four, and 2 where they are fewer. It does not end where all neighbours are known. rng is NumPy's legacy
    generator, whose draws the authors' searches can be repeated with.

    >>> [gene for gene, old in zip(mutated(ANCESTOR, RandomState(0)), ANCESTOR) if gene != old]
    [Module(kernel=5, repeats=4, width=5, stride=2)]
    """
    mutant = parent
    while mutant == parent or mutant in known:
        place, gene = rng.randint(len(parent)), rng.randint(len(Module._fields))
        changed = _drawn(parent, place, gene, rng)
        mutant = (*parent[:place], changed, *parent[place + 1 :])
    return mutant


def _drawn(parent: Genotype, place: int, gene: int, rng: RandomState) -> Module:
    """Draw one gene of one module anew."""
    module = parent[place]
    if gene == 0:
        return module._replace(kernel=KERNELS[rng.randint(len(KERNELS))])
    if gene == 1:
        return module._replace(repeats=_one_up_or_down(module.repeats, rng))
    if gene == 2:
        return module._replace(width=int(rng.randint(1, ANCESTOR[place].width + 1)))
    halvings = sum(each.stride == 2 for each in parent)
    if place not in FREE or (module.stride == 2) != (halvings == MOST_HALVINGS):
        return module
    return module._replace(stride=3 - module.stride)


def _one_up_or_down(repeats: int, rng: RandomState) -> int:
    if repeats == 1:
        return 2
    if repeats == MOST_REPEATS:
        return MOST_REPEATS - 1
    return repeats + (1 if rng.uniform() < 0.5 else -1)
