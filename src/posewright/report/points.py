"""The page of scores of poses in space: how far off, when, which keypoint, the worst from two sides, kinds of pose."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from posewright.metrics.threed.mpjpe import joint_errors
from posewright.metrics.threed.poses import Poses, paired_poses
from posewright.metrics.threed.pss import Centres, kinds_of, shapes
from posewright.metrics.trust.confidence import Difference
from posewright.report.figure import BLUE, GREY, RED, SOFT, plot
from posewright.report.page import Section, write_page
from posewright.report.results import Result
from posewright.report.space import limbs_on
from posewright.report.tables import differences_of, headline, protocol_of, table_of
from posewright.scene import Floats
from posewright.skeleton import Skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORST, SHOWN, DOTS = 4, 20, 3_000
"""Poses drawn as the worst, centres drawn, and poses at most in a plot of kinds."""


def write_points_page(
    path: Path, truth: str, true: Poses, found: Sequence[tuple[Result, Poses]],
    compared: Mapping[str, Mapping[str, Difference]], centres: Centres | None = None,
) -> Path:  # fmt: skip
    """Write the page of one file of poses, or of two that are compared; returns its path."""
    results = [result for result, _ in found]
    sections: list[Section] = []
    for name, score in results[0].scores.items():
        if name in compared:
            grid = differences_of([result.scores[name] for result in results], compared[name])
            sections.append(Section(name, "The second minus the first, sequence by sequence.", grid=grid))
        else:
            grid = table_of(score, results[0].intervals[name])
            sections.append(Section(name, grid=grid, details=protocol_of(score)))
    for result, poses in found:
        sections += _about(result.path.name, *paired_poses(poses, true)[:2])
    if centres is not None:
        sections += _kinds(found[0][1], true, centres)
    lead = f"{' and '.join(str(result.path) for result in results)}, against {truth}: {len(true):,} poses."
    return write_page(path, "Poses in space", lead, headline(results[0]), sections)


def _about(name: str, predicted: Poses, truth: Poses) -> list[Section]:
    """Show one file's errors over time and its worst poses."""
    errors = joint_errors(predicted, truth)["MPJPE"]
    known = np.isfinite(errors)
    each = np.where(known.any(-1), np.where(known, errors, 0).sum(-1) / np.maximum(known.sum(-1), 1), np.nan)
    with plot(f"{name}: mean distance of each pose, mm, in the order of the file", 2.6) as (axes, over_time):
        axes.plot(each, color=BLUE, linewidth=0.8)
        for border in np.flatnonzero(truth.sequence[1:] != truth.sequence[:-1]) + 0.5:
            axes.axvline(border, color=GREY, linewidth=0.6)
        axes.set_ylim(bottom=0)
    with plot(f"{name}: distance of each keypoint, mm: half of all poses, and nine of ten", 3.2) as (axes, by_keypoint):
        columns = [errors[known[:, k], k] for k in range(errors.shape[1])]
        axes.boxplot(
            [c if len(c) else [np.nan] for c in columns],
            whis=(5, 95),
            showfliers=False,
            medianprops={"color": RED},
            **{part: {"color": SOFT} for part in ("boxprops", "whiskerprops", "capprops")},
        )
        axes.set_xticks(range(1, len(columns) + 1), truth.skeleton.keypoints, rotation=35, ha="right", fontsize=8)
    order = np.argsort(np.where(np.isfinite(each), each, -1.0))[::-1][:WORST]
    title = f"{name}: the worst poses"
    text = "Grey is true, colour is predicted (blue left, red right); roots together; each from two sides."
    return [
        Section(f"{name}: errors", "Grey lines part sequences.", figures=[*over_time, *by_keypoint]),
        Section(title, text, pictures=[_worst(predicted, truth, each, order)]),
    ]


def _worst(predicted: Poses, truth: Poses, each: Floats, order: np.ndarray) -> bytes:
    """Draw poses and true ones from two sides."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(order), 6.4), layout="constrained")
    axes = figure.subplots(2, len(order), squeeze=False)
    for column, n in enumerate(order):
        for row, (across, down, up) in enumerate(_sides(truth.centred, truth.skeleton)):
            for poses, grey in ((truth, True), (predicted, False)):
                limbs_on(
                    axes[row, column], poses.centred[n][:, [across, down]], poses.skeleton, "#b0b5bd" if grey else None
                )
            _tidy(axes[row, column], up)
        where = str(truth.sequence[n]).rpartition("/")[2]
        axes[0, column].set_title(f"{where} {n}: {each[n]:.0f} mm", fontsize=9)
    return _png(figure)


def _sides(points: Floats, skeleton: Skeleton) -> tuple[tuple[int, int, bool], tuple[int, int, bool]]:
    """Return twice an axis across, the axis along which people are tallest, and whether their heads lie up along it."""
    spread = np.nan_to_num(np.nanstd(points.reshape(-1, 3), axis=0))
    tall = int(spread.argmax())
    upper = [n for n, name in enumerate(skeleton.keypoints) if name.partition("_")[2] == "shoulder" or "neck" in name]
    up = bool(np.nanmean(points[:, upper, tall]) > 0) if upper else False
    first, second = (axis for axis in range(3) if axis != tall)
    return (first, tall, up), (second, tall, up)


def _kinds(predicted: Poses, truth: Poses, centres: Centres) -> list[Section]:
    """Show the kinds of pose, and which true and predicted poses are of the same one."""
    k = min(centres.centres)
    names, means = centres.skeleton.keypoints, centres.centres[k]
    predicted, truth, _ = paired_poses(predicted.only(names), truth.only(names))
    true, guess = kinds_of(truth, means), kinds_of(predicted, means)
    counts = np.bincount(true[true >= 0], minlength=k)
    right = np.bincount(true[(true == guess) & (true >= 0)], minlength=k)
    places = shapes(truth)[true >= 0]
    chosen = np.linspace(0, len(places) - 1, min(len(places), DOTS)).astype(int)
    middle = places.mean(0)
    axes2 = np.linalg.svd(places - middle, full_matrices=False)[2][:2]
    flat, same = (places[chosen] - middle) @ axes2.T, (true == guess)[true >= 0][chosen]
    with plot(f"true poses by their first two principal components, k = {k}", 4.0, 7.0) as (axes, cloud):
        axes.scatter(*flat[same].T, s=7, color=BLUE, label="predicted of the same kind")
        axes.scatter(*flat[~same].T, s=7, color=RED, label="of another")
        axes.legend(frameon=False, fontsize=8)
    text = "Centres by how many true poses are of their kind, and the share of these that is predicted so."
    order = np.argsort(counts)[::-1][:SHOWN]
    drawn = _centres(
        means[order].reshape(len(order), -1, 3), centres.skeleton, truth.skeleton, counts[order], right[order]
    )
    return [Section(f"Kinds of pose, {centres.made_of}", text, figures=cloud, pictures=[drawn])]


def _centres(means: Floats, skeleton: Skeleton, like: Skeleton, counts: np.ndarray, right: np.ndarray) -> bytes:
    """Draw the centres of kinds of pose, with the limbs of the poses."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 2.1 * -(-len(means) // 10)), layout="constrained")
    axes = figure.subplots(-(-len(means) // 10), 10, squeeze=False).ravel()
    bones = Skeleton(skeleton.name, skeleton.keypoints, like.limbs)
    (across, down, up), _ = _sides(means, skeleton)
    for n, axis in enumerate(axes):
        axis.axis("off")
        if n < len(means):
            limbs_on(axis, means[n][:, [across, down]], bones)
            _tidy(axis, up)
            axis.set_title(f"{counts[n]}, {right[n] / max(counts[n], 1):.0%}", fontsize=8)
    return _png(figure)


def _tidy(axis: Axes, up: bool) -> None:
    axis.set_aspect("equal")
    if up == axis.yaxis_inverted():
        axis.invert_yaxis()
    axis.axis("off")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
