"""A section of a study's page: what hidden keypoints cost in clean pictures, and whether attacks predict it."""

from __future__ import annotations

from posewright.report.page import Section
from posewright.robustness.numbers.natural import NATURAL, PEARSON
from posewright.robustness.numbers.tables import Study
from posewright.robustness.pages.words import level, points, share


def natural_occlusion(study: Study) -> Section | None:
    """Set keypoints annotated as hidden against seen ones, and the cost against what attacks change."""
    found = study.pooled.get(NATURAL)
    if found is None:
        return None
    less = found["hidden_less_seen"]
    title = {
        "lower": f"Hidden keypoints are harder in clean pictures: {points(less)}",
        "higher": f"Hidden keypoints are easier in clean pictures: {points(less)}",
    }.get(less.verdict(study.margin), "Hidden keypoints are not clearly harder in clean pictures")
    grid = [
        ["annotated as", "correct", "keypoints"],
        *([word, share(found[f"right_{word}"]), f"{found[f'right_{word}'].asked:,.0f}"] for word in ("seen", "hidden")),
    ]
    rows = [
        (f"Pearson's r with {group.removeprefix(f'{NATURAL}-')}", level(some[PEARSON]))
        for group, some in study.pooled.items()
        if group.startswith(f"{NATURAL}-") and some[PEARSON].value == some[PEARSON].value
    ]
    text = (
        "Without any attack: keypoints that the annotators took to be hidden beside those that they saw. Hidden ones "
        "are also labelled less exactly, which no number here can tell apart. "
    )
    if rows:
        text += (
            "Do attacks predict it? Pearson's correlation, over the keypoints that are hidden at least five times, of "
            "that cost with what covering the keypoint changes in itself: 1 would mean that nature and attacks cost "
            "each in proportion. " + "; ".join(f"{name}: {value}" for name, value in rows) + "."
        )
    return Section(title, text, grid=grid, details=rows)
