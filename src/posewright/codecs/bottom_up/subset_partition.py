"""DeepCut's integer linear programme: which candidates are which keypoints, and which belong to one person.

Pishchulin et al. 2016, "DeepCut: Joint Subset Partition and Labeling for Multi Person Pose Estimation",
arXiv:1511.06645, section 2, solved by HiGHS through scipy. The authors add the constraints of triples while Gurobi
searches; here violated ones are added to the linear relaxation until none is left, and only then integers are sought.

    minimise  sum a_dc x_dc  +  sum b_dd'cc' z_dd'cc',     a, b = log((1 - p) / p)
    x_dc: candidate d is keypoint c;  y_dd': two are one person's;  z_dd'cc' = x_dc x_d'c' y_dd'

The constraints are the authors' in a tighter form with the same integer solutions: the z of a pair add up to its y, and
those with a label to that label's x.
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
    """Hold variables x, y, z in turn: candidate and label of x; the ends of y; pair and two x of z."""

    count: int
    x: Places
    y: Places
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
    limit_s seconds: afterwards the best that was found returns, with the bound that was proven. one_person: all are one
    person's. Raises ValueError where shapes disagree.
    """
    count, labels = unary.shape
    if pairwise.shape != (count, count, labels, labels):
        raise ValueError(f"pairwise must be {(count, count, labels, labels)}, not {pairwise.shape}")
    if not count:
        return Partition(np.zeros(0, int), np.zeros(0, int), 0.0, 0.0)
    end = perf_counter() + limit_s
    programme = _programme(unary, pairwise, known)
    base, low, high = _constraints(programme, one_person)
    bounds = _settled(programme, known)
    bound, best = -np.inf, _partition(programme, bounds.lb)
    if not len(programme.x):
        return best._replace(bound=0.0)
    whole = False
    while (left := end - perf_counter()) > 0:
        values, lower, exact = _relaxed(programme, base, low, high, bounds, whole, left)
        if values is None:
            break
        bound = max(bound, lower)
        cuts = _violated(programme, values)
        if cuts.shape[0]:
            base = vstack([base, cuts], format="csr")
            low = np.append(low, np.full(cuts.shape[0], -np.inf))
            high = np.append(high, np.ones(cuts.shape[0]))
        elif _integral(programme, values):
            found = _partition(programme, np.round(values))
            best = found if found.cost < best.cost else best
            bound = max(bound, best.cost) if exact else bound
            break
        else:
            whole = True
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
    pairs = x[first, 0] * len(unary) + x[second, 0]
    names, pair = np.unique(pairs, return_inverse=True)
    y = np.stack(np.divmod(names, len(unary)), -1)
    z = np.stack([pair, first, second], -1).reshape(-1, 3)
    cost = np.concatenate([costs(unary[x[:, 0], x[:, 1]]), np.zeros(len(y)), costs(likely)])
    return _Programme(len(unary), x, y, z, cost)


def _constraints(programme: _Programme, one_person: bool) -> tuple[csr_array, Floats, Floats]:
    """Return rows and their bounds: one label a candidate; a pair's z add up to y, and with each label to at most x."""
    x, y, z = programme.x, programme.y, programme.z
    at_y, at_z = len(x), len(x) + len(y)
    labels = csr_array((np.ones(len(x)), (x[:, 0], np.arange(len(x)))), shape=(programme.count, programme.size))
    numbers = at_z + np.arange(len(z))
    sums = csr_array(
        (
            np.append(np.ones(len(z)), -np.ones(len(y))),
            (np.append(z[:, 0], np.arange(len(y))), np.append(numbers, at_y + np.arange(len(y)))),
        ),
        shape=(len(y), programme.size),
    )
    rows, high = [labels, sums], [np.ones(programme.count), np.zeros(len(y))]
    low = [np.full(programme.count, -np.inf), np.zeros(len(y))]
    for side in (1, 2):
        names, row = np.unique(z[:, 0] * len(x) + z[:, side], return_inverse=True)
        values = np.append(np.ones(len(z)), -np.ones(len(names)))
        places = np.append(row, np.arange(len(names))), np.append(numbers, names % max(len(x), 1))
        rows.append(csr_array((values, places), shape=(len(names), programme.size)))
        low.append(np.full(len(names), -np.inf))
        high.append(np.zeros(len(names)))
    if one_person:
        d, e = np.triu_indices(programme.count, 1)
        together = csr_array((labels[d] + labels[e]).tocsr())
        y_of = {(int(a), int(b)): i for i, (a, b) in enumerate(y)}
        has = [(row, at_y + y_of[pair]) for row, pair in enumerate(zip(d.tolist(), e.tolist(), strict=True)) if pair in y_of]
        if has:
            place = np.array(has).T
            together = together - csr_array((np.ones(len(has)), (place[0], place[1])), shape=together.shape)
        rows.append(together)
        low.append(np.full(len(d), -np.inf))
        high.append(np.ones(len(d)))
    return vstack(rows, format="csr"), np.concatenate(low), np.concatenate(high)


def _settled(programme: _Programme, known: Known | None) -> Bounds:
    low, high = np.zeros(programme.size), np.ones(programme.size)
    if known is not None:
        n = len(known.label)
        low[: len(programme.x)][programme.x[:, 0] < n] = 1
        both = (programme.y < n).all(1)
        low[len(programme.x) : len(programme.x) + len(programme.y)][both] = 1
    return Bounds(low, high)


def _relaxed(
    programme: _Programme, rows: csr_array, low: Floats, high: Floats, bounds: Bounds, whole: bool, limit_s: float
) -> tuple[Floats | None, float, bool]:
    """Return variables at the least cost (or None), a bound below it, and whether that is exact; whole: of integers."""
    if whole:
        integers = np.zeros(programme.size)
        integers[: len(programme.x) + len(programme.y)] = 1
        found = milp(
            programme.cost,
            integrality=integers,
            bounds=bounds,
            constraints=LinearConstraint(rows, low, high),
            options={"time_limit": limit_s, "mip_rel_gap": 0.0},
        )
        lower = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        return found.x, lower, found.status == 0
    equal = low == high
    found = linprog(
        programme.cost,
        A_ub=rows[~equal],
        b_ub=high[~equal],
        A_eq=rows[equal],
        b_eq=high[equal],
        bounds=np.stack([bounds.lb, bounds.ub], -1),
        method="highs",
        options={"time_limit": limit_s},
    )
    return (found.x, float(found.fun), True) if found.status == 0 else (None, -np.inf, False)


def _joined(programme: _Programme, values: Floats) -> Floats:
    """Return y as a matrix (D, D); 0 for pairs that cannot be one person's."""
    matrix = np.zeros((programme.count, programme.count))
    d, e = programme.y.T
    matrix[d, e] = matrix[e, d] = values[len(programme.x) : len(programme.x) + len(programme.y)]
    return matrix


def _violated(programme: _Programme, values: Floats) -> csr_array:
    """Return the rows of y_ij + y_jk - y_ik <= 1 that are violated most, at most CUTS."""
    joined = _joined(programme, values)
    number = np.full((programme.count, programme.count), -1)
    d, e = programme.y.T
    number[d, e] = number[e, d] = len(programme.x) + np.arange(len(programme.y))
    near = np.flatnonzero((joined > SLACK).any(1))
    part = joined[np.ix_(near, near)]
    beyond = part[:, :, None] + part[None] - part[:, None, :] - 1  # i, j, k
    i, j, k = np.nonzero(beyond > SLACK)
    ordered = (i < k) & (i != j) & (j != k)
    i, j, k = i[ordered], j[ordered], k[ordered]
    worst = np.argsort(-beyond[i, j, k], kind="stable")[:CUTS]
    i, j, k = near[i[worst]], near[j[worst]], near[k[worst]]
    row = np.arange(len(i))
    there = number[i, k] >= 0
    columns = np.concatenate([number[i, j], number[j, k], number[i, k][there]])
    signs = np.concatenate([np.ones(2 * len(i)), -np.ones(int(there.sum()))])
    return csr_array((signs, (np.concatenate([row, row, row[there]]), columns)), shape=(len(i), programme.size))


def _integral(programme: _Programme, values: Floats) -> bool:
    decided = values[: len(programme.x) + len(programme.y)]
    return bool((np.abs(decided - np.round(decided)) < 1e-5).all())


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


def _cost_of(programme: _Programme, label: Places, cluster: Places) -> float:
    is_x = label[programme.x[:, 0]] == programme.x[:, 1]
    d, e = programme.y[programme.z[:, 0]].T if len(programme.z) else np.zeros((2, 0), int)
    is_z = is_x[programme.z[:, 1]] & is_x[programme.z[:, 2]] & (cluster[d] == cluster[e])
    on = np.concatenate([is_x, np.zeros(len(programme.y), bool), is_z])
    return float(programme.cost[on].sum())


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
