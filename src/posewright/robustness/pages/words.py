"""Words for what a study found: attacks, numbers with their intervals, and what may be claimed of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

from posewright.metrics.trust.confidence import holm
from posewright.robustness.attacks.attack import BY_HEIGHT, SWEPT, Attack
from posewright.robustness.numbers.effect import CHANGED, NAN, Effect
from posewright.robustness.numbers.tables import Study

Key = TypeVar("Key")
MINUS = "\N{MINUS SIGN}"
FALSE = 0.05
"""Corrected p below which a sentence calls something clear."""
CHANCE = 0.025
"""Of the intervals of attacks that change nothing, so many lie wholly below 0."""


NO_DATA = Effect(NAN, NAN, NAN, NAN, NAN, 0.0)


def spelled(name: str) -> str:
    """Write a name in words.

    >>> spelled("left_upper_arm")
    'left upper arm'
    """
    return name.replace("_", " ")


def attack_words(attack: Attack) -> str:
    """Say what an attack is, as in "left ankle, blur"."""
    words = [size_words(attack) if attack.kind in SWEPT else spelled(attack.target), spelled(attack.fill)]
    return ", ".join(word for word in words if word)


def size_words(attack: Attack) -> str:
    """Say how large a disc or an object is.

    >>> from posewright.robustness.attacks.attack import attack_of
    >>> size_words(attack_of("radii", "any", "blur", 18.0))
    '18 px'
    """
    if attack.kind != "objects":
        return f"{attack.radius:g} px"
    return f"{attack.radius:g} of the {'height' if sized_by_height(attack) else 'width'}"


def sized_by_height(attack: Attack) -> bool:
    """Whether an object is as large as a share of the person's height, not of the crop's width."""
    return attack.kind == "objects" and attack.fill.endswith(BY_HEIGHT)


def points(effect: Effect, interval: bool = True) -> str:
    """Say a change of a share in percentage points.

    >>> points(Effect(0.0321, 0.013, 0.05, 0.02, 0.04, 90))
    '+3.2 points (+1.3 to +5.0)'
    """
    if effect.value != effect.value:
        return "no data"
    value, low, high = (_signed(100 * number) for number in effect[:3])
    return f"{value} points ({low} to {high})" if interval else f"{value} points"


def cell(effect: Effect, scale: float = 100) -> str:
    """Write a change as the cell of a table, in percentage points."""
    if effect.value != effect.value:
        return "-"
    value, low, high = (_signed(scale * number) for number in effect[:3])
    return f"{value} ({low} to {high})"


def share(effect: Effect, interval: bool = True) -> str:
    """Say a share in per cent."""
    if effect.value != effect.value:
        return "no data"
    value, low, high = (f"{100 * number:.1f}".replace("-", MINUS) for number in effect[:3])
    return f"{value} % ({low} to {high})" if interval else f"{value} %"


def level(effect: Effect) -> str:
    """Say a score, in [0, 1]."""
    return "-" if effect.value != effect.value else f"{effect.value:.2f} ({effect.low:.2f} to {effect.high:.2f})"


def listed(names: Iterable[str], most: int = 12) -> str:
    """Join names with commas, as many as can be read.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    names = list(names)
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def of_kind(study: Study, kind: str, fill: str | None = None) -> list[Attack]:
    """Return a study's attacks of a kind, and of a fill where one is named, that reach anybody; all if none does."""
    found = [a for a in study.attacks if a.kind == kind and fill in (None, a.fill)]
    return [a for a in found if study.changes[a.name]["all"].asked] or found


def fills_of(attacks: Iterable[Attack]) -> list[str]:
    """Name the fills of attacks, each once, in their order."""
    return list(dict.fromkeys(attack.fill for attack in attacks))


def with_verdict(study: Study, attacks: Sequence[Attack], number: str, verdict: str) -> list[Attack]:
    """Return the attacks whose change of a number comes to a verdict."""
    return [a for a in attacks if study.changes[a.name][number].verdict(study.margin) == verdict]


def harshest(study: Study, attacks: Sequence[Attack], number: str = "all") -> Attack | None:
    """Return the attack that costs most of a number; None where there is no data."""
    known = [a for a in attacks if study.changes[a.name][number].value == study.changes[a.name][number].value]
    return min(known, key=lambda a: study.changes[a.name][number].value, default=None)


def survivors(study: Study, attacks: Sequence[Attack], number: str = "all", verdict: str = "lower") -> list[Attack]:
    """Return the attacks whose change of a number is clear although so many are looked at: Holm's p below 0.05."""
    found = [study.changes[a.name].get(number, NO_DATA) for a in attacks]
    p = holm([effect.p if effect.verdict(study.margin) != "no data" else NO_DATA.value for effect in found])
    return [
        a
        for a, effect, chance in zip(attacks, found, p, strict=True)
        if chance < FALSE and _side(effect, study.margin) == verdict
    ]


def clear_of(effects: Mapping[Key, Effect], margin: float) -> dict[Key, str]:
    """Say of the effects that are clear although so many are looked at, Holm's p below 0.05, on which side they lie."""
    known = {key: e for key, e in effects.items() if e.verdict(margin) != "no data"}
    p = holm([effect.p for effect in known.values()])
    sides = {key: _side(e, margin) for (key, e), chance in zip(known.items(), p, strict=True) if chance < FALSE}
    return {key: side for key, side in sides.items() if side in ("lower", "higher")}


def _side(effect: Effect, margin: float) -> str:
    """Say where a clear change lies, also a small one."""
    said = effect.verdict(margin)
    return ("lower" if effect.value < 0 else "higher") if said == "small" else said


def harm(study: Study, attacks: Sequence[Attack], what: str) -> str:
    """Say in a heading which clear loss is largest, with the interval that holds for the largest of so many."""
    if harshest(study, attacks) is None:
        return f"{what}: no data"
    seem, clear = with_verdict(study, attacks, "all", "lower"), survivors(study, attacks)
    if not seem and not clear:
        return f"{what}: none of {len(attacks)} attacks does clear harm"
    if not clear:
        chance = f"by chance about {CHANCE * len(attacks):.0f} would, and none stands out by itself"
        return f"{what}: {len(seem)} of {len(attacks)} attacks seem to do harm, {chance}"
    worst = min(clear, key=lambda a: study.changes[a.name]["all"].value)
    cost = points(at_once(study.changes[worst.name]["all"]))
    words = spelled(worst.fill) if worst.kind in SWEPT else attack_words(worst)
    return f"{what}: the largest loss is {cost} for {words}; {len(clear)} of {len(attacks)} do clear harm"


def at_once(effect: Effect) -> Effect:
    """Return an effect with the interval that holds together with those beside it, where it has one."""
    if effect.low_all != effect.low_all:
        return effect
    return effect._replace(low=effect.low_all, high=effect.high_all)


def stands_out(effect: Effect, among: int) -> bool:
    """Tell whether an effect differs from 0 even though it was picked as the largest of so many.

    By Bonferroni's correction of its p: where all were 0, one of them would be told so in at most 5 % of studies. Of
    an effect that tells no p, the width of the 95 % interval stands for the spread of a normal distribution.
    """
    if effect.value != effect.value or effect.changed < CHANGED:
        return False
    if effect.p == effect.p:
        return effect.p * max(among, 1) < FALSE
    spread = (effect.high - effect.low) / (2 * NormalDist().inv_cdf(0.975))
    return spread > 0 and abs(effect.value) / spread > NormalDist().inv_cdf(1 - 0.025 / max(among, 1))


def margin_words(study: Study) -> str:
    """Say within what a change is called none.

    >>> margin_words(Study({"margin": 0.02}, (), {}, {}, {}, {}, {}))
    '±2 points'
    """
    return f"±{100 * study.margin:g} points"


def _signed(number: float) -> str:
    return f"{number:+.1f}".replace("-", MINUS)
