"""A section of a study's page: who is lost whole, to another person or to nobody, with cases of each drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from posewright.report.page import Section
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.measure import PERSONS, Measured
from posewright.robustness.numbers.right import Fate
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.examples import Case, figure_of
from posewright.robustness.pages.figures import beside
from posewright.robustness.pages.words import at_once, clear_of, share, spelled

WORDS = {
    Fate.TO_ANOTHER: "Taken for another person",
    Fate.TO_NOBODY: "Nobody is found",
    Fate.LOST: "Lost, and found as nobody else",
}
"""What became of a person whose case is drawn, the clearest first."""
EACH = 2
"""Cases that are drawn of each."""


class Lost(NamedTuple):
    """How often people came to a fate under a study's attacks, and the cases that show it."""

    fate: Fate
    people: int
    cases: Sequence[Case]


def lost_of(study: Study, m: Measured) -> list[Lost]:
    """Count people lost whole, by what became of them, under all attacks, and choose cases of attacks that are at hand.

    Chosen are those who had most keypoints right, no person twice.
    """
    before = (m.kinds[CLEAN].right & m.asked).sum(1)
    found = []
    for fate in WORDS:
        cases = [
            Case(attack, int(n), int(before[n] - (m.kinds[attack.name].right[n] & m.asked[n]).sum()))
            for attack in _told(study, m)
            for n in np.flatnonzero(m.fate[attack.name] == fate)
        ]
        shown = sorted((c for c in cases if c.attack and c.attack.at_hand), key=lambda c: (-c.lost, c.person))
        first = list({case.person: case for case in reversed(shown)}.values())[::-1]
        found.append(Lost(fate, len(cases), sorted(first, key=lambda c: (-c.lost, c.person))[:EACH]))
    return found


def lost(study: Study, people: Sequence[Subject] = (), m: Measured | None = None, seed: int = 0) -> Section | None:
    """Say how many people are lost whole under attack, to whom, and draw cases; nothing where nobody is."""
    groups = {name: some for name, some in study.pooled.items() if " - " not in name and "lost" in some}
    shares = {name: some["lost"] for name, some in groups.items() if some["lost"].value > 0}
    if not shares:
        return None
    clear = {name for name, side in clear_of(shares, study.margin).items() if side == "higher"}
    worst = max(clear or shares, key=lambda name: shares[name].value)
    title = f"People are lost whole: {share(at_once(shares[worst]))} of them under {spelled(worst)}"
    text = (
        "Lost whole is who had half of their keypoints right and keeps at most a fifth: taken for another person, "
        "where the answer lies on one; nobody, where there is no answer; else turned over or shifted. What these lose "
        "is no influence of one keypoint on another. "
    )
    drawn: list[str] = []
    if m is not None:
        found = lost_of(study, m)
        tries = sum(int((m.answers[a.name].attacked & m.asked.any(1)).sum()) for a in _told(study, m))
        said = "; ".join(f"{WORDS[one.fate].lower()}: {one.people:,}" for one in found)
        text += f"Of {tries:,} attacks on one person each, {said}. "
        drawn = [figure_of(case, people, m, seed, f"{WORDS[one.fate]}. ") for one in found for case in one.cases]
    head = ["attacks", "lost whole", "to another person", "to nobody", "people"]
    grid = [
        [spelled(name), *(share(groups[name][number]) for number in PERSONS), f"{shares[name].asked:,.0f}"]
        for name in sorted(shares, key=lambda name: -shares[name].value)
    ]
    return Section(title, text, grid=[head, *grid], cases=[beside(drawn)] if drawn else ())


def _told(study: Study, m: Measured) -> list[Attack]:
    return [attack for attack in study.attacks if attack.name in m.fate]
