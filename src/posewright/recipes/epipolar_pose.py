"""EpipolarPose (Kocabas et al. 2019, arXiv:1903.02330) and integral pose (Sun et al. 2018, arXiv:1711.08229).

Four ways to learn the same network from Human3.6M: from what was measured of everybody (`fs`), of subject 1 alone
(`s1`), and from what geometry makes of a 2D estimator's answers, with the cameras known (`ss`) or not
(`ss_without_r`): `posewright label` writes these labels beside the data, once, as `labels_ss.npz` and
`labels_ss_without_r.npz`. As in the paper, self-supervised ones have MPII's 16 keypoints, since their 2D estimator
learnt from MPII, whose weights `--start` takes. Schedule of the released code: Adam at 1e-3, divided by 10 at 90 and
120 of 140 epochs, 32 crops; turns and scales of the paper (30 degrees, 0.8 to 1.2; the code's reach further). The
paper pastes objects of VOC over people: `--occlusion objects:DIR` does, with pictures of yours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from posewright.augment.jitter import Jitter
from posewright.codecs.depth import with_depths
from posewright.codecs.integral import Integral
from posewright.datasets import h36m
from posewright.datasets.labels import with_labels
from posewright.datasets.views import poses_of
from posewright.estimators.lifting import judged_lift
from posewright.metrics.score import Score
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.recipes.data import on_mpii
from posewright.recipes.losses import absolute_error, smooth_absolute_error
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Scene, each_person, translated
from posewright.skeleton import H36M, MPII, Skeleton

PHASES = (Phase(90, 1e-3), Phase(30, 1e-4), Phase(20, 1e-5))
JITTER = Jitter(scale=0.2, turn=30.0, turn_chance=1.0, mirror=0.0, half_body=0.0, uniform=True)
H36M_AS_MPII = replace(
    H36M,
    keypoints=tuple("upper_neck" if name == "neck" else name for name in H36M.keypoints),
    limbs=tuple((a.replace("neck", "upper_neck"), b.replace("neck", "upper_neck")) for a, b in H36M.limbs),
)
"""Human3.6M's keypoints by MPII's names, where the neck is the upper one."""
PAPER = "https://arxiv.org/abs/1903.02330"
PARAMETERS = {16: 34_258_496, 17: 34_274_944}


def network(keypoints: int, depth: int = 64) -> Any:
    """Build integral pose over ResNet-50."""
    from posewright.models import integral_pose

    return integral_pose.integral_pose_r50(keypoints, depth)


def measured(root: Path, split: str, train: str = "train", skeleton: Skeleton = H36M) -> list[Scene]:
    """Read what was measured; train: whom the training split is of."""
    scenes = h36m.read(root, train if split == "train" else split)
    if skeleton is H36M:
        return scenes
    return translated([replace(scene, skeleton=H36M_AS_MPII) for scene in scenes], skeleton)


def taught(root: Path, split: str, file: str) -> list[Scene]:
    """Read the labels that geometry made, to learn from, and what was measured, to be judged by."""
    if split != "train":
        return measured(root, split, skeleton=MPII)
    return with_labels(h36m.read(root, "train"), root / file, MPII)


def in_view(scenes: Sequence[Scene]) -> list[Scene]:
    """Make one scene a person, with depths, and a box that shows 2 m around the root."""
    return each_person([with_depths(scene) for scene in scenes])


def space_error(predicted: Sequence[Scene], truth: Sequence[Scene]) -> Score:
    """Score people in space by `mpjpe`, in the frames of their cameras."""
    return mpjpe(poses_of(predicted, truth), poses_of(truth))


def epipolar_pose(
    way: str, summary: str, skeleton: Skeleton, read: Callable[[Path, str], list[Scene]], reported: dict[str, float]
) -> Recipe:
    """EpipolarPose learnt in one way."""
    return Recipe(
        name=f"epipolar_pose_r50_{way}",
        summary=f"EpipolarPose over ResNet-50, {summary}, Human3.6M, 256x256",
        paper=PAPER,
        read=read,
        network=partial(network, len(skeleton)),
        codec=Integral(skeleton),
        loss=smooth_absolute_error,
        phases=PHASES,
        metric=space_error,
        apart=Apart(each=in_view, predicted=judged_lift),
        jitter=JITTER,
        aim=Integral.around,
        batch=32,
        optimiser=Optimiser("adam"),
        parameters=PARAMETERS[len(skeleton)],
        reported=reported,
        data=h36m.TERMS,
    )


def told(mpjpe: float | None, nmpjpe: float, pmpjpe: float, pss50: float, pss100: float) -> dict[str, float]:
    """Name the thesis's numbers, on every 64th frame of subjects 9 and 11."""
    rows = {"MPJPE": mpjpe, "NMPJPE": nmpjpe, "PMPJPE": pmpjpe, "PSS@50 (%)": pss50, "PSS@100 (%)": pss100}
    return {name: value for name, value in rows.items() if value is not None}


epipolar_pose_r50_fs = epipolar_pose(
    "fs", "fully supervised", H36M, measured, told(52.82, 52.49, 45.15, 84.44, 78.67)
)  # fmt: skip
epipolar_pose_r50_s1 = epipolar_pose(
    "s1", "supervised by subject 1 alone", H36M, partial(measured, train="S1"), told(65.58, 64.92, 57.22, 81.91, 75.2)
)
epipolar_pose_r50_ss = epipolar_pose(
    "ss", "self-supervised with known cameras", MPII, partial(taught, file="labels_ss.npz"),
    told(76.82, 75.53, 67.48, 73.09, 64.03),
)  # fmt: skip
epipolar_pose_r50_ss_without_r = epipolar_pose(
    "ss_without_r", "self-supervised with unknown cameras", MPII, partial(taught, file="labels_ss_without_r.npz"),
    told(None, 78.83, 69.54, 70.67, 62.05),
)  # fmt: skip
integral_pose_r50_mpii = on_mpii(
    "integral_pose_r50",
    "Integral pose over ResNet-50, in pictures",
    Integral(MPII, deep=False),
    paper="https://arxiv.org/abs/1711.08229",
    network=partial(network, len(MPII), 1),
    loss=absolute_error,
    phases=PHASES,
    jitter=Jitter(scale=0.25, turn=30.0, turn_chance=0.6, mirror=0.5, half_body=0.0),
    aim=Integral.around,
    batch=32,
    optimiser=Optimiser("adam"),
    parameters=33_999_440,
)
