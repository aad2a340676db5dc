"""The page of worst occluders: how much they cost, where on the body they are, and how they look."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright import picture
from posewright.occlusion.occluder import Occluder
from posewright.occlusion.presets import ATTACKS
from posewright.picture import Pixels
from posewright.report.drawing import draw, sheet
from posewright.report.figure import BLUE, INK, LINE, RED, SOFT, plot, rows_named
from posewright.report.page import Section, write_page
from posewright.robustness.attacks.search import AWAY, HELD_OUT, Spot
from posewright.robustness.numbers.cases import Case
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.worst import HONEST, Worst, curve, nearest
from posewright.robustness.pages.body import FIGURE, density, limbs_of, on_figure
from posewright.robustness.pages.figures import beside
from posewright.robustness.pages.words import spelled
from posewright.scene import Floats, Person, box_around

SHOWN = 12
"""Worst cases that are drawn."""
SHADES = (0.1, 0.25, 0.45, 0.65, 0.85, 1.01)
"""Shares of the densest place at which the heat map's colour changes."""
CASES = Section(
    "The worst cases, clean and with the occluder",
    "What the estimator says of the same crop before and after.",
    pictures=["worst.png"],
)
WORDS = {
    "worst": "the place searched for",
    "nearby": "nearby it, held out of the search",
    "own_keypoint": "each person's worst keypoint",
    "keypoint": "the worst keypoint on the whole",
    "anywhere": "anywhere in the person's box",
}


def write_worst_page(found: Worst, folder: Path) -> Path:
    """Write `worst.html` and the pictures of the worst cases, `worst.png`, into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    picture.write(folder / "worst.png", cases_sheet(found))
    search, n = found.search, found.numbers
    what = "of all keypoints" if search.of == "all" else "of the keypoints that are not covered"
    by = "mean similarity to the truth" if search.by == "similarity" else "share of correct ones"
    lead = (
        f"One {search.shape} ({search.fill}), at most as large as a disc of {search.radius:g} px on a crop 192 wide, "
        f"put where it costs most of the {by} {what}: {search.looks} looks at each of {len(found.cases)} people"
    )
    out = found.protocol["left_out"]
    lead += f"; {out} more cannot be judged by {found.protocol['right']}." if out else "."
    tiles = [
        ("lost in the worst place, or more", _share(n["worst"])),
        ("lost nearby, held out", _share(n["nearby"])),
        ("lost on each person's worst keypoint", _share(n["own_keypoint"])),
        ("lost anywhere in the box", _share(n["anywhere"])),
        ("keypoints right, clean", _share(n["right"])),
        ("keypoints right, nearby", _share(n["right_nearby"])),
    ]
    sections = [_how_much(found), _where(found), CASES, _looks(found)]
    return write_page(folder / "worst.html", "The worst place for one occluder", lead, tiles, sections)


def _how_much(found: Worst) -> Section:
    n = found.numbers
    more = n["worst - own_keypoint"]
    words = {"lower": "costs less than", "higher": "costs more than"}.get(more.verdict(), "is about as bad as")
    names = {**WORDS, "keypoint": f"the worst on the whole, {spelled(found.keypoint)}, cross-fitted"}
    shares = "hit" in n and found.search.of == "all"
    text = f"Than the same occluder anywhere in the box, the worst place costs {_points(n['worst - anywhere'])} more"
    text += f", than on each person's worst keypoint {_points(more)} more. "
    text += (f"{HELD_OUT} looks that were not used to choose the place, moved and resized by {100 * AWAY[0]:.0f} to "
             f"{100 * AWAY[1]:.0f} %, lose {_points(n['nearby'])}: that is what an occluder about there costs. The "
             f"other {_points(n['worst - nearby'])} rest on the exact place. ")  # fmt: skip
    if shares:
        text += (f"Of the worst place's loss {_points(n['hit'])} are keypoints that the occluder covers, "
                 f"{_points(n['collateral'])} keypoints that it does not. ")  # fmt: skip
    text += (f"In the worst place {_share(n['inverted_worst'])} of the keypoints are taken for their mirror images, "
             f"left for right; in clean pictures {_share(n['inverted'])}. ")  # fmt: skip
    return Section(
        f"The worst place {words} the worst keypoint",
        text + "All intervals are paired: the same draws of the pictures for all.",
        notes=[f"The place is {HONEST}. More looks may find worse ones."],
        figures=[_losses(found, names)],
        grid=[["number", "value", "95 % interval"],
              *([name.replace("_", " "), f"{e.value:.4f}", f"{e.low:.4f} to {e.high:.4f}"] for name, e in n.items()
                if np.isfinite(e.value))],
        details=[(key, str(value)) for key, value in found.protocol.items()],
    )  # fmt: skip


def _losses(found: Worst, names: dict[str, str]) -> str:
    names = {name: text for name, text in names.items() if np.isfinite(found.numbers[name].value)}
    rows = [found.numbers[name] for name in names]
    with plot("What one occluder costs", 0.95 + 0.32 * len(rows), 9.0) as (axes, drawn):
        place = np.arange(len(rows))
        values, low, high = 100 * np.array([row[:3] for row in rows]).T
        axes.hlines(place, low, high, color=BLUE, linewidth=5, alpha=0.3)
        axes.plot(values, place, "o", color=BLUE, markersize=6)
        rows_named(axes, list(names.values()), f"loss of {found.search.by}, percentage points, with 95 % intervals")
        axes.set_xlim(min(0.0, float(low.min())) - 1, float(high.max()) + 1)
    return drawn[0]


def _where(found: Worst) -> Section:
    counts = {name: count for name, count in nearest(found).items() if count}
    first = next(iter(counts))
    spots = np.array([case.spot for case in found.cases])
    sizes = np.array([case.looks.spots[: case.cells, 2].max() for case in found.cases])
    beneath = np.mean([case.looks.covered[case.best].sum() for case in found.cases])
    return Section(
        f"The worst place is most often nearest to the {spelled(first)}: {counts[first]} of {len(found.cases)} people",
        f"In the worst place the occluder covers {beneath:.1f} keypoints on average, and is "
        f"{100 * float((spots[:, 2] / sizes).mean()):.0f} % as wide as it may be. The figure has every worst place "
        "beside the same limb as on the person; it is seen from the front, its left is on the right.",
        figures=[beside([_body(found), _counts(counts)])],
    )


def _body(found: Worst) -> str:
    skeleton = found.cases[0].person.crop.skeleton
    places = [on_figure(case.spot[:2], case.person.truth.keypoints, skeleton) for case in found.cases]
    x, y = np.linspace(-1.6, 1.6, 161), np.linspace(-2.2, 2.1, 216)
    heat = density(places, x, y)
    known = sum(bool(np.isfinite(place).all()) for place in places)
    with plot(f"Worst places on the body, {known} people", 6.2, 4.8) as (axes, drawn):
        if heat.max() > 0:
            for low, alpha in zip(SHADES, (0.14, 0.3, 0.5, 0.7, 0.9), strict=False):
                axes.contourf(x, y, heat / heat.max(), levels=[low, SHADES[-1]], colors=[RED], alpha=alpha / 2)
        for a, b in limbs_of(skeleton):
            ends = np.array([FIGURE[skeleton.keypoints[k]] for k in (a, b)])
            axes.plot(*ends.T, color=INK, linewidth=2, alpha=0.75, solid_capstyle="round")
        dots = np.array([place for place in places if np.isfinite(place).all()]).reshape(-1, 2)
        axes.plot(*dots.T, ".", color=INK, markersize=4, alpha=0.7)
        axes.set(xlim=(-1.6, 1.6), ylim=(2.1, -2.2), aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return drawn[0]


def _counts(counts: dict[str, int]) -> str:
    with plot("Nearest keypoint of the worst place", 0.9 + 0.27 * len(counts), 5.2) as (axes, drawn):
        axes.barh(np.arange(len(counts)), list(counts.values()), 0.66, color=BLUE)
        rows_named(axes, list(counts), "people")
        axes.xaxis.get_major_locator().set_params(integer=True)
    return drawn[0]


def cases_sheet(found: Worst) -> Pixels:
    """Draw the people who lose most, each clean and behind the worst occluder, with what the estimator says."""
    order = np.argsort([-case.loss[case.best] for case in found.cases], kind="stable")[:SHOWN]
    pictures, captions = [], []
    for n in order:
        case = found.cases[n]
        x, y, radius = case.spot.tolist()
        hide = Occluder(Spot(x, y, radius, found.search.shape), ATTACKS[found.search.fill])
        after = hide(case.person.crop, np.random.default_rng((found.search.seed, int(n)))).pixels
        pictures += [_drawn(case, case.person.crop.pixels, case.clean),
                     _drawn(case, after, case.looks.keypoints[case.best])]  # fmt: skip
        captions += [f"picture {case.person.scene}, person {case.person.person}",
                     f"{-100 * case.loss[case.best] + 0.0:+.0f} points, by the {spelled(_nearest(case))}"]  # fmt: skip
    return sheet(pictures, 6, captions, cell=(192, 192))


def _nearest(case: Case) -> str:
    return case.person.crop.skeleton.keypoints[case.nearest]


def _drawn(case: Case, pixels: Pixels, found: Floats) -> Pixels:
    skeleton = case.person.crop.skeleton
    scale = max(1, round(384 / max(pixels.shape[:2])))
    large = pixels.repeat(scale, 0).repeat(scale, 1)
    at = found * scale + (scale - 1) / 2
    people = [Person(at, box=box_around(at))] if np.isfinite(at).any() else []
    return draw(large, people, skeleton)


def _looks(found: Worst) -> Section:
    worst_so_far = curve(found)
    cells = found.cases[0].cells
    with plot("The worst found so far", 2.8, 8.0) as (axes, drawn):
        axes.plot(np.arange(1, len(worst_so_far) + 1), 100 * worst_so_far, color=BLUE, linewidth=2)
        axes.axvline(cells + 0.5, color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate("evolution", (cells + 0.5, 0), (5, 6), textcoords="offset points", color=SOFT)
        axes.set(xlabel="looks at a person", ylabel="mean loss, points", ylim=(0, None), xlim=(0, len(worst_so_far)))
        axes.grid(axis="y", color=LINE)
    last = worst_so_far[-1] - worst_so_far[-max(2, len(worst_so_far) // 10)]
    return Section(
        "Whether more looks would find more",
        f"The last tenth of the looks still added {100 * last:.1f} points; up to the dashed line the largest "
        "occluder stands anywhere in each cell of a grid, from there the best are moved and resized.",
        figures=drawn,
    )


def _share(effect: Effect) -> str:
    return f"{100 * effect.value:.0f} %"


def _points(effect: Effect) -> str:
    return f"{100 * effect.value:.1f} points ({100 * effect.low:.1f} to {100 * effect.high:.1f})"
