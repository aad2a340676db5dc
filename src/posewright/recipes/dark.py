"""DARK (Zhang et al. 2020, arXiv:1910.06278): HRNet with targets around the exact place, and a Taylor step back.

Protocols are HRNet's, with the authors' blurs of the answer and as many crops a device as they take: 64 at 128x96,
where HRNet's authors have no recipe (so that this is DARK's authors' measure of it), 18 of the widest at 384x288.
"""

from __future__ import annotations

from dataclasses import replace

from posewright.codecs.dark import Dark
from posewright.recipes.hrnet import TEST, VALIDATION, hrnet_w32_mpii, hrnet_w48_coco_384x288, of_width
from posewright.recipes.recipe import Recipe


def with_dark(recipe: Recipe, reported: dict[str, float], kernel: int = 11) -> Recipe:
    """The same by DARK's codec; kernel: side of the blur of the answer."""
    skeleton, size = recipe.codec.skeleton, recipe.codec.size
    return replace(
        recipe,
        name=f"{recipe.name}_dark",
        summary=f"{recipe.summary}, DARK",
        paper="https://arxiv.org/abs/1910.06278",
        codec=Dark(skeleton, size, sigma=size[1] / 128, kernel=kernel),
        aim=Dark.around,
        reported=reported,
    )


hrnet_w32_coco_128x96 = replace(of_width(32, {f"{VALIDATION}, DARK's authors": 0.669}, (96, 128)), batch=64)
hrnet_w32_coco_128x96_dark = with_dark(hrnet_w32_coco_128x96, {VALIDATION: 0.707}, kernel=3)
hrnet_w48_coco_384x288_dark = with_dark(replace(hrnet_w48_coco_384x288, batch=18), {VALIDATION: 0.768, TEST: 0.762})
hrnet_w32_mpii_dark = with_dark(hrnet_w32_mpii, {"PCKh@0.1 (MPII validation, annotated centre and scale, flip)": 0.420})
