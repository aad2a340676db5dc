"""Recipes by name: one literal tuple, and the way to a stranger's own file."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from posewright.recipes.associative_embedding import associative_embedding_coco
from posewright.recipes.boxes import person
from posewright.recipes.compact import default
from posewright.recipes.cpm import cpm_lsp, cpm_mpii
from posewright.recipes.cpn import cpn_r50_coco, cpn_r50_coco_384x288, cpn_r50_lsp, cpn_r101_coco_384x288
from posewright.recipes.dark import (
    hrnet_w32_coco_128x96,
    hrnet_w32_coco_128x96_dark,
    hrnet_w32_mpii_dark,
    hrnet_w48_coco_384x288_dark,
)
from posewright.recipes.deepercut import deepercut_r50_coco, deepercut_r101_coco, deepercut_r152_coco
from posewright.recipes.efficientpose import (
    efficientpose_i_lite_mpii,
    efficientpose_i_mpii,
    efficientpose_ii_lite_mpii,
    efficientpose_ii_mpii,
    efficientpose_iii_mpii,
    efficientpose_iv_mpii,
    efficientpose_rt_lite_mpii,
    efficientpose_rt_lsp,
    efficientpose_rt_mpii,
)
from posewright.recipes.epipolar_pose import (
    epipolar_pose_r50_fs,
    epipolar_pose_r50_s1,
    epipolar_pose_r50_ss,
    epipolar_pose_r50_ss_without_r,
    integral_pose_r50_mpii,
)
from posewright.recipes.evopose2d import evopose2d_l_coco, evopose2d_m_coco, evopose2d_s_coco, evopose2d_xs_coco
from posewright.recipes.fastpose import fastpose_r50_coco
from posewright.recipes.higher_hrnet import (
    higher_hrnet_w32_coco,
    higher_hrnet_w32_crowdpose,
    higher_hrnet_w48_coco,
    higher_hrnet_w48_crowdpose,
)
from posewright.recipes.hourglass import hourglass_2_lsp, hourglass_2_mpii, hourglass_8_mpii
from posewright.recipes.hrnet import (
    hrnet_w32_coco,
    hrnet_w32_coco_384x288,
    hrnet_w32_mpii,
    hrnet_w48_coco,
    hrnet_w48_coco_384x288,
)
from posewright.recipes.jain import jain_lsp
from posewright.recipes.lightweight_openpose import lightweight_openpose_coco
from posewright.recipes.mspn import mspn_1_coco, mspn_2_coco, mspn_3_coco, mspn_4_coco, mspn_4_coco_384x288
from posewright.recipes.multi_context_attention import (
    multi_context_attention_8_mpii,
    multi_context_attention_8_paper_mpii,
)
from posewright.recipes.multiposenet import (
    multiposenet_r50_coco,
    multiposenet_r50_coco_boxes,
    multiposenet_r101_coco,
    multiposenet_r101_coco_boxes,
    multiposenet_r101_dilated_coco,
    multiposenet_r101_dilated_coco_boxes,
    multiposenet_r101_without_concatenated_coco,
    multiposenet_r101_without_intermediate_coco,
)
from posewright.recipes.negatives import person_negatives
from posewright.recipes.occlusion import (
    hrnet_w32_coco_keypoint_aware_s1,
    hrnet_w32_coco_keypoint_aware_s2,
    hrnet_w32_coco_keypoint_aware_s3,
)
from posewright.recipes.openpose import openpose_coco
from posewright.recipes.pose import pose
from posewright.recipes.posefix import posefix_r50_coco, posefix_r152_coco_384x288
from posewright.recipes.pyranet import pyranet_2_mpii, pyranet_8_mpii
from posewright.recipes.recipe import Phase, Recipe
from posewright.recipes.rmpe import rmpe_mpii, rmpe_proposals_mpii
from posewright.recipes.rsn import (
    rsn18_coco,
    rsn18_lsp,
    rsn50_2_coco,
    rsn50_3_coco,
    rsn50_4_coco,
    rsn50_4_coco_384x288,
    rsn50_coco,
)
from posewright.recipes.simple_baseline import (
    simple_baseline_r50_coco,
    simple_baseline_r50_coco_384x288,
    simple_baseline_r50_lsp,
    simple_baseline_r101_coco,
    simple_baseline_r101_coco_384x288,
    simple_baseline_r152_coco,
    simple_baseline_r152_coco_384x288,
)
from posewright.recipes.simplepose import simplepose_coco
from posewright.recipes.udp import (
    hrnet_w32_coco_384x288_udpv1,
    hrnet_w32_coco_udp,
    hrnet_w32_coco_udpv1,
    hrnet_w48_coco_384x288_udp,
    hrnet_w48_coco_udpv1,
    simple_baseline_r50_coco_udpv1,
)
from posewright.text import did_you_mean

__all__ = ["RECIPES", "Phase", "Recipe", "recipe_named"]

RECIPES = (
    default,
    pose,
    person,
    person_negatives,
    jain_lsp,
    cpm_lsp,
    cpm_mpii,
    fastpose_r50_coco,
    rmpe_mpii,
    rmpe_proposals_mpii,
    hourglass_2_lsp,
    hourglass_2_mpii,
    hourglass_8_mpii,
    multi_context_attention_8_mpii,
    multi_context_attention_8_paper_mpii,
    pyranet_2_mpii,
    pyranet_8_mpii,
    cpn_r50_lsp,
    cpn_r50_coco,
    cpn_r50_coco_384x288,
    cpn_r101_coco_384x288,
    simple_baseline_r50_lsp,
    simple_baseline_r50_coco,
    simple_baseline_r101_coco,
    simple_baseline_r152_coco,
    simple_baseline_r50_coco_384x288,
    simple_baseline_r101_coco_384x288,
    simple_baseline_r152_coco_384x288,
    hrnet_w32_mpii,
    hrnet_w32_coco,
    hrnet_w48_coco,
    hrnet_w32_coco_384x288,
    hrnet_w48_coco_384x288,
    hrnet_w32_coco_128x96,
    hrnet_w32_coco_128x96_dark,
    hrnet_w48_coco_384x288_dark,
    hrnet_w32_mpii_dark,
    simple_baseline_r50_coco_udpv1,
    hrnet_w32_coco_udp,
    hrnet_w32_coco_udpv1,
    hrnet_w48_coco_udpv1,
    hrnet_w32_coco_384x288_udpv1,
    hrnet_w48_coco_384x288_udp,
    hrnet_w32_coco_keypoint_aware_s1,
    hrnet_w32_coco_keypoint_aware_s2,
    hrnet_w32_coco_keypoint_aware_s3,
    mspn_1_coco,
    mspn_2_coco,
    mspn_3_coco,
    mspn_4_coco,
    mspn_4_coco_384x288,
    posefix_r50_coco,
    posefix_r152_coco_384x288,
    rsn18_lsp,
    rsn18_coco,
    rsn50_coco,
    rsn50_2_coco,
    rsn50_3_coco,
    rsn50_4_coco,
    rsn50_4_coco_384x288,
    evopose2d_xs_coco,
    evopose2d_s_coco,
    evopose2d_m_coco,
    evopose2d_l_coco,
    efficientpose_rt_mpii,
    efficientpose_i_mpii,
    efficientpose_ii_mpii,
    efficientpose_iii_mpii,
    efficientpose_iv_mpii,
    efficientpose_rt_lite_mpii,
    efficientpose_i_lite_mpii,
    efficientpose_ii_lite_mpii,
    efficientpose_rt_lsp,
    deepercut_r50_coco,
    deepercut_r101_coco,
    deepercut_r152_coco,
    associative_embedding_coco,
    higher_hrnet_w32_coco,
    higher_hrnet_w48_coco,
    higher_hrnet_w32_crowdpose,
    higher_hrnet_w48_crowdpose,
    openpose_coco,
    lightweight_openpose_coco,
    simplepose_coco,
    multiposenet_r50_coco,
    multiposenet_r50_coco_boxes,
    multiposenet_r101_coco,
    multiposenet_r101_coco_boxes,
    multiposenet_r101_dilated_coco,
    multiposenet_r101_dilated_coco_boxes,
    multiposenet_r101_without_concatenated_coco,
    multiposenet_r101_without_intermediate_coco,
    integral_pose_r50_mpii,
    epipolar_pose_r50_fs,
    epipolar_pose_r50_s1,
    epipolar_pose_r50_ss,
    epipolar_pose_r50_ss_without_r,
)


def recipe_named(name: str) -> Recipe:
    """Find a recipe by its name, or in a Python file of yours as `my_file.py:my_recipe`.

    Raises KeyError that says what may be meant; such a file is run, so it must be one that you trust.
    """
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    file, _, attribute = name.rpartition(":")
    if file.endswith(".py"):
        return _from_file(Path(file), attribute)
    close = did_you_mean(name, (one.name for one in RECIPES))
    there = f"`posewright list` names the {len(RECIPES)} there are, or name my_file.py:my_recipe"
    raise KeyError(f"no recipe {name!r}{close or ';'} {there}")


def _from_file(file: Path, attribute: str) -> Recipe:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None or not file.exists():
        raise KeyError(f"{file}: no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    recipe = getattr(module, attribute, None)
    if not isinstance(recipe, Recipe):
        raise KeyError(f"{file}: has no recipe {attribute!r}")
    return replace(recipe, source=f"{file.resolve()}:{attribute}")
