"""The keypoints of other people's networks, in the names of this library."""

from __future__ import annotations

from posewright.datasets.openpose import COCO_18
from posewright.skeleton import COCO, Skeleton
from posewright.spelling import mirrored_name

_LEFT_FOOT = ("left_big_toe", "left_small_toe", "left_heel")
_FEET = (*_LEFT_FOOT, *map(mirrored_name, _LEFT_FOOT))
_SOLES = tuple((f"{side}_ankle", f"{side}_{part}") for side in ("left", "right") for part in ("heel", "big_toe"))

WHOLEBODY_23 = Skeleton("coco_wholebody_23", (*COCO.keypoints, *_FEET), (*COCO.limbs, *_SOLES))
"""COCO-WholeBody's body and feet: the first 23 of its 133 keypoints (Jin et al., ECCV 2020, Fig. 2)."""

HALPE_26 = Skeleton(
    "halpe_26",
    (
        *COCO.keypoints,
        *("head_top", "neck", "pelvis"),
        *(name for left in _LEFT_FOOT for name in (left, mirrored_name(left))),
    ),
    (*COCO.limbs, *_SOLES, ("head_top", "neck"), ("neck", "pelvis")),
)
"""Halpe's body of 26 (Fang et al., TPAMI 2022): its Head is the top of the head, its Hip the middle of the hips."""

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
