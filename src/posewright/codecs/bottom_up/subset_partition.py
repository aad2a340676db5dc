"""DeepCut's integer linear programme: which candidates are which keypoints, and which belong to one person.

Pishchulin et al. 2016, "DeepCut: Joint Subset Partition and Labeling for Multi Person Pose Estimation",
arXiv:1511.06645, section 2, solved by HiGHS through scipy. The authors add the constraints of triples while Gurobi
searches; here violated ones are added to the linear relaxation until none is left, and only then integers are sought.

    minimise  sum a_dc x_dc  +  sum b_dd'cc' z_dd'cc',     a, b = log((1 - p) / p)
    x_dc: candidate d is keypoint c;  y_dd': two are one person's;  z_dd'cc' = x_dc x_d'c' y_dd'

The constraints are the authors' in a tighter and smaller form with the same integer solutions: y is the sum of its z,
and those z with one label are at most that label's x together, which goes unsaid where nothing is gained by joining.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np
import scipy

from posewright.codecs.bottom_up.partition_programme import (
    Known,
    Programme,
    constraints_of,
    joined_in,
    programme_of,
    relaxed,
    settled,
    violated,
)
from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.maps import Floats


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


def solve(
    unary: Floats, pairwise: Floats, known: Known | None = None, limit_s: float = 60.0, one_person: bool = False
) -> Partition:
    """Label and partition D candidates at the least cost.

    unary (D, C): how likely a candidate is each keypoint; pairwise (D, D, C, C), of d < d': how likely two are one
    person's, if they are these keypoints. known: what is settled of the first candidates, as in DeeperCut's stages.
    limit_s seconds: afterwards what moving candidates one at a time comes to returns, with the bound that was proven.
    one_person: all are one person's. Raises ValueError where shapes disagree.
    """
    count, labels = unary.shape
    if pairwise.shape != (count, count, labels, labels):
        raise ValueError(f"pairwise must be {(count, count, labels, labels)}, not {pairwise.shape}")
    if not count:
        return Partition(np.zeros(0, int), np.zeros(0, int), 0.0, 0.0)
    end = perf_counter() + limit_s
    programme = programme_of(unary, pairwise, known)
    rows, high = constraints_of(programme, one_person)
    bounds = settled(programme, known)
    bound, best = -np.inf, _partition(programme, bounds.lb)
    if not len(programme.x):
        return best._replace(bound=0.0)
    whole = False
    while (left := end - perf_counter()) > 0:
        values, lower, exact = relaxed(programme, rows, high, bounds, whole, left)
        bound = max(bound, lower)
        if values is None:
            break
        cuts = violated(programme, values)
        if cuts.shape[0]:
            rows = scipy.sparse.vstack([rows, cuts], format="csr")
            high = np.append(high, np.ones(cuts.shape[0]))
        elif (np.abs(values - np.round(values)) < 1e-5).all():
            found = _partition(programme, np.round(values))
            return found._replace(bound=found.cost if exact else min(max(bound, lower), found.cost))
        else:
            whole = True
    best = _moved(programme, best, 0 if known is None else len(known.label), one_person)
    return best._replace(bound=min(bound, best.cost))


def _partition(programme: Programme, values: Floats) -> Partition:
    """Return the solution that whole variables are, its cost worked out anew."""
    label, cluster = np.full((2, programme.candidates), -1)
    chosen = programme.x[values[: len(programme.x)] > 0.5]
    label[chosen[:, 0]] = chosen[:, 1]
    joined = joined_in(programme, values) > 0.5
    clusters = 0
    for d in chosen[:, 0]:
        mates = np.flatnonzero(joined[d] & (cluster >= 0))
        cluster[d] = cluster[mates[0]] if len(mates) else clusters
        clusters += not len(mates)
    return Partition(label, cluster, _cost_of(programme, label, cluster), -np.inf)


def _moved(programme: Programme, start: Partition, first: int, one_person: bool) -> Partition:
    """Improve a solution by taking candidates one at a time to where they cost least, until none moves.

    What is settled, the first candidates, stays. What a search that ran out of time answers with.
    """
    between = np.full((len(programme.x),) * 2, np.inf)
    _, one, other = programme.z.T
    between[one, other] = between[other, one] = programme.cost[len(programme.x) :]
    own = programme.cost[: len(programme.x)]
    places = {(int(d), int(c)): n for n, (d, c) in enumerate(programme.x)}
    where = {places[d, c]: int(k) for d, (c, k) in enumerate(zip(start.label.tolist(), start.cluster, strict=True))
             if c >= 0}  # fmt: skip
    options = {d: np.flatnonzero(programme.x[:, 0] == d).tolist() for d in range(first, programme.candidates)}
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
    told = np.full((2, programme.candidates), -1)
    for n, k in where.items():
        told[:, programme.x[n, 0]] = programme.x[n, 1], k
    return start._replace(label=told[0], cluster=told[1], cost=_cost_of(programme, *told))


def _joining(own: Floats, between: Floats, where: dict[int, int], n: int, cluster: int) -> float:
    """Return what it costs that a candidate with its label joins a cluster."""
    members = [m for m, k in where.items() if k == cluster]
    return float(own[n] + between[n, members].sum())


def _cost_of(programme: Programme, label: Places, cluster: Places) -> float:
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
    kept = chosen = np.zeros(0, int)
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
        kept = chosen[best]
    return solution, chosen


def _best_of_each(solution: Partition, unary: Floats) -> Places:
    """Return the places of the likeliest candidate of each label of each person."""
    best: dict[tuple[int, int], int] = {}
    for d in np.flatnonzero(solution.label >= 0).tolist():
        name = (int(solution.cluster[d]), int(solution.label[d]))
        if name not in best or unary[d, name[1]] > unary[best[name], name[1]]:
            best[name] = d
    return np.array(sorted(best.values()), int)
