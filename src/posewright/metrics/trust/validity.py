"""What a score cannot tell: warnings with numbers, and how far AP moves with sigmas that are a guess."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from posewright.columns import people_of, pictures_of
from posewright.metrics.oks.groups import Problem, gather, score_groups
from posewright.metrics.oks.matching import KEPT, RANGES, Matches, out_of_range, summary
from posewright.metrics.oks.similarity import Rules
from posewright.metrics.score import Score
from posewright.scene import HIDDEN, Floats, Scene
from posewright.skeleton import AIC, COCO, CROWDPOSE

if TYPE_CHECKING:
    from typing_extensions import Unpack

PUBLISHED = tuple(skeleton.sigmas_source for skeleton in (COCO, CROWDPOSE, AIC))
"""Who published sigmas for a data set of their own."""
FACTORS = (0.5, 1.0, 2.0)
"""What sigmas are multiplied by to see how much they matter."""
NEAR_ONE = 0.05
"""How near to 1 an AP is where it says little about the difference of two estimators."""
STRICTEST = 0.5
"""The share of matches at OKS 0.5 that hold at 0.95 as well from which on OKS is blind to what is left."""
EQUAL = 0.05
"""The share of predictions with another's score from which on ties are worth a warning."""


def sigma_band(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score people by `oks_ap` with half, whole and double sigmas: "AP/sigmas_x0.5" to "AP/sigmas_x2".

    A conclusion that changes inside the band rests on the sigmas. Doubling them is as good as halving every
    distance, or as four times the area. Arguments and errors as of `oks_ap`.
    """
    problem = gather(predicted, truth, **rules)
    groups = {f"sigmas_x{factor:g}": problem._replace(sigmas=problem.sigmas * factor) for factor in FACTORS}
    return score_groups("COCO keypoint average precision by sigmas", groups, {"sigmas_times": "0.5, 1, 2"})


def warnings(
    truth: Sequence[Scene], predicted: Sequence[Scene] | None = None, *, few: int = 50, **rules: Unpack[Rules]
) -> list[str]:
    """Say in one line each what makes an OKS score of these scenes doubtful, with numbers; nothing if nothing does.

    Of the truth: sigmas that are a guess, areas that are missing or a box's, visibility that is not told, groups
    of fewer than `few` people. Of the predictions, if there are any: a score that saturates, more than 20 in a
    scene, equal scores, since their order in the file then decides. Arguments and errors as of `oks_ap`.
    """
    nobody = [Scene("", scene.skeleton) for scene in pictures_of(truth)]
    problem = gather(nobody if predicted is None else predicted, truth, **rules)
    given = rules.get("sigmas") is not None
    said = [*_of_sigmas(problem, given), *_of_areas(problem, rules.get("box_area", 1.0)), *_of_visibility(problem)]
    said += _of_groups(problem, few)
    if predicted is None:
        return said
    found = problem.matches(ranges=1)
    precision = summary(found)["AP"]
    return [*said, *_of_scores(found, precision), *_of_ranks(problem, precision)]


def _of_sigmas(problem: Problem, given: bool) -> Iterator[str]:
    skeleton, source = problem.skeleton, problem.protocol["sigmas"]
    if given or skeleton.sigmas_source in PUBLISHED:
        return
    labelled = problem.truths.labelled.sum(0)
    strange = [
        i for i, name in enumerate(skeleton.keypoints) if name not in COCO.keypoints and name not in CROWDPOSE.keypoints
    ]
    if skeleton.sigmas is not None:
        yield f"the sigmas of {skeleton.name} are not the data set's own: {source}; sigma_band tells what that means"
        return
    yield f"the sigmas are a guess for all {len(skeleton)} keypoints of {skeleton.name}: {source}; see sigma_band"
    if strange:
        names = ", ".join(skeleton.keypoints[i] for i in strange)
        yield (
            f"{len(strange)} of these have no namesake with a published sigma: {names}; they are "
            f"{_per_cent(int(labelled[strange].sum()), int(labelled.sum()))} of the labelled keypoints; --sigmas gives "
            "others"
        )


def _of_areas(problem: Problem, box_area: float) -> Iterator[str]:
    areas, boxes = _areas(problem)
    without = int(np.isnan(areas).sum())
    boxed = ~np.isnan(areas) & (boxes != 0)
    both = areas[boxed] / boxes[boxed]
    if without:
        known = "none has both, so nobody can tell how good that is"
        if len(both):
            low, middle, high = np.quantile(both, [0.25, 0.5, 0.75])
            known = f"of the {len(both)} with both, the area is {middle:.2f} of the box's ({low:.2f} to {high:.2f})"
        yield (
            f"{_per_cent(without, len(areas))} of {len(areas)} people have no area, {box_area:g} of the box's "
            f"stands in; {known}"
        )
    alike = int((np.abs(both - 1) < 1e-3).sum())
    if alike > len(both) / 2:
        yield f"{_per_cent(alike, len(both))} of the areas are the box's own, about twice an outline's: OKS is too kind"
    flat = int((areas == 0).sum())
    if flat:
        yield f"{flat} of {len(areas)} people have an area of 0, and nothing but an exact hit is like them"


def _of_visibility(problem: Problem) -> Iterator[str]:
    found = people_of(problem.scenes, len(problem.skeleton))
    if found.visible is not None and len(found.visible):
        some = problem.truths.labelled.any(1).sum()
        if some and not (found.visible == HIDDEN).any():
            yield f"no keypoint of {some} people is marked hidden: the truth leaves hidden ones out, or knows none"
        return
    people = [person for person in problem.people if person.labelled.any()]
    untold = sum(person.visible is None for person in people)
    if untold:
        yield f"{_per_cent(untold, len(people))} of {len(people)} people do not tell which keypoints are hidden"
    elif people and not any(HIDDEN in person.visible for person in people if person.visible is not None):
        yield f"no keypoint of {len(people)} people is marked hidden: the truth leaves hidden ones out, or knows none"


def _of_groups(problem: Problem, few: int) -> Iterator[str]:
    truths = problem.truths
    within = ~out_of_range(truths.area) & ~truths.ignored
    sizes = {f"{name} people": int(row.sum()) for name, row in zip(RANGES, within, strict=True)}
    labelled = truths.labelled[~truths.ignored].sum(0)
    counts = sizes | {name: int(n) for name, n in zip(problem.skeleton.keypoints, labelled, strict=True)}
    scarce = [f"{name.removeprefix('all ')} {count}" for name, count in counts.items() if count < few]
    if scarce:
        yield f"fewer than {few} to be found, too few to be reliable: {', '.join(scarce)}"


def _of_scores(found: Matches, precision: float) -> Iterator[str]:
    if precision > 1 - NEAR_ONE:
        yield f"AP is {precision:.3f}, within {NEAR_ONE:g} of 1: it hardly tells good estimators apart"
    hits = (found.person[0] >= 0) & ~found.ignored[0]
    loose, strict = int(hits[0].sum()), int(hits[-1].sum())
    if strict > STRICTEST * loose:
        yield f"{_per_cent(strict, loose)} of the {loose} matches at OKS 0.5 hold at 0.95 too: AP saturates"


def _of_ranks(problem: Problem, precision: float) -> Iterator[str]:
    score, image = problem.predictions.score, problem.predictions.image
    count = np.bincount(image, minlength=len(problem.scenes))
    beyond = int(np.maximum(count - KEPT, 0).sum())
    if beyond:
        full = int((count > KEPT).sum())
        yield f"{beyond} of {len(score)} predictions, in {full} scenes, are beyond the {KEPT} of a scene that count"
    ordered = np.sort(score)
    same = np.concatenate([[False], ordered[1:] == ordered[:-1], [False]])
    tied = int((same[1:] | same[:-1]).sum())
    if tied > EQUAL * len(score):
        backwards = summary(problem.compared.backwards())["AP"]
        yield (
            f"{_per_cent(tied, len(score))} of {len(score)} predictions share their score, so that their order in the "
            f"file decides: AP is {precision:.4f}, and {backwards:.4f} with the file backwards"
        )


def _areas(problem: Problem) -> tuple[Floats, Floats]:
    """Return the areas (P,) px^2 of those to be found as told, NaN where not, and of their boxes, 0 without."""
    people = people_of(problem.scenes, len(problem.skeleton))
    place = np.argsort(problem.order)[people.scene]
    rows = np.argsort(place, kind="stable")[~problem.truths.ignored]
    width, height = (people.box[rows, 2:] - people.box[rows, :2]).T
    return people.area[rows], np.nan_to_num(width * height)


def _per_cent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.1f} %"
