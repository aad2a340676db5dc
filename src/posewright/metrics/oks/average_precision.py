"""The average precision and recall that COCO ranks pose estimators by.

Lin et al., "Microsoft COCO", ECCV 2014, and its keypoint evaluation (cocodataset.org). Equal to pycocotools
bit by bit; what that computes differs from its description in places, and the docstrings say where.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from posewright.metrics.oks.groups import gather
from posewright.metrics.oks.matching import summary
from posewright.metrics.score import Score
from posewright.metrics.trust.resampling import again_of
from posewright.scene import Scene

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from posewright.metrics.oks.similarity import Counting


def oks_ap(
    predicted: Sequence[Scene], truth: Sequence[Scene], sigmas: ArrayLike | None = None, **rules: Unpack[Counting]
) -> Score:
    """Score people by COCO's average precision and recall: AP, AP50, AP75, APM, APL and AR alike.

    Scenes are paired by position and taken in the order of their ids, as pycocotools does (it matters only
    where scores are equal). Of each scene the first 20 predictions by score count. Crowds and people without
    a labelled keypoint are ignored: neither to be found nor wrong to find. A number is -1 where nobody is to
    be found.

    sigmas (K,): None takes the skeleton's; where nobody published any, COCO's and CrowdPose's by name, and
    the protocol calls that a choice. box_area: the share of the box's area that stands in for a person
    without area (CrowdPose's evaluator: 0.53). counted_by: names of the keypoints of which a person must have
    one in order to count, None for all; COCO's `num_keypoints` counts all, CrowdPose's none of the head and
    neck. predicted_area decides which unmatched predictions count in APM and APL: "own" takes a prediction's
    area where it has one, which in a file of results is as pycocotools has it, and else the extent of its
    keypoints; "keypoints" and "box" take the extent of either.

    Departure: a keypoint of a file that is 0, 0, 0 is absent and as far away as can be; pycocotools takes it to
    lie in the picture's corner.

    Raises ValueError where scenes do not pair, a prediction has no score, or a true person neither area nor
    box.
    """
    problem = gather(predicted, truth, sigmas, **rules)
    found = problem.matches()
    told = {"metric": "COCO keypoint average precision and recall"} | problem.protocol
    return Score(summary(found), told, again_of(found))
