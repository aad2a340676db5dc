"""The demo: a drawn world, its people estimated, scored and attacked, on one page to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from posewright import picture
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.estimators.top_down import TopDown
from posewright.picture import Pixels
from posewright.report.drawing import draw, sheet
from posewright.report.page import Section, write_page
from posewright.robustness import people_for, standard_attacks, study
from posewright.robustness.attacks.attack import attack_of
from posewright.robustness.pages.examples import examples
from posewright.robustness.pages.report import answers_in, write_report
from posewright.robustness.pages.sections import keypoints, radii
from posewright.scene import Person, Scene, each_person
from posewright.skeleton import Skeleton
from posewright.verbs.evaluate import evaluate
from posewright.warp import resized

SEED = 2026
"""Not a seed that a network of posewright's was trained with."""
PICTURES, PEOPLE = 60, 64
CROWD = (1, 2)
"""People a picture: numbers are of people at boxes that are told, and crowds would tell of little else."""
GROUPS, GROUP, GROUP_SIZE = 4, (3, 5), (480, 360)
"""Pictures of groups, how many people each has, and its (width, height) px: these are asked about without boxes."""
SHOWN = 8
RADII = (6, 10, 14, 18)
"""px on a crop 192 px wide, scaled to the network's: Pytel et al. 2020 (arXiv:2010.10451) attack with 6 to 18."""
STUDY, DRAWS = "study", 1000
"""Where the study is kept beside the page, and how often its pictures are drawn anew."""
SHORTEST, LONGEST = 500, 1600
"""px of a photograph's longer side: below the first it is shown at twice its size, and never above the second."""
LEGEND = (
    "Blue is the person's left, orange their right, yellow the middle. A ring is a keypoint that something hides; "
    "what has a low score is faint."
)


def write_demo(out: Path, estimator: TopDown, photos: Sequence[Path] = ()) -> Path:
    """Write the demo's pictures, its COCO files and `index.html` into `out`; returns the page's path.

    Raises PictureError for a photo that cannot be read, before anything is written.
    """
    seen = [(photo, picture.read(photo)) for photo in photos]
    begun = perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    scenes = world(PICTURES, SEED, skeleton=estimator.codec.skeleton, people=CROWD)
    coco.write(scenes, out / "world")
    sections = [_photo(estimator, place, photo, pixels, out) for place, (photo, pixels) in enumerate(seen)]
    scores, tiles = _scored(estimator, scenes, out)
    sections += [_groups(estimator, out), _estimates(scenes, out), scores]
    sections += _attacks(estimator, scenes, out)
    sections.append(_next())
    lead = f"Everything here was drawn, estimated and scored on this computer in {perf_counter() - begun:.0f} seconds."
    return write_page(out / "index.html", "posewright", lead, tiles, sections)


def _photo(estimator: TopDown, place: int, photo: Path, pixels: Pixels, out: Path) -> Section:
    people = estimator(pixels)
    name = f"photo-{place + 1}.jpg"
    drawn = enlarged if max(pixels.shape) < SHORTEST else draw
    picture.write(out / name, picture.at_most(drawn(pixels, people, estimator.codec.skeleton), LONGEST))
    best = f" The best of them has the score {people[0].score or 0:.2f}, of 1." if people else ""
    return Section(
        photo.name,
        f"Your photograph, with nobody's box told: {_searched(estimator)}. {_counted(len(people))} found.{best} "
        f"{LEGEND}",
        [name],
    )


def _searched(estimator: TopDown) -> str:
    return "a detector finds people, and each is estimated" if estimator.detector else "one person is searched for"


def _counted(people: int) -> str:
    return {0: "Nobody was", 1: "One person was"}.get(people, f"{people} people were")


def _groups(estimator: TopDown, out: Path) -> Section:
    """Ask about drawn groups of people without boxes, and show who was found."""
    scenes = world(GROUPS, SEED + 1, GROUP_SIZE, estimator.codec.skeleton, GROUP)
    found = list(estimator.many(scenes))
    pairs = []
    for scene, people in zip(scenes, found, strict=True):
        pairs += [enlarged(scene.pixels(), shown, scene.skeleton) for shown in (scene.people, people)]
    _write_sheet(out / "groups.jpg", pairs, ["truth", "found"])
    text = (
        f"{GROUPS} pictures of {sum(len(scene.people) for scene in scenes)} people, with nobody's box told: "
        f"{_searched(estimator)}. {_counted(sum(map(len, found)))} found. {LEGEND}"
    )
    return Section("Groups", text, ["groups.jpg"])


def _scored(estimator: TopDown, scenes: Sequence[Scene], out: Path) -> tuple[Section, list[tuple[str, str]]]:
    """Predict to disk, score from disk by both customary metrics, and say how."""
    protocol = estimator.protocol() | {
        "data": f"synthetic world, seed {SEED}, {CROWD[0]} or {CROWD[1]} people a picture",
        "boxes": "of the truth",
    }
    tracked = _track("estimating")
    found = evaluate(
        estimator, scenes, out, "pck,oks_ap", protocol, draws=0, track=lambda each: iter(tracked(each, len(scenes)))
    )
    by_torso, by_oks = found.scores["pck"], found.scores["oks_ap"]
    people = len(each_person(scenes))
    tiles = [("pictures", str(len(scenes))), ("people", str(people)), ("PCK@0.2", f"{by_torso['PCK@0.2']:.2f}"),
             ("AP", f"{by_oks['AP']:.2f}"), ("AP50", f"{by_oks['AP50']:.2f}")]  # fmt: skip
    rows = [(name.partition("/")[2].replace("_", " "), f"{value:.3f}")
            for name, value in by_torso.items() if "/" in name]  # fmt: skip
    sigmas = by_oks.protocol["sigmas"]
    text = (
        f"{people} people at the boxes of the truth, without flip test. PCK@0.2 is the share of keypoints that lie "
        "within a fifth of the torso's length of the truth, hidden ones too; below it stands for each keypoint. AP is "
        f"COCO's average precision by object keypoint similarity; its sigmas: {sigmas}."
    )
    return Section("Scores", text, table=rows, details=_rows(protocol)), tiles


def _estimates(scenes: Sequence[Scene], out: Path) -> Section:
    predicted = coco.read_results(out / "predictions.json", scenes)
    pairs = []
    for true, guess in list(zip(scenes, predicted, strict=True))[:SHOWN]:
        pixels = true.pixels()
        pairs += [enlarged(pixels, people, true.skeleton) for people in (true.people, guess.people)]
    _write_sheet(out / "estimates.jpg", pairs, ["truth", "estimate"])
    return Section("Estimates", f"Pictures of the synthetic world: the truth, and beside it the estimate. {LEGEND}",
                   ["estimates.jpg"])  # fmt: skip


def _attacks(estimator: TopDown, scenes: Sequence[Scene], out: Path) -> list[Section]:
    """Study what black discs do, keep the study beside the page, and show what it says first."""
    skeleton = estimator.skeleton
    attacks = [attack_of("keypoints", name, "blackout", RADII[-1]) for name in skeleton.keypoints]
    attacks += standard_attacks(skeleton, ["radii"], ["blackout"], RADII)
    people = people_for(estimator, scenes, most=PEOPLE)
    found = study(estimator, scenes, attacks, out=out / STUDY, most=PEOPLE, draws=DRAWS, track=_track("attacking"))
    report = write_report(found, out / STUDY, people)
    shown = [keypoints(found), radii(found), *examples(found, people, answers_in(out / STUDY, found))]
    more = f"The whole study, with every number and its protocol, is {report.relative_to(out)}, beside this page."
    return [*(section for section in shown if section is not None), Section("The study", more)]


def _write_sheet(path: Path, pairs: Sequence[Pixels], captions: list[str]) -> None:
    picture.write(path, sheet(pairs, 4, captions * (len(pairs) // 2), cell=(384, 384)))


def enlarged(pixels: Pixels, people: Iterable[Person], skeleton: Skeleton) -> Pixels:
    """Draw on a small picture at twice its size, so that thin lines stay thin."""
    size = (pixels.shape[1], pixels.shape[0])
    to = (2 * size[0], 2 * size[1])
    larger = np.asarray(cv2.resize(pixels, to, interpolation=cv2.INTER_CUBIC), np.uint8)
    return draw(larger, [person.moved(resized(size, to), skeleton) for person in people], skeleton)


def _next() -> Section:
    return Section(
        "What next",
        "Your own pictures, a data set of yours, a network of yours:",
        commands=[
            "posewright predict photo.jpg folder/ clip.mp4 --out out/",
            "posewright evaluate pose --data lsp:DIR --split test",
            "posewright train simple_baseline_r50_lsp --data DIR",
        ],
    )


def _rows(protocol: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in protocol.items()]


def _track(what: str) -> Any:
    return lambda items, total: track(items, what, total, console=Console(stderr=True), transient=True)
