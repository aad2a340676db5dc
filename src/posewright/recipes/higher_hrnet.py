"""HigherHRNet (Cheng et al. 2020, arXiv:1908.10357): tags group everybody's keypoints, read at two resolutions.

Section 4.1 and the authors' configurations (aa23881): whole pictures of 512x512, 640x640 of the widest, jittered by
+-30 degrees, 0.75 to 1.5 of the shorter side and +-40 px of 200; Adam at 1e-3, divided by 10 after 200 and 260 of 300
epochs; the trunk starts from ImageNet weights, which `--start` takes. 48 pictures a step on four devices, 12 on each.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from posewright.augment.picture_jitter import PictureJitter
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.recipes.data import on_coco, on_crowdpose
from posewright.recipes.losses import higher_hrnet
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import COCO, CROWDPOSE

PAPER = "https://arxiv.org/abs/1908.10357"
PHASES = (Phase(200, 1e-3), Phase(60, 1e-4), Phase(40, 1e-5))
VALIDATION, TEST = "AP (val2017, flip, one scale)", "AP (test-dev2017, flip, one scale)"
SCALES = "AP (test-dev2017, flip, scales 0.5, 1, 2)"


def network(width: int, keypoints: int) -> Any:
    """Build HigherHRNet of a width, 32 or 48."""
    from posewright.models import higher_hrnet

    return {32: higher_hrnet.higher_hrnet_w32, 48: higher_hrnet.higher_hrnet_w48}[width](keypoints)


def said(width: int, keypoints: int, parameters: int, reported: dict[str, float]) -> dict[str, Any]:
    """What the paper does alike on both data sets."""
    return {
        "paper": PAPER,
        "network": partial(network, width, keypoints),
        "loss": higher_hrnet,
        "phases": PHASES,
        "jitter": PictureJitter(),
        "batch": 48,
        "optimiser": Optimiser("adam"),
        "parameters": parameters,
        "reported": reported,
    }


higher_hrnet_w32_coco = on_coco(
    "higher_hrnet_w32",
    "HigherHRNet-W32",
    HigherHRNet(COCO, (512, 512)),
    **said(32, len(COCO), 28_645_331, {VALIDATION: 0.671, TEST: 0.664}),
)
higher_hrnet_w48_coco = on_coco(
    "higher_hrnet_w48",
    "HigherHRNet-W48",
    HigherHRNet(COCO, (640, 640)),
    **said(48, len(COCO), 63_827_139, {VALIDATION: 0.699, TEST: 0.684, SCALES: 0.705}),
)
higher_hrnet_w32_crowdpose = on_crowdpose(
    "higher_hrnet_w32",
    "HigherHRNet-W32",
    HigherHRNet(CROWDPOSE, (512, 512)),
    **said(32, len(CROWDPOSE), 28_641_962, {}),
)
higher_hrnet_w48_crowdpose = on_crowdpose(
    "higher_hrnet_w48",
    "HigherHRNet-W48",
    HigherHRNet(CROWDPOSE, (640, 640)),
    **said(
        48,
        len(CROWDPOSE),
        63_822_090,
        {"AP (test, flip, one scale)": 0.659, "AP (test, flip, scales 0.5, 1, 2)": 0.676},
    ),
)
