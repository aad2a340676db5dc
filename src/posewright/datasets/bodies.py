"""The bodies of other programs' networks, in the names of this library."""

from __future__ import annotations

from posewright.skeleton import COCO, MPII, SKELETONS, Skeleton
from posewright.skeleton.spelling import mirrored_name

_UPPER = "neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist".split()
_LEGS = "right_hip right_knee right_ankle left_hip left_knee left_ankle".split()
_FACE = "right_eye left_eye right_ear left_ear".split()
_FEET = [f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")]

BODY_25 = Skeleton("openpose_body_25", ("nose", *_UPPER, "mid_hip", *_LEGS, *_FACE, *_FEET), COCO.limbs)
COCO_18 = Skeleton("openpose_coco_18", ("nose", *_UPPER, *_LEGS, *_FACE), COCO.limbs)
MPI_15 = Skeleton(
    "openpose_mpi_15",
    ("head_top", "upper_neck", *_UPPER[1:], *_LEGS, "chest"),
    tuple(limb for limb in COCO.limbs if set(limb) <= {*_UPPER, *_LEGS}),
)

_FACE_MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), *(45, 44, 43, 42, 47, 46),
    *(39, 38, 37, 36, 41, 40), *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip
"""What a mirror shows in place of each of the face's 68 points (Sagonas et al., iBUG 300-W)."""


def _sides(body: Skeleton) -> tuple[tuple[str, str], ...]:
    """Return the sides of a body with a face and hands; those of the face are numbers and tell nothing."""
    names = (*body.keypoints, *(name for name in _FACE_AND_HANDS if "hand" in name))
    pairs = [(name, mirrored_name(name)) for name in names if name.startswith("left_")]
    return (*pairs, *((f"face_{a}", f"face_{b}") for a, b in enumerate(_FACE_MIRROR) if a < b))


_LEFT_FOOT = ("left_big_toe", "left_small_toe", "left_heel")
_BOTH_FEET = (*_LEFT_FOOT, *map(mirrored_name, _LEFT_FOOT))
_SOLES = tuple((f"{side}_ankle", f"{side}_{part}") for side in ("left", "right") for part in ("heel", "big_toe"))

WHOLEBODY_23 = Skeleton("coco_wholebody_23", (*COCO.keypoints, *_BOTH_FEET), (*COCO.limbs, *_SOLES))
"""COCO-WholeBody's body and feet: the first 23 of its 133 keypoints (Jin et al., ECCV 2020, Fig. 2)."""
_FACE_AND_HANDS = (
    *(f"face_{point}" for point in range(68)),
    *(f"{side}_hand_{point}" for side in ("left", "right") for point in range(21)),
)
WHOLEBODY_133 = Skeleton(
    "coco_wholebody", (*WHOLEBODY_23.keypoints, *_FACE_AND_HANDS), WHOLEBODY_23.limbs, sides=_sides(WHOLEBODY_23)
)
"""COCO-WholeBody (Jin et al., ECCV 2020): body, feet, 68 of the face, 21 a hand."""

HALPE_26 = Skeleton(
    "halpe26",
    (
        *COCO.keypoints,
        *("head_top", "neck", "pelvis"),
        *(name for left in _LEFT_FOOT for name in (left, mirrored_name(left))),
    ),
    (*COCO.limbs, *_SOLES, ("head_top", "neck"), ("neck", "pelvis")),
)
"""Halpe's body of 26 (Fang et al., TPAMI 2022): its Head is the top of the head, its Hip the middle of the hips."""
HALPE_136 = Skeleton("halpe136", (*HALPE_26.keypoints, *_FACE_AND_HANDS), HALPE_26.limbs, sides=_sides(HALPE_26))
"""Halpe's whole body: its 26, 68 of the face, 21 a hand."""


BODIES = (*SKELETONS, BODY_25, COCO_18, MPI_15, WHOLEBODY_23, WHOLEBODY_133, HALPE_26, HALPE_136)
"""All that a name may mean."""
BY_COUNT = {len(s): s for s in (COCO, MPII, BODY_25, COCO_18, WHOLEBODY_23, HALPE_26, WHOLEBODY_133, HALPE_136)}
"""What the count of keypoints alone may mean; other counts have too many owners."""
