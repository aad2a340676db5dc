"""The page of a study: what every attack changes, how sure that is, what it looks like, and how it was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from posewright.page import Section, write_page
from posewright.skeleton import LARGE_PARTS
from posewright.study.answers import Answers, read_answers
from posewright.study.attacks import CLEAN
from posewright.study.examples import examples
from posewright.study.relations import confusions, hit_and_collateral, influence, knowing, without_effect
from posewright.study.sections import keypoints, own, parts, radii
from posewright.study.subjects import Subject
from posewright.study.tables import Study
from posewright.study.words import attack_words, fills_of, harshest, margin_words, of_kind, points, share

FILE = "report.html"


def write_report(study: Study, folder: Path | str, people: Sequence[Subject] = (), command: str = "") -> Path:
    """Write the page of a study into its folder, one file that needs nothing from elsewhere; returns its path.

    people: those whom the study asked about, with their pictures, in its order (`people_for`); with them, and the
    answers that lie in the folder, examples are drawn. command: what makes the study anew.
    """
    folder = Path(folder)
    sections = [
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
    found = [("keypoints right, clean", share(study.clean["all"], interval=False))]
    if study.clean["AP"].value == study.clean["AP"].value:
        found.append(("AP, clean", f"{study.clean['AP'].value:.3f}"))
    for kind in ("keypoints", "parts"):
        attack = harshest(study, of_kind(study, kind))
        if attack is not None:
            cost = study.changes[attack.name]["all"]
            found.append((f"largest loss, {kind[:-1]}: {attack_words(attack)}", points(cost, interval=False)))
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
    return [
        (
            f"of the loss under keypoint attacks was not covered, {fill}",
            share(clear[fill]["collateral_share"], interval=False),
        )
    ]


def _lead(study: Study) -> str:
    said: Mapping[str, object] = study.protocol
    data = f" of {said['data']}" if "data" in said else ""
    model = f"{said['model']}, " if "model" in said else ""
    return (
        f"{model}{said.get('people', '?')} people in {said.get('pictures', '?')} pictures{data}, clean and under "
        f"{len(study.attacks)} attacks. A keypoint is right by {said.get('right', 'the customary rule')}. Changes are "
        "in the same people, with 95 % intervals over pictures; one is called none only where its interval shows that "
        f"it lies within {margin_words(study)}."
    )


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
