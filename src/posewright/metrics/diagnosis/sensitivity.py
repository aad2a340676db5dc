"""How average precision and the kinds of error depend on how much of a person is seen, on neighbours, and on size.

Ronchi and Perona, "Benchmarking and error diagnosis in multi-instance pose estimation", ICCV 2017, section 5.2:
people are divided into twelve benchmarks by the number of visible keypoints (1-5, 6-10, 11-15, 16-17) and of
other people whose boxes overlap theirs from an IoU of 0.1 on (none, 1-2, 3 or more); and by area. Here also by
the largest overlap, and for any skeleton by quarters of its keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from posewright.columns import Columns, people_of
from posewright.metrics.diagnosis.kinds import AREAS, KINDS, PROTOCOL, Kind, diagnose
from posewright.metrics.oks.crowding import largest_overlap, overlaps
from posewright.metrics.oks.groups import Problem, between, divided, gather, score_groups, spans, with_people
from posewright.metrics.oks.matching import Flags, Places
from posewright.metrics.oks.similarity import Rules
from posewright.metrics.score import Score, score_of, share
from posewright.scene import SEEN, Floats, Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

OVERLAPPING = 0.1
"""From which IoU on boxes overlap (paper, section 5.2)."""
NEIGHBOURS = {"neighbours_0": (0, 0), "neighbours_1_to_2": (1, 2), "neighbours_from_3": (3, 10**9)}
OVERLAPS = (0.1, 0.3, 0.5)
SIDES = (32, 64, 96, 128)
"""Square roots in px of the areas at which sizes are divided; smaller people are not diagnosed."""


def sensitivity(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score groups of people apart: "AP/visible_1_to_5/neighbours_0", "good/overlap_below_0.1", "swap/side_32_to_64".

    The groups are visible keypoints x neighbours, largest IoU with a neighbour's box, and the square root of
    the area in px. Of each: AP, AP50, AP75 and AR, -1 where nobody is to be found, and the share of each kind of
    keypoint error (see `kinds`), NaN where no keypoint is diagnosed. Visible is who is SEEN; where a person does
    not tell, and in the original, every labelled keypoint. A prediction that matches nobody counts against the
    group of the person whom it resembles most. The protocol counts the people of every group. People below
    32^2 px^2 and people to ignore are in none. Arguments and errors as in `oks_ap`.
    """
    problem = gather(predicted, truth, **rules)
    least = AREAS["all"][0]
    problem = with_people(problem, problem.truths.area >= least, problem.predictions.area >= least)
    counted = ~problem.truths.ignored
    parts = {name: part & counted for name, part in groups_of(problem).items()}
    precision = score_groups("COCO keypoint average precision", divided(problem, parts), {})
    found = diagnose(predicted, truth, **rules)
    rank = np.empty(len(truth), np.intp)
    rank[problem.order] = np.arange(len(truth))
    person = np.searchsorted(problem.truths.image, rank[found.scene]) + found.truth
    labelled = found.kind != Kind.UNLABELLED

    def per_scene(values: Flags, some: Flags) -> Floats:
        return np.bincount(found.scene[some], values[some].sum(1), len(truth)).astype(np.float64)

    wholes = {name: per_scene(labelled, part[person]) for name, part in parts.items()}
    each = {
        f"{kind.name.lower()}/{name}": (per_scene(found.kind == kind, part[person]), wholes[name])
        for kind in KINDS
        for name, part in parts.items()
    }

    def again(weights: Floats) -> dict[str, Floats]:
        numbers = {} if precision.again is None else precision.again(weights)
        return numbers | {name: share(weights, part, whole) for name, (part, whole) in each.items()}

    told = {
        "metric": "sensitivity of keypoint average precision and errors",
        **PROTOCOL,
        "people": int(counted.sum()),
        "people_ignored": int((~counted).sum()),
        "overlapping_from": OVERLAPPING,
    }
    return score_of(again, len(truth), precision.protocol | told)


def groups_of(problem: Problem) -> dict[str, Flags]:
    """Divide true people (P,) by visible keypoints and neighbours, by the largest overlap, and by size."""
    seen = visible_keypoints(problem.scenes, problem.order, len(problem.skeleton))
    one, overlap = overlaps(problem.truths)
    neighbours = np.bincount(one[overlap >= OVERLAPPING], minlength=len(seen))
    largest = largest_overlap(problem.truths)
    parts = {
        f"{visible}/{crowd}": part & (neighbours >= low) & (neighbours <= high)
        for visible, part in by_visible(seen, len(problem.skeleton)).items()
        for crowd, (low, high) in NEIGHBOURS.items()
    }
    parts |= {f"overlap_{name}": part for name, part in zip(spans(OVERLAPS), between(largest, OVERLAPS), strict=True)}
    sizes = zip(spans(SIDES), between(np.sqrt(problem.truths.area), SIDES), strict=True)
    return parts | {f"side_{name}": part for name, part in list(sizes)[1:]}


def visible_keypoints(scenes: Sequence[Scene], order: Places, keypoints: int) -> Places:
    """Count the keypoints (P,) that are SEEN of every person of scenes in this order; the labelled where none tells."""
    people = people_of(scenes, keypoints)
    if people.visible is not None:
        seen = (people.visible == SEEN).sum(1)
    else:
        seen = np.isfinite(people.keypoints).all(-1).sum(1)
        if not isinstance(scenes, Columns):  # some may tell
            each = (person for scene in scenes for person in scene.people)
            own = [-1 if person.visible is None else int((person.visible == SEEN).sum()) for person in each]
            seen = np.where(np.array(own, np.intp) < 0, seen, own)
    return np.asarray(seen[np.argsort(np.argsort(order)[people.scene], kind="stable")], np.intp)


def by_visible(seen: Places, keypoints: int) -> dict[str, Flags]:
    """Divide people by how many keypoints are seen (P,): none, which the paper leaves out, and quarters of all.

    >>> list(by_visible(np.array([3]), 17))
    ['visible_0', 'visible_1_to_5', 'visible_6_to_10', 'visible_11_to_15', 'visible_16_to_17']
    """
    quarter = -(-keypoints // 4)
    ends = [(low + 1, min(low + quarter, keypoints)) for low in range(0, keypoints, quarter)]
    return {"visible_0": seen == 0} | {f"visible_{low}_to_{high}": (seen >= low) & (seen <= high) for low, high in ends}
