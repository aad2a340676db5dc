"""DeepCut's programme in numbers: its variables, its constraints, and those of triples that a solution violates.

Pishchulin et al. 2016, arXiv:1511.06645, section 2; `subset_partition` says what they mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy

from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.maps import Floats

EPSILON = 1 / 255
"""Probabilities up to here forbid a label, or two labels together."""
SURE = 1e-7
"""How near to 1 a probability counts."""
CUTS = 400
"""Constraints of triples that are added at once."""
SLACK = 1e-6


class Known(NamedTuple):
    """What is settled already of the first candidates: their label (N,), and their cluster (N,)."""

    label: Places
    cluster: Places


class Programme(NamedTuple):
    """Hold variables x and z in turn: x (N, 2) candidate and label; z (M, 3) its pair and two x; pairs (Q, 2)."""

    candidates: int
    x: Places
    pairs: Places
    z: Places
    cost: Floats

    @property
    def size(self) -> int:
        return len(self.cost)


def costs(likely: Floats) -> Floats:
    """Return log((1 - p) / p); probabilities of 0 cost as much as SURE."""
    likely = np.clip(likely, SURE, 1 - SURE)
    return np.asarray(np.log((1 - likely) / likely))


def programme_of(unary: Floats, pairwise: Floats, known: Known | None) -> Programme:
    allowed = unary > EPSILON
    if known is not None:
        settled = np.arange(len(known.label))
        allowed[settled] = False
        allowed[settled, known.label] = True
    x = np.argwhere(allowed)
    first, second = np.triu_indices(len(x), 1)
    (d, c), (e, f) = x[first].T, x[second].T
    likely = pairwise[d, e, c, f]
    kept = (d != e) & (likely > EPSILON)
    if known is not None:
        n = len(known.label)
        pad = np.append(known.cluster, np.full(len(unary) - n, -1))
        both = (d < n) & (e < n)
        kept = np.where(both, (d != e) & (pad[d] == pad[e]), kept)
    first, second, likely = first[kept], second[kept], likely[kept]
    names, pair = np.unique(x[first, 0] * len(unary) + x[second, 0], return_inverse=True)
    ends = np.stack(np.divmod(names, len(unary)), -1)
    z = np.stack([pair, first, second], -1).reshape(-1, 3)
    return Programme(len(unary), x, ends, z, np.append(costs(unary[x[:, 0], x[:, 1]]), costs(likely)))


def constraints_of(programme: Programme, one_person: bool) -> tuple[scipy.sparse.csr_array, Floats]:
    """Return rows and what they are at most: one label a candidate; a pair's z with a label at most that label's x."""
    x, z = programme.x, programme.z
    labels = _rows(programme, x[:, 0], np.arange(len(x)), programme.candidates)
    rows, high = [labels], [np.ones(programme.candidates)]
    choices = np.bincount(x[:, 0], minlength=programme.candidates)
    certain = (choices[x[z[:, 1], 0]] == 1) & (choices[x[z[:, 2], 0]] == 1)
    needed = np.flatnonzero((programme.cost[len(x) :] < 0) | ~certain)
    for side in (1, 2):
        names, row = np.unique(z[needed, 0] * len(x) + z[needed, side], return_inverse=True)
        added = _rows(programme, row, len(x) + needed, len(names))
        rows.append(added - _rows(programme, np.arange(len(names)), names % max(len(x), 1), len(names)))
        high.append(np.zeros(len(names)))
    if one_person:
        number = _numbers(programme)
        d, e = np.triu_indices(programme.candidates, 1)
        joined = _sums(programme, number[d, e], np.arange(len(d)), len(d))
        rows.append(labels[d] + labels[e] - joined)
        high.append(np.ones(len(d)))
    return scipy.sparse.vstack(rows, format="csr"), np.concatenate(high)


def _rows(programme: Programme, row: Places, column: Places, count: int) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((np.ones(len(row)), (row, column)), shape=(count, programme.size))


def _numbers(programme: Programme) -> Places:
    """Return the number (D, D) of each pair, -1 for those that cannot be one person's."""
    number = np.full((programme.candidates, programme.candidates), -1)
    d, e = programme.pairs.T
    number[d, e] = number[e, d] = np.arange(len(programme.pairs))
    return number


def _sums(programme: Programme, pair: Places, row: Places, count: int) -> scipy.sparse.csr_array:
    """Return rows that add up the z of pairs (N,); a pair of -1 is nothing."""
    which = scipy.sparse.csr_array(
        (np.ones(int((pair >= 0).sum())), (row[pair >= 0], pair[pair >= 0])), shape=(count, len(programme.pairs))
    )
    numbers = len(programme.x) + np.arange(len(programme.z))
    return scipy.sparse.csr_array(which @ _rows(programme, programme.z[:, 0], numbers, len(programme.pairs)))


def settled(programme: Programme, known: Known | None) -> scipy.optimize.Bounds:
    low, high = np.zeros(programme.size), np.ones(programme.size)
    if known is not None:
        n = len(known.label)
        low[: len(programme.x)][programme.x[:, 0] < n] = 1
        low[len(programme.x) :][(programme.pairs[programme.z[:, 0]] < n).all(1)] = 1
    return scipy.optimize.Bounds(low, high)


def relaxed(
    programme: Programme,
    rows: scipy.sparse.csr_array,
    high: Floats,
    bounds: scipy.optimize.Bounds,
    whole: bool,
    limit_s: float,
) -> tuple[Floats | None, float, bool]:
    """Return variables at the least cost (or None), a bound below it, and whether that is exact; whole: of integers."""
    if whole:
        found = scipy.optimize.milp(
            programme.cost,
            integrality=np.ones(programme.size),
            bounds=bounds,
            constraints=scipy.optimize.LinearConstraint(rows, -np.inf, high),
            options={"time_limit": limit_s, "mip_rel_gap": 0.0},
        )
        lower = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        return found.x, lower, found.status == 0
    found = scipy.optimize.linprog(
        programme.cost,
        A_ub=rows,
        b_ub=high,
        bounds=np.stack([bounds.lb, bounds.ub], -1),
        method="highs",
        options={"time_limit": limit_s},
    )
    return (found.x, float(found.fun), True) if found.status == 0 else (None, -np.inf, False)


def joined_in(programme: Programme, values: Floats) -> Floats:
    """Return y as a matrix (D, D): the sums of z; 0 for pairs that cannot be one person's."""
    matrix = np.zeros((programme.candidates, programme.candidates))
    d, e = programme.pairs.T
    sums = np.bincount(programme.z[:, 0], values[len(programme.x) :], len(programme.pairs))
    matrix[d, e] = matrix[e, d] = sums
    return matrix


def violated(programme: Programme, values: Floats) -> scipy.sparse.csr_array:
    """Return the rows of y_ij + y_jk - y_ik <= 1 that are violated most, at most CUTS."""
    joined = joined_in(programme, values)
    near = np.flatnonzero((joined > SLACK).any(1))
    part = joined[np.ix_(near, near)]
    beyond = part[:, :, None] + part[None] - part[:, None, :] - 1  # i, j, k
    i, j, k = np.nonzero(beyond > SLACK)
    ordered = (i < k) & (i != j) & (j != k)
    i, j, k = i[ordered], j[ordered], k[ordered]
    worst = np.argsort(-beyond[i, j, k], kind="stable")[:CUTS]
    i, j, k = near[i[worst]], near[j[worst]], near[k[worst]]
    number, row = _numbers(programme), np.arange(len(i))
    one, two, across = (_sums(programme, pair, row, len(row)) for pair in (number[i, j], number[j, k], number[i, k]))
    return scipy.sparse.csr_array(one + two - across)
