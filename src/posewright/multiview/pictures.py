"""Figures of several cameras: where they stand, what became of every point, how late they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posewright.multiview.points import POINT_WORDS, PointReason, Points, ViewReason
from posewright.multiview.rig import Rig
from posewright.multiview.sync import Offsets
from posewright.report.figure import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, SKY, SOFT, plot

Floats = NDArray[np.float64]

VIEW_COLOURS: dict[ViewReason, str] = {
    ViewReason.USED: GREEN, ViewReason.SWAPPED: SKY, ViewReason.ABSENT: GREY, ViewReason.LOW_SCORE: ORANGE,
    ViewReason.OUTLIER: RED, ViewReason.BEHIND: PINK, ViewReason.UNMATCHED: BLUE,
}  # fmt: skip
PERSON_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, RED)


def draw_rig(rig: Rig, points: Points | None = None) -> str:
    """Return an SVG of the cameras from above, in metres, with how far they see, and the ways that people went."""
    axis = "xyz".index((rig.up or "z")[-1])
    first, second = ((axis + 1) % 3, (axis + 2) % 3)
    sign = -1.0 if (rig.up or "z")[0] == "-" else 1.0
    centers = np.stack([c.center for c in rig.cameras.values()]) / 1000
    reach = float(np.ptp(centers, axis=0).max()) or 1.0
    title = f"Cameras from above ({rig.up} up), m" if rig.up else "Cameras along z of the world, m (up is not known)"
    with plot(title, 6.5, 8.0) as (axes, drawn):
        if points is not None:
            _paths(axes, points, first, second, sign)
        for (name, camera), center in zip(rig.cameras.items(), centers, strict=True):
            half = rig.sizes.get(name, (2 * camera.K[0, 2], 0))[0] / 2 / camera.K[0, 0]
            edges = [center + 0.22 * reach * (camera.R.T @ [x, 0, 1]) for x in (-half, half)]
            xs = [edges[0][first], center[first], edges[1][first]]
            ys = [sign * edges[0][second], sign * center[second], sign * edges[1][second]]
            axes.fill(xs, ys, color=SKY, alpha=0.25, linewidth=0)
            axes.plot(xs, ys, color=BLUE, linewidth=1)
            axes.plot(center[first], sign * center[second], "o", color=INK, markersize=5)
            axes.annotate(
                name, (center[first], sign * center[second]), xytext=(6, 6), textcoords="offset points", color=INK
            )
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel("xyz"[first])
        axes.set_ylabel("xyz"[second])
    return drawn[0]


def _paths(axes, points: Points, first: int, second: int, sign: float) -> None:  # type: ignore[no-untyped-def]
    middle = np.full((*points.xyz.shape[:2], 3), np.nan)
    some = np.isfinite(points.xyz[..., 0]).any(-1)
    middle[some] = np.nanmean(points.xyz[some], axis=1) / 1000
    for p in range(middle.shape[1]):
        colour = PERSON_COLOURS[p % len(PERSON_COLOURS)]
        axes.plot(middle[:, p, first], sign * middle[:, p, second], color=colour, linewidth=2)
        axes.plot([], [], color=colour, label=f"person {p + 1}")
    axes.legend(frameon=False, loc="upper right")


def draw_reasons(points: Points, person: int) -> str:
    """Return an SVG of what each camera said of each joint, as shares of the frames."""
    joints, cameras = points.skeleton.keypoints, points.cameras
    rows = [(joint, camera) for joint in joints for camera in cameras]
    views = points.views[:, person]
    shares = {r: np.array([(views[:, k, v] == r).mean() for k in range(len(joints)) for v in range(len(cameras))])
              for r in VIEW_COLOURS}  # fmt: skip
    high = 0.9 + 0.07 * len(rows) + 0.1 * len(joints)
    with plot(f"What the cameras said of person {person + 1}, share of {len(views)} frames", high) as (axes, drawn):
        at = np.array([k * (len(cameras) + 1) + v for k in range(len(joints)) for v in range(len(cameras))])
        start = np.zeros(len(rows))
        for reason, share in shares.items():
            if share.any():
                axes.barh(
                    at,
                    share,
                    left=start,
                    height=0.9,
                    color=VIEW_COLOURS[reason],
                    label=reason.name.lower().replace("_", " "),
                )
            start += share
        axes.set_yticks([k * (len(cameras) + 1) + (len(cameras) - 1) / 2 for k in range(len(joints))])
        axes.set_yticklabels([joint.replace("_", " ") for joint in joints])
        axes.set_xlim(0, 1)
        axes.set_ylim(at[-1] + 1, -1)
        axes.legend(frameon=False, ncols=7, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=9)
        axes.set_title(axes.get_title(loc="left"), loc="left", pad=26)
        axes.set_xlabel(f"a bar a camera: {', '.join(cameras)}, from above")
    return drawn[0]


def draw_gaps(points: Points, person: int) -> str:
    """Return an SVG of where in time a joint is missing, filled or there, and how sure it is."""
    joints = points.skeleton.keypoints
    frames = np.arange(points.start, points.start + len(points.xyz))
    title = f"Sigma of person {person + 1}, mm; what is missing is red, what is filled orange"
    with plot(title, 0.9 + 0.24 * len(joints)) as (axes, drawn):
        sigma = points.sigma[:, person].T
        known = sigma[np.isfinite(sigma)]
        top = float(np.percentile(known, 98)) if len(known) else 1.0
        edges = np.concatenate([frames - 0.5, [frames[-1] + 0.5]])
        shown = axes.pcolormesh(
            edges, np.arange(len(joints) + 1) - 0.5, sigma, cmap="Blues", vmin=0, vmax=top, rasterized=True
        )
        for reason, colour in ((PointReason.TOO_FEW, RED), (PointReason.PARALLEL, PINK), (PointReason.FILLED, ORANGE)):
            k, f = np.nonzero(reason == points.reason[:, person].T)
            axes.scatter(
                frames[f],
                k,
                s=30,
                marker="|",
                color=colour,
                linewidths=2,
                label=POINT_WORDS[reason] if len(f) else None,
            )
        axes.set_yticks(range(len(joints)))
        axes.set_yticklabels([joint.replace("_", " ") for joint in joints])
        axes.invert_yaxis()
        axes.set_xlabel("frame")
        axes.figure.colorbar(shown, ax=axes, pad=0.01, shrink=0.8)
    return drawn[0]


def draw_offsets(offsets: Offsets, names: tuple[str, ...]) -> str:
    """Return an SVG of how badly each camera fits the others as a function of how late it would be."""
    with plot("How badly a camera fits the others, were it late", 3.6, 8.0) as (axes, drawn):
        for v, name in enumerate(names):
            colour = PERSON_COLOURS[v % len(PERSON_COLOURS)]
            axes.plot(
                offsets.steps,
                offsets.curve[v],
                color=colour,
                linewidth=1.6,
                label=f"{name}: late by {offsets.late[v]:.2f}",
            )
            axes.axvline(offsets.late[v], color=colour, linewidth=0.8, linestyle=":")
        axes.set_xlabel("frames late")
        axes.set_ylabel("squared distance, in sigmas, capped")
        axes.legend(frameon=False, loc="upper right")
        axes.grid(color=SOFT, alpha=0.2)
    return drawn[0]
