"""Why a joint is missing or unsure: in words, in tables, and as a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posewright.multiview.pictures import draw_gaps, draw_reasons
from posewright.multiview.points import POINT_WORDS, USED, VIEW_WORDS, PointReason, Points, ViewReason
from posewright.report.page import Section, write_page

MOST_PEOPLE = 6
"""People whom a page draws one by one."""


CULPRITS = (ViewReason.ABSENT, ViewReason.LOW_SCORE, ViewReason.OUTLIER, ViewReason.UNMATCHED)
"""What keeps views from being used, as far as a person can do something about it."""


def summary(points: Points) -> list[tuple[str, str]]:
    """Return names and numbers: what was found, how sure it is, how well views agree."""
    missing = points.reason == PointReason.TOO_FEW
    used = np.where(points.used, points.error, np.nan)
    sigma = points.sigma[points.found]
    rows = [
        ("people", str(points.xyz.shape[1])),
        ("frames", str(len(points.xyz))),
        ("joints found", _percent(points.found)),
        ("missing", _percent(missing)),
        ("filled", _percent(points.reason == PointReason.FILLED)),
    ]
    if np.isfinite(used).any():
        rows.append(("reprojection, median", f"{np.nanmedian(used):.2g} px"))
    if np.isfinite(sigma).any():
        rows.append(("sigma, median", f"{np.nanmedian(sigma):.3g} mm"))
    return rows


def causes(points: Points) -> list[list[str]]:
    """Return a table: for each camera, of how many joints and frames it said what."""
    head = ["camera", *(reason.name.lower().replace("_", " ") for reason in ViewReason), "px, median", "px, 95 %"]
    rows = [head]
    for v, name in enumerate(points.cameras):
        error = points.error[..., v][points.used[..., v] & np.isfinite(points.error[..., v])]
        spread = [f"{np.percentile(error, q):.3g}" if len(error) else "" for q in (50, 95)]
        rows.append([name, *(_percent(points.views[..., v] == reason) for reason in ViewReason), *spread])
    return rows


def missing_joints(points: Points, person: int) -> list[list[str]]:
    """Return a table: for each joint, how often it is there, how sure, and what its missing frames have in common."""
    rows = [["joint", "found", "sigma, mm", "views", "where it is missing, the cameras said"]]
    for k, joint in enumerate(points.skeleton.keypoints):
        found = points.found[:, person, k]
        sigma = points.sigma[:, person, k][found]
        count = points.used[:, person, k][found].sum(-1)
        views = points.views[:, person, k][~found]
        why = [(float((views == r).mean()), _words(r)) for r in ViewReason] if len(views) else []
        said = "; ".join(
            f"{100 * share:.0f} % {words}" for share, words in sorted(why, reverse=True)[:3] if share > 0.05
        )
        spread = f"{np.median(sigma):.3g}" if len(sigma) and np.isfinite(sigma).any() else ""
        rows.append([joint, _percent(found), spread, f"{count.mean():.1f}" if len(count) else "", said])
    return rows


def verdict(points: Points) -> list[str]:
    """Return the likeliest root causes of what is missing or unsure: doubtful cameras, then the largest first."""
    said: list[tuple[float, str]] = []
    for v, name in enumerate(points.cameras):
        share = {reason: float((points.views[..., v] == reason).mean()) for reason in ViewReason}
        absent, low, outlier, alone = (share[r] for r in CULPRITS)
        contrary = outlier / max(1 - absent - alone, 1e-9)
        if absent > 0.5:
            said.append((absent, f"{name} detects nothing in {100 * absent:.0f} % of joints and frames"))
        if contrary > 0.2:
            said.append((outlier, f"{name} contradicts the others in {100 * contrary:.0f} % of what it detects: its "
                         "calibration, or its time, is likely wrong (see `multiview check`)"))  # fmt: skip
        if low > 0.2:
            said.append((low, f"{name} scores {100 * low:.0f} % below --min-score"))
        if alone > 0.1:
            said.append((alone, f"{name} shows somebody who is matched to nobody in {100 * alone:.0f} % of the frames"))
    parallel = float((points.reason == PointReason.PARALLEL).mean())
    if parallel > 0.02:
        said.append((parallel, f"{100 * parallel:.0f} % of points lie where their cameras' rays are nearly parallel"))
    return [*points.doubts, *(words for _, words in sorted(said, reverse=True))]


def explain_point(points: Points, person: int, joint: str, frame: int) -> list[str]:
    """Return one point's story, a line each; raises ValueError for a joint, a person or a frame that is not there."""
    if joint not in points.skeleton.keypoints:
        raise ValueError(f"no joint {joint!r}; there are {', '.join(points.skeleton.keypoints)}")
    f = frame - points.start
    if not 0 <= f < len(points.xyz):
        raise ValueError(f"no frame {frame}; there are {points.start} to {points.start + len(points.xyz) - 1}")
    if not 0 <= person < points.xyz.shape[1]:
        raise ValueError(f"no person {person + 1}; there are {points.xyz.shape[1]}")
    at = (f, person, points.skeleton.keypoints.index(joint))
    lines = [f"person {person + 1}, {joint}, frame {frame}: {POINT_WORDS[PointReason(points.reason[at])]}"]
    if np.isfinite(points.xyz[at]).all():
        place = ", ".join(f"{v:.1f}" for v in points.xyz[at])
        sigma = points.sigma[at]
        lines.append(
            f"  at ({place}) mm" + (f", sigma {sigma:.1f} mm" if np.isfinite(sigma) else ", how sure is unknown")
        )
    for v, name in enumerate(points.cameras):
        error = points.error[at][v]
        px = f", {error:.1f} px from the point's image" if np.isfinite(error) else ""
        code = ViewReason(points.views[at][v])
        words = VIEW_WORDS[code] if points.reason[at] != PointReason.TOO_FEW else _words(code)
        lines.append(f"  {name}: {words}{px}")
    return lines


def write_explanation(out: Path, points: Points, source: str, figures: tuple[str, ...] = ()) -> Path:
    """Write index.html into a folder: what is missing and why, camera by camera and joint by joint; returns it."""
    out.mkdir(parents=True, exist_ok=True)
    likely = verdict(points)
    sections = [
        Section("What stands in the way", "The likeliest causes of what is missing or unsure, the largest first."
                if likely else "Nothing stands out.", notes=likely, figures=figures),
        Section("Cameras", "What each camera said of all joints and frames, in per cent.", grid=causes(points)),
    ]  # fmt: skip
    for p in range(min(points.xyz.shape[1], MOST_PEOPLE)):
        sections.append(Section(f"Person {p + 1}", "", figures=[draw_gaps(points, p), draw_reasons(points, p)]))
        sections.append(Section(f"Person {p + 1}, joint by joint", grid=missing_joints(points, p)))
    sections.append(
        Section("What was assumed", "", details=[(str(n + 1), note) for n, note in enumerate(points.notes)])
    )
    lead = "Every point is there with how sure it is, or missing with a reason; what is filled in says so."
    return write_page(out / "index.html", f"Points of {source}", lead, summary(points), sections)


def _words(reason: ViewReason) -> str:
    """Say what a camera has to do with a point that is missing; one that would be used alone saw it."""
    return "sees it, but no other view agrees" if reason in USED else VIEW_WORDS[reason]


def _percent(flags: np.ndarray) -> str:
    return f"{100 * float(np.mean(flags)):.1f} %" if np.size(flags) else ""
