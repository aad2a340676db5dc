"""The keypoints of other people's networks, in the names of this library."""

from __future__ import annotations

from posewright.datasets.bodies import COCO_18, HALPE_26, WHOLEBODY_23
from posewright.skeleton import COCO, Skeleton

_HAND = ("pinky", "index", "thumb")
BLAZEPOSE_33 = Skeleton(
    "blazepose_33",
    (
        "nose",
        *(f"{side}_{part}" for side in ("left", "right") for part in ("eye_inner", "eye", "eye_outer")),
        *(f"{side}_{part}" for part in ("ear", "mouth", "shoulder", "elbow", "wrist") for side in ("left", "right")),
        *(f"{side}_{part}" for part in _HAND for side in ("left", "right")),
        *(f"{side}_{part}" for part in ("hip", "knee", "ankle", "heel", "foot_index") for side in ("left", "right")),
    ),
    (
        *COCO.limbs,
        *((f"{side}_wrist", f"{side}_{part}") for side in ("left", "right") for part in _HAND),
        *((f"{side}_ankle", f"{side}_{part}") for side in ("left", "right") for part in ("heel", "foot_index")),
    ),
)
"""BlazePose's 33 (Bazarevsky et al. 2020, arXiv:2006.10204, Fig. 1); 17 of them are COCO's by name."""

BY_COUNT = {len(skeleton): skeleton for skeleton in (COCO, COCO_18, WHOLEBODY_23, HALPE_26)} | {133: WHOLEBODY_23}
"""What a body network means by so many keypoints; of 133 the face and the hands, behind the feet, are left out."""
