"""Tables: scores as rows of text, headings first, for the terminal and for pages alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from posewright.metrics import Score
from posewright.metrics.trust.confidence import Difference, Interval, holm
from posewright.report.results import LEVEL, Result

Rows = list[list[str]]
ENDS = f"{LEVEL:.0%} interval"

OTHERWISE = {"score_errors": ("people_meant_by_several", "people"), "false_positives": ("", "predictions")}
"""Numbers that rest on others than the people: the protocol's key, "" where it does not count them; and on what."""


COUNTED = {"poses": "poses", "people_diagnosed": "people", "people": "people", "keypoints": "keypoints",
           "predictions": "predictions", "pictures": "pictures", "scenes": "pictures"}  # fmt: skip
"""What all other numbers rest on: the protocol's key, the first that it has, and what that counts."""


def table_of(score: Score, intervals: Mapping[str, Interval]) -> Rows:
    """Return a row a number, or where several numbers are told of several groups, a row a group and one of all.

    The interval of a group is that of its first number.
    """
    groups = grouped(score)
    if len(groups) < 2 or min(len(names) for names in groups.values()) < 2:
        rows = [[name, spoken(score[name]), ends(intervals.get(name)), count_of(score, name)] for name in score]
        return _filled([["number", "value", ENDS, "of"], *rows])
    kinds = list(dict.fromkeys(kind for names in groups.values() for kind in names))

    def row(group: str, names: Mapping[str, str]) -> list[str]:
        first, *others = (spoken(score[names[kind]]) if kind in names else "" for kind in kinds)
        some = next(iter(names.values()))
        return [group, first, ends(intervals.get(names.get(kinds[0], ""))), *others, count_of(score, some)]

    plain = [name for name in score if not split(score, name)[1]]
    whole = {name: name for name in plain if name in kinds}
    alone = [[name, spoken(score[name]), ends(intervals.get(name)), *([""] * len(kinds))]
             for name in plain if name not in kinds]  # fmt: skip
    rows = [*([row("all", whole)] if whole else []), *(row(group, names) for group, names in groups.items()), *alone]
    return _filled([["", kinds[0], ENDS, *kinds[1:], "of"], *rows])


def differences_of(scores: Sequence[Score], found: Mapping[str, Difference]) -> Rows:
    """Return a row a number: in the first file, in the second, their difference, and how likely that is by chance.

    Of groups only their first number, of all every one. Holm's p is that of a number beside all others of the table.
    """
    head = ["number", "first", "second", "second - first", ENDS, "p", "Holm's p"]
    first = firsts(scores[0])
    names = [name for name in scores[0] if name in found and (name in first or not split(scores[0], name)[1])]
    rows = [
        [name, *(spoken(score[name]) for score in scores), *_signed(found[name]), spoken(beside)]
        for name, beside in zip(names, holm([found[name].p for name in names]), strict=True)
    ]
    return [row[: len(head) - (len(rows) < 2)] for row in [head, *rows]]


def _signed(of: Difference) -> list[str]:
    return ["-" if math.isnan(of.value) else f"{of.value:+.4f}", ends(of), spoken(of.p)]


def grouped(score: Score) -> dict[str, dict[str, str]]:
    """Return by group, and in it by kind of number, the names of a score that are of groups.

    >>> grouped(Score({"AP/nose": 0.5, "AR/nose": 0.6}, {}))
    {'nose': {'AP': 'AP/nose', 'AR': 'AR/nose'}}
    """
    found: dict[str, dict[str, str]] = {}
    for name in score:
        kind, group = split(score, name)
        if group:
            found.setdefault(group, {})[kind] = name
    return found


def firsts(score: Score) -> list[str]:
    """Name the first number of every group, that of all before them; all numbers where there are not two groups."""
    groups = grouped(score)
    if len(groups) < 2:
        return list(score)
    kind = next(iter(next(iter(groups.values()))))
    return [name for name in score if split(score, name)[0] == kind]


def split(score: Score, name: str) -> tuple[str, str]:
    """Split a number's name into the number and the group it is of, "" for all; "AP_vis" is of a group, too."""
    kind, _, group = name.partition("/")
    if not group and f"people/{name.partition('_')[2]}" in score.protocol:
        kind, _, group = name.partition("_")
    return kind, group


def count_of(score: Score, name: str) -> str:
    """Say how many people, keypoints or pictures a number rests on, as far as the protocol tells.

    >>> count_of(Score({}, {"people": 12, "people/nose": 9}), "AP/nose")
    '9 people'
    """
    kind, group = split(score, name)
    if kind in OTHERWISE:
        key, what = OTHERWISE[kind]
        return f"{score.protocol[key]:,} {what}" if key in score.protocol and not group else ""
    for key, what in COUNTED.items():
        count = score.protocol.get(f"{key}/{group}" if group else key)
        if count is not None:
            return f"{count:,} {what}"
    return ""


def protocol_of(score: Score) -> list[tuple[str, str]]:
    """Return what the protocol says, without the counts of groups, which stand in the table."""
    return [(key.replace("_", " "), _said(value)) for key, value in score.protocol.items() if "/" not in key]


def empty(value: float) -> bool:
    """Tell whether a number has no data: NaN, or COCO's -1."""
    return math.isnan(value) or value == -1


def spoken(value: float) -> str:
    """Write a number with four decimals, and a dash where it has no data."""
    return "-" if empty(value) else f"{value:.4f}"


def ends(interval: Interval | Difference | None, digits: int = 4) -> str:
    """Write an interval; nothing where there is none."""
    if interval is None or math.isnan(interval.low):
        return ""
    return f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"


def headline(result: Result) -> list[tuple[str, str]]:
    """Return the first numbers of a file, each with its interval, to be seen at once: name and value."""
    numbers = [
        (metric, name)
        for metric, score in result.scores.items()
        for name in firsts(score)[:3]
        if not empty(score[name]) and "/" not in name
    ]
    return [
        (f"{name} ({low_high})" if (low_high := ends(result.intervals[metric].get(name), 3)) else name,
         f"{result.scores[metric][name]:.3f}")
        for metric, name in numbers[:4]
    ]  # fmt: skip


def _said(value: str | float) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _filled(rows: Rows) -> Rows:
    """Leave out columns, but the first two, in which nothing stands."""
    kept = [i for i in range(len(rows[0])) if i < 2 or any(row[i] for row in rows[1:])]
    return [[row[i] for i in kept] for row in rows]


PLAIN = {"vis": "seen keypoints", "invis": "hidden keypoints", "visible 0": "none visible",
         "neighbours 0": "no neighbours"}  # fmt: skip
"""Groups whose names are no words."""


def spell(group: str) -> str:
    """Write a group's name in words.

    >>> spell("visible_1_to_5/neighbours_from_3"), spell("area_2_of_4")
    ('1 to 5 visible, 3 or more neighbours', 'area 2 of 4')
    """
    parts = [part.replace("_", " ") for part in group.split("/")]
    turned = [re.sub(r"^(visible|neighbours) (\d.*|from .*)$", r"\2 \1", PLAIN.get(part, part)) for part in parts]
    return ", ".join(re.sub(r"\bfrom (\S+)", r"\1 or more", part) for part in turned)
