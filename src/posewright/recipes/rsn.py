"""RSN (Cai et al. 2020, arXiv:2003.04030): residual steps in MSPN's pyramids, trained as MSPN by the authors' code.

The paper starts from no other weights.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.codecs.megvii import Megvii
from posewright.datasets import lsp
from posewright.metrics import pck
from posewright.recipe import Recipe
from posewright.recipes import mspn
from posewright.recipes.losses import coarse_to_fine
from posewright.recipes.mspn import TEST, VALIDATION
from posewright.skeleton import COCO, LSP
from posewright.warp import Size

PAPER = "https://arxiv.org/abs/2003.04030"


def network(depth: int, stages: int, keypoints: int) -> Any:
    """Build RSN-18, which has one stage, or RSN-50 of one to four stages."""
    from posewright.models import rsn

    return rsn.rsn18(keypoints) if depth == 18 else rsn.rsn50(stages, keypoints)


def on_coco(depth: int, stages: int, parameters: int, reported: dict[str, float], size: Size = (192, 256)) -> Recipe:
    """The paper's protocol on COCO for one size."""
    name, title = (f"_{stages}", f"{stages} x RSN-{depth}") if stages > 1 else ("", f"RSN-{depth}")
    build = partial(network, depth, stages, len(COCO))
    return mspn.on_coco(f"rsn{depth}{name}", title, PAPER, build, parameters, reported, size)


rsn18_coco = on_coco(18, 1, 9_159_072, {VALIDATION: 0.736, TEST: 0.716})
rsn50_coco = on_coco(50, 1, 19_355_132, {VALIDATION: 0.747, TEST: 0.725})
rsn50_2_coco = on_coco(50, 2, 39_316_920, {VALIDATION: 0.772, TEST: 0.755})
rsn50_3_coco = on_coco(50, 3, 59_278_708, {VALIDATION: 0.782})
rsn50_4_coco = on_coco(50, 4, 79_240_496, {VALIDATION: 0.790, TEST: 0.780})
rsn50_4_coco_384x288 = on_coco(50, 4, 79_240_496, {VALIDATION: 0.796, TEST: 0.786}, (288, 384))

rsn18_lsp = Recipe(
    name="rsn18_lsp",
    summary="RSN-18, LSP-extended, 256x256; no published number",
    paper=PAPER,
    read=lsp.read,
    network=partial(network, 18, 1, len(LSP)),
    codec=mspn.codec(LSP, (256, 256)),
    loss=coarse_to_fine,
    phases=mspn.PHASES,
    metric=pck,
    jitter=mspn.JITTER,
    aim=Megvii.around,
    batch=32,
    optimiser="adam",
    weight_decay=1e-5,
    parameters=9_131_388,
    data="LSP-extended, train split (Johnson and Everingham 2011; pictures for research only)",
)
