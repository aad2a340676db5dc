"""Worst cases: what one occluder does to an estimator where its place and its size are searched for.

The search fits each picture by design, so its loss is what one occluder can do at worst (and at least that: more
looks may find more), never what one does in general. Beside it stand the same occluder anywhere, which the search's
grid tells, and on each keypoint in turn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from posewright.files import write_whole
from posewright.metrics.score import versions
from posewright.robustness.answers.ask import Estimator, Track, claim, clean_answers, digest
from posewright.robustness.attacks.search import (
    Looks,
    Search,
    grid,
    loss_of,
    quality,
    read_looks,
    searched,
    similarity,
    write_looks,
)
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import DRAWS, MARGIN, Effect, effects
from posewright.robustness.numbers.right import asked, rule_for
from posewright.robustness.numbers.tables import plain
from posewright.scene import Floats

FORMAT = "posewright worst occluders, 1"
HONEST = (
    "searched anew on every picture with its true keypoints in sight: what the worst place costs is at least "
    "this much, a lower bound, and what an occluder costs in general is less"
)


class Case(NamedTuple):
    """Hold all looks at one person; reach (K,) px, clean (K, 2) px, loss (T,) of each look, NaN where there was none.

    cells: how many of the looks are the grid's.
    """

    person: Subject
    reach: Floats
    clean: Floats
    looks: Looks
    loss: Floats
    cells: int

    @property
    def asked(self) -> NDArray[np.bool_]:
        """(K,) the keypoints that there is something to find for."""
        return self.person.truth.labelled & (self.reach > 0)

    @property
    def best(self) -> int:
        """The place of the worst look of all, of equal ones the first."""
        return int(np.nanargmax(self.loss))

    @property
    def at_keypoints(self) -> Floats:
        """(K,) the loss with the occluder on each keypoint; NaN on absent ones."""
        return self.loss[-len(self.reach) :]

    @property
    def spot(self) -> Floats:
        """(3,) x, y, radius px of the worst occluder in the person's crop."""
        return np.asarray(self.looks.spots[self.best])

    @property
    def nearest(self) -> int:
        """The labelled keypoint that is nearest to the worst place."""
        away = np.hypot(*(self.person.truth.keypoints - self.spot[:2]).T)
        return int(np.nanargmin(away))


@dataclass(frozen=True, eq=False)
class Worst:
    """Hold what a search has found.

    numbers: the loss in the worst place, "worst"; in any place of the person's box, on average, "anywhere"; on the
    keypoint that is worst for each person, "own_keypoint"; on the one that is worst on the whole, "keypoint", whose
    name `keypoint` is; differences such as "worst - anywhere"; "hit" and "collateral", what of the worst is covered
    and what is not; and the share of correct keypoints: "right" in clean pictures, "right_worst", "right_anywhere",
    "right_own_keypoint"; and of those taken for their mirror images, left for right: "inverted", "inverted_worst".
    """

    search: Search
    cases: Sequence[Case]
    keypoint: str
    numbers: Mapping[str, Effect]
    protocol: Mapping[str, Any]


def worst(
    estimator: Estimator,
    people: Sequence[Subject],
    search: Search | None = None,
    *,
    out: Path | str | None = None,
    draws: int = DRAWS,
    protocol: Mapping[str, Any] | None = None,
    track: Track = lambda items, total: items,  # noqa: ARG005
) -> Worst:
    """Search for the worst occluder of each person; a person with no keypoint to find is left out.

    out: a folder that keeps the looks at each person, so that the same call goes on from there. Raises ValueError
    where it holds another search, or nobody can be judged.
    """
    search = search or Search()
    rule = rule_for(people[0].crop.skeleton, people)
    can = np.flatnonzero(asked(rule, people).any(axis=1)).tolist()
    if not can:
        raise ValueError(
            f"nobody can be judged by {rule.name}: nobody has the keypoints, the head or the area it needs"
        )
    chosen, reach = [people[n] for n in can], rule.reach[can]
    about = {**(protocol or {}), "search": asdict(search), "people": len(can), "people_sha256": digest(chosen)}
    folder = None if out is None else Path(out) / "looks"
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        claim(folder.parent / "about.json", about)
    clean = clean_answers(estimator, chosen).keypoints
    cases = []
    for n in track(range(len(chosen)), len(chosen)):
        looks = _kept(folder, estimator, chosen[n], n, reach[n], clean[n], search)
        loss = np.where(np.isfinite(looks.spots).all(1), loss_of(search, chosen[n], reach[n], clean[n], looks), np.nan)
        cells = len(grid(chosen[n], 1.0, search.looks // 2, np.random.default_rng(0))[0])
        cases.append(Case(chosen[n], reach[n], clean[n], looks, loss, cells))
    more = {"right": rule.name, "left_out": len(people) - len(can), "draws": draws, "about": HONEST}
    return _told(search, cases, about | more, draws)


def _kept(
    folder: Path | None, estimator: Estimator, one: Subject, n: int, reach: Floats, clean: Floats, search: Search
) -> Looks:
    """Return the looks at a person that a folder keeps, or look now and keep them."""
    file = None if folder is None else folder / f"{n:06d}.npz"
    if file is not None and file.exists():
        return read_looks(file)
    looks = searched(estimator, one, n, reach, clean, search)
    if file is not None:
        write_looks(file, looks)
    return looks


def _told(search: Search, cases: Sequence[Case], about: Mapping[str, Any], draws: int) -> Worst:
    keypoint = _worst_keypoint(cases)
    rows = [_numbers(search, case, keypoint) for case in cases]
    _, scene = np.unique([case.person.scene for case in cases], return_inverse=True)
    values = np.array([list(row.values()) for row in rows])
    weight = np.isfinite(values) * np.array([case.asked.sum() for case in cases])[:, None]
    part, whole = (np.zeros((int(scene.max()) + 1, values.shape[1])) for _ in range(2))
    np.add.at(part, scene, np.nan_to_num(values) * weight)
    np.add.at(whole, scene, weight)
    numbers = dict(zip(rows[0], effects(part, whole, draws, search.seed), strict=True))
    return Worst(search, cases, cases[0].person.crop.skeleton.keypoints[keypoint], numbers, {**about, **versions()})


def _worst_keypoint(cases: Sequence[Case]) -> int:
    """Return the keypoint that costs most on the whole, of those that half of the people have, or as many as any."""
    losses = np.stack([case.at_keypoints for case in cases])
    there = np.isfinite(losses)
    weight = there * np.array([case.asked.sum() for case in cases])[:, None]
    mean = (np.nan_to_num(losses) * weight).sum(0) / np.maximum(weight.sum(0), 1)
    enough = 2 * there.sum(0) >= min(len(cases), 2 * there.sum(0).max())
    return int(np.argmax(np.where(enough, mean, -np.inf)))


def _numbers(search: Search, case: Case, keypoint: int) -> dict[str, float]:
    """Return the numbers of `Worst` for one person."""
    worst_of, anywhere = case.loss[case.best], case.loss[: case.cells].mean()
    own, fixed = np.nanmax(case.at_keypoints), case.at_keypoints[keypoint]
    before, after = (_quality(search, case, found) for found in (case.clean, case.looks.keypoints[case.best]))
    under = case.looks.covered[case.best]
    lost = (before - after) * (case.asked & (under if search.of == "all" else False)) / case.asked.sum()
    by_right = Search(by="right")
    right = (_quality(by_right, case, case.looks.keypoints) * case.asked).sum(1) / case.asked.sum()
    right_before = (_quality(by_right, case, case.clean) * case.asked).sum() / case.asked.sum()
    inverted = [_inverted(case, found) for found in (case.clean, case.looks.keypoints[case.best])]
    at_own = len(case.loss) - len(case.reach) + int(np.nanargmax(case.at_keypoints))
    return {
        "worst": worst_of,
        "anywhere": anywhere,
        "own_keypoint": own,
        "keypoint": fixed,
        "worst - anywhere": worst_of - anywhere,
        "worst - own_keypoint": worst_of - own,
        "worst - keypoint": worst_of - fixed,
        "hit": lost.sum(),
        "collateral": worst_of - lost.sum(),
        "right": right_before,
        "right_worst": right[case.best],
        "right_anywhere": right[: case.cells].mean(),
        "right_own_keypoint": right[at_own],
        "inverted": inverted[0],
        "inverted_worst": inverted[1],
    }


def _inverted(case: Case, found: Floats) -> float:
    """Return the share of keypoints that are taken for their mirror images."""
    truth, mirror = case.person.truth.keypoints, case.person.crop.skeleton.mirror
    right, other = (similarity(found, at, case.reach) >= 0.5 for at in (truth, truth[mirror]))
    return float((other & ~right & case.asked).sum() / case.asked.sum())


def _quality(search: Search, case: Case, found: Floats) -> Floats:
    return quality(search, found, case.person.truth.keypoints, case.reach)


def curve(found: Worst) -> Floats:
    """Return the mean loss of the worst look so far, after each look of the search (T,)."""
    count = len(found.cases[0].reach)
    return np.asarray(np.mean([np.maximum.accumulate(case.loss[:-count]) for case in found.cases], axis=0))


def nearest(found: Worst) -> dict[str, int]:
    """Count the keypoints that the worst places are nearest to, all of them, most first."""
    names = found.cases[0].person.crop.skeleton.keypoints
    counts = np.bincount([case.nearest for case in found.cases], minlength=len(names))
    return {names[k]: int(counts[k]) for k in np.argsort(-counts, kind="stable")}


def write_worst(found: Worst, folder: Path) -> Path:
    """Write `worst.json` into a folder: numbers, where the worst places are, and every person's; returns the file."""
    content = {
        "format": FORMAT,
        "protocol": dict(found.protocol),
        "worst_keypoint": found.keypoint,
        "numbers": {name: plain(effect) for name, effect in found.numbers.items()},
        "nearest_keypoints": nearest(found),
        "worst_so_far": curve(found).tolist(),
        "people": [_person(case) for case in found.cases],
        "margin": MARGIN,
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "worst.json", json.dumps(content, indent=1, allow_nan=False).encode())
    return folder / "worst.json"


def _person(case: Case) -> dict[str, Any]:
    names = case.person.crop.skeleton.keypoints
    back = case.person.crop.warp.inverse(case.person.crop.source_size)
    x, y, radius = case.spot.tolist()
    x_picture, y_picture = back.points([x, y]).tolist()
    return {
        "scene": case.person.scene,
        "person": case.person.person,
        "spot": {"x": x, "y": y, "radius": radius, "in": "px of the crop"},
        "spot_in_picture": {"x": x_picture, "y": y_picture, "radius": radius * back.scale},
        "loss": float(case.loss[case.best]),
        "loss_anywhere": float(case.loss[: case.cells].mean()),
        "loss_own_keypoint": float(np.nanmax(case.at_keypoints)),
        "nearest_keypoint": names[case.nearest],
        "covered": [names[k] for k in np.flatnonzero(case.looks.covered[case.best])],
    }
