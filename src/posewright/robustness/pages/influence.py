"""A section of a study's page: who influences whom, as a matrix in which only what survives is in full colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posewright.report.page import Section
from posewright.robustness.attacks.attack import Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.sides import INFLUENCE, OTHER, on_itself, parts_of
from posewright.robustness.numbers.tables import Effects, Study
from posewright.robustness.pages.figures import compared, influences
from posewright.robustness.pages.words import (
    CHANCE,
    at_once,
    attack_words,
    cell,
    clear_of,
    fills_of,
    margin_words,
    of_kind,
    points,
    spelled,
)

STRONGEST = 12
"""Influences on other keypoints that are listed."""
FULL = 0.4
"""A change that is shown in full colour, or the largest there is where none is so large."""
ARROW = "\N{RIGHTWARDS ARROW}"
Named = Mapping[tuple[str, str], Effect]
"""Influences by fill and name."""


def influence(study: Study) -> Section | None:
    """Show who influences whom, left and right together and keypoint by keypoint, and name what is strongest."""
    attacks = of_kind(study, "keypoints") + of_kind(study, "parts")
    if not attacks:
        return None
    pooled = {name.removeprefix(f"{INFLUENCE}-"): some for name, some in study.pooled.items()
              if name.startswith(f"{INFLUENCE}-")}  # fmt: skip
    across = {(fill, name): e for fill, some in pooled.items() for name, e in some.items()
              if not on_itself(name) and e.value == e.value}  # fmt: skip
    clear = clear_of(across, study.margin)
    drawn = [_both_sides(study, fill, some, clear) for fill, some in pooled.items()]
    harmful = sorted((pair for pair, side in clear.items() if side == "lower"), key=lambda pair: across[pair].value)
    seem = [pair for pair, e in across.items() if e.low < 0 and e.high < 0]
    names = [_spoken(*pair) for pair in harmful[:STRONGEST]]
    if harmful:
        lines = {"": [at_once(across[pair]) for pair in harmful[:STRONGEST]]}
        drawn.append(compared("Strongest influences", names, lines, "change in correct ones of the second, points"))
    drawn += _each(study, attacks)
    head = ["covered and affected", "change, points", "cases"]
    rows = [[name, cell(at_once(across[pair])), f"{across[pair].asked:,.0f}"]
            for name, pair in zip(names, harmful, strict=False)]  # fmt: skip
    text = _key(study)
    if across:
        text += (
            f" Of {len(across)} influences of a keypoint on another {len(harmful)} are clearly harmful by Holm's "
            f"correction for all of them; the intervals of {len(seem)} lie below 0 one by one, where by chance about "
            f"{CHANCE * len(across):.0f} would."
        )
    return Section(
        _title(across, harmful, len(seem)),
        text,
        figures=drawn[:1],
        more=drawn[1:],
        grid=[head, *rows] if rows else (),
    )


def _title(across: Named, harmful: Sequence[tuple[str, str]], seem: int) -> str:
    if harmful:
        return f"Strongest influence on another keypoint: {_spoken(*harmful[0])}, {points(at_once(across[harmful[0]]))}"
    if not across:
        return "What covering a keypoint or a part does to each keypoint"
    stands = "No influence of one keypoint on another stands out by itself"
    return stands if seem else "No covered keypoint clearly harms another"


def _key(study: Study) -> str:
    return (
        "Rows are what is covered, columns what it changes, left and right of the body together: red where fewer are "
        "right, blue where more are. Full colour, with its number, is what survives the correction for so many cells; "
        f"pale only leaves 0 by itself; a dot is no change within {margin_words(study)}, grey is undecided, empty no "
        "data. A cell counts people in whom the keypoint is not covered and who are not lost whole, and is empty where "
        "that is less than half; what an attack is aimed at counts as it is hit. Each side by itself, and parts of the "
        "body, stand under More figures."
    )


def _spoken(fill: str, name: str) -> str:
    first, second, where = parts_of(name)
    return f"{spelled(first)} {ARROW} {spelled(second)}{f', {where}' if where else ''}, {spelled(fill)}"


def _both_sides(study: Study, fill: str, some: Effects, clear: Mapping[tuple[str, str], str]) -> str:
    """Draw one fill's matrix of both sides together."""
    rows = [row for row in dict.fromkeys(parts_of(name)[0] for name in some) if _asked(some, 0, row)]
    columns = list(dict.fromkeys((parts_of(name)[1], parts_of(name)[2] == OTHER) for name in some))
    columns = [column for column in columns if _asked(some, 1, column[0])]
    order = list(dict.fromkeys(second for second, _ in columns))
    columns.sort(key=lambda column: order.index(column[0]))
    own = clear_of({name: e for name, e in some.items() if on_itself(name)}, study.margin)
    cells, firm = {}, set()
    for name, effect in some.items():
        first, second, where = parts_of(name)
        if first not in rows or (second, where == OTHER) not in columns:
            continue
        at = (rows.index(first), columns.index((second, where == OTHER)))
        cells[at] = (effect, effect.verdict(study.margin))
        if (fill, name) in clear or name in own:
            firm.add(at)
    labels = [f"other {second}" if other else second for second, other in columns]
    return influences(f"Influence, both sides together, {spelled(fill)}", rows, labels, cells, _most(some), None, firm)


def _asked(some: Effects, place: int, keypoint: str) -> bool:
    """Whether there is anything to tell of a keypoint that is covered (place 0), or affected (1)."""
    return any(effect.asked for name, effect in some.items() if parts_of(name)[place] == keypoint)


def _each(study: Study, attacks: Sequence[Attack]) -> list[str]:
    """Draw every fill's matrix of keypoints and parts, side by side as they are."""
    known = list(study.influence[attacks[0].name])
    columns = [k for k in known if any(study.influence[a.name][k].asked for a in attacks)] or known
    cells = {(a, k): study.influence[a.name][k] for a in attacks for k in columns}
    apart = {(a, k): e for (a, k), e in cells.items() if a.kind == "keypoints" and a.target != k}
    clear = {**clear_of(apart, study.margin)}
    clear |= clear_of({pair: e for pair, e in cells.items() if pair not in apart}, study.margin)
    drawn = []
    for fill in fills_of(attacks):
        some = sorted((a for a in attacks if a.fill == fill), key=lambda a: a.kind)
        found = {(r, c): cells[a, k] for r, a in enumerate(some) for c, k in enumerate(columns)}
        told = {at: (e, e.verdict(study.margin)) for at, e in found.items()}
        firm = {(r, c) for r, a in enumerate(some) for c, k in enumerate(columns) if (a, k) in clear}
        first = next((row for row, a in enumerate(some) if a.kind == "parts"), None)
        most = _most({attack_words(a) + k: cells[a, k] for a in some for k in columns})
        title = f"Influence, {spelled(fill)}"
        drawn.append(influences(title, [a.target for a in some], columns, told, most, first, firm))
    return drawn


def _most(some: Effects) -> float:
    """Return the change that is shown in full colour."""
    return min(FULL, max((abs(e.value) for e in some.values() if e.value == e.value), default=FULL)) or FULL
