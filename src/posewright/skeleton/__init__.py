"""Skeletons: which keypoints a data set labels, how limbs join them, how far annotators disagree.

Everything is named; an index appears nowhere. The mirror order follows from the names
(`left_knee` and `right_knee` change places, in any usual spelling), and so do the body parts of Pytel et al. 2020
("Tilting at windmills", arXiv:2010.10451, Fig. 2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from posewright.skeleton.spelling import doubtful, mirrored_name, spelt


def _chains(*chains: str) -> tuple[tuple[str, str], ...]:
    """Read limbs from chains of names: "a b c" joins a to b and b to c."""
    return tuple(pair for chain in chains for pair in zip(chain.split(), chain.split()[1:], strict=False))


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Name the keypoints of a data set, their limbs and their OKS sigmas.

    sigmas (K,) in units of the square root of a person's area; None where nobody published any.
    `sigmas_source` says who did, and every OKS that is reported repeats it. sides: pairs of names that a mirror
    exchanges; None tells them by the names, in any style of `spelling`.
    Raises ValueError where a limb or a side names no keypoint, a name stands twice, or sigmas do not fit.

    >>> COCO.mirror[:3]
    array([0, 2, 1])
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    sigmas: tuple[float, ...] | None = None
    sigmas_source: str = "none published"
    sides: tuple[tuple[str, str], ...] | None = None

    def __post_init__(self) -> None:
        if len(set(self.spelt)) != len(self.keypoints):
            twice = [n for n, key in zip(self.keypoints, self.spelt, strict=True) if self.spelt.count(key) > 1]
            raise ValueError(f"skeleton {self.name}: a keypoint's name stands twice: {', '.join(twice)}")
        for what, pairs in (("limbs", self.limbs), ("sides", self.sides or ())):
            strangers = {name for pair in pairs for name in pair} - set(self.keypoints)
            if strangers:
                raise ValueError(f"skeleton {self.name}: {what} name unknown keypoints {sorted(strangers)}")
        if self.sigmas is not None and len(self.sigmas) != len(self.keypoints):
            raise ValueError(f"skeleton {self.name}: {len(self.sigmas)} sigmas for {len(self.keypoints)} keypoints")

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        return f"Skeleton({self.name}, {len(self)} keypoints)"

    @cached_property
    def spelt(self) -> tuple[str, ...]:
        """The keypoints' names in the one spelling, by which they are joined and mirrored."""
        return spelt(self.keypoints)

    def index(self, name: str) -> int:
        """Return a keypoint's place in the order; raises KeyError that lists the names there are."""
        if name in self.keypoints:
            return self.keypoints.index(name)
        if name not in self.spelt:
            raise KeyError(f"{self.name} has no keypoint {name!r}; it has {', '.join(self.keypoints)}")
        return self.spelt.index(name)

    @cached_property
    def mirror(self) -> NDArray[np.intp]:
        """(K,) the order in which a mirror shows the keypoints; one without a counterpart stays itself."""
        if self.sides is None:
            other = [mirrored_name(name) for name in self.spelt]
            return np.array([self.spelt.index(o) if o in self.spelt else i for i, o in enumerate(other)], np.intp)
        exchanged = {self.index(a): self.index(b) for pair in self.sides for a, b in (pair, pair[::-1])}
        return np.array([exchanged.get(place, place) for place in range(len(self))], np.intp)

    @property
    def doubtful(self) -> list[str]:
        """The keypoints of which the names do not tell what a mirror shows in their place, and nothing else does."""
        return doubtful(self.keypoints) if self.sides is None else []

    @cached_property
    def limb_indices(self) -> NDArray[np.intp]:
        """(L, 2) the limbs as places in the keypoint order."""
        return np.array([[self.index(a), self.index(b)] for a, b in self.limbs], dtype=np.intp).reshape(-1, 2)

    def to(self, other: Skeleton) -> NDArray[np.intp]:
        """(other K,) for each keypoint of `other` its place here by name, -1 where it has none here.

        >>> COCO.to(CROWDPOSE)[-3:]
        array([16, -1, -1])
        """
        places = {name: place for place, name in enumerate(self.spelt)}
        return np.array([places.get(name, -1) for name in other.spelt], dtype=np.intp)

    def only(self, keypoints: Iterable[str]) -> Skeleton:
        """Return the skeleton with some of its keypoints alone, in its own order, the limbs between them and sigmas.

        >>> COCO.only(["left_hip", "nose", "left_knee"]).limbs
        (('left_hip', 'left_knee'),)
        """
        names = set(keypoints)
        kept = tuple(name for name in self.keypoints if name in names)
        sigmas = None if self.sigmas is None else tuple(self.sigmas[self.index(name)] for name in kept)
        limbs, sides = (tuple(pair for pair in pairs or () if set(pair) <= names) for pairs in (self.limbs, self.sides))
        if kept == self.keypoints:
            return self
        return replace(self, keypoints=kept, limbs=limbs, sigmas=sigmas, sides=None if self.sides is None else sides)

    @cached_property
    def parts(self) -> dict[str, tuple[str, ...]]:
        """Body parts by name, small ones first, after Pytel et al. 2020, Fig. 2 and their released tables.

        Parts with fewer than two keypoints here are left out: they have no rectangle. Departure: the
        authors' right side of COCO holds the nose as well, by its index; here no side has it.
        """
        known = list(zip(self.keypoints, self.spelt, strict=True))
        found = {part: tuple(k for k, key in known if key in names) for part, names in _PARTS.items()}
        for side in ("left", "right"):
            found[f"{side}_side"] = tuple(k for k, key in known if key.startswith(f"{side}_"))
        return {part: names for part, names in found.items() if len(names) > 1}

    @property
    def small_parts(self) -> tuple[str, ...]:
        """The names of the parts that are no half of the body."""
        return tuple(part for part in self.parts if part not in LARGE_PARTS)

    @property
    def large_parts(self) -> tuple[str, ...]:
        """The names of the parts that are half of the body."""
        return tuple(part for part in self.parts if part in LARGE_PARTS)


LARGE_PARTS = ("upper_body", "lower_body", "left_side", "right_side")
_HEAD = "nose left_eye right_eye left_ear right_ear head head_top head_bottom upper_neck".split()
_ARMS = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hand") for side in ("left", "right")]
_HIPS = ["left_hip", "right_hip"]
_LEGS = [*_HIPS, *(f"{side}_{joint}" for joint in ("knee", "ankle", "foot", "toe") for side in ("left", "right"))]
_PARTS: dict[str, list[str]] = {
    "head": _HEAD,
    "left_arm": [k for k in _ARMS if k.startswith("left")],
    "right_arm": [k for k in _ARMS if k.startswith("right")],
    "hips": _HIPS,
    "left_leg": [k for k in _LEGS if k.startswith("left")],
    "right_leg": [k for k in _LEGS if k.startswith("right")],
    "corpus": ["left_shoulder", "right_shoulder", *_HIPS],
    "upper_body": [*_HEAD, "neck", "thorax", *_ARMS, *_HIPS],
    "lower_body": ["pelvis", *_LEGS],
}

_LIMBS = _chains(
    "left_hip left_knee left_ankle",
    "right_hip right_knee right_ankle",
    "left_shoulder left_elbow left_wrist",
    "right_shoulder right_elbow right_wrist",
)
_TORSO = _chains("left_shoulder left_hip right_hip right_shoulder left_shoulder")
_COCO_SIGMAS = tuple(s / 10.0 for s in (
    .26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89,
))  # fmt: skip
_BODY = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)

COCO = Skeleton(
    "coco",
    ("nose", "left_eye", "right_eye", "left_ear", "right_ear", *_BODY),
    (*_LIMBS, *_TORSO, *_chains("left_ear left_eye nose right_eye right_ear", "left_eye right_eye",
                                "left_ear left_shoulder", "right_ear right_shoulder")),
    _COCO_SIGMAS,
    "COCO",
)  # fmt: skip
CROWDPOSE = Skeleton(
    "crowdpose",
    (*_BODY, "head_top", "neck"),
    (*_LIMBS, *_TORSO, *_chains("head_top neck left_shoulder", "neck right_shoulder")),
    (.079, .079, .072, .072, .062, .062, .107, .107, .087, .087, .089, .089, .079, .079),
    "CrowdPose",
)  # fmt: skip
AIC = Skeleton(
    "aic",
    tuple("right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
          "right_ankle left_hip left_knee left_ankle head_top neck".split()),
    CROWDPOSE.limbs,
    (.01388152, .01515228, .01057665, .01417709, .01497891, .01402144, .03909642,
     .03686941, .01981803, .03843971, .03412318, .02415081, .01291456, .01236173),
    "AI Challenger's evaluator",
)  # fmt: skip
MPII = Skeleton(
    "mpii",
    tuple("right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top "
          "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist".split()),
    (*_LIMBS, *_chains("head_top upper_neck thorax pelvis", "left_shoulder thorax right_shoulder",
                       "left_hip pelvis right_hip")),
    (.089, .083, .107, .107, .083, .089, .026, .026, .026, .026, .062, .072, .179, .179, .072, .062),
    "MMPose's configuration, not MPII; its shoulders (.179) look like a slip for .079",
)  # fmt: skip
LSP = Skeleton(
    "lsp",
    tuple("right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
          "right_shoulder left_shoulder left_elbow left_wrist neck head_top".split()),
    CROWDPOSE.limbs,
)  # fmt: skip
FLIC = Skeleton(
    "flic",
    tuple("left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip right_hip "
          "left_eye right_eye nose".split()),
    (*_LIMBS[4:], *_TORSO, *_chains("left_eye nose right_eye")),
)  # fmt: skip
H36M = Skeleton(
    "h36m",
    tuple("pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck "
          "head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist".split()),
    (*_LIMBS, *_chains("head_top neck thorax spine pelvis", "left_shoulder thorax right_shoulder",
                       "left_hip pelvis right_hip")),
)  # fmt: skip
POSETRACK = Skeleton(
    "posetrack18",
    ("nose", "head_bottom", "head_top", "left_ear", "right_ear", *_BODY),
    (*_LIMBS, *_TORSO, *_chains("head_top nose head_bottom left_shoulder", "head_bottom right_shoulder")),
    _COCO_SIGMAS,
    "MMPose's configuration: COCO's, place by place",
)  # fmt: skip
JHMDB = Skeleton(
    "jhmdb",
    tuple("neck belly head right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow "
          "right_knee left_knee right_wrist left_wrist right_ankle left_ankle".split()),
    (*_LIMBS, *_chains("head neck belly", "left_shoulder neck right_shoulder", "left_hip belly right_hip")),
    (.025, .107, .025, .079, .079, .107, .107, .072, .072, .087, .087, .062, .062, .089, .089),
    "MMPose's configuration, not JHMDB",
)  # fmt: skip
PENN_ACTION = Skeleton(
    "penn_action",
    ("head", *_BODY),
    (*_LIMBS, *_TORSO, *_chains("head left_shoulder", "head right_shoulder")),
)  # fmt: skip
MPI_INF_3DHP = Skeleton(
    "mpi_inf_3dhp",
    tuple("head_top neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
          "right_knee right_ankle left_hip left_knee left_ankle pelvis spine head".split()),
    (*_LIMBS, *_chains("head_top head neck spine pelvis", "left_shoulder neck right_shoulder",
                       "left_hip pelvis right_hip")),
)  # fmt: skip
BODY = Skeleton(
    "body",
    (*COCO.keypoints, "neck", "head_top"),
    (*COCO.limbs, *_chains("head_top neck left_shoulder", "neck right_shoulder")),
    (*_COCO_SIGMAS, .079, .079),
    "COCO, and CrowdPose for neck and head top",
)  # fmt: skip
"""What COCO and LSP label, together."""

PANOPTIC = Skeleton(
    "panoptic",
    tuple("neck nose pelvis left_shoulder left_elbow left_wrist left_hip left_knee left_ankle right_shoulder "
          "right_elbow right_wrist right_hip right_knee right_ankle left_eye left_ear right_eye right_ear".split()),
    (*_LIMBS, *_chains("left_ear left_eye nose right_eye right_ear", "nose neck pelvis",
                       "left_shoulder neck right_shoulder", "left_hip pelvis right_hip")),
)  # fmt: skip

SHELF = Skeleton(
    "shelf",
    tuple("right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
          "left_shoulder left_elbow left_wrist head_bottom head_top".split()),
    (*_LIMBS, ("head_bottom", "head_top")),
)  # fmt: skip
"""Shelf's and Campus' keypoints (Belagiannis et al., CVPR 2014); the limbs are those that PCP is judged by."""

SKELETONS = (COCO, CROWDPOSE, AIC, MPII, LSP, FLIC, H36M, POSETRACK, JHMDB, PENN_ACTION, MPI_INF_3DHP, PANOPTIC, SHELF,
             BODY)  # fmt: skip


def skeleton_named(name: str) -> Skeleton:
    """Find a skeleton by its name; raises KeyError that lists the names there are."""
    for skeleton in SKELETONS:
        if skeleton.name == name:
            return skeleton
    raise KeyError(f"no skeleton {name!r}; there are {', '.join(s.name for s in SKELETONS)}")
