"""The page of a comparison: which of two studies loses more, by how much, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from posewright.metrics.trust.confidence import holm
from posewright.report.page import Section, write_page
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.numbers.compare import Compared
from posewright.robustness.numbers.effect import MARGIN, Effect
from posewright.robustness.pages.figures import beside, compared
from posewright.robustness.pages.words import cell, listed, points, share, spelled

NUMBERS = ("all", "hit", "collateral")
CHANCE = 0.05
"""Below which Holm's p a difference is called clear."""
CLEAR = ("lower", "higher")
"""The verdicts of a clear difference."""
TITLES = {"all": "All keypoints", "hit": "Covered keypoints", "collateral": "Keypoints that are not covered"}
MEANING = "Points to the right of 0 mean that {0} loses less than {1}, to the left that it loses more."


def write_compare_page(found: Sequence[Compared], folder: Path, margin: float = MARGIN) -> Path:
    """Write `compare.html` into a folder: a section for each pair of studies; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    first = found[0].names[0]
    lead = (
        f"{first} against {listed(one.names[1] for one in found)}: the same people under the same attacks. Every "
        f"difference is {first}'s change less the other's, with 95 % intervals over the same draws of the pictures. "
        "Intervals are not widened for the number of rows; headings and verdicts call a difference clear where Holm's "
        f"p, which is corrected for the rows of its table, is below {CHANCE:g}."
    )
    left = list(dict.fromkeys(note for one in found for note in one.left_out))
    lead += f" Left out, as only one of them has it: {'; '.join(left)}." if left else ""
    tiles = [(f"{name}: keypoints right, clean", share(one.own[name][CLEAN]["all"], interval=False))
             for one in found for name in (one.names if one is found[0] else one.names[1:])]  # fmt: skip
    sections = [section for one in found for section in _pair(one, margin)]
    return write_page(folder / "compare.html", "Occlusion studies compared", lead, tiles, sections)


def _pair(one: Compared, margin: float) -> list[Section]:
    names, rows = one.names, one.differences
    clean = rows[CLEAN]["all"]
    found = [
        Section(
            f"{names[0]} or {names[1]}: {verdict(one, margin)}",
            f"In clean pictures {names[0]} has {points(clean)} more right. " + MEANING.format(*names),
            figures=[compared(
                "Under attacks of a kind and fill", [_group(group) for group in one.groups],
                {TITLES[number].lower(): [rows[group][number] for group in one.groups] for number in NUMBERS},
                f"{names[0]}'s change less {names[1]}'s, percentage points", 10.0,
            )],
            grid=grid(one, one.groups, margin),
        )
    ]  # fmt: skip
    targets = [target for target in one.targets if rows[target]["all"].value == rows[target]["all"].value]
    if targets:
        found.append(_where(one, targets, margin))
    keypoints = {name: effect for name, effect in rows[CLEAN].items() if name != "all"}
    found.append(_clean(names, keypoints, margin))
    return found


def _where(one: Compared, targets: Sequence[str], margin: float) -> Section:
    names, rows = one.names, one.differences
    told = verdicts({target: rows[target]["all"] for target in targets}, margin)
    clear = {target: rows[target]["all"] for target in targets if told[target][1] in CLEAR}
    worst = {side: [_target(t) for t, e in clear.items() if (e.value < 0) == (side == names[0])] for side in names}
    said = [f"{side} loses more at {listed(some)}" for side, some in worst.items() if some]
    figures = [
        compared(
            title,
            [_target(t) for t in some],
            {"": [rows[t]["all"] for t in some]},
            "difference of the changes, points, all fills",
        )
        for title, kind in (("An occluded keypoint", "keypoints-"), ("An occluded part", "parts-"))
        if (some := [target for target in targets if target.startswith(kind)])
    ]
    return Section(
        "Where: " + ("; ".join(said) if said else "no keypoint and no part tells them clearly apart"),
        "The change in correct keypoints, points, all of them. " + MEANING.format(*names),
        figures=[beside(figures)],
        grid=grid(one, targets, margin),
    )


def _clean(names: tuple[str, str], keypoints: Mapping[str, Effect], margin: float) -> Section:
    known = {name: effect for name, effect in keypoints.items() if effect.value == effect.value}
    clear = [spelled(name) for name, (_, said) in verdicts(known, margin).items() if said in CLEAR]
    return Section(
        f"In clean pictures they differ clearly in: {listed(clear)}"
        if clear
        else "In clean pictures: no clear difference",
        f"The share of correct keypoints of {names[0]} less that of {names[1]}.",
        figures=[
            compared("Clean pictures", list(known), {"": list(known.values())}, "difference of the share right, points")
        ],
    )


def verdict(one: Compared, margin: float = MARGIN) -> str:
    """Say of two studies which loses more, over the groups of attacks that tell."""
    told = verdicts({group: one.differences[group]["all"] for group in one.groups}, margin)
    more = {
        name: [_group(group) for group, (_, said) in told.items() if said == way]
        for name, way in zip(one.names, ("lower", "higher"), strict=True)
    }
    said = [f"{name} loses more under {listed(some)}" for name, some in more.items() if some]
    same = [_group(group) for group, (_, said) in told.items() if said == "none"]
    if said:
        return "; ".join(said)
    return f"no difference under {listed(same)}" if same else "undecided"


def grid(one: Compared, rows: Sequence[str], margin: float = MARGIN) -> list[list[str]]:
    """Return a table of rows: the change of each, the difference, and what it comes to."""
    first, second = one.names
    head = ["attacks", first, second, "difference, points", "of those covered", "of the others", "Holm's p", "verdict"]
    found = [head]
    told = verdicts({row: one.differences[row]["all"] for row in rows}, margin)
    for row in rows:
        both = [one.own[name][row]["all"] for name in one.names]
        some = one.differences[row]
        found.append([spelled(row), *(f"{100 * effect.value:+.1f}" for effect in both),
                      *(cell(some[number]) for number in NUMBERS), f"{told[row][0]:.3f}", told[row][1]])  # fmt: skip
    return found


def verdicts(effects: Mapping[str, Effect], margin: float) -> dict[str, tuple[float, str]]:
    """Return Holm's p and the verdict of every effect of a table: lower or higher only where that p is below CHANCE."""
    beside = holm([effect.p for effect in effects.values()])
    return {
        name: (p, said if (said := effect.verdict(margin)) not in CLEAR or p < CHANCE else "undecided")
        for (name, effect), p in zip(effects.items(), beside, strict=True)
    }


def _group(row: str) -> str:
    return spelled(row).replace("-", " ")


def _target(row: str) -> str:
    return spelled(row.partition("-")[2])
