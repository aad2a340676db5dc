"""EfficientPose (Groos et al. 2020, arXiv:2004.12186): one person on a laptop's processor.

From the sources: MPII's single people, mirrored, scaled and turned at random, squared differences of part affinity
fields and of both passes' heatmaps. How far they are scaled and turned, the schedule and the optimiser are choices.
`parameters` are those that training changes; the paper counts statistics of BatchNorms and the frozen doublings too
(465,608 for RT).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.efficientpose import EfficientPose
from posewright.recipes.data import on_lsp, on_mpii
from posewright.recipes.losses import limbs_and_keypoints
from posewright.recipes.recipe import Optimiser, Phase, Recipe
from posewright.skeleton import LSP, MPII, Skeleton

PAPER = "https://arxiv.org/abs/2004.12186"
PHASES = (Phase(200, 1e-3, to=1e-5, warmup=500),)
JITTER = Jitter(scale=0.25, turn=45.0, turn_chance=1.0, half_body=0.0, uniform=True)

ARMS = ("right_shoulder right_elbow right_wrist", "left_shoulder left_elbow left_wrist")
LEGS = ("right_hip right_knee right_ankle", "left_hip left_knee left_ankle")
MPII_CHAINS = ("head_top upper_neck", *(f"upper_neck {arm}" for arm in ARMS), "upper_neck thorax",
               *(f"thorax {leg}" for leg in LEGS))  # fmt: skip
"""The limbs of pass 1 in its maps' order, told from what the published weights answer: OpenPose's for MPI."""
LSP_CHAINS = ("head_top neck", *(f"neck {limb}" for limb in (*ARMS, *LEGS)))


def limbs_of(chains: Sequence[str], skeleton: Skeleton) -> tuple[tuple[int, int], ...]:
    """Return the limbs along chains of keypoints, by their numbers.

    >>> limbs_of(["head_top neck right_hip"], LSP)
    ((13, 12), (12, 2))
    """
    rows = [[skeleton.keypoints.index(name) for name in chain.split()] for chain in chains]
    return tuple(pair for row in rows for pair in pairwise(row))


def network(size: str, *counts: int) -> Any:
    """Build the network of a size, rt, i, ii, iii or iv, for so many keypoints and limbs; of rt_lite..., keypoints."""
    from posewright.models import efficientpose, efficientpose_lite

    module = efficientpose_lite if size.endswith("lite") else efficientpose
    return getattr(module, f"efficientpose_{size}")(*counts)


def of_size(size: str, side: int, parameters: int, reported: tuple[float, float]) -> Recipe:
    """The paper's protocol on MPII for a size whose input is `side` px square."""
    limbs = limbs_of(MPII_CHAINS, MPII)
    counts = (len(MPII),) if size.endswith("lite") else (len(MPII), len(limbs))
    return on_mpii(
        f"efficientpose_{size}",
        f"EfficientPose {size.upper().replace('_', ' ')}",
        EfficientPose(MPII, (side, side)),
        paper=PAPER,
        network=partial(network, size, *counts),
        loss=partial(limbs_and_keypoints, limbs=limbs),
        phases=PHASES,
        jitter=JITTER,
        aim=EfficientPose.around,
        batch=20,
        optimiser=Optimiser(weight_decay=1e-4),
        parameters=parameters,
        reported={f"PCKh@{at} (MPII validation, the authors' README)": value
                  for at, value in zip((0.5, 0.1), reported, strict=True)},
    )  # fmt: skip


efficientpose_rt_mpii = of_size("rt", 224, 441_000, (0.829, 0.236))
efficientpose_i_mpii = of_size("i", 256, 696_260, (0.852, 0.265))
efficientpose_ii_mpii = of_size("ii", 368, 1_691_900, (0.882, 0.302))
efficientpose_iii_mpii = of_size("iii", 480, 3_166_104, (0.895, 0.309))
efficientpose_iv_mpii = of_size("iv", 600, 6_458_870, (0.898, 0.356))
efficientpose_rt_lite_mpii = of_size("rt_lite", 224, 380_000, (0.806, 0.231))
efficientpose_i_lite_mpii = of_size("i_lite", 256, 563_056, (0.837, 0.277))
efficientpose_ii_lite_mpii = of_size("ii_lite", 368, 1_417_856, (0.871, 0.308))

LSP_LIMBS = limbs_of(LSP_CHAINS, LSP)
efficientpose_rt_lsp = on_lsp(
    efficientpose_rt_mpii,
    EfficientPose(LSP),
    network=partial(network, "rt", len(LSP), len(LSP_LIMBS)),
    loss=partial(limbs_and_keypoints, limbs=LSP_LIMBS),
    parameters=440_274,
)
