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
    """One person under one attack; person: their place in the study. lost: correct keypoints less than before."""

    attack: Attack
    person: int
    lost: int


def examples(study: Study, people: Sequence[Subject], answers: Mapping[str, Answers]) -> list[Section]:
    """Return a section of worst cases and one of typical ones, by kind of attack and fill.

    people: as the study asked about, with their pictures; answers: as it got them, CLEAN and by attack's name.
    """
    kept = {name: said for name, said in answers.items() if name == CLEAN or name in study.changes}
    m = measured(people, kept, study.protocol.get("rule"))
    seed = int(study.protocol.get("seed", 0))
    found = []
    for cases, name, told in ((worst(study, m), "worst", WORST), (typical(study, m), "typical", TYPICAL)):
        if cases:
            lost = [case.lost for case in cases]
            title = f"In the {name} cases a person loses {_span(min(lost), max(lost))} keypoints"
            drawn = beside(_shown(case, people, m, seed) for case in cases)
            found.append(Section(title, f"{told} {KEY}", figures=[drawn]))
    return found


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


def _span(least: int, most: int) -> str:
    return str(most).replace("-", MINUS) if least == most else f"{least} to {most}".replace("-", MINUS)


def _groups(study: Study, m: Measured) -> Iterator[list[Attack]]:
    for kind in ("keypoints", "parts", "own"):
        attacks = [attack for attack in of_kind(study, kind) if attack.name in m.answers and attack.at_hand]
        for fill in fills_of(attacks):
            yield [attack for attack in attacks if attack.fill == fill]


def _cases(m: Measured, attack: Attack) -> list[Case]:
    there = m.asked & reached(m.answers[attack.name])
    lost = ((m.kinds[CLEAN].right.astype(int) - m.kinds[attack.name].right) * there).sum(1)
    return [Case(attack, int(n), int(lost[n])) for n in np.flatnonzero(there.any(1))]


def _shown(case: Case, people: Sequence[Subject], m: Measured, seed: int) -> str:
    """Draw a person before and under the attack, with a line of text below."""
    one = people[case.person]
    after = attacked([one], case.attack, seed, case.person)[0]
    pair = [
        _drawn(crop, one.truth, m.answers[name], case.person)
        for crop, name in ((one.crop, CLEAN), (after, case.attack.name))
    ]
    gap = np.full((HEIGHT, GAP, 3), 250, np.uint8)
    data = encoded(np.hstack([pair[0], gap, pair[1]]), ".jpg")
    wanted = m.asked[case.person]
    before, now = (int((m.kinds[name].right[case.person] & wanted).sum()) for name in (CLEAN, case.attack.name))
    scores = [m.answers[name].score[case.person] for name in (CLEAN, case.attack.name)]
    words = f"{attack_words(case.attack)}: {before} of {int(wanted.sum())} keypoints right, then {now}"
    if np.isfinite(scores).all():
        words += f"; score {scores[0]:.2f}, then {scores[1]:.2f}".replace("-", MINUS)
    source = f"data:image/jpeg;base64,{b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{escape(words)}"><figcaption>{escape(words)}</figcaption></figure>'


def _drawn(crop: Crop, truth: Person, said: Answers, place: int) -> Pixels:
    """Draw the estimate thick and the truth thin on a crop, HEIGHT px high."""
    width, height = crop.warp.size
    to = (max(1, round(width * HEIGHT / height)), HEIGHT)
    larger = np.asarray(cv2.resize(crop.pixels, to, interpolation=cv2.INTER_CUBIC), np.uint8)
    warp = resized((width, height), to)
    scores = said.scores[place]
    found = Person(said.keypoints[place], scores=np.nan_to_num(scores) if np.isfinite(scores).any() else None)
    drawn = draw(larger, [found.moved(warp, crop.skeleton)], crop.skeleton, width=FOUND_WIDTH)
    plain = replace(truth, visible=None, scores=None, score=None)
    return draw(drawn, [plain.moved(warp, crop.skeleton)], crop.skeleton, width=TRUTH_WIDTH)
