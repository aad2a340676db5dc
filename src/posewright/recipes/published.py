"""What is published about the size of each network, what ours is held to, and whose weights it takes.

Sizes are as printed. "GFLOPs" are multiply-accumulates in most papers (HRNet's, EvoPose2D's, CPN's, MSPN's and RSN's
tables) and twice as many in PyraNet's and EfficientPose's; nobody says how biases, BatchNorms and upsampling count.
"""

from __future__ import annotations

from typing import NamedTuple

from posewright.recipes.recipe import Recipe


class Published(NamedTuple):
    """Say parameters in millions and GFLOPs as printed, what our network is held to, and whose weights load."""

    parameters: str = "-"
    gflops: str = "-"
    held_to: str = "no vector"
    weights: str = "none known"


AUTHORS = "the authors' checkpoints"
KERAS = "the authors' of the README (.h5), by their Keras names; not tried"
GENUINE = "with the authors' weights"
DARK, UDP = "dark_target, decode_dark", "udp_target, udp_decode"
PUBLISHED: dict[str, Published] = {
    "default": Published(held_to="its own card", weights="in the package"),
    "pose": Published(held_to="its own card", weights="in the package"),
    "person": Published(held_to="its own card", weights="in the package"),
    "person_negatives": Published(held_to="no vector: posewright's own"),
    "jain": Published(held_to="no vector: nobody released code"),
    "cpm": Published(held_to="cpm, 9e-7", weights=f"{AUTHORS} (.caffemodel)"),
    "hourglass_2": Published(held_to="hourglass (2 stacks), 8e-7", weights=AUTHORS),
    "hourglass_8": Published("25.6", "26.2", "hourglass (2 stacks), 8e-7", AUTHORS),
    "multi_context_attention": Published(held_to="no vector: shapes and properties", weights="Torch7's are not read"),
    "pyranet_2": Published(held_to="pyranet, 1e-6", weights="Torch7's are not read"),
    "pyranet_8": Published("26.9", "45.9", "pyranet, 1e-6", "Torch7's are not read"),
    "fastpose": Published(held_to="fastpose, 3e-7", weights="AlphaPose's checkpoints"),
    "rmpe": Published(held_to="no vector: the transformer and its inverse"),
    "rmpe_proposals": Published(held_to="hourglass (2 stacks), 8e-7"),
    "cpn_r50_coco": Published("27.0", "6.20", "cpn_r50, 6e-7", "the PyTorch port's checkpoints"),
    "cpn_r50_coco_384x288": Published("27.0", "-", "cpn_r50, 6e-7", "the PyTorch port's checkpoints"),
    "cpn": Published(held_to="cpn_r50, 6e-7", weights="the PyTorch port's checkpoints"),
    "simple_baseline_r50_coco": Published("34.1", "8.9 or 5.21", "simple_baseline_r50, 4e-7", f"{AUTHORS}, MMPose's"),
    "simple_baseline_r152_coco": Published("68.6", "-", "simple_baseline_r50, 4e-7", f"{AUTHORS}, MMPose's"),
    "simple_baseline_r152_coco_384x288": Published("68.6", "35.3", "simple_baseline_r50, 4e-7", f"{AUTHORS}, MMPose's"),
    "simple_baseline_r50_coco_384x288": Published("34.1", "-", "simple_baseline_r50, 4e-7", f"{AUTHORS}, MMPose's"),
    "simple_baseline_r50_coco_udpv1": Published("34.2", "-", f"simple_baseline_r50, 4e-7; {UDP}"),
    "simple_baseline": Published(held_to="simple_baseline_r50, 4e-7", weights=f"{AUTHORS}, MMPose's"),
    "hrnet_w32_mpii": Published("28.5", "-", "hrnet_w32, 8e-7", f"{AUTHORS}, MMPose's"),
    "hrnet_w32_mpii_dark": Published("28.5", "-", f"hrnet_w32, 8e-7; {DARK}", AUTHORS),
    "hrnet_w32_coco": Published("28.5", "7.1", "hrnet_w32, 8e-7", f"{AUTHORS}, MMPose's"),
    "hrnet_w32_coco_128x96": Published("28.5", "-", "hrnet_w32, 8e-7", AUTHORS),
    "hrnet_w32_coco_128x96_dark": Published("28.5", "-", f"hrnet_w32, 8e-7; {DARK}", AUTHORS),
    "hrnet_w32_coco_384x288": Published("28.5", "16.0", "hrnet_w32, 8e-7", f"{AUTHORS}, MMPose's"),
    "hrnet_w32_coco_384x288_udpv1": Published("28.7", "-", f"hrnet_w32, 8e-7; {UDP}", AUTHORS),
    "hrnet_w32_coco_udp": Published("28.7", "-", f"hrnet_w32, 8e-7; {UDP}", AUTHORS),
    "hrnet_w32_coco_keypoint_aware": Published("28.7", "-", f"hrnet_w32, 8e-7; {UDP}", AUTHORS),
    "hrnet_w48_coco": Published("63.6", "14.6", "hrnet_w32, 8e-7", f"{AUTHORS}, MMPose's"),
    "hrnet_w48_coco_384x288": Published("63.6", "32.9", "hrnet_w32, 8e-7", f"{AUTHORS}, MMPose's"),
    "hrnet_w48_coco_384x288_dark": Published("63.6", "32.9", f"hrnet_w32, 8e-7; {DARK}", AUTHORS),
    "hrnet_w48_coco_384x288_udp": Published("63.8", "33.0", f"hrnet_w32, 8e-7; {UDP}", AUTHORS),
    "hrnet_w48_coco_udpv1": Published("63.8", "-", f"hrnet_w32, 8e-7; {UDP}", AUTHORS),
    "mspn_4_coco": Published("120", "19.9", "mspn, 6e-7", f"{AUTHORS}, MMPose's"),
    "mspn_4_coco_384x288": Published("120", "-", "mspn, 6e-7", f"{AUTHORS}, MMPose's"),
    "mspn": Published(held_to="mspn, 6e-7", weights=f"{AUTHORS}, MMPose's"),
    "rsn18_coco": Published("-", "2.5", "rsn18, 6e-7", f"{AUTHORS}, MMPose's"),
    "rsn18": Published(held_to="rsn18, 6e-7", weights=f"{AUTHORS}, MMPose's"),
    "rsn50_coco": Published("-", "6.4 of other widths", "rsn50, 6e-7", f"{AUTHORS}, MMPose's"),
    "rsn50_2": Published("-", "13.9 of other widths", "rsn50x2, 6e-7", f"{AUTHORS}, MMPose's"),
    "rsn50_4_coco_384x288": Published("-", "65.9 of other widths", "rsn50x2, 6e-7", AUTHORS),
    "rsn50_4": Published("-", "29.3 of other widths", "rsn50x2, 6e-7", AUTHORS),
    "rsn50": Published(held_to="rsn50x2, 6e-7", weights=f"{AUTHORS}, MMPose's"),
    "efficientpose_rt_lite": Published("0.40", "0.86", f"efficientpose_rt_lite, {GENUINE}", f"{AUTHORS} as .npz"),
    "efficientpose_i_lite": Published("0.59", "1.54", f"efficientpose_i_lite, {GENUINE}", f"{AUTHORS} as .npz"),
    "efficientpose_ii_lite": Published("1.46", "7.25", "the README's size alone", f"{AUTHORS} as .npz, not tried"),
    "efficientpose_rt": Published("0.46", "0.87", f"efficientpose_rt, {GENUINE}", f"{AUTHORS} as .npz"),
    "efficientpose_rt_lsp": Published("-", "-", f"efficientpose_rt, {GENUINE}", f"{AUTHORS} as .npz"),
    "efficientpose_i_": Published("0.72", "1.67", f"efficientpose_i, {GENUINE}", f"{AUTHORS} as .npz"),
    "efficientpose_ii_": Published("1.73", "7.70", "efficientpose_i", f"{AUTHORS} as .npz"),
    "efficientpose_iii": Published("3.23", "23.35", "efficientpose_i", f"{AUTHORS} as .npz"),
    "efficientpose_iv": Published("6.56", "72.89", "efficientpose_i", f"{AUTHORS} as .npz"),
    "associative_embedding": Published("277.8", "206.9", "ae_hourglass, 3e-6", AUTHORS),
    "higher_hrnet_w32_coco": Published("28.6", "47.9", "higher_hrnet_w32, 3e-6", f"{AUTHORS}, MMPose's"),
    "higher_hrnet_w48_coco": Published("63.8", "154.3", "higher_hrnet_w32, 3e-6", f"{AUTHORS}, MMPose's"),
    "higher_hrnet": Published(held_to="higher_hrnet_w32, 3e-6", weights=f"{AUTHORS}, MMPose's"),
    "openpose": Published("25.94", "160.36", "openpose_coco, 3e-6", f"{AUTHORS} (.caffemodel), a port's"),
    "lightweight_openpose": Published("4.1", "9", "lightweight_openpose, 3e-6", AUTHORS),
    "simplepose": Published("129.0", "-", "simplepose, 6e-7", AUTHORS),
    "multiposenet": Published(held_to="its targets and boxes; the thesis's network has no vector"),
    "deepercut": Published(held_to="deepcut_pairwise, deepcut_ilp; the network has no vector"),
    "integral_pose": Published(held_to="integral_human_pose_r50, 1e-5", weights=AUTHORS),
    "epipolar_pose": Published(held_to="integral_pose_r50, 1e-5", weights=AUTHORS),
    "posefix": Published(held_to="posefix_functions, posefix_synthesis; the network has no vector"),
    "evopose2d_xs": Published("2.53", "0.47", "evopose2d_xs, 2e-5", KERAS),
    "evopose2d_s": Published("2.53", "1.07", "evopose2d_s, 2e-5", KERAS),
    "evopose2d_m": Published("7.34", "5.59", "evopose2d_s, 2e-5", KERAS),
    "evopose2d_l": Published("14.7", "17.7", "evopose2d_s, 2e-5", KERAS),
}
"""By the beginning of a recipe's name; the longest that fits counts."""


def published(recipe: Recipe) -> Published:
    """Return what is published about a recipe's network, nothing where the table does not know it."""
    known = [name for name in PUBLISHED if recipe.name.startswith(name)]
    return PUBLISHED[max(known, key=len)] if known else Published()
