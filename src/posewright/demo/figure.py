"""The sweep's figure: how far the answers fall as the disc grows, and whose disc costs most."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from posewright.demo.sweep import RADII, Interval, Sweep, loss, share

ITSELF, OTHERS = "#d55e00", "#0072b2"
INK, FAINT = "#333333", "#e4e4e4"
SEED = 0
"""Of the people drawn anew for the intervals."""


def losses(found: Sweep) -> tuple[Interval, Interval]:
    """Return what the largest disc costs, by the keypoint under it: that keypoint itself, and the others; (K,) each."""
    rng = np.random.default_rng(SEED)
    largest, clean = found.covered[-1], found.without()
    (own, asked), (own_clean, _) = found.itself(largest), found.itself(clean)
    (rest, rest_asked), (rest_clean, _) = found.others(largest), found.others(clean)
    return loss(own_clean, own, asked, rng), loss(rest_clean, rest, rest_asked, rng)


def curves(found: Sweep) -> tuple[list[Interval], list[Interval]]:
    """Return the share found at radius 0 and at each of RADII: of keypoints under the disc, and of the others."""
    steps = [found.without(), *found.covered]
    return tuple(  # type: ignore[return-value]
        [
            share(hits.sum(1), asked.sum(1), np.random.default_rng(SEED))
            for hits, asked in (counted(step) for step in steps)
        ]
        for counted in (found.itself, found.others)
    )


def plot(found: Sweep, path: Path) -> None:
    """Draw both, with 95 % intervals over people."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(
        {"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK}
    ):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _plot_curves(left, found)
        _plot_losses(right, found)
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.spines[["left", "bottom"]].set_color("#999999")
            axes.set_axisbelow(True)
        partial = path.with_name(f".{path.name}")
        figure.savefig(partial, format="png", dpi=160, metadata={"Software": None})
    os.replace(partial, path)


def _plot_curves(axes, found: Sweep) -> None:  # type: ignore[no-untyped-def]
    radii = (0, *RADII)
    for values, colour, label in zip(
        curves(found), (ITSELF, OTHERS), ("the keypoint in its centre", "all others"), strict=True
    ):
        middle, low, high = np.array(values).T
        axes.fill_between(radii, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(radii, middle, "o-", color=colour, markersize=4, linewidth=2, label=label)
    axes.set(xlabel="radius of the disc, px on a crop 192 px wide", ylabel="PCK@0.2", ylim=(0, 1), xticks=radii)
    axes.set_title("The disc grows", loc="left", fontsize=11)
    axes.grid(axis="y", color=FAINT)
    axes.legend(frameon=False)


def _plot_losses(axes, found: Sweep) -> None:  # type: ignore[no-untyped-def]
    own, rest = losses(found)
    order = np.argsort(-np.nan_to_num(own[0]))
    place = np.arange(len(order))
    for (middle, low, high), colour, shift, label in (
        (own, ITSELF, -0.2, "itself"),
        (rest, OTHERS, 0.2, "all others"),
    ):
        around = np.clip([middle - low, high - middle], 0, None)[:, order]
        axes.barh(place + shift, middle[order], 0.38, color=colour, label=label)
        axes.errorbar(middle[order], place + shift, xerr=around, fmt="none", ecolor=INK, elinewidth=0.8)
    axes.set(yticks=place, xlabel=f"loss of PCK@0.2 under a disc of {RADII[-1]} px")
    axes.set_yticklabels([found.skeleton.keypoints[k].replace("_", " ") for k in order])
    axes.set_title("Whose disc costs most", loc="left", fontsize=11)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.invert_yaxis()
    axes.grid(axis="x", color=FAINT)
    axes.legend(frameon=False, loc="lower right")
