"""Findings: what a study shows first, each a number with its interval and a picture of a typical case."""

from __future__ import annotations

from collections.abc import Callable

from posewright.report.page import Finding
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.words import (
    MINUS,
    at_once,
    attack_words,
    fills_of,
    harshest,
    of_kind,
    points,
    share,
    size_words,
    spelled,
    stands_out,
    survivors,
)

Picture = Callable[[Attack | None, str], tuple[bytes | None, str]]
"""Draw a typical case of an attack, of no attack where it is None, by what it costs of a number; says what it is."""


def no_picture(attack: Attack | None, number: str) -> tuple[bytes | None, str]:  # noqa: ARG001
    """Draw nothing, where nobody's picture is at hand."""
    return None, ""


def findings(study: Study, picture: Picture = no_picture) -> list[Finding]:
    """Return five findings at most: clean, one part, one keypoint or disc, what is not covered, what it knows."""
    found = [_clean(study, picture)]
    for kind in ("parts", "own", "objects", "keypoints"):
        found += _harm(study, kind, picture)
    found += [*(_lost(study, picture) or _collateral(study, picture)), *_knowing(study, picture)]
    found += _largest(study, picture)
    return found[:5]


def _clean(study: Study, picture: Picture) -> Finding:
    right = study.clean["all"]
    return Finding(
        share(right, interval=False),
        _ends(right, ".1f"),
        "of the keypoints are right in clean pictures.",
        *picture(None, "all"),
    )


def _harm(study: Study, kind: str, picture: Picture) -> list[Finding]:
    """Say which attack of a kind costs most of what is right."""
    attacks = of_kind(study, kind)
    clear = survivors(study, attacks)
    worst = harshest(study, clear or attacks)
    if worst is None:
        return []
    cost = at_once(study.changes[worst.name]["all"])
    says = f"in the share of keypoints right, where {_said(worst)}: the most harmful of {len(attacks)}"
    if not clear:
        says += ", though as large a loss could be chance among so many"
    return [Finding(points(cost, interval=False), _ends(cost), f"{says}.", *picture(worst, "all"))]


def _said(attack: Attack) -> str:
    if attack.kind == "own":
        return f"{spelled(attack.target)} is put on"
    if attack.kind == "radii":
        return f"a disc of {attack.radius:g} px ({attack.fill}) covers a keypoint"
    if attack.kind == "objects":
        return f"an object of {size_words(attack)} ({spelled(attack.fill)}) lies over a keypoint"
    return f"the {spelled(attack.target)} is hidden ({attack.fill})"


def _largest(study: Study, picture: Picture) -> list[Finding]:
    """Say what the largest disc costs."""
    attacks = of_kind(study, "radii")
    size = max((a.radius for a in attacks if a.radius is not None), default=None)
    worst = harshest(study, [a for a in attacks if a.radius == size])
    if worst is None:
        return []
    cost = study.changes[worst.name]["all"]
    says = f"in the share of keypoints right, where {_said(worst)}, on a crop 192 wide."
    return [Finding(points(cost, interval=False), _ends(cost), says, *picture(worst, "all"))]


def _collateral(study: Study, picture: Picture) -> list[Finding]:
    """Say what attacks cost the keypoints that they do not cover: of the kind and fill of which that is most."""
    groups = {
        (kind, fill): study.pooled[f"{kind}-{fill}"]["collateral"]
        for kind in ("keypoints", "parts")
        for fill in fills_of(of_kind(study, kind))
        if f"{kind}-{fill}" in study.pooled
    }
    known = {group: effect for group, effect in groups.items() if effect.value == effect.value}
    if not known:
        return []
    kind, fill = min(known, key=lambda group: known[group].value)
    cost = known[kind, fill]
    sure = "" if stands_out(cost, len(known)) and cost.value < 0 else ", which may be chance"
    worst = harshest(study, of_kind(study, kind, fill), "collateral")
    return [Finding(
        points(cost, interval=False),
        _ends(cost),
        f"in the share right of the keypoints that nothing covers, where {kind} are hidden ({fill}){sure}.",
        *(picture(worst, "collateral") if worst is not None else (None, "")),
    )]  # fmt: skip


def _lost(study: Study, picture: Picture) -> list[Finding]:
    """Say how many people are lost whole, and to whom, under the attacks that lose most."""
    groups = {
        (kind, fill): some
        for kind in ("keypoints", "parts")
        for fill in fills_of(of_kind(study, kind))
        if (some := study.pooled.get(f"{kind}-{fill}", {})).get("lost") is not None
    }
    clear = {group: some for group, some in groups.items() if some["lost"].value > 0}
    if not clear:
        return []
    kind, fill = max(clear, key=lambda group: clear[group]["lost"].value)
    some = clear[kind, fill]
    other, nobody = (share(some[name], interval=False) for name in ("lost_to_another", "lost_to_nobody"))
    says = f"of people are lost whole where one of the {kind} is hidden ({fill}): {other} to another person, {nobody} "
    worst = harshest(study, of_kind(study, kind, fill), "of_lost")
    drawn = picture(worst, "all") if worst is not None else (None, "")
    return [Finding(share(some["lost"], interval=False), _ends(some["lost"], ".1f"), f"{says}found as nobody.", *drawn)]


def _knowing(study: Study, picture: Picture) -> list[Finding]:
    """Say by how much scores of covered keypoints exceed what is right."""
    groups = {
        name: some["overconfidence"]
        for name, some in study.pooled.items()
        if name != CLEAN and "radii" not in name and "overconfidence" in some
    }
    known = {name: effect for name, effect in groups.items() if effect.value == effect.value}
    if not known:
        return []
    name, most = max(known.items(), key=lambda one: one[1].value)
    kind, _, fill = name.partition("-")
    worst = harshest(study, of_kind(study, kind, fill), "hit")
    says = f"mean score of hidden keypoints above the share that is right ({kind}, {fill})"
    clean = study.pooled.get(CLEAN, {}).get("overconfidence")
    if clean is not None and clean.value == clean.value:
        says += f"; in clean pictures {points(clean, interval=False)}"
    auroc = study.pooled.get(CLEAN, {}).get("auroc"), study.pooled[name].get("auroc_hit")
    if all(one is not None and one.value == one.value for one in auroc):
        before, there = (100 * one.value for one in auroc if one is not None)
        says += ". Scores of correct keypoints are above those of wrong keypoints"
        says += f" in {before:.0f} % of pairs clean, {there:.0f} % there"
    drawn = picture(worst, "hit") if worst is not None else (None, "")
    return [Finding(points(most, interval=False), _ends(most), f"{says}.", *drawn)]


def _ends(effect: Effect, form: str = "+.1f") -> str:
    if effect.value != effect.value or effect.low != effect.low:
        return ""
    low, high = (format(100 * end, form).replace("-", MINUS) for end in (effect.low, effect.high))
    return f"{low} to {high}, 95 %"


def words_of(attack: Attack | None, lost: int, losers: int, reached: int) -> str:
    """Say whose picture is shown: of the people who lose something the one in the middle."""
    if attack is None:
        return "A typical person: of all, the one in the middle."
    if not losers:
        return f"{attack_words(attack).capitalize()}: none of {reached} people loses a keypoint."
    return f"Typical of the {losers} of {reached} people who lose something here: {lost} keypoint{'s' * (lost != 1)}."
