"""The page of a study: what every attack changes, how sure that is, what it looks like, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from posewright.report.page import Section, write_page
from posewright.robustness.answers.ask import Answers, read_answers
from posewright.robustness.attacks.attack import CLEAN, SWEPT, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.examples import (
    Case,
    examples,
    figure_of,
    judged_in,
    most_of,
    of_attack,
    pair_of,
    seed_of,
)
from posewright.robustness.pages.findings import findings, no_picture, words_of
from posewright.robustness.pages.influence import influence
from posewright.robustness.pages.lost import lost
from posewright.robustness.pages.natural import natural_occlusion
from posewright.robustness.pages.relations import confusions, hit_and_collateral, knowing, without_effect
from posewright.robustness.pages.sections import fills, keypoints, objects, own, parts, radii
from posewright.robustness.pages.summary import write_summary
from posewright.robustness.pages.words import harshest, margin_words, of_kind
from posewright.skeleton import LARGE_PARTS

SMALL = 200
"""px of a finding's picture."""
FILE = "report.html"
FEW = 50
"""Pictures below which intervals from a bootstrap are too narrow."""


def write_report(study: Study, folder: Path | str, people: Sequence[Subject] = (), command: str = "") -> Path:
    """Write the page of a study into its folder, one file that needs nothing from elsewhere; returns its path.

    Beside it lies `summary.png`, the same on one sheet.

    people: those whom the study asked about, with their pictures, in its order (`people_for`); with them, and the
    answers that lie in the folder, examples are drawn. command: what makes the study anew.
    """
    folder = Path(folder)
    told = Told(study, people, answers_in(folder, study)) if people else None
    chapters = [
        _chapter("Which keypoints", keypoints(study), told, "keypoints"),
        _chapter("Which parts", parts(study, LARGE_PARTS), told, "parts"),
        _chapter("How large", radii(study), told, "radii"),
        _chapter("Real occluders", objects(study), told, "objects"),
        _chapter("Who influences whom", influence(study)),
        _chapter("What is not covered", hit_and_collateral(study), told, "collateral"),
        _chapter("Which fill", fills(study)),
        _chapter("Occluders of your own", own(study), told, "own"),
        _chapter("Hidden by nature", natural_occlusion(study)),
        _chapter("Does it know", knowing(study)),
        _chapter("Who is confused", confusions(study)),
        _lost_whole(study, told),
    ]
    sections = [_warning(study), *chapters, *(() if told is None else told.examples()), without_effect(study),
                _protocol(study, command)]  # fmt: skip
    shown = [section for section in sections if section is not None]
    said = findings(study, no_picture if told is None else told.picture)
    write_summary(study, folder, said, "Occlusion study", _lead(study))
    return write_page(folder / FILE, "Occlusion study", _lead(study), (), shown, said)


class Told:
    """A study with the people it asked about and what was said of them, of which examples are drawn."""

    def __init__(self, study: Study, people: Sequence[Subject], answers: Mapping[str, Answers]) -> None:
        self.study, self.people, self.answers = study, people, answers
        self.measured = judged_in(study, people, answers)

    def picture(self, attack: Attack | None, number: str, high: int = SMALL) -> tuple[bytes | None, str]:
        """Draw a typical case of an attack, and say whose it is."""
        case, losers, reached = self._case(attack, number)
        if case is None:
            return None, ""
        drawn = pair_of(case, self.people, self.measured, seed_of(self.study), high)
        return drawn, words_of(attack, case.lost, losers, reached)

    def case(self, kind: str) -> list[str]:
        """Draw whom the attack of a kind that costs most costs most; nothing without one."""
        number = "collateral" if kind == "collateral" else "all"
        attacks = of_kind(self.study, "keypoints" if kind == "collateral" else kind)
        if kind in SWEPT:
            largest = max((a.radius or 0.0 for a in attacks), default=0.0)
            attacks = [a for a in attacks if a.radius == largest]
        worst = harshest(self.study, attacks, number)
        case = None if worst is None or not worst.at_hand else most_of(self.measured, worst, number)
        return (
            [] if case is None else [figure_of(case, self.people, self.measured, seed_of(self.study), "Worst case. ")]
        )

    def examples(self) -> list[Section]:
        """Return the worst cases and typical ones."""
        found = examples(self.study, self.people, self.answers)
        return [replace(one, short=f"{one.title.split()[2].capitalize()} cases") for one in found]

    def _case(self, attack: Attack | None, number: str) -> tuple[Case | None, int, int]:
        if attack is not None and not attack.at_hand:
            return None, 0, 0
        return of_attack(self.measured, attack, number)


def _chapter(short: str, section: Section | None, told: Told | None = None, kind: str = "") -> Section | None:
    """Give a section its short name, and an example of the attack that it says most of."""
    if section is None:
        return None
    return replace(section, short=short, cases=told.case(kind) if told is not None else ())


def _lost_whole(study: Study, told: Told | None) -> Section | None:
    section = lost(study) if told is None else lost(study, told.people, told.measured, seed_of(study))
    return None if section is None else replace(section, short="Who is lost")


def answers_in(folder: Path, study: Study) -> dict[str, Answers]:
    """Return the answers that lie in a study's folder, clean and by attack's name; raises FileNotFoundError."""
    names = [CLEAN, *(attack.name for attack in study.attacks)]
    return {name: read_answers(folder / "answers" / f"{name}.npz")[0] for name in names}


def _lead(study: Study) -> str:
    said: Mapping[str, object] = study.protocol
    data = f" of {said['data']}" if "data" in said else ""
    model = f"{said['model']}, " if "model" in said else ""
    judged, people = said.get("judged"), said.get("people")
    left = f", by which {judged} of them can be judged" if judged != people and isinstance(judged, int) else ""
    return (
        f"{model}{said.get('people', '?')} people in {said.get('pictures', '?')} pictures{data}, clean and under "
        f"{len(study.attacks)} attacks. A keypoint is right by {said.get('right', 'the customary rule')}{left}. "
        "Changes are in the same people, with 95 % intervals over pictures; one is called none only where its interval "
        f"shows that it lies within {margin_words(study)}."
    )


def _warning(study: Study) -> Section | None:
    pictures = study.protocol.get("pictures")
    if not isinstance(pictures, int) or pictures >= FEW:
        return None
    note = (
        f"The intervals come from drawing the {pictures} pictures anew. Of so few they are too narrow, and what is "
        "called clear is not sure."
    )
    return Section("What these numbers cannot tell", notes=[note])


def _protocol(study: Study, command: str) -> Section:
    rows = [(str(key).replace("_", " "), _said(value)) for key, value in study.protocol.items()]
    return Section(
        "How it was measured",
        "Every number on this page stands in study.json, the effects also in effects.csv and influence.csv."
        + (" The same command gives the same numbers:" if command else ""),
        commands=[command] if command else [],
        details=rows,
    )


def _said(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
