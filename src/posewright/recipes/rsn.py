"""RSN (Cai et al. 2020, arXiv:2003.04030): residual steps in MSPN's pyramids, trained as MSPN by the authors' code.

The paper starts from no other weights. Two of its networks are not ours, and each number's name says so. RSN-18's .736
is of the authors' own framework: their PyTorch code, after which ours is drawn, has .704. RSN-50's widths in the
paper's tables (6.4 GFLOPs a stage) nobody published: ours has those of the code (4.1). Whether those rows have the pose
refine machine could not be read; these recipes have none.
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


def wider(gflops: float, *aps: float) -> dict[str, float]:
    """Name what the paper reports of networks with RSN-50's unknown widths, on minival, then on test-dev."""
    network = f"the paper's network of {gflops:g} GFLOPs, whose widths nobody published"
    return {f"{protocol}, {network}": ap for protocol, ap in zip((VALIDATION, TEST), aps, strict=False)}


rsn18_coco = of_stages(18, 1, 9_159_072, {
    f"{VALIDATION}, the authors' PyTorch code": 0.704,
    f"{VALIDATION}, the authors' own framework": 0.736,
    f"{TEST}, the authors' own framework": 0.716,
})  # fmt: skip
rsn50_coco = of_stages(50, 1, 19_355_132, wider(6.4, 0.747, 0.725))
rsn50_2_coco = of_stages(50, 2, 39_316_920, wider(13.9, 0.772, 0.755))
rsn50_3_coco = of_stages(50, 3, 59_278_708, wider(20.7, 0.782))
rsn50_4_coco = of_stages(50, 4, 79_240_496, wider(29.3, 0.790, 0.780))
rsn50_4_coco_384x288 = of_stages(50, 4, 79_240_496, wider(65.9, 0.796, 0.786), (288, 384))

rsn18_lsp = on_lsp(
    rsn18_coco, mspn.codec(LSP, (256, 256)), network=partial(network, 18, 1, len(LSP)), parameters=9_131_388
)
