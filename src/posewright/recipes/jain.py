"""Part detectors (Jain et al. 2014, arXiv:1312.7302): one small network a keypoint, slid over the picture.

The paper trains on FLIC's upper bodies and reports curves alone; FLIC has no reader here, so this is LSP-extended.
It names neither optimiser nor schedule where it could be read: both are choices. Its L2 on the fully connected
layers is weight decay on all. The spatial prior is counted from the training people before the first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from posewright.augment.jitter import Jitter
from posewright.codecs.jain import Windows
from posewright.datasets import lsp
from posewright.metrics.distance.pck import pck
from posewright.recipes.losses import window_cross_entropy
from posewright.recipes.recipe import Apart, Optimiser, Phase, Recipe
from posewright.scene import Scene, aim
from posewright.skeleton import LSP, Skeleton
from posewright.warp import Size

ROOT = "head_top"
SIZE = (256, 256)


def tree(skeleton: Skeleton, root: str = ROOT) -> list[tuple[int, int]]:
    """Return (parent, child) along the limbs, nearest the root first; a limb that closes a ring is left out.

    >>> tree(LSP)[:3]
    [(13, 12), (12, 9), (12, 8)]
    """
    reached, edges = [skeleton.index(root)], []
    for parent in reached:
        for limb in skeleton.limb_indices.tolist():
            if parent in limb and not set(limb) <= set(reached):
                (child,) = set(limb) - {parent}
                reached.append(child)
                edges.append((parent, child))
    return edges


def network() -> Any:
    """Build the detectors and their prior, which is even until it is counted."""
    from posewright.models import jain

    return jain.part_detectors(len(LSP), tree(LSP))


def prior(size: Size, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Count where people's limbs put their keypoints, in crops of a size as they are cut without jitter."""
    from posewright.models import jain

    people = [scene.people[0] for scene in scenes]
    keypoints = [aim(person.box, size).points(person.keypoints) for person in people if person.box is not None]
    return {"spatial.prior": jain.counted(np.stack(keypoints), tree(LSP), reach=max(size) // jain.STRIDE - 1)}


jain_lsp = Recipe(
    name="jain_lsp",
    summary="a sliding window for each keypoint and a spatial prior, LSP-extended, 256x256; no published number",
    paper="https://arxiv.org/abs/1312.7302",
    read=lsp.read,
    network=network,
    codec=Windows(LSP, SIZE),
    loss=window_cross_entropy,
    phases=(Phase(30, 1e-3), Phase(10, 1e-4)),
    metric=pck,
    jitter=Jitter(scale=0.1, turn=10.0, half_body=0.0),
    batch=16,
    optimiser=Optimiser(weight_decay=1e-4),
    apart=Apart(counted=partial(prior, SIZE)),
    parameters=19_409_334,
    data=lsp.TERMS,
)
