"""DeeperCut: disks around parts, the way from each to its own place and to the person's other parts; and the programme.

Insafutdinov et al. 2016, "DeeperCut: A Deeper, Stronger, and Faster Multi-Person Pose Estimation Model",
arXiv:1605.03170, by the authors' codes (pose-tensorflow at 6a8f5ee, deepcut at 096e2d1). A map pixel stands for the
picture's px 8 j + 4. People are found by DeepCut's programme, stage by stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy

from posewright.codecs.bottom_up.subset_partition import Partition, stages
from posewright.codecs.bottom_up.whole import (
    Everyone,
    Pictures,
    Places,
    Unlabelled,
    WholeMaps,
    checked,
    everyone,
    finite,
    masks,
    one_person,
)
from posewright.codecs.maps import Floats, Maps
from posewright.codecs.pairwise import Found, Logistic, apart, channel, joined, same
from posewright.fields import Parts
from posewright.scene import Person
from posewright.skeleton import LSP, Skeleton
from posewright.warp import Size

UNIT = 53**0.5
"""px of the picture in which offsets are told, 7.2801."""
KEPT, SURE = 20, 0.2
"""Candidates of a part in a picture at most, and the score from which on they count."""
NEAR = 3
"""Map px along each axis within which only the best candidate is kept."""
_STAGES = ("shoulder neck head nose eye ear thorax", "elbow wrist hand")
"""Words of keypoints' names that the first two stages find; the third finds the others."""


@dataclass(frozen=True)
class DeeperCut(WholeMaps):
    """Draw parts as disks with ways, and solve for people.

    size (width, height) px of the pictures; radius px of the disks; pair_mean, pair_deviation px (K (K - 1), 2): what
    ways to other parts are told less, and over, by default 0 and `UNIT`; regressions: of each pair of keypoints, by
    number, fitted by `pairwise.fitted`; a pair without one is judged by how far its ways miss, as parts of one kind are
    by distance, which is a choice of this library's. limit_s: seconds that a stage of the programme may take.
    """

    skeleton: Skeleton = LSP
    size: Size = (336, 336)
    stride: int = 8
    radius: float = 17.0
    pair_mean: Floats | None = None
    pair_deviation: Floats | None = None
    regressions: Mapping[tuple[int, int], Logistic] = field(default_factory=dict)
    limit_s: float = 10.0

    tolerance: ClassVar[float] = 1e-3
    """Ways are told exactly."""
    apart: ClassVar[float] = 80.0
    mirror_tolerance: ClassVar[float] = 1e-2

    def encode(self, pictures: Pictures, unlabelled: Unlabelled = None) -> Parts:
        """Everybody in B pictures, in px, to disks (B, K, h, w), offsets (B, K, 2, h, w), pairs (B, K (K-1), 2, h, w).

        A pixel near several people's parts is the nearest one's. joined as `pairs`, without the 2; mask (B, 1, h, w).
        """
        drawn = [self._drawn(everyone(people, self.skeleton)) for people in pictures]
        w, h = self.map_size
        count = len(self.skeleton)
        shapes = ((count,), (count, 2), (count * (count - 1), 2), (count * (count - 1),))
        maps, offsets, pairs, known = (
            np.array([one[i] for one in drawn], np.float32).reshape(len(drawn), *shape, h, w)
            for i, shape in enumerate(shapes)
        )
        return Parts(maps, offsets, pairs, known, masks(pictures, unlabelled, self.size, self.map_size))

    def _drawn(self, people: Everyone) -> tuple[Floats, Floats, Floats, Floats]:
        w, h = self.map_size
        count = len(self.skeleton)
        grid = self.grid()
        maps, offsets = np.zeros((count, h, w)), np.zeros((count, 2, h, w))
        pairs, known = np.zeros((count * (count - 1), 2, h, w)), np.zeros((count * (count - 1), h, w))
        mean, deviation = self._scales()
        for k in range(count):
            there = np.flatnonzero(people.labelled[:, k])
            if not len(there):
                continue
            away = people.xy[there, k, :, None, None] - grid
            far = np.hypot(away[:, 0], away[:, 1])
            nearest, on = far.argmin(0), far.min(0) <= self.radius
            maps[k] = on
            offsets[k] = np.where(on, np.take_along_axis(away, nearest[None, None], 0)[0] / UNIT, 0)
            who = there[nearest]
            for other in set(range(count)) - {k}:
                c = channel(k, other, count)
                known[c] = on & people.labelled[who, other]
                way = np.moveaxis(people.xy[who, other], -1, 0) - grid
                told = (way - mean[c][:, None, None]) / deviation[c][:, None, None]
                pairs[c] = np.where(known[c] > 0, told, 0)
        return maps, offsets, pairs, known

    def grid(self) -> Floats:
        """Return the px (2, h, w) of the picture that map pixels stand for."""
        w, h = self.map_size
        return np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)) * self.stride

    def _scales(self) -> tuple[Floats, Floats]:
        shape = (len(self.skeleton) * (len(self.skeleton) - 1), 2)
        mean = np.zeros(shape) if self.pair_mean is None else np.asarray(self.pair_mean)
        deviation = np.full(shape, UNIT) if self.pair_deviation is None else np.asarray(self.pair_deviation)
        return mean, deviation

    def perfect(self, target: Parts) -> Parts:
        """Return what a perfect network would say: disks as logits."""
        return Parts(np.where(np.asarray(target.maps) > 0, 8.0, -8.0).astype(np.float32), target.offsets, target.pairs)

    def decode(self, fields: Parts) -> list[list[Person]]:
        """Logits (B, K, h, w), offsets and pairs to the people of each picture, in px.

        A keypoint is the mean of a person's candidates, weighed by score; the score is the best one's.
        """
        maps = checked(fields.maps, self.skeleton)
        return [
            self._people(*each) for each in zip(maps, finite(fields.offsets), finite(fields.pairs), strict=True)
        ]  # fmt: skip

    def _people(self, maps: Maps, offsets: Maps, pairs: Maps) -> list[Person]:
        found = self.candidates(scipy.special.expit(maps.astype(np.float64)), offsets, pairs)
        count = len(self.skeleton)
        kind = np.repeat(np.arange(count), [len(one.at) for one, _ in found])
        at = np.concatenate([one.at for one, _ in found])
        score = np.concatenate([scores for _, scores in found])
        if not len(kind):
            return []
        unary = np.zeros((len(kind), count))
        unary[np.arange(len(kind)), kind] = score
        likely = self.likely([one for one, _ in found])
        pairwise = np.zeros((len(kind), len(kind), count, count))
        pairwise[np.arange(len(kind))[:, None], np.arange(len(kind)), kind[:, None], kind] = likely
        solution, chosen = stages(unary, pairwise, stages_of(self.skeleton), self.limit_s)
        return self._told(solution, at[chosen], score[chosen])

    def _told(self, solution: Partition, at: Floats, score: Floats) -> list[Person]:
        found = []
        for cluster in range(solution.cluster.max(initial=-1) + 1):
            xy, scores = np.full((len(self.skeleton), 2), np.nan), np.zeros(len(self.skeleton))
            for k in range(len(self.skeleton)):
                mine = (solution.cluster == cluster) & (solution.label == k)
                if mine.any():
                    xy[k], scores[k] = np.average(at[mine], axis=0, weights=score[mine]), score[mine].max()
            if np.isfinite(xy).any():
                found.append(one_person(xy, scores, scores.mean()))
        return found

    def candidates(self, scores: Floats, offsets: Maps, pairs: Maps) -> list[tuple[Found, Floats]]:
        """Return for each keypoint its candidates, and their scores: the best within NEAR map px, as refined too."""
        grid, (mean, deviation) = self.grid(), self._scales()
        found = []
        for k, one in enumerate(scores):
            y, x = np.nonzero(one >= SURE)
            order = np.argsort(-one[y, x], kind="stable")
            y, x = y[order], x[order]
            refined = grid[:, y, x].T + UNIT * offsets[k][:, y, x].T
            kept = _thinned(np.stack([x, y], -1), NEAR)
            kept = kept[_thinned(refined[kept] / self.stride, NEAR)][:KEPT]
            y, x = y[kept], x[kept]
            ways = np.moveaxis(pairs[:, :, y, x], -1, 0) * deviation + mean
            found.append((Found(refined[kept], grid[:, y, x].T, ways), one[y, x]))
        return found

    def likely(self, found: Sequence[Found]) -> Floats:
        """Return how likely candidates of all keypoints in turn are one person's, (D, D)."""
        blocks = [[self._pair(found, a, b) for b in range(len(found))] for a in range(len(found))]
        return np.block(blocks)

    def _pair(self, found: Sequence[Found], a: int, b: int) -> Floats:
        if a == b:
            return same(found[a].at)
        if a > b:
            return self._pair(found, b, a).T
        count = len(self.skeleton)
        if (a, b) in self.regressions:
            return joined(found[a], found[b], (a, b), count, self.regressions[a, b])
        one, other = found[a], found[b]
        there = apart(other.at - one.pixel[:, None], one.ways[:, channel(a, b, count)][:, None])
        back = apart(one.at[:, None] - other.pixel, other.ways[:, channel(b, a, count)])
        return np.asarray(scipy.special.expit(7.5 - 0.2 * (there + back) / 2))

    def mirror(self, fields: Any) -> Any:
        """Fields of the mirrored pictures to fields of the pictures; ways to the right lead to the left.

        A map pixel stands for a place that is a px off its mirror's, and ways are measured anew from there.
        """
        order = self.skeleton.mirror
        count = len(order)
        between = [
            channel(int(order[a]), int(order[b]), count) for a in range(count) for b in range(count) if a != b
        ]  # fmt: skip
        mean, deviation = self._scales()
        offsets = fields.offsets[..., order, :, :, ::-1] * UNIT
        pairs = fields.pairs[..., between, :, :, ::-1]
        pairs = pairs * deviation[between][..., None, None] + mean[between][..., None, None]
        off = np.array([self.stride * self.map_size[0] - self.size[0] + 1.0, 0.0])[:, None, None]
        offsets, pairs = (ways * np.array([-1, 1])[:, None, None] - off for ways in (offsets, pairs))
        told = (pairs - mean[..., None, None]) / deviation[..., None, None]
        known = None if fields.joined is None else fields.joined[..., between, :, ::-1]
        near = fields.maps[..., order, :, ::-1]
        if known is not None:
            offsets, told = offsets * near[..., None, :, :], told * known[..., None, :, :]
        return Parts(
            near, (offsets / UNIT).astype(np.float32), told.astype(np.float32), known,
            None if fields.mask is None else fields.mask[..., ::-1],
        )  # fmt: skip


def _thinned(at: Floats | Places, near: float) -> Places:
    """Return which places (N, 2), best first, to keep: those with no better one within `near` along each axis."""
    left, kept = np.arange(len(at)), []
    while len(left):
        kept.append(left[0])
        left = left[(np.abs(at[left] - at[left[0]]) > near).any(1)]
    return np.array(kept, int)


def stages_of(skeleton: Skeleton) -> list[list[int]]:
    """Return the keypoints that each stage of the programme adds: head and shoulders, arms, the rest."""
    found: list[list[int]] = [[], [], []]
    for k, name in enumerate(skeleton.keypoints):
        words = name.split("_")
        found[next((i for i, stage in enumerate(_STAGES) if set(words) & set(stage.split())), 2)].append(k)
    return [stage for stage in found if stage]
