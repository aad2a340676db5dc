"""Sections of a study's page: what is hit and what is not, what is known, taken for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from posewright.report.page import Section
from posewright.robustness.attacks.attack import CLEAN, Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.tables import Effects, Study
from posewright.robustness.pages.figures import Spot, compared, scatter
from posewright.robustness.pages.sections import NOTHING
from posewright.robustness.pages.words import (
    CHANCE,
    at_once,
    attack_words,
    cell,
    fills_of,
    level,
    listed,
    margin_words,
    of_kind,
    points,
    share,
    spelled,
    stands_out,
    with_verdict,
)

STRONGEST = 12
"""Attacks that most often confuse, that are listed."""
NAMED = 4
"""Points of a scatter that get their names, at most, for each of its two directions."""
KINDS = {"keypoints": "keypoints", "parts": "parts", "radii": "discs", "objects": "objects", "own": "own"}


def hit_and_collateral(study: Study) -> Section | None:
    """Set what attacks cost the keypoints they cover against what they cost the others."""
    drawn: list[str] = []
    said: list[tuple[str, str, Effects]] = []
    for kind in ("keypoints", "parts"):
        attacks = of_kind(study, kind)
        pairs = {a: (study.changes[a.name]["hit"], study.changes[a.name]["collateral"]) for a in attacks}
        known = [a for a in attacks if all(effect.value == effect.value for effect in pairs[a])]
        if known:
            far = outliers(pairs, known)
            spots = [Spot(a.fill, spelled(a.target) if a in far else "", *pairs[a]) for a in known]
            labels = "change in correct ones of the covered, points", "change in correct ones of the others, points"
            drawn.append(scatter(f"Hit and collateral: {kind}", spots, labels, (100, 100)))
        for fill in fills_of(attacks):
            both = study.pooled.get(f"{kind}-{fill}")
            if both:
                said.append((kind, fill, both))
    if not drawn:
        return None
    text = (
        "A point is an attack: left of 0 it costs keypoints that it covers, below 0 keypoints that it does not. The "
        "share of a loss that is collateral is told of groups of attacks that clearly cost something."
    )
    head = ["attacks", "fill", "covered", "others", "share of the loss that was not covered"]
    grid = [[k, fill, cell(both["hit"]), cell(both["collateral"]), _collateral(both)] for k, fill, both in said]
    kind, fill, both = min(said, key=lambda one: one[2]["collateral"].value)
    title = "Keypoints that nothing covers do not clearly change"
    if stands_out(both["collateral"], len(said)) and both["collateral"].value < 0:
        title = f"Keypoints that nothing covers suffer, too: {points(both['collateral'])} under {fill} on {kind}"
    if all(some["collateral"].verdict(study.margin) == "none" for *_, some in said):
        title = f"Keypoints that nothing covers stay as they are, within {margin_words(study)}"
    return Section(title, text, figures=drawn[:1], more=drawn[1:], grid=[head, *grid])


def outliers(pairs: Mapping[Attack, tuple[Effect, Effect]], known: Sequence[Attack]) -> set[Attack]:
    """Return the attacks that cost most of what they cover, or of what they do not, and clearly do."""
    found: set[Attack] = set()
    for number in (0, 1):
        clear = [a for a in known if stands_out(pairs[a][number], len(known)) and pairs[a][number].value < 0]
        found |= set(sorted(clear, key=lambda a: pairs[a][number].value)[:NAMED])
    return found


def _collateral(both: Effects) -> str:
    """Say how much of a loss is collateral, where there clearly is a loss."""
    return share(both.get("collateral_share", NOTHING)) if both["all"].high < 0 else "-"


def knowing(study: Study) -> Section | None:
    """Say whether the estimator's scores fall where it fails."""
    groups = {name: some for name, some in study.pooled.items() if "overconfidence" in some and "radii" not in name}
    rated = {name: some for name, some in groups.items() if some["score"].value == some["score"].value}
    rated = {name: rated[name] for name in sorted(rated, key=lambda name: name != CLEAN)}
    if not rated:
        return Section("The estimator gives no scores", "So it cannot tell what it does not know.")
    names = list(rated)
    right = {word: [rated[name][f"score_{word}"] for name in names] for word in ("right", "wrong")}
    drawn = [
        compared("Mean score of covered keypoints", names, right, "mean score, 0 to 1", scale=1),
        compared("Overconfidence", names,
                 {"": [rated[name]["overconfidence"] for name in names]}, "mean score less share correct, points"),
    ]  # fmt: skip
    spots = [
        Spot(a.fill or KINDS[a.kind], "", one["hit"], one["score_hit"])
        for a in study.attacks
        if a.kind != "radii" and (one := study.changes[a.name])["hit"].value == one["hit"].value
    ]
    if spots:
        labels = "change in correct ones of the covered, points", "change of their mean score"
        drawn.append(scatter("Score against loss", spots, labels, (100, 1)))
    head = ["keypoints", "right, %", "score", "of correct ones", "of wrong ones", "overconfidence, points"]
    grid = [
        [spelled(name), share(some["right"]), *(level(some[n]) for n in ("score", "score_right", "score_wrong")),
         cell(some["overconfidence"])] for name, some in rated.items()
    ]  # fmt: skip
    text = (
        "Of covered keypoints under attack, and of all in clean pictures: what score those get that are right and "
        "those that are wrong, and by how much the mean score exceeds the share that is correct. That compares only "
        "where a score is meant as the probability of being correct."
    )
    return Section(_known(rated), text, figures=drawn[:1], more=drawn[1:], grid=[head, *grid])


def _known(rated: Mapping[str, Effects]) -> str:
    """Say in a heading whether it is overconfident under attack, and by how much more than in clean pictures."""
    attacked = {name: some["overconfidence"] for name, some in rated.items() if name != CLEAN}
    known = {name: effect for name, effect in attacked.items() if effect.value == effect.value}
    if not known:
        return "What its scores say"
    name, most = max(known.items(), key=lambda one: one[1].value)
    if most.value < 0 or not stands_out(most, len(known)):
        return _gap(rated)
    clean = rated.get(CLEAN, {}).get("overconfidence", NOTHING)
    before = "" if clean.value != clean.value else f", against {points(clean)} in clean pictures"
    return f"It is overconfident: by {points(most)} under {name.replace('-', ', ')}{before}"


def _gap(rated: Mapping[str, Effects]) -> str:
    """Say how the gap between score and share correct moves under attack, of scores that may be no probabilities."""
    clean = rated.get(CLEAN, {}).get("overconfidence", NOTHING)
    moved = {name: some["overconfidence"].value - clean.value for name, some in rated.items() if name != CLEAN}
    known = {name: value for name, value in moved.items() if value == value}
    if not known:
        return "It is not clearly overconfident under any attack"
    name = max(known, key=lambda one: known[one])
    own = rated[name]["overconfidence"]
    under = spelled(name.replace("-", ", "))
    return f"Its scores less the share correct: {points(clean)} in clean pictures, {points(own)} under {under}"


def confusions(study: Study) -> Section | None:
    """Say where attacks turn left into right, or one person into another."""
    attacks = [a for kind in ("keypoints", "parts", "objects", "own") for a in of_kind(study, kind)]
    groups = [
        name for name, some in study.pooled.items() if "inverted" in some and " - " not in name and "radii" not in name
    ]
    if not groups:
        return None
    words = {"inverted": "taken for their mirror image", "swapped": "taken for another person's"}
    lines = {word: [study.pooled[name][word] for name in groups] for word in words}
    drawn = [compared("Inversions and swaps by attack and fill", groups, lines, "change of their share, points")]
    more = {word: with_verdict(study, attacks, word, "higher") for word in words}
    worst = {
        word: sorted(found, key=lambda a: -study.changes[a.name][word].value)[:STRONGEST]
        for word, found in more.items()
    }
    for word, found in worst.items():
        if found:
            effects = {"": [study.changes[a.name][word] for a in found]}
            names = [attack_words(a) for a in found]
            drawn.append(compared(f"Most often {words[word]}", names, effects, "change of their share, points"))
    said = [f"{len(found)} of {len(attacks)} attacks clearly cause more {w}" for w, found in
            zip(("inversions", "swaps"), more.values(), strict=True)]  # fmt: skip
    title = "No attack stands out by confusing left and right"
    told = [(a, w) for w, found in worst.items() for a in found if stands_out(study.changes[a.name][w], len(attacks))]
    if told:
        most, word = max(told, key=lambda one: study.changes[one[0].name][one[1]].value)
        gain = points(at_once(study.changes[most.name][word]))
        what = {"inverted": "inversions of left and right", "swapped": "swaps between people"}[word]
        title = f"{attack_words(most).capitalize()}, causes most {what}: {gain} of keypoints"
    rows = [[attack_words(a), w, cell(study.changes[a.name][w])] for w, found in worst.items() for a in found]
    text = (
        "A wrong keypoint is inverted where it lies at its mirror image (the left knee on the right one), swapped "
        f"where it lies on another person. {'; '.join(said)}; about {CHANCE * len(attacks):.0f} of each would seem so "
        "by chance."
    )
    grid = [["attack", "", "change, points"], *rows] if rows else ()
    return Section(title, text, figures=drawn[:1], more=drawn[1:], grid=grid)


def without_effect(study: Study) -> Section:
    """List the attacks that change nothing within the margin: that, too, is a finding."""
    verdicts = {a: study.changes[a.name]["all"].verdict(study.margin) for a in study.attacks}
    none = [a for a, verdict in verdicts.items() if verdict == "none"]
    groups: dict[tuple[str, str], list[Attack]] = {}
    for attack in study.attacks:
        groups.setdefault((attack.kind, attack.fill), []).append(attack)
    words = ("none", "small", "lower", "higher", "undecided")
    rows = [
        [KINDS[kind], fill, *(str(sum(verdicts[a] == word for a in some)) for word in words),
         listed([attack_words(a).partition(",")[0] for a in some if a in none], 30)]
        for (kind, fill), some in groups.items()
    ]  # fmt: skip
    title = f"{len(none)} of {len(study.attacks)} attacks change the share of correct keypoints by less than "
    text = (
        f"None: the 90 % interval of the change lies within {margin_words(study)} (two one-sided tests at 5 %), and "
        "there are enough pictures to tell; where each change lay just at the margin, one in twenty would still be "
        "called so. Small: that, and clearly not 0. Undecided: the interval holds 0, but reaches further than the "
        "margin. An attack that covers one keypoint of many can do no more to all of them than their share: what it "
        "does to that keypoint itself stands above."
    )
    nobody = [a for a in study.attacks if verdicts[a] == "no data"]
    targets = listed(dict.fromkeys(spelled(a.target) for a in nobody))
    silent = f"Of {len(nobody)} of {len(study.attacks)} attacks there is no data, as they reach nobody: {targets}."
    grid = [["attacks", "fill", *words, "no effect"], *rows]
    return Section(title + f"{100 * study.margin:g} points", text, notes=[silent] if nobody else [], grid=grid)
