"""Worst cases: what one occluder does to an estimator where its place and its size are searched for.

The search fits each picture by design, so its loss is what one occluder can do at worst (and at least that: more
looks may find more), never what one does in general. Beside it stand looks nearby that took no part in the search,
which tell a weak place from a place that fools by the pixel; the same occluder anywhere, which the search's grid tells;
and on each keypoint in turn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posewright.files import write_whole
from posewright.metrics.score import versions
from posewright.metrics.trust.confidence import GROUPS
from posewright.robustness.answers.ask import Estimator, Track, claim, clean_answers, digest
from posewright.robustness.attacks.search import (
    AWAY,
    HELD_OUT,
    Looks,
    Search,
    beside,
    grid,
    loss_of,
    read_looks,
    searched,
    write_looks,
)
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.cases import Case, cross_fitted, numbers_of, worst_keypoint
from posewright.robustness.numbers.effect import DRAWS, MARGIN, Effect, effects
from posewright.robustness.numbers.right import asked, rule_for
from posewright.robustness.numbers.tables import plain
from posewright.scene import Floats

FORMAT = "posewright worst occluders, 1"
HONEST = (
    "searched anew on every picture with its true keypoints in sight: what the worst place costs is at least "
    "this much, a lower bound, and what an occluder costs in general is less"
)
NEARBY = (
    f"{HELD_OUT} looks at each person beside the worst place, not used to choose it: moved by "
    f"{100 * AWAY[0]:.0f} to {100 * AWAY[1]:.0f} % of the box's side, resized by as much of the radius"
)


@dataclass(frozen=True, eq=False)
class Worst:
    """Hold what a search has found.

    numbers: the loss in the worst place, "worst"; beside it, in looks that were held out of the search, "nearby"; in
    any place of the person's box, on average, "anywhere"; on the keypoint that is worst for each person,
    "own_keypoint"; on the one that is worst on the whole, "keypoint", cross-fitted, whose name `keypoint` is;
    differences such as "worst - anywhere"; "hit" and "collateral", what of the worst is covered and what is not; and
    the share of correct keypoints: "right" in clean pictures, "right_worst", "right_nearby", "right_anywhere",
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
    groups: Sequence[object] | None = None,
    draws: int = DRAWS,
    protocol: Mapping[str, Any] | None = None,
    track: Track = lambda items, total: items,  # noqa: ARG005
) -> Worst:
    """Search for the worst occluder of each person; a person with no keypoint to find is left out.

    out: a folder that keeps the looks at each person, so that the same call goes on from there. groups (N,): what is
    drawn anew instead of pictures, `measure.groups_of`. Raises ValueError
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
    for place, n in enumerate(track(can, len(can))):
        told = clean[place], reach[place]
        unit = people[n].scene if groups is None else groups[n]
        cases.append(_case(estimator, chosen[place], place, *told, search, folder, unit))
    more = {"right": rule.name, "left_out": len(people) - len(can), "draws": draws, "about": HONEST}
    return _told(search, cases, about | more, draws, groups is not None)


def _case(
    estimator: Estimator, one: Subject, n: int, clean: Floats, reach: Floats, search: Search, folder: Path | None,
    unit: object,
) -> Case:  # fmt: skip
    """Search for the worst occluder of person n, and look beside it; what the folder keeps is not asked again."""
    looks = _kept(folder, f"{n:06d}.npz", lambda: searched(estimator, one, n, reach, clean, search))
    loss = np.where(np.isfinite(looks.spots).all(1), loss_of(search, one, reach, clean, looks), np.nan)
    spot = looks.spots[int(np.nanargmax(loss))]
    held = _kept(folder, f"{n:06d}-nearby.npz", lambda: beside(estimator, one, n, spot, search))
    cells = len(grid(one, 1.0, search.looks // 2, np.random.default_rng(0))[0])
    return Case(one, reach, clean, looks, loss, cells, held, loss_of(search, one, reach, clean, held), unit)


def _kept(folder: Path | None, name: str, look: Callable[[], Looks]) -> Looks:
    """Return the looks at a person that a folder keeps, or look now and keep them."""
    file = None if folder is None else folder / name
    if file is not None and file.exists():
        return read_looks(file)
    looks = look()
    if file is not None:
        write_looks(file, looks)
    return looks


def _told(search: Search, cases: Sequence[Case], about: Mapping[str, Any], draws: int, grouped: bool) -> Worst:
    at = cross_fitted(cases, search.seed)
    rows = [numbers_of(search, case, int(k)) for case, k in zip(cases, at, strict=True)]
    order = {unit: n for n, unit in enumerate(dict.fromkeys(case.unit for case in cases))}
    scene = [order[case.unit] for case in cases]
    values = np.array([list(row.values()) for row in rows])
    weight = np.isfinite(values) * np.array([case.asked.sum() for case in cases])[:, None]
    part, whole = (np.zeros((len(order), values.shape[1])) for _ in range(2))
    np.add.at(part, scene, np.nan_to_num(values) * weight)
    np.add.at(whole, scene, weight)
    numbers = dict(zip(rows[0], effects(part, whole, draws, search.seed, grouped=grouped), strict=True))
    names = cases[0].person.crop.skeleton.keypoints
    halves = ", ".join(names[k] for k in dict.fromkeys(at.tolist()) if k >= 0) or "of one picture there are no halves"
    more: dict[str, Any] = {
        "nearby": NEARBY,
        "keypoint": f"chosen on half of the pictures, measured on the other, both ways: {halves}",
    }
    if grouped:
        more |= {"groups": len(order), "drawn": GROUPS}
    return Worst(search, cases, names[worst_keypoint(cases)], numbers, {**about, **more, **versions()})


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
        "loss_nearby": float(case.loss_nearby.mean()),
        "loss_anywhere": float(case.loss[: case.cells].mean()),
        "loss_own_keypoint": float(np.nanmax(case.at_keypoints)),
        "nearest_keypoint": names[case.nearest],
        "covered": [names[k] for k in np.flatnonzero(case.looks.covered[case.best])],
    }
