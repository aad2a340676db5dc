"""Grouping by tags: peaks of a heatmap are one person's where their tags are alike.

Newell, Huang and Deng 2017, "Associative Embedding", arXiv:1611.05424, section 3.3, with the numbers of the two codes
that do it: pose-ae-train (commit 3c80a16) and HigherHRNet (commit aa23881).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from posewright.codecs.bottom_up.whole import Places
from posewright.codecs.maps import Floats, Maps
from posewright.skeleton import Skeleton

ORDER = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_hip right_hip left_elbow "
    "right_elbow left_wrist right_wrist left_knee right_knee left_ankle right_ankle"
).split()
"""The order in which keypoints join people: from the head down, hips before elbows."""
CUT = 0.1
"""An absent keypoint is sought first where the heatmap exceeds this, and elsewhere only if that may not be enough."""


class Rules(NamedTuple):
    """Say how keypoints are found and joined.

    window px: a peak is the largest of so many squared; least: what a peak must exceed; alike: how near tags of one
    person are; most people; by_score: the cost prefers whole steps of tag distance, then high scores; closed: nobody
    is added once there are `most`; averaged: the distance of tags is their root mean square, not of the sum;
    published: as both codes have it, an absent keypoint is filled in wherever the heatmap is positive, be the tag there
    ever so much another person's, and a lone peak beside a keypoint of another person is somebody; slipped, beside
    that: filled in as pose-ae-train does, with score 1 and neighbours read at a wrong place.
    """

    window: int = 5
    least: float = 0.1
    alike: float = 1.0
    most: int = 30
    by_score: bool = True
    closed: bool = False
    averaged: bool = False
    slipped: bool = False
    published: bool = False


class Peaks(NamedTuple):
    """Hold the peaks of one keypoint, best first: x, y (N,) px, value (N,) and tags (N, T)."""

    x: NDArray[Any]
    y: NDArray[Any]
    value: NDArray[np.floating]
    tags: NDArray[np.float32]


def order_of(skeleton: Skeleton) -> list[int]:
    """Return places of keypoints in the order of grouping; those that ORDER does not name follow."""
    known = [skeleton.keypoints.index(name) for name in ORDER if name in skeleton.keypoints]
    return known + [k for k in range(len(skeleton)) if k not in known]


def find_peaks(maps: Maps, tags: Maps, rules: Rules) -> list[Peaks]:
    """Return for each of K maps (K, h, w) its peaks; tags (T, K, h, w)."""
    window, found = np.ones((rules.window, rules.window), np.uint8), []
    for heat, its_tags in zip(maps, tags.swapaxes(0, 1), strict=True):
        highest, flat = cv2.dilate(heat, window).ravel(), heat.ravel()
        place = np.flatnonzero(flat > rules.least)
        place = place[flat[place] >= highest[place]]
        place = place[np.argsort(-flat[place], kind="stable")[: rules.most]]
        y, x = np.divmod(place, heat.shape[1])
        found.append(Peaks(x, y, flat[place], its_tags[:, y, x].T))
    return found


def match(peaks: list[Peaks], order: list[int], rules: Rules) -> Floats:
    """Join peaks to people, and return (P, K, 3 + T): x, y, value and tags, 0 where absent.

    Keypoint by keypoint, peaks are assigned to people at the least cost (the Hungarian method); a peak whose tag is
    not alike opens a new person. As in the authors' code, a peak whose first tag is exactly that of another person's
    first keypoint takes that person's place.
    """
    people: dict[float, Floats] = {}
    members: dict[float, tuple[NDArray[np.float32], int]] = {}
    width = 3 + peaks[0].tags.shape[1]
    for k in order:
        rows = np.column_stack([peaks[k].x, peaks[k].y, peaks[k].value, peaks[k].tags]).astype(np.float64)
        known = list(people)[: rules.most]
        if not len(rows) or (rules.closed and len(known) == rules.most):
            continue
        for row, key in enumerate(_assigned(rows, [members[key] for key in known], known, rules)):
            tag = peaks[k].tags[row]
            if key is None:
                key = float(tag[0])
                people.setdefault(key, np.zeros((len(peaks), width)))
                members[key] = tag, 1
            else:
                total, count = members[key]
                members[key] = total + tag, count + 1
            people[key][k] = rows[row]
    return np.array(list(people.values())).reshape(-1, len(peaks), width)


def _assigned(
    rows: Floats, members: list[tuple[NDArray[np.float32], int]], keys: list[float], rules: Rules
) -> Iterator[float | None]:
    """Yield for each candidate (N, 3 + T) the person that it joins, or None."""
    if not keys:
        yield from [None] * len(rows)
        return
    means = np.array([total / np.float32(count) for total, count in members])
    apart = np.linalg.norm(rows[:, None, 3:] - means[None], axis=2)
    if rules.averaged:
        apart /= np.sqrt(means.shape[1])
    cost = np.round(apart) * 100 - rows[:, 2:3] if rules.by_score else apart
    person = np.full(len(rows), -1)
    chosen, to = scipy.optimize.linear_sum_assignment(cost)
    person[chosen] = to
    for row, column in enumerate(person):
        yield keys[column] if column >= 0 and apart[row, column] < rules.alike else None


def adjust(people: Floats, maps: Maps) -> Floats:
    """Move places of people (P, K, 3 + T) by a quarter of a px toward the larger neighbour, then to a px's middle.

    Of equal neighbours the one before wins.
    """
    moved = people.copy()
    k = np.broadcast_to(np.arange(people.shape[1]), people.shape[:2])
    x, y = people[..., 0].astype(int), people[..., 1].astype(int)
    step = _quarters(maps, k, y, x)
    moved[..., :2] += np.where(people[..., 2:3] > 0, step + 0.5, 0.0)
    return moved


def _quarters(maps: Maps, k: Places, y: Places, x: Places, last: tuple[int, int] | None = None) -> Floats:
    """Return the steps (..., 2) by +-1/4 px at pixels of maps (K, h, w); `last` row and column are read at most."""
    bottom, right = last or (maps.shape[1] - 1, maps.shape[2] - 1)
    across = maps[k, y, np.minimum(x + 1, right)] > maps[k, y, np.maximum(x - 1, 0)]
    down = maps[k, np.minimum(y + 1, bottom), x] > maps[k, np.maximum(y - 1, 0), x]
    return np.where(np.stack([across, down], -1), 0.25, -0.25)


def refine(people: Floats, maps: Maps, tags: Maps, rules: Rules) -> Floats:
    """Fill in absent keypoints of people (P, K, 3 + T), already adjusted, where the tag is most alike.

        argmax of  m - round(|tag - t|),   t: the mean tag at the person's keypoints

    It is filled in where the heatmap is positive and the tag as near as those of one person are, tags (T, K, h, w).
    Departure: the codes, to which `Rules.published` returns, do not ask for the latter, and so tell limbs of others as
    this person's. pose-ae-train gives the value 1, and reads the neighbours beyond column h - 1 and row K - 1 there:
    slips, which its vector records.
    """
    filled = people.copy()
    keypoints = people.shape[1]
    h, w = maps.shape[1:]
    last = (min(keypoints, h) - 1, min(h, w) - 1) if rules.slipped else None
    present = people[..., 2] > 0
    means = _mean_tags(people, present, tags)
    for k in range(keypoints):
        absent = np.flatnonzero(~present[:, k])
        if not len(absent):
            continue
        places = _places_alike(maps[k].ravel(), tags[:, k].reshape(len(tags), -1), means[absent], rules)
        absent, places = absent[places >= 0], places[places >= 0]
        y, x = np.divmod(places, w)
        values = np.ones(len(x)) if rules.slipped else maps[k].ravel()[places]
        steps = _quarters(maps, np.full(len(x), k), y, x, last)
        filled[absent, k, :3] = np.column_stack([np.stack([x, y], -1) + 0.5 + steps, values])
    return filled


def _mean_tags(people: Floats, present: NDArray[np.bool_], tags: Maps) -> NDArray[np.float32]:
    """Return the mean (P, T) of tags (T, K, h, w) at each person's keypoints."""
    means = np.zeros((len(people), len(tags)), np.float32)
    for person, (row, there) in enumerate(zip(people, present, strict=True)):
        members = np.flatnonzero(there)
        x, y = row[members, :2].astype(int).T
        means[person] = tags[:, members, y, x].T.mean(0) if len(members) else 0
    return means


def _places_alike(
    heat: NDArray[np.float32], tags: NDArray[np.float32], means: NDArray[np.float32], rules: Rules
) -> Places:
    """Return (P,) where in heat (N,) and tags (T, N) an absent keypoint is filled in, -1 for nowhere."""
    if rules.published or rules.slipped:
        places = _most_alike(heat, tags, means)
        return np.where(heat[places] > 0, places, -1)
    per_tag = np.sqrt(len(tags)) if rules.averaged else 1.0
    found = np.full(len(means), -1)
    for person, mean in enumerate(means):
        reach = float(rules.alike * per_tag)
        near = np.flatnonzero(cv2.inRange(tags[0], float(mean[0]) - reach, float(mean[0]) + reach).view(bool))
        near = near[heat[near] > 0]
        apart = np.sqrt(np.square(tags[:, near] - mean[:, None]).sum(0)) / per_tag
        near, apart = near[apart < rules.alike], apart[apart < rules.alike]
        if len(near):
            found[person] = near[(heat[near] - np.rint(apart)).argmax()]
    return found


def _most_alike(heat: NDArray[np.float32], tags: NDArray[np.float32], means: NDArray[np.float32]) -> Places:
    """Return (P,) places of the maxima of heat (N,) - round(|tags (T, N) - mean|), the first of equals.

    The pixels above CUT are looked at first: if what is best of them exceeds it too, it is best of all.
    """
    some = np.flatnonzero(heat > CUT)
    near, near_tags = heat[some], tags[:, some]
    places = np.empty(len(means), np.intp)
    for person, mean in enumerate(means):
        worth = near - _steps_away(near_tags, mean)
        best = worth.argmax() if len(some) else -1
        if best >= 0 and worth[best] > CUT:
            places[person] = some[best]
        else:
            places[person] = (heat - _steps_away(tags, mean)).argmax()
    return places


def _steps_away(tags: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return round(|tags - mean|) (N,) of tags (T, N)."""
    total = np.square(tags[0] - mean[0])
    for one, middle in zip(tags[1:], mean[1:], strict=True):
        total += np.square(one - middle)
    return np.rint(np.sqrt(total, out=total), out=total)


def group(maps: Maps, tags: Maps, order: list[int], rules: Rules) -> tuple[Floats, Floats]:
    """Find everybody in maps (K, h, w) and tags (T, K, h, w): people (P, K, 3 + T), and their scores (P,).

    A row is x, y px of the maps (a pixel's corner is whole), value and tags; value 0 is absent. The score is the mean
    value, absent keypoints counted as 0, before they are filled in.
    """
    people = adjust(match(find_peaks(maps, tags, rules), order, rules), maps)
    scores = people[..., 2].mean(1)
    filled = refine(people, maps, tags, rules)
    if rules.published or rules.slipped:
        return filled, scores
    kept = ~_echoes(people, filled, rules.window)
    return filled[kept], scores[kept]


def _echoes(people: Floats, filled: Floats, window: int) -> NDArray[np.bool_]:
    """Tell who (P,) is a lone peak in another's window: between two people's tags, enlarged ones are nobody's."""
    lone = (people[..., 2] > 0).sum(1) == 1
    echo = np.zeros(len(people), bool)
    for person in np.flatnonzero(lone):
        k = int(people[person, :, 2].argmax())
        others = filled[~echo & (np.arange(len(people)) != person) & (filled[:, k, 2] > 0), k, :2]
        echo[person] = (np.abs(others - people[person, k, :2]) < window).all(1).any()
    return echo
