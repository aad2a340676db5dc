"""The page of a search: fitness against cost, who was best when, and whether the best is better than its ancestor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from posewright.models.evopose2d import ANCESTOR, Genotype
from posewright.report.figure import BLUE, GREEN, GREY, INK, LINE, ORANGE, PINK, RED, SKY, SOFT, plot
from posewright.report.page import Section, write_page
from posewright.train.evolve.comparison import Comparison, Outcome, differences
from posewright.train.evolve.search import Search, Trained, fittest
from posewright.train.evolve.space import size

COLOURS = (SKY, BLUE, GREEN, ORANGE, RED, PINK)
"""Of the generations after the ancestor's, over again where there are more."""
SHOWN = 10


def write_search_page(
    search: Search, trained: Sequence[Trained], comparison: Comparison, outcomes: Sequence[Outcome], out: Path
) -> Path:
    """Write `search.html` into a folder; returns its path. Without outcomes it says nothing of the ancestor."""
    best, ancestor = fittest(search, trained)[0], trained[0]
    lead = (
        f"{len(trained)} networks of the {size() / 1e12:.0f} million million that the genes allow. Each child begins "
        f"with what it inherits from its parent's weights and learns for {_epochs(search.epochs)}; of the fittest the "
        "next generation is bred. Lower fitness is better."
    )
    tiles = [
        ("networks trained", str(len(trained))),
        ("fitness of the ancestor, thousandths", f"{1e3 * ancestor.fitness(search):.3f}"),
        ("fitness of the fittest, thousandths", f"{1e3 * best.fitness(search):.3f}"),
        ("million MACs of the ancestor", f"{ancestor.macs / 1e6:.1f}"),
        ("million MACs of the fittest", f"{best.macs / 1e6:.1f}"),
    ]
    sections = [_cost(search, trained), _course(search, trained), _best(search, trained)]
    if outcomes:
        sections.insert(0, _verdict(search, comparison, outcomes))
    return write_page(out / "search.html", "Networks bred by mutation and choice", lead, tiles, sections)


def _cost(search: Search, trained: Sequence[Trained]) -> Section:
    by_number = {one.candidate.number: one for one in trained}
    with plot("Fitness against cost", 5.0) as (axes, drawn):
        for one in trained:
            if one.candidate.parent is not None:
                ends = [_place(search, each) for each in (by_number[one.candidate.parent], one)]
                axes.plot(*zip(*ends, strict=True), color=GREY, linewidth=0.8, zorder=1)
        for generation in sorted({one.candidate.generation for one in trained}):
            places = [_place(search, one) for one in trained if one.candidate.generation == generation]
            name, colour = (f"generation {generation}", COLOURS[(generation - 1) % len(COLOURS)])
            if generation == 0:
                name, colour = "the ancestor, EfficientNet-B0", INK
            axes.scatter(*zip(*places, strict=True), 46, color=colour, label=name, zorder=3 if generation == 0 else 2)
        x, y = _place(search, fittest(search, trained)[0])
        axes.scatter([x], [y], 190, facecolors="none", edgecolors=INK, linewidths=1.3, zorder=4)
        axes.annotate("the fittest", (x, y), (12, -3), textcoords="offset points")
        axes.set(xlabel="million multiply-accumulates a picture", ylabel="fitness, thousandths")
        axes.grid(color=LINE)
        axes.figure.legend(loc="outside lower left", ncols=4, frameon=False)
    text = "Each line leads from a parent to its child, which differs by one gene."
    note = (
        "A child has its forebears' training behind it as well as its own, so later generations are fitter for that "
        "alone: only networks trained anew tell whether their genes are better."
    )
    return Section("What was found", text, notes=[note], figures=drawn, details=_settings(search))


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' * (count != 1)}"


def _place(search: Search, one: Trained) -> tuple[float, float]:
    return one.macs / 1e6, 1e3 * one.fitness(search)


def _settings(search: Search) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(value)) for name, value in asdict(search).items()]


def _course(search: Search, trained: Sequence[Trained]) -> Section:
    values = np.array([1e3 * one.fitness(search) for one in trained])
    with plot("The fittest so far", 2.8) as (axes, drawn):
        axes.plot(np.arange(len(values)), values, "o", color=GREY, markersize=4)
        axes.step(np.arange(len(values)), np.minimum.accumulate(values), where="post", color=BLUE, linewidth=2)
        for number in range(1, len(values), search.children):
            axes.axvline(number - 0.5, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.set(xlabel="networks trained", ylabel="fitness, thousandths", xlim=(-0.5, len(values) - 0.5))
        axes.grid(axis="y", color=LINE)
    return Section("How it went", "A dashed line stands before each generation.", figures=drawn)


def _best(search: Search, trained: Sequence[Trained]) -> Section:
    rows = [["network", "fitness, thousandths", "loss, thousandths", "million MACs", "million numbers", "genes"]]
    for one in fittest(search, trained)[:SHOWN]:
        known = [1e3 * one.fitness(search), 1e3 * one.loss, one.macs / 1e6, one.numbers / 1e6]
        rows.append([str(one.candidate.number), *(f"{value:.3f}" for value in known), spelled(one.candidate.genes)])
    text = (
        "Genes of the seven modules: kernel, blocks, channels / 8, stride, those written out that differ from the "
        "ancestor's. A fitness is the loss times (target / numbers) to the exponent."
    )
    return Section("The fittest", text, grid=rows)


def spelled(genes: Genotype) -> str:
    """Say what differs from the ancestor.

    >>> spelled((*ANCESTOR[:6], ANCESTOR[6]._replace(repeats=2, width=10)))
    'module 7: repeats 2, width 10'
    """
    told = []
    for number, (module, old) in enumerate(zip(genes, ANCESTOR, strict=True), 1):
        changed = [f"{gene} {value}" for gene, value in module._asdict().items() if value != getattr(old, gene)]
        told += [f"module {number}: {', '.join(changed)}"] if changed else []
    return "; ".join(told) or "the ancestor's"


def _verdict(search: Search, comparison: Comparison, outcomes: Sequence[Outcome]) -> Section:
    names = list(dict.fromkeys(each.contestant.name for each in outcomes))
    measure = outcomes[0].measure
    rows = [["network", "million MACs", f"mean {measure}", "with each seed", "mean loss, thousandths"]]
    for name in names:
        own = [each for each in outcomes if each.contestant.name == name]
        scores, loss = [each.score for each in own], np.mean([each.loss for each in own])
        each_seed = " ".join(f"{score:.3f}" for score in scores)
        rows.append(
            [name, f"{own[0].contestant.macs / 1e6:.1f}", f"{np.mean(scores):.3f}", each_seed, f"{1e3 * loss:.3f}"]
        )
    seen = "" if search.data == "world" else ", but for the split that the search judged on"
    text = (
        f"The fittest network and its ancestor, each trained from nothing for {_epochs(comparison.epochs)} and once "
        f"with each of {comparison.seeds} seeds, measured on people that neither search nor training has seen{seen}; "
        "the ancestor also widened until it computes as much as the fittest."
    )
    return Section("Is it better than its ancestor?", f"{text} {verdict(outcomes, names[-1])}", grid=rows)


def verdict(outcomes: Sequence[Outcome], name: str) -> str:
    """Say in a sentence whether the bred network is better than another, by the same sign with every seed."""
    gains = differences(outcomes, name)
    spread = f"{np.mean(gains):+.3f} on average, from {min(gains):+.3f} to {max(gains):+.3f} seed by seed"
    if min(gains) > 0:
        return f"Against the {name} it is better with every seed: {spread}."
    if max(gains) < 0:
        return f"Against the {name} it is worse with every seed: {spread}."
    return f"Against the {name} seeds disagree, so nothing is shown: {spread}."
