"""The page of scores: what was measured, how sure it is, and how it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from posewright.metrics import Score
from posewright.metrics.trust.calibration import Reliability, reliability, roc
from posewright.metrics.trust.confidence import Difference, Interval, holm
from posewright.report.charts import Line, Row, curve, dots
from posewright.report.page import Section, write_page
from posewright.report.results import LEVEL, Result, units_of, write_scores
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

CHANCE = 1 - LEVEL
"""Below which p a difference is called clear."""
POINTS = 200
"""How many points of an ROC curve are drawn at most."""
MANY = (
    "These are {count} numbers: where nothing differs, {expected:.1f} of them have p < {chance:.2f} by chance. Holm's "
    "p, beside p under Numbers, allows for that; groups are called clear by it, where it is below {chance:.2f}."
)


def write_results(
    out: Path,
    truth: str,
    results: Sequence[Result],
    compared: dict[str, dict[str, Difference]],
    draws: int,
    seed: int,
) -> None:
    """Write `scores.json`, with the whole protocol, and `report.html`, the page, into a folder."""
    write_scores(out / "scores.json", truth, results, compared, draws, seed)
    write_scores_page(out / "report.html", truth, results, compared)


def write_scores_page(
    path: Path, truth: str, results: Sequence[Result], compared: Mapping[str, Mapping[str, Difference]]
) -> Path:
    """Write the page of one file's scores, or of two that are compared; returns its path."""
    files = " and ".join(str(result.path) for result in results)
    first = next(iter(results[0].scores.values()))
    lead = f"{files}, against {truth}: {first.protocol.get('pictures', first.protocol.get('scenes', 0)):,} pictures."
    lead += f" Intervals are over {units}, drawn whole." if (units := units_of(results)) != "pictures" else ""
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
    number = spell(split(score, firsts(score)[0])[0]) if len(grouped(score)) > 1 else "values"
    label = f"{number}, with {LEVEL:.0%} intervals over {units_of([result])}"
    figures = [dots(f"{metric}: {kind}", rows, label)] if len(rows) > 1 else []
    figures += curves(metric, result)
    file = f"{result.path.name}: " if several else ""
    return Section(
        file + _finding(metric, score, intervals),
        figures=figures,
        grid=table_of(score, intervals),
        details=protocol_of(score),
    )


def curves(metric: str, result: Result) -> list[str]:
    """Draw what scores say beside what came true: a reliability curve, or the ROC of what is seen or hidden."""
    outcomes = result.outcomes.get(metric)
    if outcomes is None or not len(outcomes.score):
        return []
    if metric.endswith("_auc"):
        found = roc(outcomes)
        some = np.unique(np.linspace(0, len(found.true) - 1, POINTS).astype(int))
        line = (outcomes.of_what, found.false[some], found.true[some], None)
        labels = ("share of the hidden called seen", "share of the seen called seen")
        return [curve(f"ROC, {result.path.name}", [line], labels)]
    bins = int(result.scores[metric].protocol["bins"])
    lines = [
        _reliability("bins of equal width", reliability(outcomes, bins, "width")),
        _reliability("bins of equal counts", reliability(outcomes, bins, "count")),
    ]
    labels = (outcomes.of_what, str(outcomes.protocol["correct"]))
    return [curve(f"Reliability of {outcomes.of_what}, {result.path.name}", lines, labels)]


def _reliability(name: str, found: Reliability) -> Line:
    known = found.amount > 0
    return name, found.score[known], found.correct[known], found.amount[known].astype(np.float64)


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
    overlap = bool(ends(intervals.get(low)) and ends(intervals.get(high))) and (
        intervals[low].high >= intervals[high].low
    )
    words = (
        f"lowest for {_group(score, low)}, {score[low]:.3f}, highest for {_group(score, high)}, {score[high]:.3f}"
        + (", but their intervals overlap" if overlap else "")
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
    figures += [drawn for result in results for drawn in curves(metric, result)]
    return Section(
        verdict(score, {name: found[name] for name in names}) if names else f"{metric}: no data",
        MANY.format(count=len(names), chance=CHANCE, expected=CHANCE * len(names)) if len(names) > 1 else "",
        figures=figures,
        grid=differences_of([result.scores[metric] for result in results], found),
        details=protocol_of(score),
    )


def verdict(score: Score, found: Mapping[str, Difference]) -> str:
    """Say in a heading how the first number differs, or of groups how many do and which one most."""
    name, first = next(iter(found.items()))
    if not split(score, name)[1]:
        said = f"{first.value:+.3f} ({ends(first, 3)}, p = {first.p:.3f})"
        return f"{name}: {said}" if first.p < CHANCE else f"{name}: no clear difference, {said}"
    beside = holm([of.p for of in found.values()])
    clear = [name for name, p in zip(found, beside, strict=True) if p < CHANCE]
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
