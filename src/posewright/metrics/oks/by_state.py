"""Average precision by the state of the truth: seen or hidden, by keypoint, size, truncation and cause of hiding.

Every function scores groups of keypoints or of people by COCO's rules (`groups` says how) and takes scenes and
`Rules` as `oks_ap` does; where keypoints are divided, counted_by has no say, since a group's own keypoints count.
Each group has AP, AP50, AP75 and AR, -1 where it has nobody to be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posewright.columns import people_of, pictures_of
from posewright.metrics.oks.groups import Problem, between, divided, gather, score_groups, with_keypoints, with_people
from posewright.metrics.oks.matching import RANGES
from posewright.metrics.oks.similarity import Rules
from posewright.metrics.score import Protocol, Score, named
from posewright.scene import HIDDEN, SEEN, Cause, Floats, Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

UNKNOWN = 255
"""Stands where a person's visibility or cause of hiding is not told; no group takes it."""


def ap_by_visibility(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score the seen and the hidden keypoints apart: "AP_vis" and "AP_invis", "AP50_vis" and so on.

    Vis leaves unlabelled every true keypoint that is not SEEN, invis every one that is not HIDDEN; people left
    with none are ignored. The papers that report these numbers say only that the set is split; this is the
    plainest reading of it. Raises ValueError where no person tells what is hidden.
    """
    problem = gather(predicted, truth, **rules)
    visible = _told(problem, "visible")
    groups = {"vis": with_keypoints(problem, visible == SEEN), "invis": with_keypoints(problem, visible == HIDDEN)}
    return score_groups("COCO keypoint average precision by visibility", groups, _untold(visible), joint="_")


def ap_by_keypoint(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score every keypoint as if it were the only one that is labelled: "AP/left_knee" and the like.

    Only the keypoint's own sigma matters. The predictions stay whole, and so does the area by which the
    unmatched ones count. A keypoint's loss under an attack is the difference of two such scores.
    """
    problem = gather(predicted, truth, **rules)
    alone = np.eye(len(problem.skeleton), dtype=bool)
    groups = {name: with_keypoints(problem, alone[k]) for k, name in enumerate(problem.skeleton.keypoints)}
    return score_groups("COCO keypoint average precision by keypoint", groups, {})


def ap_by_cause(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score keypoints by why they are hidden: "AP/self", "AP/person", "AP/object", "AP/outside", and "AP/seen".

    As AP_invis, for truth that knows `Person.cause`, which the synthetic world does. Raises ValueError where no
    person does.
    """
    problem = gather(predicted, truth, **rules)
    cause = _told(problem, "cause")
    groups = {why.name.lower(): with_keypoints(problem, cause == why) for why in Cause}
    return score_groups("COCO keypoint average precision by cause of hiding", groups, _untold(cause))


def ap_by_hidden(predicted: Sequence[Scene], truth: Sequence[Scene], **rules: Unpack[Rules]) -> Score:
    """Score people by the share of their labelled keypoints that are hidden.

    "AP/hidden_none", "AP/hidden_some" for less than a half, "AP/hidden_most" from a half on. All keypoints of
    these people count, seen ones too. People whose visibility is not told are ignored; raises ValueError where
    nobody's is.
    """
    problem = gather(predicted, truth, **rules)
    visible = _told(problem, "visible")
    told = (visible == SEEN) | (visible == HIDDEN)
    hidden = _ratio((visible == HIDDEN).sum(1), told.sum(1))
    parts = {"hidden_none": hidden == 0, "hidden_some": (hidden > 0) & (hidden < 0.5), "hidden_most": hidden >= 0.5}
    groups = divided(problem, parts)
    return score_groups("COCO keypoint average precision by hidden share", groups, _untold(visible))


def ap_by_size(predicted: Sequence[Scene], truth: Sequence[Scene], *, bins: int = 4, **rules: Unpack[Rules]) -> Score:
    """Score people by their area: COCO's "AP/medium" and "AP/large", and "AP/area_1_of_4" to "AP/area_4_of_4".

    The bins hold equally many of the people who count, smallest first; the protocol says where they end.
    Predictions that match nobody count as medium or large by their own area, as in COCO, so AP/medium is its APM;
    in the bins they count where the person stands whom they resemble most.
    Raises ValueError where bins is not positive.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    problem = gather(predicted, truth, **rules)
    area, extent = problem.truths.area, problem.predictions.area
    groups = {
        name: with_people(problem, (area >= low) & (area <= high), (extent >= low) & (extent <= high))
        for name, (low, high) in RANGES.items()
        if name != "all"
    }
    counted = area[~problem.truths.ignored]
    borders = np.quantile(counted, np.arange(1, bins) / bins).tolist() if len(counted) else [0.0] * (bins - 1)
    parts = enumerate(between(area, borders), 1)
    groups |= divided(problem, {f"area_{i}_of_{bins}": part for i, part in parts})
    ends = {"area_bins_end_at": ", ".join(f"{border:.0f}" for border in borders) + " px^2"} if borders else {}
    return score_groups("COCO keypoint average precision by size", groups, ends)


def ap_by_truncation(
    predicted: Sequence[Scene], truth: Sequence[Scene], *, margin: float = 1.0, **rules: Unpack[Rules]
) -> Score:
    """Score people whom the picture's edge cuts apart from those it shows whole: "AP/truncated", "AP/whole".

    Truncated is who has a labelled keypoint outside the picture, or a box that comes within `margin` px of the
    edge. The second is a guess, as someone may stand at the edge and be whole, but files such as COCO's label no
    keypoint outside. The protocol counts both. Raises ValueError where a scene with people has no size.
    """
    problem = gather(predicted, truth, **rules)
    truths, size = problem.truths, _sizes(problem)
    beyond = (truths.keypoints < -0.5) | (truths.keypoints > size[:, None] - 0.5)
    outside = np.asarray((beyond.any(2) & truths.labelled).any(1))
    touching = np.asarray(((truths.box[:, :2] <= margin) | (truths.box[:, 2:] >= size - margin)).any(1))
    cut = outside | touching
    groups = divided(problem, {"truncated": cut, "whole": ~cut})
    told: Protocol = {
        "truncated": f"a keypoint outside the picture, or a box within {margin:g} px of its edge",
        "people_with_keypoints_outside": int((outside & ~truths.ignored).sum()),
        "people_touching_the_edge": int((touching & ~truths.ignored).sum()),
    }
    return score_groups("COCO keypoint average precision by truncation", groups, told)


def _sizes(problem: Problem) -> Floats:
    """Return for each person the size (P, 2) of the picture."""
    sizes = np.full((len(problem.order), 2), np.nan)
    for place, scene in enumerate(pictures_of(problem.scenes)):
        if scene.size is not None:
            sizes[place] = scene.size
    found = sizes[problem.order[problem.truths.image]]
    if np.isnan(found).any():
        place = int(problem.order[problem.truths.image[np.isnan(found[:, 0])][0]])
        scene = problem.scenes[place]
        raise ValueError(f"truth, {named(place, scene)}: has no size, so nobody can tell whom the picture's edge cuts")
    return found


def _told(problem: Problem, field: str) -> NDArray[np.uint8]:
    """Return the people's `visible` or `cause` (P, K), UNKNOWN where a person has none."""
    untold = np.full(len(problem.skeleton), UNKNOWN, np.uint8)
    own = people_of(problem.scenes, len(untold)).visible if field == "visible" else None
    if own is not None:
        return own[problem.rows]
    values = [getattr(person, field) for person in problem.people]
    if values and all(value is None for value in values):
        raise ValueError(f"truth: no person has `{field}`, so there is nothing to divide the keypoints by")
    told = [untold if value is None else value for value in values]
    return np.array(told, np.uint8).reshape(-1, len(untold))


def _untold(values: NDArray[np.uint8]) -> dict[str, int]:
    return {"people_who_tell_nothing": int((values == UNKNOWN).all(1).sum())}


def _ratio(part: NDArray[np.intp], whole: NDArray[np.intp]) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
