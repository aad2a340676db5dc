"""Sections of a study's page: what covering keypoints, parts and discs of every radius changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from posewright.report.page import Section
from posewright.robustness.attacks.attack import Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.figures import compared, growing
from posewright.robustness.pages.words import (
    CHANCE,
    attack_words,
    cell,
    fills_of,
    harm,
    listed,
    margin_words,
    of_kind,
    points,
    size_words,
    sized_by_height,
    spelled,
    stands_out,
    with_verdict,
)

CHANGE = "change in correct keypoints, percentage points"
RADIUS_AXIS = "radius, px of a crop 192 wide"
GROWN = "change in correct keypoints,\npercentage points"
PLAIN, ENDS = ("blackout", "meanout"), ("wrist", "ankle", "top")
"""Fills of one colour, and the last words of the keypoints where a limb ends."""
Number = Callable[[Attack], Effect]


def keypoints(study: Study) -> Section | None:
    """Say what covering one keypoint changes: everything, average precision, that keypoint itself, all others."""
    attacks = of_kind(study, "keypoints")
    if not attacks:
        return None
    names = by_harm(study, attacks)
    numbers: dict[str, tuple[Number, str]] = {
        "All keypoints": (change(study, "all"), CHANGE),
        "The attacked keypoint itself": (change(study, "target"), CHANGE),
        "All others": (change(study, "others"), CHANGE),
        "Average precision": (lambda a: study.AP[a.name]["AP"], "change of AP, points"),
    }
    drawn = [
        compared(f"Keypoints: {title[0].lower()}{title[1:]}", names, series(attacks, names, number), label)
        for title, (number, label) in numbers.items()
    ]
    head = ["keypoint", "fill", *(title.lower() for title in numbers), "AP without it", "verdict"]
    rows = [
        [spelled(a.target), a.fill, *(cell(number(a)) for number, _ in numbers.values()),
         cell(study.AP[a.name]["AP_others"]), study.changes[a.name]["all"].verdict(study.margin)]
        for name in names for a in attacks if a.target == name
    ]  # fmt: skip
    radius = f"{attacks[0].radius:g} px" if attacks[0].radius is not None else "a fixed radius"
    return Section(
        harm(study, attacks, "One keypoint covered"),
        f"A disc of {radius} (on a crop 192 wide) covers one keypoint of everybody who has it; the most harmful "
        "stand on top. Dots are changes from the clean picture, lines 95 % intervals of each number by itself: of "
        f"{len(attacks)} that change nothing, about {CHANCE * len(attacks):.0f} would lie clearly below 0 by chance.",
        notes=mark_words(study, attacks),
        figures=drawn[:1],
        more=drawn[1:],
        grid=[head, *rows],
    )


def mark_words(study: Study, attacks: Sequence[Attack]) -> list[str]:
    """Warn where a disc may be taken for what it covers: one of a plain colour, on the end of a limb."""
    plain = [a for a in attacks if a.fill in PLAIN and a.target.rpartition("_")[2] in ENDS]
    if not plain:
        return []
    gains = [a for a in plain if stands_out(number := change(study, "target")(a), len(plain)) and number.value > 0]
    seen = f"Here it makes {listed(map(attack_words, gains))} easier to find. " if gains else ""
    return [f"A plain disc is a mark as well as a cover: the end of a limb may be looked for there. {seen}"
            "Read it beside a fill that does not stand out."]  # fmt: skip


def radii(study: Study) -> Section | None:
    """Say how the loss grows with the radius of a disc."""
    text = "A disc covers a keypoint that is drawn for each person, the same one at every radius and with every fill. "
    return _swept(study, "radii", "Discs of {}", text, "Radius", "radius")


def objects(study: Study) -> Section | None:
    """Say how the loss grows with the size of real occluders."""
    text = (
        "An object, drawn for each person, lies with a point of its silhouette on a keypoint that is drawn, too; its "
        "size is the side of a square of the same area, as a share of the "
        f"{'person' if any(sized_by_height(a) for a in of_kind(study, 'objects')) else 'crop'}. "
    )
    return _swept(study, "objects", "Objects of {}", text, "Objects", "size", "size, a share of the crop or the person")


def _swept(
    study: Study, kind: str, what: str, text: str, title: str, column: str, axis: str = RADIUS_AXIS
) -> Section | None:
    """Say how the loss grows with the size of attacks of a kind."""
    attacks = of_kind(study, kind)
    sizes = sorted({a.radius for a in attacks if a.radius is not None})
    if not sizes:
        return None
    titles = {"all": "All keypoints", "hit": "Covered keypoints", "collateral": "Keypoints not covered"}
    lines = {
        number: {spelled(fill): _sorted(attacks, fill, change(study, number)) for fill in fills_of(attacks)}
        for number in titles
    }
    drawn = (
        [growing(f"{title}: {titles[n].lower()}", sizes, lines[n], GROWN, axis) for n in titles]
        if len(sizes) > 1
        else []
    )
    largest = [a for a in attacks if a.radius == sizes[-1]]
    head = [column, "fill", *(name.lower() for name in titles.values()), "verdict"]
    rows = [
        [size_words(a), spelled(a.fill), *(cell(study.changes[a.name][n]) for n in titles),
         study.changes[a.name]["all"].verdict(study.margin)]
        for size in sizes for a in attacks if a.radius == size
    ]  # fmt: skip
    return Section(
        harm(study, largest, what.format(size_words(largest[0]))),
        text + " ".join(_onset(study, attacks, fill) for fill in fills_of(attacks)),
        figures=drawn[:1],
        more=drawn[1:],
        grid=[head, *rows],
    )


def _onset(study: Study, attacks: Sequence[Attack], fill: str) -> str:
    """Say from which radius on a fill clearly harms, at it and at every larger one."""
    found = [a for a in _by_radius(attacks) if a.fill == fill]
    clear = [a in with_verdict(study, found, "all", "lower") for a in found]
    if not clear or not clear[-1]:
        return f"{spelled(fill).capitalize()} does no clear harm at the largest size."
    start = max((i + 1 for i, harms in enumerate(clear) if not harms), default=0)
    return f"{spelled(fill).capitalize()} clearly harms from {size_words(found[start])} on."


def parts(study: Study, large: Sequence[str]) -> Section | None:
    """Say what covering a body part changes, and whether that is more than any of its keypoints does; large: halves."""
    attacks = of_kind(study, "parts")
    if not attacks:
        return None
    names = by_harm(study, attacks)
    small, halves = [n for n in names if n not in large], [n for n in names if n in large]
    drawn = [
        compared(f"{title}: all keypoints", some, series(attacks, some, change(study, "all")), CHANGE)
        for title, some in (("Small parts", small), ("Halves of the body", halves))
        if some
    ]
    against = {a: nearest(study, a) for a in attacks}
    told = [a for a in attacks if against[a] is not None]
    worse = [a for a in told if (found := against[a]) is not None and found.verdict(study.margin) == "lower"]
    text = "The tight rectangle around a part's keypoints covers everything in it."
    if told:
        rows = [name for name in names if any(a.target == name for a in told)]
        lines = series(told, rows, lambda a: against[a] or NOTHING)
        drawn.append(compared("A part less the keypoint that comes closest", rows, lines, "difference, points"))
        text += (
            f" {len(worse)} of {len(told)} attacks on parts cost clearly more than every single one of their keypoints "
            "covered by a disc with the same fill, in the same people."
        )
    head = ["part", "fill", "all", "covered", "not covered", "AP", "less the closest keypoint", "verdict"]
    grid = [
        [spelled(a.target), a.fill, *(cell(study.changes[a.name][n]) for n in ("all", "hit", "collateral")),
         cell(study.AP[a.name]["AP"]), cell(against[a] or NOTHING), study.changes[a.name]["all"].verdict(study.margin)]
        for name in names for a in attacks if a.target == name
    ]  # fmt: skip
    return Section(
        harm(study, attacks, "One body part covered"),
        text,
        figures=drawn[:1],
        more=drawn[1:],
        grid=[head, *grid],
    )


def fills(study: Study) -> Section | None:
    """Say which fill costs more than which."""
    told = _fill_differences(study)
    if not told:
        return None
    drawn = compared("One fill less another", list(told), _turned(told), "difference of the changes, points")
    said = fill_words(study)
    text = "The same people, the same places, other contents. " + " ".join(said[1:])
    head = ["fills", "all keypoints", "covered", "not covered"]
    rows = [[name, *(cell(some[n]) for n in ("all", "hit", "collateral"))] for name, some in told.items()]
    return Section(said[0].rstrip("."), text, figures=[drawn], grid=[head, *rows])


def fill_words(study: Study) -> list[str]:
    """Say of every two fills which costs more, for keypoints and for parts."""
    said = []
    for name, effect in ((name, some["all"]) for name, some in _fill_differences(study).items()):
        kind, _, pair = name.partition(": ")
        first, second = pair.split(" less ")
        verdict = effect.verdict(study.margin)
        told = {
            "lower": f"{first} costs more than {second}, {points(effect)}",
            "higher": f"{first} costs less than {second}, {points(effect)}",
            "none": f"{first} and {second} differ by no more than {margin_words(study)}",
        }.get(verdict, f"between {first} and {second} nothing is decided, {points(effect)}")
        said.append(f"On {kind}, {told}.")
    return said


def own(study: Study) -> Section | None:
    """Say what the caller's own occluders change."""
    attacks = of_kind(study, "own")
    if not attacks:
        return None
    names = by_harm(study, attacks)
    numbers = {"all": "all keypoints", "hit": "covered", "collateral": "not covered"}
    lines = {title: [study.changes[name][n] for name in names] for n, title in numbers.items()}
    rows = [[spelled(name), *(cell(study.changes[name][n]) for n in numbers), cell(study.AP[name]["AP"]),
             study.changes[name]["all"].verdict(study.margin)] for name in names]  # fmt: skip
    return Section(
        harm(study, attacks, "Occluders of your own"),
        figures=[compared("Own occluders", names, lines, CHANGE)],
        grid=[["occluder", *numbers.values(), "AP", "verdict"], *rows],
    )


NAN = float("nan")
NOTHING = Effect(NAN, NAN, NAN, NAN, NAN, 0.0)


def change(study: Study, number: str) -> Number:
    """Return what looks a number of `changes` up."""
    return lambda attack: study.changes[attack.name].get(number, NOTHING)


def nearest(study: Study, part: Attack) -> Effect | None:
    """Return how a part differs from the keypoint in it that comes closest; None where none was attacked.

    It is the difference whose interval reaches highest: where that is below 0, so are all, and the part costs
    more than every one of its keypoints.
    """
    found = [some["all"] for name, some in study.pooled.items() if name.startswith(f"{part.name} - ")]
    known = [effect for effect in found if effect.value == effect.value]
    return max(known, key=lambda effect: effect.high, default=None)


def by_harm(study: Study, attacks: Sequence[Attack]) -> list[str]:
    """Name the targets of attacks, the most harmful first: by the mean of what their fills change."""
    values: dict[str, list[float]] = {}
    for attack in attacks:
        value = study.changes[attack.name]["all"].value
        values.setdefault(attack.target, []).extend([value] if value == value else [])
    return sorted(values, key=lambda name: sum(values[name]) / len(values[name]) if values[name] else float("inf"))


def series(attacks: Sequence[Attack], names: Sequence[str], number: Number) -> dict[str, list[Effect]]:
    """Return a number of the attacks on `names`, by their fill."""
    found = {(a.fill, a.target): number(a) for a in attacks}
    return {fill: [found.get((fill, name), NOTHING) for name in names] for fill in fills_of(attacks)}


def _by_radius(attacks: Sequence[Attack]) -> list[Attack]:
    return sorted(attacks, key=lambda a: a.radius or 0.0)


def _sorted(attacks: Sequence[Attack], fill: str, number: Number) -> list[Effect]:
    return [number(a) for a in _by_radius(attacks) if a.fill == fill]


def _fill_differences(study: Study) -> dict[str, Mapping[str, Effect]]:
    """Return how fills differ, of keypoints and of parts, by a name as in "parts: blur less blackout"."""
    found = {}
    for kind in ("keypoints", "parts"):
        fills = fills_of(of_kind(study, kind))
        for first in fills:
            for second in fills:
                some = study.pooled.get(f"{kind}-{first} - {kind}-{second}")
                if some is not None:
                    found[f"{kind}: {first} less {second}"] = some
    return found


def _turned(fills: Mapping[str, Mapping[str, Effect]]) -> dict[str, list[Effect]]:
    titles = {"all keypoints": "all", "covered": "hit", "not covered": "collateral"}
    return {title: [some[number] for some in fills.values()] for title, number in titles.items()}
