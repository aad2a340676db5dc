"""The page of scores: what was measured, how sure it is, and how it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from posewright.metrics import Score
from posewright.metrics.confidence import Difference, Interval
from posewright.page import Section, write_page
from posewright.report.figure import Row, dots
from posewright.report.tables import (
    differences_of,
    empty,
    ends,
    firsts,
    grouped,
    headline,
    protocol_of,
    spell,
    split,
    table_of,
)
from posewright.scoring import LEVEL, Result

CHANCE = 1 - LEVEL
"""Below which p a difference is called clear."""


def write_scores_page(
    path: Path, truth: str, results: Sequence[Result], compared: Mapping[str, Mapping[str, Difference]]
) -> Path:
    """Write the page of one file's scores, or of two that are compared; returns its path."""
    files = " and ".join(str(result.path) for result in results)
    first = next(iter(results[0].scores.values()))
    lead = f"{files}, against {truth}: {first.protocol.get('scenes', 0):,} pictures."
    sections = _warnings(results)
    for name in results[0].scores:
        if name in compared:
            sections.append(_comparison(name, results, compared[name]))
        else:
            sections += [_section(name, r.scores[name], r.intervals[name], r, len(results) > 1) for r in results]
    if compared:
        lead += f" Every difference is the second minus the first, {results[1].path.name} minus {results[0].path.name}."
    title = "Two predictions compared" if len(results) > 1 else "Scores"
    tiles = _differences(compared) if compared else headline(results[0])
    return write_page(path, title, lead, tiles, sections)


def _section(metric: str, score: Score, intervals: Mapping[str, Interval], result: Result, several: bool) -> Section:
    rows = rows_of(score, intervals)
    kind = str(score.protocol.get("metric", metric))
    label = f"{spell(split(score, firsts(score)[0])[0])}, with {LEVEL:.0%} intervals over pictures"
    figures = [dots(f"{metric}: {kind}", rows, label)] if len(rows) > 1 else []
    file = f"{result.path.name}: " if several else ""
    return Section(
        file + _finding(metric, score, intervals),
        figures=figures,
        grid=table_of(score, intervals),
        details=protocol_of(score),
    )


def rows_of(score: Score, intervals: Mapping[str, Interval]) -> list[Row]:
    """Return what a figure shows: the first number of every group, or all numbers where there are no groups."""
    return [
        (_group(score, name), score[name], *intervals.get(name, (float("nan"), float("nan"))))
        for name in firsts(score)
        if not empty(score[name])
    ]


def _finding(metric: str, score: Score, intervals: Mapping[str, Interval]) -> str:
    """Say in a heading what came out: the first number, and the lowest and the highest group."""
    names = [name for name in firsts(score) if not empty(score[name])]
    if not names:
        return f"{metric}: no data"
    low_high = ends(intervals.get(names[0]), 3)
    whole = f"{spell(names[0])} is {score[names[0]]:.3f}" + (f" ({low_high})" if low_high else "")
    kind, group = split(score, names[0])
    of_groups = [name for name in names if split(score, name)[1]]
    if len(grouped(score)) < 2 or not of_groups:
        return whole
    low, high = min(of_groups, key=score.__getitem__), max(of_groups, key=score.__getitem__)
    apart = low in intervals and high in intervals and intervals[low].high < intervals[high].low
    words = (
        f"lowest for {_group(score, low)}, {score[low]:.3f}, highest for {_group(score, high)}, {score[high]:.3f}"
        + ("" if apart or not intervals else ", but their intervals overlap")
    )
    return f"{spell(kind)} is {words}" if group else f"{whole}, {words}"


def _group(score: Score, name: str) -> str:
    group = split(score, name)[1]
    return spell(group) if group else "all" if len(grouped(score)) > 1 else name


def _comparison(metric: str, results: Sequence[Result], found: Mapping[str, Difference]) -> Section:
    score = results[0].scores[metric]
    names = [name for name in firsts(score) if name in found and not math.isnan(found[name].value)]
    rows: list[Row] = [(_group(score, name), *found[name][:3]) for name in names]
    figures = [dots(f"{metric}: second minus first", rows, "difference", reference=0.0)] if rows else []
    return Section(
        _verdict(score, {name: found[name] for name in names}) if names else f"{metric}: no data",
        figures=figures,
        grid=differences_of([result.scores[metric] for result in results], found),
        details=protocol_of(score),
    )


def _verdict(score: Score, found: Mapping[str, Difference]) -> str:
    """Say in a heading how the first number differs, or of groups how many do and which one most."""
    name, first = next(iter(found.items()))
    clear = [name for name, of in found.items() if of.p < CHANCE]
    if not split(score, name)[1]:
        said = f"{first.value:+.3f} ({ends(first, 3)}, p = {first.p:.3f})"
        return f"{name}: {said}" if name in clear else f"{name}: no clear difference, {said}"
    kind = split(score, name)[0]
    if not clear:
        return f"{kind}: no group differs clearly"
    most = max(clear, key=lambda name: abs(found[name].value))
    return f"{kind}: {len(clear)} of {len(found)} differ clearly, most {_group(score, most)}, {found[most].value:+.3f}"


def _differences(compared: Mapping[str, Mapping[str, Difference]]) -> list[tuple[str, str]]:
    first = next(iter(compared.values()))
    return [(f"{name} ({ends(of, 3)})", f"{of.value:+.3f}") for name, of in list(first.items())[:4]]


def _warnings(results: Sequence[Result]) -> list[Section]:
    """Return what to be warned of; what holds for both files once."""
    files: dict[str, list[str]] = {}
    for result in results:
        for warning in result.warnings:
            files.setdefault(warning, []).append(result.path.name)
    some = len(results)
    notes = [warning if len(names) == some else f"{names[0]}: {warning}" for warning, names in files.items()]
    return [Section("What these numbers cannot tell", notes=notes)] if notes else []
