"""DeepCut's integer linear programme: which candidates are which keypoints, and which belong to one person.

Pishchulin et al. 2016, "DeepCut: Joint Subset Partition and Labeling for Multi Person Pose Estimation",
arXiv:1511.06645, section 2, solved by HiGHS through scipy. The authors add the constraints of triples while Gurobi
searches; here violated ones are added to the linear relaxation until none is left, and only then integers are sought.

    minimise  sum a_dc x_dc  +  sum b_dd'cc' z_dd'cc',     a, b = log((1 - p) / p)
    x_dc: candidate d is keypoint c;  y_dd': two are one person's;  z_dd'cc' = x_dc x_d'c' y_dd'

The constraints are the authors' in a tighter and smaller form with the same integer solutions: y is the sum of its z, and
those z with one label are at most that label's x together, which need not be said where nothing is gained by joining.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.maps import Floats

EPSILON = 1 / 255
"""Probabilities up to here forbid a label, or two labels together."""
SURE = 1e-7
"""How near to 1 a probability counts."""
CUTS = 400
"""Constraints of triples that are added at once."""
SLACK = 1e-6


class Partition(NamedTuple):
    """Hold a solution: label (D,) of each candidate, -1 for none; cluster (D,), -1 for none; cost and a bound below it.

    proven: no solution is better, by more than the solver's tolerance.
    """

    label: Places
    cluster: Places
    cost: float
    bound: float

    @property
    def proven(self) -> bool:
        return self.cost - self.bound <= 1e-6 * max(1.0, abs(self.cost))


class Known(NamedTuple):
    """What is settled already of the first candidates: their label (N,), and their cluster (N,)."""

    label: Places
    cluster: Places


class _Programme(NamedTuple):
    """Hold variables x and z in turn: x (N, 2) candidate and label; z (M, 3) its pair and two x; pairs (Q, 2)."""

    count: int
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


def solve(
    unary: Floats, pairwise: Floats, known: Known | None = None, limit_s: float = 60.0, one_person: bool = False
) -> Partition:
    """Label and partition D candidates at the least cost.

    unary (D, C): how likely a candidate is each keypoint; pairwise (D, D, C, C), of d < d': how likely two are one
    person's, if they are these keypoints. known: what is settled of the first candidates, as in DeeperCut's stages.
    limit_s seconds: afterwards what moving candidates one at a time comes to returns, with the bound that was proven. one_person: all are one
    person's. Raises ValueError where shapes disagree.
    """
    count, labels = unary.shape
    if pairwise.shape != (count, count, labels, labels):
        raise ValueError(f"pairwise must be {(count, count, labels, labels)}, not {pairwise.shape}")
    if not count:
        return Partition(np.zeros(0, int), np.zeros(0, int), 0.0, 0.0)
    end = perf_counter() + limit_s
    programme = _programme(unary, pairwise, known)
    rows, high = _constraints(programme, one_person)
    bounds = _settled(programme, known)
    bound, best = -np.inf, _partition(programme, bounds.lb)
    if not len(programme.x):
        return best._replace(bound=0.0)
    whole = False
    while (left := end - perf_counter()) > 0:
        values, lower, exact = _relaxed(programme, rows, high, bounds, whole, left)
        bound = max(bound, lower)
        if values is None:
            break
        cuts = _violated(programme, values)
        if cuts.shape[0]:
            rows = vstack([rows, cuts], format="csr")
            high = np.append(high, np.ones(cuts.shape[0]))
        elif (np.abs(values - np.round(values)) < 1e-5).all():
            found = _partition(programme, np.round(values))
            return found._replace(bound=found.cost if exact else min(max(bound, lower), found.cost))
        else:
            whole = True
    best = _moved(programme, best, 0 if known is None else len(known.label), one_person)
    return best._replace(bound=min(bound, best.cost))


def _programme(unary: Floats, pairwise: Floats, known: Known | None) -> _Programme:
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
    return _Programme(len(unary), x, ends, z, np.append(costs(unary[x[:, 0], x[:, 1]]), costs(likely)))


def _constraints(programme: _Programme, one_person: bool) -> tuple[csr_array, Floats]:
    """Return rows and what they are at most: one label a candidate; a pair's z with one label at most that label's x."""
    x, z = programme.x, programme.z
    labels = _rows(programme, x[:, 0], np.arange(len(x)), programme.count)
    rows, high = [labels], [np.ones(programme.count)]
    choices = np.bincount(x[:, 0], minlength=programme.count)
    certain = (choices[x[z[:, 1], 0]] == 1) & (choices[x[z[:, 2], 0]] == 1)
    needed = np.flatnonzero((programme.cost[len(x) :] < 0) | ~certain)
    for side in (1, 2):
        names, row = np.unique(z[needed, 0] * len(x) + z[needed, side], return_inverse=True)
        added = _rows(programme, row, len(x) + needed, len(names))
        rows.append(added - _rows(programme, np.arange(len(names)), names % max(len(x), 1), len(names)))
        high.append(np.zeros(len(names)))
    if one_person:
        number = _numbers(programme)
        d, e = np.triu_indices(programme.count, 1)
        joined = _sums(programme, number[d, e], np.arange(len(d)), len(d))
        rows.append(labels[d] + labels[e] - joined)
        high.append(np.ones(len(d)))
    return vstack(rows, format="csr"), np.concatenate(high)


def _rows(programme: _Programme, row: Places, column: Places, count: int) -> csr_array:
    return csr_array((np.ones(len(row)), (row, column)), shape=(count, programme.size))


def _numbers(programme: _Programme) -> Places:
    """Return the number (D, D) of each pair, -1 for those that cannot be one person's."""
    number = np.full((programme.count, programme.count), -1)
    d, e = programme.pairs.T
    number[d, e] = number[e, d] = np.arange(len(programme.pairs))
    return number


def _sums(programme: _Programme, pair: Places, row: Places, count: int) -> csr_array:
    """Return rows that add up the z of pairs (N,); a pair of -1 is nothing."""
    which = csr_array(
        (np.ones(int((pair >= 0).sum())), (row[pair >= 0], pair[pair >= 0])), shape=(count, len(programme.pairs))
    )
    numbers = len(programme.x) + np.arange(len(programme.z))
    return csr_array(which @ _rows(programme, programme.z[:, 0], numbers, len(programme.pairs)))


def _settled(programme: _Programme, known: Known | None) -> Bounds:
    low, high = np.zeros(programme.size), np.ones(programme.size)
    if known is not None:
        n = len(known.label)
        low[: len(programme.x)][programme.x[:, 0] < n] = 1
        low[len(programme.x) :][(programme.pairs[programme.z[:, 0]] < n).all(1)] = 1
    return Bounds(low, high)


def _relaxed(
    programme: _Programme, rows: csr_array, high: Floats, bounds: Bounds, whole: bool, limit_s: float
) -> tuple[Floats | None, float, bool]:
    """Return variables at the least cost (or None), a bound below it, and whether that is exact; whole: of integers."""
    if whole:
        found = milp(
            programme.cost,
            integrality=np.ones(programme.size),
            bounds=bounds,
            constraints=LinearConstraint(rows, -np.inf, high),
            options={"time_limit": limit_s, "mip_rel_gap": 0.0},
        )
        lower = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        return found.x, lower, found.status == 0
    found = linprog(
        programme.cost,
        A_ub=rows,
        b_ub=high,
        bounds=np.stack([bounds.lb, bounds.ub], -1),
        method="highs",
        options={"time_limit": limit_s},
    )
    return (found.x, float(found.fun), True) if found.status == 0 else (None, -np.inf, False)


def _joined(programme: _Programme, values: Floats) -> Floats:
    """Return y as a matrix (D, D): the sums of z; 0 for pairs that cannot be one person's."""
    matrix = np.zeros((programme.count, programme.count))
    d, e = programme.pairs.T
    sums = np.bincount(programme.z[:, 0], values[len(programme.x) :], len(programme.pairs))
    matrix[d, e] = matrix[e, d] = sums
    return matrix


def _violated(programme: _Programme, values: Floats) -> csr_array:
    """Return the rows of y_ij + y_jk - y_ik <= 1 that are violated most, at most CUTS."""
    joined = _joined(programme, values)
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
    return csr_array(one + two - across)


def _partition(programme: _Programme, values: Floats) -> Partition:
    """Return the solution that whole variables are, its cost worked out anew."""
    label, cluster = np.full((2, programme.count), -1)
    chosen = programme.x[values[: len(programme.x)] > 0.5]
    label[chosen[:, 0]] = chosen[:, 1]
    joined = _joined(programme, values) > 0.5
    clusters = 0
    for d in chosen[:, 0]:
        mates = np.flatnonzero(joined[d] & (cluster >= 0))
        cluster[d] = cluster[mates[0]] if len(mates) else clusters
        clusters += not len(mates)
    return Partition(label, cluster, _cost_of(programme, label, cluster), -np.inf)


def _moved(programme: _Programme, start: Partition, settled: int, one_person: bool) -> Partition:
    """Improve a solution by taking candidates one at a time to where they cost least, until none moves.

    What is settled, the first candidates, stays. What a search that ran out of time answers with.
    """
    between = np.full((len(programme.x),) * 2, np.inf)
    _, first, second = programme.z.T
    between[first, second] = between[second, first] = programme.cost[len(programme.x) :]
    own = programme.cost[: len(programme.x)]
    places = {(int(d), int(c)): n for n, (d, c) in enumerate(programme.x)}
    where = {places[d, c]: int(k) for d, (c, k) in enumerate(zip(start.label.tolist(), start.cluster, strict=True))
             if c >= 0}  # fmt: skip
    options = {d: np.flatnonzero(programme.x[:, 0] == d).tolist() for d in range(settled, programme.count)}
    moved = True
    while moved:
        moved = False
        for choices in options.values():
            before = next(((n, where.pop(n)) for n in choices if n in where), None)
            best, least = before, 0.0 if before is None else _joining(own, between, where, *before)
            clusters = sorted(set(where.values()))
            for n in choices:
                for cluster in clusters if one_person and clusters else [*clusters, max(clusters, default=-1) + 1]:
                    cost = _joining(own, between, where, n, cluster)
                    if cost < least - 1e-12:
                        best, least, moved = (n, cluster), cost, True
            if least > 1e-12:
                best, moved = None, True
            if best is not None:
                where[best[0]] = best[1]
    label, cluster = np.full((2, programme.count), -1)
    for n, k in where.items():
        label[programme.x[n, 0]], cluster[programme.x[n, 0]] = programme.x[n, 1], k
    return start._replace(label=label, cluster=cluster, cost=_cost_of(programme, label, cluster))


def _joining(own: Floats, between: Floats, where: dict[int, int], n: int, cluster: int) -> float:
    """Return what it costs that a candidate with its label joins a cluster."""
    members = [m for m, k in where.items() if k == cluster]
    return float(own[n] + between[n, members].sum())


def _cost_of(programme: _Programme, label: Places, cluster: Places) -> float:
    is_x = label[programme.x[:, 0]] == programme.x[:, 1]
    d, e = programme.pairs[programme.z[:, 0]].T
    is_z = is_x[programme.z[:, 1]] & is_x[programme.z[:, 2]] & (cluster[d] == cluster[e])
    return float(programme.cost[np.append(is_x, is_z)].sum())


def stages(
    unary: Floats, pairwise: Floats, parts: Sequence[Sequence[int]], limit_s: float = 60.0
) -> tuple[Partition, Places]:
    """Solve stage by stage, as DeeperCut does, and return the last stage's solution and its candidates' numbers.

    parts: the labels that each stage adds. After a stage only the best candidate of each label of each person is kept,
    and what was found of the kept ones is settled (Insafutdinov et al. 2016, arXiv:1605.03170, section 4).
    """
    kept = np.zeros(0, int)
    known: Known | None = None
    own = unary.argmax(1)
    solution = solve(unary[:0], pairwise[:0, :0])
    for added in parts:
        new = np.flatnonzero(np.isin(own, list(added)) & ~np.isin(np.arange(len(unary)), kept))
        chosen = np.append(kept, new).astype(int)
        order = np.ix_(chosen, chosen)
        both = np.where(
            (chosen[:, None] < chosen[None])[..., None, None],
            pairwise[order],
            pairwise[order].transpose(1, 0, 3, 2),
        )
        solution = solve(unary[chosen], both, known, limit_s)
        best = _best_of_each(solution, unary[chosen])
        known = Known(solution.label[best], solution.cluster[best])
        kept, solution = chosen[best], solution
    return solution, chosen if len(parts) else kept


def _best_of_each(solution: Partition, unary: Floats) -> Places:
    """Return the places of the likeliest candidate of each label of each person."""
    best: dict[tuple[int, int], int] = {}
    for d in np.flatnonzero(solution.label >= 0).tolist():
        name = (int(solution.cluster[d]), int(solution.label[d]))
        if name not in best or unary[d, name[1]] > unary[best[name], name[1]]:
            best[name] = d
    return np.array(sorted(best.values()), int)
