"""The worst cases of each kind of error, drawn: the truth, and beside it the prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from posewright.datasets.truth import conventions
from posewright.metrics.diagnosis.kinds import Diagnosis, Kind, diagnose
from posewright.picture import PictureError, Pixels, encoded
from posewright.report.drawing import draw, sheet
from posewright.report.page import Section
from posewright.report.results import Show
from posewright.scene import Person, Scene, aim, box_around, take

SHOWN = 4
"""Cases of a kind."""
SIDE = 256
"""px of a case."""
PADDING = 1.3
WORDS = {
    Kind.INVERSION: ("inverted", "Inversions: left and right change places"),
    Kind.SWAP: ("swapped", "Swaps: keypoints lie on another person"),
    Kind.MISS: ("missed", "Misses: keypoints lie near nothing"),
}
LEGEND = (
    "The predictions with most such keypoints; left the truth, right the prediction. Blue is the person's left, orange "
    "their right, yellow the middle; a ring is a hidden keypoint."
)


def worst_cases(predicted: Sequence[Scene], truth: Sequence[Scene], show: Show) -> list[Section]:
    """Return a section a kind, with the people of whom most keypoints are of it; none where no picture is at hand."""
    if not any(_at_hand(scene) for scene in truth):
        return [Section("The worst cases are not drawn", "None of the pictures is where the truth says that they are.")]
    found = diagnose(predicted, truth, **conventions(truth))
    sections: list[Section] = []
    for kind, (_, title) in WORDS.items():
        show(f"drawing {title.partition(':')[0].lower()}")
        cells, captions = _drawn(found, kind, predicted, truth)
        if cells:
            picture = sheet(cells, 4, captions, cell=(SIDE, SIDE))
            sections.append(Section(title, "" if sections else LEGEND, [encoded(picture, ".jpg")]))
    return sections


def _drawn(
    found: Diagnosis, kind: Kind, predicted: Sequence[Scene], truth: Sequence[Scene]
) -> tuple[list[Pixels], list[str]]:
    """Draw the worst cases as pairs of cells with their captions; a picture that cannot be read is passed over."""
    count = (found.kind == kind).sum(1)
    share = count / np.maximum((found.kind != Kind.UNLABELLED).sum(1), 1)
    cells: list[Pixels] = []
    captions: list[str] = []
    for row in np.lexsort((-share, -count)):
        if not count[row] or len(cells) == 2 * SHOWN:
            break
        place = int(found.scene[row])
        true, guess = truth[place].people[found.truth[row]], predicted[place].people[found.predicted[row]]
        try:
            cells += _pair(truth[place], true, guess)
        except (PictureError, OSError):
            continue
        said = "" if guess.score is None else f", score {guess.score:.2f}"
        captions += [
            f"{truth[place].id}",
            f"{count[row]} {WORDS[kind][0]}, OKS {found.similarity[row]:.2f}{said}",
        ]
    return cells, captions


def _pair(scene: Scene, true: Person, guess: Person) -> list[Pixels]:
    """Cut out where both are, and draw one on each of two copies; a low score makes nothing faint here."""
    both = [box_around(person.keypoints) for person in (true, guess)]
    low, high = np.minimum(both[0][:2], both[1][:2]), np.maximum(both[0][2:], both[1][2:])
    middle, half = (low + high) / 2, np.maximum(high - low, 16.0) / 2
    warp = aim(np.concatenate([middle - half, middle + half]), (SIDE, SIDE), PADDING)
    crop = take(scene, warp)
    shown = (true, replace(guess, scores=None, score=None))
    return [draw(crop.pixels, [person.moved(warp, scene.skeleton)], scene.skeleton) for person in shown]


def _at_hand(scene: Scene) -> bool:
    if isinstance(scene.image, np.ndarray):
        return True
    path = Path(scene.image)
    return path.is_file() or any(parent.suffix == ".zip" and parent.is_file() for parent in path.parents)
