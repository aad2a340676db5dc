"""RSN (Cai et al. 2020, arXiv:2003.04030): residual steps in MSPN's pyramids, trained as MSPN by the authors' code.

The paper starts from no other weights.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.recipes import mspn
from posewright.recipes.data import on_lsp
from posewright.recipes.mspn import TEST, VALIDATION
from posewright.recipes.recipe import Recipe
from posewright.skeleton import COCO, LSP
from posewright.warp import Size

PAPER = "https://arxiv.org/abs/2003.04030"


def network(depth: int, stages: int, keypoints: int) -> Any:
    """Build RSN-18, which has one stage, or RSN-50 of one to four stages."""
    from posewright.models import rsn

    return rsn.rsn18(keypoints) if depth == 18 else rsn.rsn50(stages, keypoints)


def of_stages(depth: int, stages: int, parameters: int, reported: dict[str, float], size: Size = (192, 256)) -> Recipe:
    """The paper's protocol on COCO for one size."""
    name, title = (f"_{stages}", f"{stages} x RSN-{depth}") if stages > 1 else ("", f"RSN-{depth}")
    build = partial(network, depth, stages, len(COCO))
    return mspn.pyramids(f"rsn{depth}{name}", title, PAPER, build, parameters, reported, size)


rsn18_coco = of_stages(18, 1, 9_159_072, {VALIDATION: 0.736, TEST: 0.716})
rsn50_coco = of_stages(50, 1, 19_355_132, {VALIDATION: 0.747, TEST: 0.725})
rsn50_2_coco = of_stages(50, 2, 39_316_920, {VALIDATION: 0.772, TEST: 0.755})
rsn50_3_coco = of_stages(50, 3, 59_278_708, {VALIDATION: 0.782})
rsn50_4_coco = of_stages(50, 4, 79_240_496, {VALIDATION: 0.790, TEST: 0.780})
rsn50_4_coco_384x288 = of_stages(50, 4, 79_240_496, {VALIDATION: 0.796, TEST: 0.786}, (288, 384))

rsn18_lsp = on_lsp(
    rsn18_coco, mspn.codec(LSP, (256, 256)), network=partial(network, 18, 1, len(LSP)), parameters=9_131_388
)
