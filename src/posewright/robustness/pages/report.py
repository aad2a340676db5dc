"""The page of a study: what every attack changes, how sure that is, what it looks like, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from posewright.report.page import Section, write_page
from posewright.robustness.answers.ask import Answers, read_answers
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.attacks.subjects import Subject
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.examples import examples
from posewright.robustness.pages.relations import confusions, hit_and_collateral, influence, knowing, without_effect
from posewright.robustness.pages.sections import keypoints, own, parts, radii
from posewright.robustness.pages.words import (
    MINUS,
    attack_words,
    fills_of,
    harshest,
    margin_words,
    of_kind,
    points,
    share,
)
from posewright.skeleton import LARGE_PARTS

FILE = "report.html"
FEW = 20
"""Pictures below which intervals from a bootstrap are too narrow."""


def write_report(study: Study, folder: Path | str, people: Sequence[Subject] = (), command: str = "") -> Path:
    """Write the page of a study into its folder, one file that needs nothing from elsewhere; returns its path.

    people: those whom the study asked about, with their pictures, in its order (`people_for`); with them, and the
    answers that lie in the folder, examples are drawn. command: what makes the study anew.
    """
    folder = Path(folder)
    sections = [
        _warning(study),
        keypoints(study),
        radii(study),
        parts(study, LARGE_PARTS),
        own(study),
        influence(study),
        hit_and_collateral(study),
        knowing(study),
        confusions(study),
        without_effect(study),
        *(examples(study, people, answers_in(folder, study)) if people else ()),
        _protocol(study, command),
    ]
    shown = [section for section in sections if section is not None]
    return write_page(folder / FILE, "Occlusion study", _lead(study), tiles(study), shown)


def answers_in(folder: Path, study: Study) -> dict[str, Answers]:
    """Return the answers that lie in a study's folder, clean and by attack's name; raises FileNotFoundError."""
    names = [CLEAN, *(attack.name for attack in study.attacks)]
    return {name: read_answers(folder / "answers" / f"{name}.npz")[0] for name in names}


def tiles(study: Study) -> list[tuple[str, str]]:
    """Return what is to be seen at once: names with values."""
    right, AP = study.clean["all"], study.clean["AP"]
    found = [(f"keypoints right, clean{_ends(right, '.1f')}", share(right, interval=False))]
    if AP.value == AP.value:
        found.append((f"AP, clean{_ends(AP, '.3f', 1)}", f"{AP.value:.3f}"))
    for kind in ("keypoints", "parts"):
        attack = harshest(study, of_kind(study, kind))
        if attack is not None:
            cost = study.changes[attack.name]["all"]
            name = f"largest loss, {kind[:-1]}: {attack_words(attack)}"
            found.append((f"{name}{_ends(cost)}", points(cost, interval=False)))
    found += _collateral(study)
    counts = {name: study.protocol.get(name) for name in ("people", "pictures")}
    found += [(name, f"{count:,}") for name, count in counts.items() if isinstance(count, int)]
    return [*found, ("attacks", f"{len(study.attacks):,}")]


def _collateral(study: Study) -> list[tuple[str, str]]:
    """Say how much of the keypoint attacks' loss is collateral, with the fill that clearly costs most."""
    groups = {fill: study.pooled[f"keypoints-{fill}"] for fill in fills_of(of_kind(study, "keypoints"))}
    clear = {fill: some for fill, some in groups.items() if some["all"].high < 0}
    if not clear:
        return []
    fill = min(clear, key=lambda one: clear[one]["all"].value)
    part = clear[fill]["collateral_share"]
    name = f"of the loss under keypoint attacks was not covered, {fill}{_ends(part, '.1f')}"
    return [(name, share(part, interval=False))]


def _ends(effect: Effect, form: str = "+.1f", scale: float = 100) -> str:
    """Write an interval behind a name."""
    low, high = (format(scale * end, form).replace("-", MINUS) for end in (effect.low, effect.high))
    return f" ({low} to {high})" if effect.low == effect.low else ""


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
