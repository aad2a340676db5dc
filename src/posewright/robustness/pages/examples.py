"""Examples of a study: people before and under an attack, the worst cases and typical ones, with their poses drawn."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from typing import NamedTuple

import cv2
import numpy as np

from posewright.picture import Pixels, encoded
from posewright.report.drawing import draw
from posewright.report.page import Section
from posewright.robustness.answers.ask import Answers, attacked
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.measure import Measured, measured, reached
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.figures import beside
from posewright.robustness.pages.words import MINUS, attack_words, fills_of, of_kind
from posewright.scene import Crop, Person
from posewright.warp import resized

HEIGHT, GAP = 320, 8
"""px of a crop as it is shown, and between the two of a pair."""
TRUTH_WIDTH, FOUND_WIDTH = 1, 4
"""px of limbs: the truth is thin, what the estimator says thick."""
WORST = "Of each kind of attack and fill the person who loses most keypoints; each person once."
TYPICAL = (
    "Of each kind of attack and fill the attack in the middle, by what it costs, and of the people it reaches the one "
    "in the middle."
)
KEY = "Left as it is, right under attack; the truth is thin, the estimate thick, faint where its score is low."


class Case(NamedTuple):
    """One person under one attack, or none; person: their place in the study. lost: correct keypoints less."""

    attack: Attack | None
    person: int
    lost: int


def examples(study: Study, people: Sequence[Subject], answers: Mapping[str, Answers]) -> list[Section]:
    """Return a section of worst cases and one of typical ones, by kind of attack and fill.

    people: as the study asked about, with their pictures; answers: as it got them, CLEAN and by attack's name.
    """
    m = judged_in(study, people, answers)
    seed = seed_of(study)
    found = []
    for cases, name, told in ((worst(study, m), "worst", WORST), (typical(study, m), "typical", TYPICAL)):
        if cases:
            lost = [case.lost for case in cases]
            title = f"In the {name} cases a person loses {_span(min(lost), max(lost))} keypoints"
            drawn = beside(figure_of(case, people, m, seed) for case in cases)
            found.append(Section(title, f"{told} {KEY}", figures=[drawn]))
    return found


def judged_in(study: Study, people: Sequence[Subject], answers: Mapping[str, Answers]) -> Measured:
    """Judge the answers of a study again."""
    kept = {name: said for name, said in answers.items() if name == CLEAN or name in study.changes}
    return measured(people, kept, study.protocol.get("rule"))


def seed_of(study: Study) -> int:
    """Return what a study's attacks were drawn with."""
    return int(study.protocol.get("seed", 0))


def worst(study: Study, m: Measured) -> list[Case]:
    """Choose of every kind and fill the person who loses most, no person twice; nobody where nobody loses."""
    found: list[Case] = []
    for attacks in _groups(study, m):
        seen = {case.person for case in found}
        cases = [case for attack in attacks for case in _cases(m, attack) if case.lost > 0 and case.person not in seen]
        if cases:
            found.append(max(cases, key=lambda case: (case.lost, -case.person)))
    return found


def typical(study: Study, m: Measured) -> list[Case]:
    """Choose of every kind and fill the attack of the median change, and a person whom it costs the median."""
    found: list[Case] = []
    for attacks in _groups(study, m):
        known = [a for a in attacks if np.isfinite(study.changes[a.name]["all"].value)]
        if known:
            ranked = sorted(known, key=lambda a: study.changes[a.name]["all"].value)
            cases = sorted(_cases(m, ranked[len(ranked) // 2]), key=lambda case: case.lost)
            middle = cases[len(cases) // 2].lost
            seen = {case.person for case in found}
            alike = [case for case in cases if case.lost == middle]
            found.append(next((case for case in alike if case.person not in seen), alike[0]))
    return found


def of_attack(m: Measured, attack: Attack | None, number: str = "all") -> tuple[Case | None, int, int]:
    """Choose of those who lose something of a number the one in the middle; how many lose, and how many are reached.

    Without an attack, the one of whom as many keypoints are wrong as of the person in the middle. Where nobody loses
    anything it is the first who is reached, and None where nobody is.
    """
    if attack is None:
        wrong = [(int((m.asked[n] & ~m.kinds[CLEAN].right[n]).sum()), int(n)) for n in np.flatnonzero(m.asked.any(1))]
        lost, person = sorted(wrong)[len(wrong) // 2]
        return Case(None, person, lost), 0, len(wrong)
    cases = _cases(m, attack, number)
    losers = sorted((case for case in cases if case.lost > 0), key=lambda case: (case.lost, case.person))
    chosen = losers[len(losers) // 2] if losers else next(iter(cases), None)
    return chosen, len(losers), len(cases)


def most_of(m: Measured, attack: Attack, number: str = "all") -> Case | None:
    """Choose who loses most of a number under an attack; None where nobody loses anything."""
    found = max(_cases(m, attack, number), key=lambda case: (case.lost, -case.person), default=None)
    return found if found is not None and found.lost > 0 else None


def pair_of(case: Case, people: Sequence[Subject], m: Measured, seed: int, height: int) -> bytes:
    """Draw a person as they are and, where there is an attack, beside it under the attack, as a JPEG."""
    one = people[case.person]
    seen = [(one.crop, CLEAN)]
    if case.attack is not None:
        seen.append((attacked([one], case.attack, seed, case.person)[0], case.attack.name))
    drawn = [_drawn(crop, one.truth, m.answers[name], case.person, height) for crop, name in seen]
    gap = np.full((height, GAP, 3), 250, np.uint8)
    return encoded(drawn[0] if len(drawn) < 2 else np.hstack([drawn[0], gap, drawn[1]]), ".jpg")


def _span(least: int, most: int) -> str:
    return str(most).replace("-", MINUS) if least == most else f"{least} to {most}".replace("-", MINUS)


def _groups(study: Study, m: Measured) -> Iterator[list[Attack]]:
    for kind in ("keypoints", "parts", "objects", "own"):
        attacks = [attack for attack in of_kind(study, kind) if attack.name in m.answers and attack.at_hand]
        for fill in fills_of(attacks):
            yield [attack for attack in attacks if attack.fill == fill]


def _cases(m: Measured, attack: Attack, number: str = "all") -> list[Case]:
    """Return what an attack costs everybody whom it reaches, of all keypoints, the covered ones or the others."""
    said = m.answers[attack.name]
    there = m.asked & reached(said)
    counted = there & {"all": np.ones_like(said.covered), "hit": said.covered, "collateral": ~said.covered}[number]
    lost = ((m.kinds[CLEAN].right.astype(int) - m.kinds[attack.name].right) * counted).sum(1)
    return [Case(attack, int(n), int(lost[n])) for n in np.flatnonzero(there.any(1))]


def figure_of(case: Case, people: Sequence[Subject], m: Measured, seed: int, before_it: str = "") -> str:
    """Draw a person before and under the attack, with a line of text below; before_it: how the line begins."""
    data = pair_of(case, people, m, seed, HEIGHT)
    wanted, names = m.asked[case.person], [CLEAN, *([case.attack.name] if case.attack is not None else [])]
    before, now = (int((m.kinds[name].right[case.person] & wanted).sum()) for name in (names[0], names[-1]))
    words = f"{before} of {int(wanted.sum())} keypoints right"
    if case.attack is not None:
        words = f"{attack_words(case.attack)}: {words}, then {now}"
    scores = [m.answers[name].score[case.person] for name in names]
    if np.isfinite(scores).all():
        words += f"; score {', then '.join(f'{score:.2f}' for score in scores)}".replace("-", MINUS)
    words = before_it + (words[:1].upper() + words[1:] if before_it else words)
    source = f"data:image/jpeg;base64,{b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{escape(words)}"><figcaption>{escape(words)}</figcaption></figure>'


def _drawn(crop: Crop, truth: Person, said: Answers, place: int, high: int = HEIGHT) -> Pixels:
    """Draw the estimate thick and the truth thin on a crop, so many px high."""
    width, height = crop.warp.size
    to = (max(1, round(width * high / height)), high)
    larger = np.asarray(cv2.resize(crop.pixels, to, interpolation=cv2.INTER_CUBIC), np.uint8)
    warp = resized((width, height), to)
    scores = said.scores[place]
    found = Person(said.keypoints[place], scores=np.nan_to_num(scores) if np.isfinite(scores).any() else None)
    drawn = draw(larger, [found.moved(warp, crop.skeleton)], crop.skeleton, width=FOUND_WIDTH)
    plain = replace(truth, visible=None, scores=None, score=None)
    return draw(drawn, [plain.moved(warp, crop.skeleton)], crop.skeleton, width=TRUTH_WIDTH)
