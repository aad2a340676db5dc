"""Crowding: how much people stand in each other's way, and average precision by it.

Li et al., "CrowdPose: Efficient crowded scenes pose estimation and a new benchmark", CVPR 2019,
arXiv:1812.00324, section 4, and its evaluator (Jeff-sjtu/CrowdPose, `crowdposetools`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from posewright.metrics.oks.groups import Problem, between, divided, gather, score_groups, spans, with_scenes
from posewright.metrics.oks.matching import Flags, Matches, Places, pairs, summary
from posewright.metrics.oks.similarity import Rules, Truths
from posewright.metrics.score import Protocol, Score, named
from posewright.metrics.trust.resampling import again_of
from posewright.scene import Floats, Scene, box_around
from posewright.skeleton import Skeleton
from posewright.skeleton.spelling import mirrored_name

if TYPE_CHECKING:
    from typing_extensions import Unpack

LEVELS = {"code": (0.2, 0.8), "paper": (0.1, 0.8)}
"""Where CrowdPose's easy ends and its hard begins: in the evaluator that published numbers come from, and in print."""
_SAID = {
    "code": "the published evaluator's levels; the paper's easy ends at 0.1",
    "paper": "the paper's levels; the published evaluator's easy ends at 0.2",
}
NUMBERS = ("AP", "AP50", "AP75", "AR", "AR50", "AR75")
BOX_AREA = 0.53
"""The share of the box's area that stands in for a person's, in CrowdPose's evaluator."""
FEWEST = 4
"""How many keypoints of arms and legs a person must have labelled in order to be asked how crowded they are."""


def crowd_index(scene: Scene) -> float:
    """Return how crowded a true scene is: the strangers' keypoints in a person's box, as a share of the person's own.

        index = mean over people of (labelled keypoints of others in the box) / (labelled keypoints of the person)

    0 for nobody in anybody's way, or nobody at all; it may exceed 1. The mean runs over people with 4 or more
    labelled keypoints of arms and legs; the box's edge belongs to it; keypoints of a crowd are strangers too. A
    person without a box has the tight one around the keypoints. This gives all 2,000 values of CrowdPose's
    validation file, which are rounded to two decimals. The paper (section 4, equation of the crowd index)
    counts the person's own keypoints inside the box alone and asks everybody, and would give 52 % of them.
    """
    persons, labelled = scene.people, [person.labelled for person in scene.people]
    limbs = _limbs(scene.skeleton)
    ratios = []
    for i, person in enumerate(persons):
        if person.crowd or labelled[i][limbs].sum() < FEWEST:
            continue
        box = box_around(person.keypoints) if person.box is None else person.box
        strangers = [other.keypoints[labelled[j]] for j, other in enumerate(persons) if j != i]
        inside = sum(int(((xy >= box[:2]) & (xy <= box[2:])).all(1).sum()) for xy in strangers)
        ratios.append(inside / int(labelled[i].sum()))
    return float(np.mean(ratios)) if ratios else 0.0


def _limbs(skeleton: Skeleton) -> list[int]:
    """Return the places of the keypoints of arms and legs: those with a left and a right, but eyes and ears."""
    return [
        i
        for i, name in enumerate(skeleton.keypoints)
        if mirrored_name(name) != name and not name.endswith(("_eye", "_ear"))
    ]


def overlaps(truths: Truths) -> tuple[Places, Floats]:
    """Return people (N,) and the IoU of their boxes with that of each other person of the scene who is no crowd.

    A person without a box has the tight one around the labelled keypoints; one without either overlaps nobody.
    """
    placed = np.where(truths.labelled[..., None], truths.keypoints, np.nan)
    tight = np.concatenate([np.fmin.reduce(placed, axis=1), np.fmax.reduce(placed, axis=1)], axis=1)
    box = np.where(np.isnan(truths.box), tight, truths.box)
    low, high = box[:, :2], box[:, 2:]
    one, other = pairs(truths.image, truths.image)
    apart = (one != other) & ~truths.crowd[other]
    one, other = one[apart], other[apart]
    common = np.maximum(0, np.minimum(high[one], high[other]) - np.maximum(low[one], low[other])).prod(1)
    area = (high - low).prod(1)
    union = area[one] + area[other] - common
    return one, np.divide(common, union, out=np.zeros(len(one)), where=union > 0)


def largest_overlap(truths: Truths) -> Floats:
    """Return for every true person the largest of `overlaps` (P,), 0 without others; NaN for one who is nowhere."""
    one, ratio = overlaps(truths)
    largest = np.where(np.isnan(truths.box).any(1) & ~truths.labelled.any(1), np.nan, 0.0)
    np.maximum.at(largest, one, ratio)
    return largest


def crowdpose_ap(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    levels: Literal["code", "paper"] = "code",
    crowd_index: Sequence[float] | None = None,
) -> Score:
    """Score by CrowdPose's evaluator: AP, AP50, AP75, AR, AR50, AR75, and "AP/easy", "AP/medium", "AP/hard".

    As COCO's, with 0.53 of the box's area for everybody, and people counted by their keypoints of arms and legs.
    A level is the evaluation of the pictures whose crowd index is below the first border, below the second, or
    not. "code" has the evaluator's borders 0.2 and 0.8, by which numbers are published; "paper" those of the
    text, 0.1 and 0.8; the protocol says which. The evaluator rounds the levels to 4 decimals, this does not.

    crowd_index: one a scene, as the data set's file gives them (`datasets.crowdpose.crowd_index`); None computes
    them and rounds to two decimals, as the file's are. Otherwise as `oks_ap`.
    """
    if levels not in LEVELS:
        raise ValueError(f"levels must be 'code' or 'paper', not {levels!r}")
    names = [truth[0].skeleton.keypoints[i] for i in _limbs(truth[0].skeleton)] if truth else []
    problem = _by_box(gather(predicted, truth, box_area=BOX_AREA, counted_by=names))
    index, source = _indices(truth, crowd_index)
    parts = dict(zip(("easy", "medium", "hard"), between(index, LEVELS[levels]), strict=True))
    found = problem.matches()
    numbers_of = again_of(found, ranges=1)

    def again(weights: Floats) -> dict[str, Floats]:
        whole = numbers_of(weights)
        inside = {f"AP/{name}": numbers_of(weights * part)["AP"] for name, part in parts.items()}
        return {name: whole[name] for name in NUMBERS} | inside

    values, (easy, hard) = summary(found), LEVELS[levels]
    inside = {f"AP/{name}": summary(_of_scenes(found, part))["AP"] for name, part in parts.items()}
    told: Protocol = {
        "metric": "CrowdPose keypoint average precision",
        "levels": f"easy is a crowd index below {easy}, medium below {hard}, hard the rest: {_SAID[levels]}",
        "crowd_index": source,
        **{f"scenes/{name}": int(part.sum()) for name, part in parts.items()},
    }
    return Score({name: values[name] for name in NUMBERS} | inside, problem.protocol | told, again)


def _by_box(problem: Problem) -> Problem:
    """Take 0.53 of the box's area for everybody."""
    width, height = (problem.truths.box[:, 2:] - problem.truths.box[:, :2]).T
    if np.isnan(width).any():
        place = int(problem.order[problem.truths.image[np.isnan(width)][0]])
        raise ValueError(f"truth, {named(place, problem.scenes[place])}: a person has no box; CrowdPose scores by it")
    return problem._replace(
        truths=problem.truths._replace(area=width * height * BOX_AREA),
        protocol=problem.protocol | {"area": f"{BOX_AREA} of the box's"},
    )


def _of_scenes(matches: Matches, kept: Flags) -> Matches:
    """Return what became of the predictions in some scenes (S,) alone."""
    some = kept[matches.image]
    return Matches(
        matches.image[some],
        matches.score[some],
        matches.person[..., some],
        matches.ignored[..., some],
        matches.counted * kept[:, None],
    )


def ap_by_crowding(
    predicted: Sequence[Scene],
    truth: Sequence[Scene],
    *,
    measure: Literal["overlap", "index"] = "overlap",
    borders: Sequence[float] | None = None,
    crowd_index: Sequence[float] | None = None,
    **rules: Unpack[Rules],
) -> Score:
    """Score people by how crowded they are: "AP/overlap_below_0.1" and so on.

    measure: "overlap" is the IoU of a person's box with the nearest other one's, "index" the picture's
    `crowd_index` (computed, unless `crowd_index` gives one a scene). borders: where the parts meet, ascending,
    each the first value of the next part; None takes 0.1 and 0.3 for overlap, CrowdPose's 0.1 and 0.8 for the
    index. Otherwise as `oks_ap`.
    """
    problem = gather(predicted, truth, **rules)
    if measure == "overlap":
        borders = (0.1, 0.3) if borders is None else borders
        parts = dict(zip(spans(borders), between(largest_overlap(problem.truths), borders), strict=True))
        groups, said = divided(problem, parts), "largest IoU of a person's box with another's"
    elif measure == "index":
        borders = LEVELS["paper"] if borders is None else borders
        index, said = _indices(truth, crowd_index)
        parts = dict(zip(spans(borders), between(index[problem.order], borders), strict=True))
        groups = {name: with_scenes(problem, part) for name, part in parts.items()}
    else:
        raise ValueError(f"measure must be 'overlap' or 'index', not {measure!r}")
    parted = {f"{measure}_{name}": group for name, group in groups.items()}
    return score_groups("COCO keypoint average precision by crowding", parted, {"crowding": said})


def _indices(truth: Sequence[Scene], given: Sequence[float] | None) -> tuple[Floats, str]:
    """Return the scenes' crowd indices (S,) and where they come from."""
    if given is None:
        return np.round([crowd_index(scene) for scene in truth], 2), "computed from the truth, to two decimals"
    if len(given) != len(truth):
        raise ValueError(f"{len(given)} crowd indices for {len(truth)} scenes; there must be one a scene")
    return np.asarray(given, np.float64), "given by the caller"
