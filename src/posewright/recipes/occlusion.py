"""Occlusion in training: recipes of papers, and every augmentation by its name.

Huang et al. 2020 (arXiv:2008.07139) hide a disc of zeros on or near a keypoint and find that it takes time to
pay: with HRNet's schedule (S1) it gains nothing, with twice its length (S2), or after that schedule without it
(S3), it does. Their networks learn UDPv1's fields, so nothing but occlusion and schedule differs here from
`hrnet_w32_coco_udpv1`. S2 and S3 are equally good, they say; by which of them their tables' 0.778 was reached could
not be read, and it is reported of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from posewright.datasets.cut_outs import OBJECTS, read_cut_outs
from posewright.datasets.synthetic import thing
from posewright.occlusion import Augmentation
from posewright.occlusion.presets import AUGMENTATIONS, Make, pasted_objects
from posewright.recipes.hrnet import PHASES
from posewright.recipes.recipe import Phase, Recipe
from posewright.recipes.udp import TEST, VALIDATION, hrnet_w32_coco_udpv1
from posewright.scene import Scene

S1 = PHASES
S2 = (Phase(380, 1e-3), Phase(30, 1e-4), Phase(10, 1e-5))
S3 = (*(replace(phase, occluded=False) for phase in S1), *S1)
"""The three schedules: 210 epochs, 420, and 210 without occlusion followed by 210 with it."""
THINGS = 40
"""Things of the synthetic world among which pasting draws; seed 0."""


def things_of_world(scenes: Sequence[Scene]) -> Augmentation:  # noqa: ARG001
    """Paste things that the synthetic world draws, after Sarandi et al. 2018."""
    return pasted_objects([thing(0, number) for number in range(THINGS)])


def things_of_folder(folder: Path, scenes: Sequence[Scene]) -> Augmentation:  # noqa: ARG001
    """Paste the pictures of a folder, or COCO's things, after Sarandi et al. 2018; raises as `read_cut_outs` does."""
    return pasted_objects(read_cut_outs(folder))


OCCLUSIONS: dict[str, Make] = {**AUGMENTATIONS, "sarandi_objects": things_of_world}
"""Every occlusion that a training knows by name."""


def occlusion_named(name: str) -> Make | None:
    """Find an occlusion by name, None for "none"; "objects:FOLDER" pastes the RGBA pictures of a folder, and
    "objects:FILE.json" the things that COCO's masks cut out.

    Raises KeyError that lists the names there are.

    >>> occlusion_named("huang_keypoint_aware")(()).target
    1.0
    """
    if name == "none":
        return None
    if name.startswith(OBJECTS):
        return partial(things_of_folder, Path(name.removeprefix(OBJECTS)))
    if name not in OCCLUSIONS:
        raise KeyError(f"no occlusion {name!r}; there are none, {', '.join(OCCLUSIONS)}, and objects:FOLDER")
    return OCCLUSIONS[name]


def keypoint_aware(schedule: str, phases: tuple[Phase, ...], reported: dict[str, float]) -> Recipe:
    """HRNet-W32 on COCO at 256x192 by UDPv1 with keypoint-aware occlusion and one of the schedules."""
    return replace(
        hrnet_w32_coco_udpv1,
        name=f"hrnet_w32_coco_keypoint_aware_{schedule.lower()}",
        summary=f"HRNet-W32, COCO, 256x192, UDPv1, keypoint-aware occlusion by schedule {schedule}",
        paper="https://arxiv.org/abs/2008.07139",
        occlusion=OCCLUSIONS["huang_keypoint_aware"],
        phases=phases,
        reported=reported,
    )


hrnet_w32_coco_keypoint_aware_s1 = keypoint_aware("S1", S1, {})
hrnet_w32_coco_keypoint_aware_s2 = keypoint_aware("S2", S2, {VALIDATION: 0.778, TEST: 0.762})
hrnet_w32_coco_keypoint_aware_s3 = keypoint_aware("S3", S3, {VALIDATION: 0.778, TEST: 0.762})
