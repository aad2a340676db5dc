"""The demo: a drawn world, its people estimated, scored and attacked, on one page to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

import posewright
from posewright import picture
from posewright.datasets.synthetic import world
from posewright.draw import draw, sheet
from posewright.estimate import TopDown
from posewright.evaluate import predict
from posewright.metrics import oks_ap, pck
from posewright.occlusion import Occluder
from posewright.occlusion.fills import black
from posewright.occlusion.regions import KeypointDisc
from posewright.page import Section, write_page
from posewright.scene import Crop, Scene, aim, each_person, take

SEED = 2026
"""Not the seed that the default was trained with."""
PICTURES, PEOPLE = 60, 100
SMALLEST = 48.0
"""px of a box's longer side: smaller people tell more about the resolution than about the attack."""
RADII = (6, 10, 14, 18)
"""px on a crop 192 px wide, scaled to the network's: Pytel et al. 2020 (arXiv:2010.10451) attack with 6 to 18."""
PCK = "PCK@0.2"


@dataclass(frozen=True)
class Sweep:
    """What black discs on one keypoint at a time do: PCK@0.2 in [0, 1], rows for RADII, columns for keypoints.

    hit: of the covered keypoint itself; rest: the mean of the others; clean (K,): without a disc.
    """

    hit: np.ndarray
    rest: np.ndarray
    clean: np.ndarray


def write_demo(out: Path, photos: Sequence[Path] = ()) -> Path:
    """Write the demo's pictures, its COCO files and `index.html` into `out`; returns the page's path.

    Raises picture.PictureError for a photo that cannot be read, before anything is written.
    """
    estimator = posewright.load()
    seen = [(photo, picture.read(photo)) for photo in photos]
    out.mkdir(parents=True, exist_ok=True)
    scenes = world(PICTURES, SEED, skeleton=estimator.codec.skeleton)
    predicted = list(_tracked(predict(estimator, scenes), "estimating", len(scenes)))
    sections = [_photo(estimator, photo, pixels, out) for photo, pixels in seen]
    sections += [_estimates(scenes, predicted, out), _scores(scenes, predicted)]
    crops = _crops(scenes, estimator)
    sections += _attacks(estimator, crops, sweep(estimator, crops), out)
    return write_page(out / "index.html", "posewright: the demo", sections)


def sweep(estimator: TopDown, crops: Sequence[Crop]) -> Sweep:
    """Cover one keypoint after the other with black discs of growing radius, and score what is left."""
    names = estimator.codec.skeleton.keypoints
    truth = [Scene(crop.pixels, crop.skeleton, crop.people[:1]) for crop in crops]
    clean = _per_keypoint(answers(estimator, crops), truth, names)
    hit, rest = (np.zeros((len(RADII), len(names))) for _ in range(2))
    attacks = [(row, column) for row in range(len(RADII)) for column in range(len(names))]
    for row, column in _tracked(attacks, "attacking", len(attacks)):
        attacked = [disc(crop, names[column], RADII[row]) for crop in crops]
        score = _per_keypoint(answers(estimator, attacked), truth, names)
        hit[row, column] = score[column]
        rest[row, column] = np.nanmean(np.delete(score, column))
    return Sweep(hit, rest, clean)


def disc(crop: Crop, keypoint: str, radius: float) -> Crop:
    """Cover a keypoint with a black disc; radius in px on a crop 192 px wide."""
    scaled = radius * crop.warp.size[0] / 192
    return Occluder(KeypointDisc(keypoint, scaled), black)(crop, np.random.default_rng(0))


def answers(estimator: TopDown, crops: Sequence[Crop]) -> list[Scene]:
    """Ask the network about crops; each answer is a scene of one person in crop px."""
    found = []
    for start in range(0, len(crops), estimator.batch):
        some = crops[start : start + estimator.batch]
        people = estimator.codec.decode(estimator.network(np.stack([crop.pixels for crop in some]))[-1])
        found += [Scene(c.pixels, c.skeleton, (person,)) for c, person in zip(some, people, strict=True)]
    return found


def _per_keypoint(predicted: Sequence[Scene], truth: Sequence[Scene], names: Sequence[str]) -> np.ndarray:
    score = pck(predicted, truth)
    return np.array([score.get(f"{PCK}/{name}", np.nan) for name in names])


def _crops(scenes: Sequence[Scene], estimator: TopDown) -> list[Crop]:
    people = [
        scene
        for scene in each_person(scenes)
        if max(np.diff(np.reshape(scene.people[0].box, (2, 2)), axis=0)[0]) >= SMALLEST
    ]
    return [take(scene, aim(scene.people[0].box, estimator.codec.size)) for scene in people[:PEOPLE]]


def _photo(estimator: TopDown, photo: Path, pixels: picture.Pixels, out: Path) -> Section:
    people = estimator(pixels)
    name = f"photo-{photo.stem}.png"
    picture.write(out / name, draw(pixels, people, estimator.codec.skeleton))
    said = f"Score {people[0].score:.2f}." if people else "Nobody was found."
    return Section(
        photo.name, f"Your photograph, estimated without a box: it aims by itself, at one person. {said}", [name]
    )


def _estimates(scenes: Sequence[Scene], predicted: Sequence[Scene], out: Path) -> Section:
    pairs = []
    for true, guess in list(zip(scenes, predicted, strict=True))[:8]:
        pairs += [draw(true.pixels(), true.people, true.skeleton), draw(true.pixels(), guess.people, true.skeleton)]
    picture.write(out / "estimates.png", sheet(pairs, 4, ["truth", "estimate"] * 8))
    return Section("Estimates", "Pictures of the synthetic world, the truth beside the estimate at the true boxes. "
                   "Hollow circles are keypoints that something hides.", ["estimates.png"])  # fmt: skip


def _scores(scenes: Sequence[Scene], predicted: Sequence[Scene]) -> Section:
    singles = each_person(scenes)
    found = [replace(s, people=(p,)) for s, people in _matched(scenes, predicted) for p in people]
    rows = [(name, f"{value:.3f}") for name, value in pck(found, singles).items() if "/" not in name]
    ap = oks_ap(predicted, scenes)
    rows += [(name, f"{ap[name]:.3f}") for name in ("AP", "AP50", "AR")]
    return Section("Scores", f"{len(singles)} people in {len(scenes)} pictures, boxes from the truth, no flip test. "
                   f"Sigmas of the OKS: {ap.protocol['sigmas']}.", table=rows)  # fmt: skip


def _matched(scenes: Sequence[Scene], predicted: Sequence[Scene]) -> Iterable[tuple[Scene, Sequence]]:
    return zip(scenes, (guess.people for guess in predicted), strict=True)


def _attacks(estimator: TopDown, crops: Sequence[Crop], found: Sweep, out: Path) -> list[Section]:
    names = estimator.codec.skeleton.keypoints
    worst = int(np.nanargmin(found.rest[-1] - (found.clean.sum() - found.clean) / (len(names) - 1)))
    _plot(found, names, out / "sweep.png")
    pairs = []
    for crop in crops[:6]:
        for shown in (crop, disc(crop, names[worst], RADII[-1])):
            people = answers(estimator, [shown])[0].people
            pairs.append(draw(shown.pixels, people, crop.skeleton))
    picture.write(out / "attacked.png", sheet(pairs, 4, ["clean", f"{names[worst]} covered"] * 6))
    return [
        Section("A first occlusion sweep", f"Black discs on one keypoint at a time, {len(crops)} people. Left: PCK@0.2 "
                "of the covered keypoint and of all others, as the disc grows. Right: the loss with the largest "
                "disc, by keypoint.", ["sweep.png"]),
        Section("What it looks like", f"Covering the {names[worst].replace('_', ' ')} costs the other keypoints most.",
                ["attacked.png"]),
    ]  # fmt: skip


def _plot(found: Sweep, names: Sequence[str], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    curve, bars = figure.subplots(1, 2)
    radii = (0, *RADII)
    for values, label, colour in (
        (found.hit, "the covered keypoint", "#d55e00"),
        (found.rest, "all others", "#0072b2"),
    ):
        curve.plot(radii, [np.nanmean(found.clean), *np.nanmean(values, 1)], "o-", color=colour, label=label)
    curve.set(xlabel="radius of the disc, px on a crop 192 px wide", ylabel=PCK, ylim=(0, 1))
    curve.legend(frameon=False)
    place = np.arange(len(names))
    mean_of_rest = (np.nansum(found.clean) - found.clean) / (len(names) - 1)
    bars.barh(place - 0.2, found.clean - found.hit[-1], 0.4, color="#d55e00", label="itself")
    bars.barh(place + 0.2, mean_of_rest - found.rest[-1], 0.4, color="#0072b2", label="all others")
    bars.set(
        yticks=place,
        yticklabels=[name.replace("_", " ") for name in names],
        xlabel=f"loss of {PCK}, radius {RADII[-1]}",
    )
    bars.invert_yaxis()
    bars.legend(frameon=False)
    partial = path.with_name(f".{path.name}")
    figure.savefig(partial, format="png", dpi=110)
    partial.replace(path)


def _tracked(items: Iterable, what: str, total: int) -> Iterable:
    return track(items, what, total, console=Console(stderr=True))
