"""The page of a diagnosis: which errors there are, what they cost, when they come, and what they look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from posewright.metrics import Score
from posewright.metrics.diagnosis.kinds import KINDS
from posewright.metrics.diagnosis.repair import REPAIRS
from posewright.metrics.oks.groups import gathered_once
from posewright.metrics.score import Protocol
from posewright.metrics.trust.calibration import reliability
from posewright.metrics.trust.confidence import Interval
from posewright.metrics.trust.outcomes import keypoint_outcomes, person_outcomes
from posewright.report.charts import Row, curve, dots, matrix, stacked, steps
from posewright.report.page import Section, write_page
from posewright.report.results import LEVEL, Result, Show, ask, measure, units_of, write_scores
from posewright.report.tables import empty, ends, protocol_of, spell, spoken
from posewright.report.worst import worst_cases
from posewright.scene import Scene

ASKED = ("kinds", "repairs", "mistakes", "sensitivity")
COLOURS = {"good": "grey", "jitter": "sky", "inversion": "orange", "swap": "pink", "miss": "red"}
MEANING = (
    "Of every keypoint of predictions that are matched (OKS from 0.1): good is a similarity of 0.85 or more to the "
    "true one, jitter 0.5 to 0.85; an inversion lies on the same person's other side, a swap on another person, "
    "a miss near nothing. After Ronchi and Perona, ICCV 2017."
)
FEW = 50
"""Of fewer people nothing is said in a heading."""
ERRORS = [kind.name.lower() for kind in KINDS][1:]


def write_diagnosis(
    out: Path,
    path: Path,
    truth: str,
    predicted: Sequence[Scene],
    scenes: Sequence[Scene],
    draws: int,
    seed: int,
    show: Show,
    said: Protocol,
) -> Path:
    """Write `report.html`, which holds its figures itself, and `diagnosis.json` into `out`; return the page's path.

    path: what the predictions are called, truth: what the scenes are; said: what the protocol tells besides.
    """
    with gathered_once():
        result = measure(path, predicted, scenes, ASKED, draws, seed, show, said)
        show("drawing figures")
        kinds, repairs, mistakes, sensitivity = (Told(result, name) for name in ASKED)
        sections = [
            Section("What these numbers cannot tell", notes=result.warnings),
            _kinds(kinds),
            _repairs(repairs),
            _false(mistakes),
            _ranking(mistakes, predicted, scenes),
            *_sensitivity(sensitivity),
            *worst_cases(predicted, scenes, show),
        ]
    tiles = [("AP", f"{repairs['AP']:.3f}"), *((name, f"{kinds[name]:.1%}") for name in COLOURS)]
    tiles += [("not found", f"{mistakes['false_negatives']:.0%}"), ("false", f"{mistakes['false_positives']:.0%}")]
    lead = f"Why {path} fails, against {truth}: {len(scenes):,} pictures. Intervals are {LEVEL:.0%}, over "
    lead += f"{units_of([result])}."
    out.mkdir(parents=True, exist_ok=True)
    write_scores(out / "diagnosis.json", truth, [result], {}, draws, seed)
    kept = [section for section in sections if section.notes or section.figures or section.pictures or section.text]
    return write_page(out / "report.html", "Diagnosis", lead, [tile for tile in tiles if "nan" not in tile[1]], kept)


class Told(dict[str, float]):
    """A score with its intervals and protocol at hand."""

    def __init__(self, result: Result, metric: str) -> None:
        super().__init__(result.scores[metric])
        self.score: Score = result.scores[metric]
        self.intervals: Mapping[str, Interval] = result.intervals[metric]

    def interval(self, name: str) -> Interval:
        """Return a number's interval, the number itself where none was drawn."""
        return self.intervals.get(name, Interval(self[name], self[name]))

    def row(self, name: str, label: str) -> Row:
        """Return a row of a figure."""
        return label, self[name], *self.intervals.get(name, (np.nan, np.nan))

    def people(self, group: str) -> int:
        """Return how many people a group has."""
        return int(self.score.protocol.get(f"people/{group}", 0))

    def with_ends(self, name: str) -> str:
        """Write a number with its interval behind it."""
        low_high = ends(self.intervals.get(name), 3)
        return spoken(self[name]) + (f" ({low_high})" if low_high else "")


def _kinds(told: Told) -> Section:
    names = [name.partition("/")[2] for name in told if name.startswith("good/") and not empty(told[name])]
    if not names:
        return Section("No prediction means anybody", "From an OKS of 0.1 on, none could be matched to a true person.")
    parts = [(kind, np.array([told[f"{kind}/{name}"] for name in names]), COLOURS[kind]) for kind in COLOURS]
    most = max(ERRORS, key=told.__getitem__)
    worst = min(names, key=lambda name: told[f"good/{name}"])
    return Section(
        f"{told['good']:.0%} of keypoints are good, {most} is the commonest error ({told[most]:.0%}), "
        f"{spell(worst)} fails most",
        MEANING,
        figures=[stacked("Kinds of error by keypoint", names, parts, "share of labelled keypoints")],
        grid=[["keypoint", *COLOURS], *([name, *(told.with_ends(f"{k}/{name}") for k in COLOURS)] for name in names)],
        details=protocol_of(told.score),
    )


def _repairs(told: Told) -> Section:
    if empty(told["AP"]):
        return Section("Nobody is to be found, so there is nothing to repair", "AP has no data.")
    added = [told["AP"], *(told[f"sequence/{name}"] for name in REPAIRS)]
    gains = list(zip(map(spell, REPAIRS), np.diff(added).tolist(), strict=True))
    alone = [told.row(f"gain/{name}", spell(name)) for name in REPAIRS]
    best = max(REPAIRS, key=lambda name: told[f"gain/{name}"])
    return Section(
        f"Repairing {_named(best)} would give most: AP {told['AP']:.3f} to {told[f'AP/{best}']:.3f}",
        "Above: one repair after the other, in the customary order, so that each stands on those before it. Below: "
        "each repair alone. Scores is the best possible ranking of the predictions as they are; false negatives alone "
        "is what the AP would be if only the people whom some prediction matches were asked for.",
        figures=[
            steps("AP as repairs are added up", ("as it is", told["AP"]), gains, "AP"),
            dots("What each repair alone would add to AP", alone, f"gain of AP, with {LEVEL:.0%} intervals"),
        ],
        grid=[["repair", "AP alone", "gain alone", "AP in sequence"],
              *([name, *(told.with_ends(f"{what}/{name}") for what in ("AP", "gain", "sequence"))]
                for name in REPAIRS)],
        details=protocol_of(told.score),
    )  # fmt: skip


def _named(repair: str) -> str:
    return {
        "miss": "misses",
        "swap": "swaps",
        "inversion": "inversions",
        "score": "scores",
        "false_positives": "false positives",
        "false_negatives": "missed people",
    }.get(repair, spell(repair))


def _false(told: Told) -> Section:
    reasons = {
        "background": "is of the background",
        "inaccurate": "is of somebody, too far off",
        "duplicate": "is a duplicate",
    }
    positives = [told.row(f"false_positives/{name}", f"false: {text}") for name, text in reasons.items()]
    missed = [name for name in told if name.startswith("false_negatives/") and not empty(told[name])]
    negatives = [told.row(name, f"not found: {spell(name.partition('/')[2])}") for name in missed]
    rows = [row for row in [*positives, *negatives] if not empty(row[1])]
    if not rows:
        return Section("")
    return Section(
        f"{told['false_negatives']:.0%} of people are not found, "
        f"{told['false_positives']:.0%} of predictions are false",
        "At an OKS of 0.5. The false are shares of all predictions, the not found of people of that size or with so "
        "many visible keypoints.",
        figures=[dots("False positives and false negatives", rows, f"share, with {LEVEL:.0%} intervals")],
        grid=[["", "share"], *([spell(name), told.with_ends(name)] for name in told)],
        details=protocol_of(told.score),
    )


def _ranking(told: Told, predicted: Sequence[Scene], truth: Sequence[Scene]) -> Section:
    curves = []
    for name, collect in (
        ("people: score and OKS", person_outcomes),
        ("keypoints: score and nearness", keypoint_outcomes),
    ):
        try:
            found = reliability(ask(collect, predicted, truth))
        except ValueError:
            continue
        known = found.amount > 0
        if not known.any():
            continue
        curves.append((name, found.score[known], found.correct[known], found.amount[known] / 1.0))
    count = told.score.protocol.get("people_meant_by_several", 0)
    several = f"{count:,} people are meant by several predictions"
    text = (
        f"{several}; for {told['score_errors']:.0%} of them the best-scored is not the most similar. "
        if count
        else "Nobody is meant by several predictions. "
    )
    return Section(
        "Do scores rank predictions rightly?" if empty(told["score_errors"])
        else f"Of people found several times, {told['score_errors']:.0%} have a worse prediction ranked first",
        text + "A score that means what it says lies on the dashed line: of keypoints with a score of 0.7, 70 % are "
        "near (similarity from 0.5), and people with a score of 0.7 have an OKS of 0.7. Larger dots hold more.",
        figures=[curve("What scores say and what comes true", curves, ("score", "what came true"))] if curves else [],
    )  # fmt: skip


def _sensitivity(told: Told) -> list[Section]:
    groups = [name.partition("/")[2] for name in told if name.startswith("AP/")]
    known = [group for group in groups if not empty(told[f"AP/{group}"])]
    pairs = [group for group in known if group.startswith("visible")]
    protocol = protocol_of(told.score)

    sections = []
    if pairs:
        sections.append(_by_visible(told, pairs))
    for prefix, words in (("overlap_", "overlap with the nearest person (IoU)"), ("side_", "size (√area, px)")):
        some = [group for group in known if group.startswith(prefix)]
        if len(some) > 1:
            rows = [told.row(f"AP/{g}", f"{spell(g.removeprefix(prefix))}  (n = {told.people(g):,})") for g in some]
            title = f"AP by {words}"
            sections.append(
                Section(
                    contrast(told, some, title, prefix),
                    figures=[dots(title, rows, f"AP, with {LEVEL:.0%} intervals")],
                    details=protocol,
                )
            )
    return sections


def contrast(told: Told, groups: Sequence[str], title: str, prefix: str = "") -> str:
    """Say which two of the groups that are large enough are furthest apart, by the ends of their intervals."""
    large = [group for group in groups if told.people(group) >= FEW]
    if len(large) < 2:
        return title
    value = {group: told[f"AP/{group}"] for group in large}
    low = min(large, key=lambda group: told.interval(f"AP/{group}").high)
    high = max(large, key=lambda group: told.interval(f"AP/{group}").low)
    if told.interval(f"AP/{low}").high >= told.interval(f"AP/{high}").low:
        return f"{title}: no clear difference, {min(value.values()):.2f} to {max(value.values()):.2f}"
    low_name, high_name = (spell(group.removeprefix(prefix)) for group in (low, high))
    return f"{title}: {value[low]:.2f} for {low_name}, {value[high]:.2f} for {high_name}"


def _by_visible(told: Told, groups: Sequence[str]) -> Section:
    seen, crowd = (list(dict.fromkeys(group.split("/")[side] for group in groups)) for side in (0, 1))
    cells = {
        (seen.index(a), crowd.index(b)): (told[f"AP/{a}/{b}"], told.people(f"{a}/{b}"))
        for a, b in (group.split("/") for group in groups)
    }
    title = "AP by visible keypoints and neighbours"
    return Section(
        contrast(told, groups, title),
        "By how many keypoints are visible and how many other people's boxes overlap (IoU from 0.1); n is how many "
        f"people, and groups of fewer than {FEW} are too few to be reliable.",
        figures=[matrix(title, list(map(spell, seen)), list(map(spell, crowd)), cells)],
        grid=[["group", "AP", "people"],
              *([spell(g), told.with_ends(f"AP/{g}"), f"{told.people(g):,}"] for g in groups)],
        details=protocol_of(told.score),
    )  # fmt: skip
