"""Evolution: networks bred by mutation and choice, with the weights that they inherit.

McNally et al. 2020, EvoPose2D, arXiv:2011.08446. Everything that is known lies in one folder, candidate by candidate:
the same call goes on from there, whatever ended it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from posewright.train.evolve.beside import Share, side_by_side
from posewright.train.evolve.comparison import Comparison, Outcome, compared
from posewright.train.evolve.folder import Folder
from posewright.train.evolve.search import AUTHORS, Candidate, Search, Trained, bred, first_of, fittest
from posewright.train.evolve.training import bred_and_trained

__all__ = [
    "AUTHORS",
    "Candidate",
    "Comparison",
    "Outcome",
    "Search",
    "Trained",
    "compared",
    "evolve",
    "fittest",
    "side_by_side",
]


def evolve(
    search: Search,
    out: Path,
    share: Share = map,
    told: Callable[[Trained], None] = lambda one: None,  # noqa: ARG005
) -> list[Trained]:
    """Search, and return every candidate by its number.

    out: the folder that keeps them. share: what trains the candidates of a generation side by side, as `side_by_side`
    does, each on one thread; it changes nothing but the time. told: is called with each candidate, with those that the
    folder has already at once. Raises ValueError where the folder holds another search.
    """
    folder = Folder(out)
    folder.claim(search)
    known = [one for one in folder.trained() if one.candidate.number < first_of(search, search.generations + 1)]
    for one in known:
        told(one)
    for generation in range(search.generations + 1):
        there = {one.candidate.number for one in known}
        left = [child for child in bred(search, generation, known) if child.number not in there]
        for one in share(partial(_train, search, folder), left):
            known.append(one)
            told(one)
        known.sort(key=lambda one: one.candidate.number)
        if left:
            parents = {one.candidate.number for one in fittest(search, known)[: search.parents]}
            folder.forget_all_but(parents, known)
    return known


def _train(search: Search, folder: Folder, candidate: Candidate) -> Trained:
    """Train a candidate and keep it."""
    trained, weights = bred_and_trained(search, candidate, folder.weights(candidate.parent))
    folder.keep(trained, weights)
    return trained
